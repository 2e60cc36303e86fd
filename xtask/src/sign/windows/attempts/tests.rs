use std::{cell::RefCell, process::Command};

use anyhow::bail;
use expect_test::{Expect, expect};

use super::*;
use crate::engine::{exec::Run, secret::Secret};

/// Nothing passes here but the time that is waited.
struct Clock {
    began: Instant,
    waited: RefCell<Duration>,
    said: RefCell<String>,
}

impl Hands for Clock {
    fn exec(&self, _: Command) -> Run<'_> {
        unreachable!("no attempt of these tests runs a program")
    }

    fn note(&self, _: Level, text: String) {
        *self.said.borrow_mut() += &format!("{text}\n");
    }

    fn mask(&self, _: &Secret) {}

    fn pause(&self, time: Duration) -> Result<()> {
        *self.waited.borrow_mut() += time;
        *self.said.borrow_mut() += &format!("waits {time:?}\n");
        Ok(())
    }

    fn now(&self) -> Instant {
        self.began + *self.waited.borrow()
    }
}

/// Servers that answer by these words, one an attempt: `ok`, `down`, `slow`, `bad`, `key`.
fn check(servers: &[&str], seconds: u64, answers: &str, expected: Expect) {
    let clock = Clock {
        began: Instant::now(),
        waited: RefCell::default(),
        said: RefCell::default(),
    };
    let places: Vec<String> = servers.iter().map(|&it| it.to_owned()).collect();
    let patience = Patience::new(&clock, Duration::from_secs(seconds));
    let mut answers = answers.split(' ').cycle();
    let outcome = attempt(
        &clock,
        "timestamp on a",
        &places,
        0,
        patience,
        |_, limit| {
            Err(match answers.next() {
                Some("ok") => return Ok(()),
                Some("slow") => {
                    *clock.waited.borrow_mut() += limit;
                    Trouble::Passing(format!("no answer in {limit:?}"))
                }
                Some("bad") => Trouble::Here("HTTP status 404".to_owned()),
                Some("key") => Trouble::Lasting(anyhow!("the password is wrong")),
                _ => Trouble::Passing("connection refused".to_owned()),
            })
        },
    );
    let end = match outcome {
        Ok((number, ())) => format!("by {}\n", places[number]),
        Err(error) => format!("error: {error:#}\n"),
    };
    expected.assert_eq(&(clock.said.take() + &end));
}

#[test]
fn an_outage_leads_to_the_next_server_at_once() {
    check(
        &["one", "two"],
        600,
        "down ok",
        expect![[r#"
            timestamp on a: one: connection refused
            by two
        "#]],
    );
}

#[test]
fn pauses_grow_from_round_to_round() {
    check(
        &["one", "two"],
        600,
        "down down down down down down down ok",
        expect![[r#"
            timestamp on a: one: connection refused
            timestamp on a: two: connection refused
            waits 1s
            timestamp on a: one: connection refused
            timestamp on a: two: connection refused
            waits 2s
            timestamp on a: one: connection refused
            timestamp on a: two: connection refused
            waits 4s
            timestamp on a: one: connection refused
            by two
        "#]],
    );
}

#[test]
fn what_lasts_is_not_tried_again() {
    check(
        &["one", "two"],
        600,
        "key",
        expect![[r#"
            error: the password is wrong
        "#]],
    );
}

#[test]
fn who_refuses_is_not_asked_again() {
    check(
        &["one", "two"],
        600,
        "bad down down ok",
        expect![[r#"
            timestamp on a: one: HTTP status 404
            timestamp on a: two: connection refused
            waits 1s
            timestamp on a: two: connection refused
            waits 2s
            by two
        "#]],
    );
    // Nobody is left: no use in waiting.
    check(
        &["one", "two"],
        600,
        "bad",
        expect![[r#"
            timestamp on a: one: HTTP status 404
            timestamp on a: two: HTTP status 404
            error: timestamp on a failed:
              one: HTTP status 404
              two: HTTP status 404
        "#]],
    );
}

#[test]
fn patience_has_an_end() {
    check(
        &["one"],
        6,
        "down",
        expect![[r#"
            timestamp on a: one: connection refused
            waits 1s
            timestamp on a: one: connection refused
            waits 2s
            timestamp on a: one: connection refused
            error: timestamp on a failed within 6s:
              one: connection refused
        "#]],
    );
    // A server that hangs takes only its share.
    check(
        &["one", "two"],
        8,
        "slow",
        expect![[r#"
            timestamp on a: one: no answer in 2s
            timestamp on a: two: no answer in 2s
            waits 1s
            timestamp on a: one: no answer in 2s
            timestamp on a: two: no answer in 1s
            error: timestamp on a failed within 8s:
              one: no answer in 2s
              two: no answer in 1s
        "#]],
    );
}

#[test]
fn an_error_of_the_pause_is_passed_on() {
    struct Stopped(Clock);
    impl Hands for Stopped {
        fn exec(&self, _: Command) -> Run<'_> {
            unreachable!()
        }
        fn note(&self, level: Level, text: String) {
            self.0.note(level, text);
        }
        fn mask(&self, _: &Secret) {}
        fn pause(&self, _: Duration) -> Result<()> {
            bail!("interrupted")
        }
    }
    let hands = Stopped(Clock {
        began: Instant::now(),
        waited: RefCell::default(),
        said: RefCell::default(),
    });
    let patience = Patience::new(&hands, Duration::from_secs(60));
    let places = ["one".to_owned()];
    let outcome: Result<(usize, ())> = attempt(&hands, "a", &places, 0, patience, |_, _| {
        Err(Trouble::Passing("down".to_owned()))
    });
    assert_eq!(outcome.unwrap_err().to_string(), "interrupted");
}

/// Lines of real programs: osslsigncode 2.9, and signtool as its documentation and people quote it.
#[test]
fn what_programs_print() {
    let check = |text: &str, expected: &str| {
        let printed: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(format!("{:?}", meaning(&printed)), expected, "{text}");
    };
    let failed = "\nRFC 3161 timestamping failed\nFailed";
    let http = "HTTP failure: Failed to get data from http://127.0.0.1:1\n40A0:error:";
    check(
        &format!("{http}1E800069:parse_http_line1:code=503, reason=Service Unavailable{failed}"),
        r#"Passing("HTTP status 503")"#,
    );
    check(
        &format!("{http}1E800069:parse_http_line1:code=404, reason=Not Found{failed}"),
        r#"Refused("HTTP status 404")"#,
    );
    check(
        &format!("{http}1E800069:parse_http_line1:code=429, reason=Too Many Requests{failed}"),
        r#"Passing("HTTP status 429")"#,
    );
    check(
        &format!("{http}1E800080:OSSL_HTTP_REQ_CTX_nbio:failed reading data:x.c:559:{failed}"),
        r#"Passing("the connection broke off")"#,
    );
    check(
        &format!("{http}8000006F:BIO_connect:Connection refused:x.c:117:calling connect(){failed}"),
        r#"Passing("connection refused")"#,
    );
    // curl's words, of older releases of osslsigncode; and hyper's.
    check(
        &format!("CURL failure: Couldn't connect to server http://127.0.0.1:1{failed}"),
        r#"Passing("no connection")"#,
    );
    check(
        &format!("CURL failure: Could not resolve host: ts.example{failed}"),
        r#"Passing("its name cannot be resolved")"#,
    );
    check(
        "Error: error trying to connect: dns error: failed to lookup address information",
        r#"Passing("its name cannot be resolved")"#,
    );
    check(
        "Error: error trying to connect: tcp connect error",
        r#"Passing("no connection")"#,
    );
    check(
        &format!("{http}1E800076:nbio:unexpected content type:x.c:713:actual=text/html{failed}"),
        r#"Refused("its answer is no timestamp but a page")"#,
    );
    check(
        "Failed to convert timestamp reply from http://127.0.0.1:1\n\
         40E0:error:0680008E:asn1 encoding routines:asn1_d2i_read_bio:not enough data:a.c:142:\n\
         RFC 3161 timestamping failed",
        r#"Passing("its answer is cut off")"#,
    );
    check(
        "SignTool Error: The specified timestamp server either could not be reached or\n\
         returned an invalid response.",
        r#"Passing("it cannot be reached, or answers wrongly")"#,
    );
    check(
        "Failed to parse PKCS#12 file: a.p12 (Wrong password?)\nFailed to read key or certificates",
        r#"Lasting("the password does not open the certificate's file")"#,
    );
    check(
        "Login failed\nFailed to load private key pkcs11:token=T\n\
         error:430000A0:PKCS#11 module:ERR_CKR_error:PIN incorrect:p11_slot.c:208:",
        r#"Lasting("the PIN is wrong; a token locks itself after a few wrong ones")"#,
    );
    check(
        "SignTool Error: No certificates were found that met all the given criteria.",
        r#"Lasting("there is no such certificate with a private key in the store")"#,
    );
    check("a\nsomething else\n", r#"Unknown("something else")"#);
    check(
        "SignTool Error: An unexpected internal error has occurred.\n\nNumber of errors: 1\n",
        r#"Unknown("SignTool Error: An unexpected internal error has occurred.")"#,
    );
    check("", r#"Unknown("it printed nothing")"#);
}
