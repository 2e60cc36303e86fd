//! What is shipped for. Suffixes, names and kinds that depend on it all follow from here.

use std::fmt;

use anyhow::{Result, bail};
use serde::{Serialize, Serializer};

/// An operating system that the pipeline ships for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    /// Linux with the GNU C library.
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    Macos,
}

/// A target: a friendly name, which means the host's architecture, or a full Rust target triple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As it was given: `linux`, or the triple. Names folders.
    pub name: String,
    /// The Rust target triple.
    pub triple: String,
    /// The operating system.
    pub os: Os,
}

/// Serialized as its triple: how it was named decides no output.
impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.triple)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::str::FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let arch = std::env::consts::ARCH;
        let triple = match name {
            "linux" => format!("{arch}-unknown-linux-gnu"),
            "windows" => format!("{arch}-pc-windows-msvc"),
            "macos" => format!("{arch}-apple-darwin"),
            triple => triple.to_owned(),
        };
        let os = match triple.split('-').collect::<Vec<_>>()[..] {
            [_, _, "linux", "gnu" | "gnueabihf"] => Os::Linux,
            [_, _, "windows", "msvc" | "gnu"] => Os::Windows,
            [_, "apple", "darwin"] => Os::Macos,
            _ => bail!(
                "`{name}` is no target\n\
                 hint: linux, windows, macos, or a Rust target triple such as \
                 x86_64-unknown-linux-gnu"
            ),
        };
        Ok(Self {
            name: name.to_owned(),
            triple,
            os,
        })
    }
}

impl Target {
    /// The machine that this program runs on.
    pub fn host() -> Self {
        let name = std::env::consts::OS;
        name.parse().unwrap_or_else(|_| {
            let triple = format!("{}-unknown-{name}", std::env::consts::ARCH);
            Self {
                name: name.to_owned(),
                triple,
                os: Os::Linux,
            }
        })
    }

    /// Whether this machine's own tools build for it without `--target`.
    pub fn is_host(&self) -> bool {
        self.triple == Self::host().triple
    }

    /// The first part of the triple.
    pub fn arch(&self) -> &str {
        self.triple.split('-').next().unwrap_or_default()
    }

    /// The processor as Tauri's bundler has it in the names of disk images.
    pub fn bundle_arch(&self) -> &str {
        match self.arch() {
            "x86_64" => "x64",
            arch => arch,
        }
    }

    /// The file name of an executable.
    pub fn exe(&self, name: &str) -> String {
        match self.os {
            Os::Windows => format!("{name}.exe"),
            Os::Linux | Os::Macos => name.to_owned(),
        }
    }

    /// The file name that Tauri's bundler looks for when `externalBin` says `name`.
    pub fn external_bin(&self, name: &str) -> String {
        self.exe(&format!("{name}-{}", self.triple))
    }

    /// The operating system's name as Tauri's updater and environment variables have it.
    pub fn platform(&self) -> &'static str {
        match self.os {
            Os::Linux => "linux",
            Os::Windows => "windows",
            Os::Macos => "darwin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_triples() {
        let check = |name: &str, triple: &str, exe: &str| {
            let target: Target = name.parse().unwrap();
            assert_eq!((&*target.triple, &*target.external_bin("a")), (triple, exe));
        };
        let arch = std::env::consts::ARCH;
        check(
            "linux",
            &format!("{arch}-unknown-linux-gnu"),
            &format!("a-{arch}-unknown-linux-gnu"),
        );
        check(
            "x86_64-pc-windows-gnu",
            "x86_64-pc-windows-gnu",
            "a-x86_64-pc-windows-gnu.exe",
        );
        check(
            "aarch64-apple-darwin",
            "aarch64-apple-darwin",
            "a-aarch64-apple-darwin",
        );
        let error = "plan9".parse::<Target>().unwrap_err().to_string();
        assert!(error.starts_with("`plan9` is no target"), "{error}");
    }
}
