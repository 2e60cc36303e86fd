//! Whether an installer holds what was built and tried out: a bundler that picked up another file
//! would ship it unseen.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{super::with_hint, Bundle, FOLDERS};
use crate::{
    binary,
    config::BundleKind,
    engine::{
        artifact::Artifact,
        event::Level,
        files::{sha256_bytes, sha256_file},
        probe::Probes,
        staging,
        step::Context,
    },
    freeze::{candidate::CLOCK, judge},
    manifest::Content,
    target::Os,
    tools::{
        deb::Times,
        inside::{Entry, find},
        packages::System,
        tauri,
        unpack::{self, Tool, Unpacked, unpack},
    },
};

/// What is said of an installer that nobody looked into.
const NOT_READ: &str = "what is inside was not compared with what was built";

/// Where to look for what went wrong: to bundle again gives the same. The log's path follows.
pub(super) const HINT: &str = "look for what puts it there, or leaves it out, under `bundle` of the Tauri configuration \
                    (externalBin, resources, an installer's files and hooks), and for what the bundler \
                    printed in";

/// How long a program that differs may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A package that the bundler has finished.
pub(super) struct Packed<'a> {
    pub(super) kind: BundleKind,
    pub(super) package: &'a Path,
    /// A folder to unpack it to.
    pub(super) scratch: PathBuf,
    /// When the executables were handed to the bundler, by the clock of the files.
    pub(super) began: SystemTime,
    /// What the times inside were, if the package has others by now.
    pub(super) times: Times,
    /// The SHA-256 of the host that the bundler was given, if it was to leave it as it was.
    pub(super) host: Option<String>,
}

/// What is said of a package.
pub(super) struct Looked {
    /// Its executables.
    pub(super) contents: Vec<Content>,
    /// Why nobody looked inside; none if somebody did.
    pub(super) gap: Option<String>,
    /// What would help.
    pub(super) hint: Option<String>,
}

impl Looked {
    /// Says why nobody looked inside, and what would help.
    pub(super) fn note(&self, cx: &Context) {
        if let Some(gap) = &self.gap {
            let hint = self.hint.iter().map(|it| format!("; to change that: {it}"));
            cx.note(Level::Warning, format!("{gap}{}", hint.collect::<String>()));
        }
    }
}

/// A file of the stage that a package holds.
struct Expected {
    /// Its place in the package, without a leading `/`; on Windows and macOS only its end.
    path: String,
    /// Its name in the stage folder.
    built: String,
    entry: Entry,
    /// Whether the manifest names it.
    is_program: bool,
    /// Whether the package must hold it.
    is_required: bool,
}

impl<'a> Bundle<'a> {
    /// Looks into a finished package, if it can be read here.
    pub(super) fn look_inside(&'a self, cx: &'a Context, it: &'a Packed) -> Result<Looked> {
        let name = it.package.file_name().unwrap_or_default().to_string_lossy();
        if let Some(looked) = unread(it.kind, &name) {
            return Ok(looked);
        }
        let run = |command| cx.exec(command).run();
        let unpacked = unpack(it.kind, it.package, &it.scratch, &run)
            .with_context(|| format!("{name} cannot be unpacked"))?;
        let look = Look {
            cx,
            bundle: self,
            packed: it,
            unpacked,
        };
        let hint = || format!("{HINT} {}", self.release.relative(&cx.log().path));
        let contents = look.contents().map_err(|it| with_hint(it, &hint()))?;
        staging::remove(&it.scratch)?;
        Ok(Looked {
            contents,
            gap: None,
            hint: None,
        })
    }

    /// Nobody publishes what nobody looked into. Known before minutes go into packing it.
    pub(super) fn refuse_gaps(&self) -> Result<()> {
        let missing = |&kind| Some((kind, unpack::missing(kind)?));
        match self.kinds.iter().find_map(missing) {
            Some((kind, tool)) if self.refuses_gaps => bail!(
                "nothing here can look into the {}, which --release wants\nhint: {}",
                tauri::kind_name(kind),
                how_to_install(tool)
            ),
            _ => Ok(()),
        }
    }

    /// The files of the release as a package of this kind holds them.
    fn expected(&self, packed: &Packed) -> Result<Vec<Expected>> {
        let (kind, code) = (packed.kind, &self.code.output);
        let (programs, resources) = self.places(kind);
        let program = |name: &str, sha256: String, is_required| Expected {
            path: format!("{programs}{name}"),
            built: name.to_owned(),
            entry: Entry {
                sha256,
                executable: true,
                link: None,
                modified: None,
            },
            is_program: true,
            is_required,
        };
        let host = match &packed.host {
            Some(given) => given.clone(),
            None => sha256_bytes(self.host(kind)?),
        };
        let mut expected = vec![program(&code.host, host, true)];
        for name in self.beside().map(|it| self.target.exe(it)) {
            let sha256 = self.code.artifact(&name)?.sha256.clone();
            expected.push(program(&name, sha256, true));
        }
        for name in &code.others {
            // Whether they are shipped is the app's affair.
            let sha256 = self.code.artifact(name)?.sha256.clone();
            expected.push(program(name, sha256, false));
        }
        for artifact in self.in_folders() {
            expected.push(Expected {
                path: format!("{resources}{}", artifact.path),
                built: artifact.path.clone(),
                entry: self.resource(artifact, kind)?,
                is_program: code
                    .sidecars
                    .iter()
                    .any(|it| it.executable == artifact.path),
                is_required: true,
            });
        }
        Ok(expected)
    }

    /// A file of a sidecar's folder as a package of this kind holds it.
    fn resource(&self, artifact: &Artifact, kind: BundleKind) -> Result<Entry> {
        let mut entry = Entry {
            sha256: artifact.sha256.clone(),
            executable: artifact.executable,
            link: artifact.link.clone(),
            modified: None,
        };
        let keeps_links = self.is_own_appimage(kind)
            || matches!(kind, BundleKind::Deb | BundleKind::App | BundleKind::Dmg);
        if !keeps_links && entry.link.take().is_some() {
            // The bundler follows it.
            entry.sha256 = sha256_file(&self.code.path(&artifact.path))?;
        }
        Ok(entry)
    }

    /// The host with what the bundler writes into it.
    pub(super) fn host(&self, kind: BundleKind) -> Result<Vec<u8>> {
        let built = fs_err::read(self.code.unchanged(&self.code.output.host)?)?;
        Ok(tauri::stamped(&built, kind).unwrap_or(built))
    }

    /// Where a package of this kind has programs, and where resources: on Linux they lie in a folder
    /// that has the product's name. Elsewhere, users or versions of Windows choose what comes before.
    fn places(&self, kind: BundleKind) -> (String, String) {
        let product = self.product();
        match kind {
            BundleKind::Deb | BundleKind::Rpm | BundleKind::Appimage => {
                ("usr/bin/".to_owned(), format!("usr/lib/{product}/"))
            }
            BundleKind::Nsis | BundleKind::Msi | BundleKind::Inno => (String::new(), String::new()),
            BundleKind::App | BundleKind::Dmg => (
                format!("{product}.app/Contents/MacOS/"),
                format!("{product}.app/Contents/Resources/"),
            ),
        }
    }
}

/// A look into a package.
struct Look<'a> {
    cx: &'a Context<'a>,
    bundle: &'a Bundle<'a>,
    packed: &'a Packed<'a>,
    unpacked: Unpacked,
}

impl Look<'_> {
    /// The package's programs, once all that must be in it is, and is what was built.
    fn contents(&self) -> Result<Vec<Content>> {
        let expected = self.bundle.expected(self.packed)?;
        let paths: Vec<&str> = expected.iter().map(|it| &*it.path).collect();
        let (mut contents, mut known) = (Vec::new(), BTreeSet::new());
        for it in &expected {
            let Some((at, found)) = self.find(&it.path, &paths)? else {
                let shown = self.shown(&it.path);
                ensure!(!it.is_required, "the package holds no {shown}");
                continue;
            };
            self.compare(it, at, found)?;
            known.insert(at);
            if it.is_program {
                contents.push(Content {
                    path: at.to_owned(),
                    sha256: found.sha256.clone(),
                });
            }
        }
        self.refuse_others(&known)?;
        Ok(contents)
    }

    /// On Linux the place is known.
    fn is_absolute(&self) -> bool {
        self.bundle.target.os == Os::Linux
    }

    fn find(&self, path: &str, all: &[&str]) -> Result<Option<(&str, &Entry)>> {
        let inside = &self.unpacked.inside;
        match self.is_absolute() {
            true => Ok(inside.get_key_value(path).map(|(at, it)| (&**at, it))),
            false => find(inside, path, all),
        }
    }

    fn shown(&self, path: &str) -> String {
        match self.is_absolute() {
            true => format!("/{path}"),
            false => path.to_owned(),
        }
    }

    fn compare(&self, it: &Expected, at: &str, found: &Entry) -> Result<()> {
        let what = format!("{} in the package", self.shown(at));
        let entry = &it.entry;
        let same =
            found.link == entry.link && (entry.link.is_some() || found.sha256 == entry.sha256);
        if !same && !self.is_only_relinked(it, at, found)? {
            if it.is_program {
                self.refuse_placeholder(it, at, found, &what)?;
            }
            bail!("{what} is not the file that was built and tried out");
        }
        let may_run = found.executable || self.bundle.target.os == Os::Windows;
        ensure!(
            may_run || !entry.executable || entry.link.is_some(),
            "{what} cannot be executed any more"
        );
        Ok(())
    }

    /// Nothing else may lie in the sidecars' folders.
    fn refuse_others(&self, known: &BTreeSet<&str>) -> Result<()> {
        let folders = format!("{}{FOLDERS}/", self.bundle.places(self.packed.kind).1);
        let is_in_one = |path: &str| match self.is_absolute() {
            true => path.starts_with(&folders),
            false => format!("/{path}").contains(&format!("/{folders}")),
        };
        // The app may have a folder of that name for something else.
        let has_folders = self.bundle.folders().next().is_some() || self.is_absolute();
        let mut others = self.unpacked.inside.keys();
        let other = others.find(|it| has_folders && is_in_one(it) && !known.contains(&***it));
        ensure!(
            other.is_none(),
            "{} in the package is no file that was built",
            other.map_or_else(String::new, |it| self.shown(it))
        );
        Ok(())
    }

    /// What makes an AppImage writes into each program where its libraries are. All else, what is
    /// behind the program included, must be as it was.
    fn is_only_relinked(&self, it: &Expected, at: &str, found: &Entry) -> Result<bool> {
        let (kind, own) = (self.packed.kind, self.bundle.own_appimage);
        if kind != BundleKind::Appimage || own || found.link.is_some() {
            return Ok(false);
        }
        let built = match it.built == self.bundle.code.output.host {
            true => self.bundle.host(self.packed.kind)?,
            false => fs_err::read(self.bundle.code.path(&it.built))?,
        };
        let shipped = fs_err::read(self.unpacked.folder()?.join(at))?;
        Ok(binary::is_only_relinked(&built, &shipped))
    }

    /// Says what a program that differs is instead, if that can be said.
    fn refuse_placeholder(&self, it: &Expected, at: &str, found: &Entry, what: &str) -> Result<()> {
        ensure!(found.link.is_none(), "{what} is a symbolic link");
        ensure!(found.sha256 != sha256_bytes([]), "{what} is an empty file");
        let file = self.unpacked.folder()?.join(at);
        // Whether it may be executed is asked of all files, in other words.
        mark_executable(&file)?;
        binary::check(&file, &self.bundle.target, what)?;
        self.refuse_older(at, found, what)?;
        self.refuse_other_version(it, &file, what)
    }

    /// What was written before the bundler began is none of the copies that it was given. A package
    /// of which nothing is newer keeps no times, or was swapped as a whole: it is not judged by them.
    fn refuse_older(&self, at: &str, found: &Entry, what: &str) -> Result<()> {
        let Packed { began, times, .. } = self.packed;
        let written = |at: &str, it: &Entry| times.get(at).copied().or(it.modified);
        let is_new = |time: SystemTime| time + CLOCK >= *began;
        let mut all = self.unpacked.inside.iter();
        let has_new_files = all.any(|(at, it)| written(at, it).is_some_and(is_new));
        match written(at, found) {
            Some(time) if has_new_files && !is_new(time) => bail!(
                "{what} is older than its inputs: it was written {} s before bundling began",
                began.duration_since(time).unwrap_or_default().as_secs()
            ),
            _ => Ok(()),
        }
    }

    /// Starts a sidecar that is not the one that was tried, once, to say which one it is.
    fn refuse_other_version(&self, it: &Expected, file: &Path, what: &str) -> Result<()> {
        let Bundle {
            release,
            target,
            code,
            version,
            ..
        } = self.bundle;
        let mut sidecars = code.output.sidecars.iter();
        let name = sidecars.find(|known| known.executable == it.built);
        let mut configured = release.config.sidecars.iter();
        let sidecar = name.and_then(|it| configured.find(|known| known.name == it.name));
        let Some(sidecar) = sidecar.filter(|_| target.is_host()) else {
            return Ok(());
        };
        let mut command = std::process::Command::new(file);
        command
            .args(&sidecar.probe)
            .current_dir(&self.packed.scratch);
        if cfg!(unix) {
            // As in the trial: it gets nothing of the build's.
            command.env_clear();
        }
        let within = sidecar.ready_timeout;
        // What cannot be started has no version.
        let Ok(mut launched) = self.cx.launch(command) else {
            return Ok(());
        };
        launched.wait_for("READY", within, || ())?;
        launched.close_stdin();
        launched.wait(GRACE)?;
        launched.kill_group();
        let reported = judge::reported_version(launched.printed());
        if let Some(reported) = reported.filter(|it| !crate::version::reports(it, version)) {
            bail!("{what} reports version {reported}, but the release is {version}");
        }
        Ok(())
    }
}

/// What is said of a package that nothing here can look into; none if something can.
pub(super) fn unread(kind: BundleKind, name: &str) -> Option<Looked> {
    let tool = unpack::missing(kind)?;
    Some(Looked {
        contents: Vec::new(),
        gap: Some(format!("{name}: {NOT_READ}")),
        hint: Some(how_to_install(tool)),
    })
}

/// The command that installs a tool, or what to look for.
fn how_to_install(tool: Tool) -> String {
    let system = System::detect(&Probes::open(PathBuf::new()));
    let package = system.manager.and_then(|it| tool.need.package(it));
    let commands = package.map(|it| system.install(&[it.to_owned()]));
    match commands {
        Some(commands) => {
            let lines: Vec<String> = commands.iter().map(|it| it.join(" ")).collect();
            lines.join(" && ")
        }
        None => format!("install {}, which unpacks it", tool.need),
    }
}

#[cfg(unix)]
fn mark_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs_err::set_permissions(
        file,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

/// Windows has no such mark.
#[cfg(not(unix))]
fn mark_executable(_file: &Path) -> Result<()> {
    Ok(())
}
