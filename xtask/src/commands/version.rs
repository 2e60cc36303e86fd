//! `version`: shows the one version, or writes another into all places.

use std::{io::Write as _, process::ExitCode};

use anyhow::{Result, bail, ensure};
use semver::Version;
use serde::Serialize;

use super::{World, print, print_json};
use crate::{
    changes::Change,
    cli::{VersionCommand, Writing},
    report,
    tools::git,
    version::{
        bump, change, pending,
        places::{self, Found, Place, Remark},
        tag::{self, Tags},
    },
};

pub(super) fn version(world: &World, command: Option<&VersionCommand>) -> Result<ExitCode> {
    for file in pending::put_back(&world.root)? {
        warn(&[format!(
            "{file} is put back as it was: `version set` was killed before it had written all files"
        )]);
    }
    let found = places::find(&world.config()?)?;
    match command {
        None => show(world, &found),
        Some(VersionCommand::Set(options)) => set(world, &found, &options.to, options.writing),
        Some(VersionCommand::Bump(options)) => {
            agreed(&found)?;
            let next = bump::bump(&found.version, options.part, options.pre_id.as_deref())?;
            set(world, &found, &next, options.writing)
        }
    }
}

/// Refuses to build from a tag that says another version.
pub(super) fn refuse_other_tag(world: &World) -> Result<()> {
    let config = world.config()?;
    let tags = Tags::new(git::tags(&config.root, &world.probes())?);
    tag::check(
        &config.product.version,
        config.release.tag.as_deref(),
        &tags,
    )
}

/// What is to be said of places that say another version, when something is built from a tag of the
/// version. Elsewhere nobody is to be bothered, nor to wait for it.
///
/// # Errors
/// It is a release: installed apps would be told one version, and say another.
pub(super) fn disagreement(world: &World, release: bool) -> Result<Option<String>> {
    let config = world.config()?;
    let tags = Tags::new(git::tags(&config.root, &world.probes())?);
    if !tag::is_released(
        &config.product.version,
        config.release.tag.as_deref(),
        &tags,
    ) {
        return Ok(None);
    }
    let outcome = places::find(&config).and_then(|it| agreed(&it));
    if release {
        outcome?;
        return Ok(None);
    }
    Ok(outcome.err().map(|it| {
        let text = format!("{it:#}").replace("\nhint: ", "; ");
        format!("{text}; `cargo xtask version` shows all")
    }))
}

/// What `version --format json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    version: String,
    /// Whether all places say it.
    agrees: bool,
    places: Vec<Said<'a>>,
    remarks: &'a [Remark],
    warnings: &'a [String],
}

/// A place, and whether it says the version.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    place: &'a Place,
    agrees: bool,
}

fn show(world: &World, found: &Found) -> Result<ExitCode> {
    let warning = bump::msi_problem(
        &world.config()?,
        &found.version,
        found.wix_version.as_deref(),
    );
    let warnings: Vec<String> = warning.into_iter().collect();
    let others = found.others().count();
    if world.is_json() {
        let said = |place| {
            let place: &Place = place;
            let agrees = place.says(&found.version);
            Said { place, agrees }
        };
        print_json(&Shown {
            version: found.version.to_string(),
            agrees: others == 0,
            places: found.places.iter().map(said).collect(),
            remarks: &found.remarks,
            warnings: &warnings,
        })?;
    } else {
        print(&format!("{}\n{}", found.version, table(found)))?;
        warn(&warnings);
    }
    agreed(found)?;
    Ok(ExitCode::SUCCESS)
}

/// Every place says the version.
fn agreed(found: &Found) -> Result<()> {
    let version = &found.version;
    let others: Vec<&Place> = found.others().collect();
    let Some(first) = others.first() else {
        return Ok(());
    };
    let (count, all) = (others.len(), found.places.len());
    let says = if count == 1 { "says" } else { "say" };
    bail!(
        "{count} of {all} places {says} another version than {version}, which a release would have: {} has \
         {}\n\
         hint: write one everywhere: `cargo xtask version set {version}`",
        first.at(),
        first.text
    );
}

/// A row for each place, and for each file that states none.
fn table(found: &Found) -> String {
    let place = |it: &Place| {
        let text = match it.says(&found.version) {
            true => it.text.clone(),
            false => format!("{}, not {}", it.text, found.version),
        };
        vec![it.at(), text, it.key.clone()]
    };
    let mut rows: Vec<Vec<String>> = found.places.iter().map(place).collect();
    let remarks = found.remarks.iter();
    rows.extend(remarks.map(|it| vec![it.at.clone(), "-".into(), it.text.clone()]));
    report::table(&["place", "version", "key"], &rows)
}

/// What a person reads beside the result: a difference on stdout may go to `git apply`.
fn warn(warnings: &[String]) {
    for it in warnings {
        let line = format!("warning: {it}\n");
        anstream::stderr().write_all(line.as_bytes()).ok();
    }
}

/// What `version set --format json` and `version bump --format json` print.
#[derive(Serialize)]
struct Set<'a> {
    from: String,
    version: String,
    /// Whether anything was written.
    written: bool,
    /// What changes, relative to the repository.
    files: Vec<&'a str>,
    /// The same as `git apply` takes it.
    diff: String,
    warnings: &'a [String],
}

fn set(world: &World, found: &Found, to: &Version, writing: Writing) -> Result<ExitCode> {
    ensure!(
        !found.places.is_empty(),
        "no file states a version\n\
         hint: give {} a `version`",
        found
            .remarks
            .first()
            .map_or("the Tauri configuration", |it| it.at.as_str())
    );
    let changes = change::changes(found, to)?;
    let warning = bump::msi_problem(&world.config()?, to, found.wix_version.as_deref());
    let warnings: Vec<String> = warning.into_iter().collect();
    if !writing.dry_run {
        pending::write_all(&world.root, &changes)?;
    }
    let written = !writing.dry_run && !changes.is_empty();
    if world.is_json() {
        return print_json(&Set {
            from: found.version.to_string(),
            version: to.to_string(),
            written,
            files: changes.iter().map(|it| it.file.as_str()).collect(),
            diff: changes.iter().map(Change::diff).collect::<String>(),
            warnings: &warnings,
        });
    }
    let code = print(&told(world, found, to, &changes, writing)?)?;
    warn(&warnings);
    Ok(code)
}

/// What a person reads: what was written and what comes next; or the difference.
fn told(
    world: &World,
    found: &Found,
    to: &Version,
    changes: &[Change],
    writing: Writing,
) -> Result<String> {
    if changes.is_empty() {
        return Ok(format!(
            "all {} places say {to} already\n",
            found.places.len()
        ));
    }
    if writing.dry_run {
        return Ok(changes.iter().map(Change::diff).collect());
    }
    let mut rows = Vec::new();
    for place in &found.places {
        let new = place.saying(to)?;
        if new != place.text {
            rows.push(vec![place.at(), place.text.clone(), new]);
        }
    }
    let tag = tag::of(to, world.config()?.release.tag.as_deref());
    Ok(format!(
        "{} -> {to}\n{}next: git commit --all --message \"Version {to}\" && git tag {tag}\n",
        found.version,
        report::table(&["place", "was", "is"], &rows)
    ))
}
