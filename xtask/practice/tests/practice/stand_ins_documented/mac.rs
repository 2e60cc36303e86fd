//! codesign and security.

use xtask_practice::specimens;

use super::{super::Desk, Row};

/// codesign(1): 0 is success, 1 failure, 2 wrong arguments; what it says goes to standard error.
#[test]
fn slow_codesign_keeps_to_its_manual() {
    let Some(desk) = Desk::new(&["rcodesign"]) else {
        return;
    };
    desk.table(
        "",
        &[
            (
                "codesign --verify none",
                1,
                "!none: No such file or directory",
            ),
            (
                "codesign -v app",
                1,
                "!app: code object is not signed at all",
            ),
            (
                "codesign --verify app none",
                1,
                "!none: No such file or directory",
            ),
            (
                "codesign --display app",
                1,
                "!app: code object is not signed at all",
            ),
            (
                "codesign --sign nobody app",
                1,
                "!nobody: no identity found",
            ),
            ("codesign -s - --timestamp=none app", 0, ""),
            ("codesign -s - app", 1, "!app: is already signed"),
            (
                "codesign -fs - app",
                0,
                "!app: replacing existing signature",
            ),
            ("codesign --verify --strict=all --deep app", 0, ""),
            (
                "codesign -vv app",
                0,
                "!app: satisfies its Designated Requirement",
            ),
            (
                "codesign --verify --verbose=1 app",
                0,
                "!app: valid on disk",
            ),
            ("codesign app --verify", 0, ""),
            ("codesign --verify none app -v", 1, "!app: valid on disk"),
            (
                "codesign --sign - --force none app",
                1,
                "!none: No such file or directory",
            ),
            ("codesign -d app", 0, "!Executable="),
            ("codesign -d --entitlements - --xml app", 0, "!Executable="),
            (
                "codesign -f -s - -o runtime --identifier=a.b --dryrun app",
                0,
                "!replacing",
            ),
            (
                "printf x | dd of=app bs=1 seek=1000 conv=notrunc 2>/dev/null; codesign -v app",
                1,
                "!app: invalid signature (code or signature have been modified)",
            ),
        ],
    );
    assert_eq!(desk.refused(), 0, "{:?}", desk.stand_ins.violations());
    let refused: &[Row] = &[
        ("codesign", 2, "!Usage: codesign -s identity"),
        ("codesign --verify", 2, "!Usage: codesign -s identity"),
        ("codesign app", 2, "!Usage: codesign -s identity"),
        (
            "codesign --unknown app",
            2,
            "!codesign: unrecognized option `--unknown'",
        ),
        ("codesign -x app", 2, "!codesign: invalid option -- x"),
        ("codesign --verify=1 app", 2, "!doesn't allow an argument"),
        (
            "codesign app --sign",
            2,
            "!codesign: option `--sign' requires an argument",
        ),
    ];
    desk.table("", refused);
    assert_eq!(desk.refused(), refused.len());
    // What it cannot do it does not pretend to have done.
    desk.table(
        "",
        &[(
            "codesign --verify -R=notarized app",
            2,
            "!--test-requirement is not played",
        )],
    );
}

/// What it says of bundles.
#[test]
fn slow_codesign_looks_into_bundles() {
    let Some(desk) = Desk::new(&["rcodesign"]) else {
        return;
    };
    specimens::app(desk.path()).unwrap();
    desk.table(
        "a=Practice.app; sign='codesign -f -s - --timestamp=none';",
        &[
            // Options before the verb are ignored, without a word.
            ("echo '<plist version=\"1.0\"><dict><key>k</key><true/></dict></plist>' > e; cp app lib; \
              codesign -o runtime -s - --timestamp=none --entitlements e lib; \
              codesign -dv --entitlements - lib 2>&1 | grep -c 'runtime: Some'", 1, ">0"),
            ("codesign -f -s - -o runtime --timestamp=none --entitlements e lib 2>out; \
              codesign -dv --entitlements - lib 2>&1 | grep 'runtime: Some' >out && codesign -d --entitlements - lib 2>out", 0, "><key>k"),
            // A library gets no entitlements.
            ("f=$a/Contents/Resources/sidecars/tool/module.so; $sign --entitlements e $f; \
              codesign -d --entitlements - $f | grep -c key", 1, ">0"),
            // Code inside comes first, unless --deep says otherwise.
            (
                "$sign $a",
                1,
                "!Practice.app: code object is not signed at all\nIn subcomponent: /",
            ),
            ("$sign --deep $a 2>/dev/null", 0, ""),
            ("codesign --verify --deep --strict $a", 0, ""),
            (
                "echo x > $a/Contents/Resources/new; codesign -vv $a",
                1,
                "!Practice.app: a sealed resource is missing or invalid",
            ),
            ("codesign -vv $a", 1, ">file added: /"),
            (
                "codesign -v $a >out; s=$?; test ! -s out || s=0; exit $s",
                1,
                "!a sealed resource is missing or invalid",
            ),
            ("codesign -v --ignore-resources $a", 0, ""),
        ],
    );
    assert_eq!(desk.refused(), 0, "{:?}", desk.stand_ins.violations());
}

/// security(1), of which Apple publishes the source: 2 shows how a command is used; else it is the
/// low byte of the system's status.
#[test]
fn slow_security_keeps_to_its_source() {
    let Some(desk) = Desk::new(&[]) else {
        return;
    };
    let interactive: &[Row] = &[
        ("ask 'create-keychain -p a b.keychain'", 0, ""),
        (
            "ask 'create-keychain -p a b.keychain'",
            48,
            "!security: SecKeychainCreate b.keychain: A keychain with the same name already exists.",
        ),
        (
            "ask 'create-keychain -p a b.keychain'",
            48,
            "!create-keychain: returned 48",
        ),
        (
            "ask 'unlock-keychain -p b b.keychain'",
            51,
            "!security: SecKeychainUnlock b.keychain: The user name or passphrase you entered is not correct.",
        ),
        (
            "ask 'unlock-keychain -p a c.keychain'",
            50,
            "!SecKeychainUnlock c.keychain: The specified keychain could not be found.",
        ),
        (
            "ask 'set-key-partition-list -S apple: -s -k b b.keychain'",
            51,
            "!security: SecKeychainUnlock: The user name",
        ),
        ("ask 'set-keychain-settings -lut 21600 b.keychain'", 0, ""),
        // Quotes begin and end a word; a backslash counts within both kinds.
        (
            r#"ask 'create-keychain -p "a \"b" c.keychain'; ask 'unlock-keychain -p "a \"b" c.keychain'"#,
            0,
            "",
        ),
        (
            r#"ask "create-keychain -p 'a\\' b' d.keychain"; ask 'unlock-keychain -p "a'"'"' b" d.keychain'"#,
            0,
            "",
        ),
        (
            r#"ask 'unlock-keychain -p "a"" \"b" c.keychain'"#,
            2,
            "!Usage: unlock-keychain",
        ),
        // Nobody is asked for the password, which is no failure.
        ("ask unlock-keychain", 0, ""),
        (
            "printf 'create-keychain -p a lost.keychain' | security -i; security delete-keychain lost.keychain",
            50,
            "!security: SecKeychainDelete: The specified keychain could not be found.",
        ),
        // It goes on, and ends as the last one did.
        (
            r"printf 'unlock-keychain -p x b.keychain\nlist-keychains\n' | security -i",
            0,
            "!unlock-keychain: returned 51",
        ),
    ];
    let prelude = r#"ask() { printf '%s\n' "$1" | security -i; };"#;
    desk.table(prelude, interactive);
    let import = r#"ask() { printf '%s\n' "$1" | security -i; }; password=$(sed 's/[\\"]/\\&/g' $PKI/password.txt);"#;
    desk.table(
        import,
        &[
            (
                "ask \"import none.p12 -k b.keychain -P x\"",
                1,
                "!security: Error reading infile none.p12: No such file or directory",
            ),
            (
                "ask \"import $PKI/leaf.p12 -k b.keychain -P x\"",
                1,
                "!security: SecKeychainItemImport: MAC verification failed",
            ),
            (
                "ask \"import $PKI/leaf.p12 -k none.keychain -P x\"",
                1,
                "!SecKeychainItemImport: The specified keychain",
            ),
            (
                "ask \"import $PKI/leaf.p12 -k b.keychain -f pkcs12 -P \\\"$password\\\"\"",
                0,
                ">1 identity imported.",
            ),
            (
                "security find-identity -p codesigning b.keychain",
                0,
                ">  Matching identities\n  1) ",
            ),
            (
                "security find-identity -p codesigning b.keychain",
                0,
                ">     1 identities found\n\n  Valid identities only\n  1) ",
            ),
            ("security find-identity -v b.keychain", 0, ">  1) "),
            (
                "security find-identity -v",
                0,
                ">     0 valid identities found",
            ),
            (
                "ask \"set-key-partition-list -S apple-tool:,apple: -s -k a b.keychain\"",
                0,
                ">class: 0x00000010",
            ),
            (
                "security list-keychain -d user -s b.keychain; security list-keychains",
                0,
                ">    \"/",
            ),
            (
                "security lock-keychain b.keychain; ask 'set-keychain-settings b.keychain'",
                36,
                "!User interaction is not allowed.",
            ),
            (
                "security delete-keychain b.keychain; security list-keychains -d user",
                0,
                "",
            ),
        ],
    );
    let refused: &[Row] = &[
        ("security", 2, ">Usage: security [-h] [-i]"),
        (
            "security make-keychain",
            1,
            "!security: unknown command \"make-keychain\"",
        ),
        (
            "security lock-keychain -x",
            2,
            "!Usage: lock-keychain [-a | keychain]",
        ),
        (
            "security list-keychains -d mine",
            2,
            "!security: Invalid domain: mine",
        ),
        ("security import", 2, "!Usage: import inputfile"),
        ("security import a -f p12", 2, "!Usage: import inputfile"),
        (
            "security set-keychain-settings a b",
            2,
            "!Usage: set-keychain-settings",
        ),
    ];
    let before = desk.refused();
    desk.table("", refused);
    assert_eq!(desk.refused(), before + refused.len());
}
