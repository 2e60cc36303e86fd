//! What installed apps find: `latest.json`, whether it must be there, and whether the updater takes what
//! it offers.

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    manifest::{ArtifactKind, LATEST_NAME},
    tools::minisign::{Signer, trusted_comment},
};

use super::{
    made::{Case, DEB, key},
    refuse,
};

#[test]
fn every_target_must_be_updated() {
    let only_archive = |case: &mut Case| {
        fs::remove_dir_all(case.path("in/windows")).unwrap();
        let files = [(
            "small.zip",
            ArtifactKind::Archive,
            "zip",
            b"PK\x05\x06".to_vec(),
        )];
        case.release("windows", "x86_64-pc-windows-msvc", &files, |it| {
            it.artifacts[0].contents.clear();
        });
    };
    refuse(
        only_archive,
        "",
        expect![[r#"
        release  file  problem
        -  latest.json  windows cannot be updated: among its installers is no nsis, no msi
        NOT merged: 1 problem
        exit code 1
    "#]],
    );
    // Two targets of one platform, of which one would never be offered.
    let other_toolchain = |case: &mut Case| {
        let files = [(
            "small.msi",
            ArtifactKind::Installer,
            "msi",
            b"setup".to_vec(),
        )];
        let triple = "x86_64-pc-windows-gnu";
        case.release(triple, triple, &files, |_| {});
    };
    refuse(
        other_toolchain,
        "--expect linux,windows,macos,x86_64-pc-windows-gnu",
        expect![[r#"
            release  file  problem
            -  latest.json  windows-x86_64 cannot be two files: small.msi of x86_64-pc-windows-gnu, small_0.1.0_x64-setup.exe of x86_64-pc-windows-msvc; leave one target out
            NOT merged: 1 problem
            exit code 1
        "#]],
    );
}

/// Without a place to download from.
const NO_URL: &str = "[release]\ntargets = ['linux', 'windows', 'macos']\n";

#[test]
fn who_looks_for_updates_finds_them() {
    // Nobody does: that is said.
    let case = Case::complete();
    case.write("repo/packaging/dist.toml", NO_URL);
    let (code, said) = case.run("merge ../in");
    assert_eq!(code, 0, "{said}");
    let gap = "gap: latest.json: `url` in `[updater]`";
    assert!(said.contains(gap), "{said}");
    assert!(!case.path("repo/dist/0.1.0/merged/latest.json").exists());
    assert_eq!(case.run("verify dist/0.1.0/merged").0, 0);
    // Installed apps do: what was merged is found out, and not merged any more.
    case.known_to_apps(case.signer.public_key());
    expect![[r#"
        file  check  expected  actual
        manifest.json  updater  latest.json  none
        note: gap: latest.json: `url` in `[updater]` of packaging/dist.toml does not say where the files will be
        NOT verified: 1 of 51 checks failed in dist/0.1.0/merged
        exit code 1
    "#]].assert_eq(&case.shown("verify dist/0.1.0/merged"));
    let own_key = |case: &mut Case| {
        case.write("repo/packaging/dist.toml", NO_URL);
        case.known_to_apps(case.signer.public_key());
    };
    refuse(
        own_key,
        "",
        expect![[r#"
        release  file  problem
        -  latest.json  `url` in `[updater]` of packaging/dist.toml does not say where the files will be
        NOT merged: 1 problem
        exit code 1
    "#]],
    );
}

/// In a workflow the place is known.
#[test]
fn the_place_on_github_is_known() {
    let mut case = Case::complete();
    let mut check = |config: &str, variables: &[(&str, &str)], expected: &str| {
        case.write("repo/packaging/dist.toml", format!("{NO_URL}{config}"));
        let hub = [
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "example/small"),
        ];
        let all = hub.iter().chain(variables);
        case.variables = all
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let (code, said) = case.run("merge ../in");
        assert_eq!(code, 0, "{said}");
        let latest = case.read("repo/dist/0.1.0/merged/latest.json");
        let latest: serde_json::Value = serde_json::from_str(&latest).unwrap();
        let url = latest["platforms"]["linux-x86_64"]["url"].as_str().unwrap();
        assert_eq!(url.strip_suffix(DEB), Some(expected), "{url}");
    };
    let place = "https://github.com/example/small/releases/download";
    check("", &[], &format!("{place}/v0.1.0/"));
    check("tag = 'a/{version}'\n", &[], &format!("{place}/a%2F0.1.0/"));
    let tag = [("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "0.1.0")];
    check("", &tag, &format!("{place}/0.1.0/"));
}

/// The file that the configuration names; a release without it would tell nobody what is new.
#[test]
fn what_is_new_comes_from_the_configured_file() {
    let case = Case::complete();
    let config = case.read("repo/packaging/dist.toml");
    let notes = "notes = \"news/{version}.md\"\n";
    case.write("repo/packaging/dist.toml", format!("{config}{notes}"));
    expect![[r#"
    error: what is new cannot be read
    cause: failed to open file `[FOLDER]/repo/news/0.1.0.md`: No such file or directory (os error 2)
    hint: write it, or take `notes` out of `[updater]` of packaging/dist.toml
    exit code 1
"#]]
    .assert_eq(&case.shown("merge ../in"));
    case.write("repo/news/0.1.0.md", "All is new.\n");
    assert_eq!(case.run("merge ../in").0, 0);
    let latest = case.read("repo/dist/0.1.0/merged/latest.json");
    assert!(latest.contains(r#""notes": "All is new.""#), "{latest}");
}

/// Whoever has the key can sign anything; that all platforms are there is known besides.
#[test]
fn a_platform_that_is_missing_is_found() {
    let case = Case::complete();
    assert_eq!(case.run("merge ../in").0, 0);
    let folder = "repo/dist/0.1.0/merged";
    let text = case.read(&format!("{folder}/{LATEST_NAME}"));
    let check = |change: &dyn Fn(&mut serde_json::Value), expected: Expect| {
        let mut latest: serde_json::Value = serde_json::from_str(&text).unwrap();
        change(&mut latest);
        case.write(&format!("{folder}/{LATEST_NAME}"), latest.to_string());
        expected.assert_eq(&wrong_updates(&case));
    };
    let of = |latest: &mut serde_json::Value, key: &str| latest["platforms"][key].clone();
    check(
        &|it| {
            drop(
                it["platforms"]
                    .as_object_mut()
                    .unwrap()
                    .remove("darwin-aarch64"),
            )
        },
        expect![[r#"
            darwin-aarch64 | there | missing
        "#]],
    );
    check(
        &|it| it["platforms"]["linux-x86_64"] = of(it, "windows-x86_64"),
        expect![[r#"
            linux-x86_64 url | small_0.1.0_amd64.deb | https://example.org/v0.1.0/small_0.1.0_x64-setup.exe
            linux-x86_64 | good signature | not the signature in small_0.1.0_amd64.deb.sig
        "#]],
    );
    check(
        &|it| it["platforms"]["linux-x86_64"]["signature"] = "".into(),
        expect![[r#"
            linux-x86_64 | good signature | not the signature in small_0.1.0_amd64.deb.sig
        "#]],
    );
    check(
        &|it| it["version"] = "0.3.0".into(),
        expect![[r#"
        version | 0.1.0 | 0.3.0
    "#]],
    );
    check(
        &|it| it["more"] = "0.3.0".into(),
        expect![[r#"
        form | the updater's | not the updater's metadata: unknown field `more`, expected one of `version`, `notes`, `pub_date`, `platforms` at line 1 column 7
    "#]],
    );
}

/// What `verify` finds wrong with `latest.json`, besides that it is another file.
fn wrong_updates(case: &Case) -> String {
    let (code, said) = case.run("verify dist/0.1.0/merged --format json");
    assert_eq!(code, 1);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let rows = report["rows"].as_array().unwrap().iter();
    let wrong = rows.filter(|it| it["file"] == LATEST_NAME && it["ok"] == false);
    let known = ["size", "sha256", "SHA256SUMS", "minisign"];
    let wrong = wrong.filter(|it| !known.contains(&it["check"].as_str().unwrap()));
    let lines = wrong.map(|it| {
        let words = ["check", "expected", "actual"].map(|key| it[key].as_str().unwrap());
        words.join(" | ") + "\n"
    });
    lines.collect()
}

/// The words are those of the library that the updater verifies with: an app would refuse the update, whatever
/// else is right with the file.
#[test]
fn the_updater_would_take_every_file() {
    let case = Case::complete();
    assert_eq!(case.run("merge ../in").0, 0);
    let folder = "repo/dist/0.1.0/merged";
    let (package, sig) = (format!("{folder}/{DEB}"), format!("{folder}/{DEB}.sig"));
    let (good, signature) = (fs::read(case.path(&package)).unwrap(), case.read(&sig));
    let latest = case.read(&format!("{folder}/{LATEST_NAME}"));
    let sign = |signer: &Signer, bytes: &[u8]| {
        let comment = trusted_comment(0, DEB, Some("0.1.0"));
        signer.sign_reader(bytes, &comment).unwrap().tauri()
    };
    // The package, and its signature both beside it and in `latest.json`.
    let wrong = |bytes: &[u8], now: &str| {
        case.write(&package, bytes);
        case.write(&sig, now);
        let json = |text: &str| serde_json::to_string(text).unwrap();
        let latest = latest.replace(&json(&signature), &json(now));
        case.write(&format!("{folder}/{LATEST_NAME}"), latest);
        wrong_updates(&case)
    };
    let (_, other) = key();
    let said = [
        ("another file", wrong(b"another", &signature)),
        ("another's signature", wrong(&good, &sign(&other, &good))),
        (
            "that of another file",
            wrong(&good, &sign(&case.signer, b"another")),
        ),
        ("none", wrong(&good, "signed")),
    ];
    let said = said.map(|(what, rows)| format!("{what}:\n{rows}"));
    expect![[r#"
        another file:
        linux-x86_64 | good signature | The signature verification failed
        linux-x86_64-deb | good signature | The signature verification failed
        another's signature:
        linux-x86_64 | good signature | The signature was created with a different key than the one provided
        linux-x86_64-deb | good signature | The signature was created with a different key than the one provided
        that of another file:
        linux-x86_64 | good signature | The signature verification failed
        linux-x86_64-deb | good signature | The signature verification failed
        none:
        linux-x86_64 | good signature | the signature: Invalid input for the given encoding
        linux-x86_64-deb | good signature | the signature: Invalid input for the given encoding
    "#]].assert_eq(&said.concat());
}
