//! Whether a signature that was just made is worth something: by the tool, and by the file's bytes.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use xtask_signed::{Signed, Timestamp};

use super::{Made, Signer, found, identity::Known};
use crate::{config::Timestamping, sign::hands::Hands};

/// How far a timestamp may be from our own clock: more than clocks differ and networks wait.
const TOLERANCE: Duration = Duration::from_secs(600);

/// Fails unless the file carries the signature that it is meant to carry, with its timestamp.
pub(super) fn file(signer: &Signer, hands: &impl Hands, file: &Path) -> Result<Made> {
    let made = signature(signer, file, signer.config.timestamp)?;
    if let Some(objection) = signer.objection(hands, file)? {
        bail!("{} does not accept it: {objection}", signer.tool_name());
    }
    Ok(made)
}

/// Fails unless the signature is good but for its timestamp, which comes next: what is wrong with the
/// certificate is no timestamp server's fault.
pub(super) fn unstamped(signer: &Signer, hands: &impl Hands, file: &Path) -> Result<()> {
    signature(signer, file, Timestamping::None)?;
    if let Some(objection) = signer.windows_objection(hands, file)? {
        bail!(
            "signtool does not accept the certificate: {objection}\n\
             hint: Windows must trust the authority that issued it: `certutil -user -addstore Root \
             ROOT.cer` for one of your own"
        );
    }
    Ok(())
}

/// Fails unless the file carries a good signature by the certificate that is to sign.
pub(super) fn signature(signer: &Signer, file: &Path, timestamping: Timestamping) -> Result<Made> {
    let found = found::read(file, &found::trust(&signer.config)?)?;
    let first = found.first().context("it carries no signature")?;
    let made = accept(first, timestamping, SystemTime::now())?;
    let certificate = first.certificate.as_ref();
    let certificate = certificate.context("its certificate is missing")?;
    ensure!(
        signer.recognizes(certificate)?.unwrap_or(true),
        "it is signed by another certificate, {} ({}), than the one expected ({})",
        made.signer,
        made.fingerprint,
        signer.expected()?
    );
    // Of identities that only their signature tells, the first one counts for all files.
    signer.remember(&Known::of(certificate))?;
    Ok(made)
}

/// What is read from the file must have no problem, and a time that can be true.
fn accept(signed: &Signed, timestamping: Timestamping, now: SystemTime) -> Result<Made> {
    if let Some(problem) = signed.problems.first() {
        bail!("{problem}");
    }
    match (&signed.timestamp, timestamping) {
        (Some(timestamp), _) => about_now(timestamp, now)?,
        (None, Timestamping::None) => {}
        (None, Timestamping::Rfc3161) => bail!("it carries no timestamp"),
    }
    Ok(Made::of(signed))
}

/// A server that lies about the time makes a signature that ends too early, or never.
fn about_now(timestamp: &Timestamp, now: SystemTime) -> Result<()> {
    let time = UNIX_EPOCH + Duration::from_secs(timestamp.seconds);
    let (early, late) = (now.duration_since(time), time.duration_since(now));
    let away = early.or(late).unwrap_or_default();
    ensure!(
        away <= TOLERANCE,
        "its timestamp says {}, but here it is {}",
        humantime::format_rfc3339_seconds(time),
        humantime::format_rfc3339_seconds(now)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use xtask_signed::Format;

    use super::*;

    #[test]
    fn only_a_time_that_can_be_true() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let check = |offset: Option<i64>, timestamping, expected: &str| {
            let seconds = |it| 1_800_000_000_u64.saturating_add_signed(it);
            let signed = Signed {
                format: Format::Pe,
                signer: Some("Somebody".to_owned()),
                fingerprint: None,
                certificate: None,
                timestamp: offset.map(|it| Timestamp {
                    seconds: seconds(it),
                    authority: "Server".to_owned(),
                }),
                hardened_runtime: None,
                stapled: None,
                intact: true,
                problems: Vec::new(),
            };
            let outcome = accept(&signed, timestamping, now);
            let text = outcome.map_or_else(|it| format!("{it:#}"), |it| it.signer);
            assert_eq!(text, expected, "{offset:?}");
        };
        let wanted = Timestamping::Rfc3161;
        check(Some(0), wanted, "Somebody");
        check(Some(600), wanted, "Somebody");
        check(Some(-600), wanted, "Somebody");
        let said = "its timestamp says 2027-01-15T08:10:01Z, but here it is 2027-01-15T08:00:00Z";
        check(Some(601), wanted, said);
        let said = "its timestamp says 2027-01-15T07:49:59Z, but here it is 2027-01-15T08:00:00Z";
        check(Some(-601), wanted, said);
        check(Some(-601), Timestamping::None, said);
        check(None, wanted, "it carries no timestamp");
        check(None, Timestamping::None, "Somebody");
    }
}
