//! A small release with real signatures, made anew for each test.

use std::path::PathBuf;

use fs_err as fs;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use xtask::{
    manifest::*,
    tools::minisign::{Signer, trusted_comment},
    verify::{Report, Trust, verify},
};

pub(crate) const EPOCH: i64 = 1_795_258_800;
pub(crate) const DEB: &str = "App_1.2.3_amd64.deb";
pub(crate) const TAR: &str = "sub folder/App 1.2.3.tar.gz";
pub(crate) const FLATPAK: &str = "App-1.2.3-x86_64.flatpak";
pub(crate) const JSON: &str = "latest.json";

/// A release in a folder of its own, and the key that signed it.
pub(crate) struct Fake {
    pub(crate) folder: TempDir,
    pub(crate) signer: Signer,
    pub(crate) manifest: Manifest,
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

pub(crate) fn deb(data: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let header = ar::Header::new(name.into(), bytes.len() as u64);
        archive.append(&header, bytes).unwrap();
    };
    add("debian-binary", b"2.0\n");
    add(
        "control.tar.gz",
        &tar_gz(&[("./control", b"Package: app\n")]),
    );
    add(data, &tar_gz(files));
    archive.into_inner().unwrap()
}

pub(crate) const APP: (&str, &[u8]) = ("usr/bin/app", b"host");
pub(crate) const SIDECAR: (&str, &[u8]) = ("usr/bin/app-sidecar", b"frozen");

impl Fake {
    pub(crate) fn new(identity: Identity) -> Self {
        let key = Signer::generate().unwrap();
        Self::with(identity, key, &deb("data.tar.gz", &[APP, SIDECAR]))
    }

    pub(crate) fn with(identity: Identity, signer: Signer, deb: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let example = include_str!("../../../docs/manifest.example.json");
        let mut manifest = Manifest::parse(example).unwrap();
        manifest.product.version = "1.2.3".into();
        manifest.signing.identity = identity;
        let public = signer.public_key();
        let key = MinisignKey {
            key_id: public.key_id(),
            public_key: public.line(),
        };
        manifest.signing.minisign = (identity != Identity::Unsigned).then_some(key);
        manifest.artifacts.clear();
        manifest.gaps.clear();
        let mut fake = Self {
            folder,
            signer,
            manifest,
        };
        let tar = tar_gz(&[APP, SIDECAR]);
        fake.add(DEB, ArtifactKind::Installer, "deb", deb, &[APP, SIDECAR]);
        fake.add(TAR, ArtifactKind::Archive, "tar.gz", &tar, &[APP]);
        fake.add(
            FLATPAK,
            ArtifactKind::Installer,
            "flatpak",
            b"not looked into",
            &[APP],
        );
        fake.add(JSON, ArtifactKind::UpdaterMetadata, "json", b"{}\n", &[]);
        fake.seal();
        fake
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn signed(&self) -> bool {
        self.manifest.signing.identity != Identity::Unsigned
    }

    pub(crate) fn add(
        &mut self,
        path: &str,
        kind: ArtifactKind,
        format: &str,
        bytes: &[u8],
        inside: &[(&str, &[u8])],
    ) {
        self.write(path, bytes);
        let content = |(path, bytes): &(&str, &[u8])| Content {
            path: path.to_string(),
            sha256: sha256(bytes),
        };
        self.manifest.artifacts.push(Artifact {
            path: path.into(),
            kind,
            format: format.into(),
            size: bytes.len() as u64,
            sha256: sha256(bytes),
            signatures: if self.signed() {
                self.sign(path, kind)
            } else {
                Vec::new()
            },
            contents: inside.iter().map(content).collect(),
        });
    }

    pub(crate) fn sign(&self, path: &str, kind: ArtifactKind) -> Vec<SignatureRef> {
        let name = path.rsplit('/').next().unwrap();
        let comment = trusted_comment(EPOCH, name, Some(&self.manifest.product.version));
        let signature = self.signer.sign(&self.path(path), &comment).unwrap();
        let key_id = signature.key_id();
        let file = format!("{path}.minisig");
        self.write(&file, signature.minisig());
        let minisign = SignatureKind::Minisign;
        let mut all = vec![SignatureRef {
            kind: minisign,
            file: Some(file),
            key_id: key_id.clone(),
        }];
        if kind == ArtifactKind::Installer {
            let file = format!("{path}.sig");
            self.write(&file, signature.tauri());
            all.push(SignatureRef {
                kind: SignatureKind::TauriUpdater,
                file: Some(file),
                key_id,
            });
        }
        all
    }

    /// Manifest, its signature, checksums, their signature: as `dist` leaves them.
    pub(crate) fn seal(&self) {
        self.write(MANIFEST_NAME, self.manifest.to_json());
        self.seal_sums(true);
    }

    pub(crate) fn seal_sums(&self, sign_manifest: bool) {
        let mut sums = Sums::default();
        let files = Files::from(&self.manifest);
        let mut names: Vec<String> = files.signature_files().map(String::from).collect();
        names.extend(self.manifest.artifacts.iter().map(|a| a.path.clone()));
        names.push(MANIFEST_NAME.into());
        if self.signed() {
            if sign_manifest {
                self.sign_as(MANIFEST_NAME, &self.signer);
            }
            names.push(MANIFEST_MINISIG.into());
        }
        for name in names {
            let bytes = fs::read(self.path(&name)).unwrap();
            sums.0.insert(name, sha256(&bytes));
        }
        self.write(SUMS_NAME, sums.to_text());
        if self.signed() {
            self.sign_as(SUMS_NAME, &self.signer);
        }
    }

    pub(crate) fn sign_as(&self, name: &str, signer: &Signer) {
        let signature = signer
            .sign(&self.path(name), &trusted_comment(EPOCH, name, None))
            .unwrap();
        self.write(&format!("{name}.minisig"), signature.minisig());
    }

    pub(crate) fn verify(&self, trust: &Trust) -> Report {
        verify(self.folder.path(), trust).unwrap()
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust {
            public_keys: vec![self.signer.public_key().clone()],
            ..Trust::default()
        }
    }

    /// The report without what differs from run to run.
    pub(crate) fn shown(&self, trust: &Trust) -> String {
        self.masked(&self.verify(trust))
    }

    /// See [`Fake::shown`].
    pub(crate) fn masked(&self, report: &Report) -> String {
        let table = |head: &[&str], rows: &[Vec<String>]| {
            let rows = rows.iter().map(|row| row.join(" | ") + "\n");
            head.join(" | ") + "\n" + &rows.collect::<String>()
        };
        let text = report.render(&table);
        let mut text = text.replace(self.folder.path().to_str().unwrap(), "FOLDER");
        text = text.replace(&self.signer.public_key().key_id(), "KEY");
        while let Some(end) = text.find('…') {
            let start = text[..end].rfind(|c: char| !c.is_ascii_hexdigit()).unwrap() + 1;
            text.replace_range(start..end + '…'.len_utf8(), "HASH");
        }
        text
    }

    /// All files of the folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let list = if entry.path().is_dir() {
                    &mut folders
                } else {
                    &mut found
                };
                list.push(entry.path());
            }
        }
        found
    }
}
