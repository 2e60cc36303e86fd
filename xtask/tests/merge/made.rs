//! Releases of several targets as `dist` leaves them, and the checkout that merges them.

use std::{path::PathBuf, process::Command};

use fs_err as fs;
use tempfile::TempDir;
use xtask::{
    engine::secret::Secret,
    manifest::*,
    tools::minisign::{PublicKey, Signer, trusted_comment},
};

use super::fake::{deb, sha256, tar_gz};

const EPOCH: i64 = 1_795_258_800;

/// What `dist` would be configured with.
const CONFIG: &str = r#"[release]
targets = ["linux", "windows", "macos"]
[updater]
url = "https://example.org/v{version}/{file}"
"#;

/// A checkout with a key, and releases beside it.
pub struct Case {
    pub folder: TempDir,
    pub key: String,
    pub signer: Signer,
    /// What differs from run to run, and what is shown instead.
    pub masked: Vec<(String, String)>,
    /// What every run gets.
    pub variables: Vec<(String, String)>,
}

/// A secret key as minisign writes it, without a password, and what signs with it.
pub fn key() -> (String, Signer) {
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let text = pair.sk.to_box(None).unwrap().into_string();
    let signer = Signer::from_text(&Secret::new(text.clone()), None).unwrap();
    (text, signer)
}

/// A file of a release: name, kind, format, bytes.
pub type File<'a> = (&'a str, ArtifactKind, &'a str, Vec<u8>);

pub const DEB: &str = "small_0.1.0_amd64.deb";
pub const EXE: &str = "small_0.1.0_x64-setup.exe";
pub const APP: &str = "small_0.1.0_aarch64.app.tar.gz";

impl Case {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, signer) = key();
        let case = Self {
            folder,
            key,
            signer,
            masked: Vec::new(),
            variables: Vec::new(),
        };
        case.write("repo/packaging/dist.toml", CONFIG);
        case.write(
            "repo/src-tauri/Cargo.toml",
            "[package]\nname = \"small\"\nversion = \"0.1.0\"\n",
        );
        case.write(
            "repo/src-tauri/tauri.conf.json",
            r#"{ "productName": "small", "version": "0.1.0", "identifier": "com.example.small" }"#,
        );
        case
    }

    /// With a release for each of three systems.
    pub fn complete() -> Self {
        let case = Self::new();
        case.linux(|_| {});
        case.windows(|_| {});
        case.macos(|_| {});
        case
    }

    pub fn linux(&self, change: impl FnOnce(&mut Manifest)) {
        let package = deb("data.tar.gz", &[("usr/bin/small", b"host")]);
        let files = [(DEB, ArtifactKind::Installer, "deb", package)];
        self.release("linux", "x86_64-unknown-linux-gnu", &files, change);
    }

    pub fn windows(&self, change: impl FnOnce(&mut Manifest)) {
        let files = [(EXE, ArtifactKind::Installer, "nsis", b"setup".to_vec())];
        self.release("windows", "x86_64-pc-windows-msvc", &files, change);
    }

    pub fn macos(&self, change: impl FnOnce(&mut Manifest)) {
        let app = tar_gz(&[("small.app/Contents/MacOS/small", b"host")]);
        let files = [
            (APP, ArtifactKind::Installer, "app", app),
            ("small.tar.gz", ArtifactKind::Archive, "tar.gz", tar_gz(&[])),
        ];
        self.release("macos", "aarch64-apple-darwin", &files, change);
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Signed by the case's key, in a folder with the target's name.
    pub fn release(
        &self,
        name: &str,
        triple: &str,
        files: &[File],
        change: impl FnOnce(&mut Manifest),
    ) {
        self.release_in(
            &format!("in/{name}"),
            &self.signer,
            (name, triple),
            files,
            change,
        );
    }

    /// A release with all that belongs to it. The manifest is changed before it is signed.
    pub fn release_in(
        &self,
        folder: &str,
        signer: &Signer,
        (name, triple): (&str, &str),
        files: &[File],
        change: impl FnOnce(&mut Manifest),
    ) {
        let example = include_str!("../../../docs/manifest.example.json");
        let mut manifest = Manifest::parse(example).unwrap();
        manifest.product = Product {
            name: "small".into(),
            version: "0.1.0".into(),
            identifier: "com.example.small".into(),
        };
        manifest.source.dirty = false;
        manifest.source.epoch = EPOCH;
        manifest.target = Target {
            name: name.into(),
            triple: triple.into(),
        };
        let public = signer.public_key();
        manifest.signing = Signing {
            identity: Identity::Release,
            minisign: Some(MinisignKey {
                key_id: public.key_id(),
                public_key: public.line(),
            }),
            gpg: None,
        };
        manifest.gaps.clear();
        manifest.artifacts = files
            .iter()
            .map(|(name, kind, format, bytes)| Artifact {
                path: (*name).into(),
                kind: *kind,
                format: (*format).into(),
                size: bytes.len() as u64,
                sha256: sha256(bytes),
                signatures: Vec::new(),
                contents: Vec::new(),
            })
            .collect();
        change(&mut manifest);
        let signs = manifest.signing.identity != Identity::Unsigned;
        let at = |name: &str| format!("{folder}/{name}");
        let mut sums = Sums::default();
        let mut add = |name: &str, bytes: &[u8]| {
            self.write(&at(name), bytes);
            sums.0.insert(name.to_owned(), sha256(bytes));
        };
        let sign = |name: &str, bytes: &[u8]| {
            let comment = trusted_comment(EPOCH, name, None);
            signer.sign_reader(bytes, &comment).unwrap()
        };
        let version = manifest.product.version.clone();
        for (artifact, (name, kind, _, bytes)) in manifest.artifacts.iter_mut().zip(files) {
            add(name, bytes);
            if !signs {
                continue;
            }
            let comment = trusted_comment(EPOCH, name, Some(&version));
            let signature = signer.sign_reader(&**bytes, &comment).unwrap();
            let mut forms = vec![(SignatureKind::Minisign, "minisig", signature.minisig())];
            if *kind == ArtifactKind::Installer {
                forms.push((SignatureKind::TauriUpdater, "sig", signature.tauri()));
            }
            for (kind, suffix, text) in forms {
                let file = format!("{name}.{suffix}");
                add(&file, text.as_bytes());
                artifact.signatures.push(SignatureRef {
                    kind,
                    file: Some(file),
                    key_id: signature.key_id(),
                });
            }
        }
        let text = manifest.to_json();
        add(MANIFEST_NAME, text.as_bytes());
        if signs {
            let signature = sign(MANIFEST_NAME, text.as_bytes()).minisig();
            add(MANIFEST_MINISIG, signature.as_bytes());
        }
        let text = sums.to_text();
        self.write(&at(SUMS_NAME), &text);
        if signs {
            self.write(
                &at(SUMS_MINISIG),
                sign(SUMS_NAME, text.as_bytes()).minisig(),
            );
        }
    }

    /// Lets installed apps know this key.
    pub fn known_to_apps(&self, key: &PublicKey) {
        let conf = format!(
            r#"{{ "productName": "small", "version": "0.1.0", "identifier": "com.example.small",
                  "plugins": {{ "updater": {{ "pubkey": "{}" }} }} }}"#,
            key.tauri()
        );
        self.write("repo/src-tauri/tauri.conf.json", conf);
    }

    /// `cargo xtask` in the repository, not started yet.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(line.split_whitespace());
        command.current_dir(self.path("repo"));
        for private in [
            "GITHUB_TOKEN",
            "GITHUB_SERVER_URL",
            "GITHUB_REPOSITORY",
            "GITHUB_REF_TYPE",
            "GITHUB_REF_NAME",
            "CI",
            "SOURCE_DATE_EPOCH",
        ] {
            command.env_remove(private);
        }
        command.env("TAURI_SIGNING_PRIVATE_KEY", &self.key);
        command.env_remove("TAURI_SIGNING_PRIVATE_KEY_PASSWORD");
        command.envs(self.variables.iter().map(|it| (&it.0, &it.1)));
        command
    }

    /// A run of it: its exit code and what it printed.
    pub fn run(&self, line: &str) -> (i32, String) {
        let output = self.command(line).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        (output.status.code().unwrap(), said)
    }

    /// The same without what differs from run to run.
    pub fn shown(&self, line: &str) -> String {
        let (code, said) = self.run(line);
        let root = self.folder.path().canonicalize().unwrap();
        let mut said = said.replace(root.to_str().unwrap(), "[FOLDER]");
        said = said.replace(&self.signer.public_key().key_id(), "[KEY]");
        for (from, to) in &self.masked {
            said = said.replace(from, to);
        }
        // Signatures differ each time, and with them what holds them.
        while let Some(end) = said.find('…') {
            let start = said[..end].rfind(|c: char| !c.is_ascii_hexdigit());
            said.replace_range(start.unwrap() + 1..end + '…'.len_utf8(), "[HASH]");
        }
        let lines = said.lines().map(|line| {
            let words = line.split("  ").map(str::trim).filter(|it| !it.is_empty());
            words.collect::<Vec<_>>().join("  ")
        });
        let said: String = lines.map(|it| it + "\n").collect();
        format!("{said}exit code {code}\n")
    }
}
