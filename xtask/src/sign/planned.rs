//! The plan of a whole release: which files there are, and what becomes of each, in the order of the
//! steps. What is built is looked at where it lies; what is not has the name that it will have.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{
    format::Format,
    linux, macos,
    plan::{Action, File, Identity, Role, Row},
    windows,
};
use crate::{
    config::{AppleSigning, AppleTool, BundleKind},
    engine::staging,
    manifest::{Identity as Level, MANIFEST_NAME, SUMS_NAME},
    release::Release,
    steps::{
        notarize::packed_name,
        sign_code::{FOLDERS, external},
    },
    target::Os,
    tools::tauri,
};

/// What signs the files beside, and by which name.
const MINISIGN: &str = "minisign, in process";

/// All lines of the plan. `state` is the target's folder of state, which is only read.
///
/// # Errors
/// A file cannot be read.
pub fn rows(release: &Release, state: &Path) -> Result<Vec<Row>> {
    let stages = state.join("stages");
    let (code, installers) = (code(release, &stages)?, installers(release, &stages)?);
    let mut rows = inside(release, &code)?;
    rows.extend(in_bundle(release, &code, &installers)?);
    let minisign = minisign(release);
    for file in &installers {
        if release.target.os != Os::Macos {
            rows.extend(inside(release, std::slice::from_ref(file))?);
        }
        let file = &packed(release, file);
        for kind in ["minisign", "tauri-updater"] {
            rows.push(beside(&minisign, "sign-installers", file, kind));
        }
    }
    for file in archives(release, &stages)? {
        rows.push(beside(&minisign, "archive", &file, "minisign"));
    }
    rows.extend(descriptions(release, &minisign));
    Ok(rows)
}

/// What the step signs that makes the installers; on macOS all of it, and what Apple then sees.
fn in_bundle(release: &Release, code: &[File], installers: &[File]) -> Result<Vec<Row>> {
    Ok(match release.target.os {
        Os::Linux => Vec::new(),
        Os::Windows => {
            let host = code.iter().find(|it| it.role == Role::Host);
            let host = host.and_then(|it| it.path.as_deref());
            windows::plan_bundle(release, host, installers)?
        }
        Os::Macos => {
            let mut rows = apple(release, installers)?;
            rows.extend(notarization(release, installers));
            rows
        }
    })
}

/// An app is a folder: what is released of it by itself is an archive.
fn packed(release: &Release, file: &File) -> File {
    let version = release.config.product.version.to_string();
    match file.format {
        Format::App => File {
            // What was never built has no name yet.
            name: match file.name.ends_with(".app") {
                true => packed_name(&file.name, &version, &release.target),
                false => format!("{}.tar.gz", file.name),
            },
            path: None,
            format: Format::Gzip,
            ..file.clone()
        },
        _ => file.clone(),
    }
}

/// Signatures inside of files.
fn inside(release: &Release, files: &[File]) -> Result<Vec<Row>> {
    match release.target.os {
        Os::Linux => Ok(linux::plan(release, files)),
        Os::Windows => windows::plan(release, files),
        Os::Macos => apple(release, files),
    }
}

fn apple(release: &Release, files: &[File]) -> Result<Vec<Row>> {
    let config = &release.config.sign.macos;
    let sidecars: Vec<String> = release
        .config
        .sidecars
        .iter()
        .map(|it| it.name.clone())
        .collect();
    let tool = format!("{:?}", macos::identity::tool(config)).to_lowercase();
    let identity = apple_identity(release)?;
    let mut rows = Vec::new();
    for file in files.iter().filter(|it| it.format.is_apple()) {
        let step = match file.role {
            Role::Installer => "bundle",
            Role::Loose => "sign",
            _ => "sign-code",
        };
        let Some(identity) = &identity else {
            let why = "no certificate is set: APPLE_CERTIFICATE, CSC_LINK or `sign.macos.identity`";
            rows.push(Row::leave(step, file, Action::CannotSign, why));
            continue;
        };
        let signs = |file: &File, why: &str| Row::sign(step, file, identity.clone(), &tool, why);
        let Some(path) = &file.path else {
            rows.push(signs(
                file,
                "not built yet; all code in it by its first bytes",
            ));
            continue;
        };
        for item in items(path, config, &sidecars)? {
            let entitlements = match &item.entitlements {
                macos::plan::Entitlements::None => Vec::new(),
                other => vec![other.to_string()],
            };
            let part = match item.path == *path {
                true => file.clone(),
                false => File {
                    name: format!("{}/{}", file.name, item.name),
                    format: Format::of(&item.path)?,
                    ..file.clone()
                },
            };
            let row = signs(&part, item.why());
            let row = match item.kind {
                macos::discover::Kind::Framework => row.with_format("framework"),
                _ => row,
            };
            rows.push(Row {
                entitlements,
                ..row
            });
        }
    }
    Ok(rows)
}

/// What is signed of an app, an image or loose code. A framework that lost its links is mended before
/// it is signed: then the copies that stand for links are gone.
fn items(
    path: &Path,
    config: &AppleSigning,
    sidecars: &[String],
) -> Result<Vec<macos::plan::Item>> {
    let mut items = macos::plan::plan(path, config, sidecars)?;
    if path.is_dir() {
        for (framework, current) in macos::links::versions(path)? {
            items.retain(|it| !it.path.starts_with(&framework) || it.path.starts_with(&current));
        }
    }
    Ok(items)
}

/// Who signs for macOS, as far as that is known without a password.
fn apple_identity(release: &Release) -> Result<Option<Identity>> {
    let config = &release.config.sign.macos;
    let name = match macos::identity::name(config) {
        Some(name) => name,
        None => match release.secrets.pkcs12(&config.certificate)? {
            Some(file) => format!("certificate in {}", file.from),
            None => return Ok(None),
        },
    };
    let fingerprint = String::new();
    Ok(Some(Identity { name, fingerprint }))
}

fn notarization(release: &Release, installers: &[File]) -> Vec<Row> {
    let wanted = release.config.sign.macos.notarize;
    // Apple is not troubled with what nobody signed, or is not for anybody else.
    let signed = matches!(apple_identity(release), Ok(Some(_)));
    if !wanted || !signed || release.identity != Level::Release {
        return Vec::new();
    }
    let row = |file: &File, action: Action, tool: &str, why: &str| Row {
        tool: tool.to_owned(),
        ..Row::leave("notarize", file, action, why)
    };
    let (asks, attaches) = match macos::identity::tool(&release.config.sign.macos) {
        AppleTool::Codesign => ("notarytool", "stapler"),
        _ => ("rcodesign", "rcodesign"),
    };
    let each = |file: &File| {
        let why = "macOS starts what was downloaded only if Apple has seen it";
        let attached = "so that it starts without a connection, too; it changes the bytes";
        [
            row(file, Action::Notarize, asks, why),
            row(file, Action::Staple, attaches, attached),
        ]
    };
    installers
        .iter()
        .filter(|it| it.format.is_apple())
        .flat_map(each)
        .collect()
}

/// The executables: sidecars, what something else made, the host's package.
fn code(release: &Release, stages: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let format = match release.target.os {
        Os::Linux => Format::Elf,
        Os::Windows => Format::Pe,
        Os::Macos => Format::MachO,
    };
    let planned = |name: &str, role: Role| File {
        name: release.target.exe(name),
        path: None,
        role,
        format,
    };
    for sidecar in &release.config.sidecars {
        let stage = stages.join(staging::file_name(&format!("sidecar:{}", sidecar.name)));
        let mut found = below(&stage, Role::Sidecar)?;
        found.retain(|it| it.format == format);
        for file in &mut found {
            if file.name.contains('/') {
                file.name = format!("{FOLDERS}/{}", file.name);
            }
        }
        if found.is_empty() {
            found.push(planned(&sidecar.name, Role::Sidecar));
        }
        files.extend(found);
    }
    for (name, path) in external(release) {
        // What makes it may not have run yet.
        let planned = planned(&name, Role::External);
        files.push(match path.is_file() {
            true => File {
                format: Format::of(&path)?,
                path: Some(path),
                ..planned
            },
            false => planned,
        });
    }
    let mut host = below(&stages.join("app"), Role::Executable)?;
    let main = planned(&release.config.tauri.cargo_binary, Role::Host);
    if host.is_empty() {
        host.push(main.clone());
    }
    for file in &mut host {
        if file.name == main.name {
            file.role = Role::Host;
        }
    }
    files.extend(host);
    // As the step goes through them.
    match release.target.os {
        Os::Macos => {
            let depth = |it: &File| it.name.split('/').count();
            files.sort_by(|a, b| depth(b).cmp(&depth(a)).then_with(|| a.name.cmp(&b.name)));
        }
        _ => files.sort_by(|a, b| a.name.cmp(&b.name)),
    }
    Ok(files)
}

fn installers(release: &Release, stages: &Path) -> Result<Vec<File>> {
    let bundle = &release.config.bundle;
    let kinds = match release.target.os {
        Os::Linux => &bundle.linux,
        Os::Windows => &bundle.windows,
        Os::Macos => &bundle.macos,
    };
    let mut found = below(&stages.join("bundle"), Role::Installer)?;
    if !found.is_empty() {
        // One after the other, as they are configured.
        let is_first = |file: &File| kinds.iter().position(|it| format_of(*it) == file.format);
        found.sort_by_key(|it| is_first(it).unwrap_or(kinds.len()));
        return Ok(found);
    }
    let planned = |kind: &BundleKind| File {
        name: format!("the {}", tauri::kind_name(*kind)),
        path: None,
        role: Role::Installer,
        format: format_of(*kind),
    };
    Ok(kinds.iter().map(planned).collect())
}

fn format_of(kind: BundleKind) -> Format {
    match kind {
        BundleKind::Deb => Format::Deb,
        BundleKind::Rpm => Format::Rpm,
        BundleKind::Appimage => Format::Elf,
        BundleKind::Nsis | BundleKind::Inno => Format::Pe,
        BundleKind::Msi => Format::Msi,
        BundleKind::App => Format::App,
        BundleKind::Dmg => Format::Dmg,
    }
}

fn archives(release: &Release, stages: &Path) -> Result<Vec<File>> {
    if release.config.archive.is_none() {
        return Ok(Vec::new());
    }
    let mut found = below(&stages.join("archive"), Role::Archive)?;
    found.retain(|it| matches!(it.format, Format::Gzip | Format::Zip));
    if found.is_empty() {
        let format = match release.target.os {
            Os::Windows => Format::Zip,
            _ => Format::Gzip,
        };
        found.push(File {
            name: "the archive".to_owned(),
            path: None,
            role: Role::Archive,
            format,
        });
    }
    Ok(found)
}

/// All files below a folder, apps as one, sorted; none if there is no such folder.
fn below(folder: &Path, role: Role) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        if !next.is_dir() {
            continue;
        }
        for entry in fs_err::read_dir(&next)? {
            let path = entry?.path();
            if path.is_symlink() {
                continue;
            }
            let format = Format::of(&path)?;
            match path.is_dir() && format != Format::App {
                true => folders.push(path),
                false => files.push(file(folder, path, role, format)?),
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn file(folder: &Path, path: PathBuf, role: Role, format: Format) -> Result<File> {
    let name = path
        .strip_prefix(folder)?
        .to_string_lossy()
        .replace('\\', "/");
    Ok(File {
        name,
        path: Some(path),
        role,
        format,
    })
}

/// Whose minisign key it is; the error says why there is none.
fn minisign(release: &Release) -> Result<Identity, &'static str> {
    let fingerprint = release.signer.as_ref().map(|it| it.public_key().key_id());
    let name = match release.identity {
        Level::Unsigned => return Err("--unsigned"),
        Level::Development => "development key, made on this machine",
        Level::Release => "release key",
    };
    Ok(Identity {
        name: name.to_owned(),
        fingerprint: fingerprint.unwrap_or_default(),
    })
}

fn beside(
    minisign: &Result<Identity, &'static str>,
    step: &'static str,
    file: &File,
    kind: &str,
) -> Row {
    let why = match (file.role, kind) {
        (_, "tauri-updater") => "Tauri's updater checks it; it covers the signatures inside",
        (Role::Installer, _) => "for people; it covers the signatures inside",
        (Role::Description, _) => "it names the hashes of all else",
        _ => "for people",
    };
    match minisign {
        Ok(it) => Row::sign(step, file, it.clone(), MINISIGN, why).with_format(kind),
        Err(why) => Row::leave(step, file, Action::CannotSign, why).with_format(kind),
    }
}

/// The manifest, and the checksums over all else, in this order.
fn descriptions(release: &Release, minisign: &Result<Identity, &'static str>) -> Vec<Row> {
    let file = |name: &str| File {
        name: name.to_owned(),
        path: None,
        role: Role::Description,
        format: Format::Other,
    };
    let (manifest, sums) = (file(MANIFEST_NAME), file(SUMS_NAME));
    let mut rows = vec![
        beside(minisign, "seal", &manifest, "minisign"),
        beside(minisign, "seal", &sums, "minisign"),
    ];
    let gpg = "for people without minisign";
    rows.extend(
        match (&release.config.sign.gpg, release.gpg_key()) {
            (None, _) => None,
            (Some(_), Some(key)) => {
                Some(Row::sign("seal", &sums, linux::identity(&key), "gpg", gpg))
            }
            (Some(_), None) => {
                let why = "the GPG key signs only what a release identity signs";
                Some(Row::leave("seal", &sums, Action::CannotSign, why))
            }
        }
        .map(|it| it.with_format("gpg")),
    );
    rows
}
