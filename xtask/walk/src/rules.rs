//! What `.gitignore` files and single globs say of a path, as git itself reads them.

use std::{path::Path, str::Chars, sync::Arc};

use gix_glob::{
    pattern::Case,
    search::{Pattern as _, pattern::List},
};
use gix_ignore::search::{Ignore, pattern_matching_relative_path};

use crate::git::{GITIGNORE, Git};

/// Patterns of one origin. The last that matches decides.
type Patterns = List<Ignore>;

/// A file or folder as patterns see it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    /// Relative to where the patterns begin, with `/`.
    pub(crate) path: &'p [u8],
    pub(crate) is_dir: bool,
}

impl Place<'_> {
    fn parent(self) -> Option<Self> {
        let end = self.path.iter().rposition(|it| *it == b'/')?;
        Some(Self {
            path: &self.path[..end],
            is_dir: true,
        })
    }

    /// Whether the patterns match it; none if they say nothing.
    fn matched(self, patterns: &Patterns) -> Option<bool> {
        if patterns.patterns.is_empty() {
            return None;
        }
        let slash = self.path.iter().rposition(|it| *it == b'/');
        let name = slash.map(|it| it + 1);
        let (path, is_dir) = (self.path.into(), Some(self.is_dir));
        let found = pattern_matching_relative_path(patterns, path, name, is_dir, Case::Sensitive)?;
        Some(!found.pattern.is_negative())
    }
}

/// The path of a folder as a prefix of what lies in it: empty, or ends in `/`.
pub(crate) fn prefix(top: &Path, folder: &Path) -> Vec<u8> {
    let mut prefix = Vec::new();
    for part in folder.strip_prefix(top).unwrap_or(Path::new("")) {
        prefix.extend(part.as_encoded_bytes());
        prefix.push(b'/');
    }
    prefix
}

/// Globs that all begin at the root of a tree.
#[derive(Default)]
pub(crate) struct Globs(Patterns);

impl Globs {
    pub(crate) fn new(globs: &[String]) -> Self {
        let lines = globs.join("\n");
        let patterns = Ignore::default().bytes_to_patterns(lines.as_bytes(), Path::new(""));
        Self(Patterns {
            patterns,
            ..Patterns::default()
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.patterns.is_empty()
    }

    pub(crate) fn matches(&self, place: Place<'_>) -> bool {
        place.matched(&self.0) == Some(true)
    }

    /// Whether they match a path or, where they say nothing of it, the folder that it lies in.
    pub(crate) fn match_within(&self, place: Place<'_>) -> bool {
        let mut places = std::iter::successors(Some(place), |it| it.parent());
        places.find_map(|it| it.matched(&self.0)) == Some(true)
    }
}

/// The `.gitignore` files that apply in a folder, innermost first.
#[derive(Clone)]
pub(crate) struct Rules(Arc<RulesIn>);

struct RulesIn {
    here: Patterns,
    above: Option<Rules>,
}

impl Rules {
    /// The rules of all folders from the repository's root down to, but without, `root`.
    pub(crate) fn above(root: &Path, top: &Path, git: Option<&Git>) -> Self {
        let exclude = git.map(|it| read(&it.exclude(), None, true));
        let mut rules = Self::layer(exclude.unwrap_or_default(), None);
        let mut folder = top.to_owned();
        for part in root.strip_prefix(top).unwrap_or(Path::new("")) {
            if folder.join(GITIGNORE).is_file() {
                rules = rules.enter(top, &folder);
            }
            folder.push(part);
        }
        rules
    }

    fn layer(here: Patterns, above: Option<Self>) -> Self {
        Self(Arc::new(RulesIn { here, above }))
    }

    /// The rules inside `folder`, which has a `.gitignore`.
    pub(crate) fn enter(&self, top: &Path, folder: &Path) -> Self {
        // Like git, which would not follow a link out of the repository.
        let here = read(&folder.join(GITIGNORE), Some(top), false);
        Self::layer(here, Some(self.clone()))
    }

    /// Whether there is any rule.
    pub(crate) fn any(&self) -> bool {
        !self.0.here.patterns.is_empty() || self.0.above.as_ref().is_some_and(Self::any)
    }

    pub(crate) fn ignores(&self, place: Place<'_>) -> bool {
        let layers = std::iter::successors(Some(self), |it| it.0.above.as_ref());
        layers.map(|it| &it.0.here).find_map(|it| place.matched(it)) == Some(true)
    }
}

/// The patterns of a file; what cannot be read has none, as for git.
fn read(file: &Path, top: Option<&Path>, follow: bool) -> Patterns {
    let patterns = Patterns::from_file(file, top, follow, &mut Vec::new(), Ignore::default());
    patterns.ok().flatten().unwrap_or_default()
}

/// Whether a pattern of `.gitignore` matches a file's path, which is relative to where the pattern
/// begins and has `/` on every platform.
pub fn glob_matches(glob: &str, path: &str) -> bool {
    let place = Place {
        path: path.as_bytes(),
        is_dir: false,
    };
    Globs::new(&[glob.to_owned()]).matches(place)
}

/// Whether a pattern of `.gitignore` is well formed. Git takes any, but one that is not matches
/// nothing.
pub fn is_glob(text: &str) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let closed = match c {
            '\\' => rest.next().is_some(),
            '[' => skip_class(&mut rest),
            _ => true,
        };
        if !closed {
            return false;
        }
    }
    !text.is_empty()
}

/// Goes behind the bracket that closes a class of characters; false if there is none, or if the
/// class is a range that runs backwards.
fn skip_class(rest: &mut Chars<'_>) -> bool {
    if rest.as_str().starts_with(['!', '^']) {
        rest.next();
    }
    let mut last = None;
    while let Some(c) = rest.next() {
        let c = match c {
            // In the first place it stands for itself.
            ']' if last.is_some() => return true,
            '[' if rest.as_str().starts_with(':') => {
                let Some((_, after)) = rest.as_str().split_once(":]") else {
                    return false;
                };
                *rest = after.chars();
                c
            }
            '-' if last.is_some() && !rest.as_str().starts_with(']') => {
                let end = rest.next();
                let end = if end == Some('\\') { rest.next() } else { end };
                if end < last {
                    return false;
                }
                c
            }
            '\\' => match rest.next() {
                Some(c) => c,
                None => return false,
            },
            _ => c,
        };
        last = Some(c);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_that_can_match() {
        for good in [
            "a",
            "**/*.md",
            "[a-z]",
            "[]]",
            "[!]a]",
            r"\[",
            "[[:alpha:]_]",
            r"[\]]",
            "[a-]",
        ] {
            assert!(is_glob(good), "{good}");
        }
        for bad in [
            "",
            "[a",
            "[]",
            "[!]",
            "a\\",
            r"[a\",
            "[z-a]",
            "[[:alpha:]",
            "[a][",
        ] {
            assert!(!is_glob(bad), "{bad}");
        }
    }
}
