//! Apple's code signatures, inside out: code found by its first bytes, frameworks, the app, the disk
//! image. On macOS with `codesign`, elsewhere with `rcodesign`, which makes the same signatures.
//!
//! | module | its one noun |
//! |---|---|
//! | [`plan`] | what is signed, in order, with which entitlements |
//! | [`discover`] | what carries a signature of its own |
//! | [`links`] | a framework that lost its links |
//! | [`onefile`] | a program that unpacks its libraries |
//! | [`identity`] | whose key signs |
//! | [`keychain`] | the keychain that `codesign` takes it from |
//! | [`entitled`] | what the signature lets code do |
//! | [`check`] | what came of it |

pub mod check;
pub mod discover;
mod entitled;
pub mod identity;
pub mod keychain;
pub mod links;
pub mod onefile;
pub mod plan;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use xtask_signed::Trust;

use self::{
    discover::Kind,
    identity::Identity,
    plan::{Entitlements, Item, NO_LIBRARY_VALIDATION},
};
use super::{hands::Hands, order, private::Private, secrets::Secrets};
use crate::{
    config::{AppleSigning, Timestamping},
    engine::{
        event::Level,
        exec::{CommandFailed, Finished},
    },
    tools::{codesign, rcodesign},
};

/// Waits before the timestamp server is asked again.
const BACKOFF: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
/// How a list of entitlements begins inside of a signature (`CSMAGIC_EMBEDDED_ENTITLEMENTS`).
const EMBEDDED: [u8; 4] = [0xfa, 0xde, 0x71, 0x71];

/// What signing needs.
pub struct Signing<'a> {
    /// Runs the tools.
    pub hands: &'a dyn Hands,
    /// `[sign.macos]`.
    pub config: &'a AppleSigning,
    /// Names of the sidecars; beside an app's main executable they are one file each.
    pub sidecars: &'a [String],
    /// Where the certificate comes from.
    pub secrets: &'a Secrets,
    /// The target's folder of state.
    pub state: &'a Path,
}

/// What was signed.
#[derive(Debug)]
pub struct Outcome {
    /// Whose signature it is.
    pub signer: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
    /// In the order in which it was signed.
    pub files: Vec<(Item, xtask_signed::Signed)>,
    /// Decisions that belong into the record of a run: what was decided, and why.
    pub facts: Vec<(String, String)>,
}

impl Signing<'_> {
    /// Signs apps, disk images and loose code in place; none if no identity is configured.
    ///
    /// # Errors
    /// Says which file could not be signed, and why.
    pub fn sign(&self, paths: &[PathBuf]) -> Result<Option<Outcome>> {
        let private = Private::new(self.state)?;
        let found = Identity::find(self.hands, self.config, self.secrets, self.state, &private)?;
        let Some(identity) = found else {
            return Ok(None);
        };
        let one = One {
            signing: self,
            trust: check::trust(self.config)?,
            private: &private,
            identity: &identity,
        };
        let mut outcome = Outcome {
            signer: identity.name(),
            fingerprint: String::new(),
            files: Vec::new(),
            facts: Vec::new(),
        };
        for path in paths {
            one.all(path, &mut outcome)?;
        }
        let first = outcome
            .files
            .first()
            .and_then(|it| it.1.fingerprint.clone());
        outcome.fingerprint = first.context("there was nothing to sign")?;
        Ok(Some(outcome))
    }
}

/// Signing with an identity.
struct One<'a, 'h> {
    signing: &'a Signing<'a>,
    trust: Trust,
    private: &'a Private,
    identity: &'a Identity<'h>,
}

impl One<'_, '_> {
    /// All of what lies at a path.
    fn all(&self, path: &Path, outcome: &mut Outcome) -> Result<()> {
        if path.is_dir() {
            for it in links::mend(path)? {
                outcome.facts.push((
                    format!("link {}", it.link),
                    format!("made anew, to {}", it.target),
                ));
            }
        }
        let Signing {
            config, sidecars, ..
        } = self.signing;
        let items = plan::plan(path, config, sidecars)?;
        for item in items {
            if let Entitlements::NoLibraryValidation(why) = &item.entitlements {
                let key = format!("entitlement of {}", item.name);
                outcome
                    .facts
                    .push((key, format!("{NO_LIBRARY_VALIDATION}: {why}")));
            }
            if let Entitlements::PassedOver(_) = &item.entitlements {
                let key = format!("entitlements of {}", item.name);
                outcome.facts.push((key, item.entitlements.to_string()));
            }
            let place = outcome.files.len();
            if item.kind == Kind::Bundle && item.path == path {
                // The last moment at which a file in it may change.
                order::refresh(path)?;
            }
            self.one(&item, place)?;
            let known = outcome
                .files
                .first()
                .and_then(|it| it.1.fingerprint.as_deref());
            let known = match self.identity {
                Identity::Rcodesign(_, certificate) => Some(certificate.fingerprint()),
                Identity::Codesign(..) => known.map(str::to_owned),
            };
            let signed = check::check(&item, config, &self.trust, known.as_deref())?;
            outcome.files.push((item, signed));
        }
        Ok(())
    }

    fn one(&self, item: &Item, place: usize) -> Result<()> {
        let entitlements = self.entitlements(item, place)?;
        let command = || self.command(item, entitlements.as_deref());
        let ran = self
            .patiently(command)
            .with_context(|| format!("{} cannot be signed", item.name))?;
        drop(ran);
        if let Identity::Codesign(..) = self.identity {
            let deep = item.kind == Kind::Bundle;
            let verify = codesign::verify_cmd(&item.path, deep);
            self.signing
                .hands
                .exec(verify)
                .run()
                .with_context(|| format!("{} was signed in vain", item.name))?;
        }
        Ok(())
    }

    fn command(&self, item: &Item, entitlements: Option<&Path>) -> Command {
        let config = self.signing.config;
        let stamped = config.timestamp == Timestamping::Rfc3161;
        match self.identity {
            Identity::Rcodesign(words, _) => {
                let what = match item.kind {
                    Kind::Code => rcodesign::What::Code,
                    Kind::Framework | Kind::Bundle => rcodesign::What::Bundle,
                    Kind::Image => rcodesign::What::Image,
                };
                let server = stamped.then_some(&*config.timestamp_server);
                rcodesign::sign_cmd(what, &item.path, words, entitlements, server)
            }
            Identity::Codesign(identity, _, keychain) => {
                let signer = codesign::Signer {
                    identity,
                    keychain: keychain.as_ref().map(keychain::Keychain::path),
                };
                let hardened = item.kind != Kind::Image;
                codesign::sign_cmd(&item.path, &signer, hardened, entitlements, stamped)
            }
        }
    }

    /// The file with the entitlements; none if there are none.
    fn entitlements(&self, item: &Item, place: usize) -> Result<Option<PathBuf>> {
        let text = match &item.entitlements {
            Entitlements::File(file) => return Ok(Some(file.clone())),
            Entitlements::NoLibraryValidation(_) => {
                format!("<key>{NO_LIBRARY_VALIDATION}</key><true/>")
            }
            // `rcodesign` keeps those of an older signature unless it is given others.
            _ if self.has_entitlements(item)? => String::new(),
            Entitlements::None | Entitlements::PassedOver(_) => return Ok(None),
        };
        let plist = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
             <plist version=\"1.0\"><dict>{text}</dict></plist>\n"
        );
        let name = format!("{place}.entitlements");
        self.private.file(&name, plist.as_bytes()).map(Some)
    }

    fn has_entitlements(&self, item: &Item) -> Result<bool> {
        let code = discover::executable(&item.path, item.kind);
        match (self.identity, code) {
            (Identity::Codesign(..), _) | (_, None) => Ok(false),
            (_, Some(code)) => {
                let data = fs_err::read(code)?;
                Ok(data.windows(EMBEDDED.len()).any(|it| it == EMBEDDED))
            }
        }
    }

    /// Runs it, again if the timestamp server failed.
    fn patiently(&self, command: impl Fn() -> Command) -> Result<Finished> {
        let hands = self.signing.hands;
        let mut waits = BACKOFF.iter();
        loop {
            let ran = hands.exec(command()).output()?;
            if ran.status.success() {
                return Ok(ran);
            }
            let transient = match self.identity {
                Identity::Rcodesign(..) => rcodesign::is_transient(&ran.printed),
                Identity::Codesign(..) => codesign::is_transient(&ran.printed),
            };
            match waits.next().filter(|_| transient) {
                Some(wait) => {
                    let text = format!(
                        "the timestamp server failed; it is asked again in {} s",
                        wait.as_secs()
                    );
                    hands.note(Level::Warning, text);
                    hands.pause(*wait)?;
                }
                None => bail!(failed(ran)),
            }
        }
    }
}

/// A command that ended badly, as an error.
pub(crate) fn failed(ran: Finished) -> CommandFailed {
    CommandFailed {
        code: ran.status.code(),
        status: ran.status.to_string(),
        command: ran.command,
        tail: ran.tail,
        printed: ran.printed,
        log: ran.log,
    }
}
