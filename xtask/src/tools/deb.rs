//! Debian packages (deb(5)): an `ar` archive of `debian-binary`, `control.tar.*`, `data.tar.*`.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, GzBuilder, read::MultiGzDecoder};

use super::inside::{self, Inside, inner};

/// Symbolic links by path without a leading `/`, and where they point to.
pub type Links = BTreeMap<String, String>;

/// When files were written.
pub type Times = BTreeMap<String, SystemTime>;

/// Writes the package anew, with one time for all, sorted, and with no trace of who built it:
/// Tauri's bundler takes the clock's time, and files in the order in which the file system names
/// them. It follows links besides, or drops them: what `links` names is a link again. Gives the times
/// that the files had, by path without a leading `/`.
pub fn normalize(package: &Path, epoch: i64, links: &Links) -> Result<Times> {
    let time = u64::try_from(epoch).context("a time before 1970")?;
    let bytes = fs_err::read(package)?;
    let mut archive = ar::Archive::new(Cursor::new(&bytes));
    let (mut members, mut times) = (Vec::new(), Times::new());
    while let Some(member) = archive.next_entry() {
        let mut member = member.context("no Debian package")?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let mut data = Vec::new();
        member.read_to_end(&mut data)?;
        if name.ends_with(".tar.gz") {
            let (none, mut of_control) = (Links::new(), Times::new());
            let (links, times) = match name.starts_with("data.") {
                true => (links, &mut times),
                false => (&none, &mut of_control),
            };
            data = normalize_tar(&data, time, links, times).with_context(|| name.clone())?;
        }
        members.push((name, data));
    }
    let mut builder = ar::Builder::new(Vec::new());
    for (name, data) in members {
        let mut header = ar::Header::new(name.into_bytes(), data.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(time);
        builder.append(&header, &*data)?;
    }
    fs_err::write(package, builder.into_inner()?)?;
    Ok(times)
}

/// A file, folder or link on its way into the new archive.
struct Member {
    kind: tar::EntryType,
    mode: u32,
    link: Option<PathBuf>,
    content: Vec<u8>,
}

impl Member {
    fn new(kind: tar::EntryType, mode: u32, link: Option<&str>) -> Self {
        Self {
            kind,
            mode,
            link: link.map(PathBuf::from),
            content: Vec::new(),
        }
    }
}

fn normalize_tar(gzipped: &[u8], time: u64, links: &Links, times: &mut Times) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(gzipped));
    let mut members = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = inner(&entry.path()?);
        if path.is_empty() {
            // `./`, with which `dpkg-deb` begins; Tauri's bundler leaves it out.
            continue;
        }
        let header = entry.header();
        let mut member = Member::new(header.entry_type(), header.mode()?, None);
        member.link = entry.link_name()?.map(std::borrow::Cow::into_owned);
        if let Some(it) = UNIX_EPOCH.checked_add(Duration::from_secs(header.mtime()?)) {
            times.insert(path.clone(), it);
        }
        entry.read_to_end(&mut member.content)?;
        members.insert(path, member);
    }
    for (path, target) in links {
        for folder in Path::new(path).ancestors().skip(1).map(inner) {
            let folder_member = || Member::new(tar::EntryType::Directory, 0o755, None);
            if !folder.is_empty() {
                members.entry(folder).or_insert_with(folder_member);
            }
        }
        let link = Member::new(tar::EntryType::Symlink, 0o777, Some(target));
        members.insert(path.clone(), link);
    }
    // Level 9 of miniz_oxide takes twice as long and saves half a percent.
    let gzip = GzBuilder::new().write(Vec::new(), Compression::new(6));
    let mut builder = tar::Builder::new(gzip);
    builder.mode(tar::HeaderMode::Complete);
    for (path, member) in members {
        let mut header = header(member.kind, member.mode, time)?;
        match member.link {
            Some(target) => builder.append_link(&mut header, path, target)?,
            None => {
                header.set_size(member.content.len() as u64);
                builder.append_data(&mut header, path, &*member.content)?;
            }
        }
    }
    Ok(builder.into_inner()?.finish()?)
}

fn header(kind: tar::EntryType, mode: u32, time: u64) -> Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header.set_username("root")?;
    header.set_groupname("root")?;
    Ok(header)
}

/// What lies inside a package.
pub fn contents(package: &Path) -> Result<Inside> {
    inside::of_tar(&*data(package)?)
}

/// The archive of what is installed, unpacked.
pub fn data(package: &Path) -> Result<Vec<u8>> {
    let bytes = fs_err::read(package)?;
    let mut archive = ar::Archive::new(Cursor::new(&bytes));
    while let Some(member) = archive.next_entry() {
        let member = member.context("no Debian package")?;
        if member.header().identifier() == b"data.tar.gz" {
            let mut data = Vec::new();
            MultiGzDecoder::new(member).read_to_end(&mut data)?;
            return Ok(data);
        }
    }
    bail!("{} holds no data.tar.gz", package.display())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A package of a host and a library, as Tauri's bundler writes it, in no order.
    fn package(folder: &Path) -> PathBuf {
        let gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
        let mut data = tar::Builder::new(gzip);
        for (path, mode, content) in [
            ("usr/lib/app/sidecars/a/lib.so", 0o644, "library"),
            ("usr/lib/app/sidecars/a/lib.so.1", 0o644, "library"),
            ("usr/bin/app", 0o755, "host"),
        ] {
            let mut header = header(tar::EntryType::Regular, mode, 12345).unwrap();
            header.set_size(content.len() as u64);
            data.append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
        let data = data.into_inner().unwrap().finish().unwrap();
        let mut ar = ar::Builder::new(Vec::new());
        let header = ar::Header::new(b"data.tar.gz".to_vec(), data.len() as u64);
        ar.append(&header, &*data).unwrap();
        let package = folder.join("app.deb");
        fs_err::write(&package, ar.into_inner().unwrap()).unwrap();
        package
    }

    fn check(links: &[(&str, &str)], expected: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path());
        let links = links
            .iter()
            .map(|(at, to)| (at.to_string(), to.to_string()));
        normalize(&package, 1, &links.collect()).unwrap();
        let inside = contents(&package).unwrap();
        let lines = inside.iter().map(|(path, it)| {
            let bit = if it.executable { 'x' } else { '-' };
            let what = it.link.as_deref().map_or(&it.sha256[..8], |it| it);
            format!("{path} {bit} {what}\n")
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn links_come_back() {
        check(
            &[],
            expect![[r#"
            usr/bin/app x 4740ae63
            usr/lib/app/sidecars/a/lib.so - b718f135
            usr/lib/app/sidecars/a/lib.so.1 - b718f135
        "#]],
        );
        // A copy that the bundler made of a link, and a folder's link that it dropped.
        check(
            &[
                ("usr/lib/app/sidecars/a/lib.so", "lib.so.1"),
                (
                    "usr/lib/app/sidecars/a/Python.framework/Versions/Current",
                    "3.11",
                ),
            ],
            expect![[r#"
                usr/bin/app x 4740ae63
                usr/lib/app/sidecars/a/Python.framework/Versions/Current x 3.11
                usr/lib/app/sidecars/a/lib.so x lib.so.1
                usr/lib/app/sidecars/a/lib.so.1 - b718f135
            "#]],
        );
    }
}
