//! RPM packages, as the programs `rpm` and `rpm2archive` read them.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::inside::{Entry, Inside};

/// The type bits of a mode, and what they are for a folder.
const TYPE: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;

/// A line for the algorithm of the digests, then one for each file. The name comes last: it may
/// hold anything but a line break.
const FORMAT: &str =
    r"%{FILEDIGESTALGO}\n[%{FILEMODES:octal} %{FILEDIGESTS} %{FILELINKTOS}\t%{FILENAMES}\n]";

/// The number of SHA-256 in RFC 4880, which RPM uses.
const SHA256: &str = "8";

/// Whether there is a program to ask.
pub fn is_there() -> bool {
    which::which("rpm").is_ok()
}

/// Asks what is inside; [`contents`] reads the answer. The digests are those that an installation
/// is compared with; that the files have them is proven by [`check`].
pub fn query(package: &Path) -> Command {
    let mut command = Command::new("rpm");
    command.args(["--query", "--queryformat", FORMAT, "--package"]);
    command.arg(package);
    command
}

/// Writes what is inside to a tar archive beside the package: `NAME.rpm.tar`.
pub fn to_tar(package: &Path) -> Command {
    let mut command = Command::new("rpm2archive");
    command.arg("--nocompression").arg(package);
    command
}

/// Fails if the digests over header and payload do not fit. Whose signature it is does not matter.
pub fn check(package: &Path) -> Command {
    let mut command = Command::new("rpm");
    command.args(["--checksig", "--nosignature"]).arg(package);
    command
}

/// What `rpm` answered.
pub fn contents(answer: &str) -> Result<Inside> {
    let mut lines = answer.lines();
    let algorithm = lines.next().unwrap_or_default();
    ensure!(
        algorithm == SHA256,
        "the package's digests are not SHA-256 but algorithm {algorithm}"
    );
    let mut inside = Inside::new();
    for line in lines {
        let read = || {
            let (mode, rest) = line.split_once(' ')?;
            let (digest, rest) = rest.split_once(' ')?;
            let (link, path) = rest.split_once('\t')?;
            let mode = u32::from_str_radix(mode, 8).ok()?;
            Some((mode, digest, link, path))
        };
        let (mode, digest, link, path) =
            read().with_context(|| format!("not understood of rpm: {line}"))?;
        if mode & TYPE != FOLDER {
            let entry = Entry {
                sha256: digest.to_owned(),
                executable: mode & 0o111 == 0o111,
                link: (!link.is_empty()).then(|| link.to_owned()),
                modified: None,
            };
            inside.insert(path.trim_start_matches('/').to_owned(), entry);
        }
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(answer: &str, expected: Expect) {
        let text = match contents(answer) {
            Ok(inside) => inside
                .iter()
                .map(|(path, it)| {
                    let bit = if it.executable { 'x' } else { '-' };
                    format!("{path} {bit} {} {:?}\n", it.sha256, it.link)
                })
                .collect(),
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn answers() {
        check(
            "8\n100755 aa \t/usr/bin/an app\n40755  \t/usr/lib/app\n100644 bb \t/usr/lib/app/a b\n120777  b\t/usr/lib/app/link\n",
            expect![[r#"
                usr/bin/an app x aa None
                usr/lib/app/a b - bb None
                usr/lib/app/link x  Some("b")
            "#]],
        );
        check(
            "1\n100755 aa \t/usr/bin/app\n",
            expect![[r#"
                the package's digests are not SHA-256 but algorithm 1
            "#]],
        );
        check(
            "8\nwarning\n",
            expect![[r#"
                not understood of rpm: warning
            "#]],
        );
    }
}
