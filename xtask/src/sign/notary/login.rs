//! Who may ask Apple: an API key, a profile in the keychain, or an Apple ID with its password if
//! somebody says so.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use ct_codecs::{Base64, Decoder as _};

use super::client::Client;
use crate::{
    config::{AppleSigning, AppleTool},
    sign::{macos::identity, private::Private, secrets::Secrets},
    tools::{notarytool, rcodesign},
};

/// What to do without a login.
pub(super) const API_KEY_HINT: &str = "make an API key in App Store Connect (Users and Access, Integrations), and \
                            export its id as APPLE_API_KEY, its issuer as APPLE_API_ISSUER, and the path \
                            of its .p8 file as APPLE_API_KEY_PATH";

impl Client {
    /// The one that configuration and environment give; none if there is no login.
    ///
    /// # Errors
    /// A login that cannot be used, or not without `allow_secret_in_args`.
    pub fn find(
        config: &AppleSigning,
        secrets: &Secrets,
        private: &Private,
        allow_secret_in_args: bool,
    ) -> Result<Option<Self>> {
        let rcodesign = identity::tool(config) == AppleTool::Rcodesign;
        if let Some(key) = ApiKey::find(secrets)? {
            if rcodesign {
                let text = rcodesign::api_key(&key.issuer, &key.id, &key.der_base64()?);
                return Ok(Some(Self::Rcodesign(
                    private.file("api-key.json", text.as_bytes())?,
                )));
            }
            let file = private.file("api-key.p8", key.pem.as_bytes())?;
            return Ok(Some(Self::Notarytool(notarytool::api_key(
                &file,
                &key.id,
                &key.issuer,
            ))));
        }
        match variable("APPLE_KEYCHAIN_PROFILE") {
            Some(name) if !rcodesign => {
                let keychain = variable("APPLE_KEYCHAIN");
                Ok(Some(Self::Notarytool(notarytool::profile(
                    &name,
                    keychain.as_deref(),
                ))))
            }
            _ if variable("APPLE_ID").is_some() => {
                let accepted = allow_secret_in_args && !rcodesign;
                ensure!(accepted, refused(rcodesign));
                apple_id(secrets).map(|it| Some(Self::Notarytool(it)))
            }
            _ => Ok(None),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|it| !it.is_empty())
}

/// Why nobody logs in by an Apple ID, unless somebody says so.
fn refused(rcodesign: bool) -> String {
    let (rest, accept) = match rcodesign {
        true => (", and rcodesign takes none", ""),
        false => ("", "\nhint: or accept it with --allow-secret-in-args"),
    };
    format!(
        "notarytool takes the password of an Apple ID only as an argument, which every process \
         on the machine can read{rest}\n\
         hint: {API_KEY_HINT}\n\
         hint: or keep the password in the keychain with `xcrun notarytool store-credentials \
         NAME`, and export APPLE_KEYCHAIN_PROFILE=NAME (on macOS){accept}"
    )
}

/// The arguments that log in by an Apple ID, under Tauri's names; electron-builder has another one for
/// the password.
fn apple_id(secrets: &Secrets) -> Result<Vec<OsString>> {
    let missing = |name: &str| format!("APPLE_ID is set, but {name} is not");
    let id = variable("APPLE_ID").with_context(|| missing("APPLE_ID"))?;
    let names = ["APPLE_PASSWORD", "APPLE_APP_SPECIFIC_PASSWORD"];
    let password = secrets.find(&names)?;
    let password = password.with_context(|| {
        let hint = "make an app-specific password at https://account.apple.com";
        format!("{}\nhint: {hint}", missing(names[0]))
    })?;
    let team = variable("APPLE_TEAM_ID").with_context(|| {
        let hint = "it is the ten letters and digits in your certificate's name";
        format!("{}\nhint: {hint}", missing("APPLE_TEAM_ID"))
    })?;
    Ok(notarytool::apple_id(&id, password.expose(), &team))
}

/// A key of App Store Connect.
struct ApiKey {
    id: String,
    issuer: String,
    pem: String,
}

impl ApiKey {
    /// Under the names of Tauri; electron-builder's are understood, too, which has the path in
    /// `APPLE_API_KEY` and the id in `APPLE_API_KEY_ID`.
    fn find(secrets: &Secrets) -> Result<Option<Self>> {
        let find = |name: &str| {
            Ok::<_, anyhow::Error>(secrets.find(&[name])?.map(|it| it.expose().to_owned()))
        };
        let (first, other) = (find("APPLE_API_KEY")?, find("APPLE_API_KEY_ID")?);
        let path = find("APPLE_API_KEY_PATH")?;
        let (id, path) = match other {
            Some(id) => (id, path.or(first)),
            None => match first {
                Some(id) => (id, path),
                None => return Ok(None),
            },
        };
        let issuer = find("APPLE_API_ISSUER")?.context(
            "APPLE_API_KEY is set, but APPLE_API_ISSUER is not\n\
             hint: App Store Connect shows the issuer's id above the list of keys",
        )?;
        let pem = match path {
            Some(text) => content(&text).context("APPLE_API_KEY_PATH")?,
            None => usual(&id)?,
        };
        // So far only the path is masked; and rcodesign gets all lines as one.
        let pem = secrets.keep(pem).expose().to_owned();
        secrets.keep(without_armor(&pem));
        ensure!(
            pem.trim_start().starts_with("-----BEGIN PRIVATE KEY-----"),
            "the API key is no .p8 file as App Store Connect hands it out"
        );
        Ok(Some(Self { id, issuer, pem }))
    }

    /// Without its armor.
    fn der_base64(&self) -> Result<String> {
        let body = without_armor(&self.pem);
        let der = Base64::decode_to_vec(&body, None);
        ensure!(der.is_ok_and(|it| !it.is_empty()), "the API key is damaged");
        Ok(body)
    }
}

fn without_armor(pem: &str) -> String {
    let lines = pem.trim().lines().filter(|it| !it.starts_with("-----"));
    lines.flat_map(|it| it.trim().chars()).collect()
}

/// What a variable names or holds: a path, the text of the file, or that in base64.
fn content(text: &str) -> Result<String> {
    if text.trim_start().starts_with("-----BEGIN") {
        return Ok(text.to_owned());
    }
    if Path::new(text).is_file() {
        return Ok(fs_err::read_to_string(text)?);
    }
    let compact: String = text.split_whitespace().collect();
    let decoded = Base64::decode_to_vec(&compact, None).ok();
    let decoded = decoded.and_then(|it| String::from_utf8(it).ok());
    decoded.filter(|it| it.starts_with("-----BEGIN")).context(
        "there is no such file, and it is no key in base64 either\n\
         hint: App Store Connect lets a key be downloaded once, as AuthKey_<id>.p8",
    )
}

/// Where Apple's own tools look for a key.
fn usual(id: &str) -> Result<String> {
    let name = format!("AuthKey_{id}.p8");
    let home = std::env::home_dir().unwrap_or_default();
    let folders = [
        PathBuf::from("private_keys"),
        home.join("private_keys"),
        home.join(".private_keys"),
        home.join(".appstoreconnect/private_keys"),
    ];
    let found = folders
        .iter()
        .map(|it| it.join(&name))
        .find(|it| it.is_file());
    let found = found.with_context(|| {
        format!(
            "there is no {name} where Apple's tools look for it\n\
             hint: export its path as APPLE_API_KEY_PATH"
        )
    })?;
    Ok(fs_err::read_to_string(found)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::secret::Redactor;

    #[test]
    fn the_content_of_a_key_is_masked_wherever_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [
            "MIGTAgEAMBMGByqGSM49AgEGCCqGSM49",
            "AwEHBHkwdwIBAQQgPracticeKeyOnly0",
        ];
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        );
        let file = folder.path().join("key.p8");
        fs_err::write(&file, &pem).unwrap();
        let base64 = <Base64 as ct_codecs::Encoder>::encode_to_string(&pem).unwrap();
        for path in [file.to_str().unwrap(), &pem, &base64] {
            let redactor = Redactor::default();
            let variables = [
                ("APPLE_API_KEY", "PRACTICE42"),
                ("APPLE_API_ISSUER", "0c0ffee0-1234"),
                ("APPLE_API_KEY_PATH", path),
            ];
            let key = ApiKey::find(&Secrets::of(redactor.clone(), &variables));
            let body = key.unwrap().unwrap().der_base64().unwrap();
            for text in [lines[0], lines[1], &body, &base64] {
                assert_eq!(redactor.redact(&format!("it is {text}!")), "it is ***!");
            }
        }
    }
}
