//! What cargo wants for a target that is not the host: its standard library, a linker, and the libraries
//! that a program for Windows is started with.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use object::Object as _;

use crate::{
    engine::probe::{Probe, Probes},
    target::{Os, Target},
    tools::versions,
};

/// The compiler of MinGW-w64 that rustc links programs for Windows with, by the target's architecture.
pub fn linker(target: &Target) -> Option<String> {
    let foreign = target.os == Os::Windows && !cfg!(windows) && target.triple.ends_with("-gnu");
    foreign.then(|| format!("{}-w64-mingw32-gcc", target.arch()))
}

/// How to ask the linker for its version.
pub fn linker_version(name: &str) -> Probe {
    Probe::new(name, ["--version"])
}

/// Where Rust's standard library for a target comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Std {
    /// It is installed, in this folder.
    Installed(PathBuf),
    /// Its sources are, in this folder: cargo builds it, as Linux distributions without rustup need it.
    FromSource(PathBuf),
    /// Neither.
    Missing,
}

impl Std {
    /// Asks the compiler that works in `dir` where it would look, and looks there.
    ///
    /// # Errors
    /// There is no compiler, or it does not know the target.
    pub fn of(probes: &Probes, dir: &Path, triple: &str) -> Result<Self> {
        let ask = |args: &[&str]| {
            let mut probe = versions::rust("rustc", dir);
            probe.args = args.iter().map(|&it| it.to_owned()).collect();
            probes.version(&probe)
        };
        // rustc says where it would be; looking is cheap enough to be done each time.
        let installed = ask(&["--print", "target-libdir", "--target", triple])?.version;
        if has_std(Path::new(&installed)) {
            return Ok(Self::Installed(installed.into()));
        }
        let sysroot = ask(&["--print", "sysroot"])?.version;
        let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library");
        Ok(match sources.join("Cargo.lock").is_file() {
            true => Self::FromSource(sources),
            false => Self::Missing,
        })
    }

    /// Makes `cargo build` build it, where that is how it is had. A stable compiler refuses, but for the
    /// variable.
    pub fn add_to(&self, command: &mut Command) {
        if matches!(self, Self::FromSource(_)) {
            command
                .arg("-Zbuild-std=std,panic_abort,panic_unwind")
                .env("RUSTC_BOOTSTRAP", "1");
        }
    }

    /// As it stands in a fingerprint.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Installed(_) => "installed",
            Self::FromSource(_) => "built from its sources",
            Self::Missing => "none",
        }
    }
}

/// A folder of rustup's stays behind, empty, when a target is removed.
fn has_std(folder: &Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.any(|it| it.is_ok_and(|it| it.file_name().to_string_lossy().starts_with("libstd-")))
}

/// The libraries beside a program for Windows that it cannot be started without, such as
/// WebView2Loader.dll, which Tauri's build script lays beside a host for MinGW. Others are the system's.
///
/// # Errors
/// One is not there that no Windows has.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let data = fs_err::read(program)?;
    let Ok(file) = object::File::parse(&*data) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<String> = Vec::new();
    for import in file.imports()? {
        names.push(String::from_utf8_lossy(import?.library()).into_owned());
    }
    names.sort();
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    let mut found = Vec::new();
    for name in names {
        let beside = program.with_file_name(&name);
        ensure!(
            beside.is_file() || !is_shipped(&name),
            "{} cannot start without {name}, which no Windows has and which is not beside it\n\
             hint: {}",
            program.display(),
            match name.eq_ignore_ascii_case(LOADER) {
                true =>
                    "Tauri's build script lays it there: remove that folder, so that it runs again",
                false => "link it statically: `-C target-feature=+crt-static` in `rustflags`",
            }
        );
        if beside.is_file() {
            found.push(beside);
        }
    }
    Ok(found)
}

/// What opens WebView2.
const LOADER: &str = "WebView2Loader.dll";

/// Whether a library comes with programs: WebView2's, and those of MinGW's compilers.
fn is_shipped(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let of_mingw = ["libgcc_", "libstdc++", "libwinpthread"];
    name.eq_ignore_ascii_case(LOADER) || of_mingw.iter().any(|it| name.starts_with(it))
}
