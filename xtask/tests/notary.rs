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

#[path = "notary/answers.rs"]
mod answers;
#[path = "notary/going_on.rs"]
mod going_on;
#[path = "notary/login.rs"]
mod login;
#[path = "notary/status.rs"]
mod status;
#[path = "notary/step.rs"]
mod step;
#[path = "notary/uploads.rs"]
mod uploads;

use expect_test::Expect;
use mac::Mac;

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
