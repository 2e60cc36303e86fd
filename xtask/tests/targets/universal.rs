//! One program for both kinds of Mac: the steps that build and freeze twice and join, with stand-ins for
//! cargo, lipo, the freezers, and `arch`, which runs a Python as either architecture. `dist` itself refuses
//! to begin on another system. What they need of the environment, a process of its own has.
#![allow(clippy::print_stdout, reason = "the process tells the test")]

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use anyhow::Result;
use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config,
    engine::{
        event::{Event, Events, Reporter, Stamped},
        probe::Probes,
        secret::Redactor,
        select::Selection,
        session::{Hashes, Options, Session},
    },
    pipeline,
    release::{Release, SigningWish},
    steps::{app::App, sidecar::Sidecar},
};

use super::project::{Project, read};

/// Writes down who was called for what, and makes programs: the header of <mach-o/loader.h>, and behind it
/// what a shell runs in the place of code.
const COMMON: &str = r##"
import os, struct, sys
root = os.environ["PRACTICE_FOLDER"]
CPUS = {"x86_64": 0x01000007, "arm64": 0x0100000C}
def log(*words):
    with open(root + "/calls", "a") as calls:
        calls.write(" ".join(words) + "\n")
def asked(name):
    return os.path.exists(root + "/" + name)
def thin(arch, path, text="echo BOOT sidecar=alpha version=0.1.0\necho READY\ncat >/dev/null\n"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<8I", 0xFEEDFACF, CPUS[arch], 3, 2, 0, 0, 0, 0) + text.encode())
    os.chmod(path, 0o755)
def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write(text)
"##;

/// In the place of macOS: where Linux refuses a program for it, a shell runs what is behind the header.
const KERNEL: &str = r##"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>

static char **with_shell(const char *file, char *const *words) {
    size_t count = 0;
    while (words[count]) count++;
    char **all = calloc(count + 4, sizeof *all);
    all[0] = "sh";
    all[1] = "-c";
    all[2] = "eval \"$(tail -c +33 \"$0\")\"";
    all[3] = (char *)file;
    for (size_t at = 1; at < count; at++) all[at + 3] = words[at];
    return all;
}

int posix_spawnp(pid_t *id, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *how, char *const words[], char *const env[]) {
    __typeof__(&posix_spawnp) real = (__typeof__(&posix_spawnp))dlsym(RTLD_NEXT, "posix_spawnp");
    int failed = real(id, file, actions, how, words, env);
    return failed == ENOEXEC ? real(id, "/bin/sh", actions, how, with_shell(file, words), env) : failed;
}

int execve(const char *file, char *const words[], char *const env[]) {
    int (*real)(const char *, char *const *, char *const *) =
        (int (*)(const char *, char *const *, char *const *))dlsym(RTLD_NEXT, "execve");
    int failed = real(file, words, env);
    return errno == ENOEXEC ? real("/bin/sh", with_shell(file, words), env) : failed;
}
"##;

/// As Apple's: runs a Python as an architecture. The freezers are played here, and nothing is installed.
const ARCH: &str = r##"
arch, python, words = sys.argv[1][1:], sys.argv[2], sys.argv[3:]
def option(name):
    joined = [it.split("=", 1)[1] for it in words if it.startswith(name + "=")]
    return joined[0] if joined else words[words.index(name) + 1]
def freeze(freezer, folder, target):
    log(freezer, "as", arch, "for", target)
    if asked(f"{freezer}-fails-for-{arch}"):
        sys.exit(f"FATAL: {freezer} does not work for {arch}")
    thin(target, folder + "/alpha")
    thin(target, folder + "/lib/a.so")
    write(folder + "/a-1.0.dist-info/METADATA", "Name: a\n")
    write(folder + "/a-1.0.dist-info/WHEEL", f"Tag: cp311-macosx_{arch}\n")
    write(folder + "/notes.json", arch if asked("notes-differ") else "the same")
match words[:2]:
    case ["-m", "venv"]:
        os.execv(python, [python, "-m", "venv", "--without-pip", *words[2:]])
    case ["-m", "pip"]:
        log("pip", "as", arch)
    case ["-m", "nuitka"]:
        freeze("nuitka", option("--output-dir") + "/main.dist", option("--macos-target-arch"))
    case ["-m", "PyInstaller"]:
        freeze("pyinstaller", option("--distpath") + "/alpha", option("--target-arch"))
    case _:
        os.execv(python, [python, *words])
"##;

/// As Apple's: joins programs, and refuses two for the same architecture.
const LIPO: &str = r##"
at = sys.argv.index("-output")
assert sys.argv[1] == "-create", sys.argv
parts = [open(it, "rb").read() for it in sys.argv[2:at]]
cpus = [struct.unpack("<I", it[4:8])[0] for it in parts]
names = {cpu: name for name, cpu in CPUS.items()}
log("lipo", os.path.basename(sys.argv[at + 1]), *(names[it] for it in cpus))
if len(set(cpus)) < len(cpus) or len(cpus) < 2:
    sys.exit("fatal error: lipo: they have the same architectures")
header, offset = struct.pack(">2I", 0xCAFEBABE, len(parts)), 4096
for cpu, part in zip(cpus, parts):
    header += struct.pack(">5I", cpu, 3, offset, len(part), 0)
    offset += len(part)
with open(sys.argv[at + 1], "wb") as file:
    file.write(header.ljust(4096, b"\0") + b"".join(parts))
os.chmod(sys.argv[at + 1], 0o755)
"##;

/// Builds for either architecture; all else is the real one's.
const CARGO: &str = r##"
import json
real = os.environ["PRACTICE_CARGO"]
if sys.argv[1] != "build":
    os.execv(real, [real, *sys.argv[1:]])
triple = sys.argv[sys.argv.index("--target") + 1]
log("cargo", "for", triple)
arch = {"x86_64": "x86_64", "aarch64": "arm64"}[triple.split("-")[0]]
host = f"{root}/{triple}/small"
thin("arm64" if asked("built-for-arm64-only") else arch, host)
print(json.dumps({"reason": "compiler-artifact", "target": {"kind": ["bin"], "name": "small"}, "executable": host}))
"##;

/// Says what is noted, found out, and wrong.
struct Said;

impl Reporter for Said {
    fn report(&mut self, stamped: &Stamped) {
        match &stamped.event {
            Event::Note { text, .. } => println!("said: note: {text}"),
            Event::Fact { key, value, .. } if key == "freezer" || key == "because" => {
                println!("said: {key}: {value}");
            }
            Event::StepFailed { failure, .. } => {
                for it in failure.chain.iter().chain(&failure.hints) {
                    println!("said: failed: {}", it.replace('\n', "\nsaid: "));
                }
            }
            _ => {}
        }
    }
}

fn steps(root: &Path, step: &str) -> Result<()> {
    let config = config::load(root, None)?;
    let target: xtask::target::Target = "universal-apple-darwin".parse()?;
    let state = pipeline::state(root, &target);
    let (probes, redactor) = (Probes::open(state.join("probes")), Redactor::default());
    let wish = SigningWish::Any;
    let release = Release::new(config, target.clone(), wish, &state, &probes, &redactor)?;
    let session = Session::open(Options {
        hashes: Hashes::read(&state, false),
        probes,
        root: root.to_owned(),
        state,
        target: target.triple.clone(),
        steps: pipeline::steps(&release.config, target.os),
        command: "the test".into(),
        events: Events::new(vec![Box::new(Said)]),
        selection: Selection::default(),
        plan: false,
        jobs: 1,
        timeout: Duration::from_secs(60),
        withheld: Release::withheld(&release.config),
        redactor,
        interrupted: Default::default(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        at_commit: None,
    })?;
    let ended = match step {
        "app" => session.step(App::new(&release, None)).map(|it| it.folder),
        _ => session
            .step(Sidecar::new(&release, &release.config.sidecars[0]))
            .map(|it| it.folder),
    };
    session.close();
    let folder = ended?;
    for file in super::project::files_below(&folder) {
        let inside = file.strip_prefix(&folder)?.display().to_string();
        println!("said: {inside}");
    }
    Ok(())
}

/// Not a test: the process that has the environment.
#[test]
#[ignore = "only for the other tests"]
fn steps_for_every_mac() {
    let Some(root) = std::env::var_os("PRACTICE_ROOT") else {
        return;
    };
    let step = std::env::var("PRACTICE_STEP").unwrap();
    if steps(Path::new(&root), &step).is_err() {
        println!("said: the step failed");
    }
}

/// The small project with a sidecar, and the stand-ins beside it.
fn project() -> Project {
    let project = Project::new();
    project.configure(
        "[[sidecar]]\nname = \"alpha\"\nready-timeout = \"5s\"\nfreezers = [\"nuitka\", \
         \"pyinstaller\"]\nlayout = \"folder\"\ntrial = { launches = 1 }\n",
    );
    let program = "import sys\nprint('BOOT sidecar=alpha version=0.1.0', flush=True)\n\
                   print('READY', flush=True)\nsys.stdin.read()\n";
    project.write("sidecars/alpha/main.py", program);
    project.write(
        "sidecars/alpha/requirements.lock",
        "nuitka==1.0 --hash=sha256:00\npyinstaller==2.0 --hash=sha256:00\n",
    );
    project.commit("A sidecar");
    let bin = project.beside().join("bin");
    fs::create_dir(&bin).unwrap();
    for (name, text) in [("arch", ARCH), ("lipo", LIPO), ("cargo", CARGO)] {
        let script = format!("#!/usr/bin/env python3\n{COMMON}{text}");
        fs::write(bin.join(name), script).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        fs::set_permissions(bin.join(name), mode).unwrap();
    }
    let source = project.beside().join("kernel.c");
    fs::write(&source, KERNEL).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]);
    cc.arg(source.with_extension("so")).arg(&source).arg("-ldl");
    read(cc);
    project
}

/// What a step says and leaves, and whom it called, with these wishes to the stand-ins.
fn check(step: &str, wishes: &[&str], expected: Expect) {
    let project = project();
    let beside = project.beside();
    for it in wishes {
        fs::write(beside.join(it), "").unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture"]);
    command.arg("universal::steps_for_every_mac");
    let path = std::env::var("PATH").unwrap();
    command
        .env("PATH", format!("{}:{path}", beside.join("bin").display()))
        .env("PRACTICE_ROOT", &project.root)
        .env("PRACTICE_STEP", step)
        .env("LD_PRELOAD", beside.join("kernel.so"))
        .env("PRACTICE_FOLDER", &beside)
        .env("PRACTICE_CARGO", env!("CARGO"));
    let text = read(command);
    let said = text.lines().filter_map(|it| it.split_once("said: "));
    let said: String = said.map(|it| format!("{}\n", it.1)).collect();
    let calls = fs::read_to_string(beside.join("calls")).unwrap_or_default();
    let calls = calls.lines().map(|it| format!("$ {it}\n"));
    let shown = format!("{}{}", calls.collect::<String>(), project.filtered(&said));
    expected.assert_eq(&shown);
}

#[test]
fn slow_the_host_is_built_twice_and_joined() {
    check(
        "app",
        &[],
        expect![[r#"
        $ cargo for x86_64-apple-darwin
        $ cargo for aarch64-apple-darwin
        $ lipo small x86_64 arm64
        small
    "#]],
    );
}

#[test]
fn slow_a_host_for_one_architecture_is_refused() {
    check(
        "app",
        &["built-for-arm64-only"],
        expect![[r#"
        $ cargo for x86_64-apple-darwin
        $ cargo for aarch64-apple-darwin
        $ lipo small arm64 arm64
        failed: `lipo` failed: exit status: 1
        the step failed
    "#]],
    );
}

#[test]
fn slow_a_sidecar_is_frozen_twice_and_joined() {
    check(
        "sidecar",
        &[],
        expect![[r#"
        $ pip as x86_64
        $ pip as arm64
        $ nuitka as x86_64 for x86_64
        $ nuitka as arm64 for arm64
        $ lipo alpha x86_64 arm64
        $ lipo a.so x86_64 arm64
        note: taken from the half for x86_64 though the other has another, which decides nothing of what runs: a-1.0.dist-info/WHEEL
        freezer: nuitka
        alpha/a-1.0.dist-info/METADATA
        alpha/a-1.0.dist-info/WHEEL
        alpha/alpha
        alpha/lib/a.so
        alpha/notes.json
    "#]],
    );
}

/// Two freezers would leave two different programs, whichever half it is that one of them fails at.
#[test]
fn slow_what_one_half_falls_back_to_the_other_does() {
    check(
        "sidecar",
        &["nuitka-fails-for-x86_64"],
        expect![[r#"
        $ pip as x86_64
        $ pip as arm64
        $ nuitka as x86_64 for x86_64
        $ pyinstaller as x86_64 for x86_64
        $ pyinstaller as arm64 for arm64
        $ lipo alpha x86_64 arm64
        $ lipo a.so x86_64 arm64
        note: nuitka 1.0 (folder) failed: the freezer broke (for x86_64 | FATAL: nuitka does not work for x86_64 | exit status: 1); trying pyinstaller
        note: taken from the half for x86_64 though the other has another, which decides nothing of what runs: a-1.0.dist-info/WHEEL
        freezer: pyinstaller
        because: nuitka 1.0 (folder) failed: the freezer broke (for x86_64 | FATAL: nuitka does not work for x86_64 | exit status: 1)
        alpha/a-1.0.dist-info/METADATA
        alpha/a-1.0.dist-info/WHEEL
        alpha/alpha
        alpha/lib/a.so
        alpha/notes.json
    "#]],
    );
}

#[test]
fn slow_what_the_second_half_falls_back_to_the_first_does() {
    check(
        "sidecar",
        &["nuitka-fails-for-arm64"],
        expect![[r#"
        $ pip as x86_64
        $ pip as arm64
        $ nuitka as x86_64 for x86_64
        $ nuitka as arm64 for arm64
        $ pyinstaller as x86_64 for x86_64
        $ pyinstaller as arm64 for arm64
        $ lipo alpha x86_64 arm64
        $ lipo a.so x86_64 arm64
        note: nuitka 1.0 (folder) failed: the freezer broke (for aarch64 | FATAL: nuitka does not work for arm64 | exit status: 1); trying pyinstaller
        note: taken from the half for x86_64 though the other has another, which decides nothing of what runs: a-1.0.dist-info/WHEEL
        freezer: pyinstaller
        because: nuitka 1.0 (folder) failed: the freezer broke (for aarch64 | FATAL: nuitka does not work for arm64 | exit status: 1)
        alpha/a-1.0.dist-info/METADATA
        alpha/a-1.0.dist-info/WHEEL
        alpha/alpha
        alpha/lib/a.so
        alpha/notes.json
    "#]],
    );
}

#[test]
fn slow_no_freezer_that_manages_one_half_alone_will_do() {
    let wishes = ["nuitka-fails-for-x86_64", "pyinstaller-fails-for-arm64"];
    check(
        "sidecar",
        &wishes,
        expect![[r#"
        $ pip as x86_64
        $ pip as arm64
        $ nuitka as x86_64 for x86_64
        $ pyinstaller as x86_64 for x86_64
        $ pyinstaller as arm64 for arm64
        note: nuitka 1.0 (folder) failed: the freezer broke (for x86_64 | FATAL: nuitka does not work for x86_64 | exit status: 1); trying pyinstaller
        failed: no freezer managed alpha
        nuitka 1.0 (folder) failed: the freezer broke
          for x86_64
          FATAL: nuitka does not work for x86_64
          exit status: 1
        pyinstaller 2.0 (folder) failed: the freezer broke
          for aarch64
          FATAL: pyinstaller does not work for arm64
          exit status: 1
        the step failed
    "#]],
    );
}

#[test]
fn slow_what_differs_between_the_halves_is_named() {
    check(
        "sidecar",
        &["notes-differ"],
        expect![[r#"
        $ pip as x86_64
        $ pip as arm64
        $ nuitka as x86_64 for x86_64
        $ nuitka as arm64 for arm64
        $ lipo alpha x86_64 arm64
        $ lipo a.so x86_64 arm64
        failed: notes.json is no code, but is not the same in [ROOT]/target/dist/universal-apple-darwin/cache/alpha-nuitka-folder-x86_64/main.dist and [ROOT]/target/dist/universal-apple-darwin/cache/alpha-nuitka-folder-aarch64/main.dist
        failed: only one of them can be shipped; leave it out, or ship an app for each architecture: --target x86_64-apple-darwin --target aarch64-apple-darwin
        the step failed
    "#]],
    );
}
