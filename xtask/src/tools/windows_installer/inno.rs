//! Inno Setup: `product.iss` and the command line of its compiler, ISCC. The language is described at
//! <https://jrsoftware.org/ishelp/>, that of `#define` at <https://jrsoftware.org/ispphelp/>.
//!
//! ISCC is a program for Windows. On another system it runs under wine; a 64-bit wine needs the 32-bit
//! libraries besides.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use uuid::Uuid;

use super::{FILES, Product, line};
use crate::{
    config::Shortcut,
    engine::{
        exec::quiet,
        files::{hash_file, hex},
    },
    target::windows_arch,
    tools::inside::{Entry, Inside},
};

/// The script for projects that have none of their own.
pub const TEMPLATE: &str = include_str!("installer.iss");
/// The script's name in the folder where it is compiled.
pub const SCRIPT: &str = "installer.iss";
/// What is written beside the script.
pub const DEFINITIONS: &str = "product.iss";
/// Where the script has the compiler list what it packed.
pub const PACKED: &str = "packed.txt";
/// Where the script has the uninstaller laid to be signed.
pub const UNINSTALLER: &str = "uninstaller";
/// Names an ISCC.exe.
pub const VARIABLE: &str = "ISCC";

/// Inno Setup's compiler: a program and its first arguments, of which the last is `ISCC.exe` or leads
/// there.
#[derive(Clone, Debug)]
pub struct Compiler(Vec<String>);

impl Compiler {
    /// The configured one, whose paths are relative to `root`, the one that the variable `ISCC` names,
    /// one on PATH, or where its installer put it; none without one, or without wine where that is needed.
    pub fn find(configured: Option<&[String]>, root: &Path) -> Option<Self> {
        if let Some(words) = configured {
            let words = words.iter().map(|it| from_root(root, it));
            return Some(Self(words.collect()));
        }
        let named = std::env::var_os(VARIABLE).map(PathBuf::from);
        let named = named.filter(|it| it.is_file());
        let on_path = || which::which(if cfg!(windows) { "ISCC" } else { "ISCC.exe" }).ok();
        let program = named.or_else(on_path).or_else(installed)?;
        let wine = match cfg!(windows) {
            true => None,
            false => Some(wine()?),
        };
        let words = wine.into_iter().chain([program]);
        Some(Self(
            words.map(|it| it.to_string_lossy().into_owned()).collect(),
        ))
    }

    /// Which compiler it is: part of the hash of the library that compiles, beside the program, or of
    /// the program.
    ///
    /// # Errors
    /// Neither is there, or the program before it, such as wine, is not.
    pub fn version(&self) -> Result<String> {
        let found = |word: &String| {
            let path = Path::new(word);
            let found = match path.components().count() {
                1 => which::which(word).ok(),
                // Never from the folder that this happens to run in.
                _ => Some(path.to_owned()).filter(|it| it.is_absolute() && it.is_file()),
            };
            found.with_context(|| {
                format!("`bundle.inno.compiler` names {word}, which is neither a file nor on PATH")
            })
        };
        let first = self.0.first().context("`bundle.inno.compiler` is empty")?;
        found(first)?;
        let program = found(self.0.last().unwrap_or(first))?;
        let library = program.with_file_name("ISCmplr.dll");
        let file = if library.is_file() { library } else { program };
        Ok(hex(&hash_file(&file)?)[..12].to_owned())
    }

    /// Compiles the script in this folder.
    pub fn command(&self, work: &Path) -> Command {
        let mut words = self.0.iter();
        let mut command = Command::new(words.next().map_or("ISCC", |it| it));
        command.args(words).args(["/Q", SCRIPT]).current_dir(work);
        if !cfg!(windows) {
            // Neither wine's complaints nor its offers of .NET and a browser.
            command.env("WINEDEBUG", "-all");
            command.env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        }
        command
    }
}

/// A word that names a file of the repository, as its whole path: the compiler runs in another folder.
fn from_root(root: &Path, word: &str) -> String {
    let path = root.join(word);
    match path.is_file() {
        true => path.to_string_lossy().into_owned(),
        false => word.to_owned(),
    }
}

/// How to get the compiler, in words.
pub fn how_to_get() -> String {
    let wine = match cfg!(windows) {
        true => "",
        false => " and wine for 32 bits",
    };
    format!(
        "install Inno Setup 6.3 or newer (winget install JRSoftware.InnoSetup){wine}, and set {VARIABLE} \
         to where ISCC.exe is"
    )
}

/// A wine for 32 bits, which is what ISCC is made for.
fn wine() -> Option<PathBuf> {
    let named = std::env::var_os("WINELOADER").map(PathBuf::from);
    let named = named.filter(|it| it.is_file());
    named.or_else(|| which::which("wine").ok())
}

/// Where its installer put it, by the uninstaller's key in the registry.
fn installed() -> Option<PathBuf> {
    if !cfg!(windows) {
        return None;
    }
    let key = r"Software\Microsoft\Windows\CurrentVersion\Uninstall\Inno Setup 6_is1";
    let folder = ["HKLM", "HKCU"].iter().find_map(|root| {
        let mut reg = Command::new("reg");
        reg.arg("query").arg(format!("{root}\\{key}"));
        reg.args(["/v", "InstallLocation", "/reg:32"]);
        location(&quiet(reg).ok()?.1)
    });
    let usual = || {
        let folder = std::env::var_os("ProgramFiles(x86)")?;
        Some(Path::new(&folder).join("Inno Setup 6"))
    };
    let program = folder.or_else(usual)?.join("ISCC.exe");
    program.is_file().then_some(program)
}

/// The folder in `reg query`'s answer: `    InstallLocation    REG_SZ    C:\…\`.
fn location(answer: &str) -> Option<PathBuf> {
    let line = answer.lines().find(|it| it.contains("InstallLocation"))?;
    let (_, folder) = line.split_once("REG_SZ")?;
    Some(PathBuf::from(folder.trim()))
}

/// What says that two installers are of the same app: the UUID of its identifier, version 5 (RFC 9562,
/// 5.5, in the name space of domain names). It must never change, so nobody has to keep it.
pub fn app_id(identifier: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, identifier.as_bytes()).to_string()
}

/// What [`DEFINITIONS`] says.
///
/// # Errors
/// A name that the language cannot have, or see [`Product::version_numbers`].
pub fn definitions(product: &Product, is_signed: bool) -> Result<String> {
    let braces = product.name.contains(['{', '}']);
    ensure!(
        !braces,
        "the product's name, {}, has a brace, which Inno Setup takes for the name of a folder\n\
         hint: give it another `product.name` in packaging/dist.toml",
        product.name
    );
    let mut text =
        "\u{feff}; Written by `cargo xtask dist`: what installer.iss is told.\n".to_owned();
    let numbers = product.version_numbers()?;
    let version = product.version.to_string();
    let architectures = match windows_arch(&product.arch) {
        "x64" => "x64compatible",
        "arm64" => "arm64",
        _ => "x86compatible",
    };
    let out = product.out.trim_end_matches(".exe");
    // A brace is doubled where it is none of a constant's.
    let id = format!("{{{{{}}}", app_id(&product.identifier));
    let programs = product.programs.join("|").replace('/', "\\");
    let values = [
        ("AppId", &*id),
        ("Product", &product.name),
        ("ProductText", &product.name.replace('\'', "''")),
        ("Identifier", &product.identifier),
        ("Version", &version),
        ("VersionNumbers", &numbers),
        ("Publisher", &product.publisher),
        ("Copyright", &product.copyright),
        ("Main", &product.main),
        ("Programs", &programs.replace('\'', "''")),
        ("OutFile", out),
        ("Scope", product.scope()),
        ("UserData", product.user_data()),
        ("Architectures", architectures),
    ];
    for (name, value) in values {
        writeln!(text, "#define {name} \"{}\"", quoted(value))?;
    }
    let files = [
        ("Icon", &product.icon),
        ("License", &product.license),
        ("WebView2", &product.webview2),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            writeln!(text, "#define {name} \"{}\"", quoted(file))?;
        }
    }
    let flags = [
        ("StartMenu", product.has(Shortcut::StartMenu)),
        ("Desktop", product.has(Shortcut::Desktop)),
        ("Signed", is_signed),
    ];
    for (name, _) in flags.iter().filter(|it| it.1) {
        writeln!(text, "#define {name}")?;
    }
    text += &files_section(product)?;
    text += "[UninstallDelete]\n";
    // Its own list has no folder that was there when it came, as those of an older version are.
    for folder in product.folders() {
        let folder = constant(&folder.replace('/', "\\"));
        writeln!(text, "Type: dirifempty; Name: \"{{app}}\\{folder}\"")?;
    }
    Ok(text)
}

fn files_section(product: &Product) -> Result<String> {
    let mut text = "[Files]\n".to_owned();
    for path in &product.files {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        ensure!(
            !path.contains("{#"),
            "{path} has {{# in its name, which Inno Setup's preprocessor would replace"
        );
        let source = quoted(&format!("{FILES}\\{}", path.replace('/', "\\")));
        let folder = match parent {
            "" => "{app}".to_owned(),
            parent => format!("{{app}}\\{}", constant(&parent.replace('/', "\\"))),
        };
        let name = constant(name);
        writeln!(
            text,
            "Source: \"{source}\"; DestDir: \"{folder}\"; DestName: \"{name}\"; Flags: ignoreversion"
        )?;
    }
    Ok(text)
}

/// A text between double quotes.
fn quoted(text: &str) -> String {
    line(text).replace('"', "\"\"")
}

/// The same where a brace would begin a constant.
fn constant(text: &str) -> String {
    quoted(text).replace('{', "{{")
}

/// What the compiler says that it packed: files by their paths in [`FILES`]. Its list has a line for
/// each file, with tabs; the first line names the columns.
///
/// # Errors
/// The list is not as expected.
pub fn packed(list: &str) -> Result<Inside> {
    let mut lines = list.trim_start_matches('\u{feff}').lines();
    let columns: BTreeMap<&str, usize> = lines
        .next()
        .unwrap_or_default()
        .split('\t')
        .enumerate()
        .map(|(at, name)| (name, at))
        .collect();
    let (Some(&name), Some(&hash)) = (columns.get("SourceFilename"), columns.get("SHA256Sum"))
    else {
        bail!(
            "{PACKED} has no hashes\nhint: Inno Setup 6.3 or newer is needed, and the script must say \
             OutputManifestFile={PACKED}"
        );
    };
    let mut inside = Inside::new();
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let (Some(path), Some(hash)) = (fields.get(name), fields.get(hash)) else {
            bail!("a line of {PACKED} is not as expected: {line}");
        };
        let path = path.replace('\\', "/");
        let marker = format!("/{FILES}/");
        // Others are the script's own: a licence, what installs WebView2.
        let Some(at) = path.rfind(&marker) else {
            continue;
        };
        let entry = Entry {
            sha256: (*hash).to_owned(),
            executable: false,
            link: None,
            modified: None,
        };
        inside.insert(path[at + marker.len()..].to_owned(), entry);
    }
    Ok(inside)
}

/// The uninstaller that waits to be signed; none if there is none.
///
/// # Errors
/// The disk's.
pub fn uninstaller(work: &Path) -> Result<Option<PathBuf>> {
    let folder = work.join(UNINSTALLER);
    if !folder.is_dir() {
        return Ok(None);
    }
    let first = fs_err::read_dir(folder)?.next();
    Ok(Some(first.context("the folder is empty")??.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_keeps_its_id() {
        // As Python's uuid.uuid5(uuid.NAMESPACE_DNS, "…") has it.
        let check = |identifier: &str, expected: &str| assert_eq!(app_id(identifier), expected);
        check("python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d");
        check("org.example.small", "53383acb-bab8-5d08-a132-08d48758d035");
    }

    #[test]
    fn a_configured_compiler_is_found_from_the_root() {
        let root = tempfile::tempdir().unwrap();
        let check = |words: &[&str], expected: &str| {
            let words: Vec<String> = words.iter().map(|&it| it.to_owned()).collect();
            let found = Compiler::find(Some(&words), root.path()).unwrap();
            let version = found.version().unwrap_or_else(|it| format!("{it:#}"));
            assert_eq!(version, expected);
            found
                .0
                .join(" ")
                .replace(&*root.path().to_string_lossy(), "[ROOT]")
        };
        let nowhere = |it: &str| {
            format!("`bundle.inno.compiler` names {it}, which is neither a file nor on PATH")
        };
        let some = if cfg!(windows) { "cmd" } else { "sh" };
        let words = [some, "tools/ISCC.exe"];
        // In the folder that the tests run in.
        assert_eq!(check(&words, &nowhere("tools/ISCC.exe")), words.join(" "));
        assert_eq!(
            check(&[some, "src/lib.rs"], &nowhere("src/lib.rs")),
            format!("{some} src/lib.rs")
        );
        std::fs::create_dir(root.path().join("tools")).unwrap();
        std::fs::write(root.path().join("tools/ISCC.exe"), "MZ").unwrap();
        let found = check(&words, "9b8db510ef42");
        assert_eq!(
            found.replace('\\', "/"),
            format!("{some} [ROOT]/tools/ISCC.exe")
        );
        check(
            &["no-such-wine", "tools/ISCC.exe"],
            &nowhere("no-such-wine"),
        );
        check(&[], "`bundle.inno.compiler` is empty");
    }

    #[test]
    fn reads_where_inno_setup_is() {
        let answer = "\r\nHKEY_LOCAL_MACHINE\\Software\\…\\Inno Setup 6_is1\r\n    \
                      InstallLocation    REG_SZ    C:\\Program Files (x86)\\Inno Setup 6\\\r\n\r\n";
        let folder = location(answer).unwrap();
        assert_eq!(
            folder.to_str(),
            Some("C:\\Program Files (x86)\\Inno Setup 6\\")
        );
        assert_eq!(location("ERROR: no such key"), None);
    }
}
