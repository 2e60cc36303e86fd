//! The notary, with `notarytool`, `stapler` and rcodesign's own client.

use expect_test::{Expect, expect};
use xtask_practice::{
    notary::{self, Issue, Request},
    timestamps::Trouble,
};

use crate::Desk;

#[test]
fn slow_notarytool_and_stapler_work_with_the_notary() {
    let Some(desk) = Desk::new(&["rcodesign"]) else {
        return;
    };
    let login = "k=\"--key $PKI/AuthKey_PRACTICE42.p8 --key-id PRACTICE42 --issuer 0c0ffee0-1234-4567-89ab-practice0000\"; \
        sign=\"$RCODESIGN sign --timestamp-url none --pem-file $PKI/leaf.key --pem-file $PKI/leaf-chain.pem\"; id=$(cat id 2>/dev/null);";
    let check = |script: &str, expect: Expect| {
        desk.check(&format!("{login} {{ {script}; }} 2>&1 | sed -E 's/[0-9a-f]{{8}}-[0-9a-f-]{{27}}/(id)/g; s/20[0-9]{{2}}-[0-9T:.-]+Z/(time)/g; s/[0-9a-f]{{64}}/(sha256)/g; s/[0-9a-f]{{40}}/(hash)/g'"), &expect);
    };
    let behave = |it: &notary::Behaviour| desk.notary.set(it).unwrap();
    check(
        "$sign app.dmg >/dev/null 2>&1; xcrun notarytool submit $k --output-format json app.dmg | tee out; \
        sed 's/.*\"id\":\"//; s/\".*//' out > id",
        expect![[r#"
            status 0
            {"id":"(id)","message":"Successfully uploaded file","path":"…/app.dmg"}
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
            {"id":"(id)","createdDate":"(time)","name":"app.dmg","status":"In Progress","message":"Successfully received submission info"}
        "#]],
    );
    check(
        "xcrun notarytool wait $id $k --output-format json",
        expect![[r#"
            status 0
            {"id":"(id)","status":"Accepted","message":"Processing complete"}
        "#]],
    );
    behave(&notary::Behaviour::accepting().without_ticket());
    check(
        "xcrun stapler staple app.dmg",
        expect![[r#"
            status 0
            Processing: …/app.dmg
            CloudKit query for app.dmg (2/(hash)) failed due to "Record not found".
            Could not find base64 encoded ticket in response for 2/(hash)
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
            {"id":"(id)","createdDate":"(time)","name":"app.dmg","status":"Invalid","message":"Successfully received submission info"}
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
                Error: HTTP status code: 401. Unauthenticated. Ensure that all authentication arguments are correct.
                status 1
            "#]],
        ),
        (
            Trouble::TooManyRequests,
            expect![[r#"
                status 0
                Error: invalidJSONResponse(statusCode: Optional(429), data: "{\"errors\": [{\"status\": \"429\", \"title\": \"slow down\"}]}")
                status 1
            "#]],
        ),
        (
            Trouble::Unavailable,
            expect![[r#"
                status 0
                Error: invalidJSONResponse(statusCode: Optional(503), data: "{\"errors\": [{\"status\": \"503\", \"code\": \"UNEXPECTED_ERROR\", \"title\": \"UNEXPECTED_ERROR\"}]}")
                status 1
            "#]],
        ),
        (
            Trouble::Reset,
            expect![[r#"
                status 0
                Error: HTTPError(statusCode: nil, error: Error Domain=NSURLErrorDomain Code=-1005 "The network connection was lost." UserInfo={NSLocalizedDescription=The network connection was lost.})
                status 69
            "#]],
        ),
        (
            Trouble::Drop,
            expect![[r#"
                status 0
                Error: HTTPError(statusCode: nil, error: Error Domain=NSURLErrorDomain Code=-1005 "The network connection was lost." UserInfo={NSLocalizedDescription=The network connection was lost.})
                status 69
            "#]],
        ),
        (
            Trouble::Hang,
            expect![[r#"
                status 0
                Error: HTTPError(statusCode: nil, error: Error Domain=NSURLErrorDomain Code=-1001 "The request timed out." UserInfo={NSLocalizedDescription=The request timed out.})
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
            {"message":"Timeout of 1 second(s) was reached before processing completed.","id":"(id)"}
        "#]],
    );
    check(
        "xcrun notarytool history $k --key-id OTHER; echo status $?",
        expect![[r#"
            status 0
            Error: HTTP status code: 401. Unauthenticated. Ensure that all authentication arguments are correct.
            status 1
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
