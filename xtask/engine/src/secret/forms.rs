//! The ways in which tools write a value that they were given: as it is, in base64, in a URL.

use ct_codecs::{Base64, Base64NoPadding, Base64UrlSafe, Base64UrlSafeNoPadding, Encoder as _};

/// A shorter text in base64 is also found by chance, and masks what is harmless.
const SHORTEST: usize = 8;

/// The value and all of its forms, in no order.
pub(super) fn of(value: &str) -> Vec<String> {
    let mut forms = base64(value.as_bytes());
    forms.extend((0..3).flat_map(|offset| inside(value.as_bytes(), offset)));
    forms.retain(|it| it.len() >= SHORTEST);
    forms.push(value.to_owned());
    forms.extend(escaped_texts(value));
    // Wide characters, as some programs for Windows print them.
    let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    forms.push(String::from_utf8_lossy(&wide).into_owned());
    let hex: String = value.bytes().map(|it| format!("{it:02x}")).collect();
    forms.extend([hex.to_uppercase(), hex]);
    // What a URL may hold as it is (RFC 3986, section 2.3); some programs leave `/` as it is,
    // JavaScript a few more, and forms of HTML write a space as `+`.
    for (plain, space) in [
        ("-._~", "%20"),
        ("-._~/", "%20"),
        ("-._~!*'()", "%20"),
        ("-._*", "+"),
    ] {
        let upper = escaped(value, plain.as_bytes(), space);
        forms.push(lower_hex(&upper));
        forms.push(upper);
    }
    forms
}

/// As programs quote it that print their environment: shells, JSON, Python and the like.
fn escaped_texts(value: &str) -> Vec<String> {
    let mut all: Vec<String> = ["\\\"", "\\'", "\\\"'", "\\\"$`"]
        .iter()
        .map(|special| with_backslashes(value, special))
        .collect();
    // JSON that keeps to ASCII.
    all.extend([ascii(&all[0])]);
    // A quote in single quotes: they are closed and opened again.
    all.extend(["'\\''", "'\"'\"'"].map(|it| value.replace('\'', it)));
    all
}

fn with_backslashes(value: &str, special: &str) -> String {
    let mut text = String::new();
    for it in value.chars() {
        if special.contains(it) {
            text.push('\\');
        }
        text.push(it);
    }
    text
}

fn ascii(value: &str) -> String {
    let mut text = String::new();
    for it in value.chars() {
        match it.is_ascii() {
            true => text.push(it),
            false => {
                let units = it.encode_utf16(&mut [0; 2]).to_vec();
                text.extend(units.iter().map(|it| format!("\\u{it:04x}")));
            }
        }
    }
    text
}

fn base64(bytes: &[u8]) -> Vec<String> {
    let forms = [
        Base64::encode_to_string(bytes),
        Base64NoPadding::encode_to_string(bytes),
        Base64UrlSafe::encode_to_string(bytes),
        Base64UrlSafeNoPadding::encode_to_string(bytes),
    ];
    forms.into_iter().flatten().collect()
}

/// How base64 shows the bytes where `offset` others come before them and more follow, such as
/// `user:password`: without the signs that hold bits of both.
fn inside(bytes: &[u8], offset: usize) -> Vec<String> {
    let all = [&[0; 2][..offset], bytes].concat();
    // A sign has six bits.
    let (from, to) = ((offset * 8).div_ceil(6), all.len() * 8 / 6);
    let forms = [
        Base64NoPadding::encode_to_string(&all),
        Base64UrlSafeNoPadding::encode_to_string(&all),
    ];
    let cut = |it: String| it.get(from..to).map(str::to_owned);
    forms.into_iter().flatten().filter_map(cut).collect()
}

/// Percent-encoded, but for letters, digits and `plain`.
fn escaped(value: &str, plain: &[u8], space: &str) -> String {
    let mut text = String::new();
    for &byte in value.as_bytes() {
        match byte {
            b' ' => text.push_str(space),
            _ if byte.is_ascii_alphanumeric() || plain.contains(&byte) => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The same with `%2f` for `%2F`.
fn lower_hex(escaped: &str) -> String {
    let mut parts = escaped.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at(2);
        text + "%" + &digits.to_ascii_lowercase() + rest
    })
}
