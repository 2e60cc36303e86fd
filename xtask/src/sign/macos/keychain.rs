//! A keychain of our own for the key, so that the user's is left alone and nobody is asked to allow
//! anything. It is found again after a crash: a file that names it is written before it is made.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::{
    engine::{files, processes, secret::Secret},
    sign::{hands::Hands, private::Private, secrets::Pkcs12},
    tools::security,
};

/// Until it locks itself, in seconds: longer than any run signs.
const LOCKS_AFTER: &str = "21600";
/// Who may use the key without a dialog.
const PARTITIONS: &str = "apple-tool:,apple:,codesign:";
/// Below the state folder: a file for each keychain, named by the process that made it.
const FOLDER: &str = "keychains";
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
        key: &Pkcs12,
    ) -> Result<Self> {
        sweep(hands, state)?;
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
        keychain.fill(private, key)?;
        Ok(keychain)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn fill(&self, private: &Private, key: &Pkcs12) -> Result<()> {
        let password = password()?;
        self.hands.mask(&password);
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
                 hint: is the password right? macOS reads no file that OpenSSL 3 encrypted as it does by \
                 default: export it with `openssl pkcs12 -export -legacy`",
                key.from
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
    /// a part of it, as for `codesign`.
    ///
    /// # Errors
    /// There is none.
    pub fn identity(&self, wanted: Option<&str>) -> Result<(String, String)> {
        let printed = self
            .hands
            .exec(security::identities_cmd(&self.path))
            .read()?;
        let found = security::identities(&printed);
        let names = found.iter().map(|it| &*it.1).collect::<Vec<_>>().join(", ");
        let fits = |it: &&(String, String)| {
            wanted.is_none_or(|name| it.1.contains(name) || it.0.eq_ignore_ascii_case(name))
        };
        found
            .iter()
            .find(fits)
            .cloned()
            .with_context(|| match (wanted, found.is_empty()) {
                (Some(name), false) => {
                    format!("the certificate's file holds {names}, not `{name}`")
                }
                _ => "the certificate's file holds nothing that can sign code\n\
                  hint: it needs a certificate together with its private key"
                    .to_owned(),
            })
    }
}

impl Drop for Keychain<'_> {
    fn drop(&mut self) {
        remove(self.hands, &self.path, &self.record).ok();
    }
}

/// Removes the keychains of processes that are gone.
///
/// # Errors
/// What `security` said.
pub fn sweep(hands: &dyn Hands, state: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(state.join(FOLDER)) else {
        return Ok(());
    };
    for entry in entries {
        let record = entry?.path();
        let pid = record
            .file_name()
            .and_then(|it| it.to_str()?.parse::<u32>().ok());
        let gone = pid.is_some_and(|it| it == std::process::id() || !processes::is_alive(it));
        if gone {
            let path = PathBuf::from(fs::read_to_string(&record)?);
            remove(hands, &path, &record).context("a killed run left a keychain")?;
        }
    }
    Ok(())
}

/// In an order that can be broken off anywhere: the record goes last.
fn remove(hands: &dyn Hands, path: &Path, record: &Path) -> Result<()> {
    let all = searched(hands)?;
    let ours = path.to_string_lossy();
    let rest: Vec<String> = all.iter().filter(|it| **it != ours).cloned().collect();
    if rest.len() != all.len() {
        hands.exec(security::search_cmd(&rest)).run()?;
    }
    if path.exists() {
        hands.exec(security::delete_cmd(path)).run()?;
    }
    Ok(fs::remove_file(record)?)
}

fn searched(hands: &dyn Hands) -> Result<Vec<String>> {
    Ok(security::listed(&hands.exec(security::list_cmd()).read()?))
}

fn password() -> Result<Secret> {
    let mut bytes = [0; PASSWORD];
    let source = fs::File::open("/dev/urandom").context("no source of random numbers")?;
    source.take(PASSWORD as u64).read_exact(&mut bytes)?;
    Ok(Secret::new(files::hex(&bytes)))
}
