//! What the Tauri configuration and the Cargo manifest of the host say.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::find;
use super::problem::Place;
use super::resolve::Resolver;
use super::types::TauriConf;

/// The host as its own files describe it.
pub(super) struct Host {
    /// The Cargo package's name.
    pub package: String,
    /// The Cargo package's version, if it is one.
    pub version: Option<semver::Version>,
    /// The Tauri configuration.
    pub conf: TauriConf,
    /// What of `build.frontendDist` is not a path.
    pub other_dist: Option<String>,
}

/// The names a Tauri configuration may have, as Tauri looks for them: `tauri-utils`,
/// `config/parse.rs`.
pub(super) const FILES: [&str; 3] = ["tauri.conf.json", "tauri.conf.json5", "Tauri.toml"];

/// The Tauri configuration in a folder.
pub(super) fn file_in(dir: &Path) -> Option<PathBuf> {
    FILES
        .iter()
        .map(|name| dir.join(name))
        .find(|file| file.is_file())
}

/// The part of a Tauri configuration that matters here. `Tauri.toml` has its keys in kebab-case.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Conf {
    #[serde(alias = "product-name")]
    product_name: Option<String>,
    version: Option<String>,
    identifier: String,
    #[serde(alias = "main-binary-name")]
    main_binary_name: Option<String>,
    build: Build,
    bundle: BundleConf,
    plugins: Plugins,
}

/// What Tauri takes where `bundle.macOS.minimumSystemVersion` is not set.
const DEFAULT_MACOS: &str = "10.13";

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Build {
    #[serde(alias = "frontend-dist")]
    frontend_dist: Option<FrontendDist>,
}

/// A folder or an address, or several files.
#[derive(Deserialize)]
#[serde(untagged)]
enum FrontendDist {
    One(String),
    Files(IgnoredAny),
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct BundleConf {
    #[serde(alias = "external-bin")]
    external_bin: Option<Vec<String>>,
    #[serde(rename = "macOS", alias = "macos")]
    macos: MacConf,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct MacConf {
    #[serde(alias = "minimum-system-version")]
    minimum_system_version: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Plugins {
    updater: Updater,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Updater {
    pubkey: Option<String>,
}

/// The part of a `Cargo.toml` that matters here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Manifest {
    package: Package,
    workspace: Workspace,
    bin: Vec<Bin>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Package {
    name: String,
    version: Option<Inherited>,
    default_run: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Inherited {
    Own(String),
    Workspace {
        #[allow(dead_code, reason = "its presence is the message")]
        workspace: bool,
    },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Workspace {
    package: WorkspacePackage,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WorkspacePackage {
    version: Option<String>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
}

/// Reads the host in `dir`.
pub(super) fn host(cx: &mut Resolver<'_>, dir: &Path) -> Option<Host> {
    let Some(file) = file_in(dir) else {
        let message = format!(
            "`{}` has no Tauri configuration: {}",
            cx.shown(dir),
            FILES.join(", ")
        );
        cx.problem(
            "app.dir",
            message,
            "name the folder of the Tauri host in `app.dir`",
        );
        return None;
    };
    let conf = parse::<Conf>(cx, &file);
    let manifest = parse::<Manifest>(cx, &dir.join("Cargo.toml"));
    let (conf, manifest) = (conf?, manifest?);
    if conf.identifier.is_empty() {
        cx.problem(
            "",
            format!("{} has no `identifier`", cx.shown(&file)),
            "Tauri needs one",
        );
        return None;
    }
    let cargo_binary = binary(cx, dir, &manifest)?;
    let version = match &conf.version {
        Some(text) => Some(tauri_version(cx, &file, text)?),
        None => None,
    };
    let (frontend_dist, other_dist) = match conf.build.frontend_dist {
        Some(FrontendDist::One(text)) if text.contains("://") => (None, Some(text)),
        Some(FrontendDist::One(text)) => (Some(find::plain(&dir.join(text))), None),
        Some(FrontendDist::Files(_)) => (None, Some("a list of files".to_owned())),
        None => (None, None),
    };
    let external_bin = conf.bundle.external_bin.unwrap_or_default();
    Some(Host {
        version: cargo_version(cx, dir, &manifest),
        package: manifest.package.name,
        conf: TauriConf {
            product_name: conf.product_name,
            version,
            identifier: conf.identifier,
            main_binary: conf
                .main_binary_name
                .unwrap_or_else(|| cargo_binary.clone()),
            cargo_binary,
            frontend_dist,
            external_bin: external_bin
                .iter()
                .map(|bin| find::plain(&dir.join(bin)))
                .collect(),
            minimum_macos: conf
                .bundle
                .macos
                .minimum_system_version
                .unwrap_or_else(|| DEFAULT_MACOS.to_owned()),
            updater_pubkey: conf.plugins.updater.pubkey.filter(|key| !key.is_empty()),
            file,
        },
        other_dist,
    })
}

/// The executable's name as Cargo chooses it.
fn binary(cx: &mut Resolver<'_>, dir: &Path, manifest: &Manifest) -> Option<String> {
    let Package {
        name, default_run, ..
    } = &manifest.package;
    match (default_run, manifest.bin.as_slice()) {
        (Some(name), _) | (None, [Bin { name }]) => Some(name.clone()),
        (None, bins) if bins.is_empty() || dir.join("src/main.rs").is_file() => Some(name.clone()),
        (None, bins) => {
            let all = bins.iter().map(|bin| bin.name.as_str()).collect::<Vec<_>>();
            let manifest = cx.shown(&dir.join("Cargo.toml"));
            let message = format!("{manifest} has several executables: {}", all.join(", "));
            cx.problem("", message, "name the app's with `default-run`");
            None
        }
    }
}

/// The version that the Tauri configuration says or whose `package.json` it names.
fn tauri_version(cx: &mut Resolver<'_>, file: &Path, text: &str) -> Option<semver::Version> {
    #[derive(Deserialize)]
    struct PackageJson {
        version: String,
    }
    let (text, source) = if text.ends_with(".json") {
        let source = find::plain(&file.parent()?.join(text));
        (parse::<PackageJson>(cx, &source)?.version, source)
    } else {
        (text.to_owned(), file.to_owned())
    };
    let version = semver::Version::parse(&text);
    if version.is_err() {
        let message = format!("{}: `{text}` is not a semantic version", cx.shown(&source));
        cx.problem("", message, "write three numbers, such as `1.2.3`");
    }
    version.ok()
}

/// The version of the Cargo package, its own or its workspace's.
fn cargo_version(cx: &Resolver<'_>, dir: &Path, manifest: &Manifest) -> Option<semver::Version> {
    let text = match manifest.package.version.as_ref()? {
        Inherited::Own(text) => text.clone(),
        Inherited::Workspace { .. } => find::upward(cx.root, dir).find_map(|dir| {
            let text = fs_err::read_to_string(dir.join("Cargo.toml")).ok()?;
            toml::from_str::<Manifest>(&text)
                .ok()?
                .workspace
                .package
                .version
        })?,
    };
    semver::Version::parse(&text).ok()
}

/// Reads a JSON or TOML file; what is wrong with it becomes a problem at its place.
pub(super) fn parse<T: DeserializeOwned>(cx: &mut Resolver<'_>, file: &Path) -> Option<T> {
    let text = match fs_err::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            cx.problem("", error.to_string(), "");
            return None;
        }
    };
    let name = cx.shown(file);
    let parsed = parse_text(file, &text);
    cx.located(parsed.map_err(|(at, message)| (Place::new(&name, &text, at), message)))
}

/// Reads a text by the ending of its file. What is wrong stands at these bytes.
fn parse_text<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, (Range<usize>, String)> {
    let ending = file.extension().and_then(|it| it.to_str());
    match ending {
        Some("toml") => toml::from_str(text)
            .map_err(|error| (error.span().unwrap_or(0..0), error.message().to_owned())),
        Some("json5") => {
            let options = jsonc_parser::ParseOptions {
                allow_missing_commas: false,
                ..Default::default()
            };
            jsonc_parser::parse_to_serde_value(text, &options).map_err(|error| {
                let range = error.range();
                (range.start..range.end, error.kind().to_string())
            })
        }
        _ => serde_json::from_str(text).map_err(|error| {
            let lines = text.split_inclusive('\n').take(error.line() - 1);
            let before: usize = lines.map(str::len).sum();
            let at = before + error.column().saturating_sub(1);
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            (at..at, message.to_owned())
        }),
    }
}

/// The whole of a Tauri configuration, written as JSON, JSON5 or TOML. The keys are as they stand
/// there: those of `Tauri.toml` may be in kebab-case.
///
/// # Errors
/// The file cannot be read, or is not what its ending says: what is wrong, and in which line.
pub fn tauri_value(file: &Path) -> anyhow::Result<serde_json::Value> {
    let text = fs_err::read_to_string(file)?;
    parse_text(file, text.trim_start_matches('\u{feff}')).map_err(|(at, message)| {
        let place = Place::new(&file.display().to_string(), &text, at);
        anyhow::anyhow!("{}: {message}", place.start())
    })
}
