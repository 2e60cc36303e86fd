//! Runs that would get into each other's way.

use expect_test::expect;
use xtask::target::Target;

use super::{
    check,
    project::{Project, wait_for},
};

/// `linux` and its triple have states of their own, but build the front end in the same folder.
#[test]
fn two_names_of_one_platform_take_turns() {
    let project = Project::new();
    let wait = "await new Promise(it => setTimeout(it, 60000));";
    project.write("build.mjs", format!("console.log('at work'); {wait}"));
    let mut first = project.command("dist").spawn().unwrap();
    let log = project.root.join("target/dist/linux/logs/frontend.log");
    let at_work = || fs_err::read_to_string(&log).is_ok_and(|it| it.contains("at work"));
    wait_for("the first run", at_work);
    let triple = Target::host().triple;
    check(
        project.run(&format!("dist --until frontend --target {triple}")),
        expect![[r#"
            no step was reached in [TIME]

            error: another run works on [ROOT]/target/dist: process [PID], `cargo xtask dist`, since [NOW]
              hint: wait for it, or end that process
            exit code 1
        "#]],
    );
    // It writes nothing, so that it need not wait.
    project.succeed(&format!("plan --target {triple}"));
    let id = nix::unistd::Pid::from_raw(first.id().cast_signed());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    first.wait().unwrap();
    project.write("build.mjs", "process.exit(3);");
    let second = project.run(&format!("dist --until frontend --target {triple}"));
    assert!(
        second.stderr.contains("exit status: 3"),
        "{}",
        second.stderr
    );
}
