//! A keychain of our own for the key, so that the user's is left alone and nobody is asked to allow
//! anything. It is found again after a crash: a file that names it is written before it is made.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use crate::{
    engine::{event::Level, files, processes, secret::Secret},
    sign::{
        hands::Hands,
        private::Private,
        secrets::{Pkcs12, Secrets},
    },
    tools::security,
};

/// Until it locks itself, in seconds: longer than any run signs.
const LOCKS_AFTER: &str = "21600";
/// Who may use the key without a dialog.
const PARTITIONS: &str = "apple-tool:,apple:,codesign:";
/// Below the state folder: a file for each keychain, named by the process that made it.
const FOLDER: &str = "keychains";
/// How the certificates are called with which Apple notarizes what is signed.
const NOTARIZED: &str = "Developer ID Application";
/// Its own password, in bytes.
const PASSWORD: usize = 32;

/// A keychain that is gone when this is dropped.
pub struct Keychain<'h> {
    hands: &'h dyn Hands,
    path: PathBuf,
    record: PathBuf,
}

impl<'h> Keychain<'h> {
    /// Makes it, puts the key in, and lets `codesign` find it. Removes those of processes that are
    /// gone.
    ///
    /// # Errors
    /// What `security` said.
    pub fn with(
        hands: &'h dyn Hands,
        state: &Path,
        private: &Private,
        secrets: &Secrets,
        key: &Pkcs12,
    ) -> Result<Self> {
        sweep(hands, state)?;
        forget_those_of_others(hands, state)?;
        let folder = state.join(FOLDER);
        let pid = std::process::id();
        let record = folder.join(pid.to_string());
        let path = folder.join(format!("{pid}.keychain-db"));
        files::write_durably(&record, path.to_string_lossy().as_bytes())?;
        let keychain = Self {
            hands,
            path,
            record,
        };
        keychain.fill(private, &password(secrets)?, key)?;
        Ok(keychain)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn fill(&self, private: &Private, password: &Secret, key: &Pkcs12) -> Result<()> {
        let (password, path) = (password.expose(), &*self.path.to_string_lossy());
        self.ask(&["create-keychain", "-p", password, path])?;
        self.ask(&["set-keychain-settings", "-lut", LOCKS_AFTER, path])?;
        self.ask(&["unlock-keychain", "-p", password, path])?;
        let file = private.file("keychain.p12", &key.bytes)?;
        let file = file.to_string_lossy();
        let secret = key.password.expose();
        let import = [
            "import",
            &file,
            "-k",
            path,
            "-f",
            "pkcs12",
            "-P",
            secret,
            "-T",
            "/usr/bin/codesign",
        ];
        self.ask(&import).with_context(|| {
            format!(
                "the certificate in {} cannot be imported\n\
                 hint: {}; is that right? macOS reads no file that OpenSSL 3 encrypted as it does by \
                 default: export it with `openssl pkcs12 -export -legacy`",
                key.from,
                key.hint()
            )
        })?;
        self.ask(&[
            "set-key-partition-list",
            "-S",
            PARTITIONS,
            "-s",
            "-k",
            password,
            path,
        ])?;
        let mut searched = searched(self.hands)?;
        searched.insert(0, path.to_owned());
        self.hands.exec(security::search_cmd(&searched)).run()
    }

    fn ask(&self, words: &[&str]) -> Result<()> {
        let (command, stdin) = security::subcommand(words)?;
        // It prints the attributes of the keys that it touched.
        let run = self.hands.exec(command).stdin(stdin).stdout_is_data();
        run.run()
            .with_context(|| format!("`security {}`", words[0]))
    }

    /// The identity to sign with: SHA-1 and name. With `wanted` the one of that name, which may be
    /// a part of it, as for `codesign`. Of several the kind that Apple notarizes goes first, and
    /// which one it is is said.
    ///
    /// # Errors
    /// There is none, or it has expired.
    pub fn identity(&self, wanted: Option<&str>) -> Result<(String, String)> {
        let printed = self
            .hands
            .exec(security::identities_cmd(&self.path))
            .read()?;
        let (chosen, others) = choose(&security::identities(&printed), wanted)?;
        ensure!(
            !security::is_expired(&printed, &chosen.0),
            "the certificate of {} expired\n\
             hint: make a new one in your Apple Developer account; what was signed with a timestamp \
             stays valid",
            chosen.1
        );
        if let Some(others) = others {
            let text = format!(
                "{} signs; the certificate's file also holds {others}",
                chosen.1
            );
            self.hands.note(Level::Info, text);
        }
        Ok(chosen)
    }
}

/// An identity, and the names of the others that it might have been.
fn choose(
    found: &[(String, String)],
    wanted: Option<&str>,
) -> Result<((String, String), Option<String>)> {
    let names = |all: &[&(String, String)]| {
        let all: Vec<_> = all.iter().map(|it| &*it.1).collect();
        all.join(", ")
    };
    let fits = |it: &&(String, String)| {
        wanted.is_none_or(|name| it.1.contains(name) || it.0.eq_ignore_ascii_case(name))
    };
    let mut fitting: Vec<_> = found.iter().filter(fits).collect();
    // Stable: among equals the first one, as before.
    fitting.sort_by_key(|it| !it.1.starts_with(NOTARIZED));
    let Some((first, others)) = fitting.split_first() else {
        match wanted.filter(|_| !found.is_empty()) {
            Some(name) => bail!(
                "the certificate's file holds {}, not `{name}`",
                names(&found.iter().collect::<Vec<_>>())
            ),
            None => bail!(
                "the certificate's file holds nothing that can sign code\n\
                 hint: it needs a certificate together with its private key"
            ),
        }
    };
    let others = (!others.is_empty()).then(|| names(others));
    Ok(((*first).clone(), others))
}

impl Drop for Keychain<'_> {
    fn drop(&mut self) {
        remove(self.hands, &self.path, &self.record).ok();
    }
}

/// Removes the keychains of processes that are gone. Nobody is asked where there never was one.
///
/// # Errors
/// What `security` said.
pub fn sweep(hands: &dyn Hands, state: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(state.join(FOLDER)) else {
        return Ok(());
    };
    let mut found = false;
    for entry in entries {
        let record = entry?.path();
        let pid = record.file_name().and_then(|it| it.to_str()?.parse().ok());
        if pid.is_some_and(is_gone) {
            found = true;
            let path = PathBuf::from(fs::read_to_string(&record)?);
            remove(hands, &path, &record).context("a killed run left a keychain")?;
        }
    }
    match found {
        true => forget_those_of_others(hands, state),
        false => Ok(()),
    }
}

/// Those that are gone with their records, as after `cargo xtask clean`, may still be searched.
fn forget_those_of_others(hands: &dyn Hands, state: &Path) -> Result<()> {
    let folder = real(&state.join(FOLDER));
    let is_left = |name: &String| {
        let path = real(Path::new(name));
        let stem = path.file_stem().and_then(|it| it.to_str()?.parse().ok());
        path.parent() == Some(&*folder) && stem.is_some_and(is_gone)
    };
    search_without(hands, is_left)
}

/// A process of the same id as ours was another one.
fn is_gone(pid: u32) -> bool {
    pid == std::process::id() || !processes::is_alive(pid)
}

/// In an order that can be broken off anywhere: the record goes last.
fn remove(hands: &dyn Hands, path: &Path, record: &Path) -> Result<()> {
    let ours = real(path);
    search_without(hands, |name| real(Path::new(name)) == ours)?;
    if path.exists() {
        hands.exec(security::delete_cmd(path)).run()?;
    }
    Ok(fs::remove_file(record)?)
}

/// Takes keychains out of the search list.
fn search_without(hands: &dyn Hands, unwanted: impl Fn(&String) -> bool) -> Result<()> {
    let mut all = searched(hands)?;
    let before = all.len();
    all.retain(|it| !unwanted(it));
    match all.len() == before {
        true => Ok(()),
        false => hands.exec(security::search_cmd(&all)).run(),
    }
}

/// As `security` prints it: without links, as `/tmp` is one on macOS. The file itself may be gone.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|it| it.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

fn searched(hands: &dyn Hands) -> Result<Vec<String>> {
    Ok(security::listed(&hands.exec(security::list_cmd()).read()?))
}

/// Masked from now on: `security` may say what it was asked.
fn password(secrets: &Secrets) -> Result<Secret> {
    let mut bytes = [0; PASSWORD];
    let source = fs::File::open("/dev/urandom").context("no source of random numbers")?;
    source.take(PASSWORD as u64).read_exact(&mut bytes)?;
    Ok(secrets.keep(files::hex(&bytes)))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::engine::secret::Redactor;

    #[test]
    fn what_can_be_notarized_goes_first() {
        let all = [
            ("1", "Apple Development: E (T)"),
            ("2", "Developer ID Application: E (T)"),
            ("3", "Developer ID Application: F (U)"),
        ]
        .map(|(hash, name)| (hash.to_owned(), name.to_owned()));
        let check = |found: &[(String, String)], wanted: Option<&str>, expected: &str| {
            let said = match choose(found, wanted) {
                Ok(((hash, _), others)) => format!("{hash}; {}", others.unwrap_or_default()),
                Err(error) => error.to_string(),
            };
            let said = said.lines().next().unwrap_or_default();
            assert_eq!(said, expected, "{wanted:?}");
        };
        let others = "Developer ID Application: F (U), Apple Development: E (T)";
        check(&all, None, &format!("2; {others}"));
        check(&all[..1], None, "1; ");
        check(&all, Some("E (T)"), "2; Apple Development: E (T)");
        check(&all, Some("Apple Development"), "1; ");
        check(&all, Some("3"), "3; ");
        check(
            &all[..2],
            Some("G"),
            "the certificate's file holds Apple Development: E (T), Developer ID Application: E (T), not `G`",
        );
        let nothing = "the certificate's file holds nothing that can sign code";
        check(&[], Some("G"), nothing);
        check(&[], None, nothing);
    }

    #[test]
    fn its_password_is_masked_and_no_two_are_the_same() {
        let redactor = Redactor::default();
        let secrets = Secrets::of(redactor.clone(), &[]);
        let all = [(); 2].map(|()| password(&secrets).unwrap());
        assert_ne!(all[0].expose(), all[1].expose());
        for it in &all {
            assert_eq!(it.expose().len(), 2 * PASSWORD);
            let said = format!("create-keychain -p {}", it.expose());
            assert_eq!(redactor.redact(&said), "create-keychain -p ***");
        }
    }
}
