//! What a bundler makes while it works, and that nobody else could sign: the uninstaller inside of an
//! installer. The bundler is told to call this program for each such file.
//!
//! Secrets reach that process as private files which variables name, never as arguments.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::{Outcome, Signer, Wish, identity::Key};
use crate::{
    config::Config,
    engine::event::Level,
    sign::{format::Format, hands::Hands, secrets::Secrets},
    target::Target,
};

/// Names the folder in which the bundler works. What lies elsewhere in the repository is no copy.
const WORK: &str = "XTASK_SIGN_WORK";

/// How a bundler is told to sign.
pub struct Call {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; `%1` stands for the file.
    pub args: Vec<String>,
    /// What the bundler hands on to it.
    pub env: Vec<(String, String)>,
}

impl Signer {
    /// How a bundler that works in this folder has files signed. Holds as long as the signer does.
    ///
    /// # Errors
    /// The disk's.
    pub fn call_for_bundler(&self, config: &Config, target: &Target, work: &Path) -> Result<Call> {
        let mut args = vec!["sign".to_owned(), "--for-bundler".to_owned()];
        args.extend(["--target".to_owned(), target.name.clone()]);
        if self.allow_secret_in_args {
            args.push("--allow-secret-in-args".to_owned());
        }
        if let Some(file) = &config.file {
            args.extend(["--config".to_owned(), file.to_string_lossy().into_owned()]);
        }
        args.push("%1".to_owned());
        let mut env = vec![(WORK.to_owned(), work.to_string_lossy().into_owned())];
        env.extend(self.handed_on()?);
        let program = match &self.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
        Ok(Call { program, args, env })
    }

    /// Another program than this one signs for the bundler: for tests, which are no such program.
    #[must_use]
    pub fn with_program(self, program: PathBuf) -> Self {
        let program = Some(program);
        Self { program, ..self }
    }

    /// Variables that lead to the same key.
    fn handed_on(&self) -> Result<Vec<(String, String)>> {
        use crate::config::WindowsIdentity;
        let mut env = Vec::new();
        let mut file = |variable: &str, path: PathBuf| {
            env.push((variable.to_owned(), path.to_string_lossy().into_owned()));
        };
        match (&self.key, &self.config.identity) {
            (Key::File(p12), WindowsIdentity::File(names)) => {
                file(&names.env, self.pkcs12(&p12.bytes)?);
                let password = self.secrets.password(p12)?;
                let password = self.private_file("password", password.expose())?;
                file(&format!("{}_FILE", names.password_env), password);
            }
            (Key::Pkcs11(token), _) => {
                if let Some(pin) = self.key.password(&self.secrets)? {
                    let pin = self.private_file("pin", pin.expose())?;
                    file(&format!("{}_FILE", token.pin_env), pin);
                }
            }
            _ => {}
        }
        for (name, secret) in self.for_services()? {
            let path = self.private_file(name, secret.expose())?;
            env.push((format!("{name}_FILE"), path.to_string_lossy().into_owned()));
        }
        Ok(env)
    }

    fn private_file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.private()?.path().join(name);
        match path.exists() {
            true => Ok(path),
            false => self.private()?.file(name, content.as_bytes()),
        }
    }
}

/// Signs a file for a bundler, in the process that the bundler started.
///
/// # Errors
/// What failed, where, and what to do; the bundler then fails, too.
pub fn sign_for_bundler(
    config: &Config,
    secrets: Secrets,
    state: &Path,
    hands: &impl Hands,
    file: &Path,
    allow_secret_in_args: bool,
) -> Result<()> {
    let name = file.display();
    if !Format::of(file)?.is_windows() {
        let text = format!("{name} is left alone: it carries no such signature");
        hands.note(Level::Info, text);
        return Ok(());
    }
    if in_checkout(config, file)? {
        hands.note(
            Level::Warning,
            format!(
                "{name} is left as it is: it lies in the checkout, which a build must not change; \
                 to ship it signed, sign it with `cargo xtask sign` and commit it"
            ),
        );
        return Ok(());
    }
    let wish = Wish {
        // Whether it is to be used was decided by who started the bundler.
        publisher: true,
        allow_secret_in_args,
    };
    let signer = Signer::new(config, secrets, state, wish)?;
    let signer = signer.context("no certificate was handed on to sign it with")?;
    let text = match signer.sign(hands, file)? {
        Outcome::Signed(made) => format!("{name} is signed by {}", made.signer),
        Outcome::Already(_) => format!("{name} is signed already"),
        Outcome::Foreign(made) => format!("{name} keeps the signature of {}", made.shown()),
    };
    hands.note(Level::Info, text);
    Ok(())
}

/// Whether a file belongs to the sources. Bundlers sign some of those in place.
fn in_checkout(config: &Config, file: &Path) -> Result<bool> {
    let real = |path: &Path| fs::canonicalize(path);
    let file = real(file)?;
    let work = std::env::var_os(WORK).map(PathBuf::from);
    let is_copy = match work {
        Some(work) => file.starts_with(real(&work)?),
        None => false,
    };
    Ok(!is_copy && file.starts_with(real(&config.root)?))
}
