//! Which program signs, and how one attempt of it goes.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, anyhow, bail, ensure};
use fs_err as fs;

use super::{
    Signer, TOUCH, Wish,
    attempts::{LOCAL, Meaning, Trouble, is_held, meaning},
    identity::Key,
};
use crate::{
    config::{WindowsSigning, WindowsTool},
    engine::{
        exec::{CommandFailed, Run},
        step::Context,
    },
    sign::{hands::Hands, secrets::Secrets},
    tools::{osslsigncode, signtool},
};

/// What signs.
#[derive(Debug)]
pub(super) enum Tool {
    Osslsigncode,
    Signtool(PathBuf),
    /// A program of one's own; `%1` is the file.
    Command(Vec<String>),
}

/// How long it may take to read a small file.
const LOOK: Duration = Duration::from_secs(60);

/// How often a file is looked at that another program has open, and the pause between.
const HELD_TRIES: usize = 6;
const HELD_PAUSE: Duration = Duration::from_secs(1);

const AS_ARGUMENT: &str = "signtool takes the password of a .pfx file only as an argument, which \
    everybody on this machine can read\n\
    hint: import the file into the store once (certutil -user -importpfx FILE) and name it by \
    `sign.windows.thumbprint`, say `sign.windows.tool = \"osslsigncode\"`, or accept it with \
    --allow-secret-in-args";

impl Tool {
    /// What the configuration says; else what fits the identity, and then the machine.
    pub(super) fn choose(
        config: &WindowsSigning,
        key: &Key,
        secrets: &Secrets,
        wish: Wish,
    ) -> Result<Self> {
        let has_osslsigncode = || which::which(osslsigncode::PROGRAM).is_ok();
        let wants_argument = matches!(key, Key::File(file) if !file.password.expose().is_empty());
        let tool = match (config.tool, key) {
            (_, Key::Command(words)) => return Ok(Self::Command(words.clone())),
            (WindowsTool::Auto, Key::Pkcs11(_)) => WindowsTool::Osslsigncode,
            (WindowsTool::Auto, Key::Store(_) | Key::Azure(_)) => WindowsTool::Signtool,
            // signtool takes the password of a file only as an argument.
            (WindowsTool::Auto, Key::File(..)) => {
                // Of one that is asked for, nobody knows yet.
                let may_want = wants_argument || secrets.can_ask();
                match cfg!(windows) && !(may_want && has_osslsigncode()) {
                    true => WindowsTool::Signtool,
                    false => WindowsTool::Osslsigncode,
                }
            }
            (chosen, _) => chosen,
        };
        if tool == WindowsTool::Osslsigncode {
            if !has_osslsigncode() {
                bail!(
                    "osslsigncode is not installed, or its folder is not on PATH\n\
                     hint: apt-get install osslsigncode, dnf install osslsigncode, or brew install \
                     osslsigncode"
                );
            }
            return Ok(Self::Osslsigncode);
        }
        let Some(program) = signtool::find() else {
            bail!(
                "signtool is neither on PATH nor in a Windows SDK that is installed\n\
                 hint: install the Windows SDK (winget install Microsoft.WindowsSDK.10.0.26100), or \
                 name the program in {}",
                signtool::VARIABLE
            );
        };
        if wants_argument && !wish.allow_secret_in_args {
            bail!(AS_ARGUMENT);
        }
        Ok(Self::Signtool(program))
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Osslsigncode => osslsigncode::PROGRAM,
            Self::Signtool(_) => signtool::PROGRAM,
            Self::Command(words) => words.first().map_or("", |it| it),
        }
    }
}

impl Signer {
    /// The program that signs, and its version, for fingerprints.
    ///
    /// # Errors
    /// It does not say.
    pub fn tool_version(&self, cx: &Context) -> Result<(String, String)> {
        let version = match &self.tool {
            Tool::Osslsigncode => {
                let answer = cx.probe(&osslsigncode::version())?.version;
                answer.trim_end_matches(", using:").to_owned()
            }
            Tool::Signtool(program) => signtool::version(program),
            Tool::Command(_) => "of your own".to_owned(),
        };
        Ok((self.tool.name().to_owned(), version))
    }

    /// The program that signs, for people.
    pub fn tool_name(&self) -> &str {
        self.tool.name()
    }

    /// One attempt to sign a copy of the file.
    pub(super) fn sign_into(
        &self,
        hands: &impl Hands,
        file: &Path,
        into: &Path,
        limit: Duration,
    ) -> Result<(), Trouble> {
        let run = self.signing(hands, file, into).map_err(Trouble::Lasting)?;
        run.timeout(limit).checked().map_err(|error| {
            // Nobody knows how far it got.
            fs::remove_file(into).ok();
            match trouble(error) {
                // What it is that failed is not known to pass.
                Trouble::Here(why) => Trouble::Lasting(anyhow!("{}: {why}", self.tool.name())),
                other => other,
            }
        })?;
        Ok(())
    }

    fn signing<'h>(&self, hands: &'h impl Hands, file: &Path, into: &Path) -> Result<Run<'h>> {
        let password = self.key.password(&self.secrets)?;
        if let Tool::Osslsigncode = self.tool {
            let p12;
            let key = match &self.key {
                Key::File(file) => {
                    p12 = self.pkcs12(&file.bytes)?;
                    osslsigncode::Key::Pkcs12(&p12)
                }
                Key::Pkcs11(token) => osslsigncode::Key::Pkcs11 {
                    module: &token.module,
                    uri: &token.key,
                    certificate: &token.certificate,
                },
                _ => bail!("osslsigncode has no access to {}", self.identity_text()),
            };
            let password = password.map(|it| it.expose().to_owned());
            let password = password.unwrap_or_default();
            let has_password = !password.is_empty();
            let command = osslsigncode::sign(key, has_password, &self.label, file, into);
            return Ok(hands.exec(command).stdin(password));
        }
        // These sign in place.
        fs::copy(file, into)?;
        let mut command = match &self.tool {
            Tool::Signtool(program) => self.with_signtool(program, into)?,
            Tool::Osslsigncode => unreachable!("handled above"),
            Tool::Command(words) => own_command(words, into)?,
        };
        for (name, secret) in self.for_services()? {
            command.env(name, secret.expose());
        }
        Ok(hands.exec(command))
    }

    fn with_signtool(&self, program: &Path, into: &Path) -> Result<Command> {
        let (p12, password);
        let key = match &self.key {
            Key::Store(thumbprint) => signtool::Key::Store(thumbprint),
            Key::Azure(account) => signtool::Key::Azure {
                dlib: &account.dlib,
                metadata: &account.metadata,
            },
            Key::File(file) => {
                p12 = self.pkcs12(&file.bytes)?;
                password = self.secrets.password(file)?;
                let password = Some(&password).filter(|it| !it.expose().is_empty());
                ensure!(password.is_none() || self.allow_secret_in_args, AS_ARGUMENT);
                signtool::Key::Pkcs12(&p12, password)
            }
            _ => bail!("signtool has no access to {}", self.identity_text()),
        };
        Ok(signtool::sign(program, key, &self.label, into))
    }

    /// Signs something small, to see whose certificate it is.
    pub(super) fn sign_sample(&self, hands: &impl Hands, file: &Path, into: &Path) -> Result<()> {
        match self.sign_into(hands, file, into, TOUCH) {
            Ok(()) => Ok(()),
            Err(Trouble::Lasting(error)) => Err(self.explained(error, "a signature for practice")),
            Err(Trouble::Passing(why) | Trouble::Here(why)) => bail!("{}: {why}", self.tool.name()),
        }
    }

    /// One attempt to have the signature timestamped by a server.
    pub(super) fn stamp_into(
        &self,
        hands: &impl Hands,
        server: &str,
        signed: &Path,
        into: &Path,
        limit: Duration,
    ) -> Result<(), Trouble> {
        let lasting = |error: std::io::Error| Trouble::Lasting(error.into());
        if into.exists() {
            // Of an attempt whose timestamp was worth nothing.
            fs::remove_file(into).map_err(lasting)?;
        }
        let command = match &self.tool {
            Tool::Osslsigncode => osslsigncode::timestamp(server, signed, into),
            Tool::Signtool(program) => {
                fs::copy(signed, into).map_err(lasting)?;
                signtool::timestamp(program, server, into)
            }
            Tool::Command(_) => return Ok(()),
        };
        hands
            .exec(command)
            .timeout(limit)
            .checked()
            .map_err(|error| {
                fs::remove_file(into).ok();
                of_server(trouble(error))
            })?;
        Ok(())
    }

    /// What Microsoft's tool says of somebody else's signature: nothing wrong, or what; none where there
    /// is no such tool. It knows the authorities that Windows trusts.
    ///
    /// # Errors
    /// It could not be asked.
    pub(super) fn windows_says(
        &self,
        hands: &impl Hands,
        file: &Path,
    ) -> Result<Option<Result<(), String>>> {
        let Some(program) = self.signtool() else {
            return Ok(None);
        };
        let objection = ask_signtool(hands, &program, file)?;
        Ok(Some(objection.map_or(Ok(()), Err)))
    }

    /// Microsoft's tool, where that signs, or could.
    pub(super) fn signtool(&self) -> Option<PathBuf> {
        match &self.tool {
            Tool::Signtool(program) => Some(program.clone()),
            _ if cfg!(windows) => signtool::find(),
            _ => None,
        }
    }

    /// What the tool's own check objects to; none if nothing.
    ///
    /// # Errors
    /// It could not be asked.
    pub(super) fn objection(&self, hands: &impl Hands, file: &Path) -> Result<Option<String>> {
        match &self.tool {
            // Without somebody to trust it could only complain.
            Tool::Osslsigncode => {
                let Some(signature) = &self.config.trust else {
                    return Ok(None);
                };
                let timestamp = self.config.timestamp_trust.as_ref().unwrap_or(signature);
                let anchors = osslsigncode::Anchors {
                    signature,
                    timestamp,
                };
                let command = osslsigncode::verify(anchors, file);
                let finished = hands.exec(command).timeout(LOOK).output()?;
                // Whom to believe about the time is not known otherwise: the timestamp was read, and counts
                // for as long as the certificate does.
                let is_stamped = self.config.timestamp == crate::config::Timestamping::Rfc3161
                    && self.config.timestamp_trust.is_some();
                Ok(osslsigncode::objection(&finished.printed, is_stamped))
            }
            Tool::Signtool(program) => ask_signtool(hands, program, file),
            Tool::Command(_) => Ok(None),
        }
    }

    /// What Windows objects to in a signature, whether it has a timestamp or not; none if nothing, or
    /// if another tool signs.
    ///
    /// # Errors
    /// It could not be asked.
    pub(super) fn windows_objection(
        &self,
        hands: &impl Hands,
        file: &Path,
    ) -> Result<Option<String>> {
        match &self.tool {
            Tool::Signtool(program) => ask_signtool(hands, program, file),
            Tool::Osslsigncode | Tool::Command(_) => Ok(None),
        }
    }
}

fn ask_signtool(hands: &impl Hands, program: &Path, file: &Path) -> Result<Option<String>> {
    let mut tries = 1..HELD_TRIES;
    loop {
        let command = signtool::verify(program, file);
        let finished = hands.exec(command).timeout(LOOK).output()?;
        if finished.status.success() {
            return Ok(None);
        }
        // That says nothing of the signature.
        if !is_held(&finished.printed) || tries.next().is_none() {
            return Ok(Some(signtool::objection(&finished.printed)));
        }
        hands.pause(HELD_PAUSE)?;
    }
}

/// The words of `sign.windows.command`, with the file in the place of `%1`.
fn own_command(words: &[String], file: &Path) -> Result<Command> {
    let file = file.to_string_lossy();
    let mut words = words.iter().map(|it| it.replace("%1", &file));
    let program = words.next().unwrap_or_default();
    let program = which::which(&program).unwrap_or_else(|_| program.into());
    let mut command = Command::new(program);
    command.args(words);
    Ok(command)
}

/// A timestamp takes no key of ours: where a certificate has expired or access is denied, that is the
/// server's, and another one may do. Only what is wrong on this machine is wrong everywhere.
fn of_server(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Lasting(error)
            if error.is::<CommandFailed>()
                && !LOCAL.iter().any(|it| error.to_string().starts_with(it)) =>
        {
            Trouble::Here(error.to_string())
        }
        other => other,
    }
}

/// Whether it may go better the next time.
fn trouble(error: anyhow::Error) -> Trouble {
    let Some(failed) = error.downcast_ref::<CommandFailed>() else {
        return Trouble::Lasting(error);
    };
    if failed.timed_out() {
        return Trouble::Passing(failed.status.replace("timed out", "no answer, given up"));
    }
    match meaning(&failed.printed) {
        Meaning::Lasting(why) => Trouble::Lasting(error.context(why)),
        Meaning::Passing(why) => Trouble::Passing(why),
        Meaning::Refused(why) => Trouble::Here(why),
        Meaning::Unknown(why) => Trouble::Here(why),
    }
}
