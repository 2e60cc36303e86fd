//! A Windows that a test may do with as it likes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use fs_err as fs;
use xtask::engine::files::{hash_file, hex};
use xtask_practice::tools;

/// What `cargo xtask test --setup` unpacked: see tools/wine.py.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/wine");
/// Inno Setup's compiler, by the same.
const INNO_SETUP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/tools/innosetup/node_modules/innosetup/bin"
);
/// What is run of Inno Setup 6.4.1, by hash.
const PINNED: [(&str, &str); 7] = [
    (
        "Default.isl",
        "7ee2c288450b40821d84ebd75deebe755a976cc99ddc6979b9369cdb4872d46e",
    ),
    (
        "ISCC.exe",
        "3a34c0beaf8c9c66774c1c1286a504db403e97e1b2fba691b3ba865dbce7edb2",
    ),
    (
        "ISCmplr.dll",
        "c4dedf1b3cd7126f34fa0e131c7e41c3157548df9a1e7e997e793c836ebf0afd",
    ),
    (
        "ISPP.dll",
        "f4de9a360ea1feee9afcf3d0e1270c1607872809fc6eb537cc72aeef9d2d6a02",
    ),
    (
        "Setup.e32",
        "90aac9e0cdbe2b4e10b38169c7559f28fc039544ea9c77f0aeb28ad99b067e14",
    ),
    (
        "SetupLdr.e32",
        "71fbd8bc7db321b9683d111c0391db25fcedc63add0ebd3fef532963a4b67a1e",
    ),
    (
        "islzma64.exe",
        "56ecc392241bd81d9845c2ac9f91958e928d045117253849921e87f318fe56e1",
    ),
];

/// Says what is missing; not even that with `XTASK_FULL`.
fn skip(what: &str) {
    let install = "`cargo xtask test --setup` installs it";
    let full = std::env::var_os("XTASK_FULL").is_some();
    assert!(!full, "no {what}, but XTASK_FULL is set; {install}");
    eprintln!("skipped: no {what}; {install}");
}

/// Inno Setup's compiler, for [`Wine::for_32_bits`]; none is said.
pub fn iscc() -> Option<PathBuf> {
    let folder = Path::new(INNO_SETUP);
    let Ok(iscc) = fs::canonicalize(folder.join("ISCC.exe")) else {
        skip("ISCC.exe");
        return None;
    };
    for (name, sha256) in PINNED {
        let found = hex(&hash_file(&folder.join(name)).unwrap());
        assert_eq!(
            found, sha256,
            "{name} is another than that of innosetup 6.4.1"
        );
    }
    Some(iscc)
}

/// A Windows of its own, with a home of its own, since wine links the desktop into that.
pub struct Wine {
    folder: tempfile::TempDir,
    program: PathBuf,
    /// What was there before anything was installed.
    before: BTreeMap<String, String>,
}

impl Wine {
    /// With the wine of `cargo xtask test --setup`, else with the one on PATH, which may know only 64
    /// bits.
    pub fn new() -> Self {
        let mut wine = Self {
            folder: tempfile::tempdir().unwrap(),
            program: "wine".into(),
            before: BTreeMap::new(),
        };
        fs::create_dir(wine.folder.path().join("home")).unwrap();
        let unpacked = Path::new(UNPACKED);
        if unpacked.join("complete").is_file() {
            wine.program = fs::canonicalize(unpacked.join("bin/wine")).unwrap();
            let mut copy = Command::new("cp");
            copy.args(["-a", "--reflink=auto"])
                .arg(unpacked.join("prefix"));
            tools::run(copy.arg(wine.folder.path())).unwrap();
        } else {
            assert_eq!(wine.run(&["wineboot", "-i"]).0, 0, "wine starts");
        }
        wine.before = wine.users();
        wine
    }

    /// One that runs programs of 32 bits, too; none is said.
    pub fn for_32_bits() -> Option<Self> {
        let is_there = Path::new(UNPACKED).join("complete").is_file();
        if !is_there {
            skip("wine for 32 bits");
        }
        is_there.then(Self::new)
    }

    fn variables(&self) -> [(&'static str, PathBuf); 5] {
        let folder = self.folder.path();
        [
            ("WINEPREFIX", folder.join("prefix")),
            ("HOME", folder.join("home")),
            ("USER", "somebody".into()),
            ("WINEDEBUG", "-all".into()),
            (
                "WINEDLLOVERRIDES",
                "mscoree,mshtml,winemenubuilder.exe=".into(),
            ),
        ]
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(self.folder.path());
        command.envs(self.variables()).env_remove("DISPLAY");
        command
    }

    /// A program that runs another in this Windows, whatever its variables are.
    pub fn script(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let exports = self
            .variables()
            .map(|(name, value)| format!("export {name}='{}'\n", value.display()));
        let path = self.folder.path().join("wine.sh");
        let text = format!(
            "#!/bin/sh\n{}exec {} \"$@\"\n",
            exports.concat(),
            self.program.display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The status that it ended with, and what it wrote.
    pub fn run(&self, words: &[&str]) -> (i32, String) {
        let output = tools::output(&mut self.command(words)).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        (output.status.code().unwrap_or(-1), text)
    }

    /// The files of all users, by path with their hash, but for what wine and Windows keep.
    fn users(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for folder in ["prefix/drive_c/users", "home"] {
            collect(&self.folder.path().join(folder), &mut found);
        }
        // A copy of the uninstaller, which removes what cannot remove itself: NSIS has it deleted
        // with the next start.
        let copies = ["/Temp/~nsu", "/Temp/_iu", "/Temp/iu-"];
        found.retain(|path, _| !copies.iter().any(|it| path.contains(it)));
        found
    }

    /// What is there that was not there before.
    pub fn added(&self) -> BTreeMap<String, String> {
        let mut now = self.users();
        now.retain(|path, hash| self.before.get(path) != Some(hash));
        let name = |path: &str| {
            path.rsplit_once("/somebody/")
                .map_or(path.to_owned(), |it| it.1.to_owned())
        };
        now.iter()
            .map(|(path, hash)| (name(path), hash.clone()))
            .collect()
    }

    pub fn local(&self) -> PathBuf {
        self.folder
            .path()
            .join("prefix/drive_c/users/somebody/AppData/Local")
    }

    /// What programs of Rust want, and wine 8 has not.
    pub fn has_bcryptprimitives(&self) -> bool {
        let system = self.folder.path().join("prefix/drive_c/windows/system32");
        system.join("bcryptprimitives.dll").is_file()
    }

    /// An uninstaller goes on in a copy of itself.
    pub fn wait_until_gone(&self, path: &Path) {
        let began = Instant::now();
        while path.exists() {
            let mut left = BTreeMap::new();
            collect(path, &mut left);
            let left: Vec<_> = left.into_keys().collect();
            let is_late = began.elapsed() > Duration::from_secs(120);
            assert!(!is_late, "{path:?} is still there, with {left:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What stands under "Installed apps" of this name.
    pub fn registered(&self, name: &str) -> String {
        let key = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall";
        let (_, text) = self.run(&["reg", "query", &format!("{key}\\{name}")]);
        let differs = |it: &str| {
            ["EstimatedSize", "InstallDate"]
                .iter()
                .any(|name| it.contains(name))
        };
        let lines = text
            .lines()
            .filter(|it| it.contains("REG_") && !differs(it));
        let words = |it: &str| it.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
        lines.map(words).collect()
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // Its services would write into a folder that is gone.
        self.run(&["wineboot", "-k"]);
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(&entry.path(), found);
        } else if kind.is_file() {
            let hash = hex(&hash_file(&entry.path()).unwrap());
            found.insert(entry.path().to_string_lossy().into_owned(), hash);
        }
    }
}
