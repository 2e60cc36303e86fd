//! SHA-256 of files, of bytes, and of what is being read.

use std::{io::Read, path::Path};

use anyhow::Result;
use sha2::{Digest as _, Sha256};

/// SHA-256.
pub type Hash = [u8; 32];

/// How much is read at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// SHA-256 of a file, read in pieces.
///
/// # Errors
/// It cannot be read.
pub fn hash_file(path: &Path) -> Result<Hash> {
    Ok(drain(&mut fs_err::File::open(path)?)?)
}

/// SHA-256 of a file in lower-case hexadecimal, as manifests and records have it.
///
/// # Errors
/// It cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    Ok(hex(&hash_file(path)?))
}

/// SHA-256 of all that is left in a reader, in lower-case hexadecimal; it is read in pieces.
///
/// # Errors
/// It cannot be read.
pub fn sha256_reader(mut data: impl Read) -> Result<String> {
    Ok(hex(&drain(&mut data)?))
}

/// Not generic, so that it is compiled here, where it is optimised.
fn drain(data: &mut dyn Read) -> std::io::Result<Hash> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match data.read(&mut piece) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// SHA-256 of bytes, in lower-case hexadecimal.
pub fn sha256_bytes(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").ok();
            text
        })
}

/// Gives on what it reads, and at the end says what that was.
pub struct HashingReader<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> HashingReader<R> {
    /// Of all that is read from now on.
    pub fn new(inner: R) -> Self {
        let hasher = Sha256::new();
        Self { inner, hasher }
    }

    /// SHA-256 of what was read, in lower-case hexadecimal.
    pub fn finish(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_however_it_is_read() {
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_bytes("abc"), known);
        assert_eq!(sha256_reader(&b"abc"[..]).unwrap(), known);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sha256.rs");
        let all = sha256_bytes(include_str!("sha256.rs"));
        assert_eq!(sha256_file(&file).unwrap(), all);
        let mut part = HashingReader::new(&b"abcdef"[..]);
        part.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(part.finish(), known, "only what was read counts");
    }
}
