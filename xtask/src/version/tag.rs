//! Whether the tag that is released from says the version that is released.

use anyhow::{Result, bail};
use semver::Version;

/// What stands for the version in a tag's form.
pub const VERSION: &str = "{version}";

/// The forms that a tag has unless `release.tag` says another.
const FORMS: [&str; 2] = ["v{version}", "{version}"];

/// The tag of a version.
pub fn of(version: &Version, form: Option<&str>) -> String {
    forms(form)[0].replace(VERSION, &version.to_string())
}

/// The version that a tag says, in a form that counts.
pub fn version(tag: &str, form: Option<&str>) -> Option<Version> {
    forms(form).into_iter().find_map(|it| stated(tag, it))
}

/// Whether a tag says this version, in a form that counts.
pub fn says(tag: &str, version: &Version, form: Option<&str>) -> bool {
    self::version(tag, form).as_ref() == Some(version)
}

/// Patterns of GitHub's workflows for the tags of all versions,
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet>.
pub fn patterns(form: Option<&str>) -> Vec<String> {
    let forms = forms(form).into_iter();
    // Of what a tag's form may hold this alone means something else there.
    let pattern = |it: &str| it.replace('+', "\\+").replace(VERSION, "[0-9]*");
    forms.map(pattern).collect()
}

/// The tags that a run starts from.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    /// Those of the commit that is checked out.
    pub of_commit: Vec<String>,
    /// The one that started CI.
    pub of_ci: Option<String>,
}

impl Tags {
    /// Adds what GitHub says of the tag that started a workflow: `GITHUB_REF_TYPE` and
    /// `GITHUB_REF_NAME`,
    /// <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>.
    pub fn new(of_commit: Vec<String>) -> Self {
        Self {
            of_commit,
            of_ci: of_ci(),
        }
    }
}

/// The tag that started the workflow which this runs in.
pub fn of_ci() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    variable("GITHUB_REF_TYPE").filter(|it| it == "tag")?;
    variable("GITHUB_REF_NAME")
}

/// Refuses tags that say another version. A tag of another form, such as `nightly`, says none;
/// only if CI was started by it, it must be the version's.
///
/// # Errors
/// None of the tags fits: which, and what to type.
pub fn check(version: &Version, form: Option<&str>, tags: &Tags) -> Result<()> {
    let forms = forms(form);
    let right = of(version, form);
    let said = |tag: &str| forms.iter().find_map(|form| stated(tag, form));
    if let Some(tag) = &tags.of_ci {
        return match said(tag) {
            Some(said) if said == *version => Ok(()),
            Some(said) => bail!(
                "the tag {tag}, which started this run, says {said}, but the version is {version}\n\
                 hint: {}",
                moved(tag, &said, version, &right)
            ),
            None => bail!(
                "the tag {tag}, which started this run, is not {right}, the tag of version \
                 {version}\n\
                 hint: let CI run `dist` for tags of that form only, or name the form of yours as \
                 `tag` in [release] of dist.toml"
            ),
        };
    }
    let all = tags.of_commit.iter();
    let stating: Vec<_> = all.filter_map(|tag| Some((tag, said(tag)?))).collect();
    let fits = stating.iter().any(|(_, said)| said == version);
    match stating.first() {
        Some((tag, said)) if !fits => bail!(
            "the commit has the tag {tag}, but the version is {version}\n\
             hint: {}\n\
             hint: if the version was raised for the next release, commit that: the tag stays behind",
            moved(tag, said, version, &right)
        ),
        _ => Ok(()),
    }
}

/// Whether one of the tags says this version.
pub fn is_released(version: &Version, form: Option<&str>, tags: &Tags) -> bool {
    let tag = chosen(version, form, tags);
    let forms = forms(form);
    let said = |tag: String| forms.iter().find_map(|it| stated(&tag, it));
    tag.and_then(said).is_some_and(|it| it == *version)
}

/// The tag that a release of this version is made from: the one that says it, if there is one.
pub fn chosen(version: &Version, form: Option<&str>, tags: &Tags) -> Option<String> {
    let forms = forms(form);
    let fits = |tag: &&String| {
        forms
            .iter()
            .any(|it| stated(tag, it).as_ref() == Some(version))
    };
    let all = || tags.of_ci.iter().chain(&tags.of_commit);
    all().find(fits).or_else(|| all().next()).cloned()
}

/// The forms that count.
fn forms(form: Option<&str>) -> Vec<&str> {
    form.map_or_else(|| FORMS.to_vec(), |it| vec![it])
}

/// The version that a tag of this form says.
fn stated(tag: &str, form: &str) -> Option<Version> {
    let (before, after) = form.split_once(VERSION)?;
    let text = tag.strip_prefix(before)?.strip_suffix(after)?;
    Version::parse(text).ok()
}

/// What to type, whichever of both is right.
fn moved(tag: &str, said: &Version, version: &Version, right: &str) -> String {
    format!(
        "if {said} is right: `cargo xtask version set {said}`, commit, `git tag --force {tag}`; if \
         {version} is right: `git tag {right}`, and `git tag --delete {tag}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line of the refusal, if it is one.
    #[track_caller]
    fn check_tags(form: Option<&str>, of_commit: &[&str], ci: Option<&str>, refused: &str) {
        let tags = Tags {
            of_commit: of_commit.iter().map(|&it| it.to_owned()).collect(),
            of_ci: ci.map(str::to_owned),
        };
        let outcome = check(&Version::new(1, 2, 3), form, &tags);
        let text = outcome.map_or_else(|it| it.to_string(), |()| String::new());
        assert_eq!(text.lines().next().unwrap_or_default(), refused);
    }

    #[test]
    fn tags_of_the_commit() {
        let check = |tags: &[&str], refused: &str| check_tags(None, tags, None, refused);
        check(&[], "");
        check(&["v1.2.3"], "");
        check(&["1.2.3"], "");
        check(&["nightly", "v1", "v1.2", "app-v9.0.0"], "");
        check(&["v1.2.2", "v1.2.3"], "");
        let refused = |tag: &str| format!("the commit has the tag {tag}, but the version is 1.2.3");
        check(&["v1.2.2"], &refused("v1.2.2"));
        check(&["nightly", "1.3.0"], &refused("1.3.0"));
        check(&["v1.2.3-beta.1"], &refused("v1.2.3-beta.1"));
        check(&["v1.2.3+7"], &refused("v1.2.3+7"));
    }

    #[test]
    fn of_several_tags_the_release_names_the_one_that_fits() {
        let check = |form, tags: &[&str], expected: Option<&str>| {
            let of_commit = tags.iter().map(|&it| it.to_owned()).collect();
            let of_ci = None;
            let tags = Tags { of_commit, of_ci };
            let found = chosen(&Version::new(1, 2, 3), form, &tags);
            assert_eq!(found.as_deref(), expected);
        };
        check(None, &["nightly", "v1.2.3"], Some("v1.2.3"));
        check(Some("a{version}"), &["v1.2.3", "a1.2.3"], Some("a1.2.3"));
        check(None, &["nightly", "other"], Some("nightly"));
        check(None, &[], None);
    }

    #[test]
    fn a_form_of_ones_own_is_the_only_one() {
        let form = Some("app-v{version}");
        let check = |tags: &[&str], refused: &str| check_tags(form, tags, None, refused);
        check(&["app-v1.2.3"], "");
        check(&["lib-v9.0.0", "v9.0.0"], "");
        let refused = "the commit has the tag app-v1.2.2, but the version is 1.2.3";
        check(&["lib-v1.2.3", "app-v1.2.2"], refused);
    }

    #[test]
    fn the_tag_that_started_ci() {
        let check = |tag, of_commit: &[&str], refused| {
            check_tags(None, of_commit, Some(tag), refused);
        };
        check("v1.2.3", &["v1.2.2"], "");
        let other = "the tag v1.2.2, which started this run, says 1.2.2, but the version is 1.2.3";
        check("v1.2.2", &["v1.2.3"], other);
        let none =
            "the tag nightly, which started this run, is not v1.2.3, the tag of version 1.2.3";
        check("nightly", &["v1.2.3"], none);
    }
}
