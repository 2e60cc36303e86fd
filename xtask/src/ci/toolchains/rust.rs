//! The Rust toolchain: of the configuration, or of the file that rustup reads.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::Deserialize;

use super::relative;
use crate::config::Config;

/// A toolchain as `rustup toolchain install` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::ci) struct Rust {
    /// A version, a date or a word such as `stable`.
    pub(in crate::ci) channel: String,
    components: Vec<String>,
    targets: Vec<String>,
}

impl Rust {
    fn channel(name: &str) -> Self {
        Self {
            channel: name.to_owned(),
            ..Self::default()
        }
    }

    /// The command that installs it, with these components besides its own.
    pub(in crate::ci) fn install(&self, components: &[&str]) -> String {
        let mut all: Vec<&str> = components.to_vec();
        all.extend(self.components.iter().map(String::as_str));
        all.sort_unstable();
        all.dedup();
        let targets: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        let option = |name: &str, values: &[&str]| match values {
            [] => String::new(),
            _ => format!(" --{name} {}", values.join(",")),
        };
        format!(
            "rustup toolchain install {} --profile minimal{}{} --no-self-update",
            self.channel,
            option("component", &all),
            option("target", &targets)
        )
    }
}

/// The toolchain of the workflows; `None` where rustup finds it at the top of the repository, where every
/// command of theirs runs. One that lies deeper is that of the Tauri host, and rustup would not look there.
///
/// # Errors
/// A file cannot be read.
pub(super) fn wanted(config: &Config) -> Result<Option<Rust>> {
    if let Some(given) = &config.ci.rust {
        return Ok(Some(Rust::channel(given)));
    }
    let above = config.app.dir.ancestors();
    for dir in above.take_while(|it| it.starts_with(&config.root)) {
        // As rustup does, <https://rust-lang.github.io/rustup/overrides.html>.
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            let file = dir.join(name);
            match file.is_file() {
                false => {}
                true if dir == config.root => return Ok(None),
                true => return read(&config.root, &file).map(Some),
            }
        }
    }
    Ok(Some(Rust::channel("stable")))
}

fn read(root: &Path, file: &Path) -> Result<Rust> {
    #[derive(Deserialize)]
    struct File {
        toolchain: Rust,
    }
    let text = fs::read_to_string(file)?;
    // The older form is the name alone.
    if let [name] = &*text.split_whitespace().collect::<Vec<_>>()
        && !name.contains(['[', '='])
    {
        return Ok(Rust::channel(name));
    }
    let said = toml::from_str(&text).ok().map(|it: File| it.toolchain);
    said.filter(|it| !it.channel.is_empty()).with_context(|| {
        format!(
            "{} names no toolchain that can be installed\n\
             hint: give it a `channel`, or name one: `rust = \"1.95.0\"` in `[ci]` of packaging/dist.toml",
            relative(root, file).unwrap_or_default()
        )
    })
}
