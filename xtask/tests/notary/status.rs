//! How submissions stand: as remembered, and as Apple says.

use expect_test::{Expect, expect};
use xtask_practice::notary::{Behaviour, Issue, Request, Trouble};

use super::{both, mac::Mac};

/// What `notarize status` says with these options, one line for each of what is known.
fn status_is(mac: &Mac, options: &str, expected: Expect) {
    super::check(&mac.said(&format!("notarize status{options}")), expected);
}

#[test]
fn slow_apple_is_asked_how_it_stands() {
    both(|mac| {
        mac.signed_image();
        mac.notary
            .set(&Behaviour::accepting().after(u32::MAX))
            .unwrap();
        let said = mac.said("notarize submit Practice.dmg --timeout 1s");
        assert!(said.ends_with("exit 75\n"), "{said}");
        status_is(
            mac,
            "",
            expect![[r#"
            file  submitted  status  Apple says  submission
            Practice-[SHA].dmg  [NOW]  submitted, not answered in time  in progress  [ID 1]

            next: cargo xtask notarize resume
            exit 0
        "#]],
        );
        let remembered = mac.checkpoints();
        mac.notary.set(&Behaviour::accepting()).unwrap();
        status_is(
            mac,
            "",
            expect![[r#"
            file  submitted  status  Apple says  submission
            Practice-[SHA].dmg  [NOW]  submitted, not answered in time  accepted  [ID 1]

            next: cargo xtask notarize resume
            exit 0
        "#]],
        );
        mac.notary
            .set(&Behaviour::rejecting(vec![Issue::error("a", "b")]))
            .unwrap();
        let json = mac.project.succeed("notarize status --format json").stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let it = &json["submissions"][0];
        let found = (&it["status"], &it["apple"], &json["trouble"]);
        assert_eq!(found, (&"timed-out".into(), &"rejected".into(), &().into()));
        assert_eq!(mac.checkpoints(), remembered, "it only looks");
        // With nobody to ask it says so, and what is remembered.
        let asked = mac.notary.requests().unwrap().len();
        status_is(
            mac,
            " --offline",
            expect![[r#"
            file  submitted  status  submission
            Practice-[SHA].dmg  [NOW]  submitted, not answered in time  [ID 1]

            Apple was not asked: --offline; this is what is remembered

            next: cargo xtask notarize resume
            exit 0
        "#]],
        );
        assert_eq!(mac.notary.requests().unwrap().len(), asked);
        let denied = Behaviour::accepting().trouble(Request::Status, Trouble::Unauthorized, None);
        mac.notary.set(&denied).unwrap();
        status_is(
            mac,
            "",
            expect![[r#"
            file  submitted  status  submission
            Practice-[SHA].dmg  [NOW]  submitted, not answered in time  [ID 1]

            Apple could not be asked: Apple refuses the login; this is what is remembered

            next: cargo xtask notarize resume
            exit 0
        "#]],
        );
        let down = Behaviour::accepting().trouble(Request::Any, Trouble::Unavailable, None);
        mac.notary.set(&down).unwrap();
        status_is(
            mac,
            "",
            expect![[r#"
            file  submitted  status  submission
            Practice-[SHA].dmg  [NOW]  submitted, not answered in time  [ID 1]

            Apple could not be asked: the network or its servers failed; this is what is remembered

            next: cargo xtask notarize resume
            exit 0
        "#]],
        );
    });
}

#[test]
fn without_a_login_it_tells_what_is_remembered() {
    let Some(mut mac) = Mac::new() else { return };
    mac.project.write(
        &format!("target/dist/macos/notary/{}.json", "0".repeat(64)),
        serde_json::json!({
            "schema": "xtask-notary-1", "file": "A-000000000000.dmg", "sha256": "0".repeat(64),
            "id": null, "submitted": "2026-01-02T03:04:05Z", "status": "uploading",
            "tool": "notarytool", "product": "dist/A b.dmg",
        })
        .to_string(),
    );
    let key = mac.project.variables.clone();
    mac.project
        .variables
        .retain(|it| !it.0.starts_with("APPLE_API_"));
    status_is(
        &mac,
        "",
        expect![[r#"
        file  submitted  status  submission
        A-000000000000.dmg  [NOW]  upload not finished  -

        Apple was not asked: there is no login; this is what is remembered

        next: cargo xtask notarize resume
        exit 0
    "#]],
    );
    mac.project.set("APPLE_ID", "somebody@example.org");
    status_is(
        &mac,
        "",
        expect![[r#"
        file  submitted  status  submission
        A-000000000000.dmg  [NOW]  upload not finished  -

        Apple could not be asked: notarytool takes the password of an Apple ID only as an argument, which every process on the machine can read, and rcodesign takes none; this is what is remembered

        next: cargo xtask notarize resume
        exit 0
    "#]],
    );
    mac.project.variables = key;
    status_is(
        &mac,
        "",
        expect![[r#"
            file  submitted  status  Apple says  submission
            A-000000000000.dmg  [NOW]  upload not finished  not in its list  -

            next: cargo xtask notarize submit 'dist/A b.dmg'
            exit 0
        "#]],
    );
    // What was never uploaded cannot be waited for; the way on is the whole command.
    let said = mac.said("notarize resume");
    let hints: Vec<_> = said.lines().filter(|it| it.contains("hint: ")).collect();
    assert_eq!(
        hints,
        ["  hint: cargo xtask notarize submit 'dist/A b.dmg'"]
    );
}
