//! PyInstaller: packs the interpreter and the bytecode into one executable that extracts itself.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::python::Entry;
use crate::{
    config::{self, Layout},
    freeze::{
        candidate::Freezing,
        class::Class,
        sign::{Sign, class, configuration},
    },
    target::{Os, apple_arch},
};

/// What it says when it gives up, taken from the sources of PyInstaller 6: `compat.py`,
/// `building/api.py`, `building/utils.py`, `building/build_main.py`, `__main__.py`.
pub const SIGNS: [Sign; 8] = [
    class("objdump is required", Class::MissingTool),
    class("no such file or directory: 'objcopy'", Class::MissingTool),
    class("no such file or directory: 'ldd'", Class::MissingTool),
    configuration("no module named pyinstaller"),
    configuration("unrecognized arguments"),
    configuration("when adding binary and data files"),
    configuration("option(s) not allowed"),
    configuration("script file '"),
];

/// The programs without which it cannot work, each under all of its names.
pub fn needed(target: Os) -> Vec<Vec<String>> {
    match target {
        Os::Linux => ["objcopy", "objdump"].map(|it| vec![it.to_owned()]).into(),
        Os::Macos | Os::Windows => Vec::new(),
    }
}

/// The arguments after `python -m PyInstaller`.
pub fn arguments(
    freezing: &Freezing,
    layout: Layout,
    work: &Path,
    data: Option<&Path>,
) -> Result<Vec<OsString>> {
    let sidecar = freezing.sidecar;
    let layout = match layout {
        Layout::Folder => "--onedir",
        Layout::Onefile | Layout::Auto => "--onefile",
    };
    let mut arguments: Vec<OsString> = [layout, "--noconfirm", "--clean", "--log-level=INFO"]
        .map(OsString::from)
        .into();
    let mut option = |name: &str, value: OsString| {
        arguments.push(name.into());
        arguments.push(value);
    };
    option("--name", (&sidecar.name).into());
    option("--distpath", work.join("dist").into());
    option("--workpath", work.join("build").into());
    option("--specpath", work.into());
    if let Entry::Package { root, .. } = Entry::of(&sidecar.entry) {
        option("--paths", root.into());
    }
    // Not `--collect-all`: it ships the packages' sources as well.
    let named = [
        ("--collect-submodules", &sidecar.packages),
        ("--collect-data", &sidecar.packages),
        ("--collect-binaries", &sidecar.packages),
        ("--hidden-import", &sidecar.modules),
        ("--exclude-module", &sidecar.exclude_modules),
    ];
    for (flag, names) in named {
        names.iter().for_each(|it| option(flag, it.into()));
    }
    if let Some(data) = data {
        let mut value = OsString::from(data);
        value.push(":.");
        option("--add-data", value);
    }
    if let Some(arch) = &freezing.environment.arch {
        option("--target-arch", apple_arch(arch).into());
    }
    if let Some(file) = version_file(freezing, work)? {
        option("--version-file", file.into());
    }
    if freezing.target.os == Os::Macos {
        let identifier = &freezing.product.identifier;
        let identifier = format!("{identifier}.{}", sidecar.name);
        option("--osx-bundle-identifier", identifier.into());
    }
    arguments.extend(sidecar.pyinstaller_args.iter().map(OsString::from));
    arguments.push(sidecar.entry.clone().into());
    Ok(arguments)
}

/// Writes what Windows shows of the executable; elsewhere PyInstaller has no place for it.
fn version_file(freezing: &Freezing, work: &Path) -> Result<Option<PathBuf>> {
    if freezing.target.os != Os::Windows {
        return Ok(None);
    }
    let file = work.join("version-info.txt");
    let executable = freezing.target.exe(&freezing.sidecar.name);
    let sidecar = freezing.sidecar;
    let text = version_info(
        freezing.product,
        &sidecar.name,
        &sidecar.metadata,
        &executable,
    );
    fs_err::write(&file, text)?;
    Ok(Some(file))
}

/// Version information as PyInstaller reads it: a Python expression.
fn version_info(
    product: &config::Product,
    name: &str,
    metadata: &config::Metadata,
    executable: &str,
) -> String {
    let version = &product.version;
    // Four numbers of 16 bits is all that there is room for.
    let numbers = [version.major, version.minor, version.patch, 0].map(|it| it.min(0xffff));
    let dotted = numbers.map(|it| it.to_string()).join(".");
    let strings = [
        ("CompanyName", metadata.company.as_deref()),
        ("FileDescription", metadata.description.as_deref()),
        ("FileVersion", Some(&*dotted)),
        ("InternalName", Some(name)),
        ("LegalCopyright", metadata.copyright.as_deref()),
        ("OriginalFilename", Some(executable)),
        ("ProductName", Some(&*product.name)),
        ("ProductVersion", Some(&*dotted)),
    ];
    let strings: String = strings
        .iter()
        .filter_map(|(name, text)| Some((name, text.as_ref()?)))
        .map(|(name, text)| format!("      StringStruct({}, {}),\n", python(name), python(text)))
        .collect();
    let numbers = numbers.map(|it| it.to_string()).join(", ");
    // 0x40004 is Windows NT, 1 an application; 1033 and 1200 are English in UTF-16.
    format!(
        "# UTF-8\n\
         VSVersionInfo(\n  \
           ffi=FixedFileInfo(filevers=({numbers}), prodvers=({numbers}), mask=0x3f, flags=0x0,\n    \
             OS=0x40004, fileType=0x1, subtype=0x0, date=(0, 0)),\n  \
           kids=[\n    \
             StringFileInfo([StringTable('040904B0', [\n{strings}    ])]),\n    \
             VarFileInfo([VarStruct('Translation', [1033, 1200])]),\n  \
           ],\n\
         )\n"
    )
}

/// A string literal: what JSON escapes, Python escapes alike, but for the characters that JSON
/// leaves alone.
fn python(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Words in the output of a freeze that ended well all the same, but without what was asked for.
pub const CONFIGURATION_ERRORS: [&str; 2] = [
    "ERROR: Hidden import '",
    "skipping data collection for module '",
];

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// Windows is not here to show it; that it is the Python expression which PyInstaller evaluates
    /// was seen with PyInstaller's own reader.
    #[test]
    fn writes_the_version_information_of_windows() {
        let product = config::Product {
            name: "Tone\"lens\"".to_owned(),
            version: "1.2.3-rc.1".parse().unwrap(),
            identifier: "org.example".to_owned(),
        };
        let metadata = config::Metadata {
            company: Some("Example".to_owned()),
            description: None,
            copyright: Some("© 2026 Example".to_owned()),
        };
        expect![[r##"
            # UTF-8
            VSVersionInfo(
              ffi=FixedFileInfo(filevers=(1, 2, 3, 0), prodvers=(1, 2, 3, 0), mask=0x3f, flags=0x0,
                OS=0x40004, fileType=0x1, subtype=0x0, date=(0, 0)),
              kids=[
                StringFileInfo([StringTable('040904B0', [
                  StringStruct("CompanyName", "Example"),
                  StringStruct("FileVersion", "1.2.3.0"),
                  StringStruct("InternalName", "side"),
                  StringStruct("LegalCopyright", "© 2026 Example"),
                  StringStruct("OriginalFilename", "side.exe"),
                  StringStruct("ProductName", "Tone\"lens\""),
                  StringStruct("ProductVersion", "1.2.3.0"),
                ])]),
                VarFileInfo([VarStruct('Translation', [1033, 1200])]),
              ],
            )
        "##]]
        .assert_eq(&version_info(&product, "side", &metadata, "side.exe"));
    }
}
