//! Signatures inside of Debian packages, as `debsigs` makes them and `debsig-verify` checks them: a
//! detached OpenPGP signature over all other members, one after the other, in a member of its own.
//!
//! The headers of the members are signed by nobody. So they must be as `dpkg-deb` writes them, or
//! else a change in them would go unseen.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

/// The member with the signature of whom the package comes from.
pub const MEMBER: &str = "_gpgorigin";

/// How every archive begins (ar(5)).
const MAGIC: &[u8] = b"!<arch>\n";
/// The size of a member's header: name 16, time 12, owner 6, group 6, mode 8, size 10, end 2.
const HEADER: usize = 60;
/// With which a header ends.
const END: &[u8] = b"`\n";
/// The mode of a plain file, in octal digits; `ar` leaves out what says that it is one.
const MODE: &str = "100644";
const MODE_OF_AR: &str = "644";

/// A member of an archive.
struct Member<'a> {
    /// Whether `dpkg-deb` could have written the header.
    regular: bool,
    /// Whether a `/` ends the name: `ar` writes one, `dpkg-deb` none.
    slash: bool,
    name: String,
    time: String,
    data: &'a [u8],
}

/// What a package consists of, as far as signing goes.
pub struct Package {
    /// What is signed: the content of all members but signatures.
    pub signed: Vec<u8>,
    /// The signature of whom it comes from, if there is one.
    pub signature: Option<Vec<u8>>,
}

impl Package {
    /// Takes a package apart.
    ///
    /// # Errors
    /// It is no package; or it is signed, and holds anything that neither `dpkg-deb` nor `debsigs`
    /// writes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let members = members(bytes).context("no Debian package")?;
        let names: Vec<&str> = members.iter().map(|it| &*it.name).collect();
        let (content, signatures) = match &*names {
            ["debian-binary", control, data, rest @ ..]
                if is_tar(control, "control") && is_tar(data, "data") =>
            {
                (&members[..3], rest)
            }
            _ => bail!("its members are {}", names.join(", ")),
        };
        if !matches!(signatures, [] | [MEMBER]) {
            bail!("it holds {} besides", signatures.join(", "));
        }
        let time = &content[0].time;
        // Without a signature there is nothing that a change could be hidden from.
        for member in members.iter().filter(|_| !signatures.is_empty()) {
            ensure!(
                member.regular,
                "{} has a header that dpkg-deb does not write",
                member.name
            );
            let fits = member.time == *time || (member.name == MEMBER && member.time == "0");
            ensure!(
                fits && member.slash == content[0].slash,
                "{} has another header than the rest",
                member.name
            );
        }
        Ok(Self {
            signed: content.iter().flat_map(|it| it.data).copied().collect(),
            signature: members.get(3).map(|it| it.data.to_vec()),
        })
    }
}

/// Whether it is a name that dpkg-deb gives, with the suffix of a compression.
fn is_tar(name: &str, what: &str) -> bool {
    let suffix = name
        .strip_prefix(what)
        .and_then(|it| it.strip_prefix(".tar"));
    suffix.is_some_and(|it| ["", ".gz", ".xz", ".zst", ".bz2", ".lzma"].contains(&it))
}

/// The package with this signature in the place of the one that it may have.
///
/// # Errors
/// It is no package, or one with more signatures.
pub fn with_signature(package: &[u8], signature: &[u8]) -> Result<Vec<u8>> {
    Package::parse(package)?;
    let members = members(package)?;
    let mut archive = MAGIC.to_vec();
    let time = &members[0].time;
    let kept = members[..3].iter().map(|it| (&*it.name, it.data));
    for (name, data) in kept.chain([(MEMBER, signature)]) {
        let size = data.len();
        let header = format!("{name:<16}{time:<12}{0:<6}{0:<6}{MODE:<8}{size:<10}", 0);
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(END);
        archive.extend_from_slice(data);
        if size % 2 == 1 {
            archive.push(b'\n');
        }
    }
    Ok(archive)
}

fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>> {
    let mut rest = bytes.strip_prefix(MAGIC).context("no archive")?;
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (header, behind) = rest.split_at_checked(HEADER).context("cut off")?;
        let header = std::str::from_utf8(header).context("a damaged header")?;
        let field = |from: usize, to: usize| header.get(from..to).map(str::trim_end);
        let read = || Some((field(0, 16)?, field(16, 28)?, field(48, 58)?));
        let (name, time, size) = read().context("a damaged header")?;
        // `ar`, which `debsigs` adds its member with, writes no time and half of the mode.
        let by_ar = name == MEMBER && time == "0" && field(40, 48) == Some(MODE_OF_AR);
        let owned = (field(28, 34), field(34, 40)) == (Some("0"), Some("0"));
        let regular =
            owned && (by_ar || field(40, 48) == Some(MODE)) && header.as_bytes().ends_with(END);
        let number: usize = size.parse().context("a damaged header")?;
        // `+5` and `05` are numbers, too.
        ensure!(number.to_string() == size, "a damaged header");
        let (data, behind) = behind.split_at_checked(number).context("cut off")?;
        rest = match number % 2 {
            1 => behind.strip_prefix(b"\n").context("a damaged filler")?,
            _ => behind,
        };
        members.push(Member {
            regular,
            slash: name.ends_with('/'),
            name: name.trim_end_matches('/').to_owned(),
            time: time.to_owned(),
            data,
        });
    }
    Ok(members)
}

/// What `debsig-verify` wants to know: whom to trust, for which packages (deb-policy of
/// debsig-verify's own documentation).
pub struct Policy {
    policies: PathBuf,
    rings: PathBuf,
}

impl Policy {
    /// Writes one below `folder` that trusts this key, whose public half is in `ring`.
    ///
    /// # Errors
    /// The disk's, or no fingerprint.
    pub fn write(folder: &Path, fingerprint: &str, ring: &Path) -> Result<Self> {
        // It knows keys by their last 16 digits.
        let start = fingerprint
            .len()
            .checked_sub(16)
            .context("no fingerprint")?;
        let id = &fingerprint[start..];
        let (policies, rings) = (folder.join("policies"), folder.join("keyrings"));
        fs::create_dir_all(policies.join(id))?;
        fs::create_dir_all(rings.join(id))?;
        fs::copy(ring, rings.join(id).join("key.gpg"))?;
        let policy = format!(
            "<?xml version=\"1.0\"?>\n<Policy xmlns=\"https://www.debian.org/debsig/1.0/\">\n\
             <Origin Name=\"publisher\" id=\"{id}\" Description=\"the publisher\"/>\n\
             <Selection><Required Type=\"origin\" File=\"key.gpg\" id=\"{id}\"/></Selection>\n\
             <Verification><Required Type=\"origin\" File=\"key.gpg\" id=\"{id}\"/></Verification>\n\
             </Policy>\n"
        );
        fs::write(policies.join(id).join("publisher.pol"), policy)?;
        Ok(Self { policies, rings })
    }

    /// Checks a package; the exit code says whether it is good.
    pub fn check_cmd(&self, package: &Path) -> Command {
        let mut command = Command::new("debsig-verify");
        command.arg("--policies-dir").arg(&self.policies);
        command.arg("--keyrings-dir").arg(&self.rings).arg(package);
        command
    }
}
