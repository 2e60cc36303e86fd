//! Minisign signatures, in process: no secret is ever in an argument list.
//!
//! One signature serves two readers. `NAME.minisig` is minisign's own text, checked by
//! `minisign -V`. `NAME.sig` is the form that Tauri's updater reads: base64 of the same text on one
//! line, as `tauri signer sign` writes it. Keys come in the same two forms.
//!
//! The text has four lines (<https://jedisct1.github.io/minisign/#signature-format>): an untrusted
//! comment that nothing signs, base64 of algorithm, key id and signature, a trusted comment, and
//! base64 of the signature over both. Only the prehashed algorithm is written and accepted.

mod signature;

use std::{
    fmt,
    io::{BufReader, Cursor, Read},
    path::Path,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use fs_err as fs;
use minisign::{KeyPair, SecretKey, SecretKeyBox};

use crate::engine::secret::Secret;

pub use self::signature::{PublicKey, Signature, trusted_comment};
use self::signature::{UNTRUSTED_COMMENT, decode, plain_text};

/// The file of [`Signer::development`]'s secret key inside the folder given.
pub const DEVELOPMENT_KEY: &str = "development.key";

/// Where the password comes from, for error messages.
const PASSWORD_VARIABLE: &str = "the variable that `sign.minisign.password-env` names \
    (TAURI_SIGNING_PRIVATE_KEY_PASSWORD unless set)";

/// How the error begins if a key cannot be read without its password.
pub const IS_ENCRYPTED: &str = "the minisign secret key is encrypted";

/// The size of the decoded second line of a key file.
const SECRET_KEY_BYTES: usize = 158;

/// A secret key, ready to sign. `Debug` shows the key id only.
pub struct Signer {
    secret: SecretKey,
    public: PublicKey,
}

impl Signer {
    /// Reads a secret key: the text of minisign's key file, or Tauri's form, base64 of that text.
    ///
    /// # Errors
    /// When the text is no secret key, is damaged, or the password is missing or wrong; each error
    /// says what to do.
    pub fn from_text(key: &Secret, password: Option<&Secret>) -> Result<Self> {
        let text = plain_text(key.expose(), "untrusted comment:").ok_or_else(not_a_secret_key)?;
        let line = text.lines().nth(1).ok_or_else(not_a_secret_key)?;
        let bytes = decode(line).map_err(|_| damaged("its base64 cannot be read"))?;
        if bytes.len() != SECRET_KEY_BYTES {
            bail!(damaged(&format!(
                "{} bytes instead of {SECRET_KEY_BYTES}",
                bytes.len()
            )));
        }
        let raw = SecretKey::from_bytes(&bytes).map_err(|e| damaged(&e.to_string()))?;
        // Bytes 2 and 3 name how the key is encrypted: "Sc" for scrypt, zeros for not at all.
        let secret = match &bytes[2..4] {
            [0, 0] => raw,
            b"Sc" => decrypt(&text, password)?,
            other => bail!(damaged(&format!("unknown encryption {other:02x?}"))),
        };
        Self::new(secret)
    }

    /// A fresh key pair, held in memory only.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate() -> Result<Self> {
        Self::new(KeyPair::generate_unencrypted_keypair()?.sk)
    }

    /// The development key in `folder`, made there on first use: secret key with mode 0600 in a
    /// folder with mode 0700, unencrypted, never to be trusted by anyone.
    ///
    /// # Errors
    /// When the files cannot be read or written, or the key is damaged.
    pub fn development(folder: &Path) -> Result<Self> {
        let path = folder.join(DEVELOPMENT_KEY);
        if path.try_exists()? {
            let text = Secret::new(fs::read_to_string(&path)?);
            return Self::from_text(&text, None).with_context(|| {
                format!(
                    "{} cannot be used: delete it, and a new one is made",
                    path.display()
                )
            });
        }
        create_private_folder(folder)?;
        let signer = Self::generate()?;
        let text = signer
            .secret
            .to_box(Some("development key, unencrypted"))?
            .into_string();
        write_private(&path, &text)?;
        fs::write(path.with_extension("pub"), signer.public.text())?;
        Ok(signer)
    }

    /// Signs a file of any size without holding it in memory. `trusted_comment` is covered by the
    /// signature: see [`trusted_comment`].
    ///
    /// The signature differs each time: the minisign crate mixes random bytes into the nonce.
    ///
    /// # Errors
    /// When the file cannot be read, or the comment has more than one line.
    pub fn sign(&self, file: &Path, trusted_comment: &str) -> Result<Signature> {
        self.sign_reader(BufReader::new(fs::File::open(file)?), trusted_comment)
            .with_context(|| format!("cannot sign {}", file.display()))
    }

    /// Signs what `data` yields; otherwise like [`Signer::sign`].
    ///
    /// # Errors
    /// When the data cannot be read, or the comment has more than one line.
    pub fn sign_reader(&self, data: impl Read, trusted_comment: &str) -> Result<Signature> {
        let one_line = !trusted_comment.contains(['\n', '\r']);
        ensure!(
            one_line,
            "a trusted comment is one line: {trusted_comment:?}"
        );
        let trusted = trusted_comment.trim();
        let (public, untrusted) = (Some(&self.public.0), Some(UNTRUSTED_COMMENT));
        let signed = minisign::sign(public, &self.secret, data, Some(trusted), untrusted)?;
        Signature::parse(&signed.to_string())
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// A key whose halves do not belong together is found here, not by the users of a release:
    /// minisign checks a signature made with it. An unencrypted key has no other checksum.
    fn new(secret: SecretKey) -> Result<Self> {
        let public = minisign::PublicKey::from_secret_key(&secret)?;
        minisign::sign(
            Some(&public),
            &secret,
            Cursor::new("probe"),
            Some("probe"),
            None,
        )
        .map_err(|_| damaged("its secret and public halves do not belong together"))?;
        Ok(Self {
            secret,
            public: PublicKey(public),
        })
    }
}

impl fmt::Debug for Signer {
    /// The crate's own `Debug` prints the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("key_id", &self.public.key_id())
            .finish_non_exhaustive()
    }
}

/// Tauri encrypts with an empty password when it was given none, so that is tried.
fn decrypt(text: &str, password: Option<&Secret>) -> Result<SecretKey> {
    let given = password.map_or("", Secret::expose).to_owned();
    SecretKeyBox::from(text.to_owned())
        .into_secret_key(Some(given))
        .map_err(|_| match password {
            Some(_) => anyhow!(
                "wrong password for the minisign secret key, or the key is damaged: correct \
             {PASSWORD_VARIABLE}"
            ),
            None => anyhow!("{IS_ENCRYPTED}: set {PASSWORD_VARIABLE}"),
        })
}

fn damaged(how: &str) -> anyhow::Error {
    anyhow!("the minisign secret key is damaged ({how}): copy it again from where it is kept")
}

fn not_a_secret_key() -> anyhow::Error {
    anyhow!(
        "not a minisign secret key: give the path of the key file or its text, as \
         `tauri signer generate` or `minisign -G` wrote it"
    )
}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create {}", folder.display()))
}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> Result<()> {
    Ok(fs::create_dir_all(folder)?)
}

/// The mode is given at creation: at no moment can another user read the file. An existing file is
/// an error, so that two runs at once cannot end up with halves of different keys.
fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use fs::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests;
