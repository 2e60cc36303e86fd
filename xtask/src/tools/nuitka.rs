//! Nuitka: compiles a Python program to C and links one executable that extracts itself.

use std::{ffi::OsString, path::Path};

use super::python::Entry;
use crate::config::Sidecar;

/// The arguments after `python -m nuitka`. `--assume-yes-for-downloads` is missing on purpose: it
/// lets Nuitka fetch an unpinned compiler.
pub fn arguments(sidecar: &Sidecar, executable: &str, work: &Path, jobs: usize) -> Vec<OsString> {
    let text = |it: String| OsString::from(it);
    let path = |name: &str, path: &Path| {
        let mut argument = OsString::from(name);
        argument.push(path);
        argument
    };
    let mut arguments = vec![
        text("--mode=onefile".into()),
        // No connection at all, so that the same inputs give the same output.
        text("--update-check=never".into()),
        text(format!("--jobs={jobs}")),
        path("--output-dir=", work),
        text(format!("--output-filename={executable}")),
        path("--report=", &work.join("nuitka-report.xml")),
        // Left out of a build that does not ask for them, which makes json ten times slower.
        text("--include-module=_json".into()),
        text("--include-module=_bisect".into()),
    ];
    arguments.extend(
        sidecar
            .packages
            .iter()
            .map(|it| text(format!("--include-package={it}"))),
    );
    arguments.extend(
        sidecar
            .modules
            .iter()
            .map(|it| text(format!("--include-module={it}"))),
    );
    let excluded = sidecar.exclude_modules.iter();
    arguments.extend(excluded.map(|it| text(format!("--nofollow-import-to={it}"))));
    for data in &sidecar.data {
        let kind = if data.from.is_dir() { "dir" } else { "files" };
        let mut argument = path(&format!("--include-data-{kind}="), &data.from);
        argument.push("=");
        argument.push(&data.to);
        arguments.push(argument);
    }
    arguments.extend(sidecar.nuitka_args.iter().cloned().map(text));
    let entry = match Entry::of(&sidecar.entry) {
        Entry::Package { dir, .. } => dir,
        Entry::Script(script) => script,
    };
    arguments.push(path("--main=", &entry));
    arguments
}

/// Words in the output of a failed freeze that another freezer would not help against: they are
/// mistakes in the configuration.
pub const CONFIGURATION_ERRORS: [&str; 3] = [
    "failed to locate module",
    "does not match any files",
    "failed to locate package",
];

/// What Nuitka exits with when it does not know a flag.
pub const EXIT_BAD_FLAG: i32 = 2;
