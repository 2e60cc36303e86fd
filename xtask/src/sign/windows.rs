//! Authenticode: one file after another is signed, timestamped and looked at, and only what is good
//! in all respects takes the file's place.
//!
//! Signature and timestamp are made by separate attempts. So a timestamp server that is down costs no
//! second use of the key (a touch on a token, a call that a cloud service counts), and is known by its
//! name. Afterwards the file itself is read: tools exit with 0 when a timestamp is worth nothing.

pub mod attempts;
mod bundler;
mod check;
pub mod found;
mod identity;
mod judge;
mod plan;
mod tool;

use std::{
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use fs_err as fs;
use xtask_signed::Timestamp;

use self::{
    attempts::{Patience, Trouble, attempt},
    found::Before,
    identity::Key,
    judge::Judgement,
    tool::Tool,
};
use super::{hands::Hands, private::Private, secrets::Secrets};
use crate::{
    config::{Config, Timestamping, WindowsSigning},
    engine::{event::Level, staging},
    tools::osslsigncode::Label,
};

pub use bundler::{Call, sign_for_bundler};
pub use identity::Wish;
pub use plan::{plan, plan_bundle};

/// How long a signature may take: a token waits for a finger, a service for an approval.
const TOUCH: Duration = Duration::from_secs(300);

/// Signs files with the configured key.
pub struct Signer {
    config: WindowsSigning,
    key: Key,
    tool: Tool,
    label: Label,
    secrets: Secrets,
    /// Where private files are kept while they are needed, and what is known of certificates.
    state: PathBuf,
    private: OnceLock<Private>,
    /// The timestamp server that answered last: after an outage the next file begins with it.
    answered: AtomicUsize,
    /// Counts the files, to name their folders.
    files: AtomicUsize,
    certificate: OnceLock<identity::Known>,
    /// Whether a tool may be given a secret as an argument; a bundler's calls may then, too.
    allow_secret_in_args: bool,
    /// What a bundler starts to sign; none for this program.
    program: Option<PathBuf>,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was signed.
    Signed(Made),
    /// It carries somebody else's signature, which is valid, and keeps it.
    Foreign(Made),
    /// It carries this identity's signature already, and keeps it.
    Already(Made),
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The signer's common name.
    pub signer: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
    /// None if nobody vouches for the time.
    pub timestamp: Option<Timestamp>,
    /// What was wrong with an older signature in its place; none if there was none.
    pub replaced: Option<String>,
}

/// What would become of a file, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The signature that it keeps; none if it would be signed.
    pub keeps: Option<Made>,
    /// For people.
    pub why: String,
}

impl Signer {
    /// With the identity that the configuration or the environment gives; none if there is none.
    ///
    /// # Errors
    /// What is given cannot be read, the tool is missing, or it would take a secret as an argument.
    pub fn new(
        config: &Config,
        secrets: Secrets,
        state: &Path,
        wish: Wish,
    ) -> Result<Option<Self>> {
        let signing = config.sign.windows.clone();
        let Some(key) = Key::find(&signing.identity, &secrets, wish)? else {
            return Ok(None);
        };
        let tool = Tool::choose(&signing, &key, &secrets, wish)?;
        let description = signing.description.clone();
        Ok(Some(Self {
            label: Label {
                description: description.or_else(|| Some(config.product.name.clone())),
                url: signing.url.clone(),
            },
            config: signing,
            key,
            tool,
            secrets,
            state: state.to_owned(),
            private: OnceLock::new(),
            answered: AtomicUsize::new(0),
            files: AtomicUsize::new(0),
            certificate: OnceLock::new(),
            allow_secret_in_args: wish.allow_secret_in_args,
            program: None,
        }))
    }

    /// Whether somebody vouches for the time.
    pub fn timestamping(&self) -> Timestamping {
        self.config.timestamp
    }

    /// What Windows shows of the program.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Signs a file in place, unless it is signed already.
    ///
    /// # Errors
    /// What failed, where, and what to do. The file is then as it was.
    pub fn sign(&self, hands: &impl Hands, file: &Path) -> Result<Outcome> {
        let name = name_of(file);
        let before = Before::of(file, &self.config).with_context(|| name.clone())?;
        if self.must_be_asked(&before)? {
            self.certificate(hands)?;
        }
        let replaced = match self.judge(file, before)? {
            Judgement::Sign(replaced) => replaced,
            Judgement::Ours(made) => return Ok(Outcome::Already(made)),
            Judgement::Theirs(made) => match self.windows_says(hands, file)? {
                Some(Err(why)) => Some(format!("that of {} is not valid: {why}", made.signer)),
                None | Some(Ok(())) => return Ok(Outcome::Foreign(made)),
            },
            Judgement::Doubtful(made, why) => match self.windows_says(hands, file)? {
                Some(Ok(())) => return Ok(Outcome::Foreign(made)),
                None | Some(Err(_)) => Some(why),
            },
        };
        let patience = Patience::new(hands, self.config.patience);
        let made = self.make(hands, file, patience)?;
        if let Some(why) = &replaced {
            let text = format!("{name}: the signature in it was replaced: {why}");
            hands.note(Level::Warning, text);
        }
        Ok(Outcome::Signed(Made { replaced, ..made }))
    }

    /// Signs a file in place, also if it is signed: something in it was changed on purpose.
    ///
    /// # Errors
    /// Like [`Self::sign`].
    pub fn sign_anew(&self, hands: &impl Hands, file: &Path) -> Result<Made> {
        let patience = Patience::new(hands, self.config.patience);
        self.make(hands, file, patience)
    }

    /// Whether the key has to be used before anything can be said of the file. Of a file with a key it
    /// always is: a wrong password is to show at once.
    fn must_be_asked(&self, before: &Before) -> Result<bool> {
        Ok(match before {
            _ if matches!(self.key, Key::File(_)) => true,
            Before::Intact(found) => self.is_ours(found)?.is_none(),
            _ => false,
        })
    }

    /// What [`Self::sign`] would do. Changes nothing and asks nobody; so Microsoft's tool has no say yet.
    ///
    /// # Errors
    /// The file cannot be read, or is of another kind.
    pub fn intent(&self, file: &Path) -> Result<Intent> {
        let (keeps, why) = match self.judge(file, Before::of(file, &self.config)?)? {
            Judgement::Sign(None) => (None, "it has no signature".to_owned()),
            Judgement::Sign(Some(why)) => (None, format!("its signature is replaced: {why}")),
            Judgement::Doubtful(_, why) => (
                None,
                format!(
                    "its signature is replaced: {why}{}",
                    self.unless("accepts it")
                ),
            ),
            Judgement::Ours(made) => (Some(made), "it carries this signature already".to_owned()),
            Judgement::Theirs(made) => {
                let unless = self.unless("objects");
                let why = format!("it carries a valid signature of {}{unless}", made.signer);
                (Some(made), why)
            }
        };
        Ok(Intent { keeps, why })
    }

    /// What a plan cannot know where Microsoft's tool will be asked.
    fn unless(&self, what: &str) -> String {
        match self.signtool() {
            Some(_) => format!(", unless signtool {what}"),
            None => String::new(),
        }
    }

    /// What a file carries, if that is just what signing it would give but for the time. Somebody who
    /// is not trusted any more, or a certificate that has expired, is not good any more.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn still_good(&self, file: &Path) -> Result<Option<Made>> {
        let Ok(found) = found::read(file, &found::trust(&self.config)?) else {
            return Ok(None);
        };
        let Some(first) = found.first() else {
            return Ok(None);
        };
        let is_good = first.problems.is_empty() && !self.lacks_timestamp(first);
        let is_ours = self.is_ours(first)? == Some(true);
        Ok((is_good && is_ours).then(|| Made::of(first)))
    }

    fn lacks_timestamp(&self, found: &xtask_signed::Signed) -> bool {
        self.config.timestamp == Timestamping::Rfc3161 && found.timestamp.is_none()
    }

    /// Signs copies in a private folder; the last one takes the file's place.
    fn make(&self, hands: &impl Hands, file: &Path, patience: Patience) -> Result<Made> {
        let name = name_of(file);
        let folder = self.folder()?;
        let signed = folder.join("signed").join(&*name);
        let what = format!("signature on {name}");
        let tool = [self.tool.name().to_owned()];
        attempt(
            hands,
            &what,
            &tool,
            0,
            patience.for_people(TOUCH),
            |_, limit| self.sign_into(hands, file, &signed, limit),
        )
        .map_err(|error| self.explained(error, &what))?;
        let explained = |error| self.explained(error, &what);
        let (made, done) = if self.timestamp_apart() {
            check::unstamped(self, hands, &signed).map_err(explained)?;
            let stamped = folder.join("stamped").join(&*name);
            (self.stamp(hands, &signed, &stamped, patience)?, stamped)
        } else {
            (
                check::file(self, hands, &signed).map_err(explained)?,
                signed,
            )
        };
        put(&done, file)?;
        fs::remove_dir_all(folder)?;
        Ok(made)
    }

    /// Whether the timestamp is made by an attempt of its own.
    fn timestamp_apart(&self) -> bool {
        self.config.timestamp == Timestamping::Rfc3161 && !matches!(self.tool, Tool::Command(_))
    }

    /// Asks one server after another, until one gives a timestamp that is worth something.
    fn stamp(
        &self,
        hands: &impl Hands,
        signed: &Path,
        into: &Path,
        patience: Patience,
    ) -> Result<Made> {
        let what = format!("timestamp on {}", name_of(signed));
        let servers = &self.config.timestamp_servers;
        let first = self.answered.load(Ordering::Relaxed) % servers.len().max(1);
        let asked = attempt(hands, &what, servers, first, patience, |server, limit| {
            self.stamp_into(hands, server, signed, into, limit)?;
            check::file(self, hands, into).map_err(|error| Trouble::Here(format!("{error:#}")))
        });
        let (answered, made) = asked.with_context(|| {
            "no timestamp, and a signature without one ends with its certificate\n\
             hint: run the same command again later, name other servers in \
             `sign.windows.timestamp-servers`, raise `sign.windows.patience`, or accept it with \
             `timestamp = \"none\"`"
        })?;
        self.answered.store(answered, Ordering::Relaxed);
        Ok(made)
    }

    /// A new folder that only this user may enter, for the copies of one file.
    fn folder(&self) -> Result<PathBuf> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let folder = self.private()?.path().join(format!("file-{number}"));
        fs::create_dir_all(folder.join("signed"))?;
        fs::create_dir_all(folder.join("stamped"))?;
        Ok(folder)
    }

    fn private(&self) -> Result<&Private> {
        if let Some(made) = self.private.get() {
            return Ok(made);
        }
        let made = Private::new(&self.state)?;
        Ok(self.private.get_or_init(|| made))
    }

    /// A failure of the key says where the key comes from.
    fn explained(&self, error: anyhow::Error, what: &str) -> anyhow::Error {
        if error.is::<crate::engine::exec::Interrupted>() {
            return error;
        }
        if error.to_string().contains(attempts::NO_FORMAT) {
            // The key has no part in it.
            return error.context(format!("{what} could not be made"));
        }
        let mut hint = self.key.hint();
        let text = error.to_string();
        // What Windows does not trust has a hint of its own.
        if text.contains("trusted") && !text.contains("hint: ") {
            hint += "; it must come with the certificates between it and one that \
                     `sign.windows.trust` names";
        }
        anyhow!("{error:#}\nhint: {hint}").context(format!("{what} could not be made"))
    }
}

impl Made {
    /// For people: whose it is.
    pub fn shown(&self) -> String {
        format!("{} (certificate {})", self.signer, self.fingerprint)
    }

    fn of(found: &xtask_signed::Signed) -> Self {
        Self {
            signer: found.signer.clone().unwrap_or_default(),
            fingerprint: found.fingerprint.clone().unwrap_or_default(),
            timestamp: found.timestamp.clone(),
            replaced: None,
        }
    }
}

fn name_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Puts a finished copy in the file's place, with the file's own mode: tools give theirs another.
fn put(done: &Path, file: &Path) -> Result<()> {
    // Of a link, what it leads to.
    let file = fs::canonicalize(file)?;
    let mode = fs::metadata(&file)?.permissions();
    // Beside it, so that a full disk or a crash leaves the old file or the new one.
    let beside = file.with_file_name(format!(".{}.signed", name_of(&file)));
    let copied = fs::copy(done, &beside).and_then(|_| fs::set_permissions(&beside, mode));
    let moved = copied
        .map_err(Into::into)
        .and_then(|()| staging::replace(&beside, &file));
    if moved.is_err() {
        fs::remove_file(&beside).ok();
    }
    moved
}
