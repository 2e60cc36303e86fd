//! A release on GitHub: a draft until every file is there with the right bytes, then published in
//! one step. Nobody ever sees a part of it, and each run goes on where the last one stopped.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use semver::Version;

use super::gh::{Asset, Gh, Remote};
use crate::{
    engine::files,
    manifest::{Document, MANIFEST_NAME, Merged},
    verify::{self, Trust},
    version::tag,
};

/// How often what arrived wrong is uploaded again.
const ROUNDS: usize = 3;

/// A release folder, and the tag it is to be published under.
#[derive(Debug)]
pub struct Publication {
    /// The tag, which says the version.
    pub tag: String,
    /// The form of tags, to read those of others.
    form: Option<String>,
    title: String,
    version: Version,
    /// That it was made of.
    commit: String,
    /// By name.
    files: BTreeMap<String, Local>,
}

/// A file of the folder.
#[derive(Debug)]
struct Local {
    path: PathBuf,
    size: u64,
    /// `sha256:` and 64 hexadecimal digits, as GitHub has it.
    digest: String,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is published now. Its page.
    Published(String),
    /// It was published before, with these very files. Its page.
    Already(String),
}

impl Publication {
    /// Reads the release of all targets, and verifies it. Without a tag it is that of the version in the form
    /// `release.tag`.
    ///
    /// # Errors
    /// It is no merged release, it does not verify, the tag is not that of its version, or GitHub would not
    /// keep a file's name.
    pub fn read(dir: &Path, tag: Option<&str>, form: Option<&str>, trust: &Trust) -> Result<Self> {
        let merged = merged(dir)?;
        let version: Version = merged
            .product
            .version
            .parse()
            .with_context(|| format!("{} has no version of a release", dir.display()))?;
        let own = tag::of(&version, form);
        let tag = tag.unwrap_or(&own);
        ensure!(
            tag::says(tag, &version, form),
            "the release is {version}, but the tag is {tag}\n\
             hint: raise the version in a commit, and tag that commit: {own} is the tag of this one"
        );
        let files = local(dir)?;
        let report = verify::verify(dir, trust)?;
        if let Some(row) = report.wrong().next() {
            bail!(
                "{} does not verify: {}: {}: {}, expected {}\n\
                 hint: `cargo xtask verify --require-release {}` shows all that is wrong",
                dir.display(),
                row.file,
                row.check,
                verify::short(&row.actual),
                verify::short(&row.expected),
                dir.display()
            );
        }
        Ok(Self {
            tag: tag.to_owned(),
            form: form.map(str::to_owned),
            title: format!("{} {version}", merged.product.name),
            commit: merged.source.commit,
            version,
            files,
        })
    }

    /// Publishes it. `scratch` is a folder for what must be fetched to be compared.
    ///
    /// # Errors
    /// It is published already, with other files; or GitHub does not do, or keep, what it is asked to.
    /// The draft stays as it is then, and the next run goes on with it.
    pub fn publish(&self, gh: &Gh, scratch: &Path) -> Result<Outcome> {
        let tag = &*self.tag;
        self.refuse_moved(gh)?;
        let remote = match gh.view(tag)? {
            Some(remote) if !remote.is_draft => return self.already(gh, &remote, scratch),
            Some(remote) => remote,
            None => {
                gh.create(tag, &self.title)?;
                self.draft(gh)?
            }
        };
        let remote = self.fill(gh, remote, scratch)?;
        let (prerelease, latest) = (!self.version.pre.is_empty(), self.is_latest(gh)?);
        gh.publish(tag, prerelease, latest)?;
        let seen = gh.view(tag)?.filter(|it| !it.is_draft);
        let Some(seen) = seen else {
            bail!(
                "{tag} is a draft still, though GitHub was told to publish it\n\
                 hint: all files are there: publish it on {}, or run this again",
                remote.url
            );
        };
        Ok(Outcome::Published(seen.url))
    }

    /// The tag is the commit that the release was made of: GitHub offers its sources beside the files.
    fn refuse_moved(&self, gh: &Gh) -> Result<()> {
        let (tag, own) = (&self.tag, &self.commit);
        let Some(there) = gh.commit_of(tag)? else {
            bail!("GitHub does not know the tag {tag}\nhint: git push origin {tag}");
        };
        ensure!(
            there == *own,
            "{tag} is commit {there} on GitHub, but the release was made of {own}\n\
             hint: the tag was moved meanwhile: build and merge what it is now"
        );
        Ok(())
    }

    /// Whether who asks for the newest release gets this one: not while a higher version is it.
    fn is_latest(&self, gh: &Gh) -> Result<bool> {
        if !self.version.pre.is_empty() {
            return Ok(false);
        }
        let there = gh.latest()?;
        let there = there.and_then(|it| tag::version(&it, self.form.as_deref()));
        Ok(there.is_none_or(|it| it <= self.version))
    }

    /// Uploads what is not there or not right, until GitHub has these files and no others.
    fn fill(&self, gh: &Gh, mut remote: Remote, scratch: &Path) -> Result<Remote> {
        let tag = &*self.tag;
        for _ in 0..ROUNDS {
            let difference = self.difference(gh, &remote, scratch)?;
            if difference.is_empty() {
                return Ok(remote);
            }
            let kept = self.files.len() - difference.to_upload().count();
            if kept > 0 {
                gh.note(format!(
                    "{kept} of {} files are in the draft already",
                    self.files.len()
                ));
            }
            for name in &difference.strange {
                gh.note(format!(
                    "{name} is no file of this release: it is taken out of the draft"
                ));
                gh.delete(tag, name)?;
            }
            for name in difference.to_upload() {
                gh.upload(tag, &self.files[name].path)?;
            }
            remote = self.draft(gh)?;
        }
        let difference = self.difference(gh, &remote, scratch)?;
        ensure!(
            difference.is_empty(),
            "GitHub does not have what was uploaded: {}\n\
             hint: the draft stays unpublished; run this again, or look at {}",
            difference.words(),
            remote.url
        );
        Ok(remote)
    }

    /// The draft as it is now.
    fn draft(&self, gh: &Gh) -> Result<Remote> {
        let tag = &self.tag;
        let remote = gh.view(tag)?.with_context(|| {
            format!("the draft of {tag} is gone\nhint: run this again to make a new one")
        })?;
        ensure!(
            remote.is_draft,
            "somebody else published {tag} while its files were uploaded: see {}\n\
             hint: run this again to have it compared with the files that are here",
            remote.url
        );
        Ok(remote)
    }

    /// What is published stays as it is.
    fn already(&self, gh: &Gh, remote: &Remote, scratch: &Path) -> Result<Outcome> {
        let difference = self.difference(gh, remote, scratch)?;
        if difference.is_empty() {
            return Ok(Outcome::Already(remote.url.clone()));
        }
        bail!(
            "{} is published already, with other files: {}\n{}\n\
             hint: what people may have downloaded is not replaced: raise the version, and tag that",
            self.tag,
            difference.words(),
            remote.url
        );
    }

    fn difference(&self, gh: &Gh, remote: &Remote, scratch: &Path) -> Result<Difference> {
        let there: BTreeMap<&str, &Asset> =
            remote.assets.iter().map(|it| (&*it.name, it)).collect();
        let mut found = Difference::default();
        for (name, file) in &self.files {
            match there.get(&**name) {
                None => found.missing.push(name.clone()),
                Some(asset) if self.same(gh, file, asset, scratch)? => {}
                Some(_) => found.other.push(name.clone()),
            }
        }
        let strange = there.keys().filter(|it| !self.files.contains_key(**it));
        found.strange.extend(strange.map(|it| (*it).to_owned()));
        Ok(found)
    }

    /// Whether GitHub has these bytes: as it says itself, or as they come back.
    fn same(&self, gh: &Gh, file: &Local, asset: &Asset, scratch: &Path) -> Result<bool> {
        if asset.state != "uploaded" || asset.size != file.size {
            return Ok(false);
        }
        if let Some(digest) = asset
            .digest
            .as_deref()
            .filter(|it| it.starts_with("sha256:"))
        {
            return Ok(digest == file.digest);
        }
        fs::create_dir_all(scratch)?;
        gh.download(&self.tag, &asset.name, scratch)?;
        let back = scratch.join(&asset.name);
        let digest = digest(&back)?;
        fs::remove_file(back)?;
        Ok(digest == file.digest)
    }
}

/// How a release on GitHub differs from the folder, by the names of files.
#[derive(Default)]
struct Difference {
    missing: Vec<String>,
    other: Vec<String>,
    strange: Vec<String>,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.other.is_empty() && self.strange.is_empty()
    }

    fn to_upload(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().chain(&self.other).map(|it| &**it)
    }

    fn words(&self) -> String {
        let parts = [
            (&self.missing, "missing"),
            (&self.other, "different"),
            (&self.strange, "not of this release"),
        ];
        let parts = parts.iter().filter(|it| !it.0.is_empty());
        let parts: Vec<_> = parts
            .map(|it| format!("{} {}", it.0.join(", "), it.1))
            .collect();
        parts.join("; ")
    }
}

/// The manifest of a release of all targets.
fn merged(dir: &Path) -> Result<Merged> {
    let manifest = dir.join(MANIFEST_NAME);
    let text = fs::read_to_string(&manifest).with_context(|| {
        format!(
            "{} is no release\nhint: `cargo xtask merge` makes one",
            dir.display()
        )
    })?;
    match Document::parse(&text).with_context(|| {
        format!(
            "{} cannot be published\nhint: `cargo xtask merge` makes what can be",
            manifest.display()
        )
    })? {
        Document::Merged(merged) => Ok(*merged),
        Document::Release(one) => bail!(
            "{} is the release of {} alone\n\
             hint: `cargo xtask merge` joins those of all targets: give the folder that it makes",
            dir.display(),
            one.target.name
        ),
    }
}

/// The files of a folder, which may hold no other folder: a release on GitHub has none.
fn local(dir: &Path) -> Result<BTreeMap<String, Local>> {
    let mut all = BTreeMap::new();
    // `gh` starts at the top of the repository.
    for entry in fs::read_dir(std::path::absolute(dir)?)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        ensure!(
            path.is_file(),
            "{} is a folder, and a release on GitHub holds only files\n\
             hint: pack it into an archive",
            path.display()
        );
        // It would be renamed on GitHub, and no address of it would be right any more.
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
        ensure!(
            name.chars().all(plain) && !name.starts_with('.'),
            "GitHub would give `{name}` another name, and links to it would lead nowhere\n\
             hint: names may have letters, digits, `.`, `_`, `-` and `+`: give `name` of `[product]` no others"
        );
        let size = fs::metadata(&path)?.len();
        ensure!(size > 0, "`{name}` is empty, which GitHub does not take");
        let digest = digest(&path)?;
        all.insert(name, Local { path, size, digest });
    }
    Ok(all)
}

fn digest(path: &Path) -> Result<String> {
    Ok(format!("sha256:{}", files::sha256_file(path)?))
}
