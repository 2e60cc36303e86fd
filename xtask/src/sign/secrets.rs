//! Where secrets come from: the environment, under the names that the tools of this field use; a
//! file that a variable names; a person at a terminal. Never the command line.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use ct_codecs::{Base64, Decoder as _};

use crate::{
    config::CertificateFile,
    engine::secret::{Redactor, Secret},
};

/// A variable after whose name this stands holds the path of a file with the secret, as container
/// systems hand secrets over.
const FILE: &str = "_FILE";

/// Looks for secrets. Every one that is found is masked in all output from then on.
pub struct Secrets {
    redactor: Redactor,
    variables: Box<dyn Fn(&str) -> Option<String> + Send + Sync>,
    /// Whether a person can be asked.
    interactive: bool,
}

/// A key with its certificate, as PKCS#12.
#[derive(Debug)]
pub struct Pkcs12 {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Its password; empty where none is set.
    pub password: Secret,
    /// The variable that it came from, for messages.
    pub from: String,
}

impl Secrets {
    /// Of this process's environment and terminal.
    pub fn new(redactor: Redactor) -> Self {
        let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let variables = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        Self {
            redactor,
            variables: Box::new(variables),
            interactive,
        }
    }

    /// The first of these variables that is set, itself or as the file that `<name>_FILE` names.
    ///
    /// # Errors
    /// A file that is named cannot be read.
    pub fn find(&self, names: &[&str]) -> Result<Option<Secret>> {
        for name in names {
            if let Some(value) = (self.variables)(name) {
                return Ok(Some(self.keep(value)));
            }
            let variable = format!("{name}{FILE}");
            if let Some(path) = (self.variables)(&variable) {
                let text = fs_err::read_to_string(&path).with_context(|| variable.clone())?;
                // Editors and `echo` end a file with a line break that is no part of the secret.
                let text = text.trim_end_matches(['\r', '\n']).to_owned();
                return Ok(Some(self.keep(text)));
            }
        }
        Ok(None)
    }

    /// Like [`Self::find`]; where there is none, a person is asked.
    ///
    /// # Errors
    /// There is none, and nobody to ask.
    pub fn require(&self, what: &str, names: &[&str]) -> Result<Secret> {
        if let Some(found) = self.find(names)? {
            return Ok(found);
        }
        let name = names.first().copied().unwrap_or_default();
        if !self.interactive {
            bail!(
                "{what} is missing\n\
                 hint: export it as {name}, or name a file that holds it in {name}{FILE}"
            );
        }
        let typed = rpassword::prompt_password(format!("{what} ({name}): "));
        Ok(self.keep(typed.context("cannot ask for it")?))
    }

    /// The PKCS#12 file that the configuration's variable names or holds, else `CSC_LINK`'s; none if
    /// neither is set.
    ///
    /// # Errors
    /// What is set is neither a file nor base64, or the password's file cannot be read.
    pub fn pkcs12(&self, configured: &CertificateFile) -> Result<Option<Pkcs12>> {
        let pairs = [
            (&*configured.env, &*configured.password_env),
            ("CSC_LINK", "CSC_KEY_PASSWORD"),
        ];
        for (name, password) in pairs {
            let Some(value) = self.find(&[name])? else {
                continue;
            };
            let bytes = content(value.expose()).with_context(|| name.to_owned())?;
            let password = self.find(&[password])?;
            return Ok(Some(Pkcs12 {
                bytes,
                password: password.unwrap_or_else(|| Secret::new("")),
                from: name.to_owned(),
            }));
        }
        Ok(None)
    }

    fn keep(&self, value: String) -> Secret {
        let secret = Secret::new(value);
        self.redactor.add(&secret);
        secret
    }
}

/// What a variable holds: a path (also as `file://`), or the file itself in base64, which may be
/// broken into lines and begin like a data URL.
///
/// # Errors
/// It is neither; the value is not shown.
fn content(value: &str) -> Result<Vec<u8>> {
    let value = value.trim();
    let path = PathBuf::from(value.strip_prefix("file://").unwrap_or(value));
    if path.is_file() {
        return Ok(fs_err::read(&path)?);
    }
    if looks_like_a_path(value) {
        bail!("there is no file {}", Path::new(value).display());
    }
    let text = value.rsplit_once("base64,").map_or(value, |(_, rest)| rest);
    let text: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    Base64::decode_to_vec(&text, None).map_err(|_| anyhow!("it is neither a file nor base64"))
}

fn looks_like_a_path(value: &str) -> bool {
    let ends = [".p12", ".pfx"].iter().any(|it| value.ends_with(it));
    ends || value.starts_with("file://") || value.starts_with("./") || value.contains('\\')
}
