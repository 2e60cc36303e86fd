//! Every problem at once, each with what fixes it, before minutes of work are spent.
//!
//! `doctor` shows all that is needed; `dist` calls the same [`check`] first and stops if something
//! is missing. With the answers of programs kept ([`Probes`]) the check runs no process.
//!
//! | module | its one noun |
//! |---|---|
//! | `doctor` | the command: the table, the fix, the second look |
//! | `needs` | what the configuration asks of the machine |
//! | `toolchain` | what builds the frontend and the app |
//! | `python` | what freezes a sidecar |
//! | `signing` | what signs |
//! | `steps` | what of the pipeline can be done here, and who does the rest |

mod appimage;
mod doctor;
mod linters;
mod needs;
mod python;
mod signing;
mod steps;
mod toolchain;
mod windows_installer;

use std::{fmt, path::Path};

use semver::Version;

use crate::{
    config::Freezer,
    engine::probe::Probes,
    target::{Os, Target},
    tools::{
        packages::{Need, System},
        unpack::{self, Tool},
        versions,
    },
};

pub use doctor::{Doctor, Report, table};
pub use needs::{Needs, PythonNeed};
pub use signing::CodeTool;
pub use steps::{Ability, abilities, abilities_table};

/// The oldest Python that the pinned freezers run on.
const OLDEST_PYTHON: Version = Version::new(3, 9, 0);
/// The oldest Node.js that the package managers and Tauri's command line run on.
const OLDEST_NODE: Version = Version::new(18, 0, 0);
/// What a first release leaves below `target`, sources of freezers included, with some room.
const DISK_KIB: u64 = 6 * 1024 * 1024;

/// Where programs are built to that no system has a package of, in the repository.
const TOOLS: &str = "target/tools";

/// One thing that is needed, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub tool: String,
    /// The step that needs it, or `tests`.
    pub wanted_for: &'static str,
    /// The version, or the place where it has none; none if there is none.
    pub found: Option<String>,
    /// What is wrong; none if all is well.
    pub problem: Option<String>,
    /// What helps. Without a problem it is a recommendation: all works without it, but slower, or
    /// with less looked at.
    pub fix: Option<Fix>,
}

/// What helps against a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// System packages.
    Packages(Vec<String>),
    /// A program of Rust's registry, which is built into `target/tools`: its package and version.
    Crate(&'static str, &'static str),
    /// Rust's standard library for a target, which rustup has.
    RustTarget(String),
    /// Something that these commands install into `target/tools`, in words.
    Commands(&'static str, Vec<Vec<String>>),
    /// A command to type or a thing to do, which this program does not do by itself.
    ByHand(String),
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(names) => write!(f, "install {}", names.join(" ")),
            Self::Crate(name, _) => write!(f, "cargo install {name}"),
            Self::RustTarget(triple) => write!(f, "rustup target add {triple}"),
            Self::Commands(words, _) => f.write_str(words),
            Self::ByHand(text) => f.write_str(text),
        }
    }
}

/// Everything that is needed, in the order of the steps; look at `problem`.
pub fn check(needs: &Needs, system: &System, probes: &Probes) -> Vec<Finding> {
    let host = Target::host();
    let look = Look {
        needs,
        system,
        probes,
    };
    if !needs.target.builds_here() {
        // What was built there can be signed here.
        let mut findings = vec![wrong_host(&needs.target, &host)];
        findings.extend(look.code_signing());
        return findings;
    }
    let mut findings = Vec::new();
    findings.extend(toolchain::frontend(&look));
    findings.extend(toolchain::app(&look));
    if needs.target.runs_here() {
        for python in &needs.pythons {
            findings.extend(python::check(&look, python));
        }
        findings.extend(look.sidecar_tools());
        findings.extend(look.ccache());
    }
    findings.extend(look.installer_makers());
    findings.extend(look.appimage_makers());
    findings.extend(look.unpackers());
    findings.extend(look.code_signing());
    findings.extend(look.openpgp());
    findings.push(look.program("git", "seal", Need::Git));
    findings.extend(needs.disk.as_deref().and_then(|it| look.disk(it)));
    if needs.for_tests && host.os == Os::Linux {
        findings.extend(look.test_tools());
    }
    findings
}

fn wrong_host(target: &Target, host: &Target) -> Finding {
    let machines = target.machines();
    let mut fix = format!("run `cargo xtask dist --target {target}` on {machines}");
    let here = match target.os == host.os {
        // Then it is for another processor, which a compiler can be had for.
        true => {
            fix += &format!(
                ", or name what links for it in {}",
                target.linker_variable()
            );
            host.machines()
        }
        false => host.system().to_owned(),
    };
    Finding {
        tool: format!("target {target}"),
        wanted_for: "app",
        found: None,
        problem: Some(format!("cannot be built on {here}")),
        fix: Some(Fix::ByHand(fix)),
    }
}

/// The system package for a need, or what to look for where no package is known.
fn package(system: &System, need: Need) -> Fix {
    match system.manager.and_then(|it| need.package(it)) {
        Some(name) => Fix::Packages(vec![name.to_owned()]),
        None => Fix::ByHand(format!("install {need}")),
    }
}

/// How to get what is missing here, in words: with the command that `doctor` shows, where it knows one.
pub fn advice(need: Need, probes: &Probes) -> String {
    let system = System::detect(probes);
    let command = match package(&system, need) {
        Fix::Packages(names) => doctor::line(&system.install(&names)),
        Fix::ByHand(_) | Fix::Crate(..) | Fix::RustTarget(_) | Fix::Commands(..) => None,
    };
    command.map_or_else(
        || format!("install {need}"),
        |it| format!("install it with `{it}`"),
    )
}

/// All that a check looks at.
struct Look<'a> {
    needs: &'a Needs,
    system: &'a System,
    probes: &'a Probes,
}

impl Look<'_> {
    fn package(&self, need: Need) -> Fix {
        package(self.system, need)
    }

    /// A program of which any version will do.
    fn program(&self, name: &str, wanted_for: &'static str, need: Need) -> Finding {
        let found = self.probes.find(name).ok();
        let found = found.map(|it| it.display().to_string());
        Finding::new(name, wanted_for).or_missing(found, || self.package(need))
    }

    fn sidecar_tools(&self) -> Option<Finding> {
        let mut freezers = self.needs.pythons.iter().flat_map(|it| &it.freezers);
        let needed = cfg!(target_os = "linux") && freezers.any(|it| *it == Freezer::Pyinstaller);
        needed.then(|| self.program("objcopy", "sidecar", Need::Objcopy))
    }

    /// Without it Nuitka compiles everything again after any change. On Windows it has its own.
    fn ccache(&self) -> Option<Finding> {
        let mut freezers = self.needs.pythons.iter().flat_map(|it| &it.freezers);
        if self.needs.target.os == Os::Windows || !freezers.any(|it| *it == Freezer::Nuitka) {
            return None;
        }
        let finding = Finding::new("ccache", "sidecar");
        Some(match self.probes.version(&versions::ccache()) {
            Ok(probed) => finding.found(number(&probed.version).unwrap_or(&probed.version)),
            Err(_) => Finding {
                fix: Some(self.package(Need::Ccache)),
                ..finding
            },
        })
    }

    /// Without them nobody looks into the finished installers.
    fn unpackers(&self) -> Vec<Finding> {
        let mut tools: Vec<Tool> = Vec::new();
        for tool in self.needs.bundle.iter().flat_map(|it| unpack::tools(*it)) {
            if tools.iter().all(|it| it.names != tool.names) {
                tools.push(*tool);
            }
        }
        tools
            .into_iter()
            .map(|it| self.recommended(&it, "bundle"))
            .collect()
    }

    /// A program without which less is done.
    fn recommended(&self, tool: &Tool, wanted_for: &'static str) -> Finding {
        let finding = Finding::new(tool.names[0], wanted_for);
        match tool.find_with(|name| self.probes.find(name).ok()) {
            Some(found) => finding.found(found.display().to_string()),
            None => Finding {
                fix: Some(self.package(tool.need)),
                ..finding
            },
        }
    }

    fn test_tools(&self) -> Vec<Finding> {
        let tools = [
            ("Xvfb", Need::Xvfb),
            ("xvfb-run", Need::Xvfb),
            ("xauth", Need::Xauth),
            ("dbus-run-session", Need::DbusSession),
            ("dpkg", Need::Dpkg),
            ("rpm", Need::Rpm),
            ("minisign", Need::Minisign),
            ("import", Need::ScreenShots),
        ];
        let mut findings: Vec<Finding> = tools
            .map(|(name, need)| self.program(name, "tests", need))
            .into();
        // Either of them lists the windows on a display.
        let found = ["xdotool", "xprop"]
            .iter()
            .find_map(|it| self.probes.find(it).ok());
        let found = found.map(|it| it.display().to_string());
        findings.push(
            Finding::new("xdotool or xprop", "tests")
                .or_missing(found, || self.package(Need::WindowTools)),
        );
        // They make and unpack installers for tests of what looks into them.
        let of_installers: [(&'static [&'static str], Need); 15] = [
            (&["mksquashfs"], Need::Squashfs),
            (&["rpmbuild"], Need::Rpm),
            (&["7zz", "7z"], Need::SevenZip),
            (&["makensis"], Need::Nsis),
            // It installs what was made for Windows, and a program for Windows is what that is.
            (&["wine"], Need::Wine),
            (&["x86_64-w64-mingw32-gcc"], Need::Mingw),
            (&["msiextract"], Need::Msitools),
            (&["wixl"], Need::Wixl),
            (&["xorriso"], Need::Xorriso),
            (&["patchelf"], Need::Patchelf),
            // They sign, or make what signing needs, for tests of signing.
            (&["openssl"], Need::Openssl),
            (&["osslsigncode"], Need::Osslsigncode),
            (&["gcab"], Need::Gcab),
            (&["debsigs"], Need::Debsigs),
            (&["debsig-verify"], Need::DebsigVerify),
        ];
        let tools = of_installers.map(|(names, need)| Tool { names, need });
        findings.extend(tools.iter().map(|it| self.recommended(it, "tests")));
        findings.push(self.token());
        findings.push(self.rcodesign());
        findings.extend(self.linters());
        findings.extend(self.installer_trial());
        findings.extend(self.appimage_runtime());
        findings
    }

    /// A token without hardware, and what lets osslsigncode use it: one is of no use without the
    /// other.
    fn token(&self) -> Finding {
        let token = Tool {
            names: &["softhsm2-util"],
            need: Need::SoftHsm,
        };
        let finding = self.recommended(&token, "tests");
        let both = [Need::SoftHsm, Need::Pkcs11Engine].map(|it| self.package(it));
        let names = both.iter().filter_map(|it| match it {
            Fix::Packages(names) => Some(names.clone()),
            _ => None,
        });
        let names: Vec<String> = names.flatten().collect();
        match finding.fix {
            Some(Fix::Packages(_)) => Finding {
                fix: Some(Fix::Packages(names)),
                ..finding
            },
            _ => finding,
        }
    }

    /// No system has a package of it. What `--setup` built stays in `target/tools`.
    fn rcodesign(&self) -> Finding {
        let built = self.needs.root.join(TOOLS).join("bin/rcodesign");
        let found = Some(built).filter(|it| it.is_file());
        let finding = Finding::new("rcodesign", "tests");
        match found.or_else(|| self.probes.find("rcodesign").ok()) {
            Some(found) => finding.found(found.display().to_string()),
            None => Finding {
                fix: Some(Fix::Crate("apple-codesign", "0.29.0")),
                ..finding
            },
        }
    }

    fn disk(&self, folder: &Path) -> Option<Finding> {
        let kib = doctor::free_kib(self.probes, folder)?;
        let gib = |kib: u64| format!("{:.1} GiB", kib as f64 / 1024.0 / 1024.0);
        let finding = Finding::new("disk space", "all steps").found(gib(kib));
        Some(match kib < DISK_KIB {
            true => finding.problem(
                format!("{} are needed", gib(DISK_KIB)),
                Fix::ByHand(format!("make room for {}", folder.display())),
            ),
            false => finding,
        })
    }
}

impl Finding {
    fn new(tool: impl Into<String>, wanted_for: &'static str) -> Self {
        Self {
            tool: tool.into(),
            wanted_for,
            found: None,
            problem: None,
            fix: None,
        }
    }

    fn found(mut self, what: impl Into<String>) -> Self {
        self.found = Some(what.into());
        self
    }

    fn problem(mut self, problem: impl Into<String>, fix: Fix) -> Self {
        self.problem = Some(problem.into());
        self.fix = Some(fix);
        self
    }

    fn or_missing(self, found: Option<String>, fix: impl FnOnce() -> Fix) -> Self {
        match found {
            Some(found) => self.found(found),
            None => self.problem("missing", fix()),
        }
    }

    /// A program with a version that must not be older than `oldest`.
    fn or_too_old(self, text: &str, oldest: &Version, fix: impl FnOnce() -> Fix) -> Self {
        let shown = number(text).unwrap_or(text).to_owned();
        match version(text) {
            Some(found) if found < *oldest => {
                let wanted = short(oldest);
                self.found(shown)
                    .problem(format!("too old: {wanted} is needed"), fix())
            }
            _ => self.found(shown),
        }
    }
}

/// The first number in a program's answer: `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn number(text: &str) -> Option<&str> {
    let words = text.split(|it: char| it.is_whitespace() || "(),\"'".contains(it));
    words.map(|it| it.trim_start_matches('v')).find_map(|word| {
        let end = word
            .find(|it: char| !it.is_ascii_digit() && it != '.')
            .unwrap_or(word.len());
        let number = word[..end].trim_end_matches('.');
        number.contains('.').then_some(number)
    })
}

/// The version in a program's answer; what it leaves out is 0.
fn version(text: &str) -> Option<Version> {
    let mut parts = number(text)?.split('.').map(|it| it.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    Some(Version::new(next(), next(), next()))
}

/// `18` for 18.0.0, `1.89` for 1.89.0.
fn short(version: &Version) -> String {
    let text = version.to_string();
    let text = text.strip_suffix(".0").unwrap_or(&text);
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_number_in_an_answer() {
        let check = |text: &str, found: &str| {
            assert_eq!(
                version(text).map(|it| it.to_string()).as_deref(),
                Some(found),
                "{text}"
            );
        };
        check("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0");
        check("cargo 1.96.0-nightly (f3f9e39a0 2026-05-01)", "1.96.0");
        check("v20.19.4", "20.19.4");
        check("10.8", "10.8.0");
        check("cc (Debian 12.2.0-14+deb12u1) 12.2.0", "12.2.0");
        check("Python 3.14.0rc2", "3.14.0");
        check("git version 2.39.5 (Apple Git-154)", "2.39.5");
        assert_eq!(version("no number, 5 words"), None);
        assert_eq!(short(&Version::new(18, 0, 0)), "18");
        assert_eq!(short(&Version::new(1, 89, 0)), "1.89");
        assert_eq!(short(&Version::new(10, 0, 0)), "10");
        assert_eq!(short(&Version::new(20, 19, 1)), "20.19.1");
    }
}
