//! Whether releases belong together, and what they are together.

use std::collections::{BTreeMap, BTreeSet};

use fs_err as fs;

use super::{Found, LATEST_NAME, Latest, MERGED, Merged, Part, Plan, Problem, Updater, Wanted};
use crate::{
    engine::files::sha256_bytes,
    manifest::{
        Artifact, ArtifactKind, Identity, Manifest, SignatureKind, SignatureRef, Signing, Source,
    },
    target::Target,
    tools::updater::{self, Platform},
};

/// What these releases are together.
///
/// # Errors
/// Everything that keeps them apart; none may be left over from finding them either.
pub fn plan(
    found: &[Found],
    wanted: &Wanted,
    mut problems: Vec<Problem>,
) -> std::result::Result<Plan, Vec<Problem>> {
    let targets = targets(found, &mut problems);
    check_expected(found, wanted, &mut problems);
    check_same(found, &mut problems);
    check_product(found, wanted, &mut problems);
    check_source(found, wanted, &mut problems);
    check_names(found, &mut problems);
    let (updates, gaps) = match updates(found, &targets, wanted, problems.is_empty()) {
        Ok(updates) => (Some(updates), Vec::new()),
        Err(Missing::Allowed(gaps)) => (None, gaps),
        Err(Missing::Refused(more)) => {
            problems.extend(more);
            (None, Vec::new())
        }
    };
    let Some(first) = found.first().filter(|_| problems.is_empty()) else {
        problems.sort();
        problems.dedup();
        return Err(problems);
    };
    let signing = first.manifest.signing.clone();
    let part = |it: &Found| Part::of(it.manifest.clone(), it.manifest_sha256.clone());
    let merged = Merged {
        schema: MERGED.to_owned(),
        product: first.manifest.product.clone(),
        source: source(found, &first.manifest),
        updater: updates.as_ref().map(|it| Updater {
            artifact: described(&it.latest.to_json(), &signing),
            platforms: it.platforms.clone(),
        }),
        targets: found.iter().map(part).collect(),
        gaps,
        signing,
    };
    let latest = updates.map(|it| it.latest);
    Ok(Plan { merged, latest })
}

/// The targets as this program knows them.
fn targets(found: &[Found], problems: &mut Vec<Problem>) -> Vec<Option<Target>> {
    let parse = |it: &Found| {
        let own = &it.manifest.target;
        match own.triple.parse::<Target>() {
            Ok(target) => Some(Target {
                name: own.name.clone(),
                ..target
            }),
            Err(_) => {
                let text = format!("`{}` is no target that this xtask knows", own.triple);
                problems.push(Problem::new(&own.name, "", text));
                None
            }
        }
    };
    found.iter().map(parse).collect()
}

/// Every expected target is there, once, and no other.
fn check_expected(found: &[Found], wanted: &Wanted, problems: &mut Vec<Problem>) {
    if wanted.expect.is_empty() {
        let names: Vec<&str> = found.iter().map(Found::name).collect();
        problems.push(Problem::of_all(format!(
            "which targets a release has is not declared: set `targets` in `[release]` of \
             packaging/dist.toml, or say --expect {}",
            names.join(",")
        )));
        return;
    }
    let declared = wanted.declared;
    let mut left: Vec<&Found> = found.iter().collect();
    let mut taken: Vec<(&String, Option<&Found>)> = Vec::new();
    // Whatever is named exactly is nobody else's: `macos` beside `x86_64-apple-darwin` is the other one.
    for expected in &wanted.expect {
        let at = left.iter().position(|it| is_named(it, expected));
        taken.push((expected, at.map(|at| left.remove(at))));
    }
    for (expected, place) in taken.iter_mut().filter(|it| it.1.is_none()) {
        let at = left.iter().position(|it| is_meant(it, expected, true));
        let at = at.or_else(|| left.iter().position(|it| is_meant(it, expected, false)));
        *place = at.map(|at| left.remove(at));
    }
    for (expected, place) in taken {
        let Some(taken) = place else {
            let text =
                format!("is missing: {declared} has it; give its folder, or take it out of there");
            problems.push(Problem::new(expected, "", text));
            continue;
        };
        let again = |it: &&Found| {
            it.manifest.target.triple == taken.manifest.target.triple || is_named(it, expected)
        };
        for twice in left.iter().filter(|it| again(it)) {
            let text = format!(
                "is there twice: {} and {}",
                taken.folder.display(),
                twice.folder.display()
            );
            problems.push(Problem::new(expected, "", text));
        }
        left.retain(|it| !again(it));
    }
    for extra in left {
        let text = format!(
            "is not expected: {declared} does not have it; leave out {}, or add it there",
            extra.folder.display()
        );
        problems.push(Problem::new(extra.name(), "", text));
    }
}

/// Whether a release was built under this very name, or is for this triple.
fn is_named(found: &Found, expected: &str) -> bool {
    found.name() == expected || found.manifest.target.triple == expected
}

/// Whether a release is what a name without an architecture stands for: whatever was built for that
/// system. With `usual` only what the workflows build under it.
fn is_meant(found: &Found, expected: &str, usual: bool) -> bool {
    let own = &found.manifest.target.triple;
    let friendly = expected.parse().is_ok_and(|it: Target| it.is_friendly());
    let meant = Target::released(expected).ok().filter(|_| friendly);
    meant.is_some_and(|meant| match usual {
        true => meant.triple == *own,
        false => own.parse().is_ok_and(|it: Target| it.os == meant.os),
    })
}

/// What must be the same everywhere, by what it is called and how it reads.
fn facts(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let Manifest {
        product,
        source,
        signing,
        ..
    } = manifest;
    let Signing {
        identity,
        minisign,
        gpg,
    } = signing;
    let none = || "none".to_owned();
    vec![
        ("product", product.name.clone()),
        ("version", product.version.clone()),
        ("identifier", product.identifier.clone()),
        ("commit", source.commit.clone()),
        ("SOURCE_DATE_EPOCH", source.epoch.to_string()),
        ("dirty", source.dirty.to_string()),
        ("identity", identity.as_str().to_owned()),
        (
            "minisign key",
            minisign.as_ref().map_or_else(none, |it| it.key_id.clone()),
        ),
        (
            "public key",
            minisign
                .as_ref()
                .map_or_else(none, |it| it.public_key.clone()),
        ),
        (
            "GPG key",
            gpg.as_ref().map_or_else(none, |it| it.fingerprint.clone()),
        ),
    ]
}

fn check_same(found: &[Found], problems: &mut Vec<Problem>) {
    let tags: BTreeSet<_> = found
        .iter()
        .filter_map(|it| it.manifest.source.tag.as_ref())
        .collect();
    if tags.len() > 1 {
        let tags: Vec<String> = tags.into_iter().cloned().collect();
        let text = format!("the tags differ: {}", tags.join(", "));
        problems.push(Problem::of_all(text));
    }
    let all: Vec<_> = found.iter().map(|it| facts(&it.manifest)).collect();
    let names = all.first().into_iter().flatten().map(|it| it.0);
    let mut keys_differ = false;
    for (at, what) in names.enumerate() {
        // The key itself says no more than its name.
        if what == "public key" && keys_differ {
            continue;
        }
        let mut values: Vec<(&str, Vec<&str>)> = Vec::new();
        for (release, facts) in found.iter().zip(&all) {
            let value = &*facts[at].1;
            match values.iter_mut().find(|it| it.0 == value) {
                Some((_, names)) => names.push(release.name()),
                None => values.push((value, vec![release.name()])),
            }
        }
        if values.len() < 2 {
            continue;
        }
        let each = values
            .iter()
            .map(|(value, names)| format!("{value} ({})", names.join(", ")));
        let mut text = format!("{what} differs: {}", each.collect::<Vec<_>>().join(", "));
        if what == "minisign key" {
            keys_differ = true;
            text += "; export one key on all machines (a development key is made on each)";
        }
        problems.push(Problem::of_all(text));
    }
}

/// The checkout that merges is of the same product.
fn check_product(found: &[Found], wanted: &Wanted, problems: &mut Vec<Problem>) {
    let (version, identifier) = &wanted.product;
    for release in found {
        let product = &release.manifest.product;
        for (what, own, here) in [
            ("version", &product.version, version),
            ("identifier", &product.identifier, identifier),
        ] {
            if own != here {
                let text = format!("{what} {own}, but this checkout says {here}");
                problems.push(Problem::new(release.name(), "", text));
            }
        }
        let own = release.manifest.signing.minisign.as_ref();
        if let (Some(own), Some(key)) = (own, &wanted.updater_key)
            && own.public_key != key.line()
        {
            let text = format!(
                "signed by key {}, but installed apps know {} (plugins.updater.pubkey): they would \
                 refuse the update",
                own.key_id,
                key.key_id()
            );
            problems.push(Problem::new(release.name(), "", text));
        }
    }
}

/// All are of the commit that is checked out: its tag and its notes are this release's. What differs from its commit
/// is only known to be the same on one machine.
fn check_source(found: &[Found], wanted: &Wanted, problems: &mut Vec<Problem>) {
    if let Some(here) = &wanted.commit {
        for release in found.iter().filter(|it| it.manifest.source.commit != *here) {
            let own = &release.manifest.source.commit;
            let text =
                format!("is of commit {own}, but here is {here}: check out the one that was built");
            problems.push(Problem::new(release.name(), "", text));
        }
    }
    for release in found.iter().filter(|it| it.manifest.source.dirty) {
        if !wanted.allow_dirty {
            let text = "was made of a checkout that differs from its commit, so that nobody knows \
                        whether the others are of the same; commit and build again, or say \
                        --allow-dirty";
            problems.push(Problem::new(release.name(), "", text));
        }
    }
}

/// A file of one name is one file, also where upper and lower case are the same.
fn check_names(found: &[Found], problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<String, (&str, &Artifact)> = BTreeMap::new();
    for release in found {
        for artifact in &release.manifest.artifacts {
            let path = &artifact.path;
            if path.eq_ignore_ascii_case(LATEST_NAME) {
                let text = "would be the updater's metadata of one target: build without it";
                problems.push(Problem::new(release.name(), path, text));
            }
            let before = seen.insert(path.to_lowercase(), (release.name(), artifact));
            if let Some((other, before)) = before
                && before != artifact
            {
                let text = format!(
                    "is another file than {} of {other}: two files cannot have one name; give each \
                     its target's name",
                    before.path
                );
                problems.push(Problem::new(release.name(), path, text));
            }
        }
    }
}

/// The updater's metadata, and the file that each of its platforms is updated with.
struct Updates {
    latest: Latest,
    platforms: BTreeMap<String, String>,
}

/// Why there are no updates.
enum Missing {
    /// Nobody looks for them: sentences for the manifest.
    Allowed(Vec<String>),
    /// Whoever has an older version would never hear of this one.
    Refused(Vec<Problem>),
}

/// What installed apps will find. `whole` says that all files are as they should be.
fn updates(
    found: &[Found],
    targets: &[Option<Target>],
    wanted: &Wanted,
    whole: bool,
) -> std::result::Result<Updates, Missing> {
    let Some(first) = found.first().map(|it| &it.manifest) else {
        return Err(Missing::Allowed(Vec::new()));
    };
    if first.signing.identity == Identity::Unsigned {
        let why = format!("{LATEST_NAME}: the updater takes nothing that is unsigned");
        return Err(Missing::Allowed(vec![why]));
    }
    let missing = |texts| Missing::of(texts, wanted);
    let Some(pattern) = &wanted.url else {
        let why =
            "`url` in `[updater]` of packaging/dist.toml does not say where the files will be";
        return Err(missing(vec![why.to_owned()]));
    };
    let parts = found.iter().zip(targets);
    let parts = parts.filter_map(|(it, target)| Some((target.as_ref()?, &*it.manifest.artifacts)));
    let files = updater::platforms(parts).map_err(missing)?;
    let url = |file: &str| updater::url(pattern, &first.product.version, file);
    let latest = Latest {
        version: first.product.version.clone(),
        notes: wanted.notes.clone(),
        pub_date: first.source.committed_at.clone(),
        platforms: signed(found, &files, whole, url).map_err(missing)?,
    };
    let platforms = files;
    Ok(Updates { latest, platforms })
}

impl Missing {
    /// What these reasons mean to those who want the release.
    fn of(texts: Vec<String>, wanted: &Wanted) -> Self {
        let texts = texts.into_iter();
        match wanted.needs_latest {
            true => Self::Refused(texts.map(|it| Problem::new("", LATEST_NAME, it)).collect()),
            false => Self::Allowed(texts.map(|it| format!("{LATEST_NAME}: {it}")).collect()),
        }
    }
}

/// The file that each platform is updated with, by its URL and signature.
///
/// # Errors
/// Sentences about those that have no signature.
fn signed(
    found: &[Found],
    files: &BTreeMap<String, String>,
    whole: bool,
    url: impl Fn(&str) -> String,
) -> std::result::Result<BTreeMap<String, Platform>, Vec<String>> {
    let mut platforms = BTreeMap::new();
    let mut unsigned = Vec::new();
    for (key, file) in files {
        match signature_of(found, file) {
            Some(signature) => {
                let url = url(file);
                platforms.insert(key.clone(), Platform { signature, url });
            }
            // What is damaged was named before.
            None if !whole => {}
            None => unsigned.push(format!("{file} of {key} has no signature for the updater")),
        }
    }
    match unsigned.is_empty() {
        true => Ok(platforms),
        false => Err(unsigned),
    }
}

/// The text of the updater's signature of a file.
fn signature_of(found: &[Found], file: &str) -> Option<String> {
    let of = |release: &Found| {
        let artifacts = &release.manifest.artifacts;
        let artifact = artifacts.iter().find(|it| it.path == file)?;
        let is_updater = |it: &&SignatureRef| it.kind == SignatureKind::TauriUpdater;
        let signature = artifact.signatures.iter().find(is_updater)?;
        fs::read_to_string(release.folder.join(signature.file.as_ref()?)).ok()
    };
    found.iter().find_map(of)
}

/// The updater's metadata as a file of the release.
fn described(text: &str, signing: &Signing) -> Artifact {
    let signature = signing.minisign.as_ref().map(|key| SignatureRef {
        kind: SignatureKind::Minisign,
        file: Some(format!("{LATEST_NAME}.minisig")),
        key_id: key.key_id.clone(),
    });
    Artifact {
        path: LATEST_NAME.to_owned(),
        kind: ArtifactKind::UpdaterMetadata,
        format: "json".to_owned(),
        size: text.len() as u64,
        sha256: sha256_bytes(text),
        signatures: signature.into_iter().collect(),
        contents: Vec::new(),
    }
}

/// What all were made of. A machine with a shallow copy of the history may not know the tag.
fn source(found: &[Found], first: &Manifest) -> Source {
    Source {
        tag: found.iter().find_map(|it| it.manifest.source.tag.clone()),
        ..first.source.clone()
    }
}
