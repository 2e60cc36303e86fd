//! Apple's `security` (its manual page): keychains. It wants passwords as arguments of its
//! subcommands, but reads subcommands from stdin, too (`-i`): so no argument list shows them. One at a
//! time, since it goes on after one that failed and exits with what the last one gave.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};

/// What it reads of a line; the rest would be another subcommand.
const LONGEST_LINE: usize = 4095;

/// A subcommand: the command to run, and its stdin.
///
/// # Errors
/// The words do not fit on a line.
pub fn subcommand(words: &[&str]) -> Result<(Command, Vec<u8>)> {
    let line = words
        .iter()
        .map(|it| quoted(it))
        .collect::<Vec<_>>()
        .join(" ");
    ensure!(
        !line.contains(['\n', '\r', '\0']) && line.len() < LONGEST_LINE,
        "`security {}` cannot be asked: a value has more than one line, or is too long",
        words.first().unwrap_or(&"")
    );
    let mut command = Command::new("security");
    command.arg("-i");
    Ok((command, format!("{line}\n").into_bytes()))
}

/// As its parser takes words apart: in quotes, a backslash before what would end them.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Prints the keychains that are searched, one a line, quoted.
pub fn list_cmd() -> Command {
    let mut command = Command::new("security");
    command.args(["list-keychains", "-d", "user"]);
    command
}

/// Sets them.
pub fn search_cmd(keychains: &[String]) -> Command {
    let mut command = Command::new("security");
    command
        .args(["list-keychains", "-d", "user", "-s"])
        .args(keychains);
    command
}

/// Prints the identities in a keychain that can sign code, also those that nobody trusts.
pub fn identities_cmd(keychain: &Path) -> Command {
    let mut command = Command::new("security");
    command
        .args(["find-identity", "-p", "codesigning"])
        .arg(keychain);
    command
}

/// Removes a keychain, also from the search list.
pub fn delete_cmd(keychain: &Path) -> Command {
    let mut command = Command::new("security");
    command.arg("delete-keychain").arg(keychain);
    command
}

/// The keychains in what [`list_cmd`] printed.
pub fn listed(stdout: &str) -> Vec<String> {
    let names = stdout
        .lines()
        .map(|it| it.trim().trim_matches('"').to_owned());
    names.filter(|it| !it.is_empty()).collect()
}

/// SHA-1 and name of each identity in what [`identities_cmd`] printed, each once:
/// `  1) 0123…CDEF "Developer ID Application: Example (TEAM)"`.
pub fn identities(stdout: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in stdout.lines() {
        let Some((_, rest)) = line.split_once(") ") else {
            continue;
        };
        let Some((hash, name)) = rest.split_once(' ') else {
            continue;
        };
        let name = name.split('"').nth(1).unwrap_or_default().to_owned();
        let identity = (hash.to_owned(), name);
        let is_hash = hash.len() == 40 && hash.bytes().all(|it| it.is_ascii_hexdigit());
        if is_hash && !found.contains(&identity) {
            found.push(identity);
        }
    }
    found
}

/// Whether the certificate of this SHA-1 has expired, by what [`identities_cmd`] printed.
pub fn is_expired(stdout: &str, hash: &str) -> bool {
    let is_so = |line: &str| line.contains(hash) && line.contains("CSSMERR_TP_CERT_EXPIRED");
    stdout.lines().any(is_so)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_through_stdin() {
        let check = |words: &[&str], expected: &str| {
            let (command, stdin) = subcommand(words).expect("it fits");
            assert_eq!(command.get_args().collect::<Vec<_>>(), ["-i"]);
            assert_eq!(String::from_utf8_lossy(&stdin), expected);
        };
        check(
            &["unlock-keychain", "-p", "a b"],
            "\"unlock-keychain\" \"-p\" \"a b\"\n",
        );
        check(&["x", r#"a"b\c'"#], "\"x\" \"a\\\"b\\\\c'\"\n");
        assert!(subcommand(&["x", "two\nlines"]).is_err());
        assert!(subcommand(&["x", &"a".repeat(4096)]).is_err());
    }

    #[test]
    fn what_it_prints_is_understood() {
        let keychains =
            "    \"/Users/a/Library/Keychains/login.keychain-db\"\n    \"/b c.keychain\"\n";
        let expected = [
            "/Users/a/Library/Keychains/login.keychain-db",
            "/b c.keychain",
        ];
        assert_eq!(listed(keychains), expected);
        let hash = "0123456789ABCDEF0123456789ABCDEF01234567";
        let text = format!(
            "\nPolicy: Code Signing\n  Matching identities\n  1) {hash} \"Dev: E (T)\" (CSSMERR_TP_NOT_TRUSTED)\n     \
             1 identities found\n\n  Valid identities only\n  1) {hash} \"Dev: E (T)\"\n     1 valid identities found\n"
        );
        assert_eq!(
            identities(&text),
            [(hash.to_owned(), "Dev: E (T)".to_owned())]
        );
        assert!(!is_expired(&text, hash));
        let expired = text.replace("NOT_TRUSTED", "CERT_EXPIRED");
        assert!(is_expired(&expired, hash) && !is_expired(&expired, "89AB89AB"));
    }
}
