//! The actions of others. Each is named by a commit, because a tag can be moved to other code, and
//! has its version beside it for people and for update bots.
//!
//! To raise one: read its release notes, take the commit of the tag from
//! `git ls-remote https://github.com/actions/NAME refs/tags/VERSION` (the line with `^{}` if there is
//! one, which is the commit of an annotated tag), change both here, and run
//! `cargo xtask ci generate`.

use super::yaml::Yaml;

/// An action at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    name: &'static str,
    commit: &'static str,
    version: &'static str,
}

/// Fetches the repository.
pub(super) const CHECKOUT: Action = Action {
    name: "actions/checkout",
    commit: "df4cb1c069e1874edd31b4311f1884172cec0e10",
    version: "v6.0.3",
};

/// Keeps files from one run to the next.
pub(super) const CACHE: Action = Action {
    name: "actions/cache",
    commit: "27d5ce7f107fe9357f9df03efb73ab90386fccae",
    version: "v5.0.5",
};

/// Keeps files of this run.
pub(super) const UPLOAD: Action = Action {
    name: "actions/upload-artifact",
    commit: "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a",
    version: "v7.0.1",
};

/// Fetches files of this run.
pub(super) const DOWNLOAD: Action = Action {
    name: "actions/download-artifact",
    commit: "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c",
    version: "v8.0.1",
};

/// Installs Node.js.
pub(super) const SETUP_NODE: Action = Action {
    name: "actions/setup-node",
    commit: "48b55a011bda9f5d6aeb4c2d9c7362e8dae4041e",
    version: "v6.4.0",
};

/// Installs Python.
pub(super) const SETUP_PYTHON: Action = Action {
    name: "actions/setup-python",
    commit: "a309ff8b426b58ec0e2a45f0f869d46889d02405",
    version: "v6.2.0",
};

/// Installs pnpm.
pub(super) const SETUP_PNPM: Action = Action {
    name: "pnpm/action-setup",
    commit: "0ebf47130e4866e96fce0953f49152a61190b271",
    version: "v6.0.9",
};

/// Installs Bun.
pub(super) const SETUP_BUN: Action = Action {
    name: "oven-sh/setup-bun",
    commit: "0c5077e51419868618aeaa5fe8019c62421857d6",
    version: "v2.2.0",
};

impl Action {
    /// As `uses:` of a step names it, or an action that lies in a folder of it.
    pub(super) fn pinned(&self, part: &str) -> Yaml {
        let slash = if part.is_empty() { "" } else { "/" };
        let place = format!("{}{slash}{part}@{}", self.name, self.commit);
        Yaml::Noted(place, self.version.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_whole_commit_with_a_whole_version() {
        let all = [
            CHECKOUT,
            CACHE,
            UPLOAD,
            DOWNLOAD,
            SETUP_NODE,
            SETUP_PYTHON,
            SETUP_PNPM,
            SETUP_BUN,
        ];
        for it in all {
            let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(
                it.commit.len() == 40 && it.commit.chars().all(hex),
                "{it:?}"
            );
            let version = it.version.strip_prefix('v').unwrap();
            assert!(semver::Version::parse(version).is_ok(), "{it:?}");
        }
    }
}
