//! What is looked for, and where: in everything written, and in every process while it lives.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ct_codecs::{Base64NoPadding, Encoder as _, Hex};
use xtask::engine::files::contains;

/// Secrets, in all the forms in which a program might write them.
#[derive(Default)]
pub struct Needles(BTreeSet<Vec<u8>>);

impl Needles {
    /// Looks for this from now on; of a text, for each of its lines, too.
    pub fn add(&mut self, secret: &[u8]) {
        let lines = secret.split(|it| *it == b'\n').filter(|it| it.len() > 7);
        for it in lines.chain([secret]) {
            self.0.extend(forms(it));
        }
    }

    pub fn are_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|it| contains(bytes, it))
    }
}

/// Made here, not by the program: what it does not know of would not be looked for.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(secret);
    let hex = Hex::encode_to_string(secret).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let json = serde_json::to_string(&text).unwrap();
    let mut all = vec![secret.to_vec(), utf16, json[1..json.len() - 1].into()];
    all.extend([hex.to_uppercase().into(), hex.into()]);
    // Python, and two shells.
    all.push(text.replace('\\', "\\\\").replace('\'', "\\'").into());
    all.extend(["'\\''", "'\"'\"'"].map(|it| text.replace('\'', it).into()));
    for offset in 0..3 {
        // Where a part of something longer begins decides how base64 shows it. A sign has six bits.
        let padded = [&[0; 2][..offset], secret].concat();
        let (from, to) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
        let base64 = Base64NoPadding::encode_to_string(&padded).unwrap();
        let base64 = &base64[from..to];
        let url_safe = base64.replace('+', "-").replace('/', "_");
        all.extend([base64.into(), url_safe.into()]);
    }
    // Of signs that a URL may hold as they are, browsers leave more than others.
    for (plain, space) in [
        ("-._~", "%20"),
        ("-._~", "+"),
        ("-._~/", "%20"),
        ("-._~!*'()", "%20"),
    ] {
        let escaped: String = secret
            .iter()
            .map(|&it| match it {
                b' ' => space.to_owned(),
                _ if it.is_ascii_alphanumeric() || plain.as_bytes().contains(&it) => {
                    char::from(it).to_string()
                }
                _ => format!("%{it:02X}"),
            })
            .collect();
        let lower = escaped.split('%').enumerate().map(|(at, part)| match at {
            0 => part.to_owned(),
            _ => format!("%{}{}", part[..2].to_lowercase(), &part[2..]),
        });
        all.extend([lower.collect::<String>().into(), escaped.clone().into()]);
    }
    all
}

/// The arguments of a process, and of those that started it.
fn lineage(process: &Path, shown: &[u8]) -> Vec<u8> {
    let mut all = shown.to_vec();
    let mut process = process.to_owned();
    while let Some(parent) = parent(&process).filter(|it| *it > 1) {
        process = Path::new("/proc").join(parent.to_string());
        all.extend(b"\nof ");
        all.extend(fs::read(process.join("cmdline")).unwrap_or_default());
    }
    all
}

fn parent(process: &Path) -> Option<u32> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    // Behind the name, which may hold anything, come a state and the parent.
    let (_, rest) = text.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// What a process shows: its arguments to everybody, its environment to whoever it belongs to.
type Shown = (Vec<u8>, Vec<u8>);

/// Looks at all processes, again and again, until it is stopped.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Default)]
pub struct Seen {
    /// Of all processes of the machine.
    pub arguments: BTreeSet<Vec<u8>>,
    /// Of those in whose environment the mark stands: arguments and environment.
    pub marked: BTreeSet<Shown>,
}

impl Watch {
    /// `mark` stands in the environment of the processes that are looked at more closely.
    pub fn start(mark: &str) -> Self {
        let (stop, mark) = (Arc::new(AtomicBool::new(false)), mark.to_owned());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut seen, mut known) = (Seen::default(), BTreeSet::new());
            while !stopped.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    seen.look(&process.path(), mark.as_bytes(), &mut known);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            seen
        });
        Self { stop, thread }
    }

    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Seen {
    fn look(&mut self, process: &Path, mark: &[u8], known: &mut BTreeSet<(String, Vec<u8>)>) {
        let name = process.file_name().unwrap().to_str().unwrap();
        if !name.starts_with(|it: char| it.is_ascii_digit()) {
            return;
        }
        let arguments = || fs::read(process.join("cmdline")).unwrap_or_default();
        let shown = arguments();
        if shown.is_empty() || known.contains(&(name.to_owned(), shown.clone())) {
            return;
        }
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        if environment.is_empty() || arguments() != shown {
            // It became another program meanwhile; the next look sees that. Those of others show none.
            self.arguments.insert(shown);
            return;
        }
        known.insert((name.to_owned(), shown.clone()));
        if contains(&environment, mark) {
            self.marked.insert((lineage(process, &shown), environment));
        }
        self.arguments.insert(shown);
    }
}
