//! Authenticode signatures that osslsigncode made, good ones and bad ones.

mod support;

use std::process::Command;

use cms::{
    content_info::ContentInfo,
    signed_data::{SignedData, SignerInfos},
};
use der::{Any, Decode as _, Encode as _, asn1::SetOfVec};
use expect_test::{Expect, expect};
use fs_err as fs;
use support::{Bench, How, WELL, WINDOWS};
use x509_cert::attr::Attribute;
use xtask_practice::{specimens, timestamps::Behaviour, tools};
use xtask_signed::{chain::CODE_SIGNING, cms::Message};

const UNSTAMPED: How<'static> = How {
    stamped: false,
    ..WELL
};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn every_format_signed_and_stamped_is_good() {
    let Some(bench) = Bench::new(&[&WINDOWS[..], &["wixl", "gcab", "makensis"]].concat()) else {
        return;
    };
    let check = |file: &std::path::Path, how: How<'_>, expect: Expect| {
        let signed = bench.osslsigncode(file, "signed", how);
        bench.check(&signed, &expect);
        fs::remove_file(signed).unwrap();
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let setup = specimens::nsis(bench.folder()).unwrap();
    let msi = specimens::msi(bench.folder()).unwrap();
    let cab = specimens::cab(bench.folder()).unwrap();
    let elliptic = How { who: "ec", ..WELL };
    let extended = How {
        more: &["-add-msi-dse"],
        ..WELL
    };
    check(
        &exe,
        WELL,
        expect![[r#"
            Pe by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    check(
        &exe,
        elliptic,
        expect![[r#"
            Pe by Practice Publisher EC, now by Practice Timestamps: good
        "#]],
    );
    check(
        &setup,
        WELL,
        expect![[r#"
            Pe by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    check(
        &msi,
        WELL,
        expect![[r#"
            Msi by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    check(
        &msi,
        extended,
        expect![[r#"
            Msi by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    check(
        &cab,
        WELL,
        expect![[r#"
            Cab by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    bench.check(
        &exe,
        &expect![[r#"
            not signed
        "#]],
    );
    bench.check(
        &msi,
        &expect![[r#"
            not signed
        "#]],
    );
    bench.check(
        &cab,
        &expect![[r#"
            not signed
        "#]],
    );
}

#[test]
fn who_signed_decides() {
    let Some(bench) = Bench::new(&WINDOWS) else {
        return;
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let check = |who, expect: Expect| {
        let signed = bench.osslsigncode(&exe, &format!("{who}.exe"), How { who, ..UNSTAMPED });
        bench.check(&signed, &expect);
    };
    check(
        "leaf",
        expect![[r#"
            Pe by Practice Publisher: good
        "#]],
    );
    check(
        "expired",
        expect![[r#"
            Pe by Practice Expired:
              the certificate of Practice Expired had expired
        "#]],
    );
    check(
        "early",
        expect![[r#"
            Pe by Practice Early:
              the certificate of Practice Early was not valid yet
        "#]],
    );
    check(
        "server",
        expect![[r#"
            Pe by Practice TLS Server:
              the certificate of Practice TLS Server is not made for code signing
        "#]],
    );
    check(
        "revoked",
        expect![[r#"
            Pe by Practice Revoked:
              the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
        "#]],
    );
    check(
        "stranger",
        expect![[r#"
            Pe by Practice Stranger:
              Practice Stranger leads to no certificate that is trusted
        "#]],
    );
}

/// A timestamp proves that the signature is older than the certificate's end.
#[test]
fn a_timestamp_outlives_the_certificate() {
    let Some(bench) = Bench::new(&WINDOWS) else {
        return;
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let check = |who, days: i64, expect: Expect| {
        bench.timestamps(&Behaviour::lying(days * DAY));
        let signed = bench.osslsigncode(&exe, &format!("{who}{days}.exe"), How { who, ..WELL });
        bench.check(&signed, &expect);
    };
    check(
        "expired",
        -30,
        expect![[r#"
            Pe by Practice Expired, 30 days ago by Practice Timestamps: good
        "#]],
    );
    check(
        "expired",
        0,
        expect![[r#"
            Pe by Practice Expired, now by Practice Timestamps:
              the certificate of Practice Expired had expired
        "#]],
    );
    check(
        "revoked",
        -30,
        expect![[r#"
            Pe by Practice Revoked, 30 days ago by Practice Timestamps: good
        "#]],
    );
    check(
        "revoked",
        0,
        expect![[r#"
            Pe by Practice Revoked, now by Practice Timestamps:
              the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
        "#]],
    );
}

/// Anybody can run a timestamp server that says what its owner likes to hear.
#[test]
fn a_timestamp_of_just_anybody_does_not_outlive_the_certificate() {
    let Some(bench) = Bench::new(&WINDOWS) else {
        return;
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let mut trust = bench.trust();
    trust.timestamp_anchors.clear();
    let check = |who, days: i64, expect: Expect| {
        bench.timestamps(&Behaviour::lying(days * DAY));
        let signed = bench.osslsigncode(&exe, &format!("{who}.exe"), How { who, ..WELL });
        bench.check_with(&signed, &trust, &expect);
    };
    check(
        "leaf",
        0,
        expect![[r#"
        Pe by Practice Publisher, now by Practice Timestamps: good
    "#]],
    );
    check(
        "expired",
        -30,
        expect![[r#"
        Pe by Practice Expired, 30 days ago by Practice Timestamps:
          the certificate of Practice Expired had expired
    "#]],
    );
    check(
        "revoked",
        -30,
        expect![[r#"
        Pe by Practice Revoked, 30 days ago by Practice Timestamps:
          the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
    "#]],
    );
}

/// osslsigncode takes what such servers answer, and exits with 0; its own verification does, too.
#[test]
fn a_timestamp_that_is_worth_nothing_is_a_problem() {
    let Some(bench) = Bench::new(&WINDOWS) else {
        return;
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let check = |name: &str, behaviour: &Behaviour, expect: Expect| {
        bench.timestamps(behaviour);
        let signed = bench.osslsigncode(&exe, &format!("{name}.exe"), WELL);
        bench.check(&signed, &expect);
    };
    check(
        "other",
        &Behaviour::other_imprint(),
        expect![[r#"
            Pe by Practice Publisher:
              the timestamp: it was made for another signature
        "#]],
    );
    check(
        "usage",
        &Behaviour::wrong_usage(),
        expect![[r#"
            Pe by Practice Publisher:
              the timestamp: the certificate of Practice Publisher is not made for timestamps
        "#]],
    );
    check(
        "hour",
        &Behaviour::lying(3600),
        expect![[r#"
            Pe by Practice Publisher:
              the timestamp: it lies in the future
        "#]],
    );
    check(
        "years",
        &Behaviour::lying(-10 * 365 * DAY),
        expect![[r#"
            Pe by Practice Publisher:
              the timestamp: the certificate of Practice Timestamps was not valid yet
        "#]],
    );

    bench.timestamps(&Behaviour::good());
    let signed = bench.osslsigncode(&exe, "untrusted.exe", WELL);
    let mut trust = bench.trust();
    trust.timestamp_anchors = trust.anchors.clone();
    bench.check_with(
        &signed,
        &trust,
        &expect![[r#"
            Pe by Practice Publisher:
              the timestamp: Practice Timestamps leads to no certificate that is trusted
        "#]],
    );
}

/// Which one counts would be left to the reader: two attributes, or one with two values.
#[test]
fn two_timestamps_are_a_problem_and_not_none() {
    let Some(bench) = Bench::new(&WINDOWS) else {
        return;
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let stamps: Vec<Attribute> = ["one", "other"]
        .iter()
        .flat_map(|name| {
            let signed = bench.osslsigncode(&exe, &format!("{name}.exe"), WELL);
            let message = signature(&bench, &signed);
            let signer = message.signer_infos.0.get(0).unwrap().clone();
            signer.unsigned_attrs.unwrap().into_vec()
        })
        .collect();
    let values = stamps.iter().flat_map(|it| it.values.iter().cloned());
    let both = Attribute {
        oid: stamps[0].oid,
        values: SetOfVec::from_iter(values).unwrap(),
    };
    let check = |stamps: Vec<Attribute>, expect: Expect| {
        let mut message = signature(&bench, &bench.path("one.exe"));
        let mut signer = message.signer_infos.0.get(0).unwrap().clone();
        signer.unsigned_attrs = Some(stamps.try_into().unwrap());
        message.signer_infos = SignerInfos(vec![signer].try_into().unwrap());
        let info = ContentInfo {
            content_type: "1.2.840.113549.1.7.2".parse().unwrap(),
            content: Any::encode_from(&message).unwrap(),
        };
        let message = Message::parse(&info.to_der().unwrap()).unwrap();
        let content = message.content().1.unwrap();
        let verdict = message.check(content, CODE_SIGNING, &bench.trust());
        let stamped = verdict.timestamp.is_some();
        expect.assert_eq(&format!("{stamped}, {:?}", verdict.problems));
    };
    check(vec![stamps[0].clone()], expect!["true, []"]);
    check(
        stamps.clone(),
        expect![[r#"false, ["the timestamp: there is more than one"]"#]],
    );
    check(
        vec![both],
        expect![[r#"false, ["the timestamp: there is more than one"]"#]],
    );
}

fn signature(bench: &Bench, signed: &std::path::Path) -> SignedData {
    let out = bench.path("signature.der");
    let mut extract = Command::new("osslsigncode");
    extract.arg("extract-signature").arg("-in").arg(signed);
    tools::run(extract.arg("-out").arg(&out)).unwrap();
    let info = ContentInfo::from_der(&fs::read(&out).unwrap()).unwrap();
    fs::remove_file(out).unwrap();
    info.content.decode_as().unwrap()
}

#[test]
fn each_of_several_signatures_counts() {
    let Some(bench) = Bench::new(&[&WINDOWS[..], &["gcab"]].concat()) else {
        return;
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let once = bench.osslsigncode(&exe, "once.exe", WELL);
    let check = |who, more, expect: Expect| {
        let how = How { who, more, ..WELL };
        let signed = bench.osslsigncode(&once, &format!("{who}{}.exe", more.len()), how);
        bench.check(&signed, &expect);
    };
    check(
        "other",
        &["-nest"],
        expect![[r#"
            Pe by Practice Publisher, now by Practice Timestamps: good
            Pe by Practice Other Publisher, now by Practice Timestamps: good
        "#]],
    );
    check(
        "stranger",
        &["-nest"],
        expect![[r#"
            Pe by Practice Publisher, now by Practice Timestamps: good
            Pe by Practice Stranger, now by Practice Timestamps:
              Practice Stranger leads to no certificate that is trusted
        "#]],
    );
    // Without being told so it replaces the signature, and says nothing.
    check(
        "other",
        &[],
        expect![[r#"
            Pe by Practice Other Publisher, now by Practice Timestamps: good
        "#]],
    );

    let cab = specimens::cab(bench.folder()).unwrap();
    let once = bench.osslsigncode(&cab, "once.cab", WELL);
    let how = How {
        who: "stranger",
        more: &["-nest"],
        ..WELL
    };
    let twice = bench.osslsigncode(&once, "twice.cab", how);
    bench.check(
        &twice,
        &expect![[r#"
            Cab by Practice Publisher, now by Practice Timestamps:
              a further signature: Practice Stranger leads to no certificate that is trusted
        "#]],
    );
}
