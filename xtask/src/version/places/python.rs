//! `pyproject.toml` of each sidecar, the file that a `dynamic` version is read from, and `uv.lock`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Form, Look};
use crate::{
    config::plain,
    version::leaf::{Source, Syntax},
};

pub(super) fn look(look: &mut Look<'_>) -> Result<()> {
    let dirs: Vec<PathBuf> = look
        .config
        .sidecars
        .iter()
        .map(|it| it.dir.clone())
        .collect();
    for dir in dirs {
        let file = dir.join("pyproject.toml");
        if file.is_file() {
            project(look, &dir, &file)?;
        }
    }
    Ok(())
}

fn project(look: &mut Look<'_>, dir: &Path, file: &Path) -> Result<()> {
    let source = look.read(file, Syntax::Toml)?;
    let mut stated = look.place(file, &["project", "version"], Form::Pep440, None)?;
    let computed = ["tool", "poetry-dynamic-versioning", "enable"];
    if source.text_of(&computed) == Some("true") {
        let text = "dynamic: poetry-dynamic-versioning computes it";
        look.remark(file, None, text);
        stated = true;
    } else {
        stated |= look.place(file, &["tool", "poetry", "version"], Form::Pep440, None)?;
    }
    let dynamic = source
        .under(&["project", "dynamic"])
        .find(|it| it.text == "version");
    if let Some(leaf) = dynamic {
        let line = source.line(leaf.span.start);
        let text = match origin(look, dir, &source)? {
            Some(file) => format!("dynamic: taken from {file}"),
            None => "dynamic: the build backend finds it, see the file".to_owned(),
        };
        look.remark(file, Some(line), text);
    } else if !stated {
        look.remark(file, None, "no version");
    }
    let name = source.text_of(&["project", "name"]);
    if let Some(name) = name.or(source.text_of(&["tool", "poetry", "name"])) {
        locked(look, dir, name)?;
    }
    Ok(())
}

/// Takes note of the one place that a dynamic version is read from, and gives the file. What is
/// computed, from git for instance, has no such place.
fn origin(look: &mut Look<'_>, dir: &Path, source: &Source) -> Result<Option<String>> {
    let text = |keys: &[&str]| source.text_of(keys).map(str::to_owned);
    let setuptools = ["tool", "setuptools", "dynamic", "version"];
    let below = |key: &'static str| [&setuptools[..], &[key]].concat();
    if let Some(attribute) = text(&below("attr")) {
        let Some((module, name)) = attribute.rsplit_once('.') else {
            return Ok(None);
        };
        return assigned(look, &modules(dir, source, module), &[name]);
    }
    if let Some(file) =
        text(&below("file")).or_else(|| text(&[&below("file")[..], &["0"]].concat()))
    {
        let file = plain(&dir.join(file));
        if !file.is_file() {
            return Ok(None);
        }
        look.read(&file, Syntax::Text)?;
        look.place(&file, &[], Form::Pep440, Some("the file".to_owned()))?;
        return Ok(Some(look.shown(&file)));
    }
    // What hatch looks for unless it is told a pattern.
    let names = ["__version__", "VERSION"];
    let hatch = ["tool", "hatch", "version"];
    let hatched = text(&[&hatch[..], &["path"]].concat());
    if let Some(path) = hatched.filter(|_| text(&[&hatch[..], &["pattern"]].concat()).is_none()) {
        return assigned(look, &[plain(&dir.join(path))], &names);
    }
    if let Some(path) = text(&["tool", "pdm", "version", "path"]) {
        return assigned(look, &[plain(&dir.join(path))], &names[..1]);
    }
    let backend = text(&["build-system", "build-backend"]).unwrap_or_default();
    if backend.starts_with("flit") {
        let module =
            text(&["tool", "flit", "module", "name"]).or_else(|| text(&["project", "name"]));
        let module = module.unwrap_or_default().replace('-', "_");
        return assigned(look, &modules(dir, source, &module), &names[..1]);
    }
    Ok(None)
}

/// Where a module may lie: in the folder itself, in `src`, or where setuptools is told to look.
fn modules(dir: &Path, source: &Source, module: &str) -> Vec<PathBuf> {
    let mut folders = vec!["src".to_owned(), String::new()];
    let told = ["tool", "setuptools", "packages", "find", "where"];
    folders.extend(source.under(&told).map(|it| it.text.clone()));
    let told = ["tool", "setuptools", "package-dir"];
    folders.extend(source.under(&told).map(|it| it.text.clone()));
    let path = module.replace('.', "/");
    let files = folders.iter().flat_map(|it| {
        let base = dir.join(it).join(&path);
        [base.join("__init__.py"), base.with_extension("py")]
    });
    files.map(|it| plain(&it)).collect()
}

/// Takes note of what is assigned to one of these names, in the first file that there is.
fn assigned(look: &mut Look<'_>, files: &[PathBuf], names: &[&str]) -> Result<Option<String>> {
    let Some(file) = files.iter().find(|it| it.is_file()) else {
        return Ok(None);
    };
    look.read(file, Syntax::Python)?;
    for name in names {
        if look.place(file, &[name], Form::Pep440, None)? {
            return Ok(Some(look.shown(file)));
        }
    }
    Ok(None)
}

/// The entry that `uv.lock` has for the package itself, if its version is not dynamic.
fn locked(look: &mut Look<'_>, dir: &Path, name: &str) -> Result<()> {
    let lock = look
        .upward(dir)
        .map(|it| it.join("uv.lock"))
        .find(|it| it.is_file());
    let Some(lock) = lock else { return Ok(()) };
    let source = look.read(&lock, Syntax::Toml)?;
    let entries = source.under(&["package"]).filter(|it| it.keys.len() == 3);
    let named = entries.filter(|it| it.keys[2] == "name" && normal(&it.text) == normal(name));
    for leaf in named {
        let index = leaf.keys[1].as_str();
        // The kinds of source that are a folder of one's own.
        let mut kinds = ["editable", "virtual", "directory"].iter();
        if kinds.any(|it| source.get(&["package", index, "source", it]).is_some()) {
            let shown = Some(format!("package {name}"));
            look.place(&lock, &["package", index, "version"], Form::Pep440, shown)?;
        }
    }
    Ok(())
}

/// A project's name as indexes compare it (PEP 503).
fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|it| !it.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}
