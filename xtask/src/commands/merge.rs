//! `merge`: joins the releases of several machines into one.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::{World, print, print_json};
use crate::{
    ci,
    cli::Merge,
    config::Config,
    engine::{lock::Lock, secret::Redactor},
    manifest::{Identity, Merged, Signing},
    merge::{self, COLUMNS, Outcome, Plan, Problem, Wanted},
    release::{Release, SigningWish},
    report,
    sign::secrets::Secrets,
    target::Target,
    tools::{
        git,
        minisign::{DEVELOPMENT_KEY, PublicKey},
        updater,
    },
    verify::Report,
    version::tag::{self, Tags},
};

/// The outcome, for a program.
#[derive(Serialize)]
struct Told<'a> {
    outcome: Word,
    folder: &'a Path,
    problems: &'a [Problem],
    /// The manifest that was written, and how all of it was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<&'a Merged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<&'a Report>,
}

/// How it ended, in one word.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Merged,
    UpToDate,
    Refused,
}

pub(super) fn merge(world: &World, options: &Merge) -> Result<ExitCode> {
    let config = world.config()?;
    let wanted = wanted(world, &config, options)?;
    let output = match &options.output {
        Some(folder) => std::path::absolute(folder)?,
        None => config.release.dir.join(&wanted.product.0).join("merged"),
    };
    // A `dist` replaces its release as a whole; between two files of it would be the wrong moment.
    let _turn = Lock::take(&world.root.join("target/dist"), "cargo xtask merge")?;
    let (found, problems) = merge::find(&options.releases, &output, &wanted.trust)?;
    let plan = match merge::plan(&found, &wanted, problems) {
        Ok(plan) => plan,
        Err(problems) => return refuse(world, &output, &problems),
    };
    let release = release(world, config, &plan)?;
    let target = &plan.merged.targets[0].target;
    let state = world.root.join("target/dist").join(&target.name);
    let withheld = Release::withheld(&release.config);
    let hands = world.loose(&state, &world.events(), withheld);
    let outcome = merge::write(&plan, &found, &release, &wanted, &hands, &output)?;
    tell(world, &plan.merged, &outcome, &output)
}

fn wanted(world: &World, config: &Config, options: &Merge) -> Result<Wanted> {
    let (expect, declared) = match &*options.expect {
        [] => (config.release.targets.clone(), "`release.targets`"),
        given => (given.to_vec(), "--expect"),
    };
    for target in &expect {
        target
            .parse::<Target>()
            .with_context(|| declared.to_owned())?;
    }
    let updater_key = config.tauri.updater_pubkey.as_deref();
    let updater_key = updater_key
        .map(PublicKey::parse)
        .transpose()
        .context("plugins.updater.pubkey of the Tauri configuration")?;
    let mut trust = super::verify::trust(Some(config), &options.trust)?;
    ensure!(
        !options.trust.require_release || !trust.public_keys.is_empty(),
        "--require-release wants a key that is known besides the releases: --key, `public-key` in \
         [sign.minisign], or `plugins.updater.pubkey`\nhint: {}",
        ci::KEY_HINT
    );
    // The key that signs the whole is held against theirs.
    trust.self_attested = true;
    let product = &config.product;
    Ok(Wanted {
        expect,
        declared,
        product: (product.version.to_string(), product.identifier.clone()),
        allow_dirty: options.allow_dirty,
        commit: git::head(&world.root, &world.probes())?.id,
        needs_latest: updater_key.is_some() || config.updater.url.is_some(),
        url: config.updater.url.clone().or_else(|| github_url(config)),
        updater_key,
        notes: notes(config, options)?,
        trust,
    })
}

/// Where GitHub keeps the files of a release, for a workflow of a repository there; the variables:
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>.
fn github_url(config: &Config) -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    let (server, repository) = (
        variable("GITHUB_SERVER_URL")?,
        variable("GITHUB_REPOSITORY")?,
    );
    let (version, form) = (&config.product.version, config.release.tag.as_deref());
    let tag = tag::chosen(version, form, &Tags::new(Vec::new()));
    let tag = tag.unwrap_or_else(|| tag::of(version, form));
    let tag = updater::escaped(&tag);
    Some(format!(
        "{server}/{repository}/releases/download/{tag}/{{file}}"
    ))
}

/// What is new: of the command line, else of the file that the configuration names.
fn notes(config: &Config, options: &Merge) -> Result<Option<String>> {
    let Some(file) = options.notes.as_ref().or(config.updater.notes.as_ref()) else {
        return Ok(None);
    };
    let file = file.to_string_lossy();
    let file = file.replace(tag::VERSION, &config.product.version.to_string());
    let text = fs_err::read_to_string(&file).context(
        "what is new cannot be read\n\
         hint: write it, or take `notes` out of `[updater]` of packaging/dist.toml",
    )?;
    Ok(Some(text.replace("\r\n", "\n").trim().to_owned()))
}

/// What signs the whole: the key that signed its parts, and no other.
fn release(world: &World, config: Config, plan: &Plan) -> Result<Release> {
    let signing = &plan.merged.signing;
    let part = &plan.merged.targets[0].target;
    let mut target: Target = part.triple.parse()?;
    target.name.clone_from(&part.name);
    let state = world.state(&target);
    let wish = wish(&config, signing, &state)?;
    let (probes, redactor) = (world.probes(), Redactor::default());
    let probes = probes.withhold(Release::withheld(&config));
    let mut release = Release::new(config, target, wish, &state, &probes, &redactor)?;
    let own = release.signer.as_ref().map(|it| it.public_key());
    if let (Some(own), Some(theirs)) = (own, &signing.minisign) {
        ensure!(
            own.line() == theirs.public_key,
            "the releases are signed by key {}, but what signs here is {}: one release has one key\n\
             hint: export the same key as on the machines that built them",
            theirs.key_id,
            own.key_id()
        );
    }
    release.epoch = plan.merged.source.epoch;
    Ok(release)
}

fn wish(config: &Config, signing: &Signing, state: &Path) -> Result<SigningWish> {
    let names = &config.sign.minisign;
    let id = signing.minisign.as_ref().map_or("", |it| &it.key_id);
    let is_set = Secrets::new(Redactor::default())
        .key(&names.key_env)?
        .is_some();
    match signing.identity {
        Identity::Unsigned => Ok(SigningWish::Unsigned),
        Identity::Release => {
            ensure!(
                is_set,
                "the key {id} signed the releases, and must sign what they are together, but {} is \
                 not set\n\
                 hint: export it, as on the machines that built them",
                names.key_env
            );
            Ok(SigningWish::Release)
        }
        Identity::Development => {
            ensure!(
                is_set || state.join("identity").join(DEVELOPMENT_KEY).is_file(),
                "the development key {id} signed the releases, and is on another machine\n\
                 hint: for a trial export one key as {} on all machines, or build with --unsigned",
                names.key_env
            );
            Ok(SigningWish::Any)
        }
    }
}

fn refuse(world: &World, output: &Path, problems: &[Problem]) -> Result<ExitCode> {
    if world.is_json() {
        let told = Told {
            outcome: Word::Refused,
            folder: output,
            problems,
            merged: None,
            verified: None,
        };
        print_json(&told)?;
    } else {
        let rows: Vec<_> = problems.iter().map(Problem::cells).collect();
        let many = match problems.len() {
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        let table = report::table(&COLUMNS, &rows);
        print(&format!("{table}NOT merged: {many}\n"))?;
    }
    Ok(ExitCode::FAILURE)
}

fn tell(world: &World, merged: &Merged, outcome: &Outcome, output: &Path) -> Result<ExitCode> {
    let (word, shown, verified) = match outcome {
        Outcome::Merged(report) => (Word::Merged, "merged", report),
        Outcome::UpToDate(report) => (Word::UpToDate, "up to date", report),
    };
    if world.is_json() {
        let told = Told {
            outcome: word,
            folder: output,
            problems: &[],
            merged: Some(merged),
            verified: Some(verified),
        };
        return print_json(&told);
    }
    let row = |it: &crate::manifest::Part| {
        let files: Vec<&str> = it.artifacts.iter().map(|it| &*it.path).collect();
        vec![
            it.target.name.clone(),
            it.target.triple.clone(),
            files.join(", "),
        ]
    };
    let rows: Vec<_> = merged.targets.iter().map(row).collect();
    let mut text = format!("{shown}: {}\n", output.display());
    text += &report::table(&["target", "triple", "files"], &rows);
    if let Some(updater) = &merged.updater {
        let row = |(key, file): (&String, &String)| vec![key.clone(), file.clone()];
        let rows: Vec<_> = updater.platforms.iter().map(row).collect();
        text += "\n";
        text += &report::table(&["platform", "is updated with"], &rows);
    }
    let notes = verified.notes.iter();
    text.extend(notes.map(|it| format!("note: {it}\n")));
    let shown: PathBuf = output.strip_prefix(&world.root).unwrap_or(output).into();
    text += &format!("{}\n", verified.summary());
    text += &format!("next: cargo xtask verify {}\n", shown.display());
    print(&text)
}
