//! The one version of a repository: where it is stated, which one comes next, how all places are
//! written or none, and whether a tag fits.
//!
//! A version is replaced in the bytes that it stands in. So comments, the order of keys, indentation,
//! line ends and what stands at the end of the file stay as they are, whatever library would write
//! them otherwise.

pub mod bump;
pub mod change;
mod leaf;
pub mod pending;
mod pep440;
pub mod places;
pub mod tag;

/// Whether what a program says of its version is this one. Python has a form of its own for
/// pre-releases, in which `__version__` is written.
pub fn reports(reported: &str, version: &str) -> bool {
    let python = || pep440::of(&semver::Version::parse(version).ok()?).ok();
    reported == version || python().is_some_and(|it| it == reported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_report_python_s_form() {
        let check = |reported: &str, version: &str, expected: bool| {
            assert_eq!(reports(reported, version), expected, "{reported} {version}");
        };
        check("1.2.0-beta.1", "1.2.0-beta.1", true);
        check("1.2.0b1", "1.2.0-beta.1", true);
        check("1.2.0", "1.2.0-beta.1", false);
        check("1.2.0b2", "1.2.0-beta.1", false);
        check("1.2", "1.2.0", false);
        check("nightly", "nightly", true);
    }
}
