//! What the tests share: files signed with the practice PKI, and what is read in them.

#![allow(dead_code, reason = "no test needs all of it")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use expect_test::Expect;
use fs_err as fs;
use xtask_practice::{Pki, Timestamps, tools};
use xtask_signed::{Certificate, Signed, Timestamp, Trust, apple, chain::Revoked, windows};

/// What all tests of Windows' formats need.
pub const WINDOWS: [&str; 3] = ["openssl", "python3", "osslsigncode"];
/// What all tests of Apple's formats need.
pub const APPLE: [&str; 3] = ["openssl", "python3", "rcodesign"];

/// A folder to work in, and who signs there.
pub struct Bench {
    pub pki: Pki,
    folder: tempfile::TempDir,
    timestamps: Timestamps,
}

/// How a file is signed.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// The name of the signer's files in the PKI.
    pub who: &'a str,
    /// Whether a timestamp server is asked.
    pub stamped: bool,
    /// Further arguments of the tool.
    pub more: &'a [&'a str],
}

/// By the publisher, with a timestamp.
pub const WELL: How<'static> = How {
    who: "leaf",
    stamped: true,
    more: &[],
};

impl Bench {
    /// None where programs are missing.
    pub fn new(programs: &[&str]) -> Option<Self> {
        if !tools::have(programs) {
            return None;
        }
        let pki = Pki::shared().expect("a PKI");
        let timestamps = Timestamps::start(&pki).expect("a timestamp server");
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self {
            pki,
            folder,
            timestamps,
        })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file with this content.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// How the timestamp server behaves from now on.
    pub fn timestamps(&self, behaviour: &xtask_practice::timestamps::Behaviour) {
        self.timestamps.set(behaviour).unwrap();
    }

    /// Trusts the roots of the PKI, and knows what was revoked.
    pub fn trust(&self) -> Trust {
        let read = |name: &str| Certificate::read_all(&self.pki.file(name)).unwrap();
        let list = fs::read(self.pki.crl()).unwrap();
        Trust {
            anchors: read("root.pem"),
            timestamp_anchors: read("tsa-root.pem"),
            revoked: Revoked::read(&list, &read("intermediate.pem")).unwrap(),
            now: SystemTime::now(),
        }
    }

    /// Signs with osslsigncode, into a file of this name.
    pub fn osslsigncode(&self, file: &Path, name: &str, how: How<'_>) -> PathBuf {
        let (identity, out) = (self.pki.identity(how.who), self.path(name));
        let mut command = Command::new("osslsigncode");
        command
            .args(["sign", "-h", "sha256", "-certs"])
            .arg(identity.chain);
        command.arg("-key").arg(identity.key).args(how.more);
        if how.stamped {
            command.args(["-ts", &self.timestamps.url()]);
        }
        tools::run(command.arg("-in").arg(file).arg("-out").arg(&out)).unwrap();
        out
    }

    /// Signs with rcodesign, in place.
    pub fn rcodesign(&self, path: &Path, how: How<'_>) -> PathBuf {
        let identity = self.pki.identity(how.who);
        let mut command = tools::rcodesign_command();
        command.args(["sign", "--pem-file"]).arg(identity.key);
        command.arg("--pem-file").arg(identity.chain).args(how.more);
        let server = self.timestamps.url();
        command.args([
            "--timestamp-url",
            if how.stamped { &server } else { "none" },
        ]);
        tools::run(command.arg(path)).unwrap();
        path.to_owned()
    }

    /// Joins programs for several architectures.
    pub fn universal(&self, name: &str, files: &[&Path]) -> PathBuf {
        let both = self.path(name);
        let mut join = tools::rcodesign_command();
        join.arg("macho-universal-create").arg("-o").arg(&both);
        tools::run(join.args(files)).unwrap();
        both
    }

    /// Compares what is read in a file with what is expected.
    #[track_caller]
    pub fn check(&self, file: &Path, expect: &Expect) {
        self.check_with(file, &self.trust(), expect);
    }

    /// The same, where others are trusted.
    #[track_caller]
    pub fn check_with(&self, file: &Path, trust: &Trust, expect: &Expect) {
        expect.assert_eq(&show(file, trust));
    }
}

/// All signatures in a file, by its format; where they are in a bundle, with their paths.
pub fn read(file: &Path, trust: &Trust) -> anyhow::Result<Vec<(String, Signed)>> {
    if file.is_dir() {
        let bundle = apple::app::inspect(file, trust)?;
        let own = [(String::new(), bundle.own)];
        return Ok(own.into_iter().chain(bundle.nested).collect());
    }
    let data = fs::read(file)?;
    Ok(read_bytes(&data, trust)?
        .into_iter()
        .map(|it| (String::new(), it))
        .collect())
}

/// All signatures in the bytes of a file.
pub fn read_bytes(data: &[u8], trust: &Trust) -> anyhow::Result<Vec<Signed>> {
    if apple::dmg::is_one(data) {
        return Ok(apple::dmg::inspect(data, trust)?
            .into_iter()
            .map(|it| it.signed)
            .collect());
    }
    match data {
        [b'M', b'Z', ..] => windows::pe::inspect(data, trust),
        [0xd0, 0xcf, ..] => Ok(windows::msi::inspect(data, trust)?.into_iter().collect()),
        [b'M', b'S', b'C', b'F', ..] => {
            Ok(windows::cab::inspect(data, trust)?.into_iter().collect())
        }
        _ => {
            let all = apple::macho::inspect(data, apple::Seals::default(), trust)?;
            Ok(all.into_iter().map(|it| it.signed).collect())
        }
    }
}

/// What [`read`] finds, for people: the same at any time and in any PKI.
pub fn show(file: &Path, trust: &Trust) -> String {
    match read(file, trust) {
        Ok(all) if all.is_empty() => "not signed\n".to_owned(),
        Ok(all) => all.iter().map(|(path, it)| line(path, it, trust)).collect(),
        Err(error) => format!("damaged: {error:#}\n"),
    }
}

fn line(path: &str, signed: &Signed, trust: &Trust) -> String {
    let mut text = if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    };
    text += &format!(
        "{:?} by {}",
        signed.format,
        signed.signer.as_deref().unwrap_or("nobody")
    );
    if let Some(Timestamp { seconds, authority }) = &signed.timestamp {
        text += &format!(", {} by {authority}", when(*seconds, trust.now));
    }
    text += if signed.hardened_runtime == Some(true) {
        ", hardened"
    } else {
        ""
    };
    text += if signed.stapled == Some(true) {
        ", stapled"
    } else {
        ""
    };
    text += if signed.problems.is_empty() {
        ": good\n"
    } else {
        ":\n"
    };
    signed
        .problems
        .iter()
        .for_each(|it| text += &format!("  {it}\n"));
    text
}

fn when(seconds: u64, now: SystemTime) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    let (distance, word) = match now.duration_since(time) {
        Ok(it) => (it.as_secs(), "ago"),
        Err(it) => (it.duration().as_secs(), "ahead"),
    };
    match distance {
        0..300 => "now".to_owned(),
        300..172_800 => format!("{} hours {word}", (distance + 1800) / 3600),
        _ => format!("{} days {word}", (distance + 43_200) / 86_400),
    }
}
