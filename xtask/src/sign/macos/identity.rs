//! Whose key signs, in the form that the tool takes it.

use std::{ffi::OsString, path::Path, process::Command, time::SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use ct_codecs::{Base64, Decoder as _};
use xtask_signed::{Certificate, chain::CODE_SIGNING};

use super::{failed, keychain::Keychain};
use crate::{
    config::{AppleSigning, AppleTool},
    engine::{exec::Finished, secret::Secret},
    sign::{
        hands::Hands,
        private::Private,
        secrets::{Pkcs12, Secrets},
    },
    tools::rcodesign,
};

/// The certificate's name in a keychain, under the name that Tauri has for it and electron-builder's.
const NAMES: [&str; 2] = ["APPLE_SIGNING_IDENTITY", "CSC_NAME"];
/// What `rcodesign` says of a wrong password.
const WRONG_PASSWORD: &str = "incorrect password";
const CERTIFICATE: &str = "CERTIFICATE";

/// Who signs, and with what.
pub enum Identity<'h> {
    /// `rcodesign`: the arguments that name the key, and its certificate.
    Rcodesign(Vec<OsString>, Box<Certificate>),
    /// `codesign`: name or SHA-1, what people call it, and the keychain that it is in.
    Codesign(String, String, Option<Keychain<'h>>),
}

impl<'h> Identity<'h> {
    /// The identity that configuration and environment name; none if they name none.
    ///
    /// # Errors
    /// What is named cannot be used.
    pub fn find(
        hands: &'h dyn Hands,
        config: &AppleSigning,
        secrets: &Secrets,
        state: &Path,
        private: &Private,
    ) -> Result<Option<Self>> {
        let mut file = secrets.pkcs12(&config.certificate)?;
        if let Some(file) = &mut file {
            file.password = secrets.password(file)?;
        }
        let name = name(config);
        match (tool(config), file) {
            (AppleTool::Codesign, Some(file)) => {
                let keychain = Keychain::with(hands, state, private, secrets, &file)?;
                let (hash, name) = keychain.identity(name.as_deref())?;
                Ok(Some(Self::Codesign(hash, name, Some(keychain))))
            }
            (AppleTool::Codesign, None) => Ok(name.map(|it| Self::Codesign(it.clone(), it, None))),
            (_, Some(file)) => {
                let (words, certificate) = for_rcodesign(hands, private, &file)?;
                refuse_out_of_date(&certificate, &file.from)?;
                Ok(Some(Self::Rcodesign(words, Box::new(certificate))))
            }
            (_, None) => {
                ensure!(
                    name.is_none(),
                    "rcodesign finds no certificate by its name, and {} is not set\n\
                     hint: export the certificate with its key as a .p12 file, and name it there",
                    config.certificate.env
                );
                Ok(None)
            }
        }
    }

    /// Whose signature it will be.
    pub fn name(&self) -> String {
        match self {
            Self::Rcodesign(_, certificate) => certificate.name(),
            Self::Codesign(_, name, _) => name.clone(),
        }
    }

    /// The program that signs.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Rcodesign(..) => "rcodesign",
            Self::Codesign(..) => "codesign",
        }
    }
}

/// Before anything is written.
fn refuse_out_of_date(certificate: &Certificate, from: &str) -> Result<()> {
    let (since, until) = certificate.validity();
    let (now, name) = (SystemTime::now(), certificate.name());
    let date = |time| humantime::format_rfc3339_seconds(time).to_string();
    ensure!(
        now >= since,
        "the certificate of {name} in {from} is not valid before {}",
        date(since)
    );
    ensure!(
        now <= until,
        "the certificate of {name} in {from} expired at {}\n\
         hint: make a new one in your Apple Developer account; what was signed with a timestamp stays valid",
        date(until)
    );
    Ok(())
}

/// The tool that signs here.
pub fn tool(config: &AppleSigning) -> AppleTool {
    match config.tool {
        AppleTool::Auto if cfg!(target_os = "macos") => AppleTool::Codesign,
        AppleTool::Auto => AppleTool::Rcodesign,
        tool => tool,
    }
}

/// What the certificate is called; no secret.
pub fn name(config: &AppleSigning) -> Option<String> {
    let variable = |it: &str| std::env::var(it).ok().filter(|it| !it.is_empty());
    config
        .identity
        .clone()
        .or_else(|| NAMES.iter().find_map(|it: &&str| variable(it)))
}

/// Hands it a file that it can read and that leads to the right certificate. There are two traps: it
/// signs in the name of the last certificate in a PKCS#12 file, be it the authority's, and it panics at
/// the encryption that OpenSSL 3 uses by default.
fn for_rcodesign(
    hands: &dyn Hands,
    private: &Private,
    key: &Pkcs12,
) -> Result<(Vec<OsString>, Certificate)> {
    let file = private.file("certificate.p12", &key.bytes)?;
    let password = private.file("certificate.password", key.password.expose().as_bytes())?;
    let words = rcodesign::pkcs12(&file, &password);
    let looked = hands
        .exec(rcodesign::analyze_cmd(&words))
        .stdout_is_data()
        .output()?;
    ensure!(
        !looked.printed.iter().any(|it| it.contains(WRONG_PASSWORD)),
        "the password does not fit the certificate in {}\nhint: {}",
        key.from,
        key.hint()
    );
    if looked.status.success()
        && let Ok(certificate) = signer(&looked.stdout)
        && may_sign(&certificate)
    {
        return Ok((words, certificate));
    }
    let text = with_openssl(hands, &file, &password)
        .with_context(|| format!("the certificate in {} cannot be used as it is", key.from))?;
    let (own, above, certificate) = taken_apart(&text).with_context(|| key.from.clone())?;
    hands.mask(&Secret::new(&*own));
    let own = private.file("certificate.pem", own.as_bytes())?;
    let above = private.file("chain.pem", above.as_bytes())?;
    Ok((rcodesign::pem(&[&own, &above]), certificate))
}

/// The certificate among what `rcodesign analyze-certificate` printed.
fn signer(printed: &[u8]) -> Result<Certificate> {
    let text = String::from_utf8_lossy(printed);
    let blocks = blocks(&text);
    let block = blocks
        .iter()
        .rfind(|it| it.0 == CERTIFICATE)
        .context("it printed no certificate")?;
    certificate(&block.1)
}

fn may_sign(certificate: &Certificate) -> bool {
    !certificate.is_authority(0) && certificate.is_for(CODE_SIGNING)
}

/// The key and all certificates as PEM. Older files want algorithms that OpenSSL 3 keeps apart; and
/// LibreSSL, which macOS has, does not know that option.
fn with_openssl(hands: &dyn Hands, file: &Path, password: &Path) -> Result<String> {
    let mut last: Option<Finished> = None;
    for legacy in [false, true] {
        let mut command = Command::new("openssl");
        command.args(["pkcs12", "-nodes", "-in"]).arg(file);
        let mut source = OsString::from("file:");
        source.push(password);
        command.arg("-passin").arg(source);
        if legacy {
            command.arg("-legacy");
        }
        let ran = hands.exec(command).stdout_is_data().output().context(
            "rcodesign cannot use it, and there is no openssl to change that\n\
             hint: export the certificate alone, without those above it, with \
             `openssl pkcs12 -export -legacy`",
        )?;
        if ran.status.success() {
            return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
        }
        last = Some(ran);
    }
    bail!(failed(last.context("it was tried")?))
}

/// Of PEM: the signer's certificate with its key, and those above it; and the first, read.
fn taken_apart(text: &str) -> Result<(String, String, Certificate)> {
    let (mut keys, mut own, mut above) = (String::new(), Vec::new(), String::new());
    for (label, body) in blocks(text) {
        let pem = format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n");
        if label != CERTIFICATE {
            keys += &pem;
            continue;
        }
        match certificate(&body)? {
            it if may_sign(&it) => own.push((pem, it)),
            _ => above += &pem,
        }
    }
    ensure!(
        !keys.is_empty(),
        "it holds no private key\nhint: export the certificate together with its key"
    );
    match own.len() {
        0 => bail!(
            "it holds no certificate for code signing\n\
             hint: it takes one of the kind `Developer ID Application`"
        ),
        1 => {}
        n => bail!(
            "it holds {n} certificates for code signing: which one?\n\
             hint: export one alone"
        ),
    }
    let (pem, certificate) = own.remove(0);
    Ok((pem + &keys, above, certificate))
}

fn certificate(body: &str) -> Result<Certificate> {
    let der =
        Base64::decode_to_vec(body, Some(b"\r\n")).map_err(|_| anyhow::anyhow!("damaged PEM"))?;
    Certificate::from_der(&der)
}

/// Label and body of each PEM block.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines().map(str::trim_end) {
        let marker = |word: &str| line.strip_prefix(word)?.strip_suffix("-----");
        if let Some(label) = marker("-----BEGIN ") {
            open = Some((label.to_owned(), String::new()));
        } else if marker("-----END ").is_some() {
            found.extend(open.take());
        } else if let Some((_, body)) = &mut open {
            body.push_str(line);
            body.push('\n');
        }
    }
    found
}
