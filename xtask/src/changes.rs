//! Texts of files that change together: shown as a patch, and written all or not at all.

mod write;

use std::path::PathBuf;

use similar::TextDiff;

pub(crate) use write::is_beside;
pub use write::write;
#[cfg(test)]
pub(crate) use write::write_with;

/// A file with its text from before, if it was there, and from after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file, absolute.
    pub path: PathBuf,
    /// The file, relative to the repository, with `/`.
    pub file: String,
    /// As it was read; none if it is not there.
    pub before: Option<String>,
    /// As it will be.
    pub after: String,
}

impl Change {
    /// The difference, as `git apply` takes it.
    pub fn diff(&self) -> String {
        let before = self.before.as_deref().unwrap_or_default();
        let old = match self.before {
            Some(_) => format!("a/{}", self.file),
            None => "/dev/null".to_owned(),
        };
        let diff = TextDiff::from_lines(before, &self.after);
        let new = format!("b/{}", self.file);
        diff.unified_diff().header(&old, &new).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_patch() {
        let change = |file: &str, before: Option<&str>| Change {
            path: file.into(),
            file: file.to_owned(),
            before: before.map(str::to_owned),
            after: "new".to_owned(),
        };
        let diffs = change("a", Some("old")).diff() + &change("b/c/d", None).diff();
        expect_test::expect![[r#"
            --- a/a
            +++ b/a
            @@ -1 +1 @@
            -old
            \ No newline at end of file
            +new
            \ No newline at end of file
            --- /dev/null
            +++ b/b/c/d
            @@ -0,0 +1 @@
            +new
            \ No newline at end of file
        "#]]
        .assert_eq(&diffs);
    }
}
