//! signtool: Microsoft's, of the Windows SDK. It signs in place.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::osslsigncode::Label;
use crate::{
    engine::{exec, secret::Secret},
    target::windows_arch,
};

/// The program's name on PATH.
pub const PROGRAM: &str = "signtool";

/// The variable that says where it is, as electron-builder has it.
pub const VARIABLE: &str = "SIGNTOOL_PATH";

/// Where installers of the SDK write down its folder.
const ROOTS: &str = r"HKLM\SOFTWARE\Microsoft\Windows Kits\Installed Roots";
const ROOT: &str = "KitsRoot10";

/// Whose key signs.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// A certificate in the user's store, by the SHA-1 over it.
    Store(&'a str),
    /// Azure Artifact Signing: the client library and the file that names the account.
    Azure {
        /// The client library.
        dlib: &'a Path,
        /// The account.
        metadata: &'a Path,
    },
    /// A PKCS#12 file, with a password that becomes an argument.
    Pkcs12(&'a Path, Option<&'a Secret>),
}

/// Where it is: what [`VARIABLE`] says, else on PATH, else in the newest SDK of the registry.
pub fn find() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let on_path = || which::which(PROGRAM).ok();
    named
        .filter(|it| it.is_file())
        .or_else(on_path)
        .or_else(in_sdk)
}

fn in_sdk() -> Option<PathBuf> {
    if !cfg!(windows) {
        return None;
    }
    let mut command = Command::new("reg");
    // Its installer is a program of 32 bits, whose registry is another one.
    command.args(["query", ROOTS, "/v", ROOT, "/reg:32"]);
    let (ok, answer) = exec::quiet(command).ok()?;
    let root = ok.then(|| root(&answer)).flatten()?;
    newest(&root, std::env::consts::ARCH)
}

/// The folder in what `reg query` prints: name, type and value, between spaces.
fn root(answer: &str) -> Option<PathBuf> {
    let line = answer
        .lines()
        .find(|it| it.trim_start().starts_with(ROOT))?;
    let (_, value) = line.split_once("REG_SZ")?;
    Some(PathBuf::from(value.trim()))
}

/// The newest one that runs here: `bin\10.0.22621.0\x64\signtool.exe`.
fn newest(root: &Path, arch: &str) -> Option<PathBuf> {
    let native = windows_arch(arch);
    let folders = std::fs::read_dir(root.join("bin")).ok()?.flatten();
    let versions = folders.filter_map(|it| Some((version_of(&it.path())?, it.path())));
    let mut versions: Vec<_> = versions.collect();
    versions.sort();
    let candidates = versions.iter().rev().flat_map(|(_, folder)| {
        // Windows runs those of other architectures, too.
        let of = |arch: &str| folder.join(arch).join("signtool.exe");
        [of(native), of("x64"), of("x86")]
    });
    candidates.into_iter().find(|it| it.is_file())
}

/// The numbers of a folder's name, if it is a version.
fn version_of(folder: &Path) -> Option<Vec<u32>> {
    let name = folder.file_name()?.to_str()?;
    let numbers: Option<Vec<u32>> = name.split('.').map(|it| it.parse().ok()).collect();
    numbers.filter(|it| it.len() == 4)
}

/// The SDK's version, which stands in the path alone: the program does not say it.
pub fn version(program: &Path) -> String {
    let found = program.ancestors().find(|it| version_of(it).is_some());
    let name = found.and_then(Path::file_name);
    name.map_or_else(
        || "of unknown version".to_owned(),
        |it| it.to_string_lossy().into_owned(),
    )
}

/// Signs, without a timestamp.
pub fn sign(program: &Path, key: Key<'_>, label: &Label, file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["sign", "/fd", "sha256"]);
    match key {
        Key::Store(thumbprint) => command.args(["/sha1", thumbprint]),
        Key::Azure { dlib, metadata } => command.arg("/dlib").arg(dlib).arg("/dmdf").arg(metadata),
        Key::Pkcs12(file, None) => command.arg("/f").arg(file),
        Key::Pkcs12(file, Some(password)) => {
            command.arg("/f").arg(file).args(["/p", password.expose()])
        }
    };
    if let Some(description) = &label.description {
        command.args(["/d", description]);
    }
    if let Some(url) = &label.url {
        command.args(["/du", url]);
    }
    command.arg(file);
    command
}

/// Adds a timestamp to a signature.
pub fn timestamp(program: &Path, server: &str, file: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["timestamp", "/tr", server, "/td", "sha256"])
        .arg(file);
    command
}

/// Checks all signatures by the rules for programs; it exits with 2 where it only warns.
pub fn verify(program: &Path, file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["verify", "/pa", "/all"]).arg(file);
    command
}

/// Why [`verify`] failed, in what it printed. The reason may go on in indented lines, between which
/// stdout may come, the count at its end included: who writes first to two pipes is chance.
pub fn objection(printed: &[String]) -> String {
    let mut lines = printed.iter();
    let first = lines.rfind(|it| it.starts_with("SignTool "));
    let Some(first) = first else {
        return "it failed".to_owned();
    };
    // `rfind` leaves what comes before.
    let rest = printed.iter().skip(lines.len() + 1);
    let rest = rest.filter(|it| it.starts_with([' ', '\t']));
    let all = std::iter::once(first).chain(rest);
    all.map(|it| it.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_it_says_and_not_its_count() {
        let check = |text: &str, expected: &str| {
            let printed: Vec<String> = text.lines().map(str::to_owned).collect();
            assert_eq!(objection(&printed), expected, "{text}");
        };
        check(
            "File: a.exe\nSignTool Error: WinVerifyTrust returned error: 0x80096010\n\tThe digital \
             signature of the object did not verify.\n\nNumber of errors: 1\n",
            "SignTool Error: WinVerifyTrust returned error: 0x80096010 The digital signature of the \
             object did not verify.",
        );
        check(
            "SignTool Error: A certificate chain\nFile: a.exe\nIndex  Algorithm  Timestamp\n\tis not \
             trusted.\nNumber of errors: 1\n",
            "SignTool Error: A certificate chain is not trusted.",
        );
        check(
            "SignTool Error: A certificate chain\n\nNumber of errors: 1\n\tis not trusted.\n",
            "SignTool Error: A certificate chain is not trusted.",
        );
        check(
            "SignTool Error: No signature found.\n\nNumber of errors: 1\n",
            "SignTool Error: No signature found.",
        );
        check("Number of errors: 1\n", "it failed");
    }

    #[test]
    fn the_newest_sdk_for_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let make = |path: &str| {
            let path = root.join("bin").join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        };
        let check = |arch, expected: Option<&str>| {
            let expected = expected.map(|it| root.join("bin").join(it));
            assert_eq!(newest(root, arch), expected, "{arch}");
        };
        check("x64", None);
        make("x64/signtool.exe");
        check("x64", None);
        make("10.0.9600.0/x64/signtool.exe");
        make("10.0.22621.0/x64/signtool.exe");
        make("10.0.22621.0/arm64/signtool.exe");
        // An SDK without the tools.
        make("10.0.26100.0/x64/rc.exe");
        check("x64", Some("10.0.22621.0/x64/signtool.exe"));
        check("arm64", Some("10.0.22621.0/arm64/signtool.exe"));
        make("10.0.26100.0/x86/signtool.exe");
        check("x64", Some("10.0.26100.0/x86/signtool.exe"));
        let path = root.join("bin/10.0.22621.0/x64/signtool.exe");
        assert_eq!(version(&path), "10.0.22621.0");
    }

    /// As `reg query` of Windows 11 prints it.
    #[test]
    fn the_folder_in_the_registry() {
        let answer = "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows Kits\\\
             Installed Roots\r\n    KitsRoot10    REG_SZ    C:\\Program Files (x86)\\Windows \
             Kits\\10\\\r\n\r\n";
        let expected = PathBuf::from(r"C:\Program Files (x86)\Windows Kits\10\");
        assert_eq!(root(answer), Some(expected));
        assert_eq!(root("ERROR: The system was unable to find"), None);
    }
}
