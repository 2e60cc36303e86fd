//! Windows has no modes: who may enter a folder says its access control list. A new folder takes that
//! of the one it lies in, which other users of the machine may read.
#![cfg_attr(not(windows), allow(dead_code, reason = "here it is only tested"))]

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

#[cfg(windows)]
use anyhow::{Context as _, Result, ensure};

#[cfg(windows)]
use crate::engine::exec;

/// Leaves nobody but this user on the folder's list, and on those of what will lie in it. To be called
/// while it is empty.
///
/// # Errors
/// Windows does not say who this is, or the drive keeps no such lists.
#[cfg(windows)]
pub(super) fn only_for_this_user(folder: &Path) -> Result<()> {
    let system = system(std::env::var_os("SystemRoot"));
    let (ok, printed) = exec::quiet(who(&system))?;
    let user = user(&printed).filter(|_| ok);
    let user = user.with_context(|| format!("whoami does not say who this is: {printed}"))?;
    let (ok, printed) = exec::quiet(restrict(&system, folder, user))?;
    ensure!(
        ok,
        "icacls cannot keep other users from reading it: {}\n\
         hint: the repository must lie on a drive with permissions (NTFS, ReFS)",
        printed.trim()
    );
    Ok(())
}

/// Where Windows' own programs lie. On PATH others of the same name may come first, as in Git's shell.
fn system(root: Option<OsString>) -> PathBuf {
    let root = root.unwrap_or_else(|| r"C:\Windows".into());
    PathBuf::from(root).join("System32")
}

/// Prints name and SID of the user: `"machine\name","S-1-5-21-…"`.
fn who(system: &Path) -> Command {
    let mut command = Command::new(system.join("whoami.exe"));
    command.args(["/user", "/fo", "csv", "/nh"]);
    command
}

/// The SID in what [`who`] printed. Names may be ambiguous, and groups' are translated.
fn user(printed: &str) -> Option<&str> {
    let (_, last) = printed.trim().rsplit_once(',')?;
    let sid = last.trim().trim_matches('"');
    let parts = sid.strip_prefix("S-1-")?;
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    parts.split('-').all(is_number).then_some(sid)
}

/// Drops what the folder inherits, and lets this user do everything with it and all below.
fn restrict(system: &Path, folder: &Path, user: &str) -> Command {
    let mut command = Command::new(system.join("icacls.exe"));
    command.arg(folder);
    command.args(["/inheritance:r", "/grant:r"]);
    command.arg(format!("*{user}:(OI)(CI)F"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icacls_is_told_who_alone_may_enter() {
        let folder = Path::new("a b");
        let command = restrict(&system(Some("W".into())), folder, "S-1-5-21-1-2-3-1001");
        let program = Path::new("W").join("System32").join("icacls.exe");
        assert_eq!(command.get_program(), program.as_os_str());
        let args: Vec<_> = command.get_args().collect();
        let expected = [
            "a b",
            "/inheritance:r",
            "/grant:r",
            "*S-1-5-21-1-2-3-1001:(OI)(CI)F",
        ];
        assert_eq!(args, expected);
    }

    #[test]
    fn the_user_is_known_by_number() {
        let check = |printed: &str, expected: Option<&str>| {
            assert_eq!(user(printed), expected, "{printed}");
        };
        let sid = "S-1-5-21-1004336348-1177238915-682003330-512";
        check(&format!("\"pc\\me\",\"{sid}\"\r\n"), Some(sid));
        check(&format!("\"pc\\a, b\",\"{sid}\"\r\n"), Some(sid));
        check("\"pc\\me\",\"S-1-5-x\"", None);
        check("\"pc\\me\",\"S-1-5-18 /grant\"", None);
        check("ERROR: Access is denied.", None);
        check("", None);
    }
}
