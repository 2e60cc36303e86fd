//! A release with one file of each format, signed for real.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;
use xtask::{
    manifest::*,
    tools::{debsigs, rpmsign},
    verify::Trust,
};
use xtask_practice::{
    Pki, Timestamps,
    specimens::{self, Kind},
    tools,
};
use xtask_signed::Certificate;

use crate::{
    compound,
    fake::{APP, Fake, SIDECAR, deb, tar_gz},
};

/// The files that need nothing beside them.
pub(super) const SIGN_THEMSELVES: [&str; 9] = [
    "app.exe",
    "app.msi",
    "setup.exe",
    "app.cab",
    "tool",
    "app.dmg",
    "App.app.tar.gz",
    "app.deb",
    "app.rpm",
];

pub(super) struct Made {
    pub(super) fake: Fake,
    pub(super) trust: Trust,
    /// The app, as it was signed.
    pub(super) app: PathBuf,
    _work: tempfile::TempDir,
}

/// Where it is made.
struct Making {
    pki: Pki,
    timestamps: Timestamps,
    work: tempfile::TempDir,
}

impl Made {
    /// None, and a line that says so, without the programs that it takes.
    pub(super) fn new() -> Option<Self> {
        let programs = [
            "openssl",
            "python3",
            "osslsigncode",
            "rcodesign",
            "wixl",
            "makensis",
            "gcab",
            "gpg",
            "gpgv",
            "rpm",
            "rpmbuild",
            "rpmsign",
        ];
        if !tools::have(&programs) {
            return None;
        }
        let pki = Pki::shared().unwrap();
        let making = Making {
            timestamps: Timestamps::start(&pki).unwrap(),
            pki,
            work: tempfile::tempdir().unwrap(),
        };
        let mut fake = Fake::new(Identity::Release);
        for file in fake.files() {
            fs::remove_file(file).unwrap();
        }
        fs::remove_dir(fake.path("sub folder")).unwrap();
        fake.manifest.artifacts.clear();
        let leaf = making.pki.identity("leaf").certificate;
        let leaf = Certificate::read_all(&leaf).unwrap()[0].fingerprint();
        making.windows(&mut fake, &leaf);
        let app = making.macos(&mut fake, &leaf);
        let key = making.linux(&mut fake);
        let mut trust = fake.trust();
        for file in [making.pki.root(), making.pki.timestamp_root(), key] {
            trust.add_file(&file).unwrap();
        }
        Some(Self {
            fake,
            trust,
            app,
            _work: making.work,
        })
    }
}

impl Making {
    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn windows(&self, fake: &mut Fake, leaf: &str) {
        let folder = self.work.path();
        fs::write(self.path("plain.exe"), specimens::pe()).unwrap();
        let files = [
            (self.path("plain.exe"), "app.exe"),
            (specimens::msi(folder).unwrap(), "app.msi"),
            (specimens::nsis(folder).unwrap(), "setup.exe"),
            (specimens::cab(folder).unwrap(), "app.cab"),
        ];
        let mut exe = Vec::new();
        for (from, name) in files {
            let to = self.path(&format!("signed-{name}"));
            let signer = self.pki.identity("leaf");
            let mut sign = Command::new("osslsigncode");
            sign.args(["sign", "-h", "sha256", "-certs"])
                .arg(signer.chain);
            sign.arg("-key")
                .arg(signer.key)
                .args(["-ts", &self.timestamps.url()]);
            tools::run(sign.arg("-in").arg(from).arg("-out").arg(&to)).unwrap();
            let bytes = fs::read(to).unwrap();
            let kind = Some((SignatureKind::Authenticode, leaf));
            add(fake, name, &bytes, kind);
            if name == "app.exe" {
                exe = bytes;
            }
        }
        let folder = self.path("App-1.2.3");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("app.exe"), exe).unwrap();
        let code = "import shutil; shutil.make_archive('portable', 'zip', '.', 'App-1.2.3')";
        let mut pack = Command::new("python3");
        tools::run(pack.args(["-c", code]).current_dir(self.work.path())).unwrap();
        add(
            fake,
            "portable.zip",
            &fs::read(self.path("portable.zip")).unwrap(),
            None,
        );
    }

    fn macos(&self, fake: &mut Fake, leaf: &str) -> PathBuf {
        let sign = |path: &Path| {
            let signer = self.pki.identity("leaf");
            let mut sign = tools::rcodesign_command();
            sign.args(["sign", "--code-signature-flags", "runtime", "--pem-file"]);
            sign.arg(signer.key).arg("--pem-file").arg(signer.chain);
            tools::run(
                sign.args(["--timestamp-url", &self.timestamps.url()])
                    .arg(path),
            )
            .unwrap();
        };
        for (name, bytes) in [
            ("tool", specimens::macho(Kind::Program, 1)),
            ("app.dmg", specimens::dmg()),
        ] {
            fs::write(self.path(name), bytes).unwrap();
            sign(&self.path(name));
            let bytes = fs::read(self.path(name)).unwrap();
            add(fake, name, &bytes, Some((SignatureKind::Apple, leaf)));
        }
        let app = specimens::app(self.work.path()).unwrap();
        sign(&app);
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        tar.follow_symlinks(false);
        tar.append_dir_all("App.app", &app).unwrap();
        let bytes = tar.into_inner().unwrap().finish().unwrap();
        add(fake, "App.app.tar.gz", &bytes, None);
        app
    }

    /// Returns the key that signed.
    fn linux(&self, fake: &mut Fake) -> PathBuf {
        let gpg = |arguments: &[&str]| {
            self.gpg(
                Command::new("gpg")
                    .args(["--batch", "--passphrase", ""])
                    .args(arguments),
            )
        };
        gpg(&["--quick-gen-key", "publisher", "ed25519", "sign"]);
        let key = self.path("key.asc");
        fs::write(&key, gpg(&["--armor", "--export"])).unwrap();
        let listed = gpg(&["--with-colons", "--list-keys"]);
        let listed = String::from_utf8(listed).unwrap();
        let fingerprint = listed.lines().find(|it| it.starts_with("fpr:")).unwrap();
        let fingerprint = fingerprint.split(':').nth(9).unwrap().to_owned();
        let package = deb("data.tar.gz", &[APP, SIDECAR]);
        let signed = debsigs::Package::parse(&package).unwrap().signed;
        fs::write(self.path("signed"), signed).unwrap();
        let signed = self.path("signed");
        let signature = gpg(&["--detach-sign", "--output", "-", signed.to_str().unwrap()]);
        let package = debsigs::with_signature(&package, &signature).unwrap();
        add(
            fake,
            "app.deb",
            &package,
            Some((SignatureKind::Deb, &fingerprint)),
        );
        let package = self.rpm();
        let gpg_program = rpmsign::gpg().unwrap();
        self.gpg(&mut rpmsign::sign_cmd(
            &gpg_program,
            &fingerprint,
            None,
            &package,
        ));
        let package = fs::read(package).unwrap();
        add(
            fake,
            "app.rpm",
            &package,
            Some((SignatureKind::Rpm, &fingerprint)),
        );
        let archive = tar_gz(&[APP, SIDECAR]);
        fake.add(
            "App-1.2.3.tar.gz",
            ArtifactKind::Archive,
            "tar.gz",
            &archive,
            &[APP],
        );
        fake.manifest.signing.gpg = Some(GpgKey { fingerprint });
        fake.seal();
        let sums = fake.path(SUMS_NAME);
        let signature = gpg(&[
            "--armor",
            "--detach-sign",
            "--output",
            "-",
            sums.to_str().unwrap(),
        ]);
        fake.write(SUMS_ASC, signature);
        self.gpg(Command::new("gpgconf").args(["--kill", "all"]));
        key
    }

    fn gpg(&self, command: &mut Command) -> Vec<u8> {
        let home = self.path("gpg");
        if !home.exists() {
            use std::os::unix::fs::DirBuilderExt as _;
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&home)
                .unwrap();
        }
        let output = tools::output(command.env("GNUPGHOME", home)).unwrap();
        assert!(output.status.success(), "{command:?} {output:?}");
        output.stdout
    }

    fn rpm(&self) -> PathBuf {
        let spec = "Name: app\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nAutoReqProv: no\n\
                    %define _build_id_links none\n%define __os_install_post %{nil}\n%description\ns\n\
                    %install\nmkdir -p %{buildroot}/usr/bin\necho app > %{buildroot}/usr/bin/app\n\
                    %files\n/usr/bin/app\n";
        fs::write(self.path("app.spec"), spec).unwrap();
        let top = self.work.path().display().to_string();
        let mut build = Command::new("rpmbuild");
        build.args(["--quiet", "-bb", "--define", &format!("_topdir {top}/top")]);
        build.args(["--define", &format!("_rpmdir {top}")]);
        build.args(["--define", "_rpmfilename app.rpm", "app.spec"]);
        tools::run(build.current_dir(&top)).unwrap();
        self.path("app.rpm")
    }
}

fn add(fake: &mut Fake, name: &str, bytes: &[u8], inside: Option<(SignatureKind, &str)>) {
    let format = name.rsplit('.').next().unwrap();
    let format = if name.ends_with(".app.tar.gz") {
        "app"
    } else {
        format
    };
    // Without 7-Zip: what installers hold is compared elsewhere.
    fake.add(name, ArtifactKind::Archive, format, bytes, &[]);
    let added = fake.manifest.artifacts.last_mut().unwrap();
    added
        .signatures
        .extend(inside.map(|(kind, key)| SignatureRef {
            kind,
            file: None,
            key_id: key.to_owned(),
        }));
}

/// What the signature inside of a file does not cover (docs/signing.md).
pub(super) fn left_out(file: &Path) -> Box<dyn Fn(usize) -> bool> {
    let bytes = fs::read(file).unwrap();
    match file.extension().and_then(|it| it.to_str()) {
        Some("msi") => {
            let kinds = compound::kinds(&bytes);
            let all = [
                &compound::LEFT_OUT[..],
                &compound::LEFT_OUT_WITHOUT_DIRECTORY,
            ]
            .concat();
            Box::new(move |at| all.contains(&kinds[at]))
        }
        Some("rpm") => {
            const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 1];
            let headers = (96..bytes.len()).filter(|it| bytes[*it..].starts_with(&MAGIC));
            let header = headers.take(2).last().unwrap();
            Box::new(move |at| at < header)
        }
        Some("gz") => {
            let unpacked = unzipped(&bytes).unwrap();
            Box::new(move |at| {
                let comes_out_the_same = |mask: &u8| {
                    let mut altered = bytes.clone();
                    altered[at] ^= mask;
                    unzipped(&altered).is_some_and(|it| it == unpacked)
                };
                super::MASKS.iter().any(comes_out_the_same)
            })
        }
        _ => match file.file_name().and_then(|it| it.to_str()) {
            Some("PkgInfo") => Box::new(|_| true),
            _ => Box::new(|_| false),
        },
    }
}

/// What gzip packed. It has a header that says when and how, and packs the same in many ways.
fn unzipped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut packed = flate2::read::MultiGzDecoder::new(bytes);
    packed.read_to_end(&mut all).ok().map(|_| all)
}

pub(super) fn relative(folder: &Path, file: &Path) -> String {
    file.strip_prefix(folder).unwrap().display().to_string()
}

/// All files below the folder, without links.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// Copies a folder with its links.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    tools::run(Command::new("cp").arg("-R").arg(from.join(".")).arg(to)).unwrap();
}
