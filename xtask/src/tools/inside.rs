//! What lies inside an installer.

use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail};

use crate::engine::files::{sha256_bytes, sha256_file};

/// Everything but folders, by path without a leading `/`.
pub type Inside = BTreeMap<String, Entry>;

/// A file or a symbolic link in an installer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Lower-case hexadecimal; of no meaning for a link.
    pub sha256: String,
    /// Whether anybody may execute it; of no meaning for Windows.
    pub executable: bool,
    /// Where a symbolic link points to.
    pub link: Option<String>,
    /// When it was written, if the installer says so.
    pub modified: Option<SystemTime>,
}

/// The files of a tar archive.
pub fn of_tar(data: impl Read) -> Result<Inside> {
    let mut inside = Inside::new();
    for entry in tar::Archive::new(data).entries()? {
        let mut entry = entry?;
        let header = entry.header();
        if header.entry_type().is_dir() {
            continue;
        }
        let found = Entry {
            sha256: String::new(),
            executable: header.mode()? & 0o111 == 0o111,
            link: entry
                .link_name()?
                .map(|it| it.to_string_lossy().into_owned()),
            modified: UNIX_EPOCH.checked_add(Duration::from_secs(header.mtime()?)),
        };
        let path = inner(&entry.path()?);
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        let sha256 = sha256_bytes(&content);
        inside.insert(path, Entry { sha256, ..found });
    }
    Ok(inside)
}

/// The files below a folder, by their paths from `root`.
pub fn of_folder(root: &Path, folder: &Path) -> Result<Inside> {
    let mut inside = Inside::new();
    collect(root, folder, &mut inside)?;
    Ok(inside)
}

fn collect(root: &Path, folder: &Path, inside: &mut Inside) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let metadata = fs_err::symlink_metadata(&path)?;
        if metadata.is_dir() {
            collect(root, &path, inside)?;
            continue;
        }
        let link = match metadata.is_symlink() {
            true => Some(fs_err::read_link(&path)?.to_string_lossy().into_owned()),
            false => None,
        };
        if link.is_none() && !metadata.is_file() {
            bail!("{} is neither a file nor a link", path.display());
        }
        let sha256 = match &link {
            None => sha256_file(&path)?,
            Some(_) => String::new(),
        };
        let found = Entry {
            sha256,
            executable: is_executable(&metadata),
            link,
            modified: metadata.modified().ok(),
        };
        let path = path.strip_prefix(root)?.to_string_lossy();
        inside.insert(path.replace('\\', "/"), found);
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 == 0o111
}

/// Windows has no such mark.
#[cfg(not(unix))]
fn is_executable(_metadata: &std::fs::Metadata) -> bool {
    true
}

/// A path of an archive as it is known here.
pub(super) fn inner(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = path.trim_start_matches("./").trim_matches('/');
    path.to_owned()
}

/// The one file whose path ends so: the folder that it is installed to differs with what unpacks
/// it. What `others` has a longer end for is another file.
///
/// # Errors
/// There are two.
pub fn find<'a, V>(
    inside: &'a BTreeMap<String, V>,
    path: &str,
    others: &[&str],
) -> Result<Option<(&'a str, &'a V)>> {
    let longer = |it: &&&str| it.len() > path.len() && ends(it, path);
    let longer: Vec<&&str> = others.iter().filter(longer).collect();
    let mut found = inside
        .iter()
        .filter(|(at, _)| ends(at, path) && !longer.iter().any(|it| ends(at, it)));
    let (first, second) = (found.next(), found.next());
    if let (Some((first, _)), Some((second, _))) = (first, second) {
        bail!("the package holds two of {path}: {first} and {second}");
    }
    Ok(first.map(|(at, entry)| (&**at, entry)))
}

/// Whether a path ends with whole parts of another.
fn ends(path: &str, end: &str) -> bool {
    let before = path.strip_suffix(end);
    before.is_some_and(|it| it.is_empty() || it.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_wherever_it_is_installed_to() {
        let check = |paths: &[&str], wanted: &str, others: &[&str], expected: &str| {
            let inside = paths.iter().map(|it| (it.to_string(), ())).collect();
            let text = match find(&inside, wanted, others) {
                Ok(found) => found.map_or("none", |(at, ())| at).to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(text, expected, "{wanted} of {paths:?}");
        };
        check(&["app.exe", "my app.exe"], "app.exe", &[], "app.exe");
        let msi = ["Program Files/App/app.exe", "Program Files/App/a.txt"];
        check(&msi, "app.exe", &[], "Program Files/App/app.exe");
        check(&["myapp.exe"], "app.exe", &[], "none");
        check(
            &["a/app.exe", "b/app.exe"],
            "app.exe",
            &[],
            "the package holds two of app.exe: a/app.exe and b/app.exe",
        );
        let folder = ["app.exe", "sidecars/x/app.exe"];
        let all = ["app.exe", "sidecars/x/app.exe"];
        check(&folder, "app.exe", &all, "app.exe");
        check(&folder, "sidecars/x/app.exe", &all, "sidecars/x/app.exe");
    }
}
