//! Versions as Python writes them: <https://packaging.python.org/specifications/version-specifiers/>
//! (PEP 440). A library for it would bring its own ordering and ranges; what is needed here is
//! whether two are the same, and how a semantic version is written.

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
    Ok(normal(&text).unwrap_or(text))
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

/// Whether a version of Python's is this one, however it is spelt.
pub fn is(text: &str, version: &Version) -> bool {
    let same = |it: String| normal(text).is_some_and(|text| comparable(&text) == comparable(&it));
    of(version).is_ok_and(same)
}

/// Zeros at the end of the release's numbers do not count.
fn comparable(normal: &str) -> String {
    let end = normal
        .find(|it: char| !it.is_ascii_digit() && !".!".contains(it))
        .unwrap_or(normal.len());
    let (release, rest) = normal.split_at(end);
    // `1.0.dev1`: the dot belongs to what follows.
    let mut release = release.trim_end_matches('.');
    while let Some(shorter) = release.strip_suffix(".0") {
        release = shorter;
    }
    format!("{release}{rest}")
}

/// The normal form of a version; none if it is not one.
pub fn normal(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix('v').unwrap_or(&text);
    let (public, local) = match text.split_once('+') {
        Some((public, local)) => (public, Some(local)),
        None => (text, None),
    };
    let mut rest = Rest(public);
    let mut normal = String::new();
    if let Some((epoch, after)) = public.split_once('!') {
        let epoch = number(epoch)?;
        if epoch != "0" {
            normal = format!("{epoch}!");
        }
        rest = Rest(after);
    }
    normal += rest.digits()?;
    while let Some(next) = rest.0.strip_prefix('.').filter(|it| it.starts_with(digit)) {
        rest = Rest(next);
        normal = format!("{normal}.{}", rest.digits()?);
    }
    // Longer words first: `a` begins `alpha`.
    const PRE: [(&str, &str); 8] = [
        ("alpha", "a"),
        ("beta", "b"),
        ("preview", "rc"),
        ("pre", "rc"),
        ("rc", "rc"),
        ("a", "a"),
        ("b", "b"),
        ("c", "rc"),
    ];
    const POST: [(&str, &str); 3] = [("post", ".post"), ("rev", ".post"), ("r", ".post")];
    normal += &rest.part(&PRE).unwrap_or_default();
    let implicit = rest.0.strip_prefix('-').filter(|it| it.starts_with(digit));
    if let Some(next) = implicit {
        rest = Rest(next);
        normal = format!("{normal}.post{}", rest.digits()?);
    } else {
        normal += &rest.part(&POST).unwrap_or_default();
    }
    normal += &rest.part(&[("dev", ".dev")]).unwrap_or_default();
    if !rest.0.is_empty() {
        return None;
    }
    if let Some(local) = local {
        let parts = local.split(['.', '-', '_']).map(local_part);
        normal = format!("{normal}+{}", parts.collect::<Option<Vec<_>>>()?.join("."));
    }
    Some(normal)
}

fn local_part(part: &str) -> Option<String> {
    let plain = !part.is_empty() && part.bytes().all(|it| it.is_ascii_alphanumeric());
    plain.then(|| number(part).unwrap_or(part).to_owned())
}

fn digit(it: char) -> bool {
    it.is_ascii_digit()
}

/// Digits without zeros in front.
fn number(text: &str) -> Option<&str> {
    let digits = !text.is_empty() && text.chars().all(digit);
    let short = text.trim_start_matches('0');
    digits.then_some(if short.is_empty() { "0" } else { short })
}

/// What is still to be read.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn digits(&mut self) -> Option<&'t str> {
        let end = self.0.find(|it| !digit(it)).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        number(digits)
    }

    /// A word with an optional number, perhaps with a separator before each; the one before the
    /// number may stand there without it.
    fn part(&mut self, words: &[(&str, &str)]) -> Option<String> {
        const SEPARATORS: [char; 3] = ['.', '-', '_'];
        let text = self.0.strip_prefix(SEPARATORS).unwrap_or(self.0);
        let (rest, normal) = words
            .iter()
            .find_map(|(word, normal)| Some((text.strip_prefix(word)?, normal)))?;
        self.0 = rest.strip_prefix(SEPARATORS).unwrap_or(rest);
        Some(format!("{normal}{}", self.digits().unwrap_or("0")))
    }
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

    /// The expected forms are what Python's `packaging.version.Version` says, as it is in pip 23.2; on
    /// 60,000 random texts both said the same.
    #[test]
    fn normal_forms() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(normal(text).as_deref(), expected, "{text}");
        };
        check(" v1.02.0 ", Some("1.2.0"));
        check("0!1.0", Some("1.0"));
        check("1!2.0", Some("1!2.0"));
        check("1.0-Alpha_01", Some("1.0a1"));
        check("1.0preview", Some("1.0rc0"));
        check("1.0.c2", Some("1.0rc2"));
        check("1.0-4", Some("1.0.post4"));
        check("1.0rev", Some("1.0.post0"));
        check("1.0b2.post345.dev456", Some("1.0b2.post345.dev456"));
        check("1.0b-dev", Some("1.0b0.dev0"));
        check("1.0rc.", Some("1.0rc0"));
        check("1.0b--4", Some("1.0b0.post4"));
        check("1.0+Ubuntu-01_a", Some("1.0+ubuntu.1.a"));
        check("1.2.0-beta.1", Some("1.2.0b1"));
        check("1.0.x", None);
        check("1.0b1b2", None);
        check("1.0+", None);
        check("", None);
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
    }
}
