//! Apple's formats.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use super::noise;

/// What a Mach-O file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program for macOS 11 and newer.
    Program,
    /// A program for Intel that also runs on OS X 10.9: it is signed with SHA-1 beside SHA-256. It
    /// has its `Info.plist` inside.
    OldProgram,
    /// A library.
    Library,
}

/// Load commands, one after the other.
#[derive(Default)]
struct Commands {
    bytes: Vec<u8>,
    count: u32,
}

impl Commands {
    /// Number, then the fields; padded to 8 bytes.
    fn add(&mut self, number: u32, fields: &[u8]) {
        let padded = fields.len().next_multiple_of(8);
        let size = u32::try_from(padded + 8).expect("a small command");
        self.bytes.extend(number.to_le_bytes());
        self.bytes.extend(size.to_le_bytes());
        self.bytes.extend(fields);
        self.bytes.extend(vec![0; padded - fields.len()]);
        self.count += 1;
    }

    /// Where it lies in memory and in the file, as pairs of address and size, and its sections.
    fn segment(
        &mut self,
        name: &str,
        memory: (u64, u64),
        file: (u64, u64),
        rights: u32,
        sections: &[Vec<u8>],
    ) {
        let mut fields = name16(name);
        for number in [memory.0, memory.1, file.0, file.1] {
            fields.extend(number.to_le_bytes());
        }
        let count = u32::try_from(sections.len()).expect("few sections");
        fields.extend(words(&[rights, rights, count, 0]));
        fields.extend(sections.concat());
        self.add(0x19, &fields);
    }
}

fn words(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|it| it.to_le_bytes()).collect()
}

fn name16(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(16, 0);
    bytes
}

/// A Mach-O file: 9 pages of 4 KiB, with noise for code. `seed` makes a
/// difference between two of them.
pub fn macho(kind: Kind, seed: u32) -> Vec<u8> {
    const BASE: u64 = 0x1_0000_0000;
    const TEXT: u64 = 0x8000;
    const CODE: u64 = 0x1000;
    const INFO: u64 = 0x2000;
    let library = kind == Kind::Library;
    let base = if library { 0 } else { BASE };
    let table: &[u8] = b" \0_main\0\0";
    let mut commands = Commands::default();
    if !library {
        commands.segment("__PAGEZERO", (0, BASE), (0, 0), 0, &[]);
    }
    let mut section = [name16("__text"), name16("__TEXT")].concat();
    section.extend((base + CODE).to_le_bytes());
    section.extend((TEXT - CODE).to_le_bytes());
    section.extend(words(&[0x1000, 2, 0, 0, 0x8000_0400, 0, 0, 0]));
    let mut sections = vec![section];
    let plist = info("tool", "TOOL");
    if kind == Kind::OldProgram {
        let mut section = [name16("__info_plist"), name16("__TEXT")].concat();
        section.extend((base + INFO).to_le_bytes());
        section.extend((plist.len() as u64).to_le_bytes());
        section.extend(words(&[INFO as u32, 0, 0, 0, 0, 0, 0, 0]));
        sections.push(section);
    }
    commands.segment("__TEXT", (base, TEXT), (0, TEXT), 5, &sections);
    let rest = table.len() as u64;
    commands.segment("__LINKEDIT", (base + TEXT, 0x4000), (TEXT, rest), 1, &[]);
    commands.add(2, &words(&[0x8000, 0, 0x8000, table.len() as u32]));
    match kind {
        Kind::OldProgram => commands.add(0x24, &words(&[0x000a_0900, 0x000a_0900])),
        _ => commands.add(0x32, &words(&[1, 0x000b_0000, 0x000b_0000, 0])),
    }
    if library {
        let name = [
            &words(&[24, 1, 0x1_0000, 0x1_0000])[..],
            b"@rpath/lib.dylib\0",
        ]
        .concat();
        commands.add(0xd, &name);
    } else {
        commands.add(0xe, &[&words(&[12])[..], b"/usr/lib/dyld\0"].concat());
        commands.add(
            0x8000_0028,
            &[CODE.to_le_bytes(), 0_u64.to_le_bytes()].concat(),
        );
    }
    let system = [
        &words(&[24, 2, 0x1_0000, 0x1_0000])[..],
        b"/usr/lib/libSystem.B.dylib\0",
    ]
    .concat();
    commands.add(0xc, &system);
    let (file_type, size) = (if library { 6 } else { 2 }, commands.bytes.len() as u32);
    let (cpu, subtype) = match kind {
        Kind::OldProgram => (0x0100_0007, 3),
        Kind::Program | Kind::Library => (0x0100_000c, 0),
    };
    let header = [
        0xfeed_facf,
        cpu,
        subtype,
        file_type,
        commands.count,
        size,
        0x0020_0085,
        0,
    ];
    let mut file = words(&header);
    file.extend(commands.bytes);
    file.resize(CODE as usize, 0);
    file.extend(noise((TEXT - CODE) as usize, seed));
    if kind == Kind::OldProgram {
        file[INFO as usize..INFO as usize + plist.len()].copy_from_slice(plist.as_bytes());
    }
    file.extend(table);
    file
}

fn info(name: &str, package: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\n\
         <key>CFBundleExecutable</key><string>{name}</string>\n\
         <key>CFBundleIdentifier</key><string>org.example.{name}</string>\n\
         <key>CFBundlePackageType</key><string>{package}</string>\n\
         <key>CFBundleShortVersionString</key><string>1.0.0</string>\n</dict></plist>\n"
    )
}

/// An application `Practice.app` with all that makes signing one hard: a helper, a sidecar with
/// libraries among the resources, one of them without an executable bit, a framework with its links.
///
/// # Errors
/// The disk's.
pub fn app(folder: &Path) -> Result<PathBuf> {
    let app = folder.join("Practice.app");
    let contents = app.join("Contents");
    let framework = contents.join("Frameworks/Kit.framework");
    let version = framework.join("Versions/A");
    let sidecar = contents.join("Resources/sidecars/tool");
    for dir in [
        &contents.join("MacOS"),
        &version.join("Resources"),
        &sidecar,
    ] {
        fs::create_dir_all(dir)?;
    }
    fs::write(contents.join("Info.plist"), info("Practice", "APPL"))?;
    fs::write(version.join("Resources/Info.plist"), info("Kit", "FMWK"))?;
    fs::write(contents.join("Resources/text.txt"), "a resource\n")?;
    fs::write(sidecar.join("data.bin"), noise(5000, 9))?;
    program(&contents.join("MacOS/Practice"), &macho(Kind::Program, 1))?;
    program(&contents.join("MacOS/helper"), &macho(Kind::Program, 2))?;
    program(&sidecar.join("tool"), &macho(Kind::OldProgram, 3))?;
    fs::write(sidecar.join("module.so"), macho(Kind::Library, 4))?;
    program(&version.join("Kit"), &macho(Kind::Library, 5))?;
    link("module.so", &sidecar.join("alias.so"))?;
    link("A", &framework.join("Versions/Current"))?;
    link("Versions/Current/Kit", &framework.join("Kit"))?;
    link("Versions/Current/Resources", &framework.join("Resources"))?;
    Ok(app)
}

fn program(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> Result<()> {
    Ok(fs_err::os::unix::fs::symlink(target, path)?)
}

/// Windows has no such links for everybody.
#[cfg(not(unix))]
fn link(_: &str, _: &Path) -> Result<()> {
    Ok(())
}

/// A disk image: noise where the file system would be, a list of its blocks, and the trailer.
pub fn dmg() -> Vec<u8> {
    let mut file = noise(20_000, 7);
    let (data, list) = (file.len() as u64, file.len() as u64);
    let plist = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\"><dict>\
        <key>resource-fork</key><dict><key>blkx</key><array/></dict></dict></plist>";
    file.extend(plist);
    let mut trailer = b"koly".to_vec();
    let mut number = |bytes: &[u8]| trailer.extend(bytes);
    [4_u32, 512, 1]
        .iter()
        .for_each(|it| number(&it.to_be_bytes()));
    [0, 0, data, 0, 0]
        .iter()
        .for_each(|it: &u64| number(&it.to_be_bytes()));
    [1_u32, 1].iter().for_each(|it| number(&it.to_be_bytes()));
    number(&noise(16, 8));
    [2_u32, 32].iter().for_each(|it| number(&it.to_be_bytes()));
    number(&[0; 128]);
    [list, plist.len() as u64]
        .iter()
        .for_each(|it| number(&it.to_be_bytes()));
    number(&[0; 64]);
    // Where the signature lies, and its size.
    number(&[0; 16]);
    number(&[0; 40]);
    [2_u32, 32].iter().for_each(|it| number(&it.to_be_bytes()));
    number(&[0; 128]);
    number(&1_u32.to_be_bytes());
    number(&100_u64.to_be_bytes());
    number(&[0; 12]);
    assert_eq!(trailer.len(), 512, "the trailer's size");
    file.extend(trailer);
    file
}
