//! PyInstaller: packs the interpreter and the bytecode into one executable that extracts itself.

use std::{ffi::OsString, path::Path};

use super::python::Entry;
use crate::{
    config::{Layout, Sidecar},
    freeze::failure::{Class, Sign, class, configuration},
    target::Os,
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
    configuration("script file"),
];

/// The programs without which it cannot work, each under all of its names.
pub fn needed(target: Os) -> Vec<Vec<String>> {
    match target {
        Os::Linux => ["objcopy", "objdump"].map(|it| vec![it.to_owned()]).into(),
        Os::Macos | Os::Windows => Vec::new(),
    }
}

/// The arguments after `python -m PyInstaller`.
pub fn arguments(sidecar: &Sidecar, layout: Layout, work: &Path) -> Vec<OsString> {
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
    for package in &sidecar.packages {
        option("--collect-all", package.into());
    }
    for module in &sidecar.modules {
        option("--hidden-import", module.into());
    }
    for module in &sidecar.exclude_modules {
        option("--exclude-module", module.into());
    }
    for data in &sidecar.data {
        // PyInstaller takes the destination's folder, and keeps the file's name.
        let folder = if data.from.is_dir() {
            Some(&*data.to)
        } else {
            data.to.parent()
        };
        let folder = folder
            .filter(|it| *it != Path::new(""))
            .unwrap_or(Path::new("."));
        let mut value = OsString::from(&data.from);
        value.push(":");
        value.push(folder);
        option("--add-data", value);
    }
    arguments.extend(sidecar.pyinstaller_args.iter().map(OsString::from));
    arguments.push(sidecar.entry.clone().into());
    arguments
}
