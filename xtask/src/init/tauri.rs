//! The Tauri app: where it is, and what of its configuration decides the rest.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::tree::{self, Tree};
use crate::config;

/// The host of a Tauri app.
pub(super) struct Host {
    /// Its folder.
    pub dir: String,
    /// Its configuration.
    pub file: String,
    /// What that says.
    conf: Value,
}

impl Host {
    /// The value that these keys lead to, which `Tauri.toml` may have in kebab-case.
    pub(super) fn get(&self, keys: &[&str]) -> &Value {
        keys.iter().fold(&self.conf, |value, key| {
            let kebab = kebab(key);
            value.get(key).unwrap_or(&value[kebab.as_str()])
        })
    }

    /// What the front end is built with, and in which folder: <https://v2.tauri.app/reference/config/#beforebuildcommand>.
    pub(super) fn before_build(&self) -> Option<(String, Option<String>)> {
        let value = self.get(&["build", "beforeBuildCommand"]);
        if let Some(script) = value.as_str() {
            return Some((script.to_owned(), None)).filter(|it| !it.0.is_empty());
        }
        let script = value["script"].as_str()?.to_owned();
        Some((script, value["cwd"].as_str().map(str::to_owned)))
    }

    /// What is embedded, from the top, if it is a folder.
    pub(super) fn dist(&self) -> Option<String> {
        let text = self.get(&["build", "frontendDist"]).as_str()?;
        tree::join(&self.dir, text)
    }

    /// The executables that are shipped beside the app, from the top; without target triple.
    pub(super) fn external(&self) -> Vec<String> {
        let list = self.get(&["bundle", "externalBin"]).as_array();
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts
            .map(|it| tree::join(&self.dir, it).unwrap_or_else(|| it.replace('\\', "/")))
            .collect()
    }
}

fn kebab(key: &str) -> String {
    let mut kebab = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

/// Looks for the app; `wanted` is its folder, or one above it.
///
/// # Errors
/// There is none or there are several; or it is of Tauri 1; or its configuration cannot be read.
pub(super) fn host(tree: &Tree, wanted: Option<&str>) -> Result<Host> {
    let is_conf = |it: &&String| config::TAURI_FILES.contains(&tree::name(it));
    let mut files: Vec<&String> = tree.files.iter().filter(is_conf).collect();
    // Tauri reads the first of the names that is there.
    let rank = |it: &str| {
        let names = config::TAURI_FILES.iter();
        names.clone().position(|name| *name == tree::name(it))
    };
    files.sort_by_key(|it| (tree::parent(it).to_owned(), rank(it)));
    files.dedup_by_key(|it| tree::parent(it).to_owned());
    if let Some(wanted) = wanted {
        files.retain(|it| tree::within(tree::parent(it), wanted));
    }
    let file = match files.as_slice() {
        [one] => (*one).clone(),
        [] => {
            let place = wanted.map_or("here", |it| it);
            bail!(
                "there is no Tauri app: none of {} is in {place} or below\n\
                 hint: call it in the repository of the app, or name that with --root",
                config::TAURI_FILES.join(", ")
            )
        }
        several => {
            let all: Vec<&str> = several.iter().map(|it| tree::parent(it)).collect();
            bail!(
                "there are several Tauri apps: {}\n\
                 hint: a configuration is about one: name its folder, --app {}",
                all.join(", "),
                all[0]
            )
        }
    };
    read(tree, file)
}

fn read(tree: &Tree, file: String) -> Result<Host> {
    let conf = config::tauri_value(&tree.path(&file)).with_context(|| {
        format!("the Tauri configuration cannot be read\nhint: mend {file}, and call it again")
    })?;
    let dir = tree::parent(&file).to_owned();
    let host = Host { dir, file, conf };
    // https://v2.tauri.app/start/migrate/from-tauri-1/
    let old: [&[&str]; 4] = [
        &["tauri"],
        &["package"],
        &["build", "distDir"],
        &["build", "devPath"],
    ];
    if let Some(keys) = old.iter().find(|keys| !host.get(keys).is_null()) {
        bail!(
            "{} is of Tauri 1: it has `{}`, which Tauri 2 does not know\n\
             hint: migrate the app first: `npm install @tauri-apps/cli@2`, then `npx tauri migrate`",
            host.file,
            keys.join(".")
        );
    }
    Ok(host)
}
