//! Installers for Windows and macOS, whose bundlers are not here: a script makes them of what the step
//! `bundle` hands it, and may put something else in. What reads them is real.
#![cfg(target_os = "linux")]

#[path = "support/frozen.rs"]
mod frozen;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

use std::{
    os::unix::fs::MetadataExt as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
    process::Command,
    sync::Arc,
};

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config::{self, BundleKind, NsisBundler, TauriCli},
    engine::{
        artifact::collect,
        event::Events,
        files::StatCache,
        probe::Probes,
        secret::Redactor,
        staging::Staging,
        step::{Done, Step as _},
    },
    release::{Release, SigningWish},
    steps::{
        bundle::Bundle,
        sign_code::{Code, Program},
    },
};

use project::Project;

/// Makes an installer of this kind, with the program that hides behind the marker: as Tauri's bundler
/// lays it out, but for what the folder `swap` holds instead.
const BUNDLER: &str = r#"set -eu
kind=$1 swap=$2
shift 2
work=$CARGO_TARGET_DIR release=$(echo "$CARGO_TARGET_DIR"/*/release) tree=$CARGO_TARGET_DIR/tree
made=$release/bundle/$kind programs=. resources=. follow=
if [ "$kind" = app ]; then made=$release/bundle/macos; fi
if [ "$kind" = app ] || [ "$kind" = dmg ]; then
    programs=small.app/Contents/MacOS resources=small.app/Contents/Resources
fi
if [ -e "$swap/../follow" ]; then follow=-L; fi
mkdir -p "$made" "$tree/$programs" "$tree/$resources"
for host in "$release"/small*; do
    if [ -f "$host" ]; then
        mark=$(case $kind in nsis) echo NSS;; msi) echo MSI;; *) echo UNK;; esac)
        LC_ALL=C sed "s/_TYPE_VAR_UNK/_TYPE_VAR_$mark/" "$host" > "$tree/$programs/${host##*/}"
        chmod 755 "$tree/$programs/${host##*/}"
    fi
done
case $kind in
app|dmg)
    while [ "$1" != --config ]; do shift; done
    node -e 'const { files } = JSON.parse(process.argv[1]).bundle.macOS;
        for (const [to, from] of Object.entries(files)) console.log(`${to}\n${from}`)' -- "$2" |
    while read -r to && read -r from; do
        mkdir -p "$(dirname "$tree/small.app/Contents/$to")"
        cp -R $follow "$from" "$tree/small.app/Contents/$to"
    done ;;
*) cp -R "$work/binaries/sidecars" "$tree/$resources" ;;
esac
cp -R "$swap/." "$tree"
cd "$tree"
case $kind in
app) mv small.app "$made" ;;
nsis)
    { echo 'Name small'; echo "OutFile \"$made/small-setup.exe\""; echo Section
      find . -type f | sed 's|^\./||' | while read -r file; do
          folder=$(dirname "$file" | sed 's|/|\\|g')
          echo "SetOutPath \"\$INSTDIR\\$folder\""; echo "File \"$file\""
      done
      echo SectionEnd; } > "$work/small.nsi"
    makensis -V1 -NOCD "$work/small.nsi" ;;
msi)
    { echo '<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi"><Product Id="*" Name="small"'
      echo 'Version="1.0.0" Manufacturer="Me" Language="1033"'
      echo 'UpgradeCode="2F5C1C3E-3B0B-4C0A-9B7C-4B8E8C0B6A11"><Package InstallerVersion="200"'
      echo 'Compressed="yes"/><Media Id="1" Cabinet="a.cab" EmbedCab="yes"/>'
      echo '<Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="ProgramFilesFolder">'
      echo '<Directory Id="INSTALLDIR" Name="small">'
      number=0
      component() {
          number=$((number + 1))
          guid=2F5C1C3E-3B0B-4C0A-9B7C-4B8E8C0B6B1$number
          echo "<Component Id=\"C$number\" Guid=\"$guid\">"
          echo "<File Id=\"F$number\" Name=\"${1##*/}\" Source=\"$1\"/></Component>"
      }
      for file in *.exe; do component "$file"; done
      echo '<Directory Id="D1" Name="sidecars"><Directory Id="D2" Name="x">'
      for file in sidecars/x/*; do component "$file"; done
      echo '</Directory></Directory></Directory></Directory></Directory><Feature Id="All" Level="1">'
      for id in $(seq $number); do echo "<ComponentRef Id=\"C$id\"/>"; done
      echo '</Feature></Product></Wix>'; } > "$work/small.wxs"
    wixl -o "$made/small.msi" "$work/small.wxs" ;;
dmg)
    ln -s /Applications Applications
    xorriso -as mkisofs -quiet -hfsplus -V small -o "$work/hybrid" .
    (cd "$work" && 7zz x -y -bso0 -bse0 -tapm hybrid || true)
    mv "$work/HFSPLUS_Hybrid.hfs" "$made/small.dmg" ;;
esac
"#;

/// What a freezer leaves of Python on macOS, and the links in it.
const FRAMEWORK: &str = "Python.framework";
const LINKS: [(&str, &str); 2] = [
    ("Versions/Current", "3.11"),
    ("Python", "Versions/Current/Python"),
];

/// What was built: a host with the bundler's marker, and a sidecar with a library.
struct Case {
    kind: BundleKind,
    triple: &'static str,
    exe: &'static str,
    folder: tempfile::TempDir,
}

impl Case {
    /// None, and a line that says so, without the programs that make and unpack it.
    fn new(kind: BundleKind, programs: &[&str]) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap();
        let is_there = |it: &&&str| std::env::split_paths(&path).any(|at| at.join(it).is_file());
        if let Some(missing) = programs.iter().find(|it| !is_there(it)) {
            project::skip(&format!("skipped: no {missing}"));
            return None;
        }
        let (triple, exe) = match kind {
            BundleKind::App | BundleKind::Dmg => ("aarch64-apple-darwin", ""),
            _ => ("x86_64-pc-windows-msvc", ".exe"),
        };
        let folder = tempfile::tempdir().unwrap();
        let case = Self {
            kind,
            triple,
            exe,
            folder,
        };
        let host = "MZ __TAURI_BUNDLE_TYPE_VAR_UNK of the host\n";
        case.write(&format!("code/small{exe}"), host.as_bytes());
        case.write(&format!("code/sidecars/x/x{exe}"), b"MZ the sidecar\n");
        case.write("code/sidecars/x/library", b"library\n");
        if exe.is_empty() {
            let framework = format!("code/sidecars/x/{FRAMEWORK}");
            case.write(&format!("{framework}/Versions/3.11/Python"), b"Python\n");
            for (at, to) in LINKS {
                symlink(to, case.path(&framework).join(at)).unwrap();
            }
        }
        fs::create_dir(case.path("swap")).unwrap();
        Some(case)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn code(&self) -> Done<Code> {
        let folder = self.path("code");
        let cache = StatCache::open(PathBuf::new(), true, xtask::engine::exec::quiet);
        Done {
            step: "sign-code".to_owned(),
            artifacts: collect(&folder, &cache).unwrap(),
            output: Code {
                left_alone: Vec::new(),
                host: format!("small{}", self.exe),
                others: Vec::new(),
                libraries: Vec::new(),
                sidecars: vec![Program {
                    name: "x".to_owned(),
                    executable: format!("sidecars/x/x{}", self.exe),
                    folder: Some("sidecars/x".to_owned()),
                }],
                external: Vec::new(),
            },
            folder,
        }
    }

    /// What the step finds inside, or says instead.
    fn bundled(&self) -> String {
        let project = Project::new();
        let mut config = config::load(&project.root, None).unwrap();
        self.write("bundler", BUNDLER.as_bytes());
        let kind = format!("{:?}", self.kind).to_lowercase();
        let (script, swap) = (self.path("bundler"), self.path("swap"));
        let words = [
            "sh",
            script.to_str().unwrap(),
            &kind,
            swap.to_str().unwrap(),
        ];
        config.bundle.cli = TauriCli::Command(words.map(str::to_owned).into());
        config.bundle.windows = vec![self.kind];
        config.bundle.windows_installer.nsis_bundler = Some(NsisBundler::Tauri);
        config.bundle.macos = vec![self.kind];
        let probes = Probes::open(PathBuf::new());
        let (target, state) = (self.triple.parse().unwrap(), self.path("state"));
        let (wish, redactor) = (SigningWish::Unsigned, Redactor::default());
        let release = Release::new(config, target, wish, &state, &probes, &redactor).unwrap();
        let bundle = Bundle::new(&release, &self.code(), None);
        let done = frozen::in_session(&project.root, Events::default(), &Arc::default(), |cx| {
            let out = Staging::create(&self.path("stage"), "bundle")?;
            let made = bundle.run(cx, &out)?;
            for it in &made.installers {
                // An app is a folder with links.
                let mut copy = Command::new("cp");
                copy.args(["-R", "-P"]).arg(out.path().join(&it.file));
                assert!(copy.arg(self.path("")).status()?.success());
            }
            Ok(made)
        });
        let text = match done {
            Err(error) => format!("{error:#}\n"),
            Ok(made) => {
                assert_eq!(made.installers[0].gap, None);
                let contents = made.installers[0].contents.iter();
                contents.map(|it| format!("{}\n", it.path)).collect()
            }
        };
        // The same for all; `dist::placeholders` shows it.
        let text = text.split("hint: ").next().unwrap_or_default();
        // Where Windows, or who unpacks, puts it.
        let text = text.replace("Program Files/small/", "");
        let at = text.find(": /").unwrap_or(text.len());
        format!("{}\n", text[..at].trim_end())
    }

    /// With these files instead of those that were built, or besides.
    fn check(&self, files: &[(&str, &[u8])], expected: Expect) {
        for (path, content) in files {
            self.write(&format!("swap/{path}"), content);
        }
        expected.assert_eq(&self.bundled());
        fs::remove_dir_all(self.path("swap")).unwrap();
        fs::create_dir(self.path("swap")).unwrap();
    }
}

#[test]
fn a_setup_by_nsis_holds_what_was_built() {
    if let Some(case) = Case::new(BundleKind::Nsis, &["makensis", "7zz"]) {
        for_windows(&case);
        // Two programs of one name are one too many.
        case.check(
            &[("other/small.exe", b"MZ")],
            expect![[r#"
            the package holds two of small.exe: other/small.exe and small.exe
        "#]],
        );
    }
}

#[test]
fn an_msi_holds_what_was_built() {
    if let Some(case) = Case::new(BundleKind::Msi, &["wixl", "msiextract"]) {
        for_windows(&case);
    }
}

fn for_windows(case: &Case) {
    case.check(
        &[],
        expect![[r#"
        small.exe
        sidecars/x/x.exe
    "#]],
    );
    case.check(
        &[("small.exe", b"")],
        expect![[r#"
        small.exe in the package is an empty file
    "#]],
    );
    case.check(
        &[("small.exe", b"#!/bin/sh\n")],
        expect![[r#"
        small.exe in the package is a script, not an executable
    "#]],
    );
    case.check(
        &[("small.exe", b"placeholder\n")],
        expect![[r#"
        small.exe in the package is no executable of any known format
    "#]],
    );
    case.check(
        &[("small.exe", &fs::read("/bin/true").unwrap())],
        expect![[r#"
            small.exe in the package is a Elf file, but x86_64-pc-windows-msvc wants Pe
        "#]],
    );
    case.check(
        &[("sidecars/x/x.exe", b"")],
        expect![[r#"
        sidecars/x/x.exe in the package is an empty file
    "#]],
    );
    case.check(
        &[("sidecars/x/library", b"other")],
        expect![[r#"
        sidecars/x/library in the package is not the file that was built and tried out
    "#]],
    );
    case.check(
        &[("sidecars/x/more", b"more")],
        expect![[r#"
        sidecars/x/more in the package is no file that was built
    "#]],
    );
}

#[test]
fn a_disk_image_holds_what_was_built() {
    let Some(case) = Case::new(BundleKind::Dmg, &["xorriso", "7zz", "node"]) else {
        return;
    };
    case.check(
        &[],
        expect![[r#"
            small/small.app/Contents/MacOS/small
            small/small.app/Contents/Resources/sidecars/x/x
        "#]],
    );
    case.write("follow", b"");
    case.check(&[], expect![[r#"
        small/small.app/Contents/Resources/sidecars/x/Python.framework/Python in the package is not the file that was built and tried out
    "#]]);
    fs::remove_file(case.path("follow")).unwrap();
    let host = "small.app/Contents/MacOS/small";
    case.check(
        &[(host, b"")],
        expect![[r#"
        small/small.app/Contents/MacOS/small in the package is an empty file
    "#]],
    );
    case.check(&[(host, &fs::read("/bin/true").unwrap())], expect![[r#"
        small/small.app/Contents/MacOS/small in the package is a Elf file, but aarch64-apple-darwin wants MachO
    "#]]);
    let library = "small.app/Contents/Resources/sidecars/x/library";
    case.check(&[(library, b"other")], expect![[r#"
        small/small.app/Contents/Resources/sidecars/x/library in the package is not the file that was built and tried out
    "#]]);
    let more = "small.app/Contents/Resources/sidecars/x/more";
    case.check(
        &[(more, b"more")],
        expect![[r#"
        small/small.app/Contents/Resources/sidecars/x/more in the package is no file that was built
    "#]],
    );
}

#[test]
fn a_bundle_for_macos_holds_what_was_built() {
    let Some(case) = Case::new(BundleKind::App, &["node"]) else {
        return;
    };
    case.check(
        &[],
        expect![[r#"
        small.app/Contents/MacOS/small
        small.app/Contents/Resources/sidecars/x/x
    "#]],
    );
    // Links are still links.
    let app = case.path("small.app");
    let mut folders = vec![app.clone()];
    let mut listed = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(app.parent().unwrap()).unwrap().display();
            let metadata = fs::symlink_metadata(&path).unwrap();
            match fs::read_link(&path) {
                Ok(to) => listed.insert(format!("{name} -> {}\n", to.display())),
                Err(_) if metadata.is_dir() => {
                    folders.push(path);
                    true
                }
                Err(_) => listed.insert(format!("{name} {:o}\n", metadata.mode() & 0o777)),
            };
        }
    }
    let listed: String = listed.into_iter().collect();
    expect![[r#"
        small.app/Contents/MacOS/small 755
        small.app/Contents/Resources/sidecars/x/Python.framework/Python -> Versions/Current/Python
        small.app/Contents/Resources/sidecars/x/Python.framework/Versions/3.11/Python 755
        small.app/Contents/Resources/sidecars/x/Python.framework/Versions/Current -> 3.11
        small.app/Contents/Resources/sidecars/x/library 755
        small.app/Contents/Resources/sidecars/x/x 755
    "#]]
    .assert_eq(&listed);
    case.write("follow", b"");
    case.check(&[], expect![[r#"
        small.app/Contents/Resources/sidecars/x/Python.framework/Python in the package is not the file that was built and tried out
    "#]]);
    fs::remove_file(case.path("follow")).unwrap();
    let host = "small.app/Contents/MacOS/small";
    case.check(
        &[(host, b"")],
        expect![[r#"
        small.app/Contents/MacOS/small in the package is an empty file
    "#]],
    );
    let library = "small.app/Contents/Resources/sidecars/x/library";
    case.check(&[(library, b"other")], expect![[r#"
        small.app/Contents/Resources/sidecars/x/library in the package is not the file that was built and tried out
    "#]]);
}
