//! What code may do under the hardened runtime, read from its signature and compared with what it is to
//! be allowed. `rcodesign` keeps what an older signature had, and a list that lost an entry ends a
//! program on other people's machines only.

use std::path::Path;

use anyhow::{Context as _, Result};
use plist::{Dictionary, Value};
use xtask_signed::{
    Trust,
    apple::{Seals, macho},
};

use super::{
    discover,
    plan::{Entitlements, Item, NO_LIBRARY_VALIDATION},
};

/// What the entitlements in a signature lack, or have too many of.
///
/// # Errors
/// The code or the wanted list cannot be read.
pub fn wrong(item: &Item, trust: &Trust) -> Result<Vec<String>> {
    let Some(code) = discover::executable(&item.path, item.kind) else {
        return Ok(Vec::new());
    };
    let wanted = wanted(&item.entitlements)?;
    // That of a bundle's program seals more than it holds itself: only its own list is asked for.
    let found = macho::inspect(&fs_err::read(code)?, Seals::default(), trust)?;
    let mut problems: Vec<String> = found
        .into_iter()
        .flat_map(|it| differences(&wanted, &it.entitlements.unwrap_or_default()))
        .collect();
    // Once is enough for all architectures.
    problems.dedup();
    Ok(problems)
}

fn wanted(entitlements: &Entitlements) -> Result<Dictionary> {
    Ok(match entitlements {
        Entitlements::None | Entitlements::PassedOver(_) => Dictionary::new(),
        Entitlements::File(file) => list(file)?,
        Entitlements::NoLibraryValidation(_) => {
            let entry = (NO_LIBRARY_VALIDATION.to_owned(), Value::Boolean(true));
            Dictionary::from_iter([entry])
        }
    })
}

fn list(file: &Path) -> Result<Dictionary> {
    let value = Value::from_file(file).ok().and_then(Value::into_dictionary);
    value.with_context(|| format!("{} is no property list with entitlements", file.display()))
}

fn differences(wanted: &Dictionary, found: &Dictionary) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, value) in wanted {
        match found.get(name) {
            None => problems.push(format!("the entitlement {name} is missing")),
            Some(it) if it != value => {
                problems.push(format!("the entitlement {name} has another value"));
            }
            Some(_) => {}
        }
    }
    let more = found.keys().filter(|it| !wanted.contains_key(it));
    problems.extend(more.map(|it| format!("it has the entitlement {it}, which nobody asked for")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_compared_by_what_they_say() {
        let check = |wanted: &str, found: &str, expected: &[&str]| {
            let list = |text: &str| {
                let plist = format!("<plist version=\"1.0\"><dict>{text}</dict></plist>");
                let value = Value::from_reader_xml(plist.as_bytes()).unwrap();
                value.into_dictionary().unwrap()
            };
            assert_eq!(differences(&list(wanted), &list(found)), expected);
        };
        let jit = "<key>jit</key><true/>";
        let group = "<key>groups</key><array><string>a</string></array>";
        check("", "", &[]);
        check(&format!("{jit}{group}"), &format!("{group}\n  {jit}"), &[]);
        check(jit, "", &["the entitlement jit is missing"]);
        check(
            jit,
            "<key>jit</key><false/>",
            &["the entitlement jit has another value"],
        );
        check(
            "",
            jit,
            &["it has the entitlement jit, which nobody asked for"],
        );
    }
}
