//! Timestamp server and `signtool`.

use expect_test::{Expect, expect};
use xtask_practice::{
    stand_ins::BadDay,
    timestamps::{Behaviour, Trouble},
};

use crate::Desk;

#[test]
fn openssl_accepts_good_timestamps_and_no_others() {
    let Some(desk) = Desk::new(&["curl"]) else {
        return;
    };
    let check = |behaviour: &Behaviour, expect: Expect| {
        desk.timestamps.set(behaviour).unwrap();
        let ask = "openssl ts -query -data app -sha256 -cert -out query 2>/dev/null; \
            curl -s --max-time 1 -H 'Content-Type: application/timestamp-query' \
            --data-binary @query -o reply $TSA || exit; \
            openssl ts -verify -queryfile query -in reply -CAfile $PKI/tsa-root.pem 2>&1 |\
            grep -Eo 'Verification: OK|nonce mismatch|imprint mismatch|unsupported certificate purpose\
            |unsuitable certificate purpose|response was rejected|response not ok|not enough data|wrong tag\
            |unable to get local issuer certificate' | head -n 1";
        desk.check(ask, &expect);
    };
    check(
        &Behaviour::good(),
        expect![[r#"
            status 0
            Verification: OK
        "#]],
    );
    check(
        &Behaviour::lying(-3600),
        expect![[r#"
            status 0
            Verification: OK
        "#]],
    );
    check(
        &Behaviour::other_imprint(),
        expect![[r#"
            status 0
            imprint mismatch
        "#]],
    );
    check(
        &Behaviour::other_nonce(),
        expect![[r#"
            status 0
            nonce mismatch
        "#]],
    );
    check(
        &Behaviour::wrong_usage(),
        expect![[r#"
            status 0
            unable to get local issuer certificate
        "#]],
    );
    check(
        &Behaviour::rejecting(),
        expect![[r#"
            status 0
        "#]],
    );
    check(
        &Behaviour::always(Trouble::Empty),
        expect![[r#"
            status 0
        "#]],
    );
    check(
        &Behaviour::always(Trouble::Garbage),
        expect![[r#"
            status 0
            not enough data
        "#]],
    );
    check(
        &Behaviour::always(Trouble::Reset),
        expect![[r#"
            status 56
        "#]],
    );
    check(
        &Behaviour::always(Trouble::Drop),
        expect![[r#"
            status 52
        "#]],
    );
    check(
        &Behaviour::always(Trouble::Hang),
        expect![[r#"
            status 28
        "#]],
    );
    check(
        &Behaviour::failing(Trouble::Drop, 1),
        expect![[r#"
            status 52
        "#]],
    );
    check(
        &Behaviour::good(),
        expect![[r#"
            status 0
            Verification: OK
        "#]],
    );
    assert_eq!(desk.timestamps.requests().unwrap(), 13);
}

#[test]
fn signtool_signs_and_verifies() {
    let Some(desk) = Desk::new(&["osslsigncode"]) else {
        return;
    };
    let thumbprint =
        "leaf=$(openssl x509 -in $PKI/leaf.pem -noout -fingerprint -sha1 | sed 's/.*=//; s/://g');";
    let check =
        |script: &str, expect: Expect| desk.check(&format!("{thumbprint} {script}"), &expect);
    check(
        "signtool verify /pa app.exe",
        expect![[r#"
            status 1
            File: app.exe
            Index  Algorithm  Timestamp
            ========================================

            Number of errors: 1
            SignTool Error: No signature found.
        "#]],
    );
    check(
        "signtool sign /fd sha256 /tr $TSA /td sha256 /sha1 $leaf /d 'An app' app.exe",
        expect![[r#"
            status 0
            Done Adding Additional Store
            Successfully signed: app.exe
        "#]],
    );
    check(
        "signtool verify /pa /tw app.exe",
        expect![[r#"
            status 0
            File: app.exe
            Index  Algorithm  Timestamp
            ========================================
            0      sha256     RFC3161

            Successfully verified: app.exe
        "#]],
    );
    check(
        "signtool verify app.exe",
        expect![[r#"
            status 1
            File: app.exe
            Index  Algorithm  Timestamp
            ========================================

            Number of errors: 1
            SignTool Error: A certificate chain processed, but terminated in a root
            	certificate which is not trusted by the trust provider.
        "#]],
    );
    check(
        "signtool sign /fd sha256 /sha1 $leaf app.exe && signtool verify /pa /tw app.exe",
        expect![[r#"
            status 2
            Done Adding Additional Store
            Successfully signed: app.exe
            File: app.exe
            Index  Algorithm  Timestamp
            ========================================
            0      sha256     None

            Successfully verified: app.exe

            Number of warnings: 1
            SignTool Warning: File is not timestamped: app.exe
        "#]],
    );
    check(
        "signtool sign /sha1 $leaf app.exe",
        expect![[r#"
            status 1
            SignTool Error: No file digest algorithm specified. Please specify the digest algorithm with the /fd flag. Using /fd SHA256 is recommended and more secure than SHA1. Calling signtool with /fd sha1 is equivalent to the previous behavior. In order to select the hash algorithm used in the signing certificate's signature, use the /fd certHash option.
        "#]],
    );
    check(
        "signtool sign /fd sha256 /sha1 00 app.exe",
        expect![[r#"
            status 1
            SignTool Error: No certificates were found that met all the given criteria.
        "#]],
    );
    check(
        "signtool sign /fd sha256 /f $PKI/leaf.p12 app.exe",
        expect![[r#"
            status 1
            SignTool Error: The specified PFX password is not correct.
        "#]],
    );
    check(
        "signtool sign /fd sha256 /tr http://127.0.0.1:9 /td sha256 /sha1 $leaf app.exe",
        expect![[r#"
            status 2
            Done Adding Additional Store

            Number of warnings: 1
            SignTool Error: The specified timestamp server either could not be reached or
            returned an invalid response.
            SignTool Warning: Signing succeeded, but an error occurred while attempting to
            	timestamp: app.exe
        "#]],
    );
    desk.timestamps
        .set(&Behaviour::failing(Trouble::Unavailable, 1))
        .unwrap();
    let sign = "signtool sign /fd sha256 /tr $TSA /td sha256 /sha1 $leaf app.exe";
    check(
        sign,
        expect![[r#"
            status 2
            Done Adding Additional Store

            Number of warnings: 1
            SignTool Error: The specified timestamp server either could not be reached or
            returned an invalid response.
            SignTool Warning: Signing succeeded, but an error occurred while attempting to
            	timestamp: app.exe
        "#]],
    );
    check(
        sign,
        expect![[r#"
            status 0
            Done Adding Additional Store
            Successfully signed: app.exe
        "#]],
    );
    desk.stand_ins.check().unwrap();
    check(
        "signtool sign /fd sha256 /f $PKI/leaf.p12 /p \"$(cat $PKI/password.txt)\" app.exe",
        expect![[r#"
            status 0
            Done Adding Additional Store
            Successfully signed: app.exe
        "#]],
    );
    check(
        "signtool sign /fd sha256 /password x app.exe",
        expect![[r#"
            status 1
            SignTool Error: Invalid option: /password
        "#]],
    );
    expect![[r#"
        [
            "signtool: a secret among the arguments",
            "signtool: the password of a PFX file among the arguments (/p)",
            "signtool: not documented: SignTool Error: Invalid option: /password",
        ]"#]]
    .assert_eq(&format!("{:#?}", desk.stand_ins.violations()));
}

#[test]
fn slow_a_stand_in_has_bad_days() {
    let Some(desk) = Desk::new(&["osslsigncode"]) else {
        return;
    };
    let days = [
        BadDay::fails(
            1,
            "SignTool Error: An unexpected internal error has occurred.",
        ),
        BadDay::lies("Successfully verified: app.exe"),
        BadDay::grumbles("a remark"),
        BadDay::hangs(),
    ];
    desk.stand_ins.bad_days("signtool", &days).unwrap();
    desk.check(
        "signtool verify /pa app.exe",
        &expect![[r#"
            status 1
            SignTool Error: An unexpected internal error has occurred.
        "#]],
    );
    desk.check(
        "signtool verify /pa app.exe",
        &expect![[r#"
            status 0
            Successfully verified: app.exe
        "#]],
    );
    desk.check(
        "signtool verify /pa app.exe",
        &expect![[r#"
            status 1
            File: app.exe
            Index  Algorithm  Timestamp
            ========================================

            Number of errors: 1
            a remark
            SignTool Error: No signature found.
        "#]],
    );
    desk.check(
        "timeout 5 signtool verify /pa app.exe",
        &expect![[r#"
            status 124
        "#]],
    );
    desk.check(
        "signtool verify /pa app.exe",
        &expect![[r#"
            status 1
            File: app.exe
            Index  Algorithm  Timestamp
            ========================================

            Number of errors: 1
            SignTool Error: No signature found.
        "#]],
    );
    assert_eq!(desk.stand_ins.calls().unwrap().len(), 5);
}
