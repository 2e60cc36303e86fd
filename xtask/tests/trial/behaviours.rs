//! Each way to misbehave, and what the trial says of it.

use std::time::Duration;

use expect_test::expect;

use super::{GOOD, READ, READY, World, first, instead_of};

/// A word for each way to behave, and the program.
fn behaviours() -> Vec<(&'static str, String)> {
    let quiet = "stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL";
    let again = |after: &str| format!("{READ}\n{after}");
    vec![
        ("good", GOOD.into()),
        ("exits before READY", first("sys.exit('no device')")),
        ("is killed", first("os.kill(os.getpid(), signal.SIGKILL)")),
        ("hangs", instead_of(READY, "")),
        (
            "asks",
            instead_of(READY, "print('Password: ', end='', flush=True)"),
        ),
        (
            "READY on stderr",
            instead_of(READY, "print('READY', file=sys.stderr, flush=True)"),
        ),
        (
            "READY without a line end",
            instead_of(READY, "print('READY', end='', flush=True)"),
        ),
        (
            "READY without a line end, then its end",
            instead_of(READY, "print('READY', end='', flush=True); sys.exit()"),
        ),
        (
            "READY in a line",
            instead_of(READY, "print('is READY', flush=True)"),
        ),
        (
            "READY twice",
            instead_of(READY, &format!("{READY}; {READY}")),
        ),
        (
            "READY again, unless it is told to end",
            instead_of(
                READY,
                &format!(
                    "{READY}; import select\nif not select.select([0], [], [], 0.06)[0]: {READY}"
                ),
            ),
        ),
        ("READY again, at the end", instead_of(READ, &again(READY))),
        (
            "READY again, from a child",
            instead_of(
                READY,
                &format!("{READY}; subprocess.run(['/bin/sh', '-c', 'sleep 0.1; echo READY'])"),
            ),
        ),
        ("another version", GOOD.replace("1.2.3", "1.2.2")),
        ("no version", GOOD.replace("version=1.2.3", "")),
        ("misses a module", first("import wave_of")),
        (
            "misses a module after READY",
            instead_of(READ, &again("import wave_of")),
        ),
        (
            "does without a module",
            first("print('ModuleNotFoundError: No module named \\'torch\\'', file=sys.stderr)"),
        ),
        (
            "prints garbage",
            first("sys.stdout.buffer.write(b'\\xff\\xfe\\n\\x00' + b'x' * 100_000 + b'\\n')"),
        ),
        (
            "floods",
            instead_of(
                READ,
                &format!("print(('flood' * 200 + '\\n') * 24_000); {READ}"),
            ),
        ),
        (
            "ignores the end of stdin",
            instead_of(READ, "time.sleep(90)"),
        ),
        (
            "ignores SIGTERM",
            first("signal.signal(signal.SIGTERM, signal.SIG_IGN)"),
        ),
        (
            "survives its parent",
            instead_of(
                READ,
                &format!(
                    "parent = os.getppid(); {READ}\ntime.sleep(0.3)\nif os.getppid() != parent: time.sleep(90)"
                ),
            ),
        ),
        (
            "leaves a child",
            first(&format!("subprocess.Popen(['sleep', '90'], {quiet})")),
        ),
        (
            "leaves a grandchild in a session of its own",
            first(&format!(
                "subprocess.Popen(['/bin/sh', '-c', 'sleep 90; true'], start_new_session=True, {quiet})"
            )),
        ),
        (
            "leaves a child whose parent is gone",
            first(&format!(
                "subprocess.run(['/bin/sh', '-c', 'sleep 90 & true'], {quiet})"
            )),
        ),
        (
            "exits with a status",
            instead_of(READ, &again("sys.exit(3)")),
        ),
        (
            "fails on SIGTERM",
            first("signal.signal(signal.SIGTERM, lambda *_: os._exit(4))"),
        ),
        (
            "ends well on SIGTERM",
            first("signal.signal(signal.SIGTERM, lambda *_: sys.exit())"),
        ),
    ]
}

#[test]
fn slow_every_misbehaviour_has_its_words() {
    let behaviours = behaviours();
    let verdicts: Vec<String> = std::thread::scope(|scope| {
        let tried: Vec<_> = behaviours
            .iter()
            .map(|(name, script)| {
                scope.spawn(move || {
                    let mut world = World::new();
                    if ["hangs", "asks"].contains(name) || name.starts_with("READY ") {
                        world.sidecar.ready_timeout = Duration::from_secs(2);
                    }
                    let outcome = world.script(script);
                    format!("{name}\n  {}\n", world.verdict(outcome))
                })
            })
            .collect();
        let verdict = |it: std::thread::ScopedJoinHandle<'_, String>| it.join();
        tried
            .into_iter()
            .map(|it| verdict(it).expect("the panic says why"))
            .collect()
    });
    expect![[r#"
        good
          passed: 4 of 4 launches passed
        exits before READY
          rejected: 1 of 1 launches failed: it ended before it was ready (exit status: 1): no device
        is killed
          rejected: 1 of 1 launches failed: it ended before it was ready (signal: 9 (SIGKILL)): it printed nothing
        hangs
          rejected: 1 of 1 launches failed: it did not print READY within 2s: BOOT sidecar=analyzer version=1.2.3
        asks
          rejected: 1 of 1 launches failed: it did not print READY within 2s: Password:
        READY on stderr
          rejected: 1 of 1 launches failed: it did not print READY within 2s: READY came on stderr, not on stdout
        READY without a line end
          rejected: 1 of 1 launches failed: it did not print READY within 2s: READY came without the end of its line
        READY without a line end, then its end
          rejected: 1 of 1 launches failed: it ended before it was ready (exit status: 0): READY came without the end of its line
        READY in a line
          rejected: 1 of 1 launches failed: it did not print READY within 2s: is READY
        READY twice
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        READY again, unless it is told to end
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        READY again, at the end
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        READY again, from a child
          rejected: 1 of 1 launches failed: it printed READY 2 times; once is the protocol
        another version
          rejected: 1 of 1 launches failed: it reports version 1.2.2, but the release is 1.2.3
        no version
          passed: 4 of 4 launches passed
        misses a module
          rejected: 1 of 1 launches failed: it misses the module wave_of
        misses a module after READY
          rejected: 1 of 1 launches failed: it misses the module wave_of
        does without a module
          passed: 4 of 4 launches passed
        prints garbage
          passed: 4 of 4 launches passed
        floods
          passed: 4 of 4 launches passed
        ignores the end of stdin
          rejected: 1 of 1 launches failed: it still runs after its stdin was closed: … (analyzer)
        ignores SIGTERM
          rejected: 1 of 2 launches failed: it still runs after SIGTERM: … (analyzer)
        survives its parent
          rejected: 1 of 4 launches failed: it still runs after its parent was killed: … (analyzer)
        leaves a child
          rejected: 1 of 1 launches failed: it ended after its stdin was closed, but left behind: … (sleep)
        leaves a grandchild in a session of its own
          rejected: 1 of 1 launches failed: it ended after its stdin was closed, but left behind: … (sh), … (sleep)
        leaves a child whose parent is gone
          rejected: 1 of 1 launches failed: it ended after its stdin was closed, but left behind: … (sleep)
        exits with a status
          rejected: 1 of 1 launches failed: it did not end well after its stdin was closed (exit status: 3): READY
        fails on SIGTERM
          rejected: 1 of 2 launches failed: it did not end well after SIGTERM (exit status: 4): READY
        ends well on SIGTERM
          passed: 4 of 4 launches passed
    "#]].assert_eq(&verdicts.concat());
}
