//! What Apple says, and what becomes of it.

use expect_test::expect;
use fs_err as fs;
use xtask_practice::notary::{Behaviour, Issue, Request, Trouble};

use super::{both, check, mac::Mac, submissions_are};

#[test]
fn slow_accepted_and_stapled() {
    both(|mac| {
        let app = mac.signed_app();
        let image = mac.signed_image();
        mac.notary.set(&Behaviour::accepting().after(1)).unwrap();
        let said = mac.said("notarize submit Practice.app Practice.dmg");
        check(
            &said,
            expect![[r#"
            cargo xtask notarize submit Practice.app Practice.dmg for macos: 2 steps, [JOBS] at a time
            notarize:Practice.app  runs: it was asked for
            notarize:Practice.app  passed in [TIME]: accepted as [ID 1]; the ticket is attached
            notarize:Practice.dmg  runs: it was asked for
            notarize:Practice.dmg  passed in [TIME]: accepted as [ID 2]; the ticket is attached

            step  status  why  time
            notarize:Practice.app  passed  accepted as [ID 1]; the ticket is attached  [TIME]
            notarize:Practice.dmg  passed  accepted as [ID 2]; the ticket is attached  [TIME]
            2 passed in [TIME]
            exit 0
        "#]],
        );
        for product in [&app, &image] {
            let signed = mac.signature(product);
            assert_eq!((signed.stapled, signed.problems), (Some(true), Vec::new()));
        }
        submissions_are(mac, 2);
        // What carries the ticket is not submitted again, though its bytes are others now.
        check(
            &mac.said("notarize submit Practice.app Practice.dmg"),
            expect![[r#"
            cargo xtask notarize submit Practice.app Practice.dmg for macos: 2 steps, [JOBS] at a time
            notarize:Practice.app  runs: it was asked for
            notarize:Practice.app  passed in [TIME]: it carries Apple's ticket already
            notarize:Practice.dmg  runs: it was asked for
            notarize:Practice.dmg  passed in [TIME]: it carries Apple's ticket already

            step  status  why  time
            notarize:Practice.app  passed  it carries Apple's ticket already  [TIME]
            notarize:Practice.dmg  passed  it carries Apple's ticket already  [TIME]
            2 passed in [TIME]
            exit 0
        "#]],
        );
        submissions_are(mac, 2);
        check(
            &mac.said("notarize status"),
            expect![[r#"
            file  submitted  status  submission
            Practice-[SHA].zip  [NOW]  accepted, stapled  [ID 1]
            Practice-[SHA].dmg  [NOW]  accepted, stapled  [ID 2]
            exit 0
        "#]],
        );
        check(
            &mac.said("notarize resume"),
            expect![[r#"
            nothing waits for an answer of Apple's
            exit 0
        "#]],
        );
    });
}

#[test]
fn slow_a_rejection_is_a_table() {
    both(|mac| {
        mac.signed_app();
        let issues = vec![
            Issue::error(
                "Practice.zip/Practice.app/Contents/MacOS/helper",
                "The binary is not signed.",
            ),
            Issue {
                severity: "warning".to_owned(),
                architecture: None,
                ..Issue::error(
                    "Practice.zip/Practice.app/Contents/Resources/a",
                    "Something odd.",
                )
            },
        ];
        mac.notary.set(&Behaviour::rejecting(issues)).unwrap();
        check(
            &mac.said("notarize submit Practice.app"),
            expect![[r#"
            cargo xtask notarize submit Practice.app for macos: 1 step, [JOBS] at a time
            notarize:Practice.app  runs: it was asked for
            notarize:Practice.app  failed after [TIME]: Apple rejected Practice-[SHA].zip (submission [ID 1]): Invalid: Archive contains critical validation errors file  severity  message Practice.zip/Practice.app/Contents/MacOS/helper (arm64)  error  The binary is not signed. Practice.zip/Practice.app/Contents/Resources/a  warning  Something odd.

            step  status  why  time
            notarize:Practice.app  failed  it was asked for  [TIME]
            1 failed in [TIME]

            notarize:Practice.app failed: Apple rejected Practice-[SHA].zip (submission [ID 1]):
              Invalid: Archive contains critical validation errors

              file  severity  message
              Practice.zip/Practice.app/Contents/MacOS/helper (arm64)  error  The binary is not signed.
              Practice.zip/Practice.app/Contents/Resources/a  warning  Something odd.
              log: [ROOT]/target/dist/macos/logs/notarize-Practice.app.log
              hint: what to do about each: https://developer.apple.com/documentation/security/resolving-common-notarization-issues
              hint: Apple's whole log: [ROOT]/target/dist/macos/notary/[SHA256].log
              resume: cargo xtask notarize submit Practice.app
            exit 1
        "#]],
        );
        // The same bytes would be rejected again.
        let asked = mac.notary.requests().unwrap().len();
        let said = mac.said("notarize submit Practice.app");
        assert_eq!(
            mac.notary.requests().unwrap().len(),
            asked,
            "the answer is known"
        );
        assert!(
            said.contains("The binary is not signed.") && said.ends_with("exit 1\n"),
            "{said}"
        );
        submissions_are(mac, 1);
        check(
            &mac.said("notarize log"),
            expect![[r#"
            Invalid: Archive contains critical validation errors

            file  severity  message
            Practice.zip/Practice.app/Contents/MacOS/helper (arm64)  error  The binary is not signed.
            Practice.zip/Practice.app/Contents/Resources/a  warning  Something odd.
            exit 0
        "#]],
        );
        let json: serde_json::Value =
            serde_json::from_str(&mac.project.succeed("notarize log --format json").stdout)
                .unwrap();
        assert_eq!(json["issues"][1]["severity"], "warning");
        // Unless somebody says so.
        mac.notary.set(&Behaviour::accepting()).unwrap();
        mac.project
            .succeed("notarize submit --resubmit Practice.app");
        submissions_are(mac, 2);
    });
}

#[test]
fn slow_no_answer_in_time_has_an_exit_status_of_its_own() {
    both(|mac| {
        mac.signed_image();
        mac.notary
            .set(&Behaviour::accepting().after(u32::MAX))
            .unwrap();
        let said = mac.said("notarize submit Practice.dmg --timeout 2s");
        check(
            &said,
            expect![[r#"
                cargo xtask notarize submit --timeout [TIME] Practice.dmg for macos: 1 step, [JOBS] at a time
                notarize:Practice.dmg  runs: it was asked for
                notarize:Practice.dmg  failed after [TIME]: Apple has not answered within [TIME]: Apple has not decided submission [ID 1] of Practice-[SHA].dmg, submitted at [NOW], is remembered: nothing is submitted again

                step  status  why  time
                notarize:Practice.dmg  failed  it was asked for  [TIME]
                1 failed in [TIME]

                notarize:Practice.dmg failed: Apple has not answered within [TIME]: Apple has not decided
                  submission [ID 1] of Practice-[SHA].dmg, submitted at [NOW], is remembered: nothing is submitted again
                  log: [ROOT]/target/dist/macos/logs/notarize-Practice.dmg.log
                  hint: go on waiting with `cargo xtask notarize submit --timeout [TIME] Practice.dmg`
                  hint: it has been hours, and Apple's system status shows no trouble? Then submit again: `cargo xtask notarize submit --resubmit Practice.dmg`
                  resume: cargo xtask notarize submit --timeout [TIME] Practice.dmg
                exit 75
            "#]],
        );
        assert!(mac.checkpoints()[0].contains("timed-out"));
        let said = mac.said("notarize resume --timeout 1s");
        assert!(said.ends_with("exit 75\n"), "{said}");
        mac.notary.set(&Behaviour::accepting()).unwrap();
        mac.project.succeed("notarize resume");
        submissions_are(mac, 1);
    });
}

#[test]
fn slow_the_network_fails_while_it_waits() {
    both(|mac| {
        let image = mac.signed_image();
        let troubles = [Trouble::Reset, Trouble::Unavailable];
        let behaviour = troubles.iter().fold(Behaviour::accepting(), |so_far, it| {
            so_far.trouble(Request::Status, *it, Some(1))
        });
        let behaviour = behaviour.trouble(Request::Ticket, Trouble::Drop, Some(1));
        mac.notary.set(&behaviour).unwrap();
        mac.project.succeed("notarize submit Practice.dmg");
        submissions_are(mac, 1);
        assert_eq!(mac.signature(&image).stapled, Some(true));
    });
}

#[test]
fn slow_a_rejection_is_said_without_its_log() {
    both(|mac| {
        mac.signed_image();
        let issues = vec![Issue::error("a", "The binary is not signed.")];
        let rejecting = Behaviour::rejecting(issues);
        let no_log = rejecting
            .clone()
            .trouble(Request::Logs, Trouble::Unavailable, None);
        mac.notary.set(&no_log).unwrap();
        let said = mac.said("notarize submit Practice.dmg");
        for text in [
            "Apple rejected Practice-[SHA].dmg (submission [ID 1]): why is in its log, which is not to be had now",
            "hint: cargo xtask notarize log [ID 1]",
        ] {
            assert!(said.contains(text), "{said}");
        }
        assert!(mac.checkpoints()[0].contains("rejected"));
        mac.notary.set(&rejecting).unwrap();
        let said = mac.said("notarize submit Practice.dmg");
        assert!(said.contains("The binary is not signed."), "{said}");
        submissions_are(mac, 1);
    });
}

#[test]
fn slow_why_apple_cannot_be_asked_is_said() {
    both(|mac| {
        mac.signed_image();
        let trouble = Behaviour::accepting().trouble(Request::Status, Trouble::Unavailable, None);
        mac.notary.set(&trouble).unwrap();
        let said = mac.said("notarize submit --timeout 1s Practice.dmg");
        let why = said
            .lines()
            .find_map(|it| it.split_once("could not be asked: "));
        let (_, why) = why.unwrap_or_else(|| panic!("{said}"));
        assert!(why.contains("503"), "{why}");
        assert!(said.ends_with("exit 75\n"), "{said}");
    });
}

#[test]
fn the_ticket_of_other_code_is_no_ticket() {
    let Some(mac) = Mac::new() else { return };
    mac.signed_image();
    mac.notary
        .set(&Behaviour::accepting().with_other_ticket())
        .unwrap();
    let said = mac.said("notarize submit Practice.dmg");
    assert!(
        said.contains("ticket is for other code") && said.ends_with("exit 1\n"),
        "{said}"
    );
}

#[test]
fn what_is_not_signed_is_not_submitted() {
    let Some(mac) = Mac::new() else { return };
    mac.app();
    check(
        &mac.said("notarize submit Practice.app"),
        expect![[r#"
        cargo xtask notarize submit Practice.app for macos: 1 step, [JOBS] at a time
        notarize:Practice.app  runs: it was asked for
        notarize:Practice.app  failed after [TIME]: [ROOT]/Practice.app is not signed

        step  status  why  time
        notarize:Practice.app  failed  it was asked for  [TIME]
        1 failed in [TIME]

        notarize:Practice.app failed: [ROOT]/Practice.app is not signed
          cause: failed to open file `[ROOT]/Practice.app/Contents/_CodeSignature/CodeResources`: No such file or directory (os error 2)
          log: [ROOT]/target/dist/macos/logs/notarize-Practice.app.log
          hint: sign it first: `cargo xtask sign [ROOT]/Practice.app`
          resume: cargo xtask notarize submit Practice.app
        exit 1
    "#]],
    );
    let app = mac.signed_app();
    fs::write(app.join("Contents/Resources/text.txt"), "another text\n").unwrap();
    let said = mac.said("notarize submit Practice.app");
    assert!(
        said.contains("does not hold") && said.ends_with("exit 1\n"),
        "{said}"
    );
    submissions_are(&mac, 0);
}
