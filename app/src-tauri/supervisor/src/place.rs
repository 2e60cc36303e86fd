//! Where a bundler puts a sidecar.

use std::path::{Path, PathBuf};

/// The sidecar of the app that runs as `app` and has its resources in `resources`, which is what
/// Tauri's `resource_dir` says. A sidecar is one file or a folder of files:
///
/// - one file lies next to the app, without the target in its name; a build from source puts it
///   there, too;
/// - a folder lies in `sidecars/`, next to the app in the portable archive, else among the
///   resources.
///
/// What lies next to the app comes first: on Linux the resources are those of the installed app,
/// also for a portable one of another version. If there is none, the answer is where one file
/// would be, so that the user reads which one is missing.
pub fn locate(name: &str, app: &Path, resources: Option<&Path>) -> PathBuf {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let folder = Path::new("sidecars").join(name).join(&file);
    let beside = app.with_file_name(&file);
    let portable = app.with_file_name(&folder);
    let resource = resources.map(|it| it.join(&folder));
    let mut places = [portable, beside.clone()].into_iter().chain(resource);
    places.find(|it| it.is_file()).unwrap_or(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "usr/bin/analyzerEXE";
    const PORTABLE: &str = "usr/bin/sidecars/analyzer/analyzerEXE";
    const INSTALLED: &str = "usr/lib/tonelens/sidecars/analyzer/analyzerEXE";

    /// What `usr/bin/tonelens` starts where there are files at these places.
    #[track_caller]
    fn check(places: &[&str], expected: &str) {
        let root = tempfile::tempdir().unwrap();
        let place = |it: &str| root.path().join(it.replace("EXE", std::env::consts::EXE_SUFFIX));
        for path in places.iter().map(|it| place(it)) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let resources = root.path().join("usr/lib/tonelens");
        let found = locate("analyzer", &root.path().join("usr/bin/tonelens"), Some(&resources));
        assert_eq!(found, place(expected), "{places:?}");
    }

    #[test]
    fn each_layout_is_found() {
        check(&[FILE], FILE);
        check(&[PORTABLE], PORTABLE);
        check(&[INSTALLED], INSTALLED);
    }

    #[test]
    fn a_portable_app_takes_its_own() {
        check(&[PORTABLE, INSTALLED], PORTABLE);
        check(&[FILE, INSTALLED], FILE);
    }

    #[test]
    fn a_missing_one_is_named() {
        check(&[], FILE);
    }
}
