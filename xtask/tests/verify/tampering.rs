//! One byte altered, at many places of every file of a release that has one file of each format,
//! signed for real: `verify` sees it each time. And the same of those that carry their signature
//! inside, by themselves, but for the parts that docs/signing.md names.

#[path = "tampering/made.rs"]
mod made;
#[path = "tampering/places.rs"]
mod places;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    slice::from_ref,
    sync::Mutex,
    time::Instant,
};

use fs_err as fs;
use xtask::{
    manifest::{SUMS_ASC, SUMS_NAME},
    verify::{Trust, verify, verify_files},
};

use self::{
    made::Made,
    places::{Density, places},
};

/// What a byte is changed by: its lowest bit, its highest, all of them.
const MASKS: [u8; 3] = [0x01, 0x80, 0xff];

/// For what a hash of the whole file covers, too.
const FEW: Density = Density {
    ends: 8,
    marks: 4,
    even: 8,
};
/// For what nothing but the signature inside covers.
const MANY: Density = Density {
    ends: 16,
    marks: 12,
    even: 200,
};

/// The places of a file at which a change goes unseen.
type Unseen = Vec<usize>;

/// Alters each of the places in turn; `good` is whether it is found to be in order.
fn unseen(file: &Path, places: &[usize], good: &dyn Fn() -> bool) -> Unseen {
    let bytes = fs::read(file).unwrap();
    assert!(good(), "{} is not good as it is", file.display());
    let mut unseen = Vec::new();
    for (turn, &at) in places.iter().enumerate() {
        let mut altered = bytes.clone();
        altered[at] ^= MASKS[turn % 3];
        fs::write(file, altered).unwrap();
        if good() {
            unseen.push(at);
        }
    }
    fs::write(file, &bytes).unwrap();
    unseen
}

/// `work` on every file, each thread in a copy of the folder.
fn of_all(
    folder: &Path,
    files: &[String],
    work: impl Fn(&Path, &str) -> (usize, Unseen) + Sync,
) -> BTreeMap<String, (usize, Unseen)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, found) = (Mutex::new(files.iter()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let copy = tempfile::tempdir().unwrap();
                made::copy(folder, copy.path());
                loop {
                    let Some(file) = next.lock().unwrap().next() else {
                        return;
                    };
                    let seen = work(copy.path(), file);
                    found.lock().unwrap().insert(file.clone(), seen);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// For people: which file, at how many places that the format covers, how many were seen.
#[allow(clippy::print_stdout, reason = "a table for people")]
fn show(title: &str, all: &BTreeMap<String, (usize, Unseen)>, started: Instant) {
    println!("{title}\n{:32} {:>7} {:>7}", "file", "places", "caught");
    for (file, (places, unseen)) in all {
        println!("{file:32} {places:>7} {:>7}", places - unseen.len());
    }
    let all_places: usize = all.values().map(|it| it.0).sum();
    let all_unseen: usize = all.values().map(|it| it.1.len()).sum();
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{:32} {all_places:>7} {:>7}  in {seconds:.1} s\n",
        "all",
        all_places - all_unseen
    );
}

#[test]
fn slow_a_byte_of_any_file_of_a_release_of_all_formats() {
    let Some(made) = Made::new() else { return };
    let (started, trust) = (Instant::now(), &made.trust);
    let folder = made.fake.folder.path();
    let files = made.fake.files();
    let names = files.iter().map(|it| made::relative(folder, it));
    // One signature of minisign's stands for all of the same form.
    let is_like_another = |name: &str| {
        let beside = [
            "app.exe.minisig",
            "manifest.json.minisig",
            "SHA256SUMS.minisig",
        ];
        name.ends_with(".minisig") && !beside.contains(&name)
    };
    let names: Vec<String> = names.filter(|it| !is_like_another(it)).collect();
    // gpgv is a process each time: only where OpenPGP signs.
    let mut without_gpg = trust.clone();
    without_gpg.gpg_key = None;
    let all = of_all(folder, &names, |folder, name| {
        let file = folder.join(name);
        let places = places(&file, FEW);
        let by_gpg = ["app.deb", "app.rpm", SUMS_NAME, SUMS_ASC].contains(&name);
        let trust = if by_gpg { trust } else { &without_gpg };
        let good = || verify(folder, trust).is_ok_and(|it| it.ok());
        (places.len(), unseen(&file, &places, &good))
    });
    show("of a release", &all, started);
    let unseen: Vec<_> = all.iter().filter(|(_, it)| !it.1.is_empty()).collect();
    assert!(unseen.is_empty(), "not seen: {unseen:?}");
    assert!(all.len() >= 11 + 4, "{all:?}");
}

#[test]
fn slow_a_byte_of_a_file_that_is_signed_inside() {
    let Some(made) = Made::new() else { return };
    let (started, trust) = (Instant::now(), &made.trust);
    let folder = made.fake.folder.path();
    // What lies beside would see everything, too.
    for file in made.fake.files() {
        let suffix = file.extension().and_then(|it| it.to_str());
        if suffix.is_some_and(|it| ["minisig", "sig", "asc"].contains(&it)) {
            fs::remove_file(file).unwrap();
        }
    }
    made::copy(&made.app, &folder.join("App.app"));
    let in_app = made::files(&folder.join("App.app"));
    let of_app = in_app.iter().map(|it| made::relative(folder, it));
    let names = made::SIGN_THEMSELVES.map(str::to_owned);
    let names: Vec<String> = names.into_iter().chain(of_app).collect();
    let all = of_all(folder, &names, |folder, name| {
        let file = folder.join(name);
        let of_app = name.starts_with("App.app/");
        let checked = folder.join(if of_app { "App.app" } else { name });
        let places = places(&file, if of_app { FEW } else { MANY });
        let good = || is_good(&checked, trust);
        let mut unseen = unseen(&file, &places, &good);
        let count = places.len();
        let left_out = made::left_out(&file);
        let before = unseen.len();
        unseen.retain(|it| !left_out(*it));
        // What the format leaves out is not asked for.
        (count - (before - unseen.len()), unseen)
    });
    show("by themselves", &all, started);
    let unseen: Vec<_> = all.iter().filter(|(_, it)| !it.1.is_empty()).collect();
    assert!(unseen.is_empty(), "not seen: {unseen:?}");
}

fn is_good(file: &Path, trust: &Trust) -> bool {
    let file: PathBuf = file.to_owned();
    verify_files(from_ref(&file), trust).is_ok_and(|it| it.ok())
}
