//! The place of a trial: a folder like a user's, and an environment with nothing in it.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::candidate::Candidate;
use crate::{
    config::Layout,
    engine::staging,
    steps::{copy, copy_tree},
};

/// What a program on Windows finds in any session: the system's own places. Without the first of
/// them it cannot start.
const OF_WINDOWS: [&str; 7] = [
    "SystemRoot",
    "SystemDrive",
    "windir",
    "ComSpec",
    "ProgramData",
    "TEMP",
    "TMP",
];

/// Where a candidate is tried.
pub(super) struct Place {
    /// All of it.
    home: PathBuf,
    /// The candidate's own folder.
    app: PathBuf,
    /// What is started.
    pub executable: PathBuf,
    /// Whether that is all of it.
    pub layout: Layout,
    /// All variables that it gets.
    pub environment: BTreeMap<&'static str, String>,
    /// The folder that it is started in.
    pub empty: PathBuf,
    /// Where [`Temporary`] is made.
    temporary: PathBuf,
}

impl Place {
    /// Makes it, and copies the candidate there.
    pub fn make(home: PathBuf, candidate: &Candidate) -> Result<Self> {
        staging::remove(&home)?;
        let temporary = temporary(&home);
        staging::clear(&temporary)?;
        let (app, empty) = (home.join("app"), home.join("empty"));
        fs_err::create_dir_all(&empty)?;
        Ok(Self {
            executable: install(candidate, &app)?,
            layout: candidate.layout,
            environment: environment(&home.join("user"))?,
            empty,
            temporary,
            app,
            home,
        })
    }

    /// Bytes and files of the candidate.
    pub fn size(&self) -> Result<(u64, usize)> {
        size(&self.app)
    }

    /// Asks the system to forget what it holds of the candidate's files in memory, so that the next
    /// launch reads them from the disk. Only Linux offers that without privileges.
    pub fn forget_cached(&self) {
        #[cfg(target_os = "linux")]
        crate::engine::processes::forget_cached(&self.app);
    }

    /// Leaves nothing of it.
    pub fn remove(self) -> Result<()> {
        staging::remove(&self.home)
    }
}

/// A folder for temporary files that is removed with all that a program leaves there. It lies where the
/// system has such folders: below the build's its path could be too long for the sockets that Python
/// makes there.
pub(super) struct Temporary(PathBuf);

impl Temporary {
    /// Makes the one of this place. One at a time.
    pub fn make(place: &Place) -> Result<Self> {
        staging::clear(&place.temporary)?;
        fs_err::create_dir(&place.temporary)?;
        Ok(Self(place.temporary.clone()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        staging::clear(&self.0).ok();
    }
}

/// The name follows from the place, so that the next trial of the same candidate finds what a killed run
/// left. Of a place there is one user: whoever holds the lock of the state folder that it lies in.
fn temporary(home: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    std::env::temp_dir().join(format!("xtask-trial-{:016x}", hasher.finish()))
}

/// The environment of a launch, with a new home where a program cannot do without: none at all, but
/// on Windows.
fn environment(user: &Path) -> Result<BTreeMap<&'static str, String>> {
    if !cfg!(windows) {
        return Ok(BTreeMap::new());
    }
    let environment = of_windows(&user.to_string_lossy(), |name| std::env::var(name).ok());
    for folder in ["APPDATA", "LOCALAPPDATA"] {
        fs_err::create_dir_all(&environment[folder])?;
    }
    Ok(environment)
}

/// What Windows gives a program of a user who has just been made.
fn of_windows(
    user: &str,
    inherited: impl Fn(&str) -> Option<String>,
) -> BTreeMap<&'static str, String> {
    // As ordinary programs know paths.
    let user = user.strip_prefix(r"\\?\").unwrap_or(user);
    let system = OF_WINDOWS.iter();
    let mut environment: BTreeMap<_, _> = system
        .filter_map(|it| Some((*it, inherited(it)?)))
        .collect();
    // A path without a drive is one of the network; it is its own HOMEPATH.
    let (drive, path) = user.split_at(user.find(':').map_or(0, |it| it + 1));
    environment.extend([
        ("USERPROFILE", user.to_owned()),
        ("APPDATA", format!("{user}\\AppData\\Roaming")),
        ("LOCALAPPDATA", format!("{user}\\AppData\\Local")),
        ("HOMEDRIVE", drive.to_owned()),
        ("HOMEPATH", path.to_owned()),
    ]);
    environment
}

/// Copies the candidate as an installer would; gives where its executable is.
fn install(candidate: &Candidate, app: &Path) -> Result<PathBuf> {
    let into = app.join(candidate.executable.file_name().context("it has a name")?);
    match &candidate.folder {
        Some(folder) => copy_tree(folder, app)?,
        None => copy(&candidate.executable, &into)?,
    }
    Ok(into)
}

/// Bytes and files below a folder.
fn size(folder: &Path) -> Result<(u64, usize)> {
    let (mut bytes, mut files) = (0, 0);
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let (more, count) = match entry.file_type()? {
            kind if kind.is_dir() => size(&entry.path())?,
            _ => (entry.metadata()?.len(), 1),
        };
        bytes += more;
        files += count;
    }
    Ok((bytes, files))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// Windows is not here to show it: what a program finds there that belongs to nobody yet.
    #[test]
    fn on_windows_a_program_has_a_home_that_is_empty() {
        let inherited = |name: &str| match name {
            "SystemRoot" | "windir" => Some(r"C:\Windows".to_owned()),
            "ComSpec" => Some(r"C:\Windows\system32\cmd.exe".to_owned()),
            "ProgramData" => Some(r"C:\ProgramData".to_owned()),
            "SystemDrive" => Some("C:".to_owned()),
            "TEMP" | "TMP" => Some(r"D:\tmp".to_owned()),
            _ => Some("of the build".to_owned()),
        };
        let environment = of_windows(r"\\?\D:\trial a b\user", inherited);
        let lines = environment.iter().map(|it| format!("{}={}\n", it.0, it.1));
        expect![[r#"
            APPDATA=D:\trial a b\user\AppData\Roaming
            ComSpec=C:\Windows\system32\cmd.exe
            HOMEDRIVE=D:
            HOMEPATH=\trial a b\user
            LOCALAPPDATA=D:\trial a b\user\AppData\Local
            ProgramData=C:\ProgramData
            SystemDrive=C:
            SystemRoot=C:\Windows
            TEMP=D:\tmp
            TMP=D:\tmp
            USERPROFILE=D:\trial a b\user
            windir=C:\Windows
        "#]]
        .assert_eq(&lines.collect::<String>());
    }
}
