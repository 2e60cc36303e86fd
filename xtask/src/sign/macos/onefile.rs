//! Sidecars in one file bring libraries along that they unpack when they start. PyInstaller's are
//! signed ad hoc (`CArchive` in its documentation: "PyInstaller archives").

/// How PyInstaller's archive ends: this, four numbers and a name.
const COOKIE: &[u8; 8] = b"MEI\x0c\x0b\x0a\x0b\x0e";
const COOKIE_LEN: usize = 88;
/// An entry before its name: its length, three numbers, a flag, its kind.
const ENTRY_LEN: usize = 18;
/// The kind of libraries.
const BINARY: u8 = b'b';
/// Behind the archive there is only a signature: 32 bytes for each page of 4096, and certificates.
const SIGNATURE_SHARE: usize = 100;
const CERTIFICATES: usize = 1 << 18;

/// How many libraries a program of PyInstaller's unpacks; none if it is none, or unpacks nothing.
/// In the folder layout there is an archive, too, but the libraries lie beside it.
pub fn libraries(program: &[u8]) -> Option<usize> {
    let from = program
        .len()
        .saturating_sub(program.len() / SIGNATURE_SHARE + CERTIFICATES);
    let tail = &program[from..];
    let at = from + tail.windows(COOKIE.len()).rposition(|it| it == COOKIE)?;
    let number = |at: usize| {
        let bytes: [u8; 4] = program.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    let start = (at + COOKIE_LEN).checked_sub(number(at + 8)?)?;
    let mut entry = start.checked_add(number(at + 12)?)?;
    let end = entry.checked_add(number(at + 16)?)?;
    let mut found = 0;
    while entry < end {
        let len = number(entry)?;
        if len < ENTRY_LEN {
            return None;
        }
        found += usize::from(*program.get(entry + ENTRY_LEN - 1)? == BINARY);
        entry += len;
    }
    (found > 0).then_some(found)
}

/// A program with an archive of these kinds of entries, as PyInstaller appends it.
#[cfg(test)]
pub(super) fn program(kinds: &[u8]) -> Vec<u8> {
    let mut toc = Vec::new();
    for kind in kinds {
        let name = b"libname.dylib\0";
        toc.extend(u32::try_from(ENTRY_LEN + name.len()).unwrap().to_be_bytes());
        toc.extend([0; 13]);
        toc.push(*kind);
        toc.extend(name);
    }
    let data = b"compressed";
    let numbers = [
        data.len() + toc.len() + COOKIE_LEN,
        data.len(),
        toc.len(),
        311,
    ];
    let mut bytes = b"the bootloader".to_vec();
    bytes.extend(data);
    bytes.extend(&toc);
    bytes.extend(COOKIE);
    for number in numbers {
        bytes.extend(u32::try_from(number).unwrap().to_be_bytes());
    }
    bytes.extend([0; 64]);
    bytes.extend(b"a signature");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_in_a_file_are_counted() {
        let check = |program: &[u8], expected| assert_eq!(libraries(program), expected);
        check(&program(b"sbbz"), Some(2));
        // The folder layout.
        check(&program(b"sz"), None);
        check(b"no program of PyInstaller's", None);
        let mut cut = program(b"bb");
        cut.drain(..30);
        check(&cut, None);
    }
}
