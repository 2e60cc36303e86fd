//! `latest.json`, which Tauri's updater reads to find a new version, and how it checks a signature.
//!
//! The form: <https://v2.tauri.app/plugin/updater/#static-json-file>. An app looks for
//! `{os}-{arch}-{bundle}`, of the bundle that it was installed from, and then for `{os}-{arch}`
//! (tauri-plugin-updater since 2.10; older ones look for the second only).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use ct_codecs::{Base64, Decoder as _};
use minisign_verify::{PublicKey, Signature};
use serde::{Deserialize, Serialize};

use crate::{
    manifest::{Artifact, ArtifactKind},
    target::{Os, Target},
};

/// `latest.json`. Fields are in the order of Tauri's documentation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latest {
    /// What can be updated to, as a semantic version.
    pub version: String,
    /// What is new, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// RFC 3339.
    pub pub_date: String,
    /// What each platform is updated with.
    pub platforms: BTreeMap<String, Platform>,
}

/// An update of one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The content of the `.sig` file.
    pub signature: String,
    /// Where the installer can be downloaded.
    pub url: String,
}

impl Latest {
    /// The file's text, with a final line end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data becomes JSON");
        text.push('\n');
        text
    }

    /// Reads it. Strict: what the updater would pass over is refused.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("not the updater's metadata")
    }
}

/// The formats of installers that an app can be updated with, the one that stands for all others
/// first: on Linux it runs without being installed, on Windows anybody may install it.
fn formats(os: Os) -> &'static [&'static str] {
    match os {
        Os::Linux => &["appimage", "deb", "rpm"],
        Os::Windows => &["nsis", "msi"],
        Os::Macos => &["app"],
    }
}

/// The processors as the updater names them.
fn archs(target: &Target) -> Vec<&str> {
    match target.arch() {
        "universal" => vec!["aarch64", "x86_64"],
        // `i586-…` and the like run where an i686 does.
        arch if arch.starts_with('i') && arch.ends_with("86") => vec!["i686"],
        arch => vec![arch],
    }
}

/// Which of these files each platform is updated with, by its key; and why a target has none.
///
/// # Errors
/// Every target that cannot be updated, and every key that two files claim, one sentence each.
pub fn platforms<'a>(
    parts: impl IntoIterator<Item = (&'a Target, &'a [Artifact])>,
) -> std::result::Result<BTreeMap<String, String>, Vec<String>> {
    let (mut claims, mut problems) = (Claims::new(), Vec::new());
    let mut parts: Vec<_> = parts.into_iter().collect();
    // What was made for one processor only suits it better.
    parts.sort_by_key(|(target, _)| target.arch() == "universal");
    for (target, artifacts) in parts {
        let mut found = BTreeMap::new();
        for artifact in artifacts
            .iter()
            .filter(|it| it.kind == ArtifactKind::Installer)
        {
            let Some(&format) = formats(target.os).iter().find(|it| **it == artifact.format) else {
                continue;
            };
            if let Some(before) = found.insert(format, &artifact.path) {
                problems.push(format!(
                    "{target} has two updates of the kind {format}: {before}, {}",
                    artifact.path
                ));
            }
        }
        let Some(first) = formats(target.os).iter().find_map(|it| found.get(it)) else {
            problems.push(format!(
                "{target} cannot be updated: among its installers is no {}",
                formats(target.os).join(", no ")
            ));
            continue;
        };
        for arch in archs(target) {
            let key = format!("{}-{arch}", target.platform());
            let specific = found.iter();
            let specific = specific.map(|(format, file)| (format!("{key}-{format}"), *file));
            for (key, file) in specific.chain([(key.clone(), *first)]) {
                problems.extend(claim(&mut claims, key, target, file));
            }
        }
    }
    let platforms = claims.into_iter().map(|(key, it)| (key, it.1.to_owned()));
    match problems.is_empty() {
        true => Ok(platforms.collect()),
        false => Err(problems),
    }
}

/// The target and the file that a key stands for.
type Claims<'a> = BTreeMap<String, (&'a Target, &'a str)>;

/// Lets a key stand for a file, or says who else wants it. A universal app yields.
fn claim<'a>(
    claims: &mut Claims<'a>,
    key: String,
    target: &'a Target,
    file: &'a str,
) -> Option<String> {
    let Some((other, before)) = claims.get(&key) else {
        claims.insert(key, (target, file));
        return None;
    };
    let clash = *before != file && target.arch() != "universal";
    clash.then(|| {
        format!(
            "{key} cannot be two files: {before} of {}, {file} of {}; leave one target out",
            other.triple, target.triple
        )
    })
}

/// Where a file can be downloaded, by the pattern of `updater.url`.
pub fn url(pattern: &str, version: &str, file: &str) -> String {
    pattern
        .replace("{version}", &escaped(version))
        .replace("{file}", &escaped(file))
}

/// Whether an address is of a file with this name.
pub fn names(url: &str, file: &str) -> bool {
    let name = escaped(file);
    let edge = |it: Option<char>| it.is_none_or(|it| "/=?&#".contains(it));
    url.match_indices(&name).any(|(at, _)| {
        edge(url[..at].chars().next_back()) && edge(url[at + name.len()..].chars().next())
    })
}

/// Percent-encoded as a part of a path (RFC 3986, unreserved characters stay).
pub fn escaped(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    let mut escaped = String::new();
    for byte in text.bytes() {
        match plain(byte) {
            true => escaped.push(char::from(byte)),
            false => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Whether the updater of an app with this public key (base64, as in `plugins.updater.pubkey`) would
/// install the data: the same calls of the same library, in the same order.
///
/// # Errors
/// It would not.
pub fn verify(data: &[u8], signature: &str, public_key: &str) -> Result<()> {
    let key = PublicKey::decode(&text_of(public_key).context("the public key")?);
    let key = key.map_err(|error| anyhow!("the public key: {error}"))?;
    let signature = Signature::decode(&text_of(signature).context("the signature")?);
    let signature = signature.map_err(|error| anyhow!("the signature: {error}"))?;
    key.verify(data, &signature, true)
        .map_err(|error| anyhow!("{error}"))
}

fn text_of(base64: &str) -> Result<String> {
    let bytes = Base64::decode_to_vec(base64, None).map_err(|error| anyhow!("{error}"))?;
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::tools::minisign::{Signer, trusted_comment};

    fn artifact(path: &str) -> Artifact {
        let ends = [
            (".deb", "deb"),
            (".rpm", "rpm"),
            (".AppImage", "appimage"),
            ("-setup.exe", "nsis"),
            (".msi", "msi"),
            (".app.tar.gz", "app"),
            (".dmg", "dmg"),
        ];
        let format = ends.iter().find(|it| path.ends_with(it.0));
        Artifact {
            path: path.to_owned(),
            kind: format.map_or(ArtifactKind::Archive, |_| ArtifactKind::Installer),
            format: format.map_or("tar.gz", |it| it.1).to_owned(),
            size: 1,
            sha256: "0".repeat(64),
            signatures: Vec::new(),
            contents: Vec::new(),
        }
    }

    /// Targets with their files, and what an app that looks for an update finds.
    fn check(parts: &[(&str, &str)], expected: Expect) {
        let parts: Vec<(Target, Vec<Artifact>)> = parts
            .iter()
            .map(|(target, files)| {
                let files = files.split_whitespace().map(artifact).collect();
                (target.parse().unwrap(), files)
            })
            .collect();
        let found = platforms(parts.iter().map(|it| (&it.0, &*it.1)));
        let text = match found {
            Ok(platforms) => platforms
                .iter()
                .map(|(key, file)| format!("{key}: {file}\n"))
                .collect(),
            Err(problems) => problems.join("\n") + "\n",
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn every_platform_has_its_keys() {
        check(
            &[
                ("x86_64-unknown-linux-gnu", "a.rpm a.deb a.tar.gz"),
                ("aarch64-unknown-linux-gnu", "b.AppImage b.deb"),
                ("x86_64-pc-windows-msvc", "c.msi c-setup.exe"),
                ("aarch64-apple-darwin", "d.dmg d.app.tar.gz"),
            ],
            expect![[r#"
                darwin-aarch64: d.app.tar.gz
                darwin-aarch64-app: d.app.tar.gz
                linux-aarch64: b.AppImage
                linux-aarch64-appimage: b.AppImage
                linux-aarch64-deb: b.deb
                linux-x86_64: a.deb
                linux-x86_64-deb: a.deb
                linux-x86_64-rpm: a.rpm
                windows-x86_64: c-setup.exe
                windows-x86_64-msi: c.msi
                windows-x86_64-nsis: c-setup.exe
            "#]],
        );
    }

    #[test]
    fn a_universal_app_fills_what_nothing_suits_better() {
        check(
            &[
                ("universal-apple-darwin", "u.app.tar.gz"),
                ("aarch64-apple-darwin", "a.app.tar.gz"),
                ("i686-pc-windows-msvc", "w-setup.exe"),
            ],
            expect![[r#"
                darwin-aarch64: a.app.tar.gz
                darwin-aarch64-app: a.app.tar.gz
                darwin-x86_64: u.app.tar.gz
                darwin-x86_64-app: u.app.tar.gz
                windows-i686: w-setup.exe
                windows-i686-nsis: w-setup.exe
            "#]],
        );
    }

    #[test]
    fn a_target_without_an_update_is_named() {
        check(
            &[
                ("x86_64-unknown-linux-gnu", "a.deb b.deb"),
                ("x86_64-pc-windows-msvc", "c.tar.gz"),
                ("aarch64-apple-darwin", "d.dmg"),
            ],
            expect![[r#"
                x86_64-unknown-linux-gnu has two updates of the kind deb: a.deb, b.deb
                x86_64-pc-windows-msvc cannot be updated: among its installers is no nsis, no msi
                aarch64-apple-darwin cannot be updated: among its installers is no app
            "#]],
        );
    }

    #[test]
    fn addresses_are_escaped() {
        let check = |file: &str, expected: &str| {
            let pattern = "https://example.org/v{version}/{file}?from=app";
            assert_eq!(url(pattern, "1.0.0+7", file), expected);
        };
        check("a_1.deb", "https://example.org/v1.0.0%2B7/a_1.deb?from=app");
        check(
            "My App.exe",
            "https://example.org/v1.0.0%2B7/My%20App.exe?from=app",
        );
        check(
            "{version}",
            "https://example.org/v1.0.0%2B7/%7Bversion%7D?from=app",
        );
    }

    #[test]
    fn the_updater_takes_what_we_sign_and_nothing_else() {
        let (signer, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let comment = trusted_comment(1, "a.deb", Some("1.0.0"));
        let signature = signer.sign_reader(&b"data"[..], &comment).unwrap();
        let check = |data: &[u8], signature: &str, key: &str, expected: &str| {
            let outcome = verify(data, signature, key);
            let text = outcome.map_or_else(|error| format!("{error:#}"), |()| "good".to_owned());
            assert_eq!(text, expected);
        };
        let (good, key) = (signature.tauri(), signer.public_key().tauri());
        check(b"data", &good, &key, "good");
        check(b"date", &good, &key, "The signature verification failed");
        check(
            b"data",
            &good,
            &other.public_key().tauri(),
            "The signature was created with a different key than the one provided",
        );
        check(
            b"data",
            &signature.minisig(),
            &key,
            "the signature: Invalid input for the given encoding",
        );
    }
}
