//! notarytool and stapler.

use xtask_practice::{
    notary::{self, Request},
    timestamps::Trouble,
};

use super::{super::Desk, Row};

/// notarytool(1) tells the arguments, and nothing of exit codes: those are what logs have.
#[test]
fn slow_notarytool_keeps_to_its_manual() {
    let Some(desk) = Desk::new(&[]) else {
        return;
    };
    let login = "k=\"--key $PKI/AuthKey_PRACTICE42.p8 --key-id PRACTICE42 --issuer 0c0ffee0-1234-4567-89ab-practice0000\"; \
        short=\"-k $PKI/AuthKey_PRACTICE42.p8 -d PRACTICE42 -i 0c0ffee0-1234-4567-89ab-practice0000\"; n='xcrun notarytool'; id=$(cat id 2>/dev/null);";
    desk.notary
        .set(&notary::Behaviour::accepting().after(u32::MAX))
        .unwrap();
    desk.table(
        login,
        &[
            ("xcrun --find notarytool", 0, ">/"),
            ("$n history $k", 0, ">Successfully received submission history.\n  history"),
            ("$n history $short -f json", 0, ">{\"message\":\"Successfully received submission history.\",\"history\":[]}"),
            ("$n history", 64, "!Error: Must provide credentials."),
            ("$n submit none.zip $k", 64, ">Conducting pre-submission checks for none.zip"),
            ("$n submit app $k", 64, "!app must be a zip archive (.zip), flat installer package (.pkg), or UDIF disk image (.dmg), use 'notarytool submit --force'"),
            ("$n submit app $k --force --no-s3-acceleration --no-progress", 0, ">Submission ID received\n  id: "),
            ("$n submit app.dmg $k --output-format json | tee out; sed 's/.*\"id\":\"//; s/\".*//' out > id", 0, ">\"message\":\"Successfully uploaded file\""),
            ("$n info $id $k", 0, ">  createdDate: "),
            ("$n info $id $k --output-format=json", 0, ">\"status\":\"In Progress\""),
            ("$n info $id $k -f plist", 0, "><key>status</key>"),
            // When the time is over, standard output is empty.
            ("$n wait $id $k --timeout 1 --output-format json >out; s=$?; test ! -s out || s=0; exit $s", 124, "!{\"message\":\"Timeout of 1 second(s) was reached before processing completed.\",\"id\":\""),
            ("$n submit app.dmg $k --wait --timeout 1s", 124, "!Error: Timeout of 1 second(s) was reached"),
            ("$n log $id $k", 69, "!Submission log is not yet available or submissionId does not exist"),
            ("$n info 0c0ffee0-0000-0000-0000-000000000000 $k --output-format json", 69, "!{\"message\":\"Submission does not exist or does not belong to your team.\",\"id\":\""),
            ("$n history $k --key-id OTHER", 1, "!Error: HTTP status code: 401. Unauthenticated."),
            ("$n history --keychain-profile none", 69, "!Error: No Keychain password item found for profile: none"),
            ("$n store-credentials mine $k", 0, ">Credentials saved to Keychain."),
            ("$n store-credentials other $k --key-id OTHER", 1, "!HTTP status code: 401"),
            ("$n store-credentials other $k --key-id OTHER --no-validate", 0, ">Credentials saved"),
            ("$n history -p mine", 0, ">Successfully received submission history."),
        ],
    );
    desk.notary
        .set(&notary::Behaviour::rejecting(vec![]))
        .unwrap();
    desk.table(
        login,
        &[
            // A rejection is no failure: what is printed counts.
            (
                "$n wait $id $k --output-format json",
                0,
                ">\"status\":\"Invalid\",\"message\":\"Processing complete\"",
            ),
            ("$n submit app.dmg $k --wait", 0, ">  status: Invalid"),
            ("$n log $id $k", 0, ">\"status\": \"Invalid\""),
            (
                "$n log $id $k log.json --output-format json",
                0,
                ">\"location\":\"log.json\"",
            ),
        ],
    );
    assert_eq!(desk.refused(), 0, "{:?}", desk.stand_ins.violations());
    let refused: &[Row] = &[
        (
            "$n upload app.dmg",
            64,
            "!Error: Unexpected argument 'upload'",
        ),
        (
            "$n submit $k",
            64,
            "!Error: Missing expected argument '<file-path>'",
        ),
        (
            "$n info $k",
            64,
            "!Error: Missing expected argument '<submission-id>'",
        ),
        (
            "$n info $id $k --wait",
            64,
            "!Error: Unknown option '--wait'",
        ),
        (
            "$n submit app.dmg $k --timeout 1d --wait",
            64,
            "!is invalid for '--timeout <timeout>'",
        ),
        (
            "$n history $k --output-format yaml",
            64,
            "!is invalid for '--output-format",
        ),
        ("$n history --key", 64, "!Error: Missing value for '--key'"),
        (
            "xcrun altool",
            72,
            "!xcrun: error: unable to find utility \"altool\", not a developer tool or in PATH",
        ),
    ];
    desk.table(login, refused);
    assert_eq!(desk.refused(), refused.len());
}

/// stapler(1): those of sysexits(3). Where logs have another one than the page, it is theirs.
#[test]
fn slow_stapler_keeps_to_its_manual() {
    let Some(desk) = Desk::new(&["rcodesign"]) else {
        return;
    };
    let login = "k=\"--key $PKI/AuthKey_PRACTICE42.p8 --key-id PRACTICE42 --issuer 0c0ffee0-1234-4567-89ab-practice0000\"; \
        s='xcrun stapler';";
    let trouble = |what| notary::Behaviour::accepting().trouble(Request::Ticket, what, None);
    desk.table(
        login,
        &[
            ("$s staple none.dmg", 66, "!none.dmg does not exist"),
            ("$s staple app", 66, "!of no kind that can be stapled"),
            ("$s staple app.dmg", 66, "!Error 66."),
            (
                "$s validate app.dmg",
                65,
                "!app.dmg does not have a ticket stapled to it.",
            ),
            ("$s validate -q app.dmg", 65, ""),
            (
                "codesign -s - --timestamp=none app.dmg; $s staple -v app.dmg",
                65,
                "!failed due to \"Record not found\".",
            ),
            (
                "$s staple app.dmg",
                65,
                "!The staple and validate action failed! Error 65.",
            ),
            (
                "xcrun notarytool submit app.dmg $k --wait; $s staple app.dmg",
                0,
                ">The staple and validate action worked!",
            ),
            (
                "$s validate --verbose app.dmg",
                0,
                ">The validate action worked!",
            ),
            ("$s staple --quiet app.dmg", 0, ""),
        ],
    );
    desk.notary.set(&trouble(Trouble::Unavailable)).unwrap();
    desk.table(login, &[("$s staple app.dmg", 68, "!Error 68.")]);
    assert_eq!(desk.refused(), 0, "{:?}", desk.stand_ins.violations());
    let refused: &[Row] = &[
        ("$s", 64, "!Usage: stapler staple [-q] [-v] path"),
        ("$s staple", 64, "!Usage"),
        ("$s attach app.dmg", 64, "!Usage"),
        ("$s staple --force app.dmg", 64, "!Usage"),
    ];
    desk.table(login, refused);
    assert_eq!(desk.refused(), refused.len());
}
