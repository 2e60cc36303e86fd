//! Programs, libraries and disk images, and who signed them.

use std::path::Path;

use expect_test::{Expect, expect};
use xtask_practice::{
    specimens::{self, Kind},
    timestamps::Behaviour,
    tools,
};

use crate::{
    HARDENED, signed_app,
    support::{APPLE, Bench, How, WELL},
};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn every_format_signed_and_stamped_is_good() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let check = |name: &str, content: &[u8], how, expect: Expect| {
        let file = bench.rcodesign(&bench.file(name, content), how);
        bench.check(&file, &expect);
    };
    let program = specimens::macho(Kind::Program, 1);
    check(
        "program",
        &program,
        HARDENED,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "soft",
        &program,
        WELL,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    check(
        "old",
        &specimens::macho(Kind::OldProgram, 1),
        HARDENED,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
    // What codesign leaves of an older signature, behind its own; and what nobody left there.
    let whole = fs_err::read(bench.path("soft")).unwrap();
    let padding = whole.iter().rev().take_while(|it| **it == 0).count();
    assert!(padding >= 300, "{padding}");
    let left_over = |size: usize| {
        let mut data = whole.clone();
        let from = data.len() - 300;
        data[from..from + size].fill(0xfa);
        bench.file(&format!("left-{size}"), &data)
    };
    bench.check(
        &left_over(300),
        &expect![[r#"
        MachO by Practice Publisher, now by Practice Timestamps: good
    "#]],
    );
    bench.check(
        &left_over(1),
        &expect![[r#"
        damaged: something follows the signature
    "#]],
    );
    // The second list of hashes, under the number of a third.
    let mut data = fs_err::read(bench.path("old")).unwrap();
    let place = |data: &[u8], bytes: [u8; 4]| data.windows(4).rposition(|it| it == bytes);
    let start = place(&data, [0xfa, 0xde, 0x0c, 0xc0]).unwrap();
    let number = place(&data[..start + 60], [0, 0, 0x10, 0]).unwrap();
    data[number + 3] ^= 1;
    bench.check(
        &bench.file("renumbered", &data),
        &expect![[r#"
            damaged: the signature has a part of an unknown kind
        "#]],
    );
    check(
        "library",
        &specimens::macho(Kind::Library, 1),
        HARDENED,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "elliptic",
        &program,
        How {
            who: "ec",
            ..HARDENED
        },
        expect![[r#"
            MachO by Practice Publisher EC, now by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "image.dmg",
        &specimens::dmg(),
        WELL,
        expect![[r#"
            Dmg by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    // Nothing in an image runs, whatever the signer asked for.
    check(
        "hard.dmg",
        &specimens::dmg(),
        HARDENED,
        expect![[r#"
        Dmg by Practice Publisher, now by Practice Timestamps: good
    "#]],
    );
    bench.check(
        &signed_app(&bench),
        &expect![[r#"
            App by Practice Publisher, now by Practice Timestamps, hardened: good
            Frameworks/Kit.framework: App by Practice Publisher, now by Practice Timestamps: good
            MacOS/helper: MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
}

#[test]
fn universal_programs_are_signed_for_each_architecture() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let one = bench.file("one", &specimens::macho(Kind::Program, 1));
    let other = bench.file("other", &specimens::macho(Kind::OldProgram, 2));
    let both = bench.universal("both", &[&one, &other]);
    bench.rcodesign(&both, HARDENED);
    bench.check(
        &both,
        &expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
    // One that others may vouch for, but who did not sign the rest.
    let how = How {
        who: "other",
        ..HARDENED
    };
    bench.rcodesign(&one, HARDENED);
    bench.rcodesign(&other, how);
    bench.check(
        &bench.universal("mixed", &[&one, &other]),
        &expect![[r#"
        MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        MachO by Practice Other Publisher, now by Practice Timestamps, hardened:
          another architecture is signed with another certificate
    "#]],
    );
}

#[test]
fn who_signed_decides() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let program = specimens::macho(Kind::Program, 1);
    let check = |who, days: Option<i64>, expect: Expect| {
        if let Some(days) = days {
            bench.timestamps(&Behaviour::lying(days * DAY));
        }
        let stamped = days.is_some();
        let how = How {
            who,
            stamped,
            ..HARDENED
        };
        let file = bench.rcodesign(&bench.file(who, &program), how);
        bench.check(&file, &expect);
    };
    check(
        "leaf",
        None,
        expect![[r#"
            MachO by Practice Publisher, hardened: good
        "#]],
    );
    check(
        "expired",
        None,
        expect![[r#"
            MachO by Practice Expired, hardened:
              the certificate of Practice Expired had expired
        "#]],
    );
    check(
        "expired",
        Some(-30),
        expect![[r#"
            MachO by Practice Expired, 30 days ago by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "expired",
        Some(0),
        expect![[r#"
            MachO by Practice Expired, now by Practice Timestamps, hardened:
              the certificate of Practice Expired had expired
        "#]],
    );
    check(
        "early",
        None,
        expect![[r#"
            MachO by Practice Early, hardened:
              the certificate of Practice Early was not valid yet
        "#]],
    );
    check(
        "server",
        None,
        expect![[r#"
            MachO by Practice TLS Server, hardened:
              the certificate of Practice TLS Server is not made for code signing
        "#]],
    );
    check(
        "revoked",
        None,
        expect![[r#"
            MachO by Practice Revoked, hardened:
              the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
        "#]],
    );
    check(
        "stranger",
        None,
        expect![[r#"
            MachO by Practice Stranger, hardened:
              Practice Stranger leads to no certificate that is trusted
        "#]],
    );
}

/// rcodesign signs in the name of the last certificate that it is given with a PKCS#12 file, which
/// is that of an authority if the file has the whole chain, or if the chain is named beside it.
#[test]
fn signed_in_the_name_of_an_authority_is_caught() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let program = specimens::macho(Kind::Program, 1);
    let check = |name: &str, p12: &Path, beside: Option<&str>, expect: Expect| {
        let file = bench.file(name, &program);
        let mut command = tools::rcodesign_command();
        command
            .args(["sign", "--timestamp-url", "none", "--p12-file"])
            .arg(p12);
        command
            .arg("--p12-password-file")
            .arg(bench.pki.password_file());
        if let Some(beside) = beside {
            command.arg("--pem-file").arg(bench.pki.file(beside));
        }
        tools::run(command.arg(&file)).unwrap();
        bench.check(&file, &expect);
    };
    let identity = bench.pki.identity("leaf");
    check(
        "chain",
        &identity.p12_with_chain,
        None,
        expect![[r#"
            MachO by Practice Root:
              the signature does not fit the key of Practice Root
              the certificate of Practice Root is not made for code signing
        "#]],
    );
    check(
        "beside",
        &identity.p12,
        Some("intermediate.pem"),
        expect![[r#"
            MachO by Practice Code Signing CA:
              the signature does not fit the key of Practice Code Signing CA
              the certificate of Practice Code Signing CA is not made for code signing
        "#]],
    );
    let mut trust = bench.trust();
    let intermediate = bench.pki.file("intermediate.pem");
    trust.anchors = xtask_signed::Certificate::read_all(&intermediate).unwrap();
    check(
        "alone",
        &identity.p12,
        None,
        expect![[r#"
            MachO by Practice Publisher:
              Practice Publisher leads to no certificate that is trusted
        "#]],
    );
    bench.check_with(
        &bench.path("alone"),
        &trust,
        &expect![[r#"
            MachO by Practice Publisher: good
        "#]],
    );
}
