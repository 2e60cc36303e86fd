//! Nuitka: compiles a Python program to C and links one executable that extracts itself.

use std::{ffi::OsString, path::Path, process::Command};

use anyhow::Result;

use super::python::Entry;
use crate::{
    config::Layout,
    engine::staging,
    freeze::{
        candidate::Freezing,
        class::Class,
        sign::{Sign, class, configuration, not_downloaded},
    },
    target::{Os, apple_arch},
    tools::versions,
};

/// The arguments after `python -m nuitka`. `--assume-yes-for-downloads` is missing on purpose: it
/// lets Nuitka fetch an unpinned compiler.
pub fn arguments(
    freezing: &Freezing,
    layout: Layout,
    executable: &str,
    work: &Path,
    data: Option<&Path>,
) -> Vec<OsString> {
    let sidecar = freezing.sidecar;
    let text = |it: String| OsString::from(it);
    let path = |name: &str, path: &Path| {
        let mut argument = OsString::from(name);
        argument.push(path);
        argument
    };
    let mut arguments = vec![
        text(format!("--mode={}", mode(layout))),
        // No connection at all, so that the same inputs give the same output.
        text("--update-check=never".into()),
        text(format!("--jobs={}", freezing.cx.jobs())),
        path("--output-dir=", work),
        text(format!("--output-filename={executable}")),
        path("--report=", &work.join(REPORT)),
        // Else a change in one module means machine code for all of them, when they are linked: with
        // the Pythons of some distributions it is the default.
        text("--lto=no".into()),
        // An excluded module must be absent. Nuitka would leave a stub that is found, but refuses to
        // be imported: what only asks whether there is such a module is led astray.
        text("--no-deployment-flag=excluded-module-usage".into()),
        // Left out of a build that does not ask for them, which makes json ten times slower.
        text("--include-module=_json".into()),
        text("--include-module=_bisect".into()),
    ];
    let named = [
        ("include-package", &sidecar.packages),
        ("include-package-data", &sidecar.packages),
        ("include-module", &sidecar.modules),
        ("nofollow-import-to", &sidecar.exclude_modules),
    ];
    for (flag, names) in named {
        arguments.extend(names.iter().map(|it| text(format!("--{flag}={it}"))));
    }
    if freezing.target.os != Os::Windows && freezing.cx.probe(&versions::ccache()).is_err() {
        // Nuitka takes whatever bears the name, and fails if it is broken.
        arguments.push(text("--disable-ccache".into()));
    }
    if let Some(data) = data {
        // Raw: Nuitka leaves out of a data folder what looks like code.
        let mut argument = path("--include-raw-dir=", data);
        argument.push("=.");
        arguments.push(argument);
    }
    if let Some(arch) = &freezing.environment.arch {
        arguments.push(text(format!("--macos-target-arch={}", apple_arch(arch))));
    }
    arguments.extend(metadata(freezing).into_iter().map(text));
    arguments.extend(sidecar.nuitka_args.iter().cloned().map(text));
    let entry = match Entry::of(&sidecar.entry) {
        Entry::Package { dir, .. } => dir,
        Entry::Script(script) => script,
    };
    arguments.push(path("--main=", &entry));
    arguments
}

fn mode(layout: Layout) -> &'static str {
    match layout {
        Layout::Folder => "standalone",
        Layout::Onefile | Layout::Auto => "onefile",
    }
}

/// The folder that a folder layout leaves in the work folder: it has the name of what is started.
pub fn folder(entry: &Path) -> String {
    let started = match Entry::of(entry) {
        Entry::Package { dir, .. } => dir,
        Entry::Script(script) => script,
    };
    let stem = started.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}.dist")
}

/// What Windows and macOS show of an executable. Elsewhere there is no place for it.
fn metadata(freezing: &Freezing) -> Vec<String> {
    if freezing.target.os == Os::Linux {
        return Vec::new();
    }
    let (product, metadata) = (freezing.product, &freezing.sidecar.metadata);
    let version = &product.version;
    // Four numbers is all that Windows has room for.
    let numbers = format!("{}.{}.{}.0", version.major, version.minor, version.patch);
    let mut flags = vec![
        format!("--product-name={}", product.name),
        format!("--product-version={numbers}"),
        format!("--file-version={numbers}"),
    ];
    let texts = [
        ("company-name", &metadata.company),
        ("file-description", &metadata.description),
        ("copyright", &metadata.copyright),
    ];
    for (name, text) in texts {
        flags.extend(text.as_ref().map(|it| format!("--{name}={it}")));
    }
    flags
}

/// The report that it writes into the work folder, unless it ends too early for that.
pub const REPORT: &str = "nuitka-report.xml";

/// What its compilation needs of the environment, and how it is started.
pub fn environment(freezing: &Freezing, work: &Path, command: &mut Command) -> Result<()> {
    let cx = freezing.cx;
    let caches = cx.cache("nuitka")?;
    if freezing.is_cold {
        let own = work.join("caches");
        staging::remove(&own)?;
        fs_err::create_dir_all(&own)?;
        command
            .env("CCACHE_DIR", own.join("ccache"))
            .env("CLCACHE_DIR", own.join("clcache"))
            .env("NUITKA_CACHE_DIR", own)
            // What it fetched is no work of its own.
            .env("NUITKA_CACHE_DIR_DOWNLOADS", caches.join("downloads"));
    } else {
        command.env("NUITKA_CACHE_DIR", caches);
    }
    if cx.probe(&versions::ccache()).is_ok() {
        // What it knows of a file counts wherever the checkout lies.
        command
            .env("CCACHE_BASEDIR", cx.root())
            .env("CCACHE_NOHASHDIR", "1");
    }
    Ok(())
}

/// Whether these arguments allow it to download what it misses. It takes an option's first letters for
/// the option.
pub fn may_download(arguments: &[String]) -> bool {
    let mut arguments = arguments.iter();
    arguments.any(|it| it.starts_with("--assume-yes"))
}

/// What Nuitka exits with when it does not know a flag.
pub const EXIT_BAD_FLAG: i32 = 2;

/// What it says when it gives up, taken from the sources of Nuitka 4.3.3: `build/SconsUtils.py`,
/// `build/SconsCompilerSettings.py`, `utils/SharedLibraries.py`, `utils/Download.py`,
/// `utils/PrivatePipSpace.py`, `importing/Recursion.py`, `options/Options.py`.
pub const SIGNS: [Sign; 14] = [
    class("cannot locate suitable c compiler", Class::MissingTool),
    class("requires 'patchelf'", Class::MissingTool),
    class("cannot locate 'objcopy'", Class::MissingTool),
    class("'readelf' is used", Class::MissingTool),
    configuration("no module named nuitka"),
    configuration("failed to locate module"),
    configuration("failed to locate package"),
    configuration("is a module not a package"),
    configuration("does not match any files"),
    configuration("error, file '"),
    class("failed to download", Class::Network),
    class("make sure to allow downloading", Class::Download),
    class("is it ok to download", Class::Download),
    // It says the same of a download that failed and of one that it was not allowed to make.
    not_downloaded("nuitka with '--zig' depends on"),
];

/// The programs without which it cannot work, each under all of its names. Windows' compilers are
/// not found on PATH.
pub fn needed(target: Os) -> Vec<Vec<String>> {
    let compiler = match versions::chosen_compiler() {
        Some(compiler) => vec![compiler],
        None => ["gcc", "cc", "clang"].map(str::to_owned).into(),
    };
    match target {
        Os::Linux => vec![compiler, vec!["patchelf".to_owned()]],
        Os::Macos => vec![compiler],
        Os::Windows => Vec::new(),
    }
}

/// How the last freeze ended by its report: the attributes `completion` and `exit_message`.
pub fn completion(work: &Path) -> Option<String> {
    let report = fs_err::read_to_string(work.join(REPORT)).ok()?;
    let (_, attributes) = report.split_once("<nuitka-compilation-report")?;
    let (attributes, _) = attributes.split_once('>')?;
    let value = |name: &str| {
        let (_, rest) = attributes.split_once(&format!(" {name}=\""))?;
        rest.split('"').next()
    };
    let ended = [value("completion"), value("exit_message")];
    Some(ended.into_iter().flatten().collect::<Vec<_>>().join(": "))
}
