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

use super::{exported, owner, refuse};

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

/// Tampers with a good file.
fn check(good: &Path, change: impl FnOnce(&mut Forged), expected: Expect) {
    let mut forged = Forged::read(good);
    change(&mut forged);
    let file: PathBuf = good.with_file_name("forged.tar.gz");
    forged.write(&file);
    refuse(&file, &owner(), &expected);
}

#[test]
fn a_forged_file_does_no_harm() {
    let (_repo, file) = exported();
    let check = |change: fn(&mut Forged), expected| check(&file, change, expected);
    let check_path = |path: &str, expected: Expect| {
        let path = path.to_owned();
        super::forged::check(&file, move |it| it.web()["path"] = path.into(), expected);
    };
    check_path(
        "../../../evil",
        expect![[r#"
            FILE is not imported: its step web: `../../../evil` is no path inside of its folder
        "#]],
    );
    check_path(
        "/tmp/evil",
        expect![[r#"
            FILE is not imported: its step web: `/tmp/evil` is no path inside of its folder
        "#]],
    );
    check_path(
        "a\\..\\evil",
        expect![[r#"
            FILE is not imported: its step web: `a\\..\\evil` is no path inside of its folder
        "#]],
    );
    check_path(
        "C:evil",
        expect![[r#"
            FILE is not imported: its step web: `C:evil` is no path inside of its folder
        "#]],
    );
    check(
        |it| it.entries[0].2[0] ^= 1,
        expect![[r#"
        FILE is not imported: inputs/8622bcac2f68d2a1963a92b47ffd9cf6f9a67b100ff60a55b57f7fa81e6821b0.v1 is not what was recorded: its SHA-256 is another
    "#]],
    );
    check(
        |it| it.entries.last_mut().unwrap().2[0] ^= 1,
        expect![[r#"
            FILE is not imported: stages/web/web/main.js is not what was recorded: its SHA-256 is another
        "#]],
    );
    check(
        |it| it.entries[0].2.push(b'x'),
        expect![[r#"
        FILE is not imported: inputs/8622bcac2f68d2a1963a92b47ffd9cf6f9a67b100ff60a55b57f7fa81e6821b0.v1 has 154 bytes, and should have 153
    "#]],
    );
    check(
        |it| it.entries[0].1 = EntryType::Symlink,
        expect![[r#"
            FILE is not imported: its entry 0 is no file
        "#]],
    );
    check(
        |it| it.entries[0].0 = "../evil".into(),
        expect![[r#"
        FILE is not imported: where 0 should be, it has `../evil`
    "#]],
    );
    check(
        |it| drop(it.entries.pop()),
        expect![[r#"
        FILE is not imported: it ends too early
    "#]],
    );
    check(
        |it| {
            it.entries
                .push(("more".into(), EntryType::Regular, vec![1]))
        },
        expect![[r#"
            FILE is not imported: it has more in it than it says
        "#]],
    );
    check(
        |it| it.web()["size"] = json!(1_u64 << 40),
        expect![[r#"
            FILE is not imported: it says that 1099511628656 bytes are in it, which cannot be
        "#]],
    );
    check(
        |it| it.web()["size"] = json!(u64::MAX),
        expect![[r#"
            FILE is not imported: it says that 18446744073709551615 bytes are in it, which cannot be
        "#]],
    );
    check(
        |it| it.web()["sha256"] = json!("../x"),
        expect![[r#"
        FILE is not imported: stages/web/sums has no SHA-256
    "#]],
    );
    check(
        |it| it.index["lists"][0]["digest"] = json!("../../x"),
        expect![[r#"
            FILE is not imported: its list `../../x` has no good name
        "#]],
    );
    check(
        |it| it.index["records"][1]["step"] = json!("app"),
        expect![[r#"
            FILE is not imported: it has the step `app` twice
        "#]],
    );
    check(
        |it| it.index["records"][1]["finished"] = json!("now"),
        expect![[r#"
            FILE is not imported: its step bundle: its time: timestamp format is invalid
        "#]],
    );
    check(
        |it| it.index["state"] = json!(2),
        expect![[r#"
        FILE is not imported: it is of version 2, and this program reads 1
        hint: leave it out
    "#]],
    );
    check(
        |it| it.index["xtask"] = json!("9.9.9"),
        expect![[r#"
        FILE is not imported: it was written by xtask 9.9.9, and this is 0.1.0: every step runs again anyway
        hint: leave it out
    "#]],
    );
    check(
        |it| it.index["more"] = json!(1),
        expect![[r#"
        FILE is not imported: its index: unknown field `more`, expected one of `state`, `xtask`, `target`, `identifier`, `version`, `commit`, `exported`, `on`, `records`, `lists`
    "#]],
    );
}

#[test]
fn a_forged_link_does_no_harm() {
    let (_repo, file) = exported();
    let check = |links: &[(&str, &str)], expected| {
        let change = |it: &mut Forged| {
            let records = it.index["records"].as_array_mut().unwrap();
            let web = records.iter_mut().find(|it| it["step"] == "web").unwrap();
            for (path, target) in links {
                let sha256 = "0".repeat(64);
                let link = json!({ "path": path, "size": 1, "sha256": sha256, "link": target });
                web["artifacts"].as_array_mut().unwrap().push(link);
            }
        };
        check(&file, change, expected);
    };
    check(
        &[("z", "/etc")],
        expect![[r#"
        FILE is not imported: its step web: the link `z` leads out of its folder, to `/etc`
    "#]],
    );
    check(
        &[("z", "../sidecar")],
        expect![[r#"
        FILE is not imported: its step web: the link `z` leads out of its folder, to `../sidecar`
    "#]],
    );
    check(
        &[("z/a", "../../x")],
        expect![[r#"
        FILE is not imported: its step web: the link `z/a` leads out of its folder, to `../../x`
    "#]],
    );
    check(
        &[("z/a", "b/../../../x")],
        expect![[r#"
        FILE is not imported: its step web: the link `z/a` leads out of its folder, to `b/../../../x`
    "#]],
    );
    check(
        &[("z", "C:\\x")],
        expect![[r#"
        FILE is not imported: its step web: the link `z` leads out of its folder, to `C:\\x`
    "#]],
    );
    check(
        &[("z/a/b", "../.."), ("y", "z/a/b/../..")],
        expect![[r#"
            FILE is not imported: its step web: the link `y` leads out of its folder, to `z/a/b/../..`
        "#]],
    );
    check(
        &[("Z", "a"), ("z/b", "c")],
        expect![[r#"
        FILE is not imported: its step web: `z/b` would be written through a link
    "#]],
    );
    // A good one, but not as it was recorded.
    check(
        &[("z", "main.js")],
        expect![[r#"
        FILE is not imported: step web: its z was altered; this machine keeps files in another way, or its record is wrong
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
    let check = |bytes: &[u8], expected: Expect| {
        let file = file.with_file_name("other.tar.gz");
        fs::write(&file, bytes).unwrap();
        refuse(&file, &owner(), &expected);
    };
    check(
        b"",
        expect![[r#"
        FILE is not imported: unexpected end of file
    "#]],
    );
    check(
        b"not packed",
        expect![[r#"
        FILE is not imported: invalid gzip header
    "#]],
    );
    check(
        &bytes[..bytes.len() / 2],
        expect![[r#"
        FILE is not imported: its index: incomplete deflate stream
    "#]],
    );
    check(
        &bytes[..bytes.len() - 30],
        expect![[r#"
        FILE is not imported: incomplete deflate stream
    "#]],
    );
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
