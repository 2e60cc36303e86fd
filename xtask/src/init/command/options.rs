//! The options of both freezers: which take a value, and what becomes of each. PyInstaller 6.22
//! (`PyInstaller.__main__.generate_parser`), with those that 5 had besides; Nuitka 4.3
//! (`nuitka.options.OptionParsing`). Both take a beginning of a long option for it, if no other begins so.

use crate::config::{Freezer, Layout};

/// What becomes of an option.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// It says what is left behind.
    Layout(Layout),
    /// Nuitka's `--mode`, which says that, too.
    Mode,
    /// The executable's name.
    Name,
    /// What is started.
    Entry,
    /// Modules that no import statement shows.
    Modules,
    /// Packages to include as a whole.
    Packages,
    /// Modules to leave out.
    Exclude,
    /// `from:to`, a file or folder to carry along.
    Data,
    /// `from=to`, the same with Nuitka.
    Files,
    /// A text in the executable, by its key in `dist.toml`.
    Metadata(&'static str),
    /// The freezer is told it as before.
    Args,
    /// The release's own business.
    Own,
    /// It has no place, and why.
    Leave(&'static str),
}

/// An option: all its names, without dashes and parted by a space; whether it takes a value; what becomes
/// of it.
pub(super) type Known = (&'static str, bool, Action);

use Action::{
    Args, Data, Entry, Exclude, Files, Leave, Metadata, Mode, Modules, Name, Own, Packages,
};

/// Why a window is no business of a sidecar.
pub(in crate::init) const CONSOLE: &str =
    "a sidecar needs its stdin and stdout; the host starts it without a window";
const PATHS: &str = "modules are looked for beside the entry and among the locked packages; make it a package \
     with `__main__.py`, or install it by the lock";
const PATH_IN_ARGS: &str = "`[sidecar.pyinstaller] args` takes it, with a path from the top";
const IN_ARGS: &str = "`[sidecar.pyinstaller] args` takes it all the same";
pub(in crate::init) const UNSEEN: &str =
    "nobody sees it of a sidecar; `[sidecar.pyinstaller] args` takes it all the same";
const UNSEEN_NUITKA: &str =
    "nobody sees it of a sidecar; `[sidecar.nuitka] args` takes it all the same";
const GONE: &str = "PyInstaller 6 does not know it any more";
const UNPINNED: &str = "nothing unpinned is fetched; what Nuitka needs, `cargo xtask doctor` names";
const SIGNING: &str = "signing is a step of its own: `[sign.macos]`";
const BUNDLE: &str = "Tauri makes the bundle; a sidecar is a program in it";
/// Why an option that stands in no table stays behind.
pub(super) const UNKNOWN: &str =
    "not known to `init`; if it is needed, put it into `args` of the freezer";

const PYINSTALLER: &[Known] = &[
    ("F onefile", false, Action::Layout(Layout::Onefile)),
    ("D onedir", false, Action::Layout(Layout::Folder)),
    ("n name", true, Name),
    ("hidden-import hiddenimport", true, Modules),
    ("collect-all", true, Packages),
    ("collect-submodules", true, Packages),
    ("exclude-module", true, Exclude),
    ("add-data", true, Data),
    ("collect-data collect-datas", true, Args),
    ("collect-binaries", true, Args),
    ("copy-metadata", true, Args),
    ("recursive-copy-metadata", true, Args),
    ("optimize", true, Args),
    ("python-option", true, Args),
    ("s strip", false, Args),
    ("noupx", false, Args),
    ("disable-windowed-traceback", false, Args),
    ("bootloader-ignore-signals", false, Args),
    ("p paths", true, Leave(PATHS)),
    ("add-binary", true, Leave(PATH_IN_ARGS)),
    ("runtime-hook", true, Leave(PATH_IN_ARGS)),
    ("additional-hooks-dir", true, Leave(PATH_IN_ARGS)),
    ("upx-dir", true, Leave(PATH_IN_ARGS)),
    ("splash", true, Leave(PATH_IN_ARGS)),
    ("splash-center", true, Leave(UNSEEN)),
    ("contents-directory", true, Leave(IN_ARGS)),
    ("upx-exclude", true, Leave(IN_ARGS)),
    ("r resource", true, Leave(PATH_IN_ARGS)),
    ("m manifest", true, Leave(PATH_IN_ARGS)),
    ("uac-admin", false, Leave(IN_ARGS)),
    ("uac-uiaccess", false, Leave(IN_ARGS)),
    ("argv-emulation", false, Leave(BUNDLE)),
    ("i icon", true, Leave(UNSEEN)),
    ("runtime-tmpdir", true, Leave(IN_ARGS)),
    ("w windowed noconsole", false, Leave(CONSOLE)),
    ("hide-console", true, Leave(CONSOLE)),
    ("c console nowindowed", false, Own),
    ("distpath", true, Own),
    ("workpath", true, Own),
    ("specpath", true, Own),
    ("log-level", true, Own),
    ("version-file", true, Own),
    ("target-architecture target-arch", true, Own),
    ("codesign-identity", true, Own),
    ("osx-bundle-identifier", true, Own),
    ("osx-entitlements-file", true, Own),
    ("d debug", true, Own),
    ("y noconfirm", false, Own),
    ("clean", false, Own),
    ("h help", false, Own),
    ("v version", false, Own),
    ("a ascii", false, Leave(GONE)),
    ("key", true, Leave(GONE)),
    ("no-embed-manifest", false, Leave(GONE)),
    ("win-private-assemblies", false, Leave(GONE)),
    ("win-no-prefer-redirects", false, Leave(GONE)),
];

const NUITKA: &[Known] = &[
    ("onefile", false, Action::Layout(Layout::Onefile)),
    ("standalone", false, Own),
    ("mode", true, Mode),
    ("o output-filename", true, Name),
    ("main script-name", true, Entry),
    ("include-module", true, Modules),
    ("include-package", true, Packages),
    ("nofollow-import-to", true, Exclude),
    ("include-data-files include-data-file", true, Files),
    ("include-data-dir", true, Files),
    ("include-raw-dir", true, Files),
    (
        "company-name windows-company-name",
        true,
        Metadata("company"),
    ),
    (
        "file-description windows-file-description",
        true,
        Metadata("description"),
    ),
    ("copyright", true, Metadata("copyright")),
    ("enable-plugins enable-plugin plugin-enable", true, Args),
    ("disable-plugins disable-plugin plugin-disable", true, Args),
    ("plugin-no-detection", false, Args),
    ("module-parameter", true, Args),
    ("include-package-data", true, Args),
    ("include-distribution-metadata", true, Args),
    ("include-windows-runtime-dlls", true, Args),
    (
        "include-onefile-external-data include-data-files-external",
        true,
        Args,
    ),
    ("noinclude-data-files", true, Args),
    ("noinclude-dlls", true, Args),
    ("noinclude-pytest-mode", true, Args),
    ("noinclude-setuptools-mode", true, Args),
    ("noinclude-unittest-mode", true, Args),
    ("noinclude-custom-mode", true, Args),
    ("noinclude-default-mode", true, Args),
    ("follow-import-to", true, Args),
    ("nofollow-imports", false, Args),
    ("follow-stdlib", false, Args),
    ("prefer-source-code", false, Args),
    ("no-prefer-source-code", false, Args),
    ("python-flag", true, Args),
    ("static-libpython", true, Args),
    ("cf-protection", true, Args),
    ("clang", false, Args),
    ("mingw64", false, Args),
    ("zig", false, Args),
    ("msvc", true, Args),
    ("onefile-tempdir-spec", true, Args),
    ("onefile-cache-mode", true, Args),
    ("onefile-child-grace-time", true, Args),
    ("onefile-no-compression", false, Args),
    ("onefile-as-archive", false, Args),
    ("onefile-no-dll", false, Args),
    ("no-deployment-flag", true, Args),
    ("anti-bloat", true, Args),
    ("disable-ccache", false, Args),
    ("assume-yes-for-downloads", false, Leave(UNPINNED)),
    ("macos-sign-identity", true, Leave(SIGNING)),
    ("macos-sign-notarization", false, Leave(SIGNING)),
    ("macos-create-app-bundle", false, Leave(BUNDLE)),
    ("windows-icon-from-ico", true, Leave(UNSEEN_NUITKA)),
    ("windows-icon-from-exe", true, Leave(UNSEEN_NUITKA)),
    (
        "linux-icon linux-app-icon linux-onefile-icon",
        true,
        Leave(UNSEEN_NUITKA),
    ),
    ("macos-app-icon", true, Leave(UNSEEN_NUITKA)),
    ("output-dir", true, Own),
    ("output-folder-name", true, Own),
    ("remove-output", false, Own),
    ("product-name windows-product-name", true, Own),
    ("product-version windows-product-version", true, Own),
    ("file-version windows-file-version", true, Own),
    ("show-progress", false, Own),
    ("show-memory", false, Own),
    ("show-modules", false, Own),
    ("show-scons", false, Own),
    ("progress-bar", true, Own),
    ("no-progressbar no-progress-bar", false, Own),
    ("quiet", false, Own),
    ("verbose", false, Own),
    ("verbose-output", true, Own),
    ("j jobs", true, Own),
    ("report", true, Own),
    ("lto", true, Own),
    ("follow-imports", false, Own),
    ("target-arch", true, Own),
    ("macos-target-arch", true, Own),
    ("windows-console-mode", true, Own),
    (
        "disable-console macos-disable-console windows-disable-console",
        false,
        Own,
    ),
    ("enable-console", false, Own),
    ("deployment", false, Own),
    ("no-pyi-file", false, Own),
    ("no-pyi-stubs", false, Own),
    ("low-memory", false, Own),
    ("update-check", true, Own),
    ("macos-app-version", true, Own),
    ("macos-app-name", true, Own),
    ("macos-signed-app-name", true, Own),
    ("h help", false, Own),
    ("version", false, Own),
];

/// The option of this name. Of the beginning of a long one that only, if it is but one's.
pub(super) fn known(freezer: Freezer, name: &str) -> Option<&'static Known> {
    let table = match freezer {
        Freezer::Pyinstaller => PYINSTALLER,
        Freezer::Nuitka => NUITKA,
    };
    if let Some(exact) = table
        .iter()
        .find(|it| it.0.split(' ').any(|own| own == name))
    {
        return Some(exact);
    }
    let begins = |it: &&Known| {
        it.0.split(' ')
            .any(|own| own.len() > 1 && own.starts_with(name))
    };
    let mut found = table.iter().filter(begins);
    found
        .next()
        .filter(|_| name.len() > 1 && found.next().is_none())
}
