//! Setup programs for Windows whose scripts belong to the project: by NSIS (`makensis`) and by Inno
//! Setup (`ISCC`).
//!
//! A script is plain NSIS or plain Inno Setup, so that its editor and its manual hold. What differs from
//! product to product is in a second file beside it, `product.nsh` or `product.iss`, which is written
//! here: names, versions, and the list of files.

pub mod inno;
pub mod nsis;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::config::{Scope, Shortcut, UserData};

/// The folder beside the script that holds what is installed, laid out as it will be.
pub const FILES: &str = "files";

/// What a script is told. All paths are relative to the script's folder.
#[derive(Clone, Debug)]
pub struct Product {
    /// The name that people see. It names the folder that the app is installed to.
    pub name: String,
    /// The app's identifier, `org.example.app`: names the folder of the user's data.
    pub identifier: String,
    /// The version, as people see it.
    pub version: semver::Version,
    /// Who publishes it.
    pub publisher: String,
    /// A line about copyright; may be empty.
    pub copyright: String,
    /// The main executable's file name.
    pub main: String,
    /// What is started of [`Self::files`], the main executable first.
    pub programs: Vec<String>,
    /// The first part of the target triple.
    pub arch: String,
    /// The setup program's file name.
    pub out: String,
    /// What is installed, in [`FILES`]: paths with `/`, sorted.
    pub files: Vec<String>,
    /// All of them together, in KiB.
    pub size: u64,
    /// An `.ico`.
    pub icon: Option<String>,
    /// What the user must agree to.
    pub license: Option<String>,
    /// What installs WebView2.
    pub webview2: Option<String>,
    /// For whom it is installed.
    pub scope: Scope,
    /// Where shortcuts are made.
    pub shortcuts: Vec<Shortcut>,
    /// What becomes of the user's data.
    pub user_data: UserData,
}

impl Product {
    /// Refuses what could not be installed, or would be dangerous to remove.
    ///
    /// # Errors
    /// A name that Windows cannot have, and which one.
    pub fn check(&self) -> Result<()> {
        refuse_name(&self.name, "the product's name")?;
        refuse_name(&self.identifier, "the app's identifier")?;
        ensure!(
            !self.name.eq_ignore_ascii_case(&self.identifier),
            "the product's name and the app's identifier are both {}: the app would be installed into \
             the folder of the user's data\n\
             hint: give it another `product.name` in packaging/dist.toml",
            self.name
        );
        self.version_numbers()?;
        let mut known = BTreeSet::new();
        for path in &self.files {
            for name in path.split('/') {
                refuse_name(name, "a file's name")?;
            }
            ensure!(
                known.insert(path.to_lowercase()),
                "two files would be {path}: Windows does not tell upper from lower case"
            );
        }
        Ok(())
    }

    /// The version as Windows' file properties have it: `1.2.3.0`.
    ///
    /// # Errors
    /// A number is more than 65535.
    pub fn version_numbers(&self) -> Result<String> {
        let version = &self.version;
        let numbers = [version.major, version.minor, version.patch];
        ensure!(
            numbers.iter().all(|it| *it <= 65535),
            "version {version} does not fit into a file's properties on Windows: no number may be more \
             than 65535"
        );
        let [major, minor, patch] = numbers;
        Ok(format!("{major}.{minor}.{patch}.0"))
    }

    fn has(&self, shortcut: Shortcut) -> bool {
        self.shortcuts.contains(&shortcut)
    }

    fn scope(&self) -> &'static str {
        match self.scope {
            Scope::User => "user",
            Scope::Machine => "machine",
        }
    }

    fn user_data(&self) -> &'static str {
        match self.user_data {
            UserData::Ask => "ask",
            UserData::Keep => "keep",
            UserData::Remove => "remove",
        }
    }

    /// The folders of the files, deepest first: `a/b` before `a`.
    fn folders(&self) -> Vec<String> {
        let mut folders = BTreeSet::new();
        for path in &self.files {
            let mut rest = &**path;
            while let Some((folder, _)) = rest.rsplit_once('/') {
                folders.insert(folder.to_owned());
                rest = folder;
            }
        }
        folders.into_iter().rev().collect()
    }
}

/// The names that Windows has for devices, whatever follows a dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

fn refuse_name(name: &str, what: &str) -> Result<()> {
    let stem = name.split('.').next().unwrap_or_default().to_lowercase();
    let numbered = |it: &str| {
        let rest = stem.strip_prefix(it);
        rest.is_some_and(|it| it.len() == 1 && it.starts_with(|it: char| it.is_ascii_digit()))
    };
    let is_device = DEVICES.contains(&&*stem) || numbered("com") || numbered("lpt");
    let is_bad = |it: char| it.is_control() || "<>:\"/\\|?*".contains(it);
    ensure!(
        !name.is_empty() && !name.contains(is_bad) && !name.ends_with(['.', ' ']) && !is_device,
        "{what}, `{name}`, is none that Windows can have\nhint: Windows forbids < > : \" / \\ | ? *, a \
         dot or a space at the end, and the names of devices such as con and nul"
    );
    Ok(())
}

/// A text on one line.
fn line(text: &str) -> String {
    text.split(['\r', '\n']).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
