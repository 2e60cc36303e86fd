//! The hash of a sidecar must be that of the signed one. Whoever compiles it into the host takes it
//! from bytes that are not signed yet, and the program refuses its own sidecar on every machine but
//! the developer's. So a host that holds such a hash is refused, and the right ones come in a file,
//! which the app reads among its resources.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ct_codecs::{Base64, Base64UrlSafeNoPadding, Decoder as _, Encoder as _, Hex};
use fs_err as fs;

use crate::{
    engine::files::{contains, hash_file, hex, sha256_file},
    manifest::Sums,
};

/// The file with the hashes of the sidecars as they are shipped, in the form of `sha256sum`.
pub const HASHES: &str = "sidecars.sha256";

/// A file of a sidecar before it was signed.
pub struct Unsigned {
    /// Its path in the stage folder, with `/`.
    pub path: String,
    /// Its SHA-256.
    hash: Vec<u8>,
}

impl Unsigned {
    /// `sha256` is lower-case hex.
    ///
    /// # Errors
    /// It is none.
    pub fn new(path: &str, sha256: &str) -> Result<Self> {
        let hash = Hex::decode_to_vec(sha256, None)
            .ok()
            .context("no SHA-256")?;
        let path = path.to_owned();
        Ok(Self { path, hash })
    }

    /// Whether a file with this SHA-256 is the same.
    pub fn is_still(&self, hash: &[u8]) -> bool {
        self.hash == hash
    }

    /// The form in which `code` holds its hash; none if it does not.
    fn form_in(&self, code: &[u8]) -> Option<&'static str> {
        let lower = hex(&self.hash);
        let base64 = Base64::encode_to_string(&self.hash).unwrap_or_default();
        let for_urls = Base64UrlSafeNoPadding::encode_to_string(&self.hash).unwrap_or_default();
        let forms = [
            ("as raw bytes", self.hash.clone()),
            ("in hex", lower.clone().into_bytes()),
            ("in hex", lower.to_ascii_uppercase().into_bytes()),
            ("in base64", base64.trim_end_matches('=').into()),
            ("in base64", for_urls.into_bytes()),
        ];
        let found = forms.iter().find(|(_, it)| contains(code, it));
        found.map(|it| it.0)
    }
}

/// Fails if an executable holds the hash that a file had before it was signed. What signing left as
/// it was gives a warning: it works on this system alone. `folder` holds the signed files.
///
/// # Errors
/// It does, or a file cannot be read.
pub fn check(folder: &Path, hosts: &[String], sidecars: &[Unsigned]) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for host in hosts {
        let code = fs::read(folder.join(host))?;
        for sidecar in sidecars {
            let Some(form) = sidecar.form_in(&code) else {
                continue;
            };
            let path = &sidecar.path;
            let way = format!(
                "compile no hash in; set `sign.sidecar-hashes = true`, and let the app read \
                 {HASHES} among its resources (docs/signing.md, \"Byte order\")"
            );
            if hash_file(&folder.join(path))?[..] != sidecar.hash[..] {
                bail!(
                    "{host} holds the SHA-256 of {path} {form}, but from before it was signed: the \
                     one that is shipped has another\n\
                     hint: {way}"
                );
            }
            warnings.push(format!(
                "{host} holds the SHA-256 of {path} {form}: where executables are signed, the one \
                 that is shipped will have another; {way}"
            ));
        }
    }
    Ok(warnings)
}

/// Writes [`HASHES`] for these files of a folder, as they are now.
///
/// # Errors
/// The disk's.
pub fn write(folder: &Path, paths: impl Iterator<Item = String>) -> Result<()> {
    let mut sums = Sums::default();
    for path in paths {
        let hash = sha256_file(&folder.join(&path))?;
        sums.0.insert(path, hash);
    }
    Ok(fs::write(folder.join(HASHES), sums.to_text())?)
}

/// Brings [`HASHES`] in an app for macOS up to date, if it is there: code in an app is signed where
/// it lies, after the file was made. To be called when that is done, before the app itself is signed.
///
/// # Errors
/// The file is damaged, or names what is not in the app.
pub fn refresh(app: &Path) -> Result<()> {
    let file = app.join("Contents/Resources").join(HASHES);
    if !file.is_file() {
        return Ok(());
    }
    let mut sums = Sums::parse(&fs::read_to_string(&file)?)?;
    for (path, hash) in &mut sums.0 {
        // One file lies beside the main executable, a folder among the resources.
        let places = ["Contents/MacOS", "Contents/Resources"];
        let mut places = places.iter().map(|it| app.join(it).join(path));
        let found = places.find(|it| it.is_file());
        let found = found.with_context(|| format!("{HASHES} names {path}, which is not there"))?;
        *hash = sha256_file(&found)?;
    }
    Ok(fs::write(file, sums.to_text())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_found_in_every_form() {
        let folder = tempfile::tempdir().unwrap();
        let (sidecar, host) = (folder.path().join("sidecar"), folder.path().join("host"));
        // Its hash has `+` and `/` in base64, which URLs write otherwise.
        fs::write(&sidecar, "frozen 1").unwrap();
        let before = hash_file(&sidecar).unwrap();
        let unsigned = [Unsigned::new("sidecar", &hex(&before)).unwrap()];
        let checked = |held: &[u8]| {
            fs::write(&host, [b"\x7fELF code ", held, b" and more"].concat()).unwrap();
            match check(folder.path(), &["host".to_owned()], &unsigned) {
                Ok(warnings) => warnings.concat(),
                Err(error) => format!("error: {error}"),
            }
        };
        let base64 = Base64::encode_to_string(before).unwrap();
        let for_urls = base64.replace('+', "-").replace('/', "_");
        assert!(base64.contains('+') && base64.contains('/'), "{base64}");
        let lower = hex(&before);
        let upper = lower.to_uppercase();
        let forms = [
            (&before[..], "as raw bytes"),
            (lower.as_bytes(), "in hex"),
            (upper.as_bytes(), "in hex"),
            (base64.as_bytes(), "in base64"),
            (for_urls.trim_end_matches('=').as_bytes(), "in base64"),
        ];
        for (held, form) in forms {
            let said = checked(held);
            let expected = format!("host holds the SHA-256 of sidecar {form}: where ");
            assert!(said.starts_with(&expected), "{said}");
        }
        assert_eq!(checked(b""), "");
        fs::write(&sidecar, "frozen and signed").unwrap();
        for (held, form) in forms {
            let said = checked(held);
            let expected = format!("error: host holds the SHA-256 of sidecar {form}, but from ");
            assert!(said.starts_with(&expected), "{said}");
        }
        // The right one is nobody's business.
        assert_eq!(checked(sha256_file(&sidecar).unwrap().as_bytes()), "");
    }

    #[test]
    fn the_hashes_in_an_app_are_those_of_signed_code() {
        let app = tempfile::tempdir().unwrap();
        for folder in ["Contents/MacOS", "Contents/Resources/sidecars/b"] {
            fs::create_dir_all(app.path().join(folder)).unwrap();
        }
        refresh(app.path()).unwrap();
        let file = app.path().join("Contents/Resources").join(HASHES);
        assert!(!file.exists(), "who asked for none gets none");
        let (one, two) = ("a".to_owned(), "sidecars/b/b".to_owned());
        fs::write(app.path().join("Contents/MacOS/a"), "signed").unwrap();
        fs::write(app.path().join("Contents/Resources/sidecars/b/b"), "signed").unwrap();
        let old = "0".repeat(64);
        let sums = Sums([(one, old.clone()), (two, old.clone())].into());
        fs::write(&file, sums.to_text()).unwrap();
        refresh(app.path()).unwrap();
        // As `printf signed | sha256sum` has it.
        let hash = sha256_file(&app.path().join("Contents/MacOS/a")).unwrap();
        let expected = format!("{hash}  a\n{hash}  sidecars/b/b\n");
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        fs::remove_file(app.path().join("Contents/MacOS/a")).unwrap();
        assert!(refresh(app.path()).is_err());
    }
}
