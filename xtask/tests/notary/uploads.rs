//! Uploads that break off, with nobody knowing what arrived.

use expect_test::expect;
use fs_err as fs;
use xtask_practice::notary::{Behaviour, Request, Trouble};

use super::{both, check, mac::Mac, project, submissions_are};

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

fn requests(mac: &Mac, what: &str) -> usize {
    let all = mac.notary.requests().unwrap();
    all.iter().filter(|it| *it == what).count()
}

#[test]
fn slow_what_apple_has_is_not_uploaded_again() {
    both(|mac| {
        let image = mac.signed_image();
        mac.notary
            .set(&Behaviour::accepting().after(u32::MAX))
            .unwrap();
        let line = "notarize submit --timeout 1s Practice.dmg";
        assert!(mac.said(line).ends_with("exit 75\n"));
        let goes_on = |line: &str| {
            let said = mac.said(line);
            let text = "note: Apple has these bytes already, as [ID 1]: going on with that";
            assert!(said.contains(text), "{line}: {said}");
            submissions_are(mac, 1);
            said
        };
        // Under another target it is remembered elsewhere; and a fresh machine remembers nothing.
        goes_on("notarize submit --target aarch64-apple-darwin --timeout 1s Practice.dmg");
        fs::remove_dir_all(mac.project.root.join("target/dist")).unwrap();
        let trouble = Behaviour::accepting().trouble(Request::List, Trouble::Reset, Some(1));
        mac.notary.set(&trouble).unwrap();
        let said = goes_on("notarize submit Practice.dmg");
        assert!(
            said.contains("is asked again in 2 s") && said.ends_with("exit 0\n"),
            "{said}"
        );
        assert_eq!(mac.signature(&image).stapled, Some(true));
    });
}

/// What only a step holds is not on any command line: a file says so.
#[test]
fn slow_a_file_asks_for_another_submission() {
    let Some(mac) = Mac::new() else { return };
    mac.signed_image();
    mac.notary
        .set(&Behaviour::accepting().after(u32::MAX))
        .unwrap();
    let line = "notarize submit --timeout 1s Practice.dmg";
    mac.said(line);
    let sha256 = mac.notary.submissions().unwrap()[0].sha256.clone();
    let at = |kind: &str| mac.state().join(format!("notary/{sha256}.{kind}"));
    fs::rename(at("json"), at("resubmit")).unwrap();
    mac.said(line);
    submissions_are(&mac, 2);
    // Once.
    fs::remove_file(at("json")).unwrap();
    mac.said(line);
    submissions_are(&mac, 2);
}

#[test]
fn while_nobody_knows_what_apple_has_nothing_is_uploaded() {
    let Some(mac) = Mac::new() else { return };
    mac.signed_image();
    let trouble = Behaviour::accepting().trouble(Request::List, Trouble::NotFound, None);
    mac.notary.set(&trouble).unwrap();
    let said = mac.said("notarize submit Practice.dmg");
    for text in [
        "failed: Apple cannot be asked whether Practice-",
        "hint: nothing was uploaded; the next run asks again",
    ] {
        assert!(said.contains(text), "{said}");
    }
    submissions_are(&mac, 0);
}

/// What a run says of it, besides the commands and what is said of every run.
fn about_the_upload(said: &str) -> String {
    let words = ["upload", "Apple", "exit "];
    let is_one = |it: &&str| !it.starts_with("  ") && words.iter().any(|word| it.contains(word));
    let lines = said.lines().filter(is_one);
    lines.map(|it| format!("{it}\n")).collect()
}

#[test]
fn slow_an_upload_that_breaks_off_after_its_last_byte_is_not_repeated() {
    both(|mac| {
        let image = mac.signed_image();
        let behaviour = Behaviour::accepting().trouble(Request::Uploaded, Trouble::Drop, None);
        mac.notary.set(&behaviour).unwrap();
        let said = mac.said("notarize submit Practice.dmg");
        check(
            &about_the_upload(&said),
            expect![[r#"
            notarize:Practice.dmg  warning: the upload broke off; Apple is asked in 2 s what arrived
            notarize:Practice.dmg  note: Apple has it as [ID 1]: going on with that. Should no answer come, not all bytes may have arrived
            exit 0
        "#]],
        );
        submissions_are(mac, 1);
        assert_eq!(mac.signature(&image).stapled, Some(true));
    });
}

#[test]
fn slow_while_nobody_knows_what_arrived_nothing_is_uploaded() {
    let Some(mac) = Mac::new() else { return };
    mac.signed_image();
    let breaks_off = Behaviour::accepting().trouble(Request::Uploaded, Trouble::Drop, None);
    mac.notary.set(&breaks_off).unwrap();
    // Whether it was submitted before can be asked; what arrived cannot.
    let and_then = breaks_off
        .trouble(Request::List, Trouble::Unavailable, Some(1))
        .trouble(Request::List, Trouble::Unauthorized, None);
    let said = std::thread::scope(|scope| {
        let run = scope.spawn(|| mac.said("notarize submit Practice.dmg"));
        project::wait_for("the upload", || requests(&mac, "uploaded: drop") > 0);
        mac.notary.set(&and_then).unwrap();
        run.join().unwrap()
    });
    check(
        &about_the_upload(&said),
        expect![[r#"
        notarize:Practice.dmg  warning: the upload broke off; Apple is asked in 2 s what arrived
        notarize:Practice.dmg  warning: the upload broke off; Apple is asked in 10 s what arrived
        notarize:Practice.dmg  failed after [TIME]: the upload of Practice-[SHA].dmg broke off
        notarize:Practice.dmg failed: the upload of Practice-[SHA].dmg broke off
        exit 1
    "#]],
    );
    assert!(mac.checkpoints()[0].contains("\"status\": \"uploading\""));
    mac.notary.set(&Behaviour::accepting()).unwrap();
    let said = mac.said("notarize submit Practice.dmg");
    assert!(
        said.contains("going on with that") && said.ends_with("exit 0\n"),
        "{said}"
    );
    submissions_are(&mac, 1);
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
        said.contains("`cargo xtask notarize submit --resubmit Practice.dmg`")
            && said.ends_with("exit 75\n"),
        "{said}"
    );
    submissions_are(&mac, 1);
    mac.project
        .succeed("notarize submit --resubmit Practice.dmg");
    submissions_are(&mac, 2);
    assert_eq!(mac.signature(&image).stapled, Some(true));
}
