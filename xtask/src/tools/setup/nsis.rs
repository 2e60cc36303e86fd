//! NSIS: `product.nsh` and the command line of makensis. The language is described at
//! <https://nsis.sourceforge.io/Docs/Chapter4.html>.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{FILES, Product, line};
use crate::config::Shortcut;

/// The script for projects that have none of their own.
pub const TEMPLATE: &str = include_str!("installer.nsi");
/// The script's name in the folder where it is compiled.
pub const SCRIPT: &str = "installer.nsi";
/// What is written beside the script.
pub const DEFINITIONS: &str = "product.nsh";
/// What the uninstaller is called where the app is installed.
pub const UNINSTALLER: &str = "uninstall.exe";

/// The uninstaller exists only while makensis works: this signs it then.
pub struct SignCall {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; `%1` stands for the file.
    pub args: Vec<String>,
}

impl SignCall {
    /// As makensis hands it to a POSIX shell or `cmd.exe`, whose way with quotation marks it knows. Each
    /// word stands in double quotes; `%1` is replaced by makensis.
    fn command_line(&self) -> String {
        let program = self.program.to_string_lossy().into_owned();
        let words = std::iter::once(&program).chain(&self.args);
        let quoted: Vec<String> = words.map(|it| format!("\"{}\"", escaped(it))).collect();
        quoted.join(" ")
    }
}

#[cfg(windows)]
fn escaped(word: &str) -> String {
    word.to_owned()
}

#[cfg(not(windows))]
fn escaped(word: &str) -> String {
    let mut text = String::new();
    for it in word.chars() {
        if "\\\"$`".contains(it) {
            text.push('\\');
        }
        text.push(it);
    }
    text
}

/// Where makensis is; none if it is not here.
pub fn find() -> Option<PathBuf> {
    which::which("makensis").ok().or_else(|| {
        // Its installer leaves PATH alone.
        let folder = std::env::var_os("ProgramFiles(x86)").filter(|_| cfg!(windows))?;
        let installed = Path::new(&folder).join("NSIS").join("makensis.exe");
        installed.is_file().then_some(installed)
    })
}

/// The program that is put before the packed files: a 32-bit one runs everywhere but under a wine
/// without 32 bits, and only Debian's NSIS has one for 64 bits.
pub fn stub(makensis: &Path, arch: &str) -> &'static str {
    let prefix = makensis.parent().and_then(Path::parent);
    let has = |name: &str| {
        let folder = prefix.map(|it| it.join("share/nsis/Stubs"));
        folder.is_some_and(|it| it.join(format!("lzma_solid-{name}")).is_file())
    };
    const BITS_64: &str = "amd64-unicode";
    match arch == "x86_64" && has(BITS_64) {
        true => BITS_64,
        false => "x86-unicode",
    }
}

/// Compiles the script in this folder. `epoch`, in seconds since 1970, is the time that is written where
/// makensis would write that of the build.
pub fn command(makensis: &Path, work: &Path, epoch: i64) -> Command {
    let mut command = Command::new(makensis);
    // No configuration of whoever builds.
    command.args(["-V2", "-NOCONFIG", "-INPUTCHARSET", "UTF8", SCRIPT]);
    command.current_dir(work);
    command.env("SOURCE_DATE_EPOCH", epoch.to_string());
    command
}

/// What [`DEFINITIONS`] says.
///
/// # Errors
/// See [`Product::version_numbers`].
pub fn definitions(product: &Product, stub: &str, sign: Option<&SignCall>) -> Result<String> {
    // Without a byte order mark an included file is read in the machine's own code page.
    let mut text =
        "\u{feff}; Written by `cargo xtask dist`: what installer.nsi is told.\n".to_owned();
    let numbers = product.version_numbers()?;
    let version = product.version.to_string();
    // In a title `&` underlines the next letter.
    let shown = product.name.replace('&', "&&");
    let values = [
        ("STUB", stub),
        ("PRODUCT", &product.name),
        ("NAME_SHOWN", &shown),
        ("IDENTIFIER", &product.identifier),
        ("VERSION", &version),
        ("VERSION_NUMBERS", &numbers),
        ("PUBLISHER", &product.publisher),
        ("COPYRIGHT", &product.copyright),
        ("MAIN", &product.main),
        ("OUT_FILE", &product.out),
        ("SCOPE", product.scope()),
        ("USER_DATA", product.user_data()),
    ];
    for (name, value) in values {
        writeln!(text, "!define {name} \"{}\"", quoted(value))?;
    }
    writeln!(text, "!define SIZE_KIB {}", product.size)?;
    let files = [
        ("ICON", &product.icon),
        ("LICENSE", &product.license),
        ("WEBVIEW2", &product.webview2),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            writeln!(text, "!define {name} \"{}\"", quoted(file))?;
        }
    }
    let shortcuts = [
        (Shortcut::StartMenu, "START_MENU"),
        (Shortcut::Desktop, "DESKTOP"),
    ];
    for (_, name) in shortcuts.iter().filter(|it| product.has(it.0)) {
        writeln!(text, "!define {name}")?;
    }
    if let Some(sign) = sign {
        // The other kind of quotation marks than in the command line.
        writeln!(text, "!define SIGN `{}`", sign.command_line())?;
    }
    text += &macros(product)?;
    Ok(text)
}

/// The lists of what is installed and what is removed.
fn macros(product: &Product) -> Result<String> {
    let mut text = "!macro INSTALL_FILES\n".to_owned();
    let mut folder = None;
    for path in &product.files {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if folder != Some(parent) {
            writeln!(text, "  SetOutPath \"{}\"", installed(parent))?;
            folder = Some(parent);
        }
        // The source is no text of the installer: there a `$` is one.
        let name = quoted(name);
        writeln!(text, "  File \"/oname={name}\" \"{FILES}/{path}\"")?;
    }
    text += "!macroend\n!macro DELETE_FILES\n";
    for path in &product.files {
        writeln!(text, "  Delete \"{}\"", installed(path))?;
    }
    for folder in product.folders() {
        writeln!(text, "  RMDir \"{}\"", installed(&folder))?;
    }
    text += "!macroend\n";
    Ok(text)
}

fn installed(path: &str) -> String {
    match path {
        "" => "$INSTDIR".to_owned(),
        path => format!("$INSTDIR\\{}", quoted(&path.replace('/', "\\"))),
    }
}

/// A text between double quotes.
fn quoted(text: &str) -> String {
    line(text).replace('$', "$$").replace('"', "$\\\"")
}
