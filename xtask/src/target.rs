//! What is shipped for. Suffixes, names and kinds that depend on it all follow from here.

use std::fmt;

use anyhow::{Result, bail};
use serde::{Serialize, Serializer};

use crate::config::{self, BundleKind};

/// What the friendly names mean: the one table of them. On its own system a name means this machine's
/// architecture; elsewhere, and in a release, which is the same whoever looks at it, what is here.
const FRIENDLY: [Friendly; 3] = [
    Friendly {
        name: "linux",
        released: "x86_64-unknown-linux-gnu",
        elsewhere: "x86_64-unknown-linux-gnu",
    },
    Friendly {
        name: "windows",
        released: "x86_64-pc-windows-msvc",
        // Microsoft's linker and libraries run on Windows alone; those of MinGW-w64 are packages of most
        // Linux distributions.
        elsewhere: "x86_64-pc-windows-gnu",
    },
    Friendly {
        name: "macos",
        released: "aarch64-apple-darwin",
        elsewhere: "aarch64-apple-darwin",
    },
];

/// The triples that a friendly name stands for.
struct Friendly {
    name: &'static str,
    /// In `release.targets` and `[[ci.target]]`.
    released: &'static str,
    /// For `--target` on a machine of another system.
    elsewhere: &'static str,
}

/// The architectures of a program for every Mac, as Rust names them, in the order of its parts.
const UNIVERSAL: [&str; 2] = ["x86_64", "aarch64"];

/// Apple's name of an architecture, for its tools and for freezers.
pub fn apple_arch(arch: &str) -> &str {
    match arch {
        "aarch64" => "arm64",
        other => other,
    }
}

/// Microsoft's name of an architecture: in the folders of its SDK, and in the names of installers.
pub fn windows_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "i586" | "i686" | "x86" => "x86",
        other => other,
    }
}

/// An operating system that the pipeline ships for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
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
        let env = if cfg!(target_env = "gnu") {
            "gnu"
        } else {
            "msvc"
        };
        let triple = match name {
            "linux" if cfg!(target_os = "linux") => format!("{arch}-unknown-linux-gnu"),
            "windows" if cfg!(windows) => format!("{arch}-pc-windows-{env}"),
            "macos" if cfg!(target_os = "macos") => format!("{arch}-apple-darwin"),
            name => {
                let friendly = FRIENDLY.iter().find(|it| it.name == name);
                friendly.map_or(name, |it| it.elsewhere).to_owned()
            }
        };
        let os = match triple.split('-').collect::<Vec<_>>()[..] {
            ["universal", _, "linux" | "windows", _] => bail!(
                "`{name}` is no target: only programs for macOS hold several architectures\n\
                 hint: universal-apple-darwin, or several targets with --target each"
            ),
            [_, _, "linux", "gnu" | "gnueabihf"] => Os::Linux,
            [_, _, "windows", "msvc" | "gnu" | "gnullvm"] => Os::Windows,
            ["x86_64" | "aarch64" | "universal", "apple", "darwin"] => Os::Macos,
            _ => bail!(
                "`{name}` is no target\n\
                 hint: linux, windows, macos, universal-apple-darwin, or a Rust target triple such \
                 as x86_64-unknown-linux-gnu"
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
    /// What a name means in `release.targets` and `[[ci.target]]`: the same on every machine.
    ///
    /// # Errors
    /// It is none.
    pub fn released(name: &str) -> Result<Self> {
        let friendly = FRIENDLY.iter().find(|it| it.name == name);
        friendly.map_or(name, |it| it.released).parse()
    }

    /// Whether it was named without an architecture.
    pub fn is_friendly(&self) -> bool {
        FRIENDLY.iter().any(|it| it.name == self.name)
    }

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

    /// Whether programs for it run here: only then can Python be frozen for it.
    pub fn runs_here(&self) -> bool {
        let host = Self::host();
        let arch = |it: &Self| match it.arch() {
            "i586" | "i686" => "x86".to_owned(),
            other => other.to_owned(),
        };
        match self.os {
            _ if self.os != host.os => false,
            // Rosetta runs the other half.
            Os::Macos => host.arch() == "aarch64" || self.arch() == "x86_64",
            Os::Windows => arch(self) == arch(&host) || arch(self) == "x86",
            Os::Linux => arch(self) == arch(&host),
        }
    }

    /// Whether cargo can build and link the host program for it here, if all is installed.
    pub fn builds_here(&self) -> bool {
        match (self.os, Self::host().os) {
            // MinGW-w64 is a package.
            (Os::Windows, Os::Linux | Os::Macos) => self.is_mingw(),
            (own, host) if own != host => false,
            // Linkers of Apple and Microsoft know all their architectures.
            (Os::Macos | Os::Windows, _) => true,
            // Libraries for another one are there if somebody put them there, and named a linker.
            (Os::Linux, _) => {
                self.arch() == std::env::consts::ARCH
                    || std::env::var_os(self.linker_variable()).is_some_and(|it| !it.is_empty())
            }
        }
    }

    /// The variable that tells cargo what links for it,
    /// <https://doc.rust-lang.org/cargo/reference/environment-variables.html>.
    pub fn linker_variable(&self) -> String {
        let triple = self.triple.to_uppercase().replace('-', "_");
        format!("CARGO_TARGET_{triple}_LINKER")
    }

    /// Whether it is linked by GNU tools for Windows.
    pub fn is_mingw(&self) -> bool {
        self.os == Os::Windows && self.triple.ends_with("-gnu")
    }

    /// The machines that it runs on, as this one tells them from itself: by the system, or if that is the
    /// same by the architecture, too.
    pub fn machines(&self) -> String {
        match self.os == Self::host().os {
            true => format!("{} {}", self.arch(), self.system()),
            false => self.system().to_owned(),
        }
    }

    /// Whether its programs are joined of one for each architecture.
    pub fn is_universal(&self) -> bool {
        self.arch() == "universal"
    }

    /// The targets that are compiled for: two for a universal one, else itself.
    pub fn parts(&self) -> Vec<Self> {
        if !self.is_universal() {
            return vec![self.clone()];
        }
        let part = |arch: &str| {
            let triple = format!("{arch}-apple-darwin");
            Self {
                name: triple.clone(),
                triple,
                os: self.os,
            }
        };
        UNIVERSAL.map(part).into()
    }

    /// What a friendly name stands for, where that may surprise.
    pub fn note(&self) -> Option<String> {
        let released = Self::released(&self.name).ok()?;
        let surprises = self.name == "windows" && !cfg!(windows);
        surprises.then(|| {
            format!(
                "windows means {} here: {} can be linked on Windows only",
                self.triple, released.triple
            )
        })
    }

    /// The system's name for people.
    pub fn system(&self) -> &'static str {
        match self.os {
            Os::Linux => "Linux",
            Os::Windows => "Windows",
            Os::Macos => "macOS",
        }
    }

    /// The kinds of installers that are configured for it.
    pub fn bundles(&self, bundle: &config::Bundle) -> Vec<BundleKind> {
        let kinds = match self.os {
            Os::Linux => &bundle.linux,
            Os::Windows => &bundle.windows,
            Os::Macos => &bundle.macos,
        };
        kinds.clone()
    }

    /// Whether this kind of installer can be made here of what was built here.
    ///
    /// # Errors
    /// Why it cannot, in a line.
    pub fn bundles_here(&self, kind: BundleKind) -> Result<(), String> {
        let elsewhere = !cfg!(windows) && self.os == Os::Windows && self.builds_here();
        match kind {
            BundleKind::Msi if elsewhere => {
                Err("Tauri's bundler makes it on Windows only, with WiX".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The format of the portable archive, which is its ending, too.
    pub fn archive(&self) -> &'static str {
        match self.os {
            Os::Windows => "zip",
            Os::Linux | Os::Macos => "tar.gz",
        }
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
        check(
            "universal-apple-darwin",
            "universal-apple-darwin",
            "a-universal-apple-darwin",
        );
        #[cfg(not(windows))]
        check(
            "windows",
            "x86_64-pc-windows-gnu",
            "a-x86_64-pc-windows-gnu.exe",
        );
        let error = "plan9".parse::<Target>().unwrap_err().to_string();
        assert!(error.starts_with("`plan9` is no target"), "{error}");
    }

    /// A release is the same on every machine; what is typed means the machine at hand.
    #[test]
    fn friendly_names() {
        let check = |name: &str, released: &str, typed: &str| {
            let target: Target = name.parse().unwrap();
            assert_eq!(Target::released(name).unwrap().triple, released);
            assert_eq!(target.triple, typed);
        };
        let arch = std::env::consts::ARCH;
        let here = |own: bool, triple: String, elsewhere: &str| match own {
            true => triple,
            false => elsewhere.to_owned(),
        };
        check(
            "macos",
            "aarch64-apple-darwin",
            &here(
                cfg!(target_os = "macos"),
                format!("{arch}-apple-darwin"),
                "aarch64-apple-darwin",
            ),
        );
        check(
            "linux",
            "x86_64-unknown-linux-gnu",
            &here(
                cfg!(target_os = "linux"),
                format!("{arch}-unknown-linux-gnu"),
                "x86_64-unknown-linux-gnu",
            ),
        );
        #[cfg(not(windows))]
        check("windows", "x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu");
    }

    /// Each place, as this machine would tell it from itself.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn where_it_is_built() {
        let check = |name: &str, machines: &str, builds: bool| {
            let target: Target = name.parse().unwrap();
            assert_eq!(
                (&*target.machines(), target.builds_here()),
                (machines, builds)
            );
        };
        check("linux", "x86_64 Linux", true);
        check("aarch64-unknown-linux-gnu", "aarch64 Linux", false);
        check("windows", "Windows", true);
        check("x86_64-pc-windows-msvc", "Windows", false);
        check("macos", "macOS", false);
    }

    /// Suffix, archive and installers follow from the target alone.
    #[test]
    fn what_follows_from_a_target() {
        let check = |name: &str, expected: &str| {
            let target: Target = name.parse().unwrap();
            let parts: Vec<String> = target.parts().into_iter().map(|it| it.triple).collect();
            let text = format!(
                "{} {} {}",
                target.exe("a"),
                target.archive(),
                parts.join("+")
            );
            assert_eq!(text, expected);
        };
        check("x86_64-pc-windows-msvc", "a.exe zip x86_64-pc-windows-msvc");
        check(
            "universal-apple-darwin",
            "a tar.gz x86_64-apple-darwin+aarch64-apple-darwin",
        );
        check(
            "aarch64-unknown-linux-gnu",
            "a tar.gz aarch64-unknown-linux-gnu",
        );
        let error = "universal-unknown-linux-gnu".parse::<Target>().unwrap_err();
        assert!(error.to_string().contains("only programs for macOS"));
    }
}
