//! The workflow that checks each change. It has no secret, so it may use caches.

use anyhow::Result;

use super::{
    actions::UPLOAD,
    matrix::{ANY, Job, Matrix, ON_ANY},
    step::{self, Cache, Step, on_target, steps, word},
    toolchains::{Toolchains, Wanted, relative},
    yaml::{Map, Yaml},
};
use crate::config::{Check, Config, PackageManager};

/// The target of a job that there is one of for each.
const TARGET: &str = "${{ matrix.target }}";

/// The whole file, without its header.
///
/// # Errors
/// A file outside of the repository; `test-on` names what is not released.
pub(super) fn workflow(
    config: &Config,
    matrix: &Matrix,
    toolchains: &Toolchains,
) -> Result<String> {
    let checks = &config.ci.checks;
    let mut jobs = Map::default();
    if checks.iter().any(|it| *it != Check::Dist) {
        jobs = jobs.put("test", test(config, toolchains)?);
    }
    let tested = matrix.tested(config)?;
    if !tested.is_empty() {
        jobs = jobs.put("unit", unit(config, &tested, toolchains)?);
    }
    if checks.contains(&Check::Dist) {
        jobs = jobs.put("dist", dist(config, matrix, toolchains)?);
    }
    let branches = Yaml::Flow(config.ci.branches.clone());
    let on = Map::default()
        .put("push", Map::default().put("branches", branches))
        .put("pull_request", Map::default());
    let concurrency = Map::default()
        .put("group", "ci-${{ github.ref }}")
        .put("cancel-in-progress", true);
    let file = Map::default()
        .put("name", "ci")
        .put("on", on)
        .explained(
            "Each job names what it needs.",
            "permissions",
            Map::default(),
        )
        .put("concurrency", concurrency)
        .maybe("env", step::toolchain(toolchains))
        .put("jobs", jobs);
    Ok(file.file(&["on", "permissions", "concurrency", "env", "jobs"]))
}

fn test(config: &Config, toolchains: &Toolchains) -> Result<Map> {
    let checks = &config.ci.checks;
    let tests = checks.contains(&Check::Test);
    let mut all = step::start(config, toolchains, &["clippy", "rustfmt"]);
    let mut caches = vec![cargo_cache(config, toolchains, "test")?];
    if tests {
        all.extend(step::languages(config, toolchains, true)?);
        caches.extend(package_cache(config)?);
    }
    all.extend(caches.iter().map(Cache::restore));
    let commands = [
        (
            Check::Generate,
            "See that the workflows are as generated",
            "cargo xtask ci generate --check",
        ),
        (
            Check::Version,
            "See that all places say one version",
            "cargo xtask version",
        ),
        (Check::Test, "Test", "cargo xtask test --setup"),
    ];
    let commands = commands.iter().filter(|it| checks.contains(&it.0));
    for (check, name, line) in commands {
        // The whole app is built, as `dist` does.
        all.extend(step::before(config, ON_ANY).filter(|_| *check == Check::Test));
        all.push(Step::run(name, *line));
    }
    all.extend(caches.iter().map(Cache::save));
    Ok(Map::default()
        .put("name", "test")
        .put("runs-on", ANY)
        .put("timeout-minutes", step::minutes(config))
        .put("permissions", step::read_only())
        .put("steps", steps(all)))
}

/// The unit tests where `cfg` compiles other code.
fn unit(config: &Config, jobs: &[&Job], toolchains: &Toolchains) -> Result<Map> {
    let cache = cargo_cache(config, toolchains, &format!("unit-{TARGET}"))?;
    let mut all = step::start(config, toolchains, &[]);
    all.extend([
        cache.restore(),
        Step::run("Test", "cargo xtask test unit"),
        cache.save(),
    ]);
    let name = format!("unit {TARGET}");
    Ok(on_each(config, &name, jobs.iter().copied()).put("steps", steps(all)))
}

/// An unsigned release for each target.
fn dist(config: &Config, matrix: &Matrix, toolchains: &Toolchains) -> Result<Map> {
    let mut caches = vec![cargo_cache(config, toolchains, TARGET)?];
    caches.extend(package_cache(config)?);
    caches.push(tool_cache(config)?);
    caches.push(state_cache(config, toolchains)?);
    let dir = relative(&config.root, &config.release.dir)?;
    let mut all = step::start(config, toolchains, &[]);
    all.extend(step::languages(config, toolchains, true)?);
    all.extend(caches.iter().map(Cache::restore));
    all.extend(step::take_over(TARGET));
    let target = word(TARGET);
    let make = format!("cargo xtask dist --setup --target {target} --unsigned");
    let verify = format!("cargo xtask verify \"$RELEASES\"/*/{target}");
    all.extend(step::before(config, TARGET));
    all.push(on_target(
        Step::run("Make an unsigned release", make),
        TARGET,
    ));
    all.push(on_target(Step::run("Verify it", verify), TARGET).env("RELEASES", dir.as_str()));
    let upload = Step::named("Keep the release", &UPLOAD, "");
    let path = format!("{dir}/*/{TARGET}");
    all.push(step::kept(
        upload,
        &format!("release-{TARGET}"),
        &path,
        "error",
    ));
    all.extend(step::hand_on(TARGET));
    all.extend(caches.iter().map(Cache::save));
    let name = format!("dist {TARGET}");
    Ok(on_each(config, &name, matrix.include.iter()).put("steps", steps(all)))
}

/// A job for each of these targets, without its steps.
fn on_each<'j>(config: &Config, name: &str, jobs: impl Iterator<Item = &'j Job>) -> Map {
    let row = |it: &Job| {
        let row = Map::default().put("target", it.target.as_str());
        (String::new(), row.put("runner", it.runner.as_str()))
    };
    let include = Map::default().put("include", Yaml::List(jobs.map(row).collect()));
    let strategy = Map::default()
        .put("fail-fast", false)
        .put("matrix", include);
    Map::default()
        .put("name", name)
        .put("strategy", strategy)
        .put("runs-on", "${{ matrix.runner }}")
        .put("timeout-minutes", step::minutes(config))
        .put("permissions", step::read_only())
}

/// What cargo downloaded and built, by lock file and toolchain. Cargo itself knows what of it is old.
fn cargo_cache(config: &Config, toolchains: &Toolchains, job: &str) -> Result<Cache> {
    let own = config.app.dir.join("Cargo.lock").is_file();
    let app = relative(&config.root, &config.app.dir)?;
    let built = match own && !app.is_empty() {
        true => format!("{app}/target"),
        false => "target/release".to_owned(),
    };
    let fixed = [
        "~/.cargo/registry/index",
        "~/.cargo/registry/cache",
        "~/.cargo/git/db",
        "target/debug",
    ];
    let mut paths = fixed.map(str::to_owned).to_vec();
    paths.push(built);
    Ok(Cache {
        name: "what cargo built",
        id: "cargo",
        paths,
        prefix: format!("cargo-{job}-{}", rust(toolchains)),
        of: vec!["**/Cargo.lock".to_owned(), "rust-toolchain*".to_owned()],
    })
}

/// What a package manager downloaded that `setup-node` has no cache for. Folders of other systems are
/// passed over.
fn package_cache(config: &Config) -> Result<Option<Cache>> {
    let Some(web) = &config.frontend else {
        return Ok(None);
    };
    let paths: &[&str] = match web.package_manager {
        PackageManager::Npm | PackageManager::Pnpm => return Ok(None),
        // Of Yarn 1, and of later ones.
        PackageManager::Yarn => &[
            "~/.cache/yarn",
            "~/Library/Caches/Yarn",
            "~/AppData/Local/Yarn",
            "~/.yarn/berry/cache",
        ],
        PackageManager::Bun => &["~/.bun/install/cache"],
    };
    Ok(Some(Cache {
        name: "packages",
        id: "packages",
        paths: paths.iter().map(|&it| it.to_owned()).collect(),
        prefix: "packages-${{ runner.os }}".to_owned(),
        of: vec![relative(&config.root, &web.lock)?],
    }))
}

/// The C compiler's cache and the Python environments of the freezers.
fn tool_cache(config: &Config) -> Result<Cache> {
    let locks = config.sidecars.iter();
    let locks = locks.map(|it| relative(&config.root, &it.lock));
    let mut of = locks.collect::<Result<Vec<_>>>()?;
    of.extend(configuration(config)?);
    Ok(Cache {
        name: "the caches of compilers and freezers",
        id: "tools",
        paths: vec![format!("target/dist/{TARGET}/cache")],
        prefix: format!("tools-{TARGET}"),
        of,
    })
}

/// Finished steps. A step is reused only if all that decides it is the same, so that any earlier state
/// will do; it is worth keeping anew where what takes longest, the sidecars, would be made anew.
fn state_cache(config: &Config, toolchains: &Toolchains) -> Result<Cache> {
    let mut of = vec!["**/Cargo.lock".to_owned()];
    of.extend(configuration(config)?);
    if let Some(web) = &config.frontend {
        of.push(relative(&config.root, &web.lock)?);
    }
    for it in &config.sidecars {
        of.push(relative(&config.root, &it.lock)?);
        of.push(match &*relative(&config.root, &it.dir)? {
            "" => relative(&config.root, &it.entry)?,
            dir => format!("{dir}/**"),
        });
    }
    let python = match &toolchains.python {
        Some(Wanted::Version(version)) => format!("-{}", version.replace(['*', ' '], "_")),
        Some(Wanted::File(file)) => {
            of.push(file.clone());
            String::new()
        }
        None => String::new(),
    };
    let parts = ["inputs", "journal.*", "stages"];
    Ok(Cache {
        name: "finished steps of earlier runs",
        id: "steps",
        paths: parts
            .map(|it| format!("target/dist/{TARGET}/{it}"))
            .to_vec(),
        prefix: format!("steps-{TARGET}-{}{python}", rust(toolchains)),
        of,
    })
}

/// The file that configures all, if there is one.
fn configuration(config: &Config) -> Result<Option<String>> {
    let file = config.file.as_ref();
    file.map(|it| relative(&config.root, it)).transpose()
}

fn rust(toolchains: &Toolchains) -> &str {
    let rust = toolchains.rust.as_ref();
    rust.map_or("pinned", |it| &it.channel)
}
