//! The workflow that makes a release: a job for each target, one that joins them, one that publishes.

use super::{
    actions::{DOWNLOAD, UPLOAD},
    matrix::{ANY, Job, Matrix},
    secrets,
    step::{self, Steps},
    toolchains::{Toolchains, relative},
};
use crate::config::Config;

/// Where what the jobs of the targets made comes together.
const RELEASES: &str = "target/releases";
/// The joined release.
const MERGED: &str = "target/merged";
/// Finished steps on their way to the next attempt.
const STATE: &str = "target/state.tar.gz";

/// What stands above the jobs.
const HEAD: &str = "\
name: release

# A tag makes a release. Started by hand on a branch, all is made and checked, and nothing published.
on:
  push:
    tags: [\"v[0-9]*\"]
  workflow_dispatch:

# Each job names what it needs.
permissions: {}

# Two runs for one tag would write the same release; one that is under way is never broken off.
concurrency:
  group: release-${{ github.ref }}
  cancel-in-progress: false

";

/// The whole file, without its header.
pub(super) fn workflow(config: &Config, matrix: &Matrix, toolchains: &Toolchains) -> String {
    let jobs: Vec<String> = matrix
        .include
        .iter()
        .map(|it| target(config, it, toolchains))
        .chain([merge(config, matrix, toolchains), publish(toolchains)])
        .collect();
    format!(
        "{HEAD}{}jobs:\n{}",
        step::toolchain(toolchains),
        jobs.join("\n")
    )
}

/// The job of one target. Nothing in it comes from a cache: a cache can be filled by other
/// workflows, and this job has the keys. What an earlier attempt of the same run finished comes as
/// an artifact, which belongs to the run.
fn target(config: &Config, job: &Job, toolchains: &Toolchains) -> String {
    let Job { target, runner, .. } = job;
    let dir = relative(&config.root, &config.release.dir).unwrap_or_else(|_| "dist".to_owned());
    let again = "if: github.run_attempt > 1";
    let broken = "if: failure() || cancelled()";
    let steps = Steps::start(toolchains, "")
        .languages(config, toolchains, false)
        .explained(
            "What an earlier attempt of this run finished. No cache: others can write into those, and\n\
             this job has the keys.",
            &format!(
                "name: Fetch finished steps\n{again}\nuses: {DOWNLOAD}\nwith:\n  \
                 pattern: state-{target}\n  path: target\n  merge-multiple: true"
            ),
        )
        .step(&format!(
            "name: Take over finished steps\n{again}\n\
             run: cargo xtask state import --target {target} --if-exists {STATE}"
        ))
        .step(&format!(
            "name: Make the release\nrun: cargo xtask dist --setup --target {target} --release\n{}",
            step::secrets(&secrets::of_job(config, job))
        ))
        .step(&format!(
            "name: Pack finished steps\n{broken}\n\
             run: cargo xtask state export --target {target} {STATE}"
        ))
        .step(&format!(
            "name: Keep finished steps\n{broken}\nuses: {UPLOAD}\nwith:\n  name: state-{target}\n  \
             path: {STATE}\n  if-no-files-found: ignore\n  overwrite: true\n  compression-level: 0\n  \
             retention-days: 5"
        ))
        .step(&format!(
            "name: Keep the release\nuses: {UPLOAD}\nwith:\n  name: release-{target}\n  \
             path: {dir}/*/{target}\n  if-no-files-found: error\n  overwrite: true\n  \
             compression-level: 0\n  retention-days: 5"
        ));
    format!(
        "  {target}:\n    name: {target}\n    runs-on: {runner}\n    timeout-minutes: {minutes}\n    \
         environment: {environment}\n    permissions:\n      contents: read\n    steps:\n{steps}",
        minutes = step::minutes(config),
        environment = config.ci.environment,
        steps = steps.text(),
    )
}

/// The job that joins the releases of all targets, and signs what they have in common.
fn merge(config: &Config, matrix: &Matrix, toolchains: &Toolchains) -> String {
    let targets: Vec<&str> = matrix.include.iter().map(|it| &*it.target).collect();
    let expected: Vec<String> = targets
        .iter()
        .map(|it| format!("\n  --expect {it}"))
        .collect();
    let steps = Steps::start(toolchains, "")
        .step(&format!(
            "name: Fetch all releases\nuses: {DOWNLOAD}\nwith:\n  pattern: release-*\n  \
             path: {RELEASES}\n  merge-multiple: true"
        ))
        .step(&format!(
            "name: Join them\nrun: >-\n  \
             cargo xtask merge {RELEASES} --output {MERGED} --require-release{}\n{}",
            expected.concat(),
            step::secrets(&secrets::of_release(config))
        ))
        .step(&format!(
            "name: Keep the joined release\nuses: {UPLOAD}\nwith:\n  name: merged\n  \
             path: {MERGED}\n  if-no-files-found: error\n  overwrite: true\n  \
             compression-level: 0\n  retention-days: 5"
        ));
    format!(
        "  merge:\n    name: merge\n    needs:\n{needs}    runs-on: {ANY}\n    timeout-minutes: 30\n    \
         environment: {environment}\n    permissions:\n      contents: read\n    steps:\n{steps}",
        needs = targets
            .iter()
            .map(|it| format!("      - {it}\n"))
            .collect::<String>(),
        environment = config.ci.environment,
        steps = steps.text(),
    )
}

/// The one job that may write to the repository. It has no key.
fn publish(toolchains: &Toolchains) -> String {
    let steps = Steps::start(toolchains, "")
        .step(&format!(
            "name: Fetch the joined release\nuses: {DOWNLOAD}\nwith:\n  name: merged\n  path: {MERGED}"
        ))
        .step(&format!(
            "name: Check all of it once more\nrun: cargo xtask verify {MERGED} --require-release"
        ))
        .explained(
            "A draft until every file is there and has the right hash.",
            &format!(
                "name: Publish\n\
                 run: cargo xtask ci publish {MERGED} # zizmor: ignore[use-trusted-publishing] no crate\n\
                 env:\n  GH_TOKEN: ${{{{ github.token }}}}"
            ),
        );
    format!(
        "  publish:\n    name: publish\n    needs: merge\n    if: startsWith(github.ref, 'refs/tags/v')\n    \
         runs-on: {ANY}\n    timeout-minutes: 60\n    permissions:\n      \
         contents: write # makes the release\n    steps:\n{}",
        steps.text()
    )
}
