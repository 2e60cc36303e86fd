//! Shows that what tests of signing rely on behaves as it says. The programs are called as a person
//! would at a terminal.

#![cfg(unix)]

use std::{path::Path, process::Command};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask_practice::{
    Notary, Pki, StandIns, Timestamps,
    notary::{self, Issue, Request},
    specimens::{self, Kind},
    stand_ins::{APPLE_PASSWORD, BadDay, Servers},
    timestamps::{Behaviour, Trouble},
    tools,
};

struct Desk {
    pki: Pki,
    timestamps: Timestamps,
    notary: Notary,
    stand_ins: StandIns,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(programs: &[&str]) -> Option<Self> {
        if !tools::have(&[&["openssl", "python3"], programs].concat()) {
            return None;
        }
        let pki = Pki::shared().unwrap();
        let timestamps = Timestamps::start(&pki).unwrap();
        let notary = Notary::start(&pki).unwrap();
        let servers = Servers {
            notary: Some(&notary),
            timestamps: Some(&timestamps),
        };
        let stand_ins = StandIns::new(&pki, servers).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.exe"), specimens::pe()).unwrap();
        fs::write(
            folder.path().join("app"),
            specimens::macho(Kind::Program, 1),
        )
        .unwrap();
        fs::write(folder.path().join("app.dmg"), specimens::dmg()).unwrap();
        Some(Self {
            pki,
            timestamps,
            notary,
            stand_ins,
            folder,
        })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs shell commands; compares their status and what they print.
    #[track_caller]
    fn check(&self, script: &str, expect: &Expect) {
        let rcodesign = tools::rcodesign().unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(self.path());
        shell
            .env("PATH", self.stand_ins.path().unwrap())
            .env("PKI", self.pki.folder());
        shell
            .env("TSA", self.timestamps.url())
            .env("RCODESIGN", rcodesign);
        shell
            .env("APPLE_PASSWORD", APPLE_PASSWORD)
            .envs(self.notary.environment());
        let output = tools::output(&mut shell).unwrap();
        let mut text = format!("status {}\n", output.status.code().unwrap_or(-1));
        for stream in [&output.stdout, &output.stderr] {
            for line in String::from_utf8_lossy(stream).lines() {
                text += &format!("{}\n", line.trim_end());
            }
        }
        let here = self.path().canonicalize().unwrap();
        let text = text.replace(&here.display().to_string(), "…");
        expect.assert_eq(&text.replace(&self.path().display().to_string(), "…"));
    }
}

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
            Successfully verified: app.exe
        "#]],
    );
    check(
        "signtool verify app.exe",
        expect![[r#"
            status 1
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
            SignTool Warning: File is not timestamped: app.exe
        "#]],
    );
    check(
        "signtool sign /sha1 $leaf app.exe",
        expect![[r#"
            status 1
            SignTool Error: No file digest algorithm specified. Please specify the digest algorithm with the /fd flag.
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
            status 1
            SignTool Error: The specified timestamp server either could not be reached or
            returned an invalid response.
            SignTool Error: An error occurred while attempting to sign: app.exe
        "#]],
    );
    desk.timestamps
        .set(&Behaviour::failing(Trouble::Unavailable, 1))
        .unwrap();
    let sign = "signtool sign /fd sha256 /tr $TSA /td sha256 /sha1 $leaf app.exe";
    check(
        sign,
        expect![[r#"
            status 1
            SignTool Error: The specified timestamp server either could not be reached or
            returned an invalid response.
            SignTool Error: An error occurred while attempting to sign: app.exe
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
fn a_stand_in_has_bad_days() {
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
            SignTool Error: No signature found.
        "#]],
    );
    assert_eq!(desk.stand_ins.calls().unwrap().len(), 5);
}

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
            security> security> security>
            security: SecKeychainItemImport: MAC verification failed during PKCS12 import (wrong password?)
        "#]],
    );
    check(
        "security -i < good; security list-keychains -d user -s $PWD/build.keychain-db",
        expect![[r#"
            status 0
            security> security> security> 1 identity imported.
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
        "security -i < partition",
        expect![[r#"
            status 0
            security>
        "#]],
    );
    check(
        "codesign --verify --strict app",
        expect![[r#"
            status 1
            app: code object is not signed at all
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
        "#]],
    );
    desk.timestamps
        .set(&Behaviour::always(Trouble::Unavailable))
        .unwrap();
    check(
        "codesign -f -s 'Practice Publisher' --timestamp app",
        expect![[r#"
            status 1
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
        "#]],
    );
    expect![[r#"
        [
            "security: a password among the arguments (-p)",
            "codesign: not documented: codesign: unrecognized option `--unknown'",
        ]"#]]
    .assert_eq(&format!("{:#?}", desk.stand_ins.violations()));
}

#[test]
fn notarytool_and_stapler_work_with_the_notary() {
    let Some(desk) = Desk::new(&["rcodesign"]) else {
        return;
    };
    let login = "k=\"--key $PKI/AuthKey_PRACTICE42.p8 --key-id PRACTICE42 --issuer 0c0ffee0-1234-4567-89ab-practice0000\"; \
        sign=\"$RCODESIGN sign --timestamp-url none --pem-file $PKI/leaf.key --pem-file $PKI/leaf-chain.pem\"; id=$(cat id 2>/dev/null);";
    let check = |script: &str, expect: Expect| {
        desk.check(&format!("{login} {{ {script}; }} 2>&1 | sed -E 's/[0-9a-f]{{8}}-[0-9a-f-]{{27}}/(id)/g; s/20[0-9]{{2}}-[0-9T:.-]+Z/(time)/g; s/[0-9a-f]{{64}}/(sha256)/g'"), &expect);
    };
    let behave = |it: &notary::Behaviour| desk.notary.set(it).unwrap();
    check(
        "$sign app.dmg >/dev/null 2>&1; xcrun notarytool submit $k --output-format json app.dmg | tee out; \
        sed 's/.*\"id\": \"//; s/\".*//' out > id",
        expect![[r#"
            status 0
            {"id": "(id)", "message": "Successfully uploaded file", "path": "…/app.dmg"}
        "#]],
    );
    check(
        "xcrun stapler validate app.dmg",
        expect![[r#"
            status 0
            Processing: …/app.dmg
            app.dmg does not have a ticket stapled to it.
        "#]],
    );
    behave(&notary::Behaviour::accepting().after(2));
    check(
        "xcrun notarytool info $id $k --output-format json",
        expect![[r#"
            status 0
            {"id": "(id)", "createdDate": "(time)", "name": "app.dmg", "status": "In Progress", "message": "Successfully received submission info"}
        "#]],
    );
    check(
        "xcrun notarytool wait $id $k --output-format json",
        expect![[r#"
            status 0
            {"id": "(id)", "status": "Accepted", "message": "Processing complete"}
        "#]],
    );
    behave(&notary::Behaviour::accepting().without_ticket());
    check(
        "xcrun stapler staple app.dmg",
        expect![[r#"
            status 0
            Processing: …/app.dmg
            CloudKit query for app.dmg failed due to "Record not found".
            Could not find base64 encoded ticket in response
            The staple and validate action failed! Error 65.
        "#]],
    );
    behave(&notary::Behaviour::accepting());
    check(
        "xcrun stapler staple app.dmg && xcrun stapler validate app.dmg",
        expect![[r#"
            status 0
            Processing: …/app.dmg
            The staple and validate action worked!
            Processing: …/app.dmg
            The validate action worked!
        "#]],
    );
    behave(&notary::Behaviour::rejecting(vec![Issue::error(
        "app.dmg/app",
        "The signature is invalid.",
    )]));
    check(
        "xcrun notarytool info $id $k --output-format json; xcrun notarytool log $id $k",
        expect![[r#"
            status 0
            {"id": "(id)", "createdDate": "(time)", "name": "app.dmg", "status": "Invalid", "message": "Successfully received submission info"}
            {
              "logFormatVersion": 1,
              "jobId": "(id)",
              "status": "Invalid",
              "statusSummary": "Archive contains critical validation errors",
              "statusCode": 4000,
              "archiveFilename": "app.dmg",
              "uploadDate": "(time)",
              "sha256": "(sha256)",
              "ticketContents": null,
              "issues": [
                {
                  "architecture": "arm64",
                  "message": "The signature is invalid.",
                  "path": "app.dmg/app",
                  "severity": "error"
                }
              ]
            }
        "#]],
    );
    let status = |what| notary::Behaviour::accepting().trouble(Request::Status, what, None);
    for (what, expect) in [
        (
            Trouble::Unauthorized,
            expect![[r#"
                status 0
                Error: HTTP status code: 401. Unauthenticated. Unable to authenticate. Invalid session. Ensure that all authentication arguments are correct.
                status 69
            "#]],
        ),
        (
            Trouble::TooManyRequests,
            expect![[r#"
                status 0
                Error: HTTP status code: 429. Too Many Requests
                status 69
            "#]],
        ),
        (
            Trouble::Unavailable,
            expect![[r#"
                status 0
                Error: HTTP status code: 503. Service Unavailable
                status 69
            "#]],
        ),
        (
            Trouble::Reset,
            expect![[r#"
                status 0
                Error: Error Domain=NSURLErrorDomain Code=-1009 "The Internet connection appears to be offline."
                [Errno 104] Connection reset by peer
                status 69
            "#]],
        ),
        (
            Trouble::Drop,
            expect![[r#"
                status 0
                Error: Error Domain=NSURLErrorDomain Code=-1009 "The Internet connection appears to be offline."
                Remote end closed connection without response
                status 69
            "#]],
        ),
        (
            Trouble::Hang,
            expect![[r#"
                status 0
                Error: Error Domain=NSURLErrorDomain Code=-1009 "The Internet connection appears to be offline."
                timed out
                status 69
            "#]],
        ),
    ] {
        desk.stand_ins.network_timeout(0.5).unwrap();
        behave(&status(what));
        check(
            "xcrun notarytool info $id $k --output-format json; echo status $?",
            expect,
        );
    }
    behave(&notary::Behaviour::accepting().after(u32::MAX));
    check(
        "xcrun notarytool submit app.dmg --wait --timeout 1s $k --output-format json",
        expect![[r#"
            status 0
            {"id": "(id)", "status": "In Progress", "message": "Timeout of 1 second(s) was reached before processing completed. The submission is still in progress."}
        "#]],
    );
    check(
        "xcrun notarytool history $k --key-id OTHER; echo status $?",
        expect![[r#"
            status 0
            Error: HTTP status code: 401. Unauthenticated. Unable to authenticate. Invalid session. Ensure that all authentication arguments are correct.
            status 69
        "#]],
    );
    check(
        "xcrun notarytool history --apple-id a@b.c --team-id T --password @env:APPLE_PASSWORD >/dev/null; echo status $?",
        expect![[r#"
            status 0
            status 0
        "#]],
    );
    desk.stand_ins.check().unwrap();
    check(
        "xcrun notarytool history --apple-id a@b.c --team-id T --password $APPLE_PASSWORD >/dev/null; xcrun altool; echo status $?",
        expect![[r#"
            status 0
            xcrun: error: unable to find utility "altool", not a developer tool or in PATH
            status 72
        "#]],
    );
    expect![[r#"
        [
            "xcrun: a secret among the arguments",
            "xcrun: a password among the arguments (--password)",
            "xcrun: not documented: altool",
        ]"#]]
    .assert_eq(&format!("{:#?}", desk.stand_ins.violations()));
}

/// The client that the notary must do for.
#[test]
fn rcodesign_talks_to_the_notary() {
    let Some(desk) = Desk::new(&["rcodesign"]) else {
        return;
    };
    let key = "$RCODESIGN encode-app-store-connect-api-key -o key.json \
        0c0ffee0-1234-4567-89ab-practice0000 PRACTICE42 $PKI/AuthKey_PRACTICE42.p8";
    let sign = "$RCODESIGN sign --timestamp-url none --pem-file $PKI/leaf.key --pem-file $PKI/leaf-chain.pem";
    desk.check(
        &format!("({key}; {sign} app.dmg) >/dev/null 2>&1"),
        &expect![[r#"
            status 0
        "#]],
    );
    let submit = "$RCODESIGN notary-submit --wait --api-key-file key.json app.dmg 2>&1 | grep -E '^(Error|poll|S3)' | sed -E 's#/submissions/[^)]+#/submissions/(id)#'";
    let check = |behaviour: &notary::Behaviour, expect: Expect| {
        desk.notary.set(behaviour).unwrap();
        desk.check(submit, &expect);
    };
    let accepting = notary::Behaviour::accepting;
    check(
        &accepting(),
        expect![[r#"
            status 0
            S3 upload completed successfully
            poll state after 0s: Accepted
        "#]],
    );
    check(
        &notary::Behaviour::rejecting(vec![]),
        expect![[r#"
            status 0
            S3 upload completed successfully
            poll state after 0s: Invalid
            Error: notarization invalid
        "#]],
    );
    check(
        &accepting().trouble(Request::Submit, Trouble::Unauthorized, None),
        expect![[r#"
            status 0
            Error: appstore connect error:
        "#]],
    );
    check(
        &accepting().trouble(Request::Submitted, Trouble::Drop, None),
        expect![[r#"
            status 0
            Error: error sending request for url (https://appstoreconnect.apple.com/notary/v2/submissions)
        "#]],
    );
    check(
        &accepting().trouble(Request::Upload, Trouble::Unavailable, Some(1)),
        expect![[r#"
            status 0
            S3 upload completed successfully
            poll state after 0s: Accepted
        "#]],
    );
    check(
        &accepting().trouble(Request::Status, Trouble::Drop, Some(1)),
        expect![[r#"
            status 0
            S3 upload completed successfully
            Error: error sending request for url (https://appstoreconnect.apple.com/notary/v2/submissions/(id))
        "#]],
    );
    let all = desk.notary.submissions().unwrap();
    // The one that was refused is none; the one whose answer was lost is one.
    assert_eq!(desk.notary.count(&all[0].sha256).unwrap(), 5);
    expect![[r#"
        submit
        upload
        status
        log
        submit
        upload
        status
        log
        submit: 401
        submit
        submitted: drop
        submit
        upload: 503
        upload
        status
        log
        submit
        upload
        status: drop
    "#]]
    .assert_eq(&format!("{}\n", desk.notary.requests().unwrap().join("\n")));
    desk.check(
        "$RCODESIGN staple app.dmg 2>&1 | grep found",
        &expect![[r#"
            status 0
            found notarization ticket; proceeding with stapling
        "#]],
    );
}
