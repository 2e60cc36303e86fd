//! Where secrets come from: the environment, under the names that the tools of this field use; a
//! file that a variable names; a person at a terminal. Never the command line.

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, anyhow, bail};
use ct_codecs::{Base64, Decoder as _, Encoder as _};

use crate::{
    config::CertificateFile,
    engine::secret::{Redactor, Secret},
};

/// A variable after whose name this stands holds the path of a file with the secret, as container
/// systems hand secrets over.
const FILE: &str = "_FILE";

/// The same, where a peer has had it for long: Tauri's keys.
const PATH: &str = "_PATH";

/// electron-builder's name for a certificate's password, whatever it signs for.
const GENERAL: &str = "CSC_KEY_PASSWORD";

/// Longer than the path of any file that a person would name.
const LONGEST_PATH: usize = 1024;

/// The value of a variable, by its name.
type Variables = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Shows the text to a person, and gives what is typed.
type Person = Box<dyn Fn(&str) -> std::io::Result<String> + Send + Sync>;

/// Looks for secrets. Every one that is found is masked in all output from then on.
pub struct Secrets {
    redactor: Redactor,
    variables: Variables,
    /// Whoever can be asked; none if nobody is there.
    person: Option<Person>,
    /// What was typed, by the variable that would have held it: nobody is asked twice.
    typed: Mutex<BTreeMap<String, Secret>>,
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
    /// The variable with the password, and whether it is set.
    pub password_env: (String, bool),
}

impl Pkcs12 {
    /// For people, where it cannot be opened: which variable to look at.
    pub fn hint(&self) -> String {
        let (from, (name, is_set)) = (&self.from, &self.password_env);
        match is_set {
            true => format!("the certificate comes from {from}, its password from {name}"),
            false => format!(
                "the certificate comes from {from}, and no password is set for it: export it as \
                 {name}, or name a file that holds it in {name}{FILE}"
            ),
        }
    }
}

impl Secrets {
    /// Of this process's environment and terminal.
    pub fn new(redactor: Redactor) -> Self {
        let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let variables = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        let ask: Person = Box::new(|text| rpassword::prompt_password(text));
        Self {
            redactor,
            variables: Box::new(variables),
            person: interactive.then_some(ask),
            typed: Mutex::default(),
        }
    }

    /// Of these variables alone, with nobody to ask.
    pub fn of(redactor: Redactor, variables: &[(&str, &str)]) -> Self {
        let owned = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
        let variables: BTreeMap<_, _> = variables.iter().map(owned).collect();
        Self {
            redactor,
            variables: Box::new(move |name| variables.get(name).cloned()),
            person: None,
            typed: Mutex::default(),
        }
    }

    /// With somebody who can be asked.
    #[must_use]
    pub fn with_person(
        self,
        person: impl Fn(&str) -> std::io::Result<String> + Send + Sync + 'static,
    ) -> Self {
        let person: Option<Person> = Some(Box::new(person));
        Self { person, ..self }
    }

    /// With nobody to ask, terminal or not.
    #[must_use]
    pub fn silent(self) -> Self {
        let person = None;
        Self { person, ..self }
    }

    /// Whether there is somebody to ask.
    pub fn can_ask(&self) -> bool {
        self.person.is_some()
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
            if let Some(found) = self.in_file(&format!("{name}{FILE}"))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The text of a key: the variable holds it or names its file, as `<name>_FILE` and
    /// `<name>_PATH` may.
    ///
    /// # Errors
    /// A file that is named cannot be read.
    pub fn key(&self, name: &str) -> Result<Option<Secret>> {
        let found = match self.find(&[name])? {
            None => return self.in_file(&format!("{name}{PATH}")),
            Some(found) => found,
        };
        // Tauri's own command line takes either, too. A key has more than one line, or is longer
        // than a path may be.
        let value = found.expose();
        if value.len() < LONGEST_PATH && Path::new(value).is_file() {
            let text = fs_err::read_to_string(value).with_context(|| name.to_owned())?;
            return Ok(Some(self.keep(text)));
        }
        Ok(Some(found))
    }

    fn in_file(&self, variable: &str) -> Result<Option<Secret>> {
        let Some(path) = (self.variables)(variable) else {
            return Ok(None);
        };
        let text = fs_err::read_to_string(&path).with_context(|| variable.to_owned())?;
        // Editors and `echo` end a file with a line break that is no part of the secret.
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        Ok(Some(self.keep(text)))
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
        let Some(person) = &self.person else {
            bail!(
                "{what} is not set\n\
                 hint: export it as {name}, or name a file that holds it in {name}{FILE}"
            );
        };
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = typed.get(name) {
            return Ok(found.clone());
        }
        let text = person(&format!("{what} ({name}): ")).context("cannot ask for it")?;
        let found = self.keep(text);
        typed.insert(name.to_owned(), found.clone());
        Ok(found)
    }

    /// What opens the file. Where no password is set, a person is asked, who may know of none; without
    /// one it is empty.
    ///
    /// # Errors
    /// The terminal's.
    pub fn password(&self, file: &Pkcs12) -> Result<Secret> {
        let (name, is_set) = &file.password_env;
        if *is_set || !self.can_ask() {
            return Ok(file.password.clone());
        }
        let what = format!("The password of the certificate in {}", file.from);
        self.require(&what, &[name])
    }

    /// The PKCS#12 file that the configuration's variable names or holds, else `CSC_LINK`'s; none if
    /// neither is set.
    ///
    /// # Errors
    /// What is set is neither a file nor base64, or the password's file cannot be read.
    pub fn pkcs12(&self, configured: &CertificateFile) -> Result<Option<Pkcs12>> {
        // electron-builder takes the general password with the particular file, too.
        let pairs = [
            (&*configured.env, &[&*configured.password_env, GENERAL][..]),
            ("CSC_LINK", &[GENERAL]),
        ];
        for (name, passwords) in pairs {
            let Some(value) = self.find(&[name])? else {
                continue;
            };
            let bytes = content(value.expose()).with_context(|| name.to_owned())?;
            let mut found = (passwords[0].to_owned(), None);
            for name in passwords {
                if let (None, Some(password)) = (&found.1, self.find(&[name])?) {
                    found = ((*name).to_owned(), Some(password));
                }
            }
            let (password_env, password) = found;
            // It may have been read from a file.
            self.keep(Base64::encode_to_string(&bytes)?);
            return Ok(Some(Pkcs12 {
                bytes,
                password_env: (password_env, password.is_some()),
                password: password.unwrap_or_else(|| Secret::new("")),
                from: name.to_owned(),
            }));
        }
        Ok(None)
    }

    /// Masks what was made here, or read from a file, from now on.
    pub fn keep(&self, value: String) -> Secret {
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
    let path = PathBuf::from(without_scheme(value, cfg!(windows)));
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

/// The path in a `file://` address. On Windows a drive's letter comes after one more slash.
fn without_scheme(value: &str, windows: bool) -> &str {
    let Some(path) = value.strip_prefix("file://") else {
        return value;
    };
    match path.as_bytes() {
        [b'/', letter, b':', ..] if windows && letter.is_ascii_alphabetic() => &path[1..],
        _ => path,
    }
}

fn looks_like_a_path(value: &str) -> bool {
    let ends = [".p12", ".pfx"].iter().any(|it| value.ends_with(it));
    // No certificate or key in base64 begins with a slash.
    let begins = ["file://", "./", "../", "/", "~"];
    let begins = begins.iter().any(|it| value.starts_with(it));
    ends || begins || value.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> String {
        let secrets = Secrets::of(Redactor::default(), variables);
        let configured = CertificateFile {
            env: "WIN_CSC_LINK".to_owned(),
            password_env: "WIN_CSC_KEY_PASSWORD".to_owned(),
        };
        match secrets.pkcs12(&configured) {
            Ok(None) => "none".to_owned(),
            Ok(Some(it)) => {
                let bytes = String::from_utf8_lossy(&it.bytes).into_owned();
                format!("{bytes} with {:?} from {}", it.password.expose(), it.from)
            }
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn a_certificate_is_a_path_or_base64() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.p12");
        fs_err::write(&file, "binary").unwrap();
        let (path, url) = (file.to_str().unwrap(), format!("file://{}", file.display()));
        let check = |variables: &[(&str, &str)], expected: &str| {
            assert_eq!(found(variables), expected, "{variables:?}");
        };
        check(&[], "none");
        let good = "binary with \"\" from WIN_CSC_LINK";
        check(&[("WIN_CSC_LINK", path)], good);
        check(&[("WIN_CSC_LINK", &url)], good);
        check(&[("WIN_CSC_LINK", "YmluYXJ5")], good);
        check(&[("WIN_CSC_LINK", "Ymlu\n  YXJ5\n")], good);
        check(
            &[("WIN_CSC_LINK", "data:application/x-pkcs12;base64,YmluYXJ5")],
            good,
        );
        check(
            &[("CSC_LINK", path), ("CSC_KEY_PASSWORD", "words")],
            "binary with \"words\" from CSC_LINK",
        );
        check(
            &[
                ("WIN_CSC_LINK", path),
                ("CSC_LINK", "eA=="),
                ("CSC_KEY_PASSWORD", "words"),
            ],
            "binary with \"words\" from WIN_CSC_LINK",
        );
        check(
            &[
                ("WIN_CSC_LINK", path),
                ("WIN_CSC_KEY_PASSWORD", "own"),
                ("CSC_KEY_PASSWORD", "words"),
            ],
            "binary with \"own\" from WIN_CSC_LINK",
        );
        let none = folder.path().join("none.p12").display().to_string();
        let expected = format!("WIN_CSC_LINK: there is no file {none}");
        check(&[("WIN_CSC_LINK", &none)], &expected);
        let expected = "WIN_CSC_LINK: there is no file /home/me/certificate";
        check(&[("WIN_CSC_LINK", "/home/me/certificate")], expected);
        let expected = "WIN_CSC_LINK: it is neither a file nor base64";
        check(&[("WIN_CSC_LINK", "no base64!")], expected);
    }

    #[test]
    fn a_missing_password_is_asked_for_once() {
        let check = |variables: &[(&str, &str)], expected: &str, asked: &[&str]| {
            let said = std::sync::Arc::new(Mutex::new(Vec::new()));
            let (heard, redactor) = (said.clone(), Redactor::default());
            let secrets = Secrets::of(redactor.clone(), variables).with_person(move |text| {
                heard.lock().unwrap().push(text.to_owned());
                Ok("typed words".to_owned())
            });
            let configured = CertificateFile {
                env: "WIN_CSC_LINK".to_owned(),
                password_env: "WIN_CSC_KEY_PASSWORD".to_owned(),
            };
            let file = secrets.pkcs12(&configured).unwrap().unwrap();
            assert!(said.lock().unwrap().is_empty(), "not before it is needed");
            for _ in 0..2 {
                assert_eq!(secrets.password(&file).unwrap().expose(), expected);
            }
            assert_eq!(*said.lock().unwrap(), asked);
            assert_eq!(redactor.redact(expected), "***");
            let secrets = secrets.silent();
            assert_eq!(
                secrets.password(&file).unwrap().expose(),
                file.password.expose()
            );
        };
        let prompt = "The password of the certificate in WIN_CSC_LINK (WIN_CSC_KEY_PASSWORD): ";
        check(&[("WIN_CSC_LINK", "eA==")], "typed words", &[prompt]);
        let prompt = "The password of the certificate in CSC_LINK (CSC_KEY_PASSWORD): ";
        check(&[("CSC_LINK", "eA==")], "typed words", &[prompt]);
        let given = ("CSC_KEY_PASSWORD", "given words");
        check(&[("WIN_CSC_LINK", "eA=="), given], "given words", &[]);
    }

    #[test]
    fn an_address_of_a_file_is_its_path() {
        let check = |value: &str, elsewhere: &str, on_windows: &str| {
            assert_eq!(without_scheme(value, false), elsewhere);
            assert_eq!(without_scheme(value, true), on_windows);
        };
        check("file:///C:/a.pfx", "/C:/a.pfx", "C:/a.pfx");
        check("file:///c:\\a.pfx", "/c:\\a.pfx", "c:\\a.pfx");
        check("file://C:/a.pfx", "C:/a.pfx", "C:/a.pfx");
        check("file:///tmp/a.pfx", "/tmp/a.pfx", "/tmp/a.pfx");
        check("/C:/a.pfx", "/C:/a.pfx", "/C:/a.pfx");
    }

    #[test]
    fn a_secret_may_lie_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pin");
        fs_err::write(&file, "12 34\r\n").unwrap();
        let redactor = Redactor::default();
        let (file, none) = (file.to_str().unwrap(), folder.path().join("none"));
        let variables = [("PIN_FILE", file), ("KEY_PATH", file), ("OTHER", file)];
        let variables = [&variables[..], &[("BAD_FILE", none.to_str().unwrap())]].concat();
        let secrets = Secrets::of(redactor.clone(), &variables);
        let exposed = |it: Option<Secret>| it.map(|it| it.expose().to_owned());
        let pin = secrets.find(&["MISSING", "PIN"]).unwrap();
        assert_eq!(exposed(pin).as_deref(), Some("12 34"));
        for name in ["KEY", "OTHER"] {
            let key = exposed(secrets.key(name).unwrap()).unwrap();
            assert_eq!(key.trim_end(), "12 34", "{name}");
        }
        assert_eq!(redactor.redact("the PIN is 12 34"), "the PIN is ***");
        let error = format!("{:#}", secrets.find(&["BAD"]).unwrap_err());
        assert!(error.starts_with("BAD_FILE: "), "{error}");
        let error = secrets
            .require("the PIN", &["MISSING"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("export it as MISSING"), "{error}");
    }
}
