//! Real installers of each kind, made here of the same files. Where the program that makes one is
//! missing, its test says so and does nothing; `cargo xtask test --setup` installs them all.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::{Duration, UNIX_EPOCH},
};

use anyhow::ensure;
use expect_test::{Expect, expect};

use super::*;
use crate::engine::exec;

/// When the program of the installers was written: 2020-01-02T03:04:05Z.
const WRITTEN: u64 = 1_577_934_245;

/// Says that a test does nothing, or less, for want of a program. Where all tests are to run, that is a
/// failure.
pub(crate) fn skip(why: &str) {
    let install = "`cargo xtask test --setup` installs what is missing";
    let all = ["CI", "XTASK_FULL"];
    let is_set = |it: &&str| std::env::var_os(it).is_some_and(|it| !it.is_empty());
    match all.into_iter().find(is_set) {
        Some(name) => panic!("{why}, but {name} is set; {install}"),
        None => eprintln!("{why}; {install}"),
    }
}

/// A folder with the files of an app.
struct Making {
    folder: tempfile::TempDir,
}

impl Making {
    /// None if one of these programs is missing.
    fn with(programs: &[&str]) -> Option<Self> {
        let missing = programs.iter().find(|it| which::which(it).is_err());
        if let Some(missing) = missing {
            skip(&format!("skipped: no {missing}"));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8], mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(WRITTEN))
            .unwrap();
    }

    /// A program, a library beside a sidecar, and a link to it.
    fn app(&self, programs: &str, resources: &str) {
        self.write(&format!("{programs}/app"), b"host", 0o755);
        self.write(&format!("{resources}/sidecars/x/x"), b"sidecar", 0o755);
        self.write(&format!("{resources}/sidecars/x/lib.so"), b"lib", 0o644);
        symlink("lib.so", self.path(resources).join("sidecars/x/link")).unwrap();
    }

    /// Runs a program that makes an installer, with the words of this line.
    fn run(&self, line: &str) {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir(self.folder.path());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{line}\n{}",
            String::from_utf8_lossy(&said)
        );
    }

    fn unpack(&self, kind: BundleKind, package: &str) -> Result<Unpacked> {
        let run = |command| {
            let (ended_well, said) = exec::quiet(command)?;
            ensure!(ended_well, "{said}");
            Ok(())
        };
        unpack(kind, &self.path(package), &self.path("inside"), &run)
    }

    /// What is inside, a line each; the bytes in the folder must be those that were hashed.
    fn check(&self, kind: BundleKind, package: &str, expected: Expect) {
        let unpacked = self.unpack(kind, package).unwrap();
        let folder = unpacked.folder().unwrap();
        let mut text = String::new();
        for (path, it) in &unpacked.inside {
            let mark = if it.executable { 'x' } else { '-' };
            let what = match &it.link {
                Some(target) => format!("-> {target}"),
                None => {
                    let content = fs::read(folder.join(path)).unwrap();
                    let hash = crate::engine::files::hash_file(&folder.join(path)).unwrap();
                    assert_eq!(crate::engine::files::hex(&hash), it.sha256, "{path}");
                    String::from_utf8_lossy(&content).into_owned()
                }
            };
            let written = it
                .modified
                .and_then(|it| it.duration_since(UNIX_EPOCH).ok());
            let off = written.map(|it| it.as_secs().abs_diff(WRITTEN));
            // NSIS and MSI count in pairs of seconds.
            let time = match off.is_some_and(|it| it <= 2) {
                true => ", its time kept",
                false => "",
            };
            text += &format!("{path} {mark} {what}{time}\n");
        }
        expected.assert_eq(&text);
    }
}

#[test]
fn unpacks_an_rpm() {
    let Some(making) = Making::with(&["rpmbuild", "rpm", "rpm2archive"]) else {
        return;
    };
    making.app("tree/usr/bin", "tree/usr/lib/My");
    let spec = "Name: app\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nAutoReqProv: no\n\
                %define _build_id_links none\n%define __os_install_post %{nil}\n%description\ns\n\
                %install\ncp -a %{tree}/. %{buildroot}/\n%files\n/usr\n";
    making.write("app.spec", spec.as_bytes(), 0o644);
    let top = making.folder.path().display().to_string();
    let mut build = Command::new("rpmbuild");
    build.args(["-bb", "--define", &format!("_topdir {top}/top")]);
    build.args(["--define", &format!("tree {top}/tree")]);
    build.args(["--define", &format!("_rpmdir {top}")]);
    build.args(["--define", "_rpmfilename app.rpm", "app.spec"]);
    let output = build.current_dir(&top).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    making.check(
        BundleKind::Rpm,
        "app.rpm",
        expect![[r#"
        usr/bin/app x host, its time kept
        usr/lib/My/sidecars/x/lib.so - lib, its time kept
        usr/lib/My/sidecars/x/link x -> lib.so
        usr/lib/My/sidecars/x/x x sidecar, its time kept
    "#]],
    );
    // A byte of the payload.
    let mut bytes = fs::read(making.path("app.rpm")).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(making.path("app.rpm"), bytes).unwrap();
    let error = making.unpack(BundleKind::Rpm, "app.rpm").err().unwrap();
    assert!(error.to_string().contains("NOT OK"), "{error}");
}

#[test]
fn unpacks_an_appimage() {
    let Some(making) = Making::with(&["mksquashfs", "unsquashfs"]) else {
        return;
    };
    making.app("tree/usr/bin", "tree/usr/lib/My");
    making.run("mksquashfs tree image -root-owned -noappend -no-progress");
    let mut bytes = fs::read("/bin/true").unwrap();
    let runtime = bytes.clone();
    bytes.extend(fs::read(making.path("image")).unwrap());
    making.write("App.AppImage", &bytes, 0o755);
    making.check(
        BundleKind::Appimage,
        "App.AppImage",
        expect![[r#"
        usr/bin/app x host, its time kept
        usr/lib/My/sidecars/x/lib.so - lib, its time kept
        usr/lib/My/sidecars/x/link x -> lib.so
        usr/lib/My/sidecars/x/x x sidecar, its time kept
    "#]],
    );
    let check = |content: &[u8], expected: &str| {
        making.write("App.AppImage", content, 0o755);
        let error = making.unpack(BundleKind::Appimage, "App.AppImage").err();
        let error = error.unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check(&runtime, "no squashfs image behind the program");
    check(b"#!/bin/sh\n", "no AppImage: ");
}

#[test]
fn unpacks_what_nsis_made() {
    let Some(making) = Making::with(&["makensis", "7zz"]) else {
        return;
    };
    making.app("tree", "tree");
    let script = "Name App\nOutFile setup.exe\nInstallDir \"$LOCALAPPDATA\\App\"\nSection\n\
                  SetOutPath $INSTDIR\nFile \"/oname=app.exe\" tree/app\n\
                  CreateDirectory \"$INSTDIR\\sidecars\\x\"\n\
                  File \"/oname=sidecars\\x\\x.exe\" tree/sidecars/x/x\n\
                  SectionEnd\n";
    making.write("app.nsi", script.as_bytes(), 0o644);
    making.run("makensis -V1 app.nsi");
    making.check(
        BundleKind::Nsis,
        "setup.exe",
        expect![[r#"
        app.exe - host, its time kept
        sidecars/x/x.exe - sidecar, its time kept
    "#]],
    );
}

#[test]
fn unpacks_an_msi() {
    let Some(making) = Making::with(&["wixl", "msiextract"]) else {
        return;
    };
    making.app("tree", "tree");
    making.write("app.wxs", MSI.as_bytes(), 0o644);
    making.run("wixl -o app.msi app.wxs");
    making.check(
        BundleKind::Msi,
        "app.msi",
        expect![[r#"
        Program Files/My App/app.exe - host
        Program Files/My App/sidecars/x/x.exe - sidecar
    "#]],
    );
}

/// As WiX has it.
const MSI: &str = r#"<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
<Product Id="*" Name="App" Version="1.0.0" Manufacturer="Me" Language="1033"
    UpgradeCode="2F5C1C3E-3B0B-4C0A-9B7C-4B8E8C0B6A11">
  <Package InstallerVersion="200" Compressed="yes"/>
  <Media Id="1" Cabinet="a.cab" EmbedCab="yes"/>
  <Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="ProgramFilesFolder">
    <Directory Id="INSTALLDIR" Name="My App">
      <Component Id="C1" Guid="2F5C1C3E-3B0B-4C0A-9B7C-4B8E8C0B6A12">
        <File Id="F1" Name="app.exe" Source="tree/app"/>
      </Component>
      <Directory Id="D1" Name="sidecars"><Directory Id="D2" Name="x">
        <Component Id="C2" Guid="2F5C1C3E-3B0B-4C0A-9B7C-4B8E8C0B6A13">
          <File Id="F2" Name="x.exe" Source="tree/sidecars/x/x"/>
        </Component>
      </Directory></Directory>
    </Directory>
  </Directory></Directory>
  <Feature Id="All" Level="1"><ComponentRef Id="C1"/><ComponentRef Id="C2"/></Feature>
</Product></Wix>
"#;

/// A volume of HFS+, as it lies inside of a disk image.
#[test]
fn unpacks_a_disk_image() {
    let Some(making) = Making::with(&["xorriso", "7zz"]) else {
        return;
    };
    making.app(
        "tree/App.app/Contents/MacOS",
        "tree/App.app/Contents/Resources",
    );
    symlink("/Applications", making.path("tree/Applications")).unwrap();
    making.run("xorriso -as mkisofs -quiet -hfsplus -V App -o hybrid tree");
    // It complains of the rest, where no partition is.
    let mut volume = Command::new("7zz");
    volume.args(["x", "-y", "-tapm", "hybrid"]);
    volume.current_dir(making.folder.path()).output().unwrap();
    fs::rename(making.path("HFSPLUS_Hybrid.hfs"), making.path("App.dmg")).unwrap();
    making.check(
        BundleKind::Dmg,
        "App.dmg",
        expect![[r#"
        App/App.app/Contents/MacOS/app x host, its time kept
        App/App.app/Contents/Resources/sidecars/x/lib.so - lib, its time kept
        App/App.app/Contents/Resources/sidecars/x/link x -> lib.so
        App/App.app/Contents/Resources/sidecars/x/x x sidecar, its time kept
    "#]],
    );
}

/// A bundle for macOS is the very folder that is released.
#[test]
fn looks_at_a_copy_of_a_bundle() {
    let making = Making::with(&[]).unwrap();
    making.app("App.app/Contents/MacOS", "App.app/Contents/Resources");
    making.write("other", b"beside it", 0o644);
    making.check(
        BundleKind::App,
        "App.app",
        expect![[r#"
        App.app/Contents/MacOS/app x host, its time kept
        App.app/Contents/Resources/sidecars/x/lib.so - lib, its time kept
        App.app/Contents/Resources/sidecars/x/link x -> lib.so
        App.app/Contents/Resources/sidecars/x/x x sidecar, its time kept
    "#]],
    );
    let unpacked = making.unpack(BundleKind::App, "App.app").unwrap();
    let library = "App.app/Contents/Resources/sidecars/x/lib.so";
    let looked_at = unpacked.folder().unwrap().join(library);
    fs::set_permissions(looked_at, fs::Permissions::from_mode(0o755)).unwrap();
    let mode = fs::metadata(making.path(library)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o644);
}
