//! Files that somebody made on purpose.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use expect_test::{Expect, expect};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
use tar::EntryType;

use super::{exported, owner, refused};

/// A file taken apart.
struct Forged {
    index: Value,
    /// Name, type, bytes.
    entries: Vec<(String, EntryType, Vec<u8>)>,
}

impl Forged {
    fn read(file: &Path) -> Self {
        let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(file).unwrap()));
        let mut entries = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let (name, kind) = (
                entry.path().unwrap().display().to_string(),
                entry.header().entry_type(),
            );
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            entries.push((name, kind, bytes));
        }
        let (_, _, index) = entries.remove(0);
        let index = serde_json::from_slice(&index).unwrap();
        Self { index, entries }
    }

    fn write(&self, file: &Path) {
        let gzip = GzEncoder::new(fs::File::create(file).unwrap(), Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        let mut add = |name: &str, kind, bytes: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(bytes.len() as u64);
            // Not by way of the library, which refuses such names.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            if kind == EntryType::Symlink {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            archive.append(&header, bytes).unwrap();
        };
        let index = serde_json::to_vec(&self.index).unwrap();
        add("index.json", EntryType::Regular, &index);
        for (name, kind, bytes) in &self.entries {
            add(name, *kind, bytes);
        }
        archive.into_inner().unwrap().finish().unwrap();
    }

    /// The first file of the step `web`.
    fn web(&mut self) -> &mut Value {
        let records = self.index["records"].as_array_mut().unwrap();
        let web = records.iter_mut().find(|it| it["step"] == "web");
        &mut web.unwrap()["artifacts"][0]
    }
}

/// A way to tamper with a good file, in words.
type Case = (String, Box<dyn Fn(&mut Forged)>);

fn case(what: &str, change: impl Fn(&mut Forged) + 'static) -> Case {
    (what.to_owned(), Box::new(change))
}

/// The refusal of each.
fn check(cases: &[Case], expected: Expect) {
    let (_repo, good) = exported();
    let file: PathBuf = good.with_file_name("forged.tar.gz");
    let mut said = String::new();
    for (what, change) in cases {
        let mut forged = Forged::read(&good);
        change(&mut forged);
        forged.write(&file);
        said += &format!("{what}: {}\n", refused(&file, &owner()));
    }
    expected.assert_eq(&said);
}

#[test]
fn forged_paths_do_no_harm() {
    let path = |path: &'static str| case(path, move |it| it.web()["path"] = path.into());
    check(
        &[
            path("../../../evil"),
            path("/tmp/evil"),
            path("a\\..\\evil"),
            path("C:evil"),
        ],
        expect![[r#"
            ../../../evil: its step web: `../../../evil` is no path inside of its folder; it can be made again
            /tmp/evil: its step web: `/tmp/evil` is no path inside of its folder; it can be made again
            a\..\evil: its step web: `a\\..\\evil` is no path inside of its folder; it can be made again
            C:evil: its step web: `C:evil` is no path inside of its folder; it can be made again
        "#]],
    );
}

#[test]
fn forged_entries_do_no_harm() {
    let file = |name: &str| (name.to_owned(), EntryType::Regular, vec![1]);
    check(
        &[
            case("first byte", |it| it.entries[0].2[0] ^= 1),
            case("last byte", |it| it.entries.last_mut().unwrap().2[0] ^= 1),
            case("one byte more", |it| it.entries[0].2.push(b'x')),
            case("a link", |it| it.entries[0].1 = EntryType::Symlink),
            case("another name", |it| it.entries[0].0 = "../evil".into()),
            case("one file less", |it| drop(it.entries.pop())),
            case("one file more", move |it| it.entries.push(file("more"))),
        ],
        expect![[r#"
            first byte: inputs/8622bcac2f68d2a1963a92b47ffd9cf6f9a67b100ff60a55b57f7fa81e6821b0.v1 is not what was recorded: its SHA-256 is another; it can be made again
            last byte: stages/web/web/main.js is not what was recorded: its SHA-256 is another; it can be made again
            one byte more: inputs/8622bcac2f68d2a1963a92b47ffd9cf6f9a67b100ff60a55b57f7fa81e6821b0.v1 has 154 bytes, and should have 153; it can be made again
            a link: its entry 0 is no file; it can be made again
            another name: where 0 should be, it has `../evil`; it can be made again
            one file less: it ends too early; it can be made again
            one file more: it has more in it than it says; it can be made again
        "#]],
    );
}

#[test]
fn a_forged_index_does_no_harm() {
    let record = |key: &'static str, value: &'static str| {
        move |it: &mut Forged| it.index["records"][1][key] = json!(value)
    };
    check(
        &[
            case("huge", |it| it.web()["size"] = json!(1_u64 << 40)),
            case("overflow", |it| it.web()["size"] = json!(u64::MAX)),
            case("hash", |it| it.web()["sha256"] = json!("../x")),
            case("list", |it| {
                it.index["lists"][0]["digest"] = json!("../../x")
            }),
            case("twice", record("step", "app")),
            case("time", record("finished", "now")),
            case("form", |it| it.index["state"] = json!(2)),
            case("program", |it| it.index["xtask"] = json!("9.9.9")),
            case("unknown", |it| it.index["more"] = json!(1)),
        ],
        expect![[r#"
            huge: it says that 1099511628656 bytes are in it, which cannot be; it can be made again
            overflow: it says that 18446744073709551615 bytes are in it, which cannot be; it can be made again
            hash: stages/web/sums has no SHA-256; it can be made again
            list: its list `../../x` has no good name; it can be made again
            twice: it has the step `app` twice; it can be made again
            time: its step bundle: its time: timestamp format is invalid; it can be made again
            form: it is of version 2, and this program reads 1; hint: leave it out
            program: it was written by xtask 9.9.9, and this is 0.1.0+HASH: every step runs again anyway; hint: leave it out
            unknown: its index: unknown field `more`, expected one of `state`, `xtask`, `target`, `identifier`, `version`, `commit`, `exported`, `on`, `records`, `lists`; it can be made again
        "#]],
    );
}

#[test]
fn forged_links_do_no_harm() {
    let links = |links: &'static [(&'static str, &'static str)]| {
        let what: Vec<_> = links.iter().map(|(a, b)| format!("{a} -> {b}")).collect();
        let change = move |it: &mut Forged| {
            let records = it.index["records"].as_array_mut().unwrap();
            let web = records.iter_mut().find(|it| it["step"] == "web").unwrap();
            for (path, target) in links {
                let sha256 = "0".repeat(64);
                let link = json!({ "path": path, "size": 1, "sha256": sha256, "link": target });
                web["artifacts"].as_array_mut().unwrap().push(link);
            }
        };
        case(&what.join(", "), change)
    };
    check(
        &[
            links(&[("z", "/etc")]),
            links(&[("z", "../sidecar")]),
            links(&[("z/a", "../../x")]),
            links(&[("z/a", "b/../../../x")]),
            links(&[("z", "C:\\x")]),
            links(&[("z/a/b", "../.."), ("y", "z/a/b/../..")]),
            links(&[("Z", "a"), ("z/b", "c")]),
            // A good one, but not as it was recorded.
            links(&[("z", "main.js")]),
        ],
        expect![[r#"
            z -> /etc: its step web: the link `z` leads out of its folder, to `/etc`; it can be made again
            z -> ../sidecar: its step web: the link `z` leads out of its folder, to `../sidecar`; it can be made again
            z/a -> ../../x: its step web: the link `z/a` leads out of its folder, to `../../x`; it can be made again
            z/a -> b/../../../x: its step web: the link `z/a` leads out of its folder, to `b/../../../x`; it can be made again
            z -> C:\x: its step web: the link `z` leads out of its folder, to `C:\\x`; it can be made again
            z/a/b -> ../.., y -> z/a/b/../..: its step web: the link `y` leads out of its folder, to `z/a/b/../..`; it can be made again
            Z -> a, z/b -> c: its step web: `z/b` would be written through a link; it can be made again
            z -> main.js: step web: its z was altered; this machine keeps files in another way, or its record is wrong; it can be made again
        "#]],
    );
}

fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut data).ok()?;
    Some(data)
}

#[test]
fn what_is_no_such_file_is_refused() {
    let (_repo, file) = exported();
    let bytes = fs::read(&file).unwrap();
    let other = file.with_file_name("other.tar.gz");
    let mut said = String::new();
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("text", b"not packed"),
        ("half", &bytes[..bytes.len() / 2]),
        ("cut off", &bytes[..bytes.len() - 30]),
    ] {
        fs::write(&other, bytes).unwrap();
        said += &format!("{what}: {}\n", refused(&other, &owner()));
    }
    expect![[r#"
        empty: unexpected end of file; it can be made again
        text: invalid gzip header; it can be made again
        half: its index: incomplete deflate stream; it can be made again
        cut off: incomplete deflate stream; it can be made again
    "#]]
    .assert_eq(&said);
    let good = unpacked(&bytes).unwrap();
    // Every byte counts; the first ones are gzip's own, with a clock in them.
    for at in (10..bytes.len()).step_by(1 + bytes.len() / 15) {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        let file = file.with_file_name("bad.tar.gz");
        fs::write(&file, &bad).unwrap();
        // A run of zeros can be packed in several ways.
        if unpacked(&bad).is_some_and(|it| it == good) {
            continue;
        }
        let repo = super::Repo::new();
        let outcome = super::import(&repo.state(), &owner(), &file, false, false);
        assert!(outcome.is_err(), "byte {at} of {}", bytes.len());
    }
}
