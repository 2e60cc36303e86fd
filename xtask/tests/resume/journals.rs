//! Journals that are damaged, or another's.

use std::{collections::BTreeMap, fs};

use expect_test::{Expect, expect};

use crate::world::World;

#[test]
fn journals_that_are_no_journal() {
    let check = |content: &[u8], expected: Expect| {
        let world = World::new();
        world.run();
        fs::write(world.repo.journal(), content).expect("writable");
        expected.assert_eq(&world.run());
        expect![[r"
            web: reused
            bundle: reused
            seal: reused
        "]]
        .assert_eq(&world.run());
    };
    check(
        b"",
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl is empty; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    check(
        b"\x00\xff\x7fELF\n\n\xfe",
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl has a damaged first line: a line has no checksum; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    let world = World::new();
    world.run();
    let text = fs::read_to_string(world.repo.journal()).expect("there");
    let foreign = signed_again(&text.replace(r#""target":"small""#, r#""target":"large""#));
    check(
        foreign.as_bytes(),
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl belongs to target `large`, version 1; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    let newer = signed_again(&text.replace(r#"{"journal":1,"#, r#"{"journal":2,"#));
    check(
        newer.as_bytes(),
        expect![[r#"
        note: ROOT/target/dist/small/journal.v1.jsonl belongs to target `small`, version 2; starting over
        web: ran because it never ran here
        bundle: ran because it never ran here
        seal: ran because it never ran here
    "#]],
    );
    let torn = &text[..text.len() - 10];
    check(
        torn.as_bytes(),
        expect![[r#"
        web: reused
        bundle: reused
        seal: ran because it never ran here
    "#]],
    );
    // Only the line end is missing: the record is whole.
    check(
        text.trim_end().as_bytes(),
        expect![[r#"
        web: reused
        bundle: reused
        seal: reused
    "#]],
    );
}

/// Never an error, never a record that says something else.
#[test]
fn a_flip_of_any_byte_of_the_journal() {
    use xtask::engine::journal::Journal;
    let world = World::new();
    world.run();
    let bytes = fs::read(world.repo.journal()).expect("there");
    let folder = tempfile::tempdir().expect("a folder");
    let open = |bytes: &[u8]| {
        // A new file each time: some file systems flush one that is truncated and written again.
        let file = folder.path().join("journal.v1.jsonl");
        fs::remove_file(&file).ok();
        fs::write(file, bytes).expect("writable");
        let (journal, trouble) = Journal::open(folder.path(), "small");
        let records: BTreeMap<_, _> = journal
            .records()
            .map(|it| (it.step.clone(), it.clone()))
            .collect();
        (records, trouble)
    };
    let (whole, _) = open(&bytes);
    assert_eq!(whole.len(), 3);
    let mut lost = 0;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let (records, trouble) = open(&damaged);
            lost += usize::from(records.len() < 3);
            assert!(
                records.iter().all(|(step, it)| whole[step] == *it),
                "byte {at}"
            );
            let told = trouble.is_some() || at + 1 == bytes.len();
            assert!(
                told || records.len() == 3,
                "byte {at} lost records in silence"
            );
        }
    }
    assert_eq!(lost, bytes.len() * 4, "each flip costs at least one record");
    for end in 0..bytes.len() {
        let (records, _) = open(&bytes[..end]);
        assert!(
            records.iter().all(|(step, it)| whole[step] == *it),
            "cut at {end}"
        );
    }
}

/// With the checksums that the changed lines should have.
fn signed_again(journal: &str) -> String {
    use sha2::{Digest, Sha256};
    let sign = |line: &str| {
        let json = line.split_once(' ').expect("a checksum").1;
        let sum = xtask::engine::files::hex(&Sha256::digest(json)[..8]);
        format!("{sum} {json}\n")
    };
    journal.lines().map(sign).collect()
}
