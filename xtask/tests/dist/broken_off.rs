//! Runs that are broken off, by a signal or by a full disk, and what the next one makes of it.

use std::process::Command;

use expect_test::expect;
use fs_err as fs;
use nix::sys::signal::Signal;

use super::{check, check_steps, project::Project};

/// Waits in the build script, so that a test can meet the run at work.
fn waiting(project: &Project) {
    let wait = "writeFileSync('at-work', ''); await new Promise(it => setTimeout(it, 60000));";
    project.write("build.mjs", format!("{}{wait}", project.read("build.mjs")));
    project.configure("[frontend]\nexclude = [\"at-work\"]\n");
}

/// How many processes still work in the project's folder.
fn at_work(project: &Project) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let folders = processes.filter_map(|it| fs::read_link(it.path().join("cwd")).ok());
    folders.filter(|it| it.starts_with(&project.root)).count()
}

fn signal(child: &std::process::Child, signal: Signal) {
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(id, signal).unwrap();
}

#[test]
fn a_second_run_is_told_who_is_at_work() {
    let project = Project::new();
    waiting(&project);
    let first = project.start_until("dist", "at-work");
    check(
        project.run("dist --until frontend"),
        expect![[r#"
        no step was reached in [TIME]

        error: another run works on [ROOT]/target/dist/linux: process [PID], `cargo xtask dist`, since [NOW]
          hint: wait for it, or end that process
        exit code 1
    "#]],
    );
    check(
        project.run("clean"),
        expect![[r#"
        error: another run works on [ROOT]/target/dist/linux: process [PID], `cargo xtask dist`, since [NOW]
          hint: wait for it, or end that process
        exit code 1
    "#]],
    );
    check(
        project.run("status"),
        expect![[r#"
        cargo xtask dist for linux has no end: it still runs, or it was killed
        began [NOW]

        step  status  why
        frontend  running  it never ran here
        app  waiting
        sign-code  waiting
        bundle  waiting
        sign-installers  waiting
        archive  waiting
        seal  waiting
        1 running, 6 waiting
        logs in [ROOT]/target/dist/linux/logs
        exit code 0
    "#]],
    );
    signal(&first, Signal::SIGINT);
    check(
        project.wait(first),
        expect![[r#"
        cargo xtask dist for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build

        step  status  why
        frontend  interrupted  it never ran here
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 interrupted, 6 not reached in [TIME]
        next: cargo xtask dist
        exit code 130
    "#]],
    );
    assert_eq!(at_work(&project), 0);
    check(
        project.run("status"),
        expect![[r#"
        cargo xtask dist for linux failed
        began [NOW]

        step  status  why
        frontend  interrupted  it never ran here
        app  not reached
        sign-code  not reached
        bundle  not reached
        sign-installers  not reached
        archive  not reached
        seal  not reached
        1 interrupted, 6 not reached in [TIME]
        next: cargo xtask dist
        exit code 0
    "#]],
    );
}

/// Nothing can be cleaned up at a kill: the next run does it.
#[test]
fn after_a_kill_the_next_run_cleans_up() {
    let project = Project::new();
    let build = project.read("build.mjs");
    waiting(&project);
    let first = project.start_until("dist", "at-work");
    signal(&first, Signal::SIGKILL);
    assert_eq!(project.wait(first).code, 128 + 9);
    check(
        project.run("status"),
        expect![[r#"
        cargo xtask dist for linux has no end: it still runs, or it was killed
        began [NOW]

        step  status  why
        frontend  running  it never ran here
        app  waiting
        sign-code  waiting
        bundle  waiting
        sign-installers  waiting
        archive  waiting
        seal  waiting
        1 running, 6 waiting
        logs in [ROOT]/target/dist/linux/logs
        exit code 0
    "#]],
    );
    assert!(at_work(&project) > 0);
    project.write("build.mjs", build);
    check(
        project.run("dist --until frontend"),
        expect![[r#"
        note: ended 1 process group(s) that a killed run left behind
        cargo xtask dist --until frontend for linux: 7 steps, [JOBS] at a time
        frontend  runs: it never ran here
        frontend  $ npm ci --no-audit --no-fund
        frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
        frontend  done in [TIME], [SIZE]
        app  left out: --until frontend
        sign-code  left out: --until frontend
        bundle  left out: --until frontend
        sign-installers  left out: --until frontend
        archive  left out: --until frontend
        seal  left out: --until frontend

        step  status  why  time  size
        frontend  ran  it never ran here  [TIME]  [SIZE]
        app  left out  --until frontend
        sign-code  left out  --until frontend
        bundle  left out  --until frontend
        sign-installers  left out  --until frontend
        archive  left out  --until frontend
        seal  left out  --until frontend
        1 ran, 6 left out in [TIME]
        next: cargo xtask dist
        exit code 0
    "#]],
    );
    assert_eq!(at_work(&project), 0);
}

/// Not as root: then there is no full disk to be had.
#[test]
fn a_full_disk_loses_nothing() {
    let project = Project::new();
    let target = project.root.join("target");
    fs::create_dir(&target).unwrap();
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(&target);
        mount
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|it| it.success())
    };
    if !mount("size=900k") {
        return;
    }
    let _mounted = Mounted(target.clone());
    check(
        project.run("dist"),
        expect![[r#"
            cargo xtask dist for linux: 7 steps, [JOBS] at a time
            frontend  runs: it never ran here
            frontend  $ npm ci --no-audit --no-fund
            frontend  $ TAURI_ENV_ARCH=[ARCH] TAURI_ENV_DEBUG=false TAURI_ENV_FAMILY=unix TAURI_ENV_PLATFORM=linux TAURI_ENV_TARGET_TRIPLE=[TRIPLE] npm run build
            frontend  done in [TIME], [SIZE]
            app  runs: it never ran here
            app  $ (cd src-tauri && TAURI_CONFIG='{"build":{"frontendDist":"../target/dist/linux/stages/frontend"},"bundle":{"externalBin":null}}' cargo build --profile release --locked --bins --features tauri/custom-protocol --message-format json-render-diagnostics)
            app  done in [TIME], [SIZE]
            sign-code  runs: it never ran here
            sign-code  signature: none inside: ELF executables carry no signature
            sign-code  done in [TIME], [SIZE]
            bundle  runs: it never ran here
            bundle  failed after [TIME]: failed to copy file from `[ROOT]/target/dist/linux/stages/sign-code/small` to `[ROOT]/target/dist/linux/cache/bundle/deb/release/small`: No space left on device (os error 28)

            step  status  why  time  size
            frontend  ran  it never ran here  [TIME]  [SIZE]
            app  ran  it never ran here  [TIME]  [SIZE]
            sign-code  ran  it never ran here  [TIME]  [SIZE]
            bundle  failed  it never ran here  [TIME]
            sign-installers  not reached
            archive  not reached
            seal  not reached
            1 failed, 3 ran, 3 not reached in [TIME]

            bundle failed: failed to copy file from `[ROOT]/target/dist/linux/stages/sign-code/small` to `[ROOT]/target/dist/linux/cache/bundle/deb/release/small`: No space left on device (os error 28)
              log: [ROOT]/target/dist/linux/logs/bundle.log
              hint: the disk is full: free some space; what is recorded is safe
              resume: cargo xtask dist
            exit code 1
        "#]],
    );
    assert!(mount("remount,size=64m"));
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]],
    );
}

/// Unmounts when dropped, also after a failure.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().ok();
    }
}
