//! The programs that do the real work.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// The version of rcodesign that `cargo install` is asked for.
pub const RCODESIGN: &str = "0.29.0";
/// Names an rcodesign to use instead of the one in `target/tools`.
const VARIABLE: &str = "XTASK_RCODESIGN";

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started, or ends with another status than 0; then with all that it wrote.
pub fn run(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = output(command)?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        output.status.success(),
        "{shown}: {}\n{text}",
        output.status
    );
    Ok(text)
}

/// The program behind `python3`.
///
/// # Errors
/// There is none.
pub(crate) fn python() -> Result<String> {
    let mut command = Command::new("python3");
    command.args(["-ISc", "import sys; print(sys.executable)"]);
    Ok(run(&mut command)?.trim().to_owned())
}

/// Runs a program to its end, however it ends.
///
/// # Errors
/// It cannot be started.
pub fn output(command: &mut Command) -> Result<Output> {
    let done = command.stdin(Stdio::null()).output();
    done.with_context(|| format!("{command:?}"))
}

/// A program on PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|it| it.join(name));
    places.find(|it| it.is_file())
}

/// Whether all of these programs are there. Says on stderr what is missing: the test that asks
/// then has nothing to do.
///
/// # Panics
/// One is missing, but all tests are to run: `CI` or `XTASK_FULL` is set.
pub fn have(names: &[&str]) -> bool {
    let is_missing = |it: &&&str| match **it {
        "rcodesign" => rcodesign().is_none(),
        name => find(name).is_none(),
    };
    let missing: Vec<_> = names.iter().filter(is_missing).copied().collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let install = "`cargo xtask test --setup` installs it";
        let is_set = |it: &&str| std::env::var_os(it).is_some_and(|it| !it.is_empty());
        match ["CI", "XTASK_FULL"].into_iter().find(is_set) {
            Some(name) => panic!("no {missing}, but {name} is set; {install}"),
            None => eprintln!("skipped: no {missing}; {install}"),
        }
    }
    missing.is_empty()
}

/// rcodesign: the one that `XTASK_RCODESIGN` names, that of `cargo xtask test --setup`, or any on
/// PATH.
pub fn rcodesign() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let installed = repository().join("target/tools/bin/rcodesign");
    let places = [named, Some(installed), find("rcodesign")];
    places.into_iter().flatten().find(|it| it.is_file())
}

/// The command of [`rcodesign`], without the settings of whoever runs the tests.
///
/// # Panics
/// There is none: ask [`have`] first.
pub fn rcodesign_command() -> Command {
    let mut command = Command::new(rcodesign().expect("rcodesign"));
    command.env("RUST_BACKTRACE", "0");
    command
}

/// The repository that this crate lies in.
pub(crate) fn repository() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().nth(2).unwrap_or(crate_folder)
}

/// Where Cargo builds, and what outlives a test lies.
pub(crate) fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.map_or_else(|| repository().join("target"), |it| repository().join(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs itself with other variables, since those of a process are shared by all of its tests.
    #[test]
    fn what_is_missing_fails_where_all_tests_are_to_run() {
        const INNER: &str = "XTASK_PRACTICE_INNER";
        if std::env::var_os(INNER).is_some() {
            assert!(!have(&["no-such-program"]));
            return;
        }
        let check = |set: &[(&str, &str)], expected: &str| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let name = "tools::tests::what_is_missing_fails_where_all_tests_are_to_run";
            command.args(["--exact", name, "--nocapture"]);
            command.env_remove("CI").env_remove("XTASK_FULL");
            command.env(INNER, "1").envs(set.iter().copied());
            let ran = output(&mut command).unwrap();
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(said.contains(expected), "{set:?}: {said}");
            assert_eq!(
                ran.status.success(),
                expected.starts_with("skipped"),
                "{set:?}"
            );
        };
        check(&[], "skipped: no no-such-program; ");
        check(&[("CI", "")], "skipped: no no-such-program; ");
        check(&[("CI", "true")], "no no-such-program, but CI is set; ");
        check(
            &[("XTASK_FULL", "1")],
            "no no-such-program, but XTASK_FULL is set; ",
        );
    }
}
