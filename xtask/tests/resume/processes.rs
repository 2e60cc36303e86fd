//! Runs as processes of their own: interrupted, in order, side by side, one at a time.

use xtask::engine::{event::Events, session::Session};

use crate::{
    support::{Repo, steps},
    world::{Transcript, World},
};

#[test]
fn a_second_run_names_the_holder() {
    let world = World::new();
    let transcript = Transcript::default();
    let held = Session::open(world.options(Events::new(vec![Box::new(transcript)])));
    let holder = format!("process {}, `cargo xtask dist`, since ", std::process::id());
    let text = world.run();
    assert!(text.contains(&holder), "{text}");
    drop(held);
    assert!(world.run().starts_with("web: ran"));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_all_children_and_the_next_run_resumes() {
    use std::{
        io::{BufRead as _, BufReader},
        time::{Duration, Instant},
    };

    use crate::support;

    let repo = Repo::new();
    let mut command = repo.command(&["--jobs", "1"]);
    command.env("SMALL_PIPELINE_SLEEP", "300");
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|it| it.is_ok_and(|it| it.contains("command-started") && it.contains("sleep 300"))));
    let started = Instant::now();
    let process = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(process, nix::sys::signal::SIGINT).expect("it is ours");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(!child.wait().expect("it ended").success());
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let rest = support::events(&rest.join("\n"));
    let ended = rest
        .iter()
        .find(|it| it["event"] == "command-finished")
        .expect("it is told");
    assert_eq!(ended["status"], "interrupted");
    assert_eq!(
        steps(&rest, "step-failed"),
        [""; 0],
        "what was interrupted did not fail"
    );
    let root = repo.root().canonicalize().expect("it exists");
    assert_eq!(support::processes_in(&root), [""; 0]);
    let resumed = repo.run(&[]);
    assert_eq!(steps(&resumed, "step-reused"), ["app", "web"]);
    assert_eq!(
        steps(&resumed, "step-started"),
        ["bundle", "seal", "sidecar"]
    );
}

#[test]
fn one_job_is_strictly_in_order() {
    let repo = Repo::new();
    let events = repo.run(&["--jobs", "1"]);
    let kinds = ["step-started", "step-finished"];
    let told = events
        .iter()
        .filter(|it| kinds.iter().any(|kind| it["event"] == *kind));
    let order: Vec<&str> = told.filter_map(|it| it["step"].as_str()).collect();
    let expected = ["web", "app", "sidecar", "bundle", "seal"]
        .map(|it| [it, it])
        .concat();
    assert_eq!(order, expected);
}

/// A part that is left out must hide neither the other part nor its failure.
#[test]
fn until_a_step_of_one_of_two_parts() {
    for jobs in ["1", "2"] {
        let repo = Repo::new();
        let events = repo.run(&["--jobs", jobs, "--until", "web"]);
        assert_eq!(steps(&events, "step-started"), ["web"]);
        assert_eq!(
            steps(&events, "step-left-out"),
            ["app", "bundle", "seal", "sidecar"]
        );
    }
}
