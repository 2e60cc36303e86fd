//! The workflow that makes a release: a job for each target, one that joins them, one that publishes.

use anyhow::Result;

use super::{
    actions::{DOWNLOAD, UPLOAD},
    matrix::{ANY, Job, Matrix},
    secrets,
    step::{self, Step, steps},
    toolchains::{Toolchains, relative},
    yaml::{Map, Yaml},
};
use crate::{config::Config, version::tag};

/// Where what the jobs of the targets made comes together.
const RELEASES: &str = "target/releases";
/// The joined release.
const MERGED: &str = "target/merged";

/// The whole file, without its header.
///
/// # Errors
/// A file outside of the repository.
pub(super) fn workflow(
    config: &Config,
    matrix: &Matrix,
    toolchains: &Toolchains,
) -> Result<String> {
    let mut jobs = Map::default();
    for job in &matrix.include {
        jobs = jobs.put(&job.target, target(config, job, toolchains)?);
    }
    jobs = jobs
        .put("merge", merge(config, matrix, toolchains))
        .put("publish", publish(config, toolchains));
    let tags = Yaml::Flow(tag::patterns(config.release.tag.as_deref()));
    let on = Map::default()
        .put("push", Map::default().put("tags", tags))
        .put("workflow_dispatch", Map::default());
    let concurrency = Map::default()
        .put("group", "release-${{ github.ref }}")
        .put("cancel-in-progress", false);
    let file = Map::default()
        .put("name", "release")
        .explained(
            "A tag makes a release. Started by hand on a branch, all is made and checked, and nothing\n\
             published; the environment must let that branch in.",
            "on",
            on,
        )
        .explained("Each job names what it needs.", "permissions", Map::default())
        .explained(
            "Two runs for one tag would write the same release; one that is under way is never broken off.",
            "concurrency",
            concurrency,
        )
        .maybe("env", step::toolchain(toolchains))
        .put("jobs", jobs);
    Ok(file.file(&["on", "permissions", "concurrency", "env", "jobs"]))
}

/// The job of one target. Nothing in it comes from a cache: a cache can be filled by other
/// workflows, and this job has the keys.
fn target(config: &Config, job: &Job, toolchains: &Toolchains) -> Result<Map> {
    let Job { target, runner, .. } = job;
    let dir = relative(&config.root, &config.release.dir)?;
    // The last step whose tools are other people's code and that needs no key.
    let until = match config.sidecars.is_empty() {
        true => "app",
        false => "sidecar",
    };
    let build = format!("cargo xtask dist --setup --target {target} --unsigned --until {until}");
    let build = Step::run("Build what needs no key", build)
        .because("Packages and their scripts run here, and find no key.")
        .secrets(&job.secrets);
    let make = format!("cargo xtask dist --target {target} --release");
    let make = Step::run("Make the release", make).secrets(&secrets::of_job(config, job));
    let upload = Step::named("Keep the release", &UPLOAD, "");
    let (name, path) = (format!("release-{target}"), format!("{dir}/*/{target}"));
    let mut all = step::start(config, toolchains, &[]);
    all.extend(step::languages(config, toolchains, false)?);
    all.extend(step::take_over(target));
    all.extend(step::before(config, target).map(|it| it.secrets(&job.secrets)));
    all.push(build);
    all.extend(step::openpgp(config));
    all.push(make);
    all.extend(step::hand_on(target));
    all.push(step::kept(upload, &name, &path, "error"));
    Ok(Map::default()
        .put("name", target.as_str())
        .put("runs-on", runner.as_str())
        .put("timeout-minutes", step::minutes(config))
        .put("environment", config.ci.environment.as_str())
        .put("permissions", step::read_only())
        .put("steps", steps(all)))
}

/// The job that joins the releases of all targets, and signs what they have in common.
fn merge(config: &Config, matrix: &Matrix, toolchains: &Toolchains) -> Map {
    let targets = matrix.include.iter().map(|it| it.target.clone());
    let targets: Vec<String> = targets.collect();
    let mut command = vec![format!(
        "cargo xtask merge {RELEASES} --output {MERGED} --require-release"
    )];
    command.extend(targets.iter().map(|it| format!("--expect {it}")));
    let fetch = Step::named("Fetch all releases", &DOWNLOAD, "")
        .with("pattern", "release-*")
        .with("path", RELEASES)
        .with("merge-multiple", true);
    let join = Step::run("Join them", Yaml::Folded(command));
    let upload = Step::named("Keep the joined release", &UPLOAD, "");
    let mut all = step::start(config, toolchains, &[]);
    all.push(fetch);
    all.extend(step::openpgp(config));
    all.push(join.secrets(&secrets::of_release(config)));
    all.push(step::kept(upload, "merged", MERGED, "error"));
    Map::default()
        .put("name", "merge")
        .put("needs", Yaml::Names(targets))
        .put("runs-on", ANY)
        .put("timeout-minutes", 30)
        .put("environment", config.ci.environment.as_str())
        .put("permissions", step::read_only())
        .put("steps", steps(all))
}

/// The one job that may write to the repository. It has no key.
fn publish(config: &Config, toolchains: &Toolchains) -> Map {
    let fetch = Step::named("Fetch the joined release", &DOWNLOAD, "")
        .with("name", "merged")
        .with("path", MERGED);
    let verify = format!("cargo xtask verify {MERGED} --require-release");
    let release = format!("cargo xtask ci release {MERGED}");
    let mut all = step::start(config, toolchains, &[]);
    all.extend([
        fetch,
        Step::run("Check all of it once more", verify),
        Step::run("Publish", release)
            .because("A draft until every file is there and has the right hash.")
            .env("GH_TOKEN", "${{ github.token }}"),
    ]);
    let write = Yaml::Noted("write".to_owned(), "makes the release".to_owned());
    Map::default()
        .put("name", "publish")
        .put("needs", "merge")
        .put("if", "github.ref_type == 'tag'")
        .put("runs-on", ANY)
        .put("timeout-minutes", 60)
        .maybe("environment", config.ci.publish_environment.as_deref())
        .put("permissions", Map::default().put("contents", write))
        .put("steps", steps(all))
}
