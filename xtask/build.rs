//! Tells the crate which sources it is made of.
//!
//! The package's version does not: who takes xtask by a commit gets other code under the same number.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The crates that the program consists of, relative to this file.
const CRATES: [&str; 6] = ["", "config", "engine", "report", "signed", "walk"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut files = Vec::new();
    for name in CRATES {
        for part in ["Cargo.toml", "src"] {
            let path = root.join(name).join(part);
            // `cargo vendor` puts each crate elsewhere; and for what is not there this would run each time.
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
                find(&root, &path, &mut files)?;
            }
        }
    }
    files.sort();
    let mut hash = OFFSET;
    for (name, path) in files {
        // Git may have written the ends of lines otherwise on Windows.
        let mut text = fs::read(path)?;
        text.retain(|it| *it != b'\r');
        for bytes in [name.as_bytes(), &[0], &text, &[0]] {
            hash = fnv(hash, bytes);
        }
    }
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    println!("cargo::rustc-env=XTASK_VERSION={version}+{hash:016x}");
    Ok(())
}

/// Adds the files at and below `path`, each with its name relative to `root`, the same on every system.
fn find(root: &Path, path: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            find(root, &entry?.path(), files)?;
        }
        return Ok(());
    }
    let name = path.strip_prefix(root).unwrap_or(path);
    let name: Vec<_> = name.iter().map(|it| it.to_string_lossy()).collect();
    files.push((name.join("/"), path.to_owned()));
    Ok(())
}

/// What FNV-1a of 64 bits begins with, <https://datatracker.ietf.org/doc/html/rfc9923>. Sources differ by
/// accident, and nobody makes two of one hash: a better one would be a crate more to compile.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a of 64 bits, from a state to the next.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(hash, add)
}
