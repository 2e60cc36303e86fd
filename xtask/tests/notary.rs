//! Apple's notary: asked once, waited for in as many runs as it takes. With the real rcodesign, and
//! with stand-ins for notarytool and stapler, against a notary on this machine.
#![cfg(target_os = "linux")]

#[path = "support/frozen.rs"]
mod frozen;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/mac.rs"]
mod mac;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

use expect_test::{Expect, expect};
use fs_err as fs;
use mac::Mac;
use xtask_practice::{
    notary::{Behaviour, Issue, Request, Trouble},
    stand_ins::APPLE_PASSWORD,
};

/// With rcodesign, and as on macOS.
fn both(test: impl Fn(&Mac)) {
    let Some(mac) = Mac::new() else { return };
    test(&mac);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        // What is expected is said once, for both.
        return;
    }
    let Some(mac) = Mac::new() else { return };
    let mac = mac.with_apples_tools();
    test(&mac);
    mac.stand_ins.check().unwrap();
}

fn submissions_are(mac: &Mac, expected: usize) {
    let all = mac.notary.submissions().unwrap();
    assert_eq!(all.len(), expected, "{all:?}");
}

/// Only what does not depend on the tool: without the commands and what they print.
fn check(said: &str, expected: Expect) {
    let words = [
        "  | ",
        "  $ ",
        "ended 1 process group",
        "` failed: ",
        "exit status: ",
    ];
    let is_chatter = |it: &&str| words.iter().any(|word| it.contains(word));
    let lines: Vec<_> = said.lines().filter(|it| !is_chatter(it)).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

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
fn slow_a_killed_run_is_gone_on_with() {
    both(|mac| {
        let app = mac.signed_app();
        mac.notary
            .set(&Behaviour::accepting().after(u32::MAX))
            .unwrap();
        mac.kill_when("notarize submit Practice.app", "\"status\": \"submitted\"");
        mac.notary.set(&Behaviour::accepting()).unwrap();
        check(
            &mac.said("notarize status"),
            expect![[r#"
            file  submitted  status  submission
            Practice-[SHA].zip  [NOW]  submitted  [ID 1]

            next: cargo xtask notarize resume
            exit 0
        "#]],
        );
        check(
            &mac.said("notarize resume"),
            expect![[r#"
            cargo xtask notarize resume for macos: 1 step, [JOBS] at a time
            notarize:Practice-[SHA].zip  runs: submitted at [NOW]
            notarize:Practice-[SHA].zip  passed in [TIME]: accepted as [ID 1]; the ticket is attached

            step  status  why  time
            notarize:Practice-[SHA].zip  passed  accepted as [ID 1]; the ticket is attached  [TIME]
            1 passed in [TIME]
            exit 0
        "#]],
        );
        submissions_are(mac, 1);
        assert_eq!(mac.signature(&app).stapled, Some(true));
    });
}

#[test]
fn slow_the_same_bytes_are_the_same_submission() {
    both(|mac| {
        let app = mac.signed_app();
        mac.notary
            .set(&Behaviour::accepting().after(u32::MAX))
            .unwrap();
        mac.kill_when("notarize submit Practice.app", "\"status\": \"submitted\"");
        mac.notary.set(&Behaviour::accepting()).unwrap();
        // Who knows nothing of `resume` types the same again.
        let said = mac.said("notarize submit Practice.app");
        assert!(
            said.contains("going on with that") && said.ends_with("exit 0\n"),
            "{said}"
        );
        submissions_are(mac, 1);
        assert_eq!(mac.signature(&app).stapled, Some(true));
    });
}

#[test]
fn another_machine_goes_on() {
    let Some(mac) = Mac::new() else { return };
    mac.signed_app();
    mac.notary
        .set(&Behaviour::accepting().after(u32::MAX))
        .unwrap();
    let said = mac.said("notarize submit Practice.app --timeout 1s");
    assert!(said.ends_with("exit 75\n"), "{said}");
    // Only the app and the state of the notary come along.
    let other = Mac::new().unwrap();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        fs::create_dir_all(to).unwrap();
        let mut cp = std::process::Command::new("cp");
        cp.arg("-a").arg(from.join(".")).arg(to);
        project::read(cp);
    };
    copy(&mac.state().join("notary"), &other.state().join("notary"));
    let elsewhere = other.project.root.join("unpacked/Practice.app");
    copy(&mac.project.root.join("Practice.app"), &elsewhere);
    let mut here = other;
    for (name, value) in mac.notary.environment() {
        here.project.set(name, value);
    }
    mac.notary.set(&Behaviour::accepting()).unwrap();
    let ran = here.project.run("notarize resume");
    check(
        &mac.shown(&ran),
        expect![[r#"
        cargo xtask notarize resume for macos: 1 step, [JOBS] at a time
        notarize:Practice-[SHA].zip  runs: submitted, not answered in time at [NOW]
        notarize:Practice-[SHA].zip  passed in [TIME]: accepted, but Practice.app is not here: attach the ticket with `cargo xtask notarize resume FILE`

        step  status  why  time
        notarize:Practice-[SHA].zip  passed  accepted, but Practice.app is not here: attach the ticket with `cargo xtask notarize resume FILE`  [TIME]
        1 passed in [TIME]
        exit 0
    "#]],
    );
    let ran = here.project.run("notarize resume unpacked/Practice.app");
    check(
        &mac.shown(&ran),
        expect![[r#"
        cargo xtask notarize resume unpacked/Practice.app for macos: 1 step, [JOBS] at a time
        notarize:Practice-[SHA].zip  runs: accepted at [NOW]
        notarize:Practice-[SHA].zip  passed in [TIME]: accepted as [ID 1]; the ticket is attached

        step  status  why  time
        notarize:Practice-[SHA].zip  passed  accepted as [ID 1]; the ticket is attached  [TIME]
        1 passed in [TIME]
        exit 0
    "#]],
    );
    assert_eq!(here.signature(&elsewhere).stapled, Some(true));
    submissions_are(&mac, 1);
    submissions_are(&here, 0);
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
              hint: it has been hours, and Apple's system status shows no trouble? Then submit again with `cargo xtask notarize submit --resubmit FILE`
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
fn slow_who_is_not_let_in_does_not_ask_again() {
    both(|mac| {
        mac.signed_image();
        let status = Behaviour::accepting().trouble(Request::Status, Trouble::Unauthorized, None);
        mac.notary.set(&status).unwrap();
        check(
            &mac.said("notarize submit Practice.dmg"),
            expect![[r#"
            cargo xtask notarize submit Practice.dmg for macos: 1 step, [JOBS] at a time
            notarize:Practice.dmg  runs: it was asked for
            notarize:Practice.dmg  failed after [TIME]: submission [ID 1] of Practice-[SHA].dmg

            step  status  why  time
            notarize:Practice.dmg  failed  it was asked for  [TIME]
            1 failed in [TIME]

            notarize:Practice.dmg failed: submission [ID 1] of Practice-[SHA].dmg
              cause: Apple refuses the login
              hint: make an API key in App Store Connect (Users and Access, Integrations), and export its id as APPLE_API_KEY, its issuer as APPLE_API_ISSUER, and the path of its .p8 file as APPLE_API_KEY_PATH
              resume: cargo xtask notarize submit Practice.dmg
            exit 1
        "#]],
        );
        let requests = mac.notary.requests().unwrap();
        let asked = requests
            .iter()
            .filter(|it| it.starts_with("status"))
            .count();
        assert_eq!(asked, 1, "{requests:?}");
        // Who was not let in to submit has submitted nothing, and is told nothing else later.
        let submit = Behaviour::accepting().trouble(Request::Submit, Trouble::Unauthorized, None);
        mac.notary.set(&submit).unwrap();
        mac.signed_app();
        let said = mac.said("notarize submit Practice.app");
        assert!(
            said.contains("Apple refuses the login") && said.ends_with("exit 1\n"),
            "{said}"
        );
        mac.notary.set(&Behaviour::accepting()).unwrap();
        mac.project
            .succeed("notarize submit Practice.app Practice.dmg");
        submissions_are(mac, 2);
    });
}

#[test]
fn slow_an_upload_that_breaks_off_is_tried_again() {
    both(|mac| {
        mac.signed_image();
        let behaviour =
            Behaviour::accepting().trouble(Request::Submit, Trouble::BadGateway, Some(1));
        mac.notary.set(&behaviour).unwrap();
        mac.project.succeed("notarize submit Practice.dmg");
        submissions_are(mac, 1);
    });
}

#[test]
fn a_run_killed_while_it_uploads_finds_its_submission() {
    let Some(mac) = Mac::new() else { return };
    let image = mac.signed_image();
    let hangs = Behaviour::accepting().trouble(Request::Upload, Trouble::Hang, None);
    mac.notary.set(&hangs).unwrap();
    let mut child = mac.start(mac.project.command("notarize submit Practice.dmg"));
    project::wait_for("the upload", || {
        mac.notary
            .requests()
            .unwrap()
            .iter()
            .any(|it| it == "upload: hang")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    mac.notary.set(&Behaviour::accepting()).unwrap();
    // Nobody can know whether all of it arrived: it is waited for, until somebody says otherwise.
    let said = mac.said("notarize submit Practice.dmg --timeout 1s");
    assert!(
        said.contains("--resubmit") && said.ends_with("exit 75\n"),
        "{said}"
    );
    submissions_are(&mac, 1);
    mac.project
        .succeed("notarize submit --resubmit Practice.dmg");
    submissions_are(&mac, 2);
    assert_eq!(mac.signature(&image).stapled, Some(true));
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

#[test]
fn ways_to_log_in() {
    let Some(mut mac) = Mac::new() else { return };
    mac.signed_image();
    let key = mac.pki.api_key();
    let forget = |mac: &mut Mac| {
        let names = [
            "APPLE_API_KEY",
            "APPLE_API_KEY_ID",
            "APPLE_API_ISSUER",
            "APPLE_API_KEY_PATH",
        ];
        mac.project.variables.retain(|it| !names.contains(&&*it.0));
    };
    forget(&mut mac);
    check(
        &mac.said("notarize submit Practice.dmg"),
        expect![[r#"
        cargo xtask notarize submit Practice.dmg for macos: 1 step, [JOBS] at a time
        no step was reached in [TIME]

        error: nobody can ask Apple: there is no API key
          hint: make one in App Store Connect (Users and Access, Integrations), and export its id as APPLE_API_KEY, its issuer as APPLE_API_ISSUER, and the path of its .p8 file as APPLE_API_KEY_PATH
        exit 1
    "#]],
    );
    mac.project.set("APPLE_ID", "somebody@example.org");
    mac.project.set("APPLE_PASSWORD", APPLE_PASSWORD);
    mac.project.set("APPLE_TEAM_ID", "TEAM");
    check(
        &mac.said("notarize submit Practice.dmg"),
        expect![[r#"
        cargo xtask notarize submit Practice.dmg for macos: 1 step, [JOBS] at a time
        no step was reached in [TIME]

        error: notarytool takes the password of an Apple ID only as an argument, which every process on the machine can read, and rcodesign takes none
          hint: make an API key in App Store Connect (Users and Access, Integrations), and export its id as APPLE_API_KEY, its issuer as APPLE_API_ISSUER, and the path of its .p8 file as APPLE_API_KEY_PATH
          hint: or keep the password in the keychain with `xcrun notarytool store-credentials NAME`, and export APPLE_KEYCHAIN_PROFILE=NAME (on macOS)
        exit 1
    "#]],
    );
    // As electron-builder has it.
    mac.project.set("APPLE_API_KEY_ID", key.id);
    mac.project.set("APPLE_API_KEY", key.file.to_str().unwrap());
    mac.project.set("APPLE_API_ISSUER", key.issuer);
    mac.project.succeed("notarize submit Practice.dmg");
    // The key itself, as a machine without files hands it over.
    forget(&mut mac);
    mac.signed_app();
    mac.project.set("APPLE_API_KEY", key.id);
    mac.project
        .set("APPLE_API_KEY_PATH", fs::read_to_string(&key.file).unwrap());
    mac.project.set("APPLE_API_ISSUER", key.issuer);
    mac.project.succeed("notarize submit Practice.app");
    submissions_are(&mac, 2);
}
