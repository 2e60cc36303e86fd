//! The workflow that checks each change. It has no secret, so it may use caches.

use super::{
    actions::CACHE,
    matrix::{ANY, Matrix},
    step::{self, Steps},
    toolchains::{Toolchains, relative},
};
use crate::config::{Check, Config};

/// What stands above the jobs.
const HEAD: &str = "\
name: ci

on:
  push:
    branches: [main, master]
  pull_request:

# Each job names what it needs.
permissions: {}

concurrency:
  group: ci-${{ github.ref }}
  cancel-in-progress: true

";

/// The whole file, without its header.
pub(super) fn workflow(config: &Config, matrix: &Matrix, toolchains: &Toolchains) -> String {
    let checks = &config.ci.checks;
    let mut jobs = Vec::new();
    if checks.contains(&Check::Test) || checks.contains(&Check::Generate) {
        jobs.push(test(config, toolchains));
    }
    if checks.contains(&Check::Dist) {
        jobs.push(dist(config, matrix, toolchains));
    }
    format!(
        "{HEAD}{}jobs:\n{}",
        step::toolchain(toolchains),
        jobs.join("\n")
    )
}

fn test(config: &Config, toolchains: &Toolchains) -> String {
    let checks = &config.ci.checks;
    let tests = checks.contains(&Check::Test);
    let mut steps = Steps::start(toolchains, " --component clippy,rustfmt");
    if tests {
        steps = steps.languages(config, toolchains, true);
    }
    steps = steps.step(&cargo_cache(config, toolchains, "test"));
    if checks.contains(&Check::Generate) {
        steps = steps.step(
            "name: See that the workflows are as generated\nrun: cargo xtask ci generate --check",
        );
    }
    if tests {
        steps = steps.step("name: Test\nrun: cargo xtask test --setup");
    }
    format!(
        "  test:\n    name: test\n    runs-on: {ANY}\n    timeout-minutes: {}\n    permissions:\n      \
         contents: read\n    steps:\n{}",
        step::minutes(config),
        steps.text()
    )
}

/// An unsigned release for each target.
fn dist(config: &Config, matrix: &Matrix, toolchains: &Toolchains) -> String {
    let target = "${{ matrix.target }}";
    let rows = matrix.include.iter();
    let rows = rows.map(|it| {
        format!(
            "          - target: {}\n            runner: {}\n",
            it.target, it.runner
        )
    });
    let state = ["cache", "inputs", "journal.*", "stages"];
    let state = state
        .map(|it| format!("\n    target/dist/{target}/{it}"))
        .concat();
    let key = format!("dist-{target}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}");
    let with = format!("with:\n  path: |{state}\n  key: {key}");
    let steps = Steps::start(toolchains, "")
        .languages(config, toolchains, true)
        .step(&cargo_cache(config, toolchains, target))
        .explained(
            "Finished steps, the C cache and the Python environments. A step is reused only if all that\n\
             decides it is the same, so that any earlier state will do.",
            &format!(
                "name: Fetch finished steps\nuses: {}\n{with}\n  restore-keys: dist-{target}-",
                CACHE.part("restore")
            ),
        )
        .step(&format!(
            "name: Make an unsigned release\nshell: bash\n\
             run: cargo xtask dist --setup --target \"$TARGET\" --unsigned\n\
             env:\n  TARGET: {target}"
        ))
        .explained(
            "Also after a failure: the next attempt goes on from there.",
            &format!(
                "name: Keep finished steps\nif: ${{{{ !cancelled() }}}}\nuses: {}\n{with}",
                CACHE.part("save")
            ),
        );
    format!(
        "  dist:\n    name: dist {target}\n    strategy:\n      fail-fast: false\n      matrix:\n        \
         include:\n{rows}    runs-on: ${{{{ matrix.runner }}}}\n    timeout-minutes: {minutes}\n    \
         permissions:\n      contents: read\n    steps:\n{steps}",
        rows = rows.collect::<String>(),
        minutes = step::minutes(config),
        steps = steps.text(),
    )
}

/// What cargo downloaded and built, by lock file and toolchain. Cargo itself knows what of it is old.
fn cargo_cache(config: &Config, toolchains: &Toolchains, job: &str) -> String {
    let own = config.app.dir.join("Cargo.lock").is_file();
    let app = relative(&config.root, &config.app.dir).ok();
    let built = match app.filter(|it| own && !it.is_empty()) {
        Some(app) => format!("{app}/target"),
        None => "target/release".to_owned(),
    };
    let rust = toolchains.rust.as_deref().unwrap_or("pinned");
    format!(
        "name: Cache of cargo\nuses: {CACHE}\nwith:\n  path: |\n    \
         ~/.cargo/registry/index\n    ~/.cargo/registry/cache\n    ~/.cargo/git/db\n    \
         target/debug\n    {built}\n  \
         key: cargo-{job}-{rust}-${{{{ hashFiles('**/Cargo.lock', 'rust-toolchain*') }}}}\n  \
         restore-keys: cargo-{job}-{rust}-"
    )
}
