//! Where a repository states its version: found from the configuration, read with the bytes that
//! each of them stands in.

mod cargo;
mod node;
mod python;
mod tauri;

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::{Context as _, Result, bail};
use semver::{Version, VersionReq};
use serde::Serialize;

use super::{
    leaf::{Leaf, Source, Syntax},
    pep440,
};
use crate::config::{self, Config};

/// How a place says the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As it is: `1.2.0-beta.1`.
    Semver,
    /// As Python writes it: `1.2.0b1`.
    Pep440,
    /// What a package of the same workspace wants of another: `=1.2.0`.
    Requirement,
    /// A name and the version, in Cargo.lock: `supervisor 1.2.0`.
    Locked,
}

/// A place that states the version.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The file, relative to the repository, with `/`.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// The key, for people: `workspace.package.version`.
    pub key: String,
    /// What stands there.
    pub text: String,
    /// How it says it.
    pub form: Form,
    /// The file, absolute.
    #[serde(skip)]
    pub path: PathBuf,
    /// The bytes that it stands in.
    #[serde(skip)]
    pub span: Range<usize>,
}

impl Place {
    /// Whether it says this version.
    pub fn says(&self, version: &Version) -> bool {
        match self.form {
            Form::Semver => Version::parse(&self.text).is_ok_and(|it| it == *version),
            Form::Pep440 => pep440::is(&self.text, version),
            Form::Requirement => VersionReq::parse(&self.text).is_ok_and(|it| it.matches(version)),
            Form::Locked => {
                let said = self.text.split_once(' ').map(|it| it.1);
                said == Some(version.to_string().as_str())
            }
        }
    }

    /// What stands there once it says this version.
    ///
    /// # Errors
    /// It cannot be said there.
    pub fn saying(&self, version: &Version) -> Result<String> {
        if self.says(version) {
            return Ok(self.text.clone());
        }
        Ok(match self.form {
            Form::Semver => version.to_string(),
            Form::Pep440 => pep440::of(version)
                .with_context(|| format!("{} cannot say {version}", self.at()))?,
            Form::Requirement => format!("{}{version}", operator(&self.text)),
            Form::Locked => {
                let name = self.text.split(' ').next().unwrap_or_default();
                format!("{name} {version}")
            }
        })
    }

    /// `app/package.json:4`.
    pub fn at(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// What stands before the number of a simple requirement. An upper limit cannot be kept.
fn operator(requirement: &str) -> &str {
    let end = requirement
        .find(|it: char| it.is_ascii_digit())
        .unwrap_or(0);
    let operator = &requirement[..end];
    match operator.trim() {
        "=" | "^" | "~" => operator,
        _ => "",
    }
}

/// Something about a file that states no version by itself.
#[derive(Clone, Debug, Serialize)]
pub struct Remark {
    /// The file, and the line if there is one that says it.
    pub at: String,
    /// What is to be known of it.
    pub text: String,
}

/// All places, and the files that they stand in.
pub struct Found {
    /// What a release has for a version.
    pub version: Version,
    /// In the order in which they matter.
    pub places: Vec<Place>,
    /// What else was looked at.
    pub remarks: Vec<Remark>,
    /// `bundle.windows.wix.version` of the Tauri configuration.
    pub wix_version: Option<String>,
    /// The files, by absolute path.
    pub files: BTreeMap<PathBuf, Rc<Source>>,
}

impl Found {
    /// The places that say another version.
    pub fn others(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|it| !it.says(&self.version))
    }
}

/// Looks for all places.
///
/// # Errors
/// A file cannot be read or is not what its name says, or says a version twice.
pub fn find(config: &Config) -> Result<Found> {
    let mut look = Look {
        config,
        places: Vec::new(),
        remarks: Vec::new(),
        files: BTreeMap::new(),
    };
    if let Some(file) = &config.file {
        look.read(file, Syntax::Toml)?;
        look.place(file, &["product", "version"], Form::Semver, None)?;
    }
    let wix_version = tauri::look(&mut look)?;
    cargo::look(&mut look)?;
    node::look(&mut look)?;
    python::look(&mut look)?;
    Ok(Found {
        version: config.product.version.clone(),
        places: look.places,
        remarks: look.remarks,
        wix_version,
        files: look.files,
    })
}

/// A look in progress.
struct Look<'a> {
    config: &'a Config,
    places: Vec<Place>,
    remarks: Vec<Remark>,
    files: BTreeMap<PathBuf, Rc<Source>>,
}

impl Look<'_> {
    /// Reads a file once.
    fn read(&mut self, file: &Path, syntax: Syntax) -> Result<Rc<Source>> {
        if let Some(source) = self.files.get(file) {
            return Ok(source.clone());
        }
        let text = fs_err::read_to_string(file)?;
        let source = Source::parse(text, syntax)
            .with_context(|| format!("{} cannot be read", self.shown(file)))?;
        let source = Rc::new(source);
        self.files.insert(file.to_owned(), source.clone());
        Ok(source)
    }

    /// Takes note of a version, if these keys lead to one; whether they do. `name` is shown instead
    /// of the keys.
    fn place(
        &mut self,
        file: &Path,
        keys: &[&str],
        form: Form,
        name: Option<String>,
    ) -> Result<bool> {
        let Some(source) = self.files.get(file).cloned() else {
            return Ok(false);
        };
        let mut all = source.strings(keys);
        let Some(leaf) = all.next() else {
            return Ok(false);
        };
        if let Some(second) = all.next() {
            bail!(
                "{} says `{}` twice, in lines {} and {}: which one counts?\nhint: take one of them out",
                self.shown(file),
                keys.join("."),
                source.line(leaf.span.start),
                source.line(second.span.start)
            );
        }
        self.take(file, &source, leaf, form, name);
        Ok(true)
    }

    fn take(
        &mut self,
        file: &Path,
        source: &Source,
        leaf: &Leaf,
        form: Form,
        name: Option<String>,
    ) {
        let known = |it: &Place| it.path == file && it.span == leaf.span;
        if self.places.iter().any(known) {
            return;
        }
        self.places.push(Place {
            file: self.shown(file),
            line: source.line(leaf.span.start),
            key: name.unwrap_or_else(|| dotted(&leaf.keys)),
            text: leaf.text.clone(),
            form,
            path: file.to_owned(),
            span: leaf.span.clone(),
        });
    }

    fn remark(&mut self, file: &Path, line: Option<usize>, text: impl Into<String>) {
        let file = self.shown(file);
        let at = line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
        let text = text.into();
        if !self.remarks.iter().any(|it| it.at == at && it.text == text) {
            self.remarks.push(Remark { at, text });
        }
    }

    fn shown(&self, path: &Path) -> String {
        config::shown(&self.config.root, path)
    }

    /// The folder and those above it, up to the repository.
    fn upward<'p>(&self, from: &'p Path) -> impl Iterator<Item = &'p Path> + use<'p> {
        config::upward(&self.config.root, from)
    }
}

/// Keys as TOML would write them.
fn dotted(keys: &[String]) -> String {
    let bare = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let keys = keys
        .iter()
        .map(|it| match !it.is_empty() && it.chars().all(bare) {
            true => it.clone(),
            false => format!("\"{it}\""),
        });
    keys.collect::<Vec<_>>().join(".")
}

/// One folder relative to another, with `/`, as lock files name the packages of a workspace; none if
/// it is not inside.
fn inside(folder: &Path, of: &Path) -> Option<String> {
    let inner = folder.strip_prefix(of).ok()?;
    Some(inner.to_string_lossy().replace('\\', "/"))
}
