use std::io::Write as _;

use expect_test::{Expect, expect};

use super::*;

/// A tar archive of paths, each with a link's target, or `file`, `folder` or `hard link`.
#[cfg(unix)]
fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (path, what) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        let (kind, content) = match *what {
            "file" => (tar::EntryType::Regular, &b"text"[..]),
            "folder" => (tar::EntryType::Directory, &[][..]),
            "hard link" => (tar::EntryType::Link, &[][..]),
            _ => (tar::EntryType::Symlink, &[][..]),
        };
        header.set_entry_type(kind);
        if kind == tar::EntryType::Symlink {
            header.set_link_name_literal(what).unwrap();
        }
        header.set_size(content.len() as u64);
        // The builder itself refuses names that lead out.
        let name = &mut header.as_gnu_mut().unwrap().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// What comes out of it, or why nothing does.
fn unpacked(archive: &[u8], format: Format) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let (file, folder) = (scratch.path().join("archive"), scratch.path().join("out"));
    fs::write(&file, archive).unwrap();
    fs::create_dir(&folder).unwrap();
    let outcome = unpack(&file, format, &folder);
    let around = fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(around, 2, "something was written beside the folder");
    match outcome {
        Err(error) => {
            let text = format!("{error:#}\n");
            text.replace(&scratch.path().display().to_string(), "…")
        }
        Ok(()) => {
            let inside = crate::tools::inside::of_folder(&folder, &folder).unwrap();
            let line = |(path, it): (String, crate::tools::inside::Entry)| match it.link {
                Some(target) => format!("{path} -> {target}\n"),
                None => format!("{path}\n"),
            };
            inside.into_iter().map(line).collect()
        }
    }
}

#[cfg(unix)]
#[test]
fn nothing_leads_out_of_an_archive() {
    let check = |entries: &[(&str, &str)], expected: Expect| {
        expected.assert_eq(&unpacked(&tar(entries), Format::Gzip));
    };
    check(
        &[
            ("./", "folder"),
            ("Kit/Versions/Current", "A"),
            ("Kit/Kit", "Versions/Current/Kit"),
            ("Kit/Versions/A/Kit", "file"),
            ("Kit/Versions/A/up", "../../Kit"),
        ],
        expect![[r#"
            Kit/Kit -> Versions/Current/Kit
            Kit/Versions/A/Kit
            Kit/Versions/A/up -> ../../Kit
            Kit/Versions/Current -> A
        "#]],
    );
    check(
        &[("../a", "file")],
        expect![[r#"
        ../a leads out of it
    "#]],
    );
    check(
        &[("/a", "file")],
        expect![[r#"
        /a leads out of it
    "#]],
    );
    check(
        &[("C:b", "file")],
        expect![[r#"
        "C:b" is no portable path
    "#]],
    );
    check(
        &[("a\\b", "file")],
        expect![[r#"
        "a\\b" is no portable path
    "#]],
    );
    check(
        &[("a", "file"), ("./a", "file")],
        expect![[r#"
        a cannot be written, or comes twice: failed to create file `…/out/a`: File exists (os error 17)
    "#]],
    );
    check(
        &[("a", "file"), ("a/b", "file")],
        expect![[r#"
        failed to create directory `…/out/a`: File exists (os error 17)
    "#]],
    );
    check(
        &[("a", "hard link")],
        expect![[r#"
        a is no file, folder or symbolic link
    "#]],
    );
    check(
        &[("a", "/etc")],
        expect![[r#"
        a is a link that leads out of it, to /etc
    "#]],
    );
    check(
        &[("a", "..")],
        expect![[r#"
        a is a link that leads out of it, to ..
    "#]],
    );
    check(
        &[("b/a", "../..")],
        expect![[r#"
        b/a is a link that leads out of it, to ../..
    "#]],
    );
    check(
        &[("a", "b/../..")],
        expect![[r#"
        a is a link that leads out of it, to b/../..
    "#]],
    );
    // Neither by what is written through a link, nor by a link behind one.
    check(
        &[("a", "b"), ("b/c", "file"), ("a/d", "file")],
        expect![[r#"
            a comes twice
        "#]],
    );
    check(
        &[("a", "b"), ("b/c", "file"), ("a/d", "x")],
        expect![[r#"
        a/d lies behind a link
    "#]],
    );
}

#[test]
fn a_zip_is_read_by_its_checksums() {
    let zip = |path: &str| {
        let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
        let (mut packed, config) = archive.new_file(path).start().unwrap();
        let mut plain = config.wrap(&mut packed);
        plain.write_all(b"text").unwrap();
        let (_, sums) = plain.finish().unwrap();
        packed.finish(sums).unwrap();
        archive.finish().unwrap()
    };
    let check = |bytes: &[u8], expected: Expect| {
        expected.assert_eq(&unpacked(bytes, Format::Zip));
    };
    let good = zip("a/b");
    check(
        &good,
        expect![[r#"
        a/b
    "#]],
    );
    let mut altered = good;
    let at = altered.windows(4).position(|it| it == b"text").unwrap();
    altered[at] ^= 1;
    check(
        &altered,
        expect![[r#"
        a/b is damaged: Invalid checksum: expected 0x3b8ba7c7, got 0x8337c0a2
    "#]],
    );
}
