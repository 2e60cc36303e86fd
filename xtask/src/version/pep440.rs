//! Versions as Python writes them: <https://packaging.python.org/specifications/version-specifiers/>
//! (PEP 440), by the library that uv reads them with.

use anyhow::{Result, bail};
use semver::Version;

/// A semantic version in the normal form of Python: `1.2.0-beta.1` is `1.2.0b1`. A pre-release that
/// is only a number is a development release (`1.2.0-3` is `1.2.0.dev3`): Python would read `1.2.0-3`
/// as what comes *after* 1.2.0.
///
/// # Errors
/// The pre-release has no such form.
pub fn of(version: &Version) -> Result<String> {
    let Version {
        major,
        minor,
        patch,
        pre,
        build,
    } = version;
    let pre = if pre.is_empty() {
        String::new()
    } else {
        match pre_release(&pre.to_ascii_lowercase()) {
            Some(text) => text,
            None => bail!(
                "Python has no form for the pre-release `{pre}` of {version}\n\
                 hint: one of alpha, beta, rc and dev with a number: `{major}.{minor}.{patch}-beta.1`"
            ),
        }
    };
    let local = match build.is_empty() {
        true => String::new(),
        false => format!("+{build}"),
    };
    let text = format!("{major}.{minor}.{patch}{pre}{local}");
    Ok(parsed(&text).map_or(text, |it| it.to_string()))
}

/// `beta.1`, `beta1`, `beta` or `1`, in lower case.
fn pre_release(text: &str) -> Option<String> {
    let letters = text.len()
        - text
            .trim_start_matches(|it: char| it.is_ascii_lowercase())
            .len();
    let (word, number) = text.split_at(letters);
    let number = number.trim_start_matches(['.', '-']);
    let digits = number.bytes().all(|it| it.is_ascii_digit());
    let number = if number.is_empty() { "0" } else { number };
    let prefix = match word {
        "" | "dev" => ".dev",
        "a" | "alpha" => "a",
        "b" | "beta" => "b",
        "c" | "rc" | "pre" | "preview" => "rc",
        _ => return None,
    };
    digits.then(|| format!("{prefix}{number}"))
}

/// Whether a version of Python's is this one, however it is spelt. Zeros at the end of the release's numbers
/// do not count.
pub fn is(text: &str, version: &Version) -> bool {
    let same = |it: String| parsed(&it).is_some_and(|it| parsed(text) == Some(it));
    of(version).is_ok_and(same)
}

fn parsed(text: &str) -> Option<pep440_rs::Version> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semantic_versions_as_python_writes_them() {
        let check = |text: &str, expected: Option<&str>| {
            let written = of(&Version::parse(text).unwrap());
            assert_eq!(written.ok().as_deref(), expected, "{text}");
        };
        check("1.2.0", Some("1.2.0"));
        check("1.2.0-beta.1", Some("1.2.0b1"));
        check("1.2.0-alpha1", Some("1.2.0a1"));
        check("1.2.0-rc", Some("1.2.0rc0"));
        check("1.2.0-RC.10", Some("1.2.0rc10"));
        check("1.2.0-3", Some("1.2.0.dev3"));
        check("1.2.0-dev.3", Some("1.2.0.dev3"));
        check("1.2.0+Build.7-a", Some("1.2.0+build.7.a"));
        check("1.2.0-beta.1+7", Some("1.2.0b1+7"));
        check("1.2.0-nightly.1", None);
        check("1.2.0-beta.1.2", None);
        check("1.2.0-beta.x", None);
    }

    #[test]
    fn the_same_however_it_is_spelt() {
        let check = |python: &str, semantic: &str, expected: bool| {
            let version = Version::parse(semantic).unwrap();
            assert_eq!(is(python, &version), expected, "{python} {semantic}");
        };
        check("1.2", "1.2.0", true);
        check("1.2.0.0", "1.2.0", true);
        check("1.2b1", "1.2.0-beta.1", true);
        check("1.2.0.BETA-1", "1.2.0-beta.1", true);
        check("1.0.dev3", "1.0.0-3", true);
        check("10", "10.0.0", true);
        check("1.20", "1.2.0", false);
        check("1.2.0-3", "1.2.0-3", false);
        check("1.2.0rc1", "1.2.0", false);
        check("1!1.2.0", "1.2.0", false);
        check("what", "1.2.0", false);
        check("", "1.2.0", false);
        check(" v1.02.0 ", "1.2.0", true);
        check("0!1.0", "1.0.0", true);
        check("1.0-Alpha_01", "1.0.0-alpha.1", true);
        check("1.0preview", "1.0.0-rc.0", true);
        check("1.0.c2", "1.0.0-rc.2", true);
        // What comes after it, or is of another build.
        check("1.0-4", "1.0.0", false);
        check("1.0rev", "1.0.0", false);
        check("1.0b2.post345.dev456", "1.0.0-beta.2", false);
        check("1.0+Ubuntu-01_a", "1.0.0+ubuntu.1.a", true);
        check("1.0+", "1.0.0", false);
    }
}
