//! `ci publish` with a GitHub that has bad days: a stand-in for `gh` on PATH, whose releases are
//! folders.

use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect, expect_file};
use fs_err as fs;
use similar::{ChangeTag, TextDiff};

use super::made::Case;

/// A GitHub in `$GH_WORLD`: `draft` or `published` say what there is, `assets` holds the files.
/// `bad-VERB` holds how often a verb goes wrong, and how.
pub const GH: &str = r#"#!/bin/sh
set -eu
cd "$GH_WORLD"
verb=$2
test "$1" != api || verb=api
test "${GH_TOKEN-}" = the-token || { echo 'not logged in' >&2; exit 4; }
bad=none
if test -e "bad-$verb"; then
    read -r left bad < "bad-$verb"
    if test "$left" = 0; then bad=none; else echo "$((left - 1)) $bad" > "bad-$verb"; fi
fi
test "$bad" != fails || { echo 'HTTP 502: Bad Gateway' >&2; exit 1; }
case $verb in
view)
    test -e draft || test -e published || { echo 'release not found' >&2; exit 1; }
    draft=true; test ! -e published || draft=false
    printf '{"isDraft":%s,"url":"https://github.example/%s","assets":[' $draft "$3"
    comma=
    for file in assets/*; do
        test -e "$file" || continue
        name=${file##*/}; state=uploaded; digest=
        test ! -e "partial-$name" || state=starter
        test -e no-digests || digest=",\"digest\":\"sha256:$(sha256sum < "$file" | cut -d' ' -f1)\""
        printf '%s{"name":"%s","size":%s,"state":"%s"%s}' "$comma" "$name" "$(wc -c < "$file")" $state "$digest"
        comma=,
    done
    echo ']}' ;;
api)
    case $2 in
    */commits/tags/*) file=tagged ;;
    */releases/latest) file=latest ;;
    esac
    cat $file || { echo 'gh: Not Found (HTTP 404)' >&2; exit 1; } ;;
create) test ! -e draft || { echo two drafts; exit 1; }; mkdir -p assets; touch draft ;;
upload)
    name=${4##*/}
    rm -f "partial-$name"; cp "$4" "assets/$name"
    case $bad in
    breaks) head -c 2 "$4" > "assets/$name"; touch "partial-$name"; echo 'connection reset' >&2; exit 1 ;;
    corrupts) tr a b < "$4" > "assets/$name" ;;
    esac ;;
delete-asset) rm "assets/$4" ;;
download) cp "assets/$5" "$7/" ;;
edit) test "$bad" = ignores || { rm -f draft; touch published; } ;;
esac
test "$bad" != lost || { echo 'HTTP 504: Gateway Timeout' >&2; exit 1; }
"#;

/// What is said and called where nothing goes wrong.
const GOOD: &str = include_str!("published.txt");

/// The release, as `merge` leaves it.
const MERGED: &str = "repo/target/merged";

/// What `merge` leaves besides what is in here.
const FILES: usize = 9;

struct Hub {
    case: Case,
}

impl Hub {
    fn new() -> Self {
        Self::of("0.1.0")
    }

    /// With a merged release of this version.
    fn of(version: &str) -> Self {
        let mut case = Case::new();
        case.known_to_apps(case.signer.public_key());
        let conf = case.read("repo/src-tauri/tauri.conf.json");
        let conf = conf.replace("0.1.0", version);
        case.write("repo/src-tauri/tauri.conf.json", conf);
        case.linux(|it| it.product.version = version.to_owned());
        let (code, said) = case.run("merge ../in --expect linux --output target/merged");
        assert_eq!(code, 0, "{said}");
        let (bin, hub) = (case.path("bin"), case.path("hub"));
        for folder in [&bin, &hub] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(bin.join("gh"), GH).unwrap();
        fs::set_permissions(bin.join("gh"), PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        case.variables = [
            ("PATH", path),
            ("GH_WORLD", hub.display().to_string()),
            ("GH_TOKEN", "the-token".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let manifest = case.read(&format!("{MERGED}/manifest.json"));
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let commit = manifest["source"]["commit"].as_str().unwrap().to_owned();
        case.write("hub/tagged", format!("{commit}\n"));
        Self { case }
    }

    /// What GitHub is like.
    fn set(&self, name: &str, text: &str) {
        let end = if name.starts_with("bad") { "\n" } else { "" };
        self.case
            .write(&format!("hub/{name}"), format!("{text}{end}"));
    }

    /// A file of the release.
    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.case.path(&format!("{MERGED}/{name}"))).unwrap()
    }

    /// What a person sees: each call, and what came of it.
    #[track_caller]
    fn said(&self, words: &str, code: i32) -> String {
        let line = format!("ci release target/merged --wait 0s {words}");
        let (ended, said) = self.case.run(&line);
        let root = self.case.path("repo").canonicalize().unwrap();
        let shown = said.replace(root.to_str().unwrap(), "…");
        let log = self.case.path("repo/target/dist/publish/logs/publish.log");
        let log = fs::read_to_string(log).unwrap_or_default();
        assert!(!shown.contains("the-token") && !log.contains("the-token"));
        // Events have times.
        let shown = shown.lines().filter(|it| !it.starts_with("{\"at\""));
        let shown: String = shown.map(|it| format!("{it}\n")).collect();
        assert_eq!(ended, code, "{shown}");
        shown.replace("GH_TOKEN=*** ", "")
    }

    #[track_caller]
    fn publish(&self, words: &str, code: i32, expected: Expect) {
        expected.assert_eq(&self.said(words, code));
    }

    /// What is said differently than where nothing goes wrong.
    #[track_caller]
    fn differs(&self, code: i32, expected: Expect) {
        let said = self.said("", code);
        let diff = TextDiff::from_lines(GOOD, &said);
        let changes = diff.iter_all_changes();
        let changed = changes.filter(|it| it.tag() != ChangeTag::Equal);
        let lines: String = changed.map(|it| format!("{}{it}", it.tag())).collect();
        expected.assert_eq(&lines);
    }

    /// With bad days.
    #[track_caller]
    fn with(bad: &[(&str, &str)], code: i32, expected: Expect) {
        let hub = Self::new();
        bad.iter().for_each(|(name, text)| hub.set(name, text));
        hub.differs(code, expected);
    }
}

#[test]
fn all_is_uploaded_before_it_is_published() {
    let hub = Hub::new();
    let files = fs::read_dir(hub.case.path(MERGED)).unwrap().count();
    assert_eq!(files, FILES);
    expect_file!["published.txt"].assert_eq(&hub.said("", 0));
    hub.publish(
        "",
        0,
        expect![[r#"
        v0.1.0 was published before, with these very files: https://github.example/v0.1.0
        $ gh api 'repos/{owner}/{repo}/commits/tags/v0.1.0' --jq .sha
        $ gh release view v0.1.0 --json isDraft,url,assets
    "#]],
    );
    hub.publish(
        "--format json",
        0,
        expect![[r#"
        {"already":true,"event":"published","tag":"v0.1.0","url":"https://github.example/v0.1.0"}
    "#]],
    );
    // What is published stays.
    hub.set("assets/latest.json", "another pointer");
    hub.publish(
        "",
        1,
        expect![[r#"
        $ gh api 'repos/{owner}/{repo}/commits/tags/v0.1.0' --jq .sha
        $ gh release view v0.1.0 --json isDraft,url,assets
        error: v0.1.0 is published already, with other files: latest.json different
          https://github.example/v0.1.0
          hint: what people may have downloaded is not replaced: raise the version, and tag that
    "#]],
    );
}

#[test]
fn who_asks_for_the_newest_gets_the_highest_version() {
    let edit = |hub: &Hub, version: &str, latest: Option<&str>| {
        latest.iter().for_each(|it| hub.set("latest", it));
        fs::remove_file(hub.case.path("hub/published")).ok();
        let said = hub.said("", 0);
        let edit = said.lines().find(|it| it.contains("release edit"));
        let edit = edit.unwrap().split_once("--draft=false ").unwrap().1;
        format!("{version} after {}: {edit}\n", latest.unwrap_or("none"))
    };
    let hub = Hub::new();
    let said = [
        edit(&hub, "0.1.0", None),
        edit(&hub, "0.1.0", Some("v0.0.9")),
        edit(&hub, "0.1.0", Some("v2.0.0")),
        edit(&hub, "0.1.0", Some("nightly")),
        edit(&Hub::of("0.1.0-beta.1"), "0.1.0-beta.1", Some("v0.0.9")),
    ];
    expect![[r#"
        0.1.0 after none: --prerelease=false --latest=true
        0.1.0 after v0.0.9: --prerelease=false --latest=true
        0.1.0 after v2.0.0: --prerelease=false --latest=false
        0.1.0 after nightly: --prerelease=false --latest=true
        0.1.0-beta.1 after v0.0.9: --prerelease=true --latest=false
    "#]]
    .assert_eq(&said.concat());
}

/// GitHub shows the sources of the tag beside the files.
#[test]
fn a_tag_that_was_moved_is_refused() {
    let hub = Hub::new();
    hub.set("tagged", &"b".repeat(40));
    hub.publish("", 1, expect![[r#"
        $ gh api 'repos/{owner}/{repo}/commits/tags/v0.1.0' --jq .sha
        error: v0.1.0 is commit bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb on GitHub, but the release was made of 629da0b7c1f04e2b8a5d9c3e6f7081a2b3c4d5e6
          hint: the tag was moved meanwhile: build and merge what it is now
    "#]]);
    fs::remove_file(hub.case.path("hub/tagged")).unwrap();
    hub.publish(
        "",
        1,
        expect![[r#"
        $ gh api 'repos/{owner}/{repo}/commits/tags/v0.1.0' --jq .sha
        error: GitHub does not know the tag v0.1.0
          hint: git push origin v0.1.0
    "#]],
    );
}

#[test]
fn a_failure_that_passes_is_waited_out() {
    let bad = [
        ("bad-view", "2 fails"),
        ("bad-upload", "1 fails"),
        ("bad-api", "1 fails"),
    ];
    Hub::with(
        &bad,
        0,
        expect![[r#"
        +note: HTTP 502: Bad Gateway; once more in 0s
        +$ gh api 'repos/{owner}/{repo}/commits/tags/v0.1.0' --jq .sha
        +$ gh release view v0.1.0 --json isDraft,url,assets
        +note: HTTP 502: Bad Gateway; once more in 0s
        +$ gh release view v0.1.0 --json isDraft,url,assets
        +note: HTTP 502: Bad Gateway; once more in 0s
        +note: HTTP 502: Bad Gateway; once more in 0s
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
    "#]],
    );
    // The answer got lost: a second draft of the tag would be made, or a second upload refused.
    let lost = ["bad-create", "bad-upload", "bad-edit"].map(|it| (it, "1 lost"));
    Hub::with(
        &lost,
        0,
        expect![[r#"
        +note: HTTP 504: Gateway Timeout; once more in 0s
        +$ gh release view v0.1.0 --json isDraft,url,assets
        +note: HTTP 504: Gateway Timeout; once more in 0s
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +note: HTTP 504: Gateway Timeout; once more in 0s
        +$ gh release edit v0.1.0 --draft=false --prerelease=false --latest=true
    "#]],
    );
}

#[test]
fn what_arrived_in_part_or_wrong_is_uploaded_again() {
    Hub::with(
        &[("bad-upload", "1 breaks")],
        0,
        expect![[r#"
        +note: connection reset; once more in 0s
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
    "#]],
    );
    Hub::with(
        &[("bad-upload", "1 corrupts")],
        0,
        expect![[r#"
        +note: 8 of 9 files are in the draft already
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +$ gh release view v0.1.0 --json isDraft,url,assets
    "#]],
    );
    // An old `gh` tells no digests: the files are fetched.
    let old = [("bad-upload", "1 corrupts"), ("no-digests", "")];
    Hub::with(
        &old,
        0,
        expect![[r#"
        +$ gh release download v0.1.0 --pattern SHA256SUMS --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern SHA256SUMS.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern latest.json --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern latest.json.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern manifest.json --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern manifest.json.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern small_0.1.0_amd64.deb --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern small_0.1.0_amd64.deb.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern small_0.1.0_amd64.deb.sig --dir target/dist/publish/back --clobber
        +note: 8 of 9 files are in the draft already
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +$ gh release view v0.1.0 --json isDraft,url,assets
        +$ gh release download v0.1.0 --pattern SHA256SUMS --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern SHA256SUMS.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern latest.json --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern latest.json.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern manifest.json --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern manifest.json.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern small_0.1.0_amd64.deb --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern small_0.1.0_amd64.deb.minisig --dir target/dist/publish/back --clobber
        +$ gh release download v0.1.0 --pattern small_0.1.0_amd64.deb.sig --dir target/dist/publish/back --clobber
    "#]],
    );
}

#[test]
fn what_cannot_be_mended_stays_a_draft() {
    Hub::with(
        &[("bad-upload", "99 fails")],
        1,
        expect![[r#"
        -v0.1.0 is published: https://github.example/v0.1.0
        -$ gh release upload v0.1.0 target/merged/SHA256SUMS.minisig --clobber
        -$ gh release upload v0.1.0 target/merged/latest.json --clobber
        -$ gh release upload v0.1.0 target/merged/latest.json.minisig --clobber
        -$ gh release upload v0.1.0 target/merged/manifest.json --clobber
        -$ gh release upload v0.1.0 target/merged/manifest.json.minisig --clobber
        -$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb --clobber
        -$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb.minisig --clobber
        -$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb.sig --clobber
        -$ gh release view v0.1.0 --json isDraft,url,assets
        -$ gh api 'repos/{owner}/{repo}/releases/latest' --jq .tag_name
        -$ gh release edit v0.1.0 --draft=false --prerelease=false --latest=true
        -$ gh release view v0.1.0 --json isDraft,url,assets
        +note: HTTP 502: Bad Gateway; once more in 0s
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +note: HTTP 502: Bad Gateway; once more in 0s
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +note: HTTP 502: Bad Gateway; once more in 0s
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +note: HTTP 502: Bad Gateway; once more in 0s
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +error: GitHub did not do it in 5 attempts
        +  cause: `gh` failed: exit status: 1
        +  $ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +  exit status: 1
        +  | HTTP 502: Bad Gateway
        +  log: …/target/dist/publish/logs/publish.log
        +  hint: nothing is published by halves: run this again, and it goes on from here
    "#]],
    );
    Hub::with(
        &[("bad-upload", "99 corrupts")],
        1,
        expect![[r#"
        -v0.1.0 is published: https://github.example/v0.1.0
        -$ gh api 'repos/{owner}/{repo}/releases/latest' --jq .tag_name
        -$ gh release edit v0.1.0 --draft=false --prerelease=false --latest=true
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/latest.json --clobber
        +$ gh release upload v0.1.0 target/merged/latest.json.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/manifest.json --clobber
        +$ gh release upload v0.1.0 target/merged/manifest.json.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb --clobber
        +$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb.sig --clobber
        +$ gh release view v0.1.0 --json isDraft,url,assets
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +$ gh release upload v0.1.0 target/merged/SHA256SUMS.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/latest.json --clobber
        +$ gh release upload v0.1.0 target/merged/latest.json.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/manifest.json --clobber
        +$ gh release upload v0.1.0 target/merged/manifest.json.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb --clobber
        +$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb.minisig --clobber
        +$ gh release upload v0.1.0 target/merged/small_0.1.0_amd64.deb.sig --clobber
        +error: GitHub does not have what was uploaded: SHA256SUMS, SHA256SUMS.minisig, latest.json, latest.json.minisig, manifest.json, manifest.json.minisig, small_0.1.0_amd64.deb, small_0.1.0_amd64.deb.minisig, small_0.1.0_amd64.deb.sig different
        +  hint: the draft stays unpublished; run this again, or look at https://github.example/v0.1.0
    "#]],
    );
    Hub::with(
        &[("bad-edit", "99 ignores")],
        1,
        expect![[r#"
        -v0.1.0 is published: https://github.example/v0.1.0
        +error: v0.1.0 is a draft still, though GitHub was told to publish it
        +  hint: all files are there: publish it on https://github.example/v0.1.0, or run this again
    "#]],
    );
}

#[test]
fn a_draft_is_gone_on_with() {
    let hub = Hub::new();
    let mine = |name: &str| String::from_utf8(hub.file(name)).unwrap();
    hub.set("draft", "");
    hub.set("assets/SHA256SUMS", &mine("SHA256SUMS"));
    hub.set("assets/latest.json", "an older pointer");
    // All bytes, but GitHub does not call it uploaded.
    hub.set("assets/manifest.json", &mine("manifest.json"));
    hub.set("partial-manifest.json", "");
    hub.set("assets/old.rpm", "of another day");
    hub.differs(
        0,
        expect![[r#"
        -$ gh release create v0.1.0 --draft --verify-tag --title 'small 0.1.0' --generate-notes
        -$ gh release view v0.1.0 --json isDraft,url,assets
        -$ gh release upload v0.1.0 target/merged/SHA256SUMS --clobber
        +note: 1 of 9 files are in the draft already
        +note: old.rpm is no file of this release: it is taken out of the draft
        +$ gh release delete-asset v0.1.0 old.rpm --yes
        -$ gh release upload v0.1.0 target/merged/latest.json --clobber
        -$ gh release upload v0.1.0 target/merged/manifest.json --clobber
        +$ gh release upload v0.1.0 target/merged/latest.json --clobber
        +$ gh release upload v0.1.0 target/merged/manifest.json --clobber
    "#]],
    );
}

#[test]
fn what_is_no_release_of_the_publisher_is_not_published() {
    let check = |spoil: &dyn Fn(&Case), expected: Expect| {
        let hub = Hub::new();
        spoil(&hub.case);
        hub.publish("", 1, expected);
    };
    let example = include_str!("../../../docs/manifest.example.json");
    let manifest = format!("{MERGED}/manifest.json");
    check(
        &|it| it.write(&manifest, example),
        expect![[r#"
        error: target/merged is the release of linux alone
          hint: `cargo xtask merge` joins those of all targets: give the folder that it makes
    "#]],
    );
    check(
        &|it| it.write(&manifest, "{}"),
        expect![[r#"
        error: target/merged/manifest.json cannot be published
          cause: not a manifest: it has no field `schema`
          hint: `cargo xtask merge` makes what can be
    "#]],
    );
    check(
        &|it| it.write(&format!("{MERGED}/latest.json"), "{}"),
        expect![[r#"
            error: target/merged does not verify: latest.json: size: 2 bytes, expected 1176 bytes
              hint: `cargo xtask verify --require-release target/merged` shows all that is wrong
        "#]],
    );
    // Nobody knows the key besides the manifest.
    let unknown =
        r#"{ "productName": "small", "version": "0.1.0", "identifier": "com.example.small" }"#;
    let conf = "repo/src-tauri/tauri.conf.json";
    check(
        &|it| it.write(conf, unknown),
        expect![[r#"
        error: target/merged does not verify: manifest.json: trusted key: the manifest's own, expected one that was known before: --key, `public-key` in [sign.minisign], or `plugins.updater.pubkey`
          hint: `cargo xtask verify --require-release target/merged` shows all that is wrong
    "#]],
    );
    check(
        &|it| fs::remove_file(it.path(&manifest)).unwrap(),
        expect![[r#"
            error: target/merged is no release
              cause: failed to open file `target/merged/manifest.json`: No such file or directory (os error 2)
              hint: `cargo xtask merge` makes one
        "#]],
    );
}

#[test]
fn what_cannot_end_well_is_not_begun() {
    let mut hub = Hub::new();
    hub.publish(
        "--tag v1.2.4",
        1,
        expect![[r#"
        error: the release is 0.1.0, but the tag is v1.2.4
          hint: raise the version in a commit, and tag that commit: v0.1.0 is the tag of this one
    "#]],
    );
    let strange = format!("{MERGED}/two words.deb");
    hub.case.write(&strange, "x");
    hub.publish("", 1, expect![[r#"
        error: GitHub would give `two words.deb` another name, and links to it would lead nowhere
          hint: names may have letters, digits, `.`, `_`, `-` and `+`: give `name` of `[product]` no others
    "#]]);
    fs::remove_file(hub.case.path(&strange)).unwrap();
    hub.case.variables.retain(|it| it.0 != "GH_TOKEN");
    hub.publish(
        "",
        1,
        expect![[r#"
        $ gh api 'repos/{owner}/{repo}/commits/tags/v0.1.0' --jq .sha
        error: GitHub does not let `gh` in
          cause: `gh` failed: exit status: 4
          $ gh api 'repos/{owner}/{repo}/commits/tags/v0.1.0' --jq .sha
          exit status: 4
          | not logged in
          log: …/target/dist/publish/logs/publish.log
          hint: export a token as GH_TOKEN, or log in with `gh auth login`
    "#]],
    );
    let run_for = [("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "v9.0.0")];
    let run_for = run_for.map(|(name, value)| (name.to_owned(), value.to_owned()));
    hub.case.variables.extend(run_for);
    hub.publish(
        "",
        1,
        expect![[r#"
        error: the release is 0.1.0, but the tag is v9.0.0
          hint: raise the version in a commit, and tag that commit: v0.1.0 is the tag of this one
    "#]],
    );
    hub.case.variables.retain(|it| !it.0.starts_with("GITHUB"));
    fs::remove_file(hub.case.path("bin/gh")).unwrap();
    hub.case.variables[0].1 = hub.case.path("bin").display().to_string();
    hub.publish(
        "",
        1,
        expect![[r#"
        error: GitHub's command line `gh` is missing
          cause: cannot find binary path
          hint: install it: see https://cli.github.com; GitHub's own runners have it
    "#]],
    );
}
