//! What signs, as far as something is configured or in the environment to sign with. minisign is
//! not among it: that is done in process.

use std::path::PathBuf;

use super::{Finding, Fix, Look};
use crate::{
    config::{AppleTool, Config, LinuxSigning, WindowsIdentity, WindowsTool},
    engine::probe::Probe,
    sign::macos,
    target::{Os, Target},
    tools::{osslsigncode, packages::Need, signtool, unpack::Tool, versions},
};

/// The step that needs it.
const SIGN: &str = "sign";
/// What signs for macOS elsewhere: no system has a package of it.
const RCODESIGN: &str = "cargo install apple-codesign --locked";

/// What opens the notary.
const NOTARY: [&str; 2] = ["APPLE_API_KEY", "APPLE_KEYCHAIN_PROFILE"];

/// What signs code for a system that wants it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeTool {
    /// Microsoft's, and files that it loads.
    Signtool(Vec<PathBuf>),
    /// The one of OpenSSL, and the library of the token, if the key is in one.
    Osslsigncode(Option<PathBuf>),
    /// A program of one's own.
    Command(String),
    /// Apple's.
    Codesign {
        /// Whether the certificate is in a file, for which a keychain is made.
        file: bool,
        /// Whether Apple is asked to check a release.
        notarize: bool,
    },
    /// The one of the crate apple-codesign, which asks Apple, too.
    Rcodesign,
}

impl CodeTool {
    /// None where nothing is configured to sign with, or the system wants no such signatures.
    pub(super) fn of(config: &Config, target: &Target) -> Option<Self> {
        match target.os {
            Os::Linux => None,
            Os::Windows => Self::for_windows(config),
            Os::Macos => Self::for_macos(config),
        }
    }

    fn for_windows(config: &Config) -> Option<Self> {
        let sign = &config.sign.windows;
        let (module, loaded) = match &sign.identity {
            WindowsIdentity::File(file) if !any_set(&[&file.env, "CSC_LINK"]) => return None,
            WindowsIdentity::Pkcs11(token) => (Some(token.module.clone()), Vec::new()),
            WindowsIdentity::Azure(it) => (None, vec![it.dlib.clone(), it.metadata.clone()]),
            WindowsIdentity::Command(words) => return words.first().cloned().map(Self::Command),
            WindowsIdentity::File(_) | WindowsIdentity::Store(_) => (None, Vec::new()),
        };
        let by_itself = matches!(
            sign.identity,
            WindowsIdentity::Store(_) | WindowsIdentity::Azure(_)
        );
        Some(match sign.tool {
            WindowsTool::Signtool => Self::Signtool(loaded),
            WindowsTool::Auto if by_itself => Self::Signtool(loaded),
            _ => Self::Osslsigncode(module),
        })
    }

    fn for_macos(config: &Config) -> Option<Self> {
        let sign = &config.sign.macos;
        let file = any_set(&[&sign.certificate.env, "CSC_LINK"]);
        if !file && macos::identity::name(sign).is_none() {
            return None;
        }
        Some(match macos::identity::tool(sign) {
            AppleTool::Rcodesign => Self::Rcodesign,
            _ => Self::Codesign {
                file,
                notarize: sign.notarize && any_set(&NOTARY),
            },
        })
    }
}

/// Whether this run would sign: a key that the repository's configuration names belongs to the
/// publisher, and other machines build without it.
pub(super) fn is_publisher(config: &Config) -> bool {
    let key = &config.sign.minisign.key_env;
    let in_environment = match &config.sign.windows.identity {
        WindowsIdentity::Pkcs11(token) => any_set(&[&token.pin_env]),
        WindowsIdentity::File(_) => true,
        _ => false,
    };
    in_environment || any_set(&[key, &format!("{key}_PATH")])
}

/// Whether one of the variables, or that for a file with the same, has a value.
fn any_set(names: &[&str]) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    names
        .iter()
        .any(|it| is_set(it) || is_set(&format!("{it}_FILE")))
}

impl Look<'_> {
    /// What signs the target's code.
    pub(super) fn code_signing(&self) -> Vec<Finding> {
        let mut findings = self.code_tools();
        if !self.needs.publisher {
            findings.iter_mut().for_each(|it| it.problem = None);
        }
        findings
    }

    fn code_tools(&self) -> Vec<Finding> {
        match &self.needs.code {
            None => Vec::new(),
            Some(CodeTool::Signtool(loaded)) => {
                let mut findings = vec![self.signtool()];
                let fix = "set its path in [sign.windows.azure]";
                findings.extend(loaded.iter().map(|it| file(it, fix)));
                findings
            }
            Some(CodeTool::Osslsigncode(module)) => {
                let probe = osslsigncode::version();
                let mut tool = self.versioned("osslsigncode", &probe, Need::Osslsigncode);
                if let (Some(_), Some(Fix::Packages(names))) = (module, &mut tool.fix) {
                    // Without it no token can be asked.
                    if let Fix::Packages(engine) = self.package(Need::Pkcs11Engine) {
                        names.extend(engine);
                    }
                }
                let fix = "install the token's software, or set `module` in [sign.windows.pkcs11]";
                let module = module.iter().map(|it| file(it, fix));
                std::iter::once(tool).chain(module).collect()
            }
            Some(CodeTool::Command(program)) => {
                let found = self.probes.find(program).ok();
                let fix = || {
                    Fix::ByHand(format!(
                        "install {program}: `sign.windows.command` names it"
                    ))
                };
                let found = found.map(|it| it.display().to_string());
                vec![Finding::new(program, SIGN).or_missing(found, fix)]
            }
            Some(CodeTool::Codesign { file, notarize }) => self.of_apple(*file, *notarize),
            Some(CodeTool::Rcodesign) => {
                let openssl = Tool {
                    names: &["openssl"],
                    need: Need::Openssl,
                };
                // It takes files apart that rcodesign cannot read.
                vec![self.rcodesign_to_sign(), self.recommended(&openssl, SIGN)]
            }
        }
    }

    /// What signs with OpenPGP: checksums, and the packages of Linux.
    pub(super) fn openpgp(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.needs.gpg {
            return findings;
        }
        findings.push(self.versioned("gpg", &versions::gpg(), Need::Gpg));
        let LinuxSigning { deb, rpm } = self.needs.signed_packages;
        if self.needs.target.os != Os::Linux || !(deb || rpm) {
            return findings;
        }
        let gpgv = Probe::new("gpgv", ["--version"]);
        findings.push(self.versioned("gpgv", &gpgv, Need::Gpgv));
        if rpm {
            findings.push(self.versioned("rpmsign", &versions::rpmsign(), Need::Rpmsign));
        }
        if deb {
            // It checks once more what was signed.
            let check = Tool {
                names: &["debsig-verify"],
                need: Need::DebsigVerify,
            };
            findings.push(self.recommended(&check, SIGN));
        }
        findings
    }

    /// A program that must be there, with its version if it says one.
    fn versioned(&self, name: &str, probe: &Probe, need: Need) -> Finding {
        self.or_by_hand(name, probe, || self.package(need))
    }

    fn or_by_hand(&self, name: &str, probe: &Probe, fix: impl FnOnce() -> Fix) -> Finding {
        let finding = Finding::new(name, SIGN);
        let Ok(path) = self.probes.find(name) else {
            return finding.problem("missing", fix());
        };
        let answer = self.probes.version(probe).ok();
        let number = answer.and_then(|it| super::number(&it.version).map(str::to_owned));
        finding.found(number.unwrap_or_else(|| path.display().to_string()))
    }

    fn signtool(&self) -> Finding {
        let on_path = self.probes.find("signtool").ok();
        let found = on_path.or_else(|| cfg!(windows).then(signtool::find).flatten());
        let found = found.map(|it| format!("{}, {}", signtool::version(&it), it.display()));
        Finding::new("signtool", SIGN).or_missing(found, || {
            Fix::ByHand(match cfg!(windows) {
                true => "winget install -e --id Microsoft.WindowsSDK.10.0.26100".to_owned(),
                false => "sign on Windows, or with a certificate that osslsigncode can use: see \
                          docs/signing.md"
                    .to_owned(),
            })
        })
    }

    fn of_apple(&self, file: bool, notarize: bool) -> Vec<Finding> {
        let programs = [("codesign", true), ("security", file), ("xcrun", notarize)];
        let wanted = programs.into_iter().filter(|(_, wanted)| *wanted);
        wanted
            .map(|(name, _)| {
                let found = self.probes.find(name).ok();
                let found = found.map(|it| it.display().to_string());
                Finding::new(name, SIGN).or_missing(found, || {
                    Fix::ByHand(match cfg!(target_os = "macos") {
                        true => "xcode-select --install".to_owned(),
                        false => {
                            "sign on macOS, or set `sign.macos.tool = \"rcodesign\"`".to_owned()
                        }
                    })
                })
            })
            .collect()
    }

    fn rcodesign_to_sign(&self) -> Finding {
        let probe = versions::rcodesign();
        self.or_by_hand("rcodesign", &probe, || Fix::ByHand(RCODESIGN.to_owned()))
    }
}

/// A file that the configuration names.
fn file(path: &std::path::Path, fix: &str) -> Finding {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let found = path.is_file().then(|| path.display().to_string());
    Finding::new(name, SIGN).or_missing(found, || Fix::ByHand(fix.to_owned()))
}
