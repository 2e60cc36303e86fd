//! `sign plan` shows what would be signed; `sign FILE…` signs files by themselves.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use super::{INTERRUPTED, World, print, target};
use crate::{
    cli::{OnTarget, Sign, SignCommand},
    config::Config,
    engine::{
        event::Level,
        exec::{Exec, Interrupted, Log},
        lock::Lock,
        secret::Redactor,
    },
    manifest::Identity,
    release::{Release, SigningWish},
    report,
    sign::{
        format::Format,
        hands::{Hands as _, Loose},
        leftovers, linux, macos,
        plan::{COLUMNS, cells},
        planned,
        secrets::Secrets,
        windows,
    },
    target::Target,
    tools::minisign::{DEVELOPMENT_KEY, trusted_comment},
    verify::{self, Trust},
};

pub(super) fn sign(world: &World, options: &Sign) -> Result<ExitCode> {
    match (&options.command, &*options.files) {
        (Some(SignCommand::Plan(on)), _) => plan(world, on),
        (None, []) => bail!(
            "there is nothing to sign\n\
             hint: name files, or see what a release would sign with `cargo xtask sign plan`"
        ),
        (None, files) => match loose(world, options, files) {
            Err(error) if error.is::<Interrupted>() => Ok(ExitCode::from(INTERRUPTED)),
            outcome => outcome,
        },
    }
}

fn plan(world: &World, on: &OnTarget) -> Result<ExitCode> {
    let target = target(on)?;
    let state = world.state(&target);
    let mut notes = Vec::new();
    let mut release = without_password(world, target, &state, &mut notes)?;
    let secrets = Secrets::new(Redactor::default()).silent();
    if let Err(error) = release.find_windows_signer(&state, secrets, false) {
        notes.push(format!("nobody signs for Windows: {error:#}"));
    }
    let rows = planned::rows(&release, &state)?;
    if world.is_json() {
        let all = serde_json::json!({ "rows": rows, "notes": notes });
        return print(&format!("{all}\n"));
    }
    let notes: String = notes.iter().map(|it| format!("note: {it}\n")).collect();
    print(&format!(
        "{}{notes}",
        report::table(&COLUMNS, &cells(&rows))
    ))
}

/// The release as far as it is known without opening a key, and without making one.
fn without_password(
    world: &World,
    target: Target,
    state: &Path,
    notes: &mut Vec<String>,
) -> Result<Release> {
    let config = world.config()?;
    let new = |wish: SigningWish| {
        let secrets = Secrets::new(Redactor::default()).silent();
        let (config, target) = (config.clone(), target.clone());
        Release::with(config, target, wish, state, &world.probes(), secrets)
    };
    let names = &config.sign.minisign;
    let secrets = Secrets::new(Redactor::default());
    let is_set = secrets.key(&names.key_env)?.is_some();
    if is_set || state.join("identity").join(DEVELOPMENT_KEY).is_file() {
        match new(SigningWish::Any) {
            Ok(release) => return Ok(release),
            Err(error) => notes.push(format!("the minisign key was not opened: {error:#}")),
        }
    }
    let mut release = new(SigningWish::Unsigned)?;
    release.identity = match is_set {
        true => Identity::Release,
        false => Identity::Development,
    };
    Ok(release)
}

/// What signs files by themselves.
struct Signing {
    release: Release,
    hands: Loose,
    state: PathBuf,
    windows: Option<windows::Signer>,
    /// The list of keychains that macOS searches is read and written as a whole, and what is signed
    /// may be what a run works on.
    _lock: Lock,
}

fn loose(world: &World, options: &Sign, files: &[PathBuf]) -> Result<ExitCode> {
    for file in files {
        ensure!(file.exists(), "{} does not exist", file.display());
    }
    if options.for_bundler {
        return for_bundler(world, options, files);
    }
    let signing = Signing::new(world, options)?;
    for file in files {
        // Commands start in the repository's folder, wherever the user is.
        let said = signing.sign(&std::path::absolute(file)?)?;
        signing
            .hands
            .note(Level::Info, format!("{}: {said}", file.display()));
    }
    // What was written is read again, as a stranger would.
    let checked = verify::read_again(files, &signing.trust()?)?;
    match world.is_json() {
        true => print(&format!("{}\n", serde_json::to_string(&checked)?))?,
        false => print(&checked.render(&report::table))?,
    };
    Ok(match checked.ok() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Whether a file's signature lies beside it: its format holds none, or nobody could make that.
fn goes_beside(file: &Path, gpg: bool) -> bool {
    Format::of(file).is_ok_and(|it| match it {
        Format::Deb | Format::Rpm => !gpg,
        other => !other.is_windows() && !other.is_apple(),
    })
}

/// Signs what a bundler made just now, with the key that was handed on to it.
fn for_bundler(world: &World, options: &Sign, files: &[PathBuf]) -> Result<ExitCode> {
    let config = world.config()?;
    let redactor = Redactor::default();
    let state = world.state(&target(&options.on())?);
    // Several may run at once, for one bundler.
    let log = format!("sign-{}.log", std::process::id());
    let hands = hands(world, &config, &redactor, &state, &log)?;
    for file in files {
        let secrets = Secrets::new(redactor.clone());
        let file = std::path::absolute(file)?;
        let may = options.allow_secret_in_args;
        windows::sign_for_bundler(&config, secrets, &state, &hands, &file, may)?;
    }
    fs::remove_file(&hands.log.path)?;
    Ok(ExitCode::SUCCESS)
}

fn hands(
    world: &World,
    config: &Config,
    redactor: &Redactor,
    state: &Path,
    log: &str,
) -> Result<Loose> {
    let exec = Exec {
        redactor: redactor.clone(),
        ..world.exec(state, world.events(), Release::withheld(config))
    };
    Ok(Loose {
        exec,
        log: Log::create(state.join("logs").join(log))?,
    })
}

impl Signing {
    fn new(world: &World, options: &Sign) -> Result<Self> {
        let config = world.config()?;
        let target = target(&options.on())?;
        let state = world.state(&target);
        let lock = Lock::take(&state, "cargo xtask sign")?;
        let redactor = Redactor::default();
        let probes = world.probes();
        // A key that nothing needs is neither made nor opened.
        let gpg = config.sign.gpg.is_some();
        let beside = options.files.iter().any(|it| goes_beside(it, gpg));
        let wish = match beside {
            true => SigningWish::Any,
            false => SigningWish::Unsigned,
        };
        let release = Release::new(config.clone(), target, wish, &state, &probes, &redactor)?;
        let windows = windows::Signer::new(
            &config,
            Secrets::new(redactor.clone()),
            &state,
            windows::Wish {
                publisher: true,
                allow_secret_in_args: options.allow_secret_in_args,
            },
        );
        // What is wrong with it matters only where it is needed.
        let needed = options
            .files
            .iter()
            .any(|it| Format::of(it).is_ok_and(Format::is_windows));
        let hands = hands(world, &config, &redactor, &state, "sign.log")?;
        leftovers::sweep(&hands, &state);
        Ok(Self {
            hands,
            windows: if needed { windows? } else { None },
            release,
            state,
            _lock: lock,
        })
    }

    /// Signs one file in place, or beside it; says what became of it.
    fn sign(&self, file: &Path) -> Result<String> {
        let format = Format::of(file)?;
        let gpg = self.release.config.sign.gpg.as_ref();
        match (format, gpg) {
            _ if format.is_windows() => self.for_windows(file),
            _ if format.is_apple() => self.for_macos(file),
            (Format::Deb | Format::Rpm, Some(gpg)) => self.package(file, &gpg.key),
            _ if file.is_dir() => bail!(
                "{} is a folder, and no app for macOS\nhint: name the files in it",
                file.display()
            ),
            _ => self.beside(file),
        }
    }

    fn for_windows(&self, file: &Path) -> Result<String> {
        let signer = self.windows.as_ref().context(
            "nobody is configured who signs for Windows\n\
             hint: export WIN_CSC_LINK and WIN_CSC_KEY_PASSWORD, or see \"Windows\" in \
             docs/signing.md for other ways",
        )?;
        Ok(match signer.sign(&self.hands, file)? {
            windows::Outcome::Signed(made) => format!("signed by {}", made.signer),
            windows::Outcome::Already(made) => {
                format!(
                    "left alone: it carries the signature of {} already",
                    made.signer
                )
            }
            windows::Outcome::Foreign(made) => {
                format!("left alone: it carries the signature of {}", made.shown())
            }
        })
    }

    fn for_macos(&self, file: &Path) -> Result<String> {
        let config = &self.release.config;
        let sidecars: Vec<String> = config.sidecars.iter().map(|it| it.name.clone()).collect();
        let signing = macos::Signing {
            hands: &self.hands,
            config: &config.sign.macos,
            sidecars: &sidecars,
            secrets: &self.release.secrets,
            state: &self.state,
        };
        let outcome = signing.sign(&[file.to_owned()])?.context(
            "nobody is configured who signs for macOS\n\
             hint: export APPLE_CERTIFICATE and APPLE_CERTIFICATE_PASSWORD, or see \"macOS\" in \
             docs/signing.md for other ways",
        )?;
        for (what, why) in &outcome.facts {
            self.hands.note(Level::Info, format!("{what}: {why}"));
        }
        let parts = outcome.files.len();
        Ok(format!("signed by {}, {parts} signatures", outcome.signer))
    }

    /// A copy is signed, which then takes the file's place: what fails leaves it as it was.
    fn package(&self, file: &Path, fingerprint: &str) -> Result<String> {
        let before = verify::marks(file, &Trust::default())?;
        if !before.is_empty() {
            let text = format!("{}: the signature in it is replaced", file.display());
            self.hands.note(Level::Warning, text);
        }
        let name = file.file_name().context("a file has a name")?;
        let copy = file.with_file_name(format!(".{}.signing", name.to_string_lossy()));
        let key = linux::Key {
            fingerprint,
            passphrase: self.release.gpg_passphrase.as_ref(),
        };
        fs::copy(file, &copy)?;
        let signed = linux::sign(&self.hands, &key, &self.state, &copy);
        match signed.and_then(|_| Ok(fs::rename(&copy, file)?)) {
            Ok(()) => Ok(format!("signed by the OpenPGP key {fingerprint}")),
            Err(error) => {
                fs::remove_file(&copy).ok();
                Err(error)
            }
        }
    }

    fn beside(&self, file: &Path) -> Result<String> {
        let signer = self
            .release
            .signer
            .as_ref()
            .context("there is no minisign key")?;
        let name = file
            .file_name()
            .context("a file has a name")?
            .to_string_lossy();
        let comment = trusted_comment(self.release.epoch, &name, None);
        let signature = signer.sign(file, &comment)?;
        let into = file.with_file_name(format!("{name}.minisig"));
        fs::write(&into, signature.minisig())?;
        let level = self.release.identity.as_str();
        Ok(format!(
            "its format holds no signature; {} by the {level} key",
            into.display()
        ))
    }

    /// Whom the configuration trusts, and the key that signed just now.
    fn trust(&self) -> Result<Trust> {
        let mut trust = Trust::default();
        trust.add_configured(&self.release.config)?;
        let signer = self.release.signer.as_ref();
        trust
            .public_keys
            .extend(signer.map(|it| it.public_key().clone()));
        Ok(trust)
    }
}
