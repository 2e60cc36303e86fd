//! Later runs go on with what an earlier one submitted: nothing is submitted twice.

use expect_test::expect;
use fs_err as fs;
use xtask_practice::notary::Behaviour;

use super::{both, check, mac::Mac, project, submissions_are};

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
                file  submitted  status  Apple says  submission
                Practice-[SHA].zip  [NOW]  submitted  accepted  [ID 1]

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
            notarize:Practice-[SHA].zip  passed in [TIME]: accepted, but Practice.app is not here: where it lies, attach the ticket with `cargo xtask notarize resume Practice.app`

            step  status  why  time
            notarize:Practice-[SHA].zip  passed  accepted, but Practice.app is not here: where it lies, attach the ticket with `cargo xtask notarize resume Practice.app`  [TIME]
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
