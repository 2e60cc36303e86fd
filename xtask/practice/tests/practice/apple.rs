//! `codesign` and `security`.

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask_practice::timestamps::{Behaviour, Trouble};

use crate::Desk;

#[test]
fn codesign_signs_with_a_keychain_of_security() {
    let Some(desk) = Desk::new(&["rcodesign"]) else {
        return;
    };
    let quoted = xtask_practice::pki::PASSWORD
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    let keychain = desk.path().join("build.keychain-db");
    let (keychain, pki) = (keychain.display(), desk.pki.folder().display());
    let commands = |p12: &str| {
        format!(
            "create-keychain -p \"a b\" {keychain}\n\
             set-keychain-settings -lut 21600 {keychain}\n\
             import {pki}/{p12} -k {keychain} -f pkcs12 -T /usr/bin/codesign -P \"{quoted}\"\n"
        )
    };
    fs::write(desk.path().join("modern"), commands("leaf-modern.p12")).unwrap();
    fs::write(desk.path().join("good"), commands("leaf.p12")).unwrap();
    let partition =
        format!("set-key-partition-list -S apple-tool:,apple: -s -k \"a b\" {keychain}\n");
    fs::write(desk.path().join("partition"), partition).unwrap();
    let check = |script: &str, expect: Expect| desk.check(script, &expect);
    check(
        "security -i < modern; security delete-keychain $PWD/build.keychain-db",
        expect![[r#"
            status 0
            security: SecKeychainItemImport: MAC verification failed during PKCS12 import (wrong password?)
            import: returned 1
        "#]],
    );
    check(
        "security -i < good; security list-keychains -d user -s $PWD/build.keychain-db",
        expect![[r#"
            status 0
            1 identity imported.
        "#]],
    );
    check(
        "security list-keychains -d user; security find-identity -v -p codesigning | sed 's/[0-9A-F]\\{40\\}/…/'",
        expect![[r#"
            status 0
                "…/build.keychain-db"
              1) … "Practice Publisher"
                 1 valid identities found
        "#]],
    );
    let sign = "codesign --sign 'Practice Publisher' --options runtime --timestamp app";
    check(
        sign,
        expect![[r#"
            status 1
            app: errSecInternalComponent
        "#]],
    );
    check(
        "security -i < partition | sed 's/0x[0-9A-F]\\{40\\}/…/'",
        expect![[r#"
            status 0
            keychain: "…/build.keychain-db"
            version: 512
            class: 0x00000010
            attributes:
                0x00000000 <uint32>=0x00000010
                0x00000001 <blob>="Practice Publisher"
                0x00000006 <blob>=…
        "#]],
    );
    check(
        "codesign --verify --strict app",
        expect![[r#"
            status 1
            app: code object is not signed at all
            In architecture: arm64
        "#]],
    );
    check(
        sign,
        expect![[r#"
            status 0
        "#]],
    );
    check(
        "codesign --verify --strict --deep --verbose=2 app",
        expect![[r#"
            status 0
            app: valid on disk
            app: satisfies its Designated Requirement
        "#]],
    );
    check(
        sign,
        expect![[r#"
            status 1
            app: is already signed
        "#]],
    );
    check(
        "printf '<plist version=\"1.0\"><dict><key>a</key><true/></dict></plist>' > e.plist; \
        codesign -f -s 'Practice Publisher' --entitlements e.plist --timestamp=none app; \
        codesign -d --entitlements - --xml app | grep -o '<key>a'",
        expect![[r#"
            status 0
            <key>a
            app: replacing existing signature
            Executable=…/app
        "#]],
    );
    desk.timestamps
        .set(&Behaviour::always(Trouble::Unavailable))
        .unwrap();
    check(
        "codesign -f -s 'Practice Publisher' --timestamp app",
        expect![[r#"
            status 1
            app: replacing existing signature
            app: The timestamp service is not available.
        "#]],
    );
    desk.stand_ins.check().unwrap();
    check(
        "security unlock-keychain -p wrong $PWD/build.keychain-db",
        expect![[r#"
            status 51
            security: SecKeychainUnlock …/build.keychain-db: The user name or passphrase you entered is not correct.
        "#]],
    );
    check(
        "codesign --sign nobody app.dmg; codesign --unknown app",
        expect![[r#"
            status 2
            nobody: no identity found
            codesign: unrecognized option `--unknown'
            Usage: codesign -s identity [-fv*] [-o flags] [-r reqs] [-i ident] path ... # sign
                   codesign -v [-v*] [-R testreq] path|[+]pid ... # verify
                   codesign -d [options] path ... # display contents
                   codesign -h pid ... # display hosting paths
        "#]],
    );
    expect![[r#"
        [
            "security: a password among the arguments (-p)",
            "codesign: not documented: codesign: unrecognized option `--unknown'",
        ]"#]]
    .assert_eq(&format!("{:#?}", desk.stand_ins.violations()));
}
