//! Who may ask Apple.

use expect_test::expect;
use fs_err as fs;
use xtask_practice::{
    notary::{Behaviour, Request, Trouble},
    stand_ins::APPLE_PASSWORD,
};

use super::{both, check, mac::Mac, project, submissions_are};

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
                  log: [ROOT]/target/dist/macos/logs/notarize-Practice.dmg.log
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

/// Who logs in well may have to sign something first.
#[test]
fn slow_an_agreement_is_no_matter_of_the_login() {
    both(|mac| {
        mac.signed_image();
        let forbidden = Behaviour::accepting().trouble(Request::Submit, Trouble::Forbidden, None);
        mac.notary.set(&forbidden).unwrap();
        let said = mac.said("notarize submit --timeout 1s Practice.dmg");
        assert!(
            said.contains("Apple wants an agreement to be signed first"),
            "{said}"
        );
        assert!(!said.contains("API key"), "{said}");
        assert_eq!(
            mac.checkpoints(),
            Vec::<String>::new(),
            "nothing was submitted"
        );
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

/// Without the API key that others log in with.
fn without_a_key(mac: Mac) -> Mac {
    let mut mac = mac.with_apples_tools();
    mac.project
        .variables
        .retain(|it| !it.0.starts_with("APPLE_API_"));
    mac
}

/// All that the stand-in for xcrun was called with.
fn logins(mac: &Mac) -> String {
    let calls = mac.stand_ins.calls().unwrap();
    let all = calls.iter().filter(|it| it.tool == "xcrun");
    let lines: Vec<_> = all.map(|it| it.arguments.join(" ")).collect();
    lines.join("\n")
}

#[test]
fn slow_an_apple_id_takes_a_word_of_consent() {
    let Some(mac) = Mac::new() else { return };
    let mut mac = without_a_key(mac);
    mac.signed_image();
    mac.project.set("APPLE_ID", "somebody@example.org");
    let errors = |mac: &Mac, line: &str| {
        let said = mac.said(line);
        let lines = said.lines().skip_while(|it| !it.starts_with("error"));
        lines.map(|it| format!("{it}\n")).collect::<String>()
    };
    check(
        &errors(&mac, "notarize submit Practice.dmg"),
        expect![[r#"
            error: notarytool takes the password of an Apple ID only as an argument, which every process on the machine can read
              hint: make an API key in App Store Connect (Users and Access, Integrations), and export its id as APPLE_API_KEY, its issuer as APPLE_API_ISSUER, and the path of its .p8 file as APPLE_API_KEY_PATH
              hint: or keep the password in the keychain with `xcrun notarytool store-credentials NAME`, and export APPLE_KEYCHAIN_PROFILE=NAME (on macOS)
              hint: or accept it with --allow-secret-in-args
            exit 1
        "#]],
    );
    let line = "notarize submit --allow-secret-in-args Practice.dmg";
    check(
        &errors(&mac, line),
        expect![[r#"
        error: APPLE_ID is set, but APPLE_PASSWORD is not
          hint: make an app-specific password at https://account.apple.com
        exit 1
    "#]],
    );
    // As electron-builder calls it.
    mac.project
        .set("APPLE_APP_SPECIFIC_PASSWORD", APPLE_PASSWORD);
    check(
        &errors(&mac, line),
        expect![[r#"
        error: APPLE_ID is set, but APPLE_TEAM_ID is not
          hint: it is the ten letters and digits in your certificate's name
        exit 1
    "#]],
    );
    mac.project.set("APPLE_TEAM_ID", "TEAM");
    assert_eq!(mac.stand_ins.violations(), Vec::<String>::new());
    mac.notary
        .set(&Behaviour::accepting().after(u32::MAX))
        .unwrap();
    let said = mac.said(&line.replace("submit", "submit --timeout 1s"));
    assert!(
        said.contains(
            "resume: cargo xtask notarize submit --allow-secret-in-args --timeout [TIME] Practice.dmg"
        ) && said.ends_with("exit 75\n"),
        "{said}"
    );
    mac.notary.set(&Behaviour::accepting()).unwrap();
    let status = mac.said("notarize status --allow-secret-in-args");
    assert!(status.contains("  accepted  "), "{status}");
    // Tauri's name goes first.
    mac.project.set("APPLE_PASSWORD", APPLE_PASSWORD);
    mac.project.set("APPLE_APP_SPECIFIC_PASSWORD", "another");
    mac.project
        .succeed("notarize resume --allow-secret-in-args");
    submissions_are(&mac, 1);
    let login = "--apple-id somebody@example.org --password prac-tice-pass-word --team-id TEAM";
    assert!(logins(&mac).contains(&format!("notarytool submit {login}")));
    // The tool was told; nobody else is.
    let logs = project::files_below(&mac.state());
    let told = logs
        .iter()
        .filter(|it| project::holds(&fs::read(it).unwrap(), APPLE_PASSWORD));
    assert_eq!(told.count(), 0);
    assert!(!format!("{said}{status}").contains(APPLE_PASSWORD));
}

#[test]
fn slow_a_profile_in_the_keychain_is_a_login() {
    let Some(mac) = Mac::new() else { return };
    let mut mac = without_a_key(mac);
    mac.signed_image();
    let key = mac.pki.api_key();
    let mut store = std::process::Command::new(mac.stand_ins.bin().join("xcrun"));
    store.args(["notarytool", "store-credentials", "practice"]);
    store.args(["--key-id", key.id, "--issuer", key.issuer, "--key"]);
    project::read({
        store.arg(&key.file);
        store
    });
    mac.project.set("APPLE_KEYCHAIN_PROFILE", "practise");
    let said = mac.said("notarize submit Practice.dmg");
    assert!(
        said.contains("No Keychain password item found for profile: practise"),
        "{said}"
    );
    // It goes before an Apple ID, which would take consent.
    mac.project.set("APPLE_ID", "somebody@example.org");
    mac.project.set("APPLE_KEYCHAIN_PROFILE", "practice");
    mac.project.set("APPLE_KEYCHAIN", "/b c.keychain");
    mac.project.succeed("notarize submit Practice.dmg");
    submissions_are(&mac, 1);
    let login = "--keychain-profile practice --keychain /b c.keychain";
    assert!(logins(&mac).contains(&format!("notarytool submit {login}")));
    mac.stand_ins.check().unwrap();
}
