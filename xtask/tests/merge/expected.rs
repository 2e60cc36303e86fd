//! Which release an expected target is, whatever name its machine built it under.

use expect_test::{Expect, expect};

use super::made::Case;

/// Releases of these targets, named by their triples as the workflows name them; a merge that expects
/// others; what it says of targets.
#[track_caller]
fn check(built: &[&str], expected: &str, shown: Expect) {
    let case = Case::new();
    for triple in built {
        case.release(triple, triple, &[], |_| {});
    }
    let text = case.shown(&format!("merge ../in --expect {expected}"));
    let of_targets = |it: &&str| {
        ["is missing", "is not expected", "is there twice"]
            .iter()
            .any(|word| it.contains(word))
    };
    let lines: Vec<&str> = text.lines().filter(of_targets).collect();
    shown.assert_eq(&lines.join("\n"));
}

#[test]
fn a_name_without_an_architecture_is_whatever_was_built_for_the_system() {
    const LINUX: &str = "x86_64-unknown-linux-gnu";
    const WINDOWS: &str = "x86_64-pc-windows-msvc";
    const INTEL: &str = "x86_64-apple-darwin";
    const SILICON: &str = "aarch64-apple-darwin";
    let all = [LINUX, WINDOWS, INTEL, SILICON];
    // The order decides nothing: Intel's is named exactly.
    check(
        &all,
        "linux,windows,macos,x86_64-apple-darwin",
        expect![[""]],
    );
    check(
        &all,
        "x86_64-apple-darwin,macos,linux,windows",
        expect![[""]],
    );
    check(&["aarch64-unknown-linux-gnu"], "linux", expect![[""]]);
    // Of two the usual one is meant.
    check(
        &[INTEL, SILICON],
        "macos",
        expect![
            "x86_64-apple-darwin  -  is not expected: --expect does not have it; leave out ../in/x86_64-apple-darwin, or add it there"
        ],
    );
    check(
        &[INTEL],
        "macos,x86_64-apple-darwin",
        expect!["macos  -  is missing: --expect has it; give its folder, or take it out of there"],
    );
    check(
        &[LINUX],
        "linux,windows",
        expect![
            "windows  -  is missing: --expect has it; give its folder, or take it out of there"
        ],
    );
}
