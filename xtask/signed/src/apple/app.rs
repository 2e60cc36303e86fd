//! Application bundles and frameworks: folders whose `_CodeSignature/CodeResources` lists the hash
//! of every file, and is itself sealed by the signature of the main executable (Apple's Technical
//! Note 2206).

use std::{
    collections::BTreeSet,
    fs::Metadata,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use fs_err as fs;
use plist::{Dictionary, Value};
use ring::digest::{self, digest};

use super::{Inspected, Seals, macho};
use crate::{Format, Signed, Trust};

/// What the signatures in a bundle say: its own first, then those of the code inside.
pub struct Bundle {
    /// The bundle's own; everything that is not as it was sealed is among its problems.
    pub own: Signed,
    /// Of the code inside: its path in the bundle, and what its signature says.
    pub nested: Vec<(String, Signed)>,
}

/// Where the parts of a bundle lie: an application has them in `Contents`, a framework in
/// `Versions/<current>`.
struct Place {
    /// Sealed paths are relative to this folder.
    base: PathBuf,
    executable: PathBuf,
    info: Vec<u8>,
    info_file: PathBuf,
}

/// What the signatures in an application or framework say.
///
/// # Errors
/// When it is no bundle, or is not signed.
pub fn inspect(path: &Path, trust: &Trust) -> Result<Bundle> {
    let place = Place::find(path)?;
    let (own, resources) = main(&place, trust)?;
    let mut bundle = Bundle {
        own: own.signed,
        nested: Vec::new(),
    };
    bundle.own.format = Format::App;
    bundle.own.problems.extend(unsealed_root(path)?);
    let parsed =
        Value::from_reader_xml(&*resources).context("CodeResources is no property list")?;
    let files = parsed.as_dictionary().and_then(|it| it.get("files2"));
    let files = files.and_then(Value::as_dictionary);
    let files = files.context("CodeResources lists no files")?;
    let mut unsealed = everything(&place)?;
    for (path, rule) in files {
        let optional = rule
            .as_dictionary()
            .and_then(|it| it.get("optional"))
            .is_some();
        let was_there = take(&mut unsealed, path);
        match check(&place.base, path, rule, trust) {
            Ok(found) => bundle
                .nested
                .extend(found.into_iter().map(|it| (path.clone(), it))),
            Err(_) if optional && !was_there => {}
            Err(error) => bundle.own.problems.push(format!("{path}: {error:#}")),
        }
    }
    for path in unsealed {
        bundle
            .own
            .problems
            .push(format!("{path}: was not there when it was signed"));
    }
    Ok(bundle)
}

/// The main executable's signature, and the list of files that it seals.
fn main(place: &Place, trust: &Trust) -> Result<(Inspected, Vec<u8>)> {
    let code = fs::read(&place.executable)?;
    let resources = fs::read(place.base.join("_CodeSignature/CodeResources"))?;
    let ticket = fs::read(place.base.join("CodeResources")).ok();
    let seals = Seals {
        info: Some(&place.info),
        embedded: None,
        resources: Some(&resources),
        ticket: ticket.as_deref(),
        trailer: None,
    };
    let all = macho::inspect(&code, seals, trust)?;
    let mut all = all.into_iter();
    let mut own = all.next().context("no code in the main executable")?;
    for other in all {
        own.signed.problems.extend(other.signed.problems);
    }
    Ok((own, resources))
}

impl Place {
    fn find(bundle: &Path) -> Result<Self> {
        let contents = bundle.join("Contents");
        let (base, info, programs) = if contents.is_dir() {
            (
                contents.clone(),
                contents.join("Info.plist"),
                contents.join("MacOS"),
            )
        } else {
            let current = fs::canonicalize(bundle.join("Versions/Current"))
                .with_context(|| format!("{} is no bundle", bundle.display()))?;
            (
                current.clone(),
                current.join("Resources/Info.plist"),
                current,
            )
        };
        let info_file = info;
        let info = fs::read(&info_file)?;
        let parsed = Value::from_reader(std::io::Cursor::new(&info));
        let parsed = parsed.context("Info.plist is no property list")?;
        let name = parsed
            .as_dictionary()
            .and_then(|it| it.get("CFBundleExecutable"));
        let name = name.and_then(Value::as_string);
        let name = name.context("Info.plist names no CFBundleExecutable")?;
        Ok(Self {
            executable: programs.join(name),
            base,
            info,
            info_file,
        })
    }
}

/// What lies at the top of a bundle, or among its versions, where no list of hashes reaches. An
/// application has `Contents` there; a framework `Versions/<version>`, the link `Versions/Current` to
/// it, and links into that.
fn unsealed_root(bundle: &Path) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut look = |folder: &str, is_right: &dyn Fn(&Path, &str) -> bool| -> Result<()> {
        for entry in fs::read_dir(bundle.join(folder))? {
            let path = entry?.path();
            let name = relative(&bundle.join(folder), &path);
            // Finder's notes: codesign overlooks them, too.
            let is_note = name == ".DS_Store" && is_plain(&path, Metadata::is_file);
            if !is_note && !is_right(&path, &name) {
                let name = relative(bundle, &path);
                wrong.push(format!("{name}: is covered by no signature"));
            }
        }
        Ok(())
    };
    let is_folder = |path: &Path| is_plain(path, Metadata::is_dir);
    if bundle.join("Contents").is_dir() {
        look("", &|path, name| name == "Contents" && is_folder(path))?;
        return Ok(wrong);
    }
    let current = fs::read_link(bundle.join("Versions/Current")).ok();
    let current = current.as_deref().and_then(Path::to_str);
    look("", &|path, name| {
        name == "Versions" && is_folder(path) || leads_into_current(path)
    })?;
    look("Versions", &|path, name| match name {
        "Current" => current.is_some_and(is_name),
        _ => Some(name) == current && is_folder(path),
    })?;
    Ok(wrong)
}

/// Whether the path itself, not what it may be a link to, is of this kind.
fn is_plain(path: &Path, kind: impl Fn(&Metadata) -> bool) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| kind(&it))
}

/// Whether this leads to no other folder.
fn is_name(target: &str) -> bool {
    let mut parts = Path::new(target).components();
    matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    )
}

fn leads_into_current(path: &Path) -> bool {
    let Ok(target) = fs::read_link(path) else {
        return false;
    };
    let inside = target.strip_prefix("Versions/Current");
    inside.is_ok_and(|it| it.components().all(|it| matches!(it, Component::Normal(_))))
}

/// All files and links that have to be sealed, relative to the base. What macOS seals elsewhere or
/// not at all is left out: the main executable, `Info.plist`, the signature and the ticket.
fn everything(place: &Place) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![place.base.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            let name = relative(&place.base, &path);
            if kind.is_dir() {
                if name != "_CodeSignature" {
                    folders.push(path);
                }
            } else if ![&place.executable, &place.info_file].contains(&&path) && !is_exempt(&name) {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

fn is_exempt(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    matches!(name, "PkgInfo" | "CodeResources")
        || last == ".DS_Store"
        || name.ends_with(".lproj/locversion.plist")
}

fn relative(base: &Path, path: &Path) -> String {
    let path = path.strip_prefix(base).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

/// Takes a sealed path off, and all below it if it is a bundle of its own.
fn take(unsealed: &mut BTreeSet<String>, path: &str) -> bool {
    let below = format!("{path}/");
    let before = unsealed.len();
    unsealed.retain(|it| it != path && !it.starts_with(&below));
    before != unsealed.len()
}

/// Fails unless the file is what its rule says. Returns the signatures of code.
fn check(base: &Path, path: &str, rule: &Value, trust: &Trust) -> Result<Vec<Signed>> {
    let file = base.join(path);
    let kind = std::fs::symlink_metadata(&file).map_err(|_| anyhow!("is missing"))?;
    let rule = rule.as_dictionary().context("sealed by SHA-1 alone")?;
    if let Some(target) = rule.get("symlink").and_then(Value::as_string) {
        let actual = fs::read_link(&file).context("is no symbolic link")?;
        ensure!(
            actual == Path::new(target),
            "is a link to {}, not to {target}",
            actual.display()
        );
        return Ok(Vec::new());
    }
    ensure!(!kind.is_symlink(), "is a symbolic link");
    if let Some(expected) = bytes(rule, "hash2") {
        let actual = digest(&digest::SHA256, &fs::read(&file)?);
        ensure!(
            actual.as_ref() == expected,
            "is not the file that was signed"
        );
        return Ok(Vec::new());
    }
    let expected = bytes(rule, "cdhash").context("is sealed in an unknown way")?;
    nested(&file, expected, trust)
}

fn bytes<'a>(rule: &'a Dictionary, key: &str) -> Option<&'a [u8]> {
    rule.get(key).and_then(Value::as_data)
}

/// Code inside of a bundle: a file, or a bundle itself.
fn nested(path: &Path, expected: &[u8], trust: &Trust) -> Result<Vec<Signed>> {
    let (found, rest) = if path.is_dir() {
        let place = Place::find(path)?;
        let inner = inspect(path, trust)?;
        let (own, _) = main(&place, trust)?;
        (vec![(own.cdhash, inner.own)], inner.nested)
    } else {
        let all = macho::inspect(&fs::read(path)?, Seals::default(), trust)?;
        let all = all.into_iter().map(|it| (it.cdhash, it.signed)).collect();
        (all, Vec::new())
    };
    ensure!(
        found.iter().any(|(cdhash, _)| cdhash == expected),
        "is not the code that was signed"
    );
    let own = found.into_iter().map(|(_, it)| it);
    Ok(own.chain(rest.into_iter().map(|(_, it)| it)).collect())
}
