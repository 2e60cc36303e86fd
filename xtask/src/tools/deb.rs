//! Debian packages (deb(5)): an `ar` archive of `debian-binary`, `control.tar.*`, `data.tar.*`.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, GzBuilder, read::MultiGzDecoder};

/// Writes the package anew with one time for all and no trace of who built it: Tauri's bundler
/// takes the clock's time. Nothing else changes, the order included.
pub fn normalize(package: &Path, epoch: i64) -> Result<()> {
    let time = u64::try_from(epoch).context("a time before 1970")?;
    let bytes = fs_err::read(package)?;
    let mut archive = ar::Archive::new(Cursor::new(&bytes));
    let mut members = Vec::new();
    while let Some(member) = archive.next_entry() {
        let mut member = member.context("no Debian package")?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let mut data = Vec::new();
        member.read_to_end(&mut data)?;
        if name.ends_with(".tar.gz") {
            data = normalize_tar(&data, time).with_context(|| name.clone())?;
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
    Ok(())
}

fn normalize_tar(gzipped: &[u8], time: u64) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(gzipped));
    // Level 9 of miniz_oxide takes twice as long and saves half a percent.
    let gzip = GzBuilder::new().write(Vec::new(), Compression::new(6));
    let mut builder = tar::Builder::new(gzip);
    builder.mode(tar::HeaderMode::Complete);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let link = entry.link_name()?.map(std::borrow::Cow::into_owned);
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(entry.header().entry_type());
        header.set_mode(entry.header().mode()?);
        header.set_size(entry.size());
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        match link {
            Some(target) => builder.append_link(&mut header, path, target)?,
            None => builder.append_data(&mut header, path, &mut entry)?,
        }
    }
    Ok(builder.into_inner()?.finish()?)
}

/// The content of the wanted files inside a package, by path without a leading `./`.
pub fn contents(
    package: &Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let bytes = fs_err::read(package)?;
    let mut archive = ar::Archive::new(Cursor::new(&bytes));
    while let Some(member) = archive.next_entry() {
        let mut member = member.context("no Debian package")?;
        if member.header().identifier() != b"data.tar.gz" {
            continue;
        }
        let mut data = tar::Archive::new(MultiGzDecoder::new(&mut member));
        let mut found = BTreeMap::new();
        for entry in data.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            let path = path.trim_start_matches("./").to_owned();
            if wanted(&path) {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                found.insert(path, content);
            }
        }
        return Ok(found);
    }
    bail!("{} holds no data.tar.gz", package.display())
}
