//! What each byte of a compound file is for ([MS-CFB], version 3 with sectors of 512 bytes).

const SECTOR: usize = 512;
const MINI: usize = 64;
const CUTOFF: usize = 4096;
const END: u32 = 0xffff_fffa;

/// Of a stream.
pub const CONTENT: &str = "content";

/// What Windows hashes of a Windows Installer package: the content of its streams, in the order of
/// their names. How they are laid out in the file it does not hash. These are the parts of that
/// layout where a changed byte may go unseen, since the streams come out the same: fields of the
/// header that nobody reads, links that lead nowhere else, what no stream reaches. The size of the
/// signature's own stream may take in a zero that follows it. Streams have no times, states and
/// classes, and readers take those that are there for none.
pub const LEFT_OUT: [&str; 12] = [
    "header",
    "tables of sectors",
    "sectors' ends",
    "links",
    "unused entries",
    "names' ends",
    "root's name",
    "root's times",
    "streams' classes",
    "streams' states",
    "streams' times",
    "sizes",
];
/// And these, unless the signer added a hash over the directory (`-add-msi-dse`).
pub const LEFT_OUT_WITHOUT_DIRECTORY: [&str; 2] = ["names", "root's state"];

/// For each byte of the file what it is for.
pub fn kinds(data: &[u8]) -> Vec<&'static str> {
    let mut kinds = vec!["sectors' ends"; data.len()];
    let mut mark = |start: usize, size: usize, kind: &'static str| {
        let end = (start + size).min(kinds.len());
        kinds[start.min(end)..end].fill(kind);
    };
    mark(0, SECTOR, "header");
    let tables: Vec<u32> = (0..109)
        .map(|it| word(data, 76 + it * 4))
        .filter(|it| *it < END)
        .collect();
    let fat: Vec<u32> = tables.iter().flat_map(|it| words(data, *it)).collect();
    let mini_sectors = chain(&fat, word(data, 60));
    for sector in tables.iter().chain(&mini_sectors) {
        mark(at(*sector), SECTOR, "tables of sectors");
    }
    let mini_fat: Vec<u32> = mini_sectors
        .iter()
        .flat_map(|it| words(data, *it))
        .collect();
    let directory = chain(&fat, word(data, 48));
    let entries: Vec<usize> = directory
        .iter()
        .flat_map(|it| (0..4).map(move |n| at(*it) + n * 128))
        .collect();
    let root = chain(&fat, word(data, entries[0] + 116));
    for entry in entries {
        let kind = data[entry + 66];
        let fields: &[(usize, usize, &'static str)] = match kind {
            0 => &[(0, 128, "unused entries")],
            5 => &[
                (0, 67, "root's name"),
                (67, 13, "links"),
                (80, 16, "root's class"),
                (96, 4, "root's state"),
                (100, 16, "root's times"),
                (116, 12, "links"),
            ],
            _ => &[
                (0, 64, "names' ends"),
                (64, 3, "names"),
                (67, 13, "links"),
                (80, 16, "streams' classes"),
                (96, 4, "streams' states"),
                (100, 16, "streams' times"),
                (116, 4, "links"),
                (120, 4, "sizes"),
                (124, 4, "links"),
            ],
        };
        for (start, size, kind) in fields {
            mark(entry + start, *size, kind);
        }
        if kind == 0 || kind == 5 {
            continue;
        }
        mark(entry, half(data, entry + 64) - 2, "names");
        let (start, size) = (word(data, entry + 116), word(data, entry + 120) as usize);
        if size >= CUTOFF {
            for (index, sector) in chain(&fat, start).iter().enumerate() {
                mark(
                    at(*sector),
                    size.saturating_sub(index * SECTOR).min(SECTOR),
                    CONTENT,
                );
            }
        } else {
            for (index, mini) in chain(&mini_fat, start).iter().enumerate() {
                let place = *mini as usize * MINI;
                let Some(sector) = root.get(place / SECTOR) else {
                    continue;
                };
                let rest = size.saturating_sub(index * MINI).min(MINI);
                mark(at(*sector) + place % SECTOR, rest, CONTENT);
            }
        }
    }
    kinds
}

fn word(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(data[at..at + 4].try_into().unwrap())
}

fn half(data: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([data[at], data[at + 1]]))
}

fn at(sector: u32) -> usize {
    (sector as usize + 1) * SECTOR
}

fn words(data: &[u8], sector: u32) -> Vec<u32> {
    (0..SECTOR / 4)
        .map(|it| word(data, at(sector) + it * 4))
        .collect()
}

fn chain(table: &[u32], start: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut next = start;
    while next < END {
        found.push(next);
        next = table[next as usize];
    }
    found
}
