//! The strings of `dist.toml` that have a form of their own: durations, versions, globs, names.
//! An error completes the sentence "`x` is not …".

use std::path::{Component, Path};
use std::time::Duration;

use super::types::PythonVersion;
use xtask_walk::is_glob;

/// Units of a duration with their length in milliseconds, the longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Tests a string against the form that the schema names with `x-form`.
pub(super) fn check(form: &str, text: &str) -> Result<(), &'static str> {
    match form {
        "duration" => duration(text).map(drop),
        "percent" => percent(text).map(drop),
        "version" => semver::Version::parse(text)
            .map(drop)
            .map_err(|_| "a semantic version, such as `1.2.3`"),
        "python-version" => python_version(text).map(drop),
        "tag" => tag(text),
        "inner-path" => inner_path(text),
        "glob" => glob(text),
        "file-glob" => file_glob(text),
        "variable" => variable(text),
        "variable-glob" => variable(&text.replace('*', "_")),
        "program" => program(text),
        "fingerprint" => fingerprint(text).map(drop),
        "thumbprint" => thumbprint(text).map(drop),
        "sha256" => sha256(text),
        "url" => url(text),
        "download-url" => download_url(text),
        "target" => target(text),
        "label" => label(text),
        "branch" => branch(text),
        "tool-version" => tool_version(text),
        _ => Ok(()),
    }
}

/// `30s` and the like; nothing shorter than a millisecond.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "a duration, such as `500ms`, `30s`, `5m` or `1h`";
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(FORM)?;
    let number: u64 = number.parse().map_err(|_| FORM)?;
    match number.checked_mul(*millis) {
        Some(0) => Err("longer than nothing"),
        Some(total) => Ok(Duration::from_millis(total)),
        None => Err(FORM),
    }
}

/// `10%`.
pub(super) fn percent(text: &str) -> Result<u8, &'static str> {
    const FORM: &str = "a share from `0%` to `100%`";
    let number = text.strip_suffix('%').ok_or(FORM)?;
    number.parse().ok().filter(|it| *it <= 100).ok_or(FORM)
}

/// The duration in the longest unit that leaves no rest.
pub(super) fn duration_text(value: Duration) -> String {
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    let whole = |(_, unit): &&(&str, u64)| millis.is_multiple_of(*unit);
    let (name, unit) = UNITS.iter().find(whole).unwrap_or(&UNITS[3]);
    format!("{}{name}", millis / unit)
}

/// `3.11`: the patch level is not the configuration's to say.
pub(super) fn python_version(text: &str) -> Result<PythonVersion, &'static str> {
    const FORM: &str = "a Python version of two numbers, such as `3.11`";
    let (major, minor) = text.split_once('.').ok_or(FORM)?;
    let number = |part: &str| part.parse::<u32>().map_err(|_| FORM);
    Ok(PythonVersion {
        major: number(major)?,
        minor: number(minor)?,
    })
}

/// As `sha256sum` prints it.
fn sha256(text: &str) -> Result<(), &'static str> {
    match text.len() == 64 && text.chars().all(|it| it.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err("a SHA-256: 64 hexadecimal digits"),
    }
}

/// The SHA-1 of a certificate as Windows shows it, upper case; it may be written in groups.
pub(super) fn thumbprint(text: &str) -> Result<String, &'static str> {
    // Windows' own dialog puts an invisible mark before the first digit when it is copied.
    let hex = text
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect::<String>();
    let other =
        |c: char| !c.is_ascii_hexdigit() && !c.is_whitespace() && !matches!(c, ':' | '\u{200e}');
    if hex.len() == 40 && !text.contains(other) {
        Ok(hex.to_uppercase())
    } else {
        Err("a certificate's thumbprint: 40 hexadecimal digits")
    }
}

/// An address of the web.
fn url(text: &str) -> Result<(), &'static str> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
        _ => Err("an address that begins with `http://` or `https://`"),
    }
}

/// Where each file of a release can be downloaded: a pattern.
fn download_url(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "an address that begins with `https://` and has `{file}` in it; \
                        `{version}` may stand there, too";
    // Tauri's updater refuses others, and without the file's name all would be one.
    let rest = text.strip_prefix("https://").ok_or(FORM)?;
    let plain = rest.replace("{version}", "").replace("{file}", "");
    let odd = |c: char| c.is_whitespace() || "{}<>\"\\^`|".contains(c);
    match rest.contains("{file}") && !rest.starts_with(['/', '{']) && !plain.contains(odd) {
        true => Ok(()),
        false => Err(FORM),
    }
}

/// What is shipped for.
fn target(text: &str) -> Result<(), &'static str> {
    let plain = |part: &str| {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !part.is_empty() && part.chars().all(known)
    };
    let parts: Vec<&str> = text.split('-').collect();
    let triple = (3..=4).contains(&parts.len()) && parts.iter().all(|it| plain(it));
    match ["linux", "windows", "macos"].contains(&text) || triple {
        true => Ok(()),
        false => Err("`linux`, `windows`, `macos` or a Rust target triple"),
    }
}

/// A name that stands in a workflow as it is.
fn label(text: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
        true => Ok(()),
        false => Err("a name of letters, digits, `.`, `_` and `-`"),
    }
}

/// A branch, or several by GitHub's patterns.
fn branch(text: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/*".contains(c);
    match !text.is_empty() && !text.starts_with(['-', '/']) && text.chars().all(plain) {
        true => Ok(()),
        false => Err("a branch, such as `main` or `release/**`"),
    }
}

/// A version as rustup or GitHub's `setup-…` actions take it: `1.95.0`, `22`, `lts/*`, `>=3.11`.
fn tool_version(text: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+*/<>=^~ ".contains(c);
    match !text.trim().is_empty() && text.chars().all(plain) {
        true => Ok(()),
        false => Err("a version, such as `1.95.0`, `22` or `lts/*`"),
    }
}

/// An OpenPGP fingerprint, which may be written in groups.
pub(super) fn fingerprint(text: &str) -> Result<String, &'static str> {
    let hex: String = text.split_whitespace().collect::<String>().to_uppercase();
    let digits = hex.chars().all(|c| c.is_ascii_hexdigit());
    if digits && matches!(hex.len(), 40 | 64) {
        Ok(hex)
    } else {
        Err("an OpenPGP fingerprint: 40 hexadecimal digits (`gpg --list-secret-keys` prints it)")
    }
}

/// The form of a tag, of what git allows in a name.
fn tag(text: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+@".contains(c);
    let named = text.replacen("{version}", "1", 1);
    if named != text && named.chars().all(plain) && !named.starts_with(['-', '/']) {
        Ok(())
    } else {
        Err("the form of a tag, such as `app-v{version}`")
    }
}

/// A relative path that stays inside the folder it is relative to.
fn inner_path(text: &str) -> Result<(), &'static str> {
    let inside = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    let normal = |c: Component<'_>| matches!(c, Component::Normal(_));
    let path = Path::new(text);
    if path.components().all(inside) && path.components().any(normal) {
        Ok(())
    } else {
        Err("a path further down: no leading `/`, no `..`")
    }
}

/// A glob as `.gitignore` has it.
fn glob(text: &str) -> Result<(), &'static str> {
    if text.starts_with(['/', '!']) || text.split('/').any(|part| part == "..") {
        return Err("relative to the repository: no leading `/` or `!`, no `..`");
    }
    // Git would look for a name with braces in it, and find none.
    let braces = text.split_once('{').and_then(|(_, it)| it.split_once('}'));
    if braces.is_some_and(|(inside, _)| inside.contains(',')) {
        return Err("a glob of `.gitignore`, which has no `{a,b}`: write one for each");
    }
    if is_glob(text) {
        Ok(())
    } else {
        Err("a glob, such as `shared/**` or `**/*.md`")
    }
}

/// A path whose last part may have wildcards.
fn file_glob(text: &str) -> Result<(), &'static str> {
    inner_path(text)?;
    match text.rsplit_once('/') {
        Some((folder, _)) if folder.contains('*') => {
            Err("possible: `*` may stand in the file's name only")
        }
        _ => Ok(()),
    }
}

/// The name of an environment variable.
fn variable(text: &str) -> Result<(), &'static str> {
    let start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.starts_with(start) && text.chars().all(rest) {
        Ok(())
    } else {
        Err("the name of an environment variable")
    }
}

/// The name of an executable on every platform.
fn program(text: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.to_ascii_lowercase().ends_with(".exe") {
        Err("an executable's name: leave out `.exe`, which only Windows has")
    } else if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
        Ok(())
    } else {
        Err("an executable's name: letters, digits, `-`, `_` and `.`")
    }
}

/// Whether a text matches a pattern in which `*` stands for any characters.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            let mut ends = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            ends.any(|at| matches(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_the_version() {
        let check = |text: &str, good: bool| assert_eq!(tag(text).is_ok(), good, "{text}");
        check("v{version}", true);
        check("desk/v{version}-rc", true);
        check("v1.2.3", false);
        check("{version}-{version}", false);
        check("v {version}", false);
        check("-{version}", false);
    }

    #[test]
    fn targets_and_addresses() {
        let check = |form: &str, text: &str, good: bool| {
            assert_eq!(super::check(form, text).is_ok(), good, "{form} {text}");
        };
        for good in ["linux", "aarch64-apple-darwin", "x86_64-unknown-linux-gnu"] {
            check("target", good, true);
        }
        for bad in [
            "",
            "Linux",
            "linux-x86_64",
            "x86_64-pc-windows-",
            "../a-b-c",
        ] {
            check("target", bad, false);
        }
        check("download-url", "https://example.org/{version}/{file}", true);
        check("download-url", "https://example.org/get?name={file}", true);
        for bad in [
            "http://example.org/{file}",
            "https://example.org/{version}/",
            "https://example.org/{target}/{file}",
            "https:///{file}",
            "https://example.org/a b/{file}",
        ] {
            check("download-url", bad, false);
        }
    }

    /// Other tools know alternatives in braces; taken literally they would match no file, unnoticed.
    #[test]
    fn globs_are_those_of_gitignore() {
        assert!(glob("**/*.{md,txt}").unwrap_err().contains("{a,b}"));
        for good in ["shared/**", "**/*.md", "routes/{id}/[a-z]*"] {
            assert_eq!(glob(good), Ok(()), "{good}");
        }
        for bad in ["", "[a", "/a", "!a", "a/../b"] {
            assert!(glob(bad).is_err(), "{bad}");
        }
    }
}
