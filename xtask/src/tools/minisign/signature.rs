//! What everyone may see: public keys and signatures, with the forms that they are written in.

use std::{
    fmt,
    io::{Read, Seek},
    path::Path,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use ct_codecs::{Base64, Decoder as _, Encoder as _};
use fs_err as fs;
use minisign::SignatureBox;

/// The untrusted comment that Tauri's command line writes; ours too, so that the forms are equal.
pub(super) const UNTRUSTED_COMMENT: &str = "signature from tauri secret key";

/// What well-known signers write there. Nothing signs this line, so that anything else in it is
/// refused: no byte of a signature file may change unnoticed.
const KNOWN_COMMENTS: [&str; 3] = [
    UNTRUSTED_COMMENT,
    "signature from minisign secret key",
    minisign::DEFAULT_COMMENT,
];

/// Sizes in bytes of the decoded lines.
const PUBLIC_KEY_BYTES: usize = 42;
const GLOBAL_SIGNATURE_BYTES: usize = 64;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(super) minisign::PublicKey);

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
    pub fn verify_reader(&self, data: impl Read + Seek, signature: &Signature) -> Result<()> {
        let (made_by, ours) = (signature.key_id(), self.key_id());
        ensure!(made_by == ours, "signed by key {made_by}, not by {ours}");
        minisign::verify(&self.0, &signature.0, data, true, false, false)
            .map_err(|_| anyhow!("not this key's signature of this file, or one of them changed"))
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
pub(super) fn plain_text(text: &str, start: &str) -> Option<String> {
    if text.starts_with(start) {
        return Some(text.to_owned());
    }
    let decoded = String::from_utf8(decode(text).ok()?).ok()?;
    decoded.starts_with(start).then_some(decoded)
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>> {
    Base64::decode_to_vec(text.trim(), None).map_err(|e| anyhow!("not base64: {e}"))
}

fn encode(text: &str) -> String {
    Base64::encode_to_string(text).expect("base64 of a short text")
}
