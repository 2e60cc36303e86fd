//! Certificates with their keys, good ones and bad ones, made with `openssl` on the fly.
//!
//! Making them takes a second. Test runners start a process for each test, so they are kept for a
//! day in `target/practice` and shared.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use fs_err as fs;

use crate::tools;

/// What opens the PKCS#12 files. With all that a careless command line would trip over.
pub const PASSWORD: &str = "pr@ctice % \"makes\" $perfect&'";

/// To be raised when what is made changes.
const VERSION: u32 = 3;
/// A file with the path of Python.
const PYTHON: &str = "python";
const DAY: u64 = 24 * 60 * 60;
const YEAR: i64 = 365;

/// Who has a certificate for signing, or something like it.
pub const SIGNERS: [Signer; 8] = [
    Signer::new("leaf", "Practice Publisher", "code", -1, YEAR),
    Signer::new("ec", "Practice Publisher EC", "code", -1, YEAR),
    Signer::new("expired", "Practice Expired", "code", -3 * YEAR, -2),
    Signer::new("early", "Practice Early", "code", 30, YEAR),
    Signer::new("server", "Practice TLS Server", "tls", -1, YEAR),
    Signer::new("revoked", "Practice Revoked", "code", -200, YEAR),
    Signer::new("other", "Practice Other Publisher", "code", -1, YEAR),
    Signer::new("stranger", "Practice Stranger", "code", -1, YEAR),
];

/// A name for the files, one for people, a kind of usage, and from when until when it is valid, in
/// days from now.
pub struct Signer {
    /// The files' name.
    pub file: &'static str,
    /// The common name.
    pub name: &'static str,
    usage: &'static str,
    from: i64,
    until: i64,
}

impl Signer {
    const fn new(
        file: &'static str,
        name: &'static str,
        usage: &'static str,
        from: i64,
        until: i64,
    ) -> Self {
        Self {
            file,
            name,
            usage,
            from,
            until,
        }
    }
}

/// A folder with all certificates.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
}

/// The files of one certificate. All keys are without a password, all PKCS#12 files have
/// [`PASSWORD`].
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The key, PEM (PKCS#8).
    pub key: PathBuf,
    /// The certificate, then those that vouch for it without the root, PEM.
    pub chain: PathBuf,
    /// Key and certificate, and nothing else, in the old encryption that every tool reads
    /// (rcodesign reads no other).
    pub p12: PathBuf,
    /// The same with the whole chain, as certificate authorities send it. rcodesign signs with the
    /// *last* certificate of such a file, which is the root's.
    pub p12_with_chain: PathBuf,
    /// Like `p12`, in the encryption that OpenSSL 3 writes unless told otherwise.
    pub p12_modern: PathBuf,
}

impl Pki {
    /// That of today; made if there is none yet.
    ///
    /// # Errors
    /// `openssl` is missing or fails, or the disk's.
    pub fn shared() -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let all = tools::target().join("practice");
        let folder = all.join(format!("pki-{VERSION}-{}", now / DAY));
        fs::create_dir_all(&all)?;
        // One test makes it, the others wait.
        let lock = fs::File::create(all.join("pki.lock"))?;
        lock.file().lock()?;
        if !folder.is_dir() {
            clean(&all)?;
            let made = tempfile::Builder::new().prefix("new-").tempdir_in(&all)?;
            Self::make(made.path())?;
            fs::rename(made.keep(), &folder)?;
        }
        Ok(Self { folder })
    }

    /// A new one in this folder.
    ///
    /// # Errors
    /// `openssl` is missing or fails, or the disk's.
    pub fn make(folder: &Path) -> Result<Self> {
        let maker = Maker(folder);
        maker.prepare()?;
        fs::write(folder.join(PYTHON), tools::python()?)?;
        maker.authority("root", "Practice Root", None)?;
        maker.authority("intermediate", "Practice Code Signing CA", Some("root"))?;
        maker.authority("tsa-root", "Practice Timestamp Root", None)?;
        maker.authority("tls-root", "Practice TLS Root", None)?;
        maker.join(&["intermediate", "root"], "authorities.pem")?;
        for signer in &SIGNERS {
            maker.signer(signer)?;
        }
        let long = (-5 * YEAR, 5 * YEAR);
        maker.leaf("tsa", "Practice Timestamps", "tsa", "tsa-root", long)?;
        maker.leaf("tls", "Practice Notary", "notary", "tls-root", (-1, YEAR))?;
        maker.join(&["tsa", "tsa-root"], "tsa-chain.pem")?;
        maker.openssl(
            &["ca", "-config", "ca.cnf", "-name", "intermediate"],
            &["-revoke", "revoked.pem"],
        )?;
        let list = ["-gencrl", "-crldays", "30", "-out", "crl.pem"];
        maker.openssl(&["ca", "-config", "ca.cnf", "-name", "intermediate"], &list)?;
        let der = ["-in", "crl.pem", "-outform", "DER", "-out", "crl.der"];
        maker.openssl(&["crl"], &der)?;
        maker.key("AuthKey_PRACTICE42", true)?;
        fs::rename(
            folder.join("AuthKey_PRACTICE42.key"),
            folder.join("AuthKey_PRACTICE42.p8"),
        )?;
        let folder = folder.to_owned();
        Ok(Self { folder })
    }

    /// A file by its name: `root.pem`, `tsa-root.pem`, `crl.der`, …
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The Python that the servers and the stand-ins run with. What lies on PATH may be a script that
    /// looks for it first, and takes ten times as long as Python itself.
    pub(crate) fn python(&self) -> String {
        let known = fs::read_to_string(self.file(PYTHON)).unwrap_or_default();
        match Path::new(&known).is_file() {
            true => known,
            false => "python3".to_owned(),
        }
    }

    /// Where all of it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whom signatures should lead to.
    pub fn root(&self) -> PathBuf {
        self.file("root.pem")
    }

    /// Whom timestamps should lead to.
    pub fn timestamp_root(&self) -> PathBuf {
        self.file("tsa-root.pem")
    }

    /// The list of revoked certificates, DER, signed by `intermediate.pem`.
    pub fn crl(&self) -> PathBuf {
        self.file("crl.der")
    }

    /// A file that holds [`PASSWORD`] and nothing else.
    pub fn password_file(&self) -> PathBuf {
        self.file("password.txt")
    }

    /// An App Store Connect key (`.p8`), which the [`Notary`](crate::Notary) knows.
    pub fn api_key(&self) -> ApiKey {
        ApiKey {
            file: self.file("AuthKey_PRACTICE42.p8"),
            id: "PRACTICE42",
            issuer: "0c0ffee0-1234-4567-89ab-practice0000",
        }
    }

    /// The files of one of [`SIGNERS`], by its files' name.
    pub fn identity(&self, name: &str) -> Identity {
        let file = |ending: &str| self.file(&format!("{name}{ending}"));
        Identity {
            certificate: file(".pem"),
            key: file(".key"),
            chain: file("-chain.pem"),
            p12: file(".p12"),
            p12_with_chain: file("-with-chain.p12"),
            p12_modern: file("-modern.p12"),
        }
    }
}

/// What App Store Connect hands out for its programming interface.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The private key.
    pub file: PathBuf,
    /// Its identifier.
    pub id: &'static str,
    /// The team's identifier.
    pub issuer: &'static str,
}

/// Removes those of other days. One from yesterday may still be in use.
fn clean(all: &Path) -> Result<()> {
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if entry.path().is_dir() && age.as_secs() > 2 * DAY {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

struct Maker<'a>(&'a Path);

impl Maker<'_> {
    fn prepare(&self) -> Result<()> {
        let mut config = include_str!("../ca.cnf").to_owned();
        for name in ["root", "intermediate", "tsa-root", "tls-root"] {
            config += &format!(
                "[{name}]\ndatabase=index-{name}\nserial=serial-{name}\ncertificate={name}.pem\n\
                 private_key={name}.key\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\n\
                 unique_subject=no\ncrlnumber=crlnumber\ncrl_extensions=list\n"
            );
            fs::write(self.0.join(format!("index-{name}")), "")?;
            // As long as those of real authorities.
            let serial = "1000000000000000000000000000000001\n";
            fs::write(self.0.join(format!("serial-{name}")), serial)?;
        }
        fs::write(self.0.join("ca.cnf"), config)?;
        fs::write(self.0.join("crlnumber"), "01\n")?;
        fs::write(self.0.join("password.txt"), PASSWORD)?;
        Ok(())
    }

    fn openssl(&self, subcommand: &[&str], options: &[&str]) -> Result<()> {
        let mut command = Command::new("openssl");
        command.args(subcommand).args(options).current_dir(self.0);
        // The system's settings may forbid what is asked for here.
        command.env_remove("OPENSSL_CONF");
        tools::run(&mut command).map(drop)
    }

    fn key(&self, name: &str, elliptic: bool) -> Result<()> {
        let kind: &[&str] = match elliptic {
            true => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            false => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        self.openssl(&["genpkey", "-out", &format!("{name}.key")], kind)
    }

    fn request(&self, file: &str, name: &str) -> Result<()> {
        self.key(file, file.starts_with("ec"))?;
        let key = format!("{file}.key");
        let subject = format!("/O=Practice/CN={name}");
        let options = ["-new", "-key", &key, "-subj", &subject, "-config", "ca.cnf"];
        self.openssl(&["req", "-out", &format!("{file}.csr")], &options)
    }

    /// A certificate that may vouch for others; its own root without an issuer.
    fn authority(&self, file: &str, name: &str, issuer: Option<&str>) -> Result<()> {
        self.request(file, name)?;
        let usage = if issuer.is_some() {
            "below"
        } else {
            "authority"
        };
        self.issue(
            file,
            usage,
            issuer.unwrap_or(file),
            (-6 * YEAR, 10 * YEAR),
            issuer.is_none(),
        )
    }

    fn leaf(
        &self,
        file: &str,
        name: &str,
        usage: &str,
        issuer: &str,
        valid: (i64, i64),
    ) -> Result<()> {
        self.request(file, name)?;
        self.issue(file, usage, issuer, valid, file == issuer)
    }

    fn issue(
        &self,
        file: &str,
        usage: &str,
        issuer: &str,
        valid: (i64, i64),
        own: bool,
    ) -> Result<()> {
        let (request, certificate) = (format!("{file}.csr"), format!("{file}.pem"));
        let (from, until) = (date(valid.0)?, date(valid.1)?);
        let own = if own { "-selfsign" } else { "-batch" };
        self.openssl(
            &[
                "ca", "-config", "ca.cnf", "-name", issuer, "-notext", "-batch", own,
            ],
            &[
                "-in",
                &request,
                "-out",
                &certificate,
                "-extensions",
                usage,
                "-startdate",
                &from,
                "-enddate",
                &until,
            ],
        )
    }

    fn signer(&self, it: &Signer) -> Result<()> {
        let valid = (it.from, it.until);
        if it.file == "stranger" {
            self.request(it.file, it.name)?;
            let options = [
                "-x509",
                "-key",
                "stranger.key",
                "-days",
                "365",
                "-extensions",
                "code",
            ];
            let subject = format!("/O=Practice/CN={}", it.name);
            let more = [
                "-subj",
                &*subject,
                "-config",
                "ca.cnf",
                "-out",
                "stranger.pem",
            ];
            self.openssl(&["req", "-new"], &[&options[..], &more].concat())?;
            self.join(&["stranger"], "stranger-chain.pem")?;
        } else {
            self.leaf(it.file, it.name, it.usage, "intermediate", valid)?;
            self.join(
                &[it.file, "intermediate"],
                &format!("{}-chain.pem", it.file),
            )?;
        }
        let old = [
            "-keypbe",
            "PBE-SHA1-3DES",
            "-certpbe",
            "PBE-SHA1-3DES",
            "-macalg",
            "sha1",
        ];
        let chain = [&old[..], &["-certfile", "authorities.pem"]].concat();
        self.p12(it.file, ".p12", &old)?;
        self.p12(it.file, "-with-chain.p12", &chain)?;
        self.p12(it.file, "-modern.p12", &[])
    }

    fn p12(&self, file: &str, ending: &str, options: &[&str]) -> Result<()> {
        let (key, certificate) = (format!("{file}.key"), format!("{file}.pem"));
        let out = format!("{file}{ending}");
        let fixed = [
            "-inkey",
            &key,
            "-in",
            &certificate,
            "-out",
            &out,
            "-passout",
        ];
        let fixed = [&fixed[..], &["file:password.txt"]].concat();
        self.openssl(&["pkcs12", "-export"], &[&fixed[..], options].concat())
    }

    fn join(&self, files: &[&str], to: &str) -> Result<()> {
        let mut all = String::new();
        for file in files {
            all += &fs::read_to_string(self.0.join(format!("{file}.pem")))?;
        }
        Ok(fs::write(self.0.join(to), all)?)
    }
}

/// So many days from now, as `openssl ca` wants it: `20300131235959Z`.
fn date(days: i64) -> Result<String> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let seconds = now + days * i64::try_from(DAY)?;
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    Ok(format!(
        "{year:04}{month:02}{day:02}{hour:02}{minute:02}{:02}Z",
        second % 60
    ))
}

/// Year, month and day, of days since 1970 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// So many days from now, before it if negative.
pub fn days_from_now(days: i64) -> SystemTime {
    let distance = Duration::from_secs(days.unsigned_abs() * DAY);
    match days < 0 {
        true => SystemTime::now() - distance,
        false => SystemTime::now() + distance,
    }
}
