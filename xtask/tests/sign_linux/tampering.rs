//! A byte that differs, anywhere in a signed package.

use std::{collections::BTreeSet, ops::Range, path::Path, slice::from_ref};

use fs_err as fs;
use xtask::verify::{Trust, verify, verify_files};

use super::Case;

/// Where to alter a file: every byte of what is small and has a form, and some of the rest.
fn places(length: usize, dense: impl Iterator<Item = usize>, step: usize) -> BTreeSet<usize> {
    let all = dense.chain((0..length).step_by(step)).chain([length - 1]);
    all.filter(|it| *it < length).collect()
}

/// The places at which a change goes unseen by the signature inside of a file.
fn unseen(file: &Path, good: &[u8], trust: &Trust, places: &BTreeSet<usize>) -> Vec<usize> {
    let mut unseen = Vec::new();
    for &at in places {
        let mut bad = good.to_vec();
        bad[at] ^= if at % 2 == 0 { 0x01 } else { 0x20 };
        fs::write(file, bad).unwrap();
        let seen = verify_files(&[file.to_owned()], trust).is_ok_and(|it| !it.ok());
        if !seen {
            unseen.push(at);
        }
    }
    fs::write(file, good).unwrap();
    unseen
}

#[test]
fn slow_of_a_package_by_itself() {
    let Some(case) = Case::publishing() else {
        return;
    };
    case.project.succeed("dist");
    let mut trust = Trust::default();
    trust.add_file(&case.public).unwrap();
    let loose = case.project.beside();
    let copy = |ending: &str| {
        let (from, to) = (
            case.project.product(ending),
            loose.join(format!("loose{ending}")),
        );
        fs::copy(from, &to).unwrap();
        let bytes = fs::read(&to).unwrap();
        assert!(verify_files(from_ref(&to), &trust).unwrap().ok());
        (to, bytes)
    };
    // The headers of the members, and all of the signature, which comes last.
    let (deb, bytes) = copy(".deb");
    let end = bytes.len();
    let member = |name: &[u8]| bytes.windows(name.len()).position(|it| it == name).unwrap();
    let headers = [
        &b"debian-binary "[..],
        b"control.tar",
        b"data.tar",
        b"_gpgorigin",
    ]
    .map(member);
    let mut dense: Vec<Range<usize>> = headers.iter().map(|&at| at..at + 60).collect();
    dense.extend([0..8, headers[3]..end]);
    let unseen_in_deb = unseen(
        &deb,
        &bytes,
        &trust,
        &places(end, dense.into_iter().flatten(), 4_000),
    );
    assert_eq!(unseen_in_deb, [0_usize; 0], "of {end} bytes");
    // The lead and the header of the signatures: the format leaves a part of them to chance.
    let (rpm, bytes) = copy(".rpm");
    let end = bytes.len();
    let dense = 0..96 + 16 + 6 * 16 + 160;
    let unseen_in_rpm = unseen(&rpm, &bytes, &trust, &places(end, dense, 500));
    let signed = header(&bytes);
    let ranges: Vec<_> = unseen_in_rpm.iter().filter(|it| **it >= signed).collect();
    assert!(
        ranges.is_empty(),
        "behind {signed} of {end} bytes: {ranges:?}"
    );
    let signature = 96 + 16 + 6 * 16;
    let in_it: Vec<_> = unseen_in_rpm
        .iter()
        .filter(|it| (signature..signature + 119).contains(*it))
        .collect();
    assert!(in_it.is_empty(), "in the signature: {in_it:?}");
}

/// Where the header proper of an RPM package begins, which is what is signed.
fn header(rpm: &[u8]) -> usize {
    const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 1];
    let mut places = (96..rpm.len()).filter(|it| rpm[*it..].starts_with(&MAGIC));
    places.next();
    places.next().unwrap()
}

#[test]
fn slow_of_a_file_with_a_signature_beside_it() {
    let Some(case) = Case::publishing() else {
        return;
    };
    let file = case.project.root.join("some.zip");
    let mut zip = std::process::Command::new("python3");
    zip.args(["-m", "zipfile", "-c"])
        .arg(&file)
        .arg(case.project.root.join("README.md"));
    super::read(zip);
    case.project.succeed("sign some.zip");
    let signature = case.project.root.join("some.zip.minisig");
    let mut trust = Trust::default();
    let key = case.project.beside().join("minisign.pub");
    fs::write(&key, super::public_key()).unwrap();
    trust.add_file(&key).unwrap();
    assert!(verify_files(from_ref(&file), &trust).unwrap().ok());
    for path in [&file, &signature] {
        let good = fs::read(path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= if at % 2 == 0 { 0x01 } else { 0x20 };
            fs::write(path, bad).unwrap();
            let seen = verify_files(from_ref(&file), &trust).is_ok_and(|it| !it.ok());
            assert!(seen, "{} byte {at}", path.display());
        }
        fs::write(path, good).unwrap();
    }
}

#[test]
fn slow_of_any_file_of_a_release() {
    let Some(case) = Case::publishing() else {
        return;
    };
    case.project.succeed("dist");
    let mut trust = Trust::default();
    trust.add_file(&case.public).unwrap();
    let release = case.project.release();
    assert!(verify(&release, &trust).unwrap().ok());
    for entry in fs::read_dir(&release).unwrap() {
        let path = entry.unwrap().path();
        let good = fs::read(&path).unwrap();
        for at in places(good.len(), 0..100, 1 + good.len() / 20)
            .into_iter()
            .step_by(7)
        {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, bad).unwrap();
            assert!(
                !verify(&release, &trust).unwrap().ok(),
                "{} byte {at}",
                path.display()
            );
        }
        fs::write(&path, good).unwrap();
    }
}
