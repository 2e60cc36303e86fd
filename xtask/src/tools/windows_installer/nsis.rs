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
///
/// makensis hands a line to a POSIX shell or to `cmd.exe`. Paths of whoever builds would have to be good
/// words of NSIS and of that, whatever is in them (`C:\Users\O'Brien`). So the line only names a script
/// beside the installer's, in which they stand.
pub struct SignCall {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; `%1` stands for the file.
    pub args: Vec<String>,
}

/// What [`SignCall::write`] writes, and the line that runs it for the file `%1`.
const SIGN: (&str, &str) = match cfg!(windows) {
    true => ("sign.cmd", r#".\sign.cmd "%1""#),
    false => ("sign.sh", r#"sh ./sign.sh "%1""#),
};

impl SignCall {
    /// Writes the script into the folder in which makensis runs.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, work: &Path) -> Result<()> {
        let text = if cfg!(windows) {
            self.batch()
        } else {
            self.shell()
        };
        Ok(fs_err::write(work.join(SIGN.0), text)?)
    }

    fn words(&self, file: &str, quoted: impl Fn(&str) -> String) -> String {
        let program = self.program.to_string_lossy();
        let word = |it: &String| match &**it {
            "%1" => file.to_owned(),
            it => quoted(it),
        };
        let args = self.args.iter().map(word);
        let words = std::iter::once(quoted(&program)).chain(args);
        words.collect::<Vec<_>>().join(" ")
    }

    /// For a POSIX shell, where between single quotes nothing but these has a meaning.
    fn shell(&self) -> String {
        let quoted = |it: &str| format!("'{}'", it.replace('\'', r"'\''"));
        format!("exec {}\n", self.words("\"$1\"", quoted))
    }

    /// For `cmd.exe`, where between double quotes only `%` has a meaning, and which reads the file in
    /// the code page that is set.
    fn batch(&self) -> String {
        let quoted = |it: &str| format!("\"{}\"", it.replace('%', "%%"));
        let words = self.words("\"%~1\"", quoted);
        format!("@chcp 65001 >nul\r\n@{words}\r\n")
    }
}

/// Where makensis is; none if it is not here.
pub fn find() -> Option<PathBuf> {
    find_with(|name| which::which(name).ok())
}

/// The same, with something else to search PATH.
pub fn find_with(search: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    search("makensis").or_else(|| {
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
pub fn definitions(product: &Product, stub: &str, is_signed: bool) -> Result<String> {
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
    if is_signed {
        writeln!(text, "!define SIGN `{}`", SIGN.1)?;
    }
    text += &macros(product)?;
    Ok(text)
}

/// The lists of what is installed, what is removed, and what may run.
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
    text += "!macroend\n!macro EACH_PROGRAM do\n";
    for path in &product.programs {
        let name = path.rsplit_once('/').map_or(&**path, |it| it.1);
        let (path, name) = (installed(path), quoted(name));
        writeln!(text, "  !insertmacro ${{do}} \"{path}\" \"{name}\"")?;
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_path_may_have_any_sign_in_it() {
        let call = SignCall {
            program: "/home/o'brien/`a` $b/xtask".into(),
            args: ["sign", "--config", "50%/it's \\d.toml", "%1"]
                .map(str::to_owned)
                .into(),
        };
        expect![[r#"
            exec '/home/o'\''brien/`a` $b/xtask' 'sign' '--config' '50%/it'\''s \d.toml' "$1"
        "#]]
        .assert_eq(&call.shell());
        expect![[r#"
            @chcp 65001 >nul
            @"/home/o'brien/`a` $b/xtask" "sign" "--config" "50%%/it's \d.toml" "%~1"
        "#]]
        .assert_eq(&call.batch().replace('\r', ""));
    }
}
