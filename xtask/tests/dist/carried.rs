//! `cargo xtask state`: what another checkout need not do again.

use std::os::unix::fs::PermissionsExt;

use expect_test::expect;

use super::{
    check, check_steps,
    project::{Project, Ran, holds},
};

#[test]
fn another_checkout_goes_on() {
    let project = Project::built();
    let file = project.beside().join("state.tar.gz");
    check(
        project.run("state export ../state.tar.gz"),
        expect![[r#"
            7 finished steps of linux are in [ROOT]/../state.tar.gz: app, archive, bundle, frontend, seal, sign-code, sign-installers
            exit code 0
        "#]],
    );
    let other = project.clone_at("elsewhere");
    std::fs::copy(&file, other.beside().join("state.tar.gz")).unwrap();
    let mut ran = other.run("state import --if-exists ../state.tar.gz");
    ran.stdout = ran.stdout.replace(std::env::consts::ARCH, "[ARCH]");
    check(
        ran,
        expect![[r#"
            step  outcome  why
            app  imported  reused if all that decides it is the same here
            archive  imported  reused if all that decides it is the same here
            bundle  imported  reused if all that decides it is the same here
            frontend  imported  reused if all that decides it is the same here
            seal  imported  reused if all that decides it is the same here
            sign-code  imported  reused if all that decides it is the same here
            sign-installers  imported  reused if all that decides it is the same here
            of [HASH], exported [NOW] on linux [ARCH]
            next: cargo xtask plan
            exit code 0
        "#]],
    );
    // The development key is another on each machine; all else was decided by the same.
    check_steps(
        other.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  runs: imported from state.tar.gz: public_key [KEY]… -> [KEY]…
        archive  runs: imported from state.tar.gz: public_key [KEY]… -> [KEY]…
        seal  runs: imported from state.tar.gz: public_key [KEY]… -> [KEY]… (and 10 more)
        exit code 0
    "#]],
    );
    let manifest = other.manifest();
    let from = manifest["steps"][0]["facts"]["imported from"]
        .as_str()
        .unwrap();
    assert!(from.starts_with("state.tar.gz (20"), "{from}");
    other.succeed("verify");
    // Neither key nor log went along.
    let key = project.read("target/dist/linux/identity/development.key");
    let mut unpacked = Vec::new();
    let mut gzip = flate2::read::MultiGzDecoder::new(std::fs::File::open(&file).unwrap());
    std::io::Read::read_to_end(&mut gzip, &mut unpacked).unwrap();
    assert!(!holds(&unpacked, key.lines().nth(1).unwrap()));
    assert!(!holds(&unpacked, "Finished `release`"));
}

#[test]
fn a_state_of_something_else_is_refused() {
    let project = Project::built();
    project.succeed("state export ../state.tar.gz");
    project.commit("Another");
    check(
        project.run("state import ../state.tar.gz"),
        expect![[r#"
            error: [ROOT]/../state.tar.gz is not imported
              cause: it is of [HASH], and here is [HASH]
              hint: check out that commit; or say --any-commit, and what each step depends on decides
            exit code 1
        "#]],
    );
    check(
        project.run("state import --target aarch64-unknown-linux-gnu ../state.tar.gz"),
        expect![[r#"
            error: [ROOT]/../state.tar.gz is not imported
              cause: it is of the target [TRIPLE], not aarch64-unknown-linux-gnu
              hint: say --target [TRIPLE]
            exit code 1
        "#]],
    );
    let ran = project.succeed("state import ../state.tar.gz --any-commit --format json");
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let app = serde_json::json!({ "step": "app", "outcome": "same" });
    assert_eq!(told["steps"][0], app);
    check(
        project.run("state import --if-exists ../none.tar.gz"),
        expect![[r#"
            [ROOT]/../none.tar.gz is not there: nothing to import
            exit code 0
        "#]],
    );
    check(
        project.run("state export --target macos ../none.tar.gz"),
        expect![[r#"
            no step of macos has finished: there is no archive
            exit code 0
        "#]],
    );
}

/// What a job has frozen, one that runs after it on another machine need not freeze: of the same target
/// and commit, with the same tools.
pub(super) fn a_frozen_sidecar_is_taken_over(project: &Project) {
    project.succeed("state export ../frozen.tar.gz");
    let archive = project.beside().join("frozen.tar.gz");
    let import = format!("state import {}", archive.display());
    let other = project.clone_at("another runner");
    other.succeed(&import);
    let alpha = |ran: Ran| {
        let shown = ran.shown();
        let line = shown.lines().find(|it| it.starts_with("sidecar:alpha"));
        line.unwrap_or(&shown).to_owned()
    };
    let same = alpha(other.run("dist --until sidecar:alpha --format plain"));
    let python = other.beside().join("bin/python3.11");
    std::fs::create_dir_all(python.parent().unwrap()).unwrap();
    let newer = "#!/bin/sh\ntest \"$1\" != --version || exec echo Python 3.11.99\nexit 1\n";
    std::fs::write(&python, newer).unwrap();
    std::fs::set_permissions(&python, PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", python.parent().unwrap().display());
    let plan = other.command("plan").env("PATH", path).output().unwrap();
    let tool = alpha(other.ended(plan));
    let (own, tool) = tool.split_once(" -> ").unwrap();
    let (why, _) = own.rsplit_once(' ').unwrap();
    let tool = format!("{why} … -> {tool}");
    let refused = |ran: Ran| {
        assert_eq!(ran.code, 1);
        let shown = ran.shown();
        let cause = shown.lines().find(|it| it.starts_with("  cause: "));
        cause.unwrap_or(&shown).to_owned()
    };
    let arm = refused(other.run(&format!("{import} --target aarch64-unknown-linux-gnu")));
    other.write("sidecars/alpha/note.txt", "");
    other.commit("Another");
    let commit = refused(other.run(&import));
    expect![[r#"
        sidecar:alpha  reused
        sidecar:alpha  would run  imported from frozen.tar.gz: python … -> 3.11.99
          cause: it is of the target [TRIPLE], not aarch64-unknown-linux-gnu
          cause: it is of [HASH], and here is [HASH]
    "#]]
    .assert_eq(&format!("{same}\n{tool}\n{arm}\n{commit}\n"));
}
