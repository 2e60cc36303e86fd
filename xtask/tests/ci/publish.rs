//! `ci publish` with a GitHub that has bad days: a stand-in for `gh` on PATH, whose releases are
//! folders.

use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};
use fs_err as fs;

use super::world::World;

/// A GitHub in `$GH_WORLD`: `draft` or `published` say what there is, `assets` holds the files.
/// `bad-VERB` holds how often a verb goes wrong, and how.
pub const GH: &str = r#"#!/bin/sh
set -eu
cd "$GH_WORLD"
verb=$2
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

const MANIFEST: &str = r#"{"product": {"name": "Small", "version": "1.2.3", "identifier": "x"}}"#;

struct Hub {
    world: World,
}

impl Hub {
    fn new() -> Self {
        let mut world = World::new("");
        let (bin, hub) = (world.beside("bin"), world.beside("hub"));
        fs::write(bin.join("gh"), GH).unwrap();
        fs::set_permissions(bin.join("gh"), PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        world.variables = [
            ("PATH", path),
            ("GH_WORLD", hub.display().to_string()),
            ("GH_TOKEN", "the-token".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let hub = Self { world };
        hub.file("manifest.json", MANIFEST);
        hub.file("small.deb", "a package");
        hub.file("latest.json", "a pointer");
        hub
    }

    /// A file of the release.
    fn file(&self, name: &str, text: &str) {
        self.world.write(&format!("merged/{name}"), text);
    }

    /// What GitHub is like.
    fn set(&self, name: &str, text: &str) {
        let path = self.world.beside("hub").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let end = if name.starts_with("bad") { "\n" } else { "" };
        fs::write(path, format!("{text}{end}")).unwrap();
    }

    /// What a person sees: each call, and what came of it.
    #[track_caller]
    fn publish(&self, words: &[&str], code: i32, expected: Expect) {
        let words = [&["ci", "release", "merged", "--wait", "0s"], words].concat();
        let (ended, stdout, stderr) = self.world.run(&words);
        let root = self.world.root.display().to_string();
        let shown = format!("{stderr}{stdout}").replace(&root, "…");
        let log = self.world.root.join("target/dist/publish/logs/publish.log");
        let log = fs::read_to_string(log).unwrap_or_default();
        assert!(!shown.contains("the-token") && !log.contains("the-token"));
        // Events have times.
        let shown = shown.lines().filter(|it| !it.starts_with("{\"at\""));
        let shown: String = shown.map(|it| format!("{it}\n")).collect();
        expected.assert_eq(&shown.replace("GH_TOKEN=*** ", ""));
        assert_eq!(ended, code);
    }

    /// With one bad day.
    #[track_caller]
    fn with(bad: &[(&str, &str)], code: i32, expected: Expect) {
        let hub = Self::new();
        bad.iter().for_each(|(name, text)| hub.set(name, text));
        hub.publish(&[], code, expected);
    }
}

#[test]
fn all_is_uploaded_before_it_is_published() {
    let hub = Hub::new();
    hub.publish(
        &[],
        0,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release upload v1.2.3 merged/small.deb --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release edit v1.2.3 --draft=false
        $ gh release view v1.2.3 --json isDraft,url,assets
        v1.2.3 is published: https://github.example/v1.2.3
    "#]],
    );
    hub.publish(
        &[],
        0,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        v1.2.3 was published before, with these very files: https://github.example/v1.2.3
    "#]],
    );
    hub.publish(
        &["--format", "json"],
        0,
        expect![[r#"
        {"already":true,"event":"published","tag":"v1.2.3","url":"https://github.example/v1.2.3"}
    "#]],
    );
    // What is published stays.
    hub.file("small.deb", "b package");
    hub.publish(
        &[],
        1,
        expect![[r#"
            $ gh release view v1.2.3 --json isDraft,url,assets
            error: v1.2.3 is published already, with other files: small.deb different
              https://github.example/v1.2.3
              hint: what people may have downloaded is not replaced: raise the version, and tag that
        "#]],
    );
}

#[test]
fn a_version_with_a_tail_is_a_prerelease() {
    let hub = Hub::new();
    hub.file("manifest.json", &MANIFEST.replace("1.2.3", "1.2.3-beta.1"));
    hub.publish(&[], 0, expect![[r#"
        $ gh release view v1.2.3-beta.1 --json isDraft,url,assets
        $ gh release create v1.2.3-beta.1 --draft --verify-tag --title 'Small 1.2.3-beta.1' --generate-notes --prerelease
        $ gh release view v1.2.3-beta.1 --json isDraft,url,assets
        $ gh release upload v1.2.3-beta.1 merged/latest.json --clobber
        $ gh release upload v1.2.3-beta.1 merged/manifest.json --clobber
        $ gh release upload v1.2.3-beta.1 merged/small.deb --clobber
        $ gh release view v1.2.3-beta.1 --json isDraft,url,assets
        $ gh release edit v1.2.3-beta.1 --draft=false
        $ gh release view v1.2.3-beta.1 --json isDraft,url,assets
        v1.2.3-beta.1 is published: https://github.example/v1.2.3-beta.1
    "#]]);
}

#[test]
fn a_failure_that_passes_is_waited_out() {
    Hub::with(
        &[("bad-view", "2 fails"), ("bad-upload", "1 fails")],
        0,
        expect![[r#"
            $ gh release view v1.2.3 --json isDraft,url,assets
            note: HTTP 502: Bad Gateway; once more in 0s
            $ gh release view v1.2.3 --json isDraft,url,assets
            note: HTTP 502: Bad Gateway; once more in 0s
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release upload v1.2.3 merged/latest.json --clobber
            note: HTTP 502: Bad Gateway; once more in 0s
            $ gh release upload v1.2.3 merged/latest.json --clobber
            $ gh release upload v1.2.3 merged/manifest.json --clobber
            $ gh release upload v1.2.3 merged/small.deb --clobber
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release edit v1.2.3 --draft=false
            $ gh release view v1.2.3 --json isDraft,url,assets
            v1.2.3 is published: https://github.example/v1.2.3
        "#]],
    );
    // The answer got lost: a second draft of the tag would be made, or a second upload refused.
    Hub::with(
        &[
            ("bad-create", "1 lost"),
            ("bad-upload", "1 lost"),
            ("bad-edit", "1 lost"),
        ],
        0,
        expect![[r#"
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
            note: HTTP 504: Gateway Timeout; once more in 0s
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release upload v1.2.3 merged/latest.json --clobber
            note: HTTP 504: Gateway Timeout; once more in 0s
            $ gh release upload v1.2.3 merged/latest.json --clobber
            $ gh release upload v1.2.3 merged/manifest.json --clobber
            $ gh release upload v1.2.3 merged/small.deb --clobber
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release edit v1.2.3 --draft=false
            note: HTTP 504: Gateway Timeout; once more in 0s
            $ gh release edit v1.2.3 --draft=false
            $ gh release view v1.2.3 --json isDraft,url,assets
            v1.2.3 is published: https://github.example/v1.2.3
        "#]],
    );
}

#[test]
fn what_arrived_in_part_or_wrong_is_uploaded_again() {
    Hub::with(
        &[("bad-upload", "1 breaks")],
        0,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        note: connection reset; once more in 0s
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release upload v1.2.3 merged/small.deb --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release edit v1.2.3 --draft=false
        $ gh release view v1.2.3 --json isDraft,url,assets
        v1.2.3 is published: https://github.example/v1.2.3
    "#]],
    );
    Hub::with(
        &[("bad-upload", "1 corrupts")],
        0,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release upload v1.2.3 merged/small.deb --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        note: 2 of 3 files are in the draft already
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release edit v1.2.3 --draft=false
        $ gh release view v1.2.3 --json isDraft,url,assets
        v1.2.3 is published: https://github.example/v1.2.3
    "#]],
    );
    // An old `gh` tells no digests: the files are fetched.
    Hub::with(
        &[("bad-upload", "1 corrupts"), ("no-digests", "")],
        0,
        expect![[r#"
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release upload v1.2.3 merged/latest.json --clobber
            $ gh release upload v1.2.3 merged/manifest.json --clobber
            $ gh release upload v1.2.3 merged/small.deb --clobber
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release download v1.2.3 --pattern latest.json --dir target/dist/publish/back --clobber
            $ gh release download v1.2.3 --pattern manifest.json --dir target/dist/publish/back --clobber
            $ gh release download v1.2.3 --pattern small.deb --dir target/dist/publish/back --clobber
            note: 2 of 3 files are in the draft already
            $ gh release upload v1.2.3 merged/latest.json --clobber
            $ gh release view v1.2.3 --json isDraft,url,assets
            $ gh release download v1.2.3 --pattern latest.json --dir target/dist/publish/back --clobber
            $ gh release download v1.2.3 --pattern manifest.json --dir target/dist/publish/back --clobber
            $ gh release download v1.2.3 --pattern small.deb --dir target/dist/publish/back --clobber
            $ gh release edit v1.2.3 --draft=false
            $ gh release view v1.2.3 --json isDraft,url,assets
            v1.2.3 is published: https://github.example/v1.2.3
        "#]],
    );
}

#[test]
fn what_cannot_be_mended_stays_a_draft() {
    Hub::with(
        &[("bad-upload", "99 fails")],
        1,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        note: HTTP 502: Bad Gateway; once more in 0s
        $ gh release upload v1.2.3 merged/latest.json --clobber
        note: HTTP 502: Bad Gateway; once more in 0s
        $ gh release upload v1.2.3 merged/latest.json --clobber
        note: HTTP 502: Bad Gateway; once more in 0s
        $ gh release upload v1.2.3 merged/latest.json --clobber
        note: HTTP 502: Bad Gateway; once more in 0s
        $ gh release upload v1.2.3 merged/latest.json --clobber
        error: GitHub did not do it in 5 attempts
          cause: `gh` failed: exit status: 1
          $ gh release upload v1.2.3 merged/latest.json --clobber
          exit status: 1
          | HTTP 502: Bad Gateway
          log: …/target/dist/publish/logs/publish.log
          hint: nothing is published by halves: run this again, and it goes on from here
    "#]],
    );
    Hub::with(
        &[("bad-upload", "99 corrupts")],
        1,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release upload v1.2.3 merged/small.deb --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release upload v1.2.3 merged/small.deb --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release upload v1.2.3 merged/small.deb --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        error: GitHub does not have what was uploaded: latest.json, manifest.json, small.deb different
          hint: the draft stays unpublished; run this again, or look at https://github.example/v1.2.3
    "#]],
    );
    Hub::with(
        &[("bad-edit", "99 ignores")],
        1,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release create v1.2.3 --draft --verify-tag --title 'Small 1.2.3' --generate-notes
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release upload v1.2.3 merged/small.deb --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release edit v1.2.3 --draft=false
        $ gh release view v1.2.3 --json isDraft,url,assets
        error: v1.2.3 is a draft still, though GitHub was told to publish it
          hint: all files are there: publish it on https://github.example/v1.2.3, or run this again
    "#]],
    );
}

#[test]
fn a_draft_is_gone_on_with() {
    let draft = [
        ("draft", ""),
        ("assets/small.deb", "a package"),
        ("assets/latest.json", "an older pointer"),
        // All bytes, but GitHub does not call it uploaded.
        ("assets/manifest.json", MANIFEST),
        ("partial-manifest.json", ""),
        ("assets/old.rpm", "of another day"),
    ];
    Hub::with(
        &draft,
        0,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        note: 1 of 3 files are in the draft already
        note: old.rpm is no file of this release: it is taken out of the draft
        $ gh release delete-asset v1.2.3 old.rpm --yes
        $ gh release upload v1.2.3 merged/latest.json --clobber
        $ gh release upload v1.2.3 merged/manifest.json --clobber
        $ gh release view v1.2.3 --json isDraft,url,assets
        $ gh release edit v1.2.3 --draft=false
        $ gh release view v1.2.3 --json isDraft,url,assets
        v1.2.3 is published: https://github.example/v1.2.3
    "#]],
    );
}

#[test]
fn what_cannot_end_well_is_not_begun() {
    let hub = Hub::new();
    hub.publish(
        &["--tag", "v1.2.4"],
        1,
        expect![[r#"
        error: the release is 1.2.3, but the tag is v1.2.4
          hint: raise the version in a commit, and tag that commit: v1.2.3 is the tag of this one
    "#]],
    );
    hub.file("two words.deb", "x");
    hub.publish(&[], 1, expect![[r#"
        error: GitHub would give `two words.deb` another name, and links to it would lead nowhere
          hint: names may have letters, digits, `.`, `_`, `-` and `+`: give `name` of `[product]` no others
    "#]]);
    let mut hub = Hub::new();
    hub.world.variables.retain(|it| it.0 != "GH_TOKEN");
    hub.publish(
        &[],
        1,
        expect![[r#"
        $ gh release view v1.2.3 --json isDraft,url,assets
        error: GitHub does not let `gh` in
          cause: `gh` failed: exit status: 4
          $ gh release view v1.2.3 --json isDraft,url,assets
          exit status: 4
          | not logged in
          log: …/target/dist/publish/logs/publish.log
          hint: export a token as GH_TOKEN, or log in with `gh auth login`
    "#]],
    );
    let run_for = [("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "v9.0.0")];
    let run_for = run_for.map(|(name, value)| (name.to_owned(), value.to_owned()));
    hub.world.variables.extend(run_for);
    hub.publish(
        &[],
        1,
        expect![[r#"
        error: the release is 1.2.3, but the tag is v9.0.0
          hint: raise the version in a commit, and tag that commit: v1.2.3 is the tag of this one
    "#]],
    );
    hub.world.variables.retain(|it| !it.0.starts_with("GITHUB"));
    fs::remove_file(hub.world.beside("bin").join("gh")).unwrap();
    hub.world.variables[0].1 = hub.world.beside("bin").display().to_string();
    hub.publish(
        &[],
        1,
        expect![[r#"
            error: GitHub's command line `gh` is missing
              cause: cannot find binary path
              hint: install it: see https://cli.github.com; GitHub's own runners have it
        "#]],
    );
    fs::remove_file(hub.world.root.join("merged/manifest.json")).unwrap();
    hub.publish(
        &[],
        1,
        expect![[r#"
        error: merged is no release
          cause: failed to open file `merged/manifest.json`: No such file or directory (os error 2)
          hint: `cargo xtask merge` makes one
    "#]],
    );
}
