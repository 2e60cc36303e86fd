//! Fallbacks: what is recorded of one, and how long it lasts. They are tried on the project of
//! [`freezing`](super::freezing).

use std::{path::Path, process::Command};

use expect_test::expect;

use super::{
    check_steps,
    freezing::{BOTH, Bench, one_word_for_no_memory, what_failed},
    project::{Project, read},
    sidecars::GOOD,
};

/// What is left of a recorded fallback in later runs.
pub(super) fn a_fallback_lasts_but_not_too_long(bench: &Bench) {
    let project = &bench.project;
    project.write("packaging/dist.toml", &bench.configuration);
    project.write("sidecars/alpha/main.py", GOOD);
    std::fs::remove_dir_all(project.root.join("hooks")).unwrap();
    let small = project.beside().join("small/gcc");
    let run = |line: &str, compiler: &Path| {
        let output = project.command(line).env("CC", compiler).output().unwrap();
        let mut ran = project.ended(output);
        ran.stderr = one_word_for_no_memory(&ran.stderr).replace(&version_of("gcc"), "[GCC]");
        ran.stdout = ran.stdout.replace(&version_of("gcc"), "[GCC]");
        ran
    };
    check_steps(
        run("dist", &small),
        expect![[r#"
            frontend  runs: packaging/dist.toml changed
            app  runs: tauri.conf.json changed (and 2 more)
            sign-code  runs: sidecars removed (and 4 more)
            bundle  runs: src-tauri/tauri.conf.json changed (and 5 more)
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 3 more)
            archive  runs: output of sign-code: alpha added (and 4 more)
            seal  runs: commit [HASH]… -> [HASH]… (and 23 more)
            sidecar:alpha  runs: it never ran here
            sidecar:alpha  warning: nuitka 4.3.3 (onefile) failed: out of memory ([NO MEMORY]); trying pyinstaller
            exit code 0
        "#]],
    );
    is_in_manifest_and_events(project);
    let plan = run("plan", &small).shown();
    expect!["sidecar:alpha  would run  nuitka may do better than last time (out of memory)"]
        .assert_eq(&about_the_sidecar(&plan));
    // The same once more: PyInstaller's product is kept, and nothing after it runs.
    let again = run("dist", &small);
    assert!(!again.stderr.contains("PyInstaller"), "{}", again.stderr);
    check_steps(
        again,
        expect![[r#"
            frontend  reused
            app  reused
            sign-code  reused
            bundle  reused
            sign-installers  reused
            archive  reused
            seal  reused
            sidecar:alpha  runs: nuitka may do better than last time (out of memory)
            sidecar:alpha  warning: nuitka 4.3.3 (onefile) failed: out of memory ([NO MEMORY]); keeping what was made with pyinstaller
            exit code 0
        "#]],
    );
    expect![[r#"
        [
          {
            "because": "nuitka 4.3.3 (onefile) failed: out of memory ([NO MEMORY])",
            "fallbacks": [
              {
                "class": "out-of-memory",
                "freezer": "nuitka",
                "layout": "onefile",
                "lines": [
                  "[NO MEMORY]"
                ],
                "version": "4.3.3"
              }
            ],
            "freezer": "pyinstaller",
            "layout": "onefile",
            "name": "alpha",
            "version": "0.1.0"
          }
        ]"#]]
    .assert_eq(&described(&project.manifest()["sidecars"]));
    let refused = run("dist --no-fallback", &small);
    expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          nuitka 4.3.3 (onefile) failed: out of memory
            [NO MEMORY]
    "#]]
    .assert_eq(&what_failed(&refused));
    check_steps(
        run("plan --require-freezer nuitka", &small),
        expect![[r#"
        frontend  reused  [SIZE]
        app  reused  [SIZE]
        exit code 0
    "#]],
    );
    // What is required comes first, so that there is nothing to better.
    let required = run("plan --require-freezer pyinstaller", &small).shown();
    expect!["sidecar:alpha  reused  [SIZE]"].assert_eq(&about_the_sidecar(&required));

    // Without a compiler nothing changes by itself.
    let nowhere = Path::new("/nowhere/cc");
    check_steps(
        run("dist", nowhere),
        expect![[r#"
            frontend  reused
            app  runs: c compiler [GCC] -> none (and 1 more)
            sign-code  reused
            bundle  reused
            sign-installers  reused
            archive  reused
            seal  runs: sidecars.0.because nuitka 4.3.3… -> nuitka 4.3.3… (and 2 more)
            sidecar:alpha  runs: c compiler [GCC] -> none (and 1 more)
            sidecar:alpha  warning: nuitka 4.3.3 (onefile) failed: a tool is missing (FATAL: Error, cannot locate suitable C compiler.); trying pyinstaller
            exit code 0
        "#]],
    );
    // By its name after that of a cache, there is one.
    let plan = run("plan", Path::new("ccache gcc")).shown();
    expect!["sidecar:alpha  would run  c compiler none -> [GCC] (and 1 more)"]
        .assert_eq(&about_the_sidecar(&plan));
    for (line, expected) in [
        ("plan", expect!["sidecar:alpha  reused  [SIZE]"]),
        (
            "plan --retry-fallback",
            expect![
                "sidecar:alpha  would run  nuitka may do better than last time (a tool is missing)"
            ],
        ),
        (
            "plan --no-fallback",
            expect![
                "sidecar:alpha  would run  pyinstaller froze it, which --no-fallback does not allow"
            ],
        ),
        (
            "plan --require-freezer nuitka",
            expect![
                "sidecar:alpha  would run  pyinstaller froze it, which --require-freezer does not allow"
            ],
        ),
    ] {
        expected.assert_eq(&about_the_sidecar(&run(line, nowhere).shown()));
    }
    check_steps(
        run("dist --retry-fallback", nowhere),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        sidecar:alpha  runs: nuitka may do better than last time (a tool is missing)
        sidecar:alpha  warning: nuitka 4.3.3 (onefile) failed: a tool is missing (FATAL: Error, cannot locate suitable C compiler.); keeping what was made with pyinstaller
        exit code 0
    "#]],
    );

    // What was required first, and is a fallback now, says so.
    let forced = "dist --only sidecar:alpha --force=sidecar:alpha --require-freezer pyinstaller";
    assert_eq!(run(forced, nowhere).code, 0);
    let fallback = run("dist", nowhere);
    assert!(
        !fallback.stderr.contains("PyInstaller"),
        "{}",
        fallback.stderr
    );
    check_steps(
        fallback,
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  reused
        seal  reused
        sidecar:alpha  runs: pyinstaller froze it without a try of nuitka
        sidecar:alpha  warning: nuitka 4.3.3 (onefile) failed: a tool is missing (FATAL: Error, cannot locate suitable C compiler.); keeping what was made with pyinstaller
        exit code 0
    "#]],
    );
    let because = "nuitka 4.3.3 (onefile) failed: a tool is missing \
                   (FATAL: Error, cannot locate suitable C compiler.)";
    let text = project.read("target/dist/linux/last-run.jsonl");
    let events = text.lines().map(|it| serde_json::from_str(it).unwrap());
    let mut facts = events.filter(|it: &serde_json::Value| it["key"] == "because");
    assert_eq!(
        facts.next().map(|it| it["value"].clone()),
        Some(because.into())
    );
}

/// How a compiler says what it is.
fn version_of(compiler: &str) -> String {
    let mut command = Command::new(compiler);
    command.arg("--version");
    let said = read(command);
    said.lines().next().unwrap().to_owned()
}

/// Nuitka finds what is imported by a name that it can work out, and PyInstaller does not. So there is a
/// release, and it says why it is not as it was meant to be.
pub(super) fn a_lazy_import_is_found_by_one_freezer_only(bench: &Bench) {
    let project = &bench.project;
    let freezers = "freezers = [\"pyinstaller\", \"nuitka\"]\n\
                    nuitka = { args = [\"--onefile-no-compression\"] }";
    let configuration = bench.configuration.replace(BOTH, freezers);
    project.write("packaging/dist.toml", configuration);
    project.write("sidecars/alpha/plugin_of_mine.py", "ANSWER = 42\n");
    project.write("sidecars/alpha/main.py", format!("{LAZY}{GOOD}"));
    let mut ran = project.run("dist");
    ran.stderr = ran.stderr.replace(&version_of("cc"), "[CC]");
    ran.stdout = ran.stdout.replace(&version_of("cc"), "[CC]");
    check_steps(
        ran,
        expect![[r#"
            frontend  runs: packaging/dist.toml changed
            app  runs: c compiler none -> [CC] (and 1 more)
            sign-code  runs: output of sidecar:alpha: alpha changed
            bundle  runs: output of sign-code: alpha changed
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 3 more)
            archive  runs: output of sign-code: alpha changed
            seal  runs: dirty false -> true (and 17 more)
            sidecar:alpha  runs: main.py changed (and 7 more)
            sidecar:alpha  warning: pyinstaller 6.22.3 (onefile) failed: a module is missing when frozen (1 of 1 launches failed: it misses the module plugin_of_mine | what they printed: target/dist/linux/logs/trial/alpha-pyinstaller-onefile); trying nuitka
            exit code 0
        "#]],
    );
    let sidecars = project.manifest()["sidecars"].take();
    expect![[r#"
        [
          {
            "because": "pyinstaller 6.22.3 (onefile) failed: a module is missing when frozen (1 of 1 launches failed: it misses the module plugin_of_mine | what they printed: target/dist/linux/logs/trial/alpha-pyinstaller-onefile)",
            "fallbacks": [
              {
                "class": "missing-import",
                "freezer": "pyinstaller",
                "layout": "onefile",
                "lines": [
                  "1 of 1 launches failed: it misses the module plugin_of_mine",
                  "what they printed: target/dist/linux/logs/trial/alpha-pyinstaller-onefile"
                ],
                "version": "6.22.3"
              }
            ],
            "freezer": "nuitka",
            "layout": "onefile",
            "name": "alpha",
            "version": "0.1.0"
          }
        ]"#]].assert_eq(&described(&sidecars));
    expect![[r#"
        {
          "class": "missing-import",
          "event": "attempt-failed",
          "lines": [
            "1 of 1 launches failed: it misses the module plugin_of_mine",
            "what they printed: target/dist/linux/logs/trial/alpha-pyinstaller-onefile"
          ],
          "next": "nuitka",
          "step": "sidecar:alpha",
          "tool": "pyinstaller",
          "transient": false,
          "variant": "onefile",
          "version": "6.22.3"
        }"#]]
    .assert_eq(&described(&attempt_failed(project)));
    // What ships has the module.
    let mut program = Command::new(
        project
            .root
            .join("target/dist/linux/stages/sidecar-alpha/alpha"),
    );
    program.env_clear().stdin(std::process::Stdio::null());
    assert!(read(program).contains("READY"));
}

/// With handlers, since one file of Nuitka needs them.
const LAZY: &str = r#"import importlib, signal, sys

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: sys.exit())
plugin = importlib.import_module("plugin" + "_of_mine")
assert plugin.ANSWER == 42
"#;

fn is_in_manifest_and_events(project: &Project) {
    let manifest = project.manifest();
    expect![[r#"
        [
          {
            "because": "nuitka 4.3.3 (onefile) failed: out of memory ([NO MEMORY])",
            "fallbacks": [
              {
                "class": "out-of-memory",
                "freezer": "nuitka",
                "layout": "onefile",
                "lines": [
                  "[NO MEMORY]"
                ],
                "version": "4.3.3"
              }
            ],
            "freezer": "pyinstaller",
            "layout": "onefile",
            "name": "alpha",
            "version": "0.1.0"
          }
        ]"#]]
    .assert_eq(&described(&manifest["sidecars"]));
    expect![[r#"
        {
          "class": "out-of-memory",
          "event": "attempt-failed",
          "lines": [
            "[NO MEMORY]"
          ],
          "next": "pyinstaller",
          "step": "sidecar:alpha",
          "tool": "nuitka",
          "transient": true,
          "variant": "onefile",
          "version": "4.3.3"
        }"#]]
    .assert_eq(&described(&attempt_failed(project)));
}

/// The event of the last run, without its time.
fn attempt_failed(project: &Project) -> serde_json::Value {
    let text = project.read("target/dist/linux/last-run.jsonl");
    let events = text.lines().map(|it| serde_json::from_str(it).unwrap());
    let mut events = events.filter(|it: &serde_json::Value| it["event"] == "attempt-failed");
    let mut event = events.next().unwrap();
    event.as_object_mut().unwrap().remove("at");
    event
}

fn described(value: &serde_json::Value) -> String {
    one_word_for_no_memory(&serde_json::to_string_pretty(value).unwrap())
}

/// Its line in a plan.
fn about_the_sidecar(plan: &str) -> String {
    let mut lines = plan.lines().filter(|it| it.starts_with("sidecar:"));
    lines.next().unwrap_or("nothing").to_owned()
}
