//! Minisign signatures, in process: no secret is ever in an argument list.
//!
//! One signature serves two readers. `NAME.minisig` is minisign's own text, checked by
//! `minisign -V`. `NAME.sig` is the form that Tauri's updater reads: base64 of the same text on one
//! line, as `tauri signer sign` writes it. Keys come in the same two forms.
//!
//! The text has four lines (<https://jedisct1.github.io/minisign/#signature-format>): an untrusted
//! comment that nothing signs, base64 of algorithm, key id and signature, a trusted comment, and
//! base64 of the signature over both. Only the prehashed algorithm is written and accepted.

use std::{
    fmt,
    io::{BufReader, Cursor, Read},
    path::Path,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ct_codecs::{Base64, Decoder as _, Encoder as _};
use fs_err as fs;
use minisign::{KeyPair, SecretKey, SecretKeyBox, SignatureBox};

/// The file of [`Signer::development`]'s secret key inside the folder given.
pub const DEVELOPMENT_KEY: &str = "development.key";

/// The untrusted comment that Tauri's command line writes; ours too, so that the forms are equal.
const UNTRUSTED_COMMENT: &str = "signature from tauri secret key";

/// What well-known signers write there. Nothing signs this line, so that anything else in it is
/// refused: no byte of a signature file may change unnoticed.
const KNOWN_COMMENTS: [&str; 3] = [
    UNTRUSTED_COMMENT,
    "signature from minisign secret key",
    minisign::DEFAULT_COMMENT,
];

/// Sizes in bytes of the decoded lines.
const SECRET_KEY_BYTES: usize = 158;
const PUBLIC_KEY_BYTES: usize = 42;
const GLOBAL_SIGNATURE_BYTES: usize = 64;

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
    pub fn from_text(key: &str, password: Option<&str>) -> Result<Self> {
        let text = plain_text(key, "untrusted comment:").ok_or_else(not_a_secret_key)?;
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
            let text = fs::read_to_string(&path)?;
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

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(minisign::PublicKey);

impl PublicKey {
    /// Reads any form of a public key: minisign's two lines, the second of them alone (as
    /// `minisign -P` takes it), or Tauri's base64 of the two lines.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(key: &str) -> Result<Self> {
        let refused = "not a minisign public key: expected the text of a .pub file, its second \
            line, or the `pubkey` of Tauri's updater configuration";
        let text = plain_text(key, "untrusted comment:").unwrap_or_else(|| key.to_owned());
        let line = text
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .context(refused)?;
        let bytes = decode(line).context(refused)?;
        ensure!(
            bytes.len() == PUBLIC_KEY_BYTES && bytes.starts_with(b"Ed"),
            refused
        );
        Ok(Self(minisign::PublicKey::from_bytes(&bytes)?))
    }

    /// Minisign's two lines, for a `.pub` file.
    pub fn text(&self) -> String {
        format!(
            "untrusted comment: minisign public key {}\n{}\n",
            self.key_id(),
            self.line()
        )
    }

    /// The second line alone, as `minisign -P` takes it.
    pub fn line(&self) -> String {
        self.0.to_base64()
    }

    /// Tauri's form, for `plugins.updater.pubkey`.
    pub fn tauri(&self) -> String {
        encode(&self.text())
    }

    /// 16 upper-case hex digits, as minisign prints them.
    pub fn key_id(&self) -> String {
        key_id(self.0.keynum())
    }

    /// Whether `signature` is this key's over the file, trusted comment included.
    ///
    /// # Errors
    /// When the file cannot be read, another key signed, or file or comment were changed.
    pub fn verify(&self, file: &Path, signature: &Signature) -> Result<()> {
        let data = fs::File::open(file)?;
        self.verify_reader(data, signature)
    }

    /// Like [`PublicKey::verify`], over data that is not a file.
    ///
    /// # Errors
    /// As there.
    pub fn verify_reader(
        &self,
        data: impl Read + std::io::Seek,
        signature: &Signature,
    ) -> Result<()> {
        let (made_by, ours) = (signature.key_id(), self.key_id());
        ensure!(made_by == ours, "signed by key {made_by}, not by {ours}");
        minisign::verify(&self.0, &signature.0, data, true, false, false)
            .map_err(|e| anyhow!("{e}"))
    }
}

/// A signature with its comments. Both forms hold the same text.
#[derive(Clone)]
pub struct Signature(SignatureBox);

impl Signature {
    /// Reads minisign's text or Tauri's base64 of it. Strict: exactly the bytes that a known
    /// signer writes, since nothing signs the first line or what surrounds the four lines.
    ///
    /// # Errors
    /// When it is no signature, uses the legacy algorithm, or says more than it should.
    pub fn parse(text: &str) -> Result<Self> {
        let text = plain_text(text, "untrusted comment:").context("not a minisign signature")?;
        // The crate panics on a short last line.
        let global = text
            .lines()
            .nth(3)
            .context("not a minisign signature: too few lines")?;
        ensure!(
            decode(global)?.len() == GLOBAL_SIGNATURE_BYTES,
            "damaged signature"
        );
        let parsed = SignatureBox::from_string(&text).map_err(|e| anyhow!("{e}"))?;
        ensure!(
            parsed.is_prehashed(),
            "a signature of minisign's legacy format: sign without -l"
        );
        ensure!(
            parsed.to_string() == text,
            "the signature file has additional or changed bytes"
        );
        let comment = parsed.untrusted_comment()?;
        ensure!(
            KNOWN_COMMENTS.contains(&comment.as_str()),
            "untrusted comment was changed"
        );
        Ok(Self(parsed))
    }

    /// The content of a `.minisig` file.
    pub fn minisig(&self) -> String {
        self.0.to_string()
    }

    /// The content of a `.sig` file for Tauri's updater, without line end, as Tauri writes it.
    pub fn tauri(&self) -> String {
        encode(&self.minisig())
    }

    /// 16 upper-case hex digits of the key that signed.
    pub fn key_id(&self) -> String {
        key_id(self.0.keynum())
    }

    /// The comment that the signature covers.
    pub fn trusted_comment(&self) -> String {
        self.0.trusted_comment().unwrap_or_default()
    }

    /// A field of the trusted comment: `timestamp`, `file` or `version`.
    pub fn field(&self, name: &str) -> Option<String> {
        let comment = self.trusted_comment();
        let mut fields = comment
            .split('\t')
            .filter_map(|field| field.split_once(':'));
        fields
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Signature({} {:?})",
            self.key_id(),
            self.trusted_comment()
        )
    }
}

/// The trusted comment of `tauri signer sign --app-version`, fields separated by tabs. Tauri's
/// updater reads `version` when `requireSignedVersion` is set.
///
/// `seconds` is Unix time; `file` the name without its folder; characters that would break the
/// fields apart become `?`.
pub fn trusted_comment(seconds: i64, file: &str, version: Option<&str>) -> String {
    let file = file.replace(|c: char| c.is_control(), "?");
    let version = version
        .map(|version| format!("\tversion:{version}"))
        .unwrap_or_default();
    format!("timestamp:{seconds}\tfile:{file}{version}")
}

/// Minisign prints the id as a little-endian number.
fn key_id(keynum: &[u8]) -> String {
    keynum
        .iter()
        .rev()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// The text itself if it starts as expected, else what its base64 holds if that does.
fn plain_text(text: &str, start: &str) -> Option<String> {
    if text.starts_with(start) {
        return Some(text.to_owned());
    }
    let decoded = String::from_utf8(decode(text).ok()?).ok()?;
    decoded.starts_with(start).then_some(decoded)
}

fn decode(text: &str) -> Result<Vec<u8>> {
    Base64::decode_to_vec(text.trim(), None).map_err(|e| anyhow!("not base64: {e}"))
}

fn encode(text: &str) -> String {
    Base64::encode_to_string(text).expect("base64 of a short text")
}

/// Tauri encrypts with an empty password when it was given none, so that is tried.
fn decrypt(text: &str, password: Option<&str>) -> Result<SecretKey> {
    let given = password.unwrap_or_default().to_owned();
    SecretKeyBox::from(text.to_owned())
        .into_secret_key(Some(given))
        .map_err(|_| match password {
            Some(_) => anyhow!(
                "wrong password for the minisign secret key, or the key is damaged: correct \
             TAURI_SIGNING_PRIVATE_KEY_PASSWORD"
            ),
            None => anyhow!(
                "the minisign secret key is encrypted: set TAURI_SIGNING_PRIVATE_KEY_PASSWORD"
            ),
        })
}

fn damaged(how: &str) -> anyhow::Error {
    anyhow!("the minisign secret key is damaged ({how}): copy it again from where it is kept")
}

fn not_a_secret_key() -> anyhow::Error {
    anyhow!(
        "not a minisign secret key: give the text of the key file itself (not its path), as \
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
#[path = "minisign_tests.rs"]
mod tests;
