//! What an executable file is, read from the file itself.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use object::{Architecture, BinaryFormat, Object as _, ObjectKind};

use crate::target::{Os, Target};

/// Refuses a file that could not run on the target: empty, a script or a placeholder, of another
/// format or for another architecture. `what` begins the message: `sidecar analyzer`.
pub fn check(path: &Path, target: &Target, what: &str) -> Result<()> {
    let data = fs_err::read(path)?;
    let at = path.display();
    ensure!(!data.is_empty(), "{what} is an empty file: {at}");
    ensure!(
        !data.starts_with(b"#!"),
        "{what} is a script, not an executable: {at}"
    );
    let file = object::File::parse(&*data)
        .with_context(|| format!("{what} is no executable of any known format: {at}"))?;
    let format = match target.os {
        Os::Linux => BinaryFormat::Elf,
        Os::Windows => BinaryFormat::Pe,
        Os::Macos => BinaryFormat::MachO,
    };
    ensure!(
        file.format() == format,
        "{what} is a {:?} file, but {target} wants {format:?}: {at}",
        file.format()
    );
    // A position-independent executable is a shared object as far as ELF is concerned.
    ensure!(
        matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic),
        "{what} is no linked executable: {at}"
    );
    let wanted = architecture(target)?;
    ensure!(
        file.architecture() == wanted,
        "{what} is built for {:?}, but {target} wants {wanted:?}: {at}",
        file.architecture()
    );
    Ok(())
}

fn architecture(target: &Target) -> Result<Architecture> {
    Ok(match target.arch() {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "i686" | "i586" => Architecture::I386,
        "armv7" | "arm" => Architecture::Arm,
        "riscv64gc" => Architecture::Riscv64,
        other => bail!("the architecture {other} of {target} is not known here"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bytes(bytes: &[u8], target: &str, expected: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let outcome = check(file.path(), &target.parse().unwrap(), "sidecar a");
        let text = outcome.map_or_else(|it| format!("{it:#}"), |()| "fits".to_owned());
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn tells_what_a_file_is() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let host = Target::host();
        let other = if host.arch() == "x86_64" {
            "aarch64"
        } else {
            "x86_64"
        };
        let other = host.triple.replacen(host.arch(), other, 1);
        check_bytes(&own, &host.triple, "fits");
        check_bytes(&own, &other, "sidecar a is built for");
        let foreign = if cfg!(windows) {
            "x86_64-unknown-linux-gnu"
        } else {
            "x86_64-pc-windows-gnu"
        };
        check_bytes(&own, foreign, "sidecar a is a ");
        check_bytes(b"", &host.triple, "sidecar a is an empty file");
        check_bytes(b"#!/bin/sh\n", &host.triple, "sidecar a is a script");
        check_bytes(b"placeholder", &host.triple, "sidecar a is no executable");
        check_bytes(&own[..64], &host.triple, "sidecar a is no");
    }
}
