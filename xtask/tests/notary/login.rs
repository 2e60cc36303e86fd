//! Who may ask Apple.

use expect_test::expect;
use fs_err as fs;
use xtask_practice::{
    notary::{Behaviour, Request, Trouble},
    stand_ins::APPLE_PASSWORD,
};

use super::{both, check, mac::Mac, submissions_are};

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
