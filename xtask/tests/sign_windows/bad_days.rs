//! Timestamp servers that are down, hang or lie.

use std::time::Duration;

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask_practice::{
    Timestamps,
    timestamps::{Behaviour, Trouble, nobody},
};

use super::case::Case;

const SIGNED: &str = "signed by Practice Publisher, time by Practice Timestamps\n";

#[test]
fn slow_what_passes_is_waited_for() {
    let Some(case) = Case::new() else { return };
    let signer = case.signer("leaf");
    let check = |trouble: Trouble, times: u32, expected: &str| {
        let before = case.server.requests().unwrap();
        case.server
            .set(&Behaviour::failing(trouble, times))
            .unwrap();
        let file = case.pe("app.exe");
        let said = case.sign(&signer, &file);
        let line = format!("timestamp on app.exe: [SERVER]: {expected}\n");
        let times = times as usize;
        assert_eq!(said, line.repeat(times) + SIGNED, "{trouble:?}");
        assert_eq!(case.server.requests().unwrap() - before, times + 1);
        assert_eq!(case.read(&file)[0].problems, [""; 0]);
        assert!(
            case.count("sign") <= 2,
            "the key is used once, and once to know it"
        );
    };
    check(Trouble::Unavailable, 2, "HTTP status 503");
    check(Trouble::BadGateway, 1, "HTTP status 502");
    check(Trouble::TooManyRequests, 1, "HTTP status 429");
    check(Trouble::Reset, 1, "the connection broke off");
    check(Trouble::Drop, 1, "the connection broke off");
    check(Trouble::Empty, 1, "its answer is cut off");
    case.is_clean(signer);
}

/// With this behaviour of the first server, and a good second one.
fn check(behaviour: Option<&Behaviour>, expected: Expect) {
    let Some(mut case) = Case::new() else { return };
    let second = Timestamps::start(&case.pki).unwrap();
    let first = match behaviour {
        Some(behaviour) => {
            case.server.set(behaviour).unwrap();
            case.server.url()
        }
        None => nobody().unwrap(),
    };
    case.config.sign.windows.timestamp_servers = vec![first, second.url()];
    case.config.sign.windows.patience = Duration::from_secs(8);
    let signer = case.signer("leaf");
    let file = case.pe("app.exe");
    let said = case.sign(&signer, &file);
    // Times differ.
    let mut said = said.replace(SIGNED, "signed by the second\n");
    if let (Some(from), Some(to)) = (said.find("timestamp says "), said.find(", but here")) {
        said.replace_range(from + "timestamp says ".len()..to, "[TIME]");
        let from = said.find("but here it is ").unwrap() + "but here it is ".len();
        said.replace_range(from..from + "2026-01-02T03:04:05Z".len(), "[TIME]");
    }
    expected.assert_eq(&said);
    assert_eq!(second.requests().unwrap(), 1);
    assert_eq!(case.read(&file)[0].problems, [""; 0]);
    // The next file does not begin with the one that failed.
    let next = case.pe("next.exe");
    assert_eq!(case.sign(&signer, &next), SIGNED);
    case.is_clean(signer);
}

#[test]
fn a_server_that_is_down() {
    check(
        None,
        expect![[r#"
            timestamp on app.exe: http://127.0.0.1: connection refused
            signed by the second
        "#]],
    );
}

#[test]
fn a_server_that_hangs() {
    check(
        Some(&Behaviour::always(Trouble::Hang)),
        expect![[r#"
            timestamp on app.exe: [SERVER]: no answer, given up after 2 s
            signed by the second
        "#]],
    );
}

#[test]
fn a_server_that_is_none() {
    check(
        Some(&Behaviour::always(Trouble::NotFound)),
        expect![[r#"
            timestamp on app.exe: [SERVER]: HTTP status 404
            signed by the second
        "#]],
    );
    check(
        Some(&Behaviour::always(Trouble::Garbage)),
        expect![[r#"
            timestamp on app.exe: [SERVER]: its answer is no timestamp but a page
            signed by the second
        "#]],
    );
    check(
        Some(&Behaviour::rejecting()),
        expect![[r#"
            timestamp on app.exe: [SERVER]: its answer is no timestamp
            signed by the second
        "#]],
    );
}

/// osslsigncode exits with 0 after each of these.
#[test]
fn a_timestamp_that_is_worth_nothing() {
    check(
        Some(&Behaviour::other_imprint()),
        expect![[r#"
            timestamp on app.exe: [SERVER]: the timestamp: it was made for another signature
            signed by the second
        "#]],
    );
    check(
        Some(&Behaviour::wrong_usage()),
        expect![[r#"
            timestamp on app.exe: [SERVER]: the timestamp: the certificate of Practice Publisher is not made for timestamps
            signed by the second
        "#]],
    );
    check(
        Some(&Behaviour::lying(3600)),
        expect![[r#"
            timestamp on app.exe: [SERVER]: the timestamp: it lies in the future
            signed by the second
        "#]],
    );
    check(
        Some(&Behaviour::lying(-3600)),
        expect![[r#"
            timestamp on app.exe: [SERVER]: its timestamp says [TIME], but here it is [TIME]
            signed by the second
        "#]],
    );
    check(
        Some(&Behaviour::lying(-86400 * 365 * 3)),
        expect![[r#"
            timestamp on app.exe: [SERVER]: the certificate of Practice Publisher was not valid yet
            signed by the second
        "#]],
    );
}

#[test]
fn without_a_timestamp_nothing_is_signed() {
    let Some(mut case) = Case::new() else { return };
    let signer = case.signer("leaf");
    case.server
        .set(&Behaviour::always(Trouble::NotFound))
        .unwrap();
    let file = case.pe("app.exe");
    let before = fs::read(&file).unwrap();
    expect![[r#"
        timestamp on app.exe: [SERVER]: HTTP status 404
        error: no timestamp, and a signature without one ends with its certificate
        hint: run the same command again later, name other servers in `sign.windows.timestamp-servers`, raise `sign.windows.patience`, or accept it with `timestamp = "none"`: timestamp on app.exe failed:
          [SERVER]: HTTP status 404
    "#]]
    .assert_eq(&case.sign(&signer, &file));
    assert!(fs::read(&file).unwrap() == before, "as it was");
    // The second time round the patience ends it.
    case.server
        .set(&Behaviour::always(Trouble::Unavailable))
        .unwrap();
    case.config.sign.windows.patience = Duration::from_secs(4);
    let began = std::time::Instant::now();
    let said = case.sign(&case.signer("leaf"), &file);
    assert!(
        said.contains("timestamp on app.exe failed within 4s:"),
        "{said}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    case.is_clean(signer);
}
