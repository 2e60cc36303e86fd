//! What the command line selects, refuses and forgets.

use expect_test::expect;

use super::{check, check_steps, project::Project};

#[test]
fn slow_selected_steps() {
    let project = Project::built();
    project.replace("src/index.html", "<h1>Small", "<h1>Smaller");
    check_steps(
        project.run("dist --from app"),
        expect![[r#"
            frontend  kept: --from app
            app  reused
            sign-code  reused
            bundle  reused
            sign-installers  reused
            archive  reused
            seal  runs: dirty false -> true (and 2 more)
            exit code 0
        "#]],
    );
    assert_eq!(project.manifest()["steps"][0]["status"], "kept");
    check_steps(
        project.run("dist --until frontend"),
        expect![[r#"
        frontend  runs: src/index.html changed
        app  left out: --until frontend
        sign-code  left out: --until frontend
        bundle  left out: --until frontend
        sign-installers  left out: --until frontend
        archive  left out: --until frontend
        seal  left out: --until frontend
        exit code 0
    "#]],
    );
    check_steps(
        project.run("dist --skip app"),
        expect![[r#"
            frontend  reused
            app  kept: --skip app
            sign-code  reused
            bundle  runs: output of frontend: index.html changed
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed
            archive  reused
            seal  runs: kept.0 frontend -> app (and 5 more)
            exit code 0
        "#]],
    );
    check_steps(
        project.run("dist --only archive"),
        expect![[r#"
            frontend  kept: --only archive
            app  kept: --only archive
            sign-code  kept: --only archive
            bundle  kept: --only archive
            sign-installers  kept: --only archive
            archive  reused
            seal  left out: --only archive
            exit code 0
        "#]],
    );
    check_steps(
        project.run("dist --force=archive"),
        expect![[r#"
            frontend  reused
            app  runs: output of frontend: index.html changed
            sign-code  runs: output of app: small changed
            bundle  runs: output of sign-code: small changed
            sign-installers  runs: output of bundle: small-0.1.0-1.[ARCH].rpm changed (and 3 more)
            archive  runs: --force
            seal  runs: kept.0 removed (and 11 more)
            exit code 0
        "#]],
    );
    check_steps(
        project.run("dist --force"),
        expect![[r#"
        frontend  runs: --force
        app  runs: --force
        sign-code  runs: --force
        bundle  runs: --force
        sign-installers  runs: --force
        archive  runs: --force
        seal  runs: --force
        exit code 0
    "#]],
    );
}

#[test]
fn refused_selections() {
    let project = Project::new();
    for (line, expected) in [
        (
            "dist --from bundel",
            expect![[r#"
            no step was reached in [TIME]

            error: there is no step `bundel` here
              hint: the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal
            exit code 1
        "#]],
        ),
        (
            "dist --from seal --until app",
            expect![[r#"
            no step was reached in [TIME]

            error: --from seal --until app selects nothing: app comes before seal
            exit code 1
        "#]],
        ),
        (
            "dist --skip app --force=app",
            expect![[r#"
            no step was reached in [TIME]

            error: --force app and --skip app contradict each other
            exit code 1
        "#]],
        ),
        (
            "dist --until app --force=seal",
            expect![[r#"
            no step was reached in [TIME]

            error: --force seal contradicts --until app, which leaves that step out
            exit code 1
        "#]],
        ),
        (
            "dist --only app --until app",
            expect![[r#"
            error: the argument '--only <STEP>' cannot be used with '--until <STEP>'

            Usage: cargo xtask dist --only <STEP>

            For more information, try '--help'.
            exit code 2
        "#]],
        ),
        (
            "dist --from app",
            expect![[r#"
            cargo xtask dist --from app for linux: 7 steps, [JOBS] at a time
            frontend  failed after [TIME]: --from app takes step frontend as recorded, but it never ran here

            step  status  time
            frontend  failed  [TIME]
            app  not reached
            sign-code  not reached
            bundle  not reached
            sign-installers  not reached
            archive  not reached
            seal  not reached
            1 failed, 6 not reached in [TIME]

            frontend failed: --from app takes step frontend as recorded, but it never ran here
              hint: run without --from app
              resume: cargo xtask dist --from app
            exit code 1
        "#]],
        ),
        (
            "dist --release --from app",
            expect![[r#"
            no step was reached in [TIME]

            error: --release wants a real signing key, but TAURI_SIGNING_PRIVATE_KEY is not set
              hint: make one with `npx tauri signer generate`, keep it secret, and export it as TAURI_SIGNING_PRIVATE_KEY
            exit code 1
        "#]],
        ),
        (
            "dist --allow-dirty",
            expect![[r#"
            error: the following required arguments were not provided:
              --release

            Usage: cargo xtask dist --release --allow-dirty

            For more information, try '--help'.
            exit code 2
        "#]],
        ),
        (
            "dist --release --unsigned",
            expect![[r#"
            error: the argument '--release' cannot be used with '--unsigned'

            Usage: cargo xtask dist --release

            For more information, try '--help'.
            exit code 2
        "#]],
        ),
        (
            "clean nothing",
            expect![[r#"
            error: there is no step `nothing`
              hint: the steps are frontend, app, sign-code, bundle, sign-installers, archive, seal
            exit code 1
        "#]],
        ),
    ] {
        check(project.run(line), expected);
    }
}

#[test]
fn forgotten_steps_run_again() {
    let project = Project::built();
    check(
        project.run("clean archive"),
        expect![[r#"
        forgot archive of linux; the next `dist` runs it again
        exit code 0
    "#]],
    );
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  reused
        app  reused
        sign-code  reused
        bundle  reused
        sign-installers  reused
        archive  runs: it never ran here
        seal  runs: output of archive: small-0.1.0-[TRIPLE].tar.gz.minisig changed
        exit code 0
    "#]],
    );
    check(
        project.run("clean"),
        expect![[r#"
        forgot everything about linux; finished releases stay where they are
        exit code 0
    "#]],
    );
    check_steps(
        project.run("dist"),
        expect![[r#"
        frontend  runs: it never ran here
        app  runs: it never ran here
        sign-code  runs: it never ran here
        bundle  runs: it never ran here
        sign-installers  runs: it never ran here
        archive  runs: it never ran here
        seal  runs: it never ran here
        exit code 0
    "#]],
    );
}
