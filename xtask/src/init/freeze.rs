//! How a sidecar is frozen today, by a command line or a `.spec` file.

use super::tree::{self, Tree};
use crate::config::{Freezer, Layout};

/// Why something stays behind whose value only a run would show.
pub(super) const COMPUTED: &str = "it would have to be computed";

/// What was found in one place.
#[derive(Clone, Debug)]
pub(super) struct Freeze {
    /// With what.
    pub freezer: Freezer,
    /// Where it says so, for people.
    pub at: String,
    /// The folders from which its paths may be meant, the likeliest first.
    pub bases: Vec<String>,
    /// What is started, as it stands there.
    pub entry: Option<String>,
    /// The executable's name, without `.exe` and target triple.
    pub name: Option<String>,
    /// What it leaves behind.
    pub layout: Layout,
    /// Python modules that no import statement shows.
    pub modules: Vec<String>,
    /// Python packages to include as a whole.
    pub packages: Vec<String>,
    /// Python modules to leave out.
    pub exclude: Vec<String>,
    /// Files to carry along: where from, as it stands there, and where to.
    pub data: Vec<(String, String)>,
    /// What only this freezer can be told.
    pub args: Vec<String>,
    /// `company`, `description`, `copyright`.
    pub metadata: Vec<(&'static str, String)>,
    /// What has no place in `dist.toml`, and why.
    pub left: Vec<String>,
}

impl Freeze {
    pub(super) fn new(freezer: Freezer, at: String, bases: Vec<String>) -> Self {
        Self {
            freezer,
            at,
            bases,
            entry: None,
            name: None,
            layout: Layout::Folder,
            modules: Vec::new(),
            packages: Vec::new(),
            exclude: Vec::new(),
            data: Vec::new(),
            args: Vec::new(),
            metadata: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Where a path leads, from the first of the folders in which there is such a file or folder.
    pub(super) fn resolve(&self, tree: &Tree, path: &str) -> Option<String> {
        let bases = self.bases.iter();
        let mut places = bases.filter_map(|it| tree::join(it, path));
        places.find(|it| tree.exists(it))
    }

    /// What is started, from the top, if it is there.
    pub(super) fn started(&self, tree: &Tree) -> Option<String> {
        self.resolve(tree, self.entry.as_deref()?)
    }

    /// Why it cannot be taken over as it stands: what is started is not there.
    pub(super) fn lost(&self) -> String {
        let (at, freezer) = (&self.at, self.freezer.name());
        match &self.entry {
            Some(entry) => format!(
                "{at} freezes {entry} with {freezer}, but there is no such file in the repository"
            ),
            None => format!(
                "{at} freezes something with {freezer}, but what it starts is not known: {}",
                self.left.join("; ")
            ),
        }
    }

    /// Notes something that has no place.
    pub(super) fn leave(&mut self, what: impl std::fmt::Display, why: &str) {
        self.left.push(format!("{what}: {why}"));
    }
}

/// A name as `externalBin` has it: without folder, `.exe` and what stands for the target.
pub(super) fn bare(name: &str) -> String {
    let name = name.replace('\\', "/");
    // What a command prints may have slashes in it.
    let variable = name.find(['$', '%', '{']).unwrap_or(name.len());
    let name = tree::name(&name[..variable]);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let arch = ["x86_64-", "aarch64-", "i686-", "armv7-", "universal-apple"];
    let triple = arch
        .iter()
        .filter_map(|it| name.find(&format!("-{it}")))
        .min();
    name[..triple.unwrap_or(name.len())]
        .trim_end_matches(['-', '_', '.'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_target() {
        for name in [
            "tool",
            "tool.exe",
            "dist/tool",
            "tool-x86_64-unknown-linux-gnu",
            "..\\bin\\tool-aarch64-apple-darwin.exe",
            "tool-$TARGET.exe",
            "tool-${{ matrix.target }}",
            "tool-$(rustc -vV | sed -n 's/host: //p')",
        ] {
            assert_eq!(bare(name), "tool", "{name}");
        }
        assert_eq!(bare("my-tool_2"), "my-tool_2");
    }
}
