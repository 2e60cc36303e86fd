//! Signatures inside of Linux' packages: made with the OpenPGP key that the configuration names,
//! and read by whoever knows its public half.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use super::{format::Format, hands::Hands, plan, private::Private};
use crate::{
    engine::{exec, secret::Secret},
    manifest::{SignatureKind, SignatureRef},
    release::Release,
    tools::{debsigs, gpg, rpmsign},
};

/// What to do where gpg or rpmsign fails.
const HINT: &str = "hint: the secret key must be in the key ring; export its passphrase under the \
    name that `sign.gpg.passphrase-env` gives, or let gpg-agent know it";

/// The key that signs packages.
pub struct Key<'a> {
    /// Its fingerprint, in upper-case hex.
    pub fingerprint: &'a str,
    /// Its passphrase; without one the agent decides.
    pub passphrase: Option<&'a Secret>,
}

/// Signs a `.deb` or `.rpm` in place, then checks what came out. `state` is where the target's
/// state lies.
///
/// # Errors
/// It is neither, the key does not sign, or what came out is not signed by it.
pub fn sign(
    hands: &dyn Hands,
    key: &Key<'_>,
    state: &Path,
    package: &Path,
) -> Result<SignatureRef> {
    let private = Private::new(state)?;
    let kind = match Format::of(package)? {
        Format::Deb => {
            sign_deb(hands, key, &private, package)?;
            SignatureKind::Deb
        }
        Format::Rpm => {
            sign_rpm(hands, key, &private, package)?;
            SignatureKind::Rpm
        }
        other => bail!("{} is no package of Linux but a {other}", package.display()),
    };
    check(hands, key, &private, package)
        .with_context(|| format!("{} was not signed as it should be", name_of(package)))?;
    Ok(SignatureRef {
        kind,
        file: None,
        key_id: key.fingerprint.to_owned(),
    })
}

fn sign_deb(hands: &dyn Hands, key: &Key<'_>, private: &Private, package: &Path) -> Result<()> {
    let bytes = fs::read(package)?;
    let content = debsigs::Package::parse(&bytes)?.signed;
    let content = private.file("content", &content)?;
    let signature = private.path().join("content.sig");
    let (command, stdin) =
        gpg::sign_bytes_cmd(key.fingerprint, key.passphrase, &content, &signature);
    let signed = hands.exec(command).stdin(stdin).run();
    let name = name_of(package);
    signed.context(format!("{name} cannot be signed with GPG\n{HINT}"))?;
    let signed = debsigs::with_signature(&bytes, &fs::read(signature)?)?;
    Ok(fs::write(package, signed)?)
}

fn sign_rpm(hands: &dyn Hands, key: &Key<'_>, private: &Private, package: &Path) -> Result<()> {
    let passphrase = key.passphrase.map(|it| {
        let line = format!("{}\n", it.expose());
        private.file("passphrase", line.as_bytes())
    });
    let passphrase = passphrase.transpose()?;
    let gpg = rpmsign::gpg()?;
    let command = rpmsign::sign_cmd(&gpg, key.fingerprint, passphrase.as_deref(), package);
    let signed = hands.exec(command).run();
    let name = name_of(package);
    signed.context(format!("{name} cannot be signed\n{HINT}"))
}

/// Where it lies while it is signed is nobody's business.
fn name_of(package: &Path) -> String {
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    name.into_owned()
}

/// Reads the package as a stranger does who trusts this key alone; where the tools that users have
/// are there, with these too.
fn check(hands: &dyn Hands, key: &Key<'_>, private: &Private, package: &Path) -> Result<()> {
    let (known, armored) = exec::quiet(gpg::export_cmd(key.fingerprint))?;
    ensure!(
        known,
        "gpg does not tell the public key: {}",
        armored.trim()
    );
    let ring = private.file("key.gpg", &gpg::keyring(armored.as_bytes())?)?;
    let found = inspect(package, Some(&ring), private.path())?;
    let found = found.context("there is no signature in it")?;
    if let Some(problem) = found.problems.first() {
        bail!("{problem}");
    }
    let by = found.fingerprint.unwrap_or_default();
    ensure!(by == key.fingerprint, "it was signed by the key {by}");
    match Format::of(package)? {
        Format::Rpm => {
            let database = private.path().join("rpm");
            fs::create_dir(&database)?;
            let armored = private.file("key.asc", armored.as_bytes())?;
            hands.exec(rpmsign::import_cmd(&database, &armored)).run()?;
            let answer = hands.exec(rpmsign::check_cmd(&database, package)).read()?;
            rpmsign::all_good(&answer)
        }
        _ if which::which("debsig-verify").is_ok() => {
            let policy = debsigs::Policy::write(private.path(), key.fingerprint, &ring)?;
            hands.exec(policy.check_cmd(package)).run()
        }
        _ => Ok(()),
    }
}

/// What the signature inside of a package says.
#[derive(Debug)]
pub struct Inspected {
    /// The user id of the key; none if the key is not known or the signature not good.
    pub signer: Option<String>,
    /// The key's fingerprint, likewise.
    pub fingerprint: Option<String>,
    /// Why it must not be believed.
    pub problems: Vec<String>,
}

/// Reads the signature of a `.deb` or `.rpm`; none if there is none. Without `ring`, a file as
/// [`gpg::keyring`] gives it, only what fits within the package is looked at. `scratch` is a folder
/// that nobody else writes to.
///
/// # Errors
/// It is no package, or `gpgv` is missing.
pub fn inspect(package: &Path, ring: Option<&Path>, scratch: &Path) -> Result<Option<Inspected>> {
    let bytes = fs::read(package)?;
    let (signed, signature, mut problems) = match Format::of(package)? {
        Format::Deb => {
            let it = debsigs::Package::parse(&bytes)?;
            (it.signed, it.signature, Vec::new())
        }
        _ => {
            let it = rpmsign::Package::parse(&bytes)?;
            (it.signed, it.signature, it.problems)
        }
    };
    let Some(signature) = signature else {
        return match problems.first() {
            Some(problem) => bail!("{problem}"),
            None => Ok(None),
        };
    };
    if let Err(error) = gpg::check_packet(&signature, &signed) {
        problems.push(format!("{error:#}"));
    }
    let mut found = Inspected {
        signer: None,
        fingerprint: None,
        problems,
    };
    if let Some(ring) = ring {
        let said = ask_gpgv(ring, &signed, &signature, scratch)?;
        found.fingerprint = gpg::signed_by(&said);
        found.signer = gpg::signer_name(&said);
        if found.fingerprint.is_none() {
            let why = "not signed by the trusted key, or changed since".to_owned();
            found.problems.push(why);
        }
    }
    Ok(Some(found))
}

fn ask_gpgv(ring: &Path, signed: &[u8], signature: &[u8], scratch: &Path) -> Result<String> {
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        let path = std::path::absolute(scratch.join(name))?;
        fs::write(&path, bytes)?;
        Ok(path)
    };
    let (data, detached) = (write("signed", signed)?, write("signed.sig", signature)?);
    let (good, said) = exec::quiet(gpg::verify_cmd(ring, &detached, &data))?;
    Ok(if good { said } else { String::new() })
}

/// What would be signed of these files.
pub fn plan(release: &Release, files: &[plan::File]) -> Vec<plan::Row> {
    const STEP: &str = "sign-installers";
    let row = |file: &plan::File| {
        let wanted = match file.format {
            Format::Deb => release.config.sign.linux.deb,
            Format::Rpm => release.config.sign.linux.rpm,
            Format::Elf => {
                let why = "ELF files carry no signature: what packs them is signed";
                let action = plan::Action::LeaveAlone;
                return Some(plan::Row::leave("sign-code", file, action, why));
            }
            _ => return None,
        };
        let why = format!(
            "`sign.linux.{}` is not set: the signature lies beside it",
            file.format
        );
        if !wanted {
            return Some(plan::Row::leave(STEP, file, plan::Action::LeaveAlone, &why));
        }
        let Some(key) = release.gpg_key() else {
            let why = "the GPG key signs only what a release identity signs";
            return Some(plan::Row::leave(STEP, file, plan::Action::CannotSign, why));
        };
        let tool = if file.format == Format::Rpm {
            "rpmsign, gpg"
        } else {
            "gpg"
        };
        let why = format!("`sign.linux.{}`: package managers check it", file.format);
        Some(plan::Row::sign(STEP, file, identity(&key), tool, &why))
    };
    files.iter().filter_map(row).collect()
}

/// Whose key it is. What the key ring knows of it only gpg could tell, which starts its agent, and
/// makes a key ring where there is none: a plan starts nothing.
pub fn identity(fingerprint: &str) -> plan::Identity {
    plan::Identity {
        name: "OpenPGP key".to_owned(),
        fingerprint: fingerprint.to_owned(),
    }
}
