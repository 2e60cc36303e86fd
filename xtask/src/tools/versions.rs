//! How to ask each program for its version, and what makes a kept answer doubtful. Programs that
//! are really version managers' shims answer by folder and by the managers' own files.

use std::path::{Path, PathBuf};

use crate::{config::PackageManager, engine::probe::Probe};

fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_default()
}

/// These names in the folder and in all above it.
fn upward(dir: &Path, names: &[&str]) -> Vec<PathBuf> {
    dir.ancestors()
        .flat_map(|above| names.iter().map(move |it| above.join(it)))
        .collect()
}

fn variables(names: &[&str]) -> Vec<String> {
    names.iter().map(|&it| it.to_owned()).collect()
}

/// `cargo` or `rustc` as rustup resolves them in `dir`.
pub fn rust(program: &str, dir: &Path) -> Probe {
    let rustup = std::env::var_os("RUSTUP_HOME").map_or_else(|| home().join(".rustup"), Into::into);
    let mut watch = upward(dir, &["rust-toolchain.toml", "rust-toolchain"]);
    watch.push(rustup.join("settings.toml"));
    // A toolchain that was updated in place has a new folder time.
    watch.push(rustup.join("toolchains"));
    watch.push(rustup.join("update-hashes"));
    let mut probe = Probe::new(program, ["--version"]);
    probe.dir = dir.to_owned();
    probe.watch = watch;
    probe.env = variables(&["RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "CARGO_HOME"]);
    probe
}

/// `python3` or `python3.11`, as pyenv resolves it in `dir`.
pub fn python(program: &str, dir: &Path) -> Probe {
    let pyenv = std::env::var_os("PYENV_ROOT").map_or_else(|| home().join(".pyenv"), Into::into);
    let mut probe = Probe::new(program, ["--version"]);
    probe.dir = dir.to_owned();
    probe.watch = upward(dir, &[".python-version"]);
    probe.watch.push(pyenv.join("version"));
    probe.env = variables(&["PYENV_VERSION", "PYENV_ROOT", "UV_PYTHON"]);
    probe
}

/// node.
pub fn node(dir: &Path) -> Probe {
    let mut probe = Probe::new("node", ["--version"]);
    probe.dir = dir.to_owned();
    probe.watch = upward(dir, &[".nvmrc", ".node-version", ".tool-versions"]);
    probe
}

/// npm, pnpm, yarn or bun; corepack lets `package.json` choose.
pub fn package_manager(manager: PackageManager, dir: &Path) -> Probe {
    let mut probe = Probe::new(manager.command(), ["--version"]);
    probe.dir = dir.to_owned();
    probe.watch = upward(dir, &["package.json", ".yarnrc.yml", ".tool-versions"]);
    probe
}

/// A cache for what the C compiler makes.
pub fn ccache() -> Probe {
    Probe::new("ccache", ["--version"])
}

/// What installs a sidecar's packages, where it is there.
pub fn uv() -> Probe {
    Probe::new("uv", ["--version"])
}

/// What signs the checksums.
pub fn gpg() -> Probe {
    Probe::new("gpg", ["--version"])
}

/// Tauri's command line, called with these words. All of them count: `node path/to/tauri.js` has the
/// version of the script, not of node.
pub fn tauri(words: &[String]) -> Probe {
    let (program, rest) = words
        .split_first()
        .map_or(("", words), |(program, rest)| (program, rest));
    let mut probe = Probe::new(
        program,
        rest.iter().map(String::as_str).chain(["--version"]),
    );
    probe.watch = rest.iter().map(Into::into).collect();
    probe
}

/// What signs RPM packages.
pub fn rpmsign() -> Probe {
    Probe::new("rpmsign", ["--version"])
}

/// What signs for macOS on other systems.
pub fn rcodesign() -> Probe {
    Probe::new("rcodesign", ["--version"])
}

/// What reads RPM packages.
pub fn rpm() -> Probe {
    Probe::new("rpm", ["--version"])
}

/// Starts a program whose addresses are the same each time, and proves that by starting itself:
/// some containers forbid it.
pub fn setarch() -> Probe {
    Probe::new("setarch", ["-R", "setarch", "--version"])
}

/// The C compiler that freezers and build scripts use.
pub fn c_compiler() -> Probe {
    let name = chosen_compiler();
    let mut probe = Probe::new(name.as_deref().unwrap_or("cc"), ["--version"]);
    probe.env = variables(&["CC"]);
    probe
}

/// The SDK that programs for macOS are linked with.
pub fn macos_sdk() -> Probe {
    let mut probe = Probe::new("xcrun", ["--show-sdk-version"]);
    probe.env = variables(&["DEVELOPER_DIR", "SDKROOT"]);
    probe
}

/// The C compiler that the variable `CC` names, if it names one.
pub fn chosen_compiler() -> Option<String> {
    compiler_of(&std::env::var("CC").ok()?)
}

/// The program in a value of `CC`, which may be called by a cache and may have arguments: `ccache gcc
/// -m64`.
fn compiler_of(value: &str) -> Option<String> {
    if Path::new(value).is_file() {
        // A path with a space.
        return Some(value.to_owned());
    }
    let is_cache = |it: &&str| {
        let name = Path::new(it).file_stem();
        name.is_some_and(|it| it == "ccache" || it == "sccache")
    };
    let mut words = value.split_whitespace().peekable();
    let cache = words.next_if(is_cache);
    words.next().or(cache).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_may_be_called_by_a_cache() {
        let check = |value, expected: Option<&str>| {
            assert_eq!(compiler_of(value).as_deref(), expected, "{value:?}");
        };
        check("gcc", Some("gcc"));
        check("ccache gcc -m64", Some("gcc"));
        check("/usr/bin/ccache /opt/cross/gcc", Some("/opt/cross/gcc"));
        check("clang -flto", Some("clang"));
        // A link of that name to the cache.
        check("ccache", Some("ccache"));
        check("  ", None);
        let folder = tempfile::tempdir().unwrap();
        let spaced = folder.path().join("my cc");
        std::fs::write(&spaced, "").unwrap();
        check(spaced.to_str().unwrap(), spaced.to_str());
    }
}
