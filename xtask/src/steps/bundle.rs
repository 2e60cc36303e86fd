//! `bundle`: Tauri's bundler packs the executables that were built before; nothing is rebuilt.

mod appimage;
mod for_macos;
mod look;
mod own;
mod resources;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use self::look::Packed;
use super::{
    apple, authenticode, copy,
    frontend::Web,
    link_to,
    sign_code::{Code, FOLDERS},
};
use crate::{
    config::{self, BundleKind, TauriCli},
    engine::{
        artifact::Artifact,
        exec::Finished,
        files::Tree,
        fingerprint::Inputs,
        staging::{self, Staging},
        step::{Context, Done, Step},
    },
    freeze::candidate::now_at,
    manifest::Content,
    release::Release,
    sign::order::HASHES,
    target::{Os, Target},
    tools::{deb, node, tauri, unpack, versions},
};

/// Executables to be packed.
#[derive(Serialize)]
pub struct Bundle<'r> {
    #[serde(skip)]
    release: &'r Release,
    kinds: Vec<BundleKind>,
    version: String,
    epoch: i64,
    target: Target,
    code: Done<Code>,
    web: Option<Done<Web>>,
    /// How it is signed for Windows; none if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticode: Option<authenticode::Policy>,
    /// How it is signed for macOS; none if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    apple: Option<apple::Policy>,
    /// Whether a package that nobody can look into is refused. What was made while it was not must be
    /// made again then, and only then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refuses_gaps: bool,
    /// What decides the setup programs that Tauri's bundler does not make; none if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<own::Parameters>,
    /// Whether an AppImage is made here, and not by Tauri's bundler.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    own_appimage: bool,
}

/// The bundler's packages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Installers {
    /// In the order of the configuration.
    pub installers: Vec<Installer>,
}

/// An installer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Installer {
    /// Its name in the stage folder.
    pub file: String,
    /// `deb`, `rpm`.
    pub kind: String,
    /// The executables inside, as they were found there.
    pub contents: Vec<Content>,
    /// Why nobody looked inside; none if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// The certificate that signed the app, by its SHA-256 in hex; none if nobody did, or there is
    /// no app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl<'r> Bundle<'r> {
    /// The step over all executables.
    pub fn new(release: &'r Release, code: &Done<Code>, web: Option<Done<Web>>) -> Self {
        let kinds = release.bundles();
        Self {
            release,
            refuses_gaps: release.strict && kinds.iter().any(|it| unpack::missing(*it).is_some()),
            own: own::Parameters::of(release, &kinds),
            own_appimage: appimage::is_own(release, &kinds),
            kinds,
            version: release.config.product.version.to_string(),
            epoch: release.epoch,
            target: release.target.clone(),
            code: code.clone(),
            web,
            authenticode: authenticode::Policy::of(release),
            apple: apple::Policy::of(release),
        }
    }

    /// Names of the executables that are bundled next to the host.
    fn beside(&self) -> impl Iterator<Item = &String> {
        let code = &self.code.output;
        let files = code.sidecars.iter().filter(|it| it.folder.is_none());
        files.map(|it| &it.name).chain(&code.external)
    }

    /// Whether the hashes of the sidecars are among what is shipped.
    fn has_hashes(&self) -> bool {
        self.code.artifacts.iter().any(|it| it.path == HASHES)
    }

    /// The sidecars that are bundled as resources: their folders.
    fn folders(&self) -> impl Iterator<Item = &String> {
        let sidecars = self.code.output.sidecars.iter();
        sidecars.filter_map(|it| it.folder.as_ref())
    }

    /// Merged over the app's own configuration.
    fn config(&self, binaries: &Path) -> serde_json::Value {
        let external: Vec<String> = self
            .beside()
            .map(|it| binaries.join(it).to_string_lossy().into_owned())
            .collect();
        let mut config = serde_json::json!({
            "version": self.version,
            // What these would build is built already; the updater's signature is a later step.
            "build": { "beforeBundleCommand": null },
            "bundle": { "active": true, "externalBin": external, "createUpdaterArtifacts": false },
        });
        for folder in self.folders() {
            let from = binaries.join(folder).to_string_lossy().into_owned();
            if self.target.os == Os::Macos {
                // Of all ways into a bundle only this one keeps links, without which a framework
                // is none; Tauri looks for resources at the same place.
                let to = format!("Resources/{folder}");
                config["bundle"]["macOS"]["files"][to] = from.into();
            } else {
                config["bundle"]["resources"][from] = folder.as_str().into();
            }
        }
        if self.has_hashes() {
            let from = binaries.join(HASHES).to_string_lossy().into_owned();
            if self.target.os == Os::Macos {
                config["bundle"]["macOS"]["files"][format!("Resources/{HASHES}")] = from.into();
            } else {
                config["bundle"]["resources"][from] = HASHES.into();
            }
        }
        if let Some(web) = &self.web {
            config["build"]["frontendDist"] = web.folder.to_string_lossy().into();
        }
        config
    }

    fn bundle(&self, cx: &Context, wanted: BundleKind, out: &Staging) -> Result<Installer> {
        if self.is_own(wanted) {
            return self.own(cx, wanted, out);
        }
        let config = &self.release.config;
        let kind = self.asked_for(wanted);
        // A copy for each kind: the bundler writes the kind into the executable, and a failed run
        // leaves it so.
        let work = cx.cache("bundle")?.join(tauri::kind_name(wanted));
        staging::remove(&work)?;
        fs_err::create_dir_all(&work)?;
        let began = now_at(&work)?;
        let binaries = work.join("binaries");
        let mut merged = self.config(&binaries);
        if self.is_own_appimage(wanted) {
            self.for_appimage(&mut merged)?;
        }
        let signer = authenticode::signer(self.release);
        let call = signer.map(|it| it.call_for_bundler(config, &self.target, &work));
        let call = call.transpose()?;
        if let Some(call) = &call {
            let call = serde_json::json!({ "cmd": call.program, "args": call.args });
            merged["bundle"]["windows"]["signCommand"] = call;
        }
        let bundling = tauri::Bundling {
            cli: &config.bundle.cli,
            app: &config.app.dir,
            work: &work,
            kind,
            config: &merged,
            triple: (!self.target.is_host()).then_some(&*self.target.triple),
            signs: signer.is_some(),
        };
        self.lay_out(&bundling, &binaries)?;
        let host = match signer {
            Some(signer) => {
                let host = bundling.release().join(&self.code.output.host);
                Some(authenticode::stamp(signer, cx, &host, kind)?)
            }
            None => None,
        };
        let mut command = bundling.command()?;
        command.envs(call.into_iter().flat_map(|it| it.env));
        let finished = self.keeping_the_manifest(cx, command)?;
        let package = bundling.package(&all_output(&finished))?;
        let times = match kind {
            BundleKind::Deb => deb::normalize(&package, self.epoch, &self.links())?,
            _ => deb::Times::new(),
        };
        let name = package
            .file_name()
            .context("a package has a name")?
            .to_string_lossy();
        let packed = Packed {
            kind,
            package: &package,
            scratch: work.join("inside"),
            began,
            times,
            host,
        };
        let looked = self.look_inside(cx, &packed)?;
        looked.note(cx);
        if kind == BundleKind::App {
            return self.for_macos(cx, wanted, &package, looked, out);
        }
        if self.is_own_appimage(wanted) {
            return self.appimage(cx, &package, &work, out);
        }
        copy(&package, &out.file(&*name)?)?;
        Ok(Installer {
            certificate: None,
            file: name.into_owned(),
            kind: tauri::kind_name(kind),
            contents: looked.contents,
            gap: looked.gap,
        })
    }

    /// Lays all that is packed where the bundler takes it from.
    fn lay_out(&self, bundling: &tauri::Bundling, binaries: &Path) -> Result<()> {
        let code = &self.code.output;
        for name in std::iter::once(&code.host)
            .chain(&code.others)
            .chain(&code.libraries)
        {
            self.code.copy_to(name, &bundling.release().join(name))?;
        }
        for name in self.beside() {
            let into = binaries.join(self.target.external_bin(name));
            self.code.copy_to(&self.target.exe(name), &into)?;
        }
        self.copy_folders(bundling.kind, binaries)?;
        if self.has_hashes() {
            self.code.copy_to(HASHES, &binaries.join(HASHES))?;
        }
        Ok(())
    }

    /// Lays the sidecars that are folders where the bundler takes them from.
    fn copy_folders(&self, kind: BundleKind, binaries: &Path) -> Result<()> {
        for artifact in self.in_folders() {
            let into = binaries.join(&artifact.path);
            match &artifact.link {
                Some(target) => link_to(target, &into)?,
                None => self.code.copy_to(&artifact.path, &into)?,
            }
        }
        // Elsewhere links are kept, or made again.
        if matches!(kind, BundleKind::Rpm | BundleKind::Appimage) {
            let mut links = self.in_folders().filter(|it| it.link.is_some());
            let folder = links.find(|it| binaries.join(&it.path).is_dir());
            ensure!(
                folder.is_none(),
                "{} is a symbolic link to a folder; the bundler would leave it out of the {}\n\
                 hint: make it a folder, or leave `{1}` out of `bundle`",
                folder.map_or("", |it| &it.path),
                tauri::kind_name(kind)
            );
        }
        Ok(())
    }

    /// The symbolic links of the sidecars in a package for Debian.
    fn links(&self) -> deb::Links {
        let product = self.product();
        let link =
            |it: &Artifact| Some((format!("usr/lib/{product}/{}", it.path), it.link.clone()?));
        self.in_folders().filter_map(link).collect()
    }

    /// Tauri's command line rewrites the features in `Cargo.toml`, even when it only bundles. That
    /// would make the checkout dirty and the host stale.
    fn keeping_the_manifest(&self, cx: &Context, command: Command) -> Result<Finished> {
        let manifest = self.release.config.app.dir.join("Cargo.toml");
        let before = fs_err::read(&manifest)?;
        let finished = cx.exec(command).checked();
        if fs_err::read(&manifest)? != before {
            fs_err::write(&manifest, before)?;
        }
        finished
    }

    /// The files of the sidecars that are folders.
    fn in_folders(&self) -> impl Iterator<Item = &Artifact> {
        let is_inside = |path: &str| self.folders().any(|it| Path::new(path).starts_with(it));
        let all = self.code.artifacts.iter();
        all.filter(move |it| is_inside(&it.path))
    }

    /// The name of the product as the bundler has it.
    fn product(&self) -> &str {
        let tauri = &self.release.config.tauri;
        tauri.product_name.as_ref().unwrap_or(&tauri.cargo_binary)
    }

    /// A list of resources cannot be joined with a map, and the sidecars need a map: a list has no
    /// place to say where something goes.
    fn refuse_listed_resources(&self) -> Result<()> {
        let what = match self.folders().next() {
            _ if self.target.os == Os::Macos => return Ok(()),
            Some(_) => "a sidecar with the folder layout needs",
            None if self.has_hashes() => "`sign.sidecar-hashes` needs",
            None => return Ok(()),
        };
        for (file, config) in self.configurations()? {
            ensure!(
                !config["bundle"]["resources"].is_array(),
                "`bundle.resources` of {} is a list, but {what} it to be a map\n\
                 hint: write {{ \"path\": \"path\" }} for each entry",
                self.release.relative(&file)
            );
        }
        Ok(())
    }

    /// The Tauri configuration, and those of the platform that are merged over it.
    fn configurations(&self) -> Result<Vec<(PathBuf, serde_json::Value)>> {
        let tauri = &self.release.config.tauri;
        let dir = &self.release.config.app.dir;
        let platform = match self.target.os {
            Os::Linux => "linux",
            Os::Windows => "windows",
            Os::Macos => "macos",
        };
        let more = overlays(dir, platform);
        let files = std::iter::once(&tauri.file).chain(more.iter().filter(|it| it.is_file()));
        let read = |file: &PathBuf| Ok((file.clone(), config::tauri_value(file)?));
        files.map(read).collect()
    }

    /// Everything that the `bundle` sections of the Tauri configuration name and that exists:
    /// icons, resources, licences, templates, scripts, wherever they lie. Of a glob the folder
    /// before its first special character, and the rest of it.
    fn resources(&self) -> Result<Vec<(PathBuf, Option<String>)>> {
        let dir = &self.release.config.app.dir;
        let mut strings = Vec::new();
        for (_, config) in self.configurations()? {
            collect_strings(&config["bundle"], &mut strings);
        }
        let paths = strings.iter().map(|it| {
            let literal = it.split(['*', '?', '[']).next().unwrap_or_default();
            if literal == it {
                return (dir.join(it), None);
            }
            let folder = literal.rfind('/').map_or("", |end| &literal[..=end]);
            (dir.join(folder), Some(format!("/{}", &it[folder.len()..])))
        });
        // A bare word is a file of that name at most by chance; the app's own folder is none.
        Ok(paths
            .filter(|(path, glob)| (path != dir || glob.is_some()) && path.exists())
            .collect())
    }
}

/// The files that Tauri merges over its configuration on one platform, under all of their names.
fn overlays(dir: &Path, platform: &str) -> [PathBuf; 3] {
    [
        dir.join(format!("tauri.{platform}.conf.json")),
        dir.join(format!("tauri.{platform}.conf.json5")),
        dir.join(format!("Tauri.{platform}.toml")),
    ]
}

fn all_output(finished: &Finished) -> String {
    let stdout = String::from_utf8_lossy(&finished.stdout);
    format!("{stdout}\n{}", finished.printed.join("\n"))
}

fn collect_strings(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(list) => list.iter().for_each(|it| collect_strings(it, found)),
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                // A map of resources has the source as its key.
                found.push(key.clone());
                collect_strings(value, found);
            }
        }
        _ => {}
    }
}

impl Step for Bundle<'_> {
    const ID: &'static str = "bundle";
    const VERSION: u32 = 5;
    type Output = Installers;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let config = &self.release.config;
        let inputs = Inputs::new().file(&config.tauri.file);
        let mut inputs =
            authenticode::inputs(self.release, cx, apple::inputs(self.release, cx, inputs)?)?;
        match &config.bundle.cli {
            // The bundler's version stands in the lock file.
            TauriCli::NodeModule(dir) => {
                inputs = inputs.tool("node", cx.probe(&versions::node(dir))?.version);
                inputs = match &config.frontend {
                    Some(frontend) => inputs.file(&frontend.lock),
                    None => inputs.file(dir.join("package-lock.json")),
                };
            }
            TauriCli::Command(words) => {
                inputs = inputs.tool("tauri", cx.probe(&versions::tauri(words))?.version);
            }
        }
        inputs = self.own_inputs(cx, inputs)?;
        inputs = self.appimage_inputs(cx, inputs)?;
        // Without them nobody looks into a package: once they are there, somebody has to.
        for tool in self.kinds.iter().flat_map(|it| unpack::tools(*it)) {
            let name = tool.names[0];
            let found = match name {
                "rpm" => cx.probe(&versions::rpm()).ok().map(|it| it.version),
                _ => tool.find().map(|_| "found".to_owned()),
            };
            inputs = inputs.tool(name, found.unwrap_or_else(|| "none".to_owned()));
        }
        for platform in ["linux", "windows", "macos"] {
            let files = overlays(&config.app.dir, platform);
            inputs = files.into_iter().fold(inputs, Inputs::file);
        }
        for (path, glob) in self.resources()? {
            let name = self.release.relative(&path);
            inputs = match path.is_dir() {
                true => {
                    // Shipped as they are: whether git ignores them does not matter.
                    let mut tree = Tree::new(&path);
                    tree.ignored = true;
                    tree.only.extend(glob.clone());
                    let glob = glob.unwrap_or_default();
                    inputs.tree(&format!("{name}{glob}"), tree)
                }
                false => inputs.file(path),
            };
        }
        Ok(inputs)
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Installers> {
        let config = &self.release.config;
        if let (TauriCli::NodeModule(dir), Some(frontend)) = (&config.bundle.cli, &config.frontend)
            && node::tauri_cli(dir).is_err()
        {
            // The front end was reused on a machine that has not installed its packages yet.
            let folder = frontend.lock.parent().context("a lock file has a folder")?;
            cx.exec(node::install(frontend.package_manager, folder))
                .run()?;
        }
        self.refuse_listed_resources()?;
        self.refuse_gaps()?;
        let kinds = self.kinds.iter();
        let installers = kinds
            .map(|&kind| self.bundle(cx, kind, out))
            .collect::<Result<_>>()?;
        Ok(Installers { installers })
    }
}
