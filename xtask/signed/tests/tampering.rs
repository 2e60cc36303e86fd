//! One byte altered, at many places of signed files: each time it is seen, but for the places that
//! a format leaves out, which are named here. Those are caught by the release's own SHA-256 of the
//! whole file (`manifest.json`, `SHA256SUMS`), which covers every byte of any format.
//!
//! With `XTASK_FULL` every byte is altered, in three ways; else a part of them, in one of three ways
//! by turns.

#[path = "tampering/compound.rs"]
mod compound;
mod support;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Mutex,
};

use fs_err as fs;
use support::{APPLE, Bench, How, WELL, WINDOWS, read_bytes, show};
use xtask_practice::specimens::{self, Kind};
use xtask_signed::Trust;

/// What a byte is changed by: its lowest bit, its highest, all of them.
const MASKS: [u8; 3] = [0x01, 0x80, 0xff];

/// How many places of a file are altered, about, unless all are.
const PLACES: usize = 1200;

/// Positions to alter, and by what. `all` of them where a format keeps many things.
fn places(size: usize, all: bool) -> Vec<(usize, u8)> {
    if std::env::var_os("XTASK_FULL").is_some() {
        return (0..size)
            .flat_map(|at| MASKS.map(|mask| (at, mask)))
            .collect();
    }
    let step = if all { 1 } else { (size / PLACES).max(1) };
    (0..size)
        .step_by(step)
        .enumerate()
        .map(|(turn, at)| (at, MASKS[turn % 3]))
        .collect()
}

/// The positions at which a change is not seen.
fn survivors(data: &[u8], places: &[(usize, u8)], trust: &Trust) -> BTreeSet<usize> {
    // Without a signature it would not be what was signed, either: who verifies it expects one.
    let good = |data: &[u8]| {
        let read = read_bytes(data, trust);
        read.is_ok_and(|it| !it.is_empty() && it.iter().all(|it| it.problems.is_empty()))
    };
    assert!(good(data), "not good even without a change");
    let found = Mutex::new(BTreeSet::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let size = places.len().div_ceil(threads).max(1);
    let (good, into) = (&good, &found);
    std::thread::scope(|scope| {
        for part in places.chunks(size) {
            scope.spawn(move || {
                let mut altered = data.to_vec();
                for (at, mask) in part {
                    altered[*at] ^= mask;
                    if good(&altered) {
                        into.lock().unwrap().insert(*at);
                    }
                    altered[*at] ^= mask;
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// Fails unless every change of the file is seen.
#[track_caller]
fn check(file: &Path, bench: &Bench) {
    let data = fs::read(file).unwrap();
    // What the tools add is intricate, and small.
    let from = data.len().saturating_sub(12_000);
    let mut places = places(from, false);
    places.extend(
        self::places(data.len() - from, false)
            .iter()
            .map(|(at, mask)| (from + at, *mask)),
    );
    let survived = survivors(&data, &places, &bench.trust());
    assert!(
        survived.is_empty(),
        "{}: not seen at {survived:?}",
        file.display()
    );
}

#[test]
fn slow_every_byte_of_windows_executables_and_cabinets_counts() {
    let Some(bench) = Bench::new(&[&WINDOWS[..], &["gcab", "makensis"]].concat()) else {
        return;
    };
    let exe = bench.file("app.exe", &specimens::pe());
    let signed = bench.osslsigncode(&exe, "signed.exe", WELL);
    check(&signed, &bench);
    let how = How {
        who: "other",
        more: &["-nest"],
        ..WELL
    };
    check(&bench.osslsigncode(&signed, "twice.exe", how), &bench);
    let setup = specimens::nsis(bench.folder()).unwrap();
    check(
        &bench.osslsigncode(&setup, "setup-signed.exe", WELL),
        &bench,
    );
    let cab = specimens::cab(bench.folder()).unwrap();
    check(&bench.osslsigncode(&cab, "signed.cab", WELL), &bench);
}

#[test]
fn slow_every_byte_of_programs_and_disk_images_counts() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let entitlements = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\
        <key>com.apple.security.cs.disable-library-validation</key><true/></dict></plist>\n";
    let entitlements = bench.file("entitlements.plist", entitlements.as_bytes());
    let more = [
        "--code-signature-flags",
        "runtime",
        "--entitlements-xml-file",
    ];
    let more = [&more[..], &[entitlements.to_str().unwrap()]].concat();
    let how = How {
        more: &more,
        ..WELL
    };
    for kind in [Kind::Program, Kind::OldProgram] {
        let file = bench.file("program", &specimens::macho(kind, 1));
        check(&bench.rcodesign(&file, how), &bench);
    }
    let image = bench.file("image.dmg", &specimens::dmg());
    check(&bench.rcodesign(&image, WELL), &bench);
}

/// The list of architectures, and what lies between them; the code itself is that of other tests.
#[test]
fn every_byte_before_the_code_of_universal_programs_counts() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let one = bench.file("one", &specimens::macho(Kind::Program, 1));
    let other = bench.file("other", &specimens::macho(Kind::OldProgram, 2));
    let both = bench.universal("both", &[&one, &other]);
    let data = fs::read(bench.rcodesign(&both, WELL)).unwrap();
    let number = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
    let (start, end) = (number(16), number(16) + number(20));
    let next = number(36);
    let table = 0..8 + 2 * 20;
    let places: Vec<_> = table
        .flat_map(|at| MASKS.map(|mask| (at, mask)))
        .chain(
            (48..start)
                .chain(end..next)
                .step_by(97)
                .map(|at| (at, 0x01)),
        )
        .collect();
    assert!(places.len() > 250, "{start} {end} {next}");
    // The first part's size and what its start must be a multiple of may be others that are as true:
    // whether the zeros between the parts belong to it changes nothing.
    let mut survived = survivors(&data, &places, &bench.trust());
    survived.retain(|it| ![22, 23, 27, 47].contains(it));
    assert!(survived.is_empty(), "not seen at {survived:?}");

    // The other form of the list, whose entries end with 4 bytes of nothing.
    let wide = |reserved: u32| {
        let mut list = vec![0xca, 0xfe, 0xba, 0xbf, 0, 0, 0, 2];
        for at in [8, 28] {
            list.extend(&data[at..at + 8]);
            for place in [number(at + 8), number(at + 12)] {
                list.extend((place as u64).to_be_bytes());
            }
            list.extend(&data[at + 16..at + 20]);
            list.extend(reserved.to_be_bytes());
        }
        let size = list.len();
        let file = [list, data[size..].to_vec()].concat();
        read_bytes(&file, &bench.trust()).map(|it| it.len())
    };
    assert_eq!(wide(0).unwrap(), 2);
    assert!(wide(1).is_err());
}

/// Code, resources, property lists, lists of hashes: every file of the bundle.
#[test]
fn slow_every_file_of_an_app_counts() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let app = bench.rcodesign(&specimens::app(bench.folder()).unwrap(), WELL);
    let trust = bench.trust();
    let original = show(&app, &trust);
    assert_eq!(original.matches(": good").count(), 3, "{original}");
    let full = std::env::var_os("XTASK_FULL").is_some();
    for path in files(&app) {
        let data = fs::read(&path).unwrap();
        let step = (data.len() / if full { 400 } else { 12 }).max(1);
        for (turn, at) in (0..data.len()).step_by(step).enumerate() {
            let mut altered = data.clone();
            altered[at] ^= MASKS[turn % 3];
            fs::write(&path, &altered).unwrap();
            let seen = show(&app, &trust) != original;
            assert!(seen, "{} at {at}: not seen", path.display());
        }
        fs::write(&path, &data).unwrap();
    }
    assert_eq!(show(&app, &trust), original, "something was not put back");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found
}

#[test]
fn slow_every_byte_of_an_installer_package_counts_or_is_layout() {
    let Some(bench) = Bench::new(&[&WINDOWS[..], &["wixl"]].concat()) else {
        return;
    };
    let msi = specimens::msi(bench.folder()).unwrap();
    let check = |name: &str, more: &[&str], left_out: &[&str]| {
        let signed = bench.osslsigncode(&msi, name, How { more, ..WELL });
        let data = fs::read(&signed).unwrap();
        let kinds = compound::kinds(&data);
        let survived = survivors(&data, &places(data.len(), false), &bench.trust());
        let of =
            |all: &BTreeSet<usize>| -> BTreeSet<&str> { all.iter().map(|it| kinds[*it]).collect() };
        let unexpected: BTreeSet<usize> = survived
            .into_iter()
            .filter(|it| !left_out.contains(&kinds[*it]))
            .collect();
        assert!(
            unexpected.is_empty(),
            "{name}: not seen in {:?}, at {unexpected:?}",
            of(&unexpected)
        );
        // The test would be worth nothing if all were layout.
        let content = kinds.iter().filter(|it| **it == compound::CONTENT).count();
        assert!(content * 2 > data.len(), "{content} of {}", data.len());
    };
    check(
        "plain.msi",
        &[],
        &[
            &compound::LEFT_OUT[..],
            &compound::LEFT_OUT_WITHOUT_DIRECTORY,
        ]
        .concat(),
    );
    check("extended.msi", &["-add-msi-dse"], &compound::LEFT_OUT);
}
