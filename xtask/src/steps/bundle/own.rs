//! Setup programs for Windows that Tauri's bundler does not make: by Inno Setup, and by NSIS where
//! Tauri's own NSIS cannot be had. What is packed is the folder that was built and signed, as it is.

mod look;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    super::set_time, Bundle, FOLDERS, Installer, authenticode, copy, resources::resources,
};
use crate::{
    config::{BundleKind, NsisBundler, Scope, Shortcut, UserData},
    engine::{
        event::Level,
        files::{hash_file, hex},
        fingerprint::Inputs,
        probe::Probe,
        staging::{self, Staging},
        step::Context,
    },
    release::Release,
    target::Os,
    tools::{
        setup::{FILES, Product, inno, nsis},
        tauri,
    },
};

/// What of the configuration decides these setup programs. Their scripts are inputs.
#[derive(Serialize)]
pub(super) struct Parameters {
    scope: Scope,
    shortcuts: Vec<Shortcut>,
    user_data: UserData,
    name: String,
    identifier: String,
    /// The scripts that are built in: they change with this program.
    built_in: String,
}

impl Parameters {
    /// None if there are no such setup programs.
    pub(super) fn of(release: &Release, kinds: &[BundleKind]) -> Option<Self> {
        let setup = &release.config.bundle.setup;
        if !kinds.iter().any(|it| is_own(release, *it)) {
            return None;
        }
        let product = &release.config.product;
        let built_in = [nsis::TEMPLATE, inno::TEMPLATE].concat();
        Some(Self {
            scope: setup.scope,
            shortcuts: setup.shortcuts.clone(),
            user_data: setup.user_data,
            name: product.name.clone(),
            identifier: product.identifier.clone(),
            built_in: hex(&Sha256::digest(built_in)),
        })
    }
}

fn is_own(release: &Release, kind: BundleKind) -> bool {
    let nsis = release.config.bundle.setup.nsis_by();
    match kind {
        BundleKind::Inno => true,
        BundleKind::Nsis => nsis == NsisBundler::Makensis,
        _ => false,
    }
}

/// A file that is installed.
struct Payload {
    /// Relative to where the app is installed, with `/`.
    path: String,
    sha256: String,
    /// Whether the manifest names it.
    is_program: bool,
}

/// The folder in which a setup program is made: its script, and what is installed in [`FILES`].
struct Work {
    folder: PathBuf,
    payload: Vec<Payload>,
    product: Product,
}

impl Bundle<'_> {
    /// Whether this kind is made here and not by Tauri's bundler.
    pub(super) fn is_own(&self, kind: BundleKind) -> bool {
        self.target.os == Os::Windows && is_own(self.release, kind)
    }

    /// What decides these setup programs, besides the fields.
    pub(super) fn own_inputs(&self, cx: &Context, inputs: Inputs) -> Result<Inputs> {
        let setup = &self.release.config.bundle.setup;
        let mut inputs = inputs;
        for kind in self.kinds.iter().filter(|it| self.is_own(**it)) {
            inputs = match kind {
                BundleKind::Inno => inputs
                    .tool("iscc", self.compiler()?.version()?)
                    .inputs_of(&setup.inno_template),
                _ => {
                    let version = Probe::new("makensis", ["-VERSION"]);
                    let version = cx.probe(&version).map_err(|_| no_makensis())?.version;
                    inputs
                        .tool("makensis", version)
                        .inputs_of(&setup.nsis_template)
                }
            };
            inputs = inputs.inputs_of(&setup.webview2);
        }
        Ok(inputs)
    }

    fn compiler(&self) -> Result<inno::Compiler> {
        let configured = self.release.config.bundle.setup.inno_compiler.as_deref();
        inno::Compiler::find(configured).with_context(no_iscc)
    }

    /// Makes a setup program.
    pub(super) fn own(&self, cx: &Context, kind: BundleKind, out: &Staging) -> Result<Installer> {
        let folder = cx.cache("bundle")?.join(tauri::kind_name(kind));
        staging::remove(&folder)?;
        fs_err::create_dir_all(&folder)?;
        let payload = self.payload(cx, kind, &folder.join(FILES))?;
        let product = self.describe(kind, &folder, &payload)?;
        product.check()?;
        if product.webview2.is_none() {
            cx.fact(
                "WebView2",
                "not packed: where it is missing, the installer opens its download page \
                 (`bundle.setup.webview2` packs what installs it)",
            );
        }
        let work = Work {
            folder,
            payload,
            product,
        };
        match kind {
            BundleKind::Inno => self.by_iscc(cx, &work)?,
            _ => self.by_makensis(cx, &work)?,
        }
        let package = work.folder.join(&work.product.out);
        ensure!(
            package.is_file(),
            "the script made no {}\nhint: it must say what the one built in says of the output's name",
            work.product.out
        );
        let looked = self.look_at_own(cx, kind, &package, &work)?;
        if let Some(gap) = &looked.gap {
            let hint = looked
                .hint
                .iter()
                .map(|it| format!("; to change that: {it}"));
            cx.note(Level::Warning, format!("{gap}{}", hint.collect::<String>()));
        }
        copy(&package, &out.file(&work.product.out)?)?;
        Ok(Installer {
            certificate: None,
            file: work.product.out,
            kind: tauri::kind_name(kind),
            contents: looked.contents,
            gap: looked.gap,
        })
    }

    /// Lays out what is installed.
    fn payload(&self, cx: &Context, kind: BundleKind, files: &Path) -> Result<Vec<Payload>> {
        let code = &self.code.output;
        let sidecars = code.sidecars.iter().map(|it| &it.executable);
        let programs: BTreeSet<String> = std::iter::once(code.host.clone())
            .chain(code.others.iter().cloned())
            .chain(sidecars.cloned())
            .chain(code.external.iter().map(|it| self.target.exe(it)))
            .collect();
        let mut paths = Vec::new();
        for artifact in &self.code.artifacts {
            let into = files.join(&artifact.path);
            match &artifact.link {
                // Windows needs a privilege for links: what one points to is as good in a copy.
                Some(_) => copy(
                    &fs_err::canonicalize(self.code.path(&artifact.path))?,
                    &into,
                )?,
                None => self.code.copy_to(&artifact.path, &into)?,
            }
            paths.push(artifact.path.clone());
        }
        self.stamp_host(cx, kind, &files.join(&code.host))?;
        let dir = &self.release.config.app.dir;
        for resource in resources(dir, &self.tauri_bundle()?["resources"])? {
            ensure!(
                !paths.contains(&resource.to),
                "`bundle.resources` would replace {}",
                resource.to
            );
            copy(&resource.from, &files.join(&resource.to))?;
            paths.push(resource.to);
        }
        paths.sort();
        let payload = paths.into_iter().map(|path| {
            let file = files.join(&path);
            // What would be the time of the build.
            set_time(&file, self.epoch)?;
            let sha256 = hex(&hash_file(&file)?);
            let is_program = programs.contains(&path);
            Ok(Payload {
                path,
                sha256,
                is_program,
            })
        });
        payload.collect()
    }

    /// Writes the kind of package into the host, as Tauri's bundler would: the app's updater reads it.
    fn stamp_host(&self, cx: &Context, kind: BundleKind, host: &Path) -> Result<()> {
        if let Some(signer) = authenticode::signer(self.release) {
            authenticode::stamp(signer, cx, host, kind)?;
        } else if let Some(stamped) = tauri::stamped(&fs_err::read(host)?, kind) {
            fs_err::write(host, stamped)?;
        }
        Ok(())
    }

    /// `bundle` of the Tauri configuration, with what the file for Windows says instead.
    fn tauri_bundle(&self) -> Result<serde_json::Value> {
        let mut merged = serde_json::Value::Null;
        for (_, config) in self.configurations()? {
            merge(&mut merged, &config["bundle"]);
        }
        Ok(merged)
    }

    /// What the script is told. Copies what it needs besides to beside it.
    fn describe(&self, kind: BundleKind, work: &Path, payload: &[Payload]) -> Result<Product> {
        let config = &self.release.config;
        let tauri = self.tauri_bundle()?;
        let text = |name: &str| tauri[name].as_str().map(str::to_owned);
        let identifier = &config.product.identifier;
        // As Tauri has it: of org.example.app the second part.
        let publisher = || {
            identifier
                .split('.')
                .nth(1)
                .unwrap_or(identifier)
                .to_owned()
        };
        let beside = |from: Option<PathBuf>, name: &str| -> Result<Option<String>> {
            let Some(from) = from else { return Ok(None) };
            copy(&from, &work.join(name))?;
            Ok(Some(name.to_owned()))
        };
        let icons = tauri["icon"].as_array().into_iter().flatten();
        let icon = icons
            .filter_map(|it| it.as_str())
            .find(|it| it.ends_with(".ico"));
        let license = text("licenseFile").map(|it| config.app.dir.join(it));
        let license_name = match license.as_ref().and_then(|it| it.extension()) {
            Some(it) if it.eq_ignore_ascii_case("rtf") => "license.rtf",
            _ => "license.txt",
        };
        let sizes = payload.iter().map(|it| {
            let metadata = fs_err::metadata(work.join(FILES).join(&it.path))?;
            Ok(metadata.len())
        });
        let size: u64 = sizes.collect::<Result<Vec<u64>>>()?.iter().sum();
        Ok(Product {
            name: config.product.name.clone(),
            identifier: identifier.clone(),
            version: config.product.version.clone(),
            publisher: text("publisher").unwrap_or_else(publisher),
            copyright: text("copyright").unwrap_or_default(),
            main: self.code.output.host.clone(),
            arch: self.target.arch().to_owned(),
            out: self.file_name(kind),
            files: payload.iter().map(|it| it.path.clone()).collect(),
            size: size.div_ceil(1024),
            sidecars: self.folders().next().map(|_| FOLDERS.to_owned()),
            icon: beside(icon.map(|it| config.app.dir.join(it)), "icon.ico")?,
            license: beside(license, license_name)?,
            webview2: beside(config.bundle.setup.webview2.clone(), "webview2.exe")?,
            scope: config.bundle.setup.scope,
            shortcuts: config.bundle.setup.shortcuts.clone(),
            user_data: config.bundle.setup.user_data,
        })
    }

    /// By NSIS as Tauri calls it: who downloads it need not know what made it.
    fn file_name(&self, kind: BundleKind) -> String {
        let arch = match self.target.arch() {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            "i686" => "x86",
            arch => arch,
        };
        let maker = match kind {
            BundleKind::Inno => "inno-",
            _ => "",
        };
        let product = &self.release.config.product;
        format!(
            "{}_{}_{arch}-{maker}setup.exe",
            product.name, product.version
        )
    }

    fn by_makensis(&self, cx: &Context, work: &Work) -> Result<()> {
        let makensis = nsis::find().ok_or_else(no_makensis)?;
        let config = &self.release.config;
        let signer = authenticode::signer(self.release);
        let call = signer.map(|it| it.call_for_bundler(config, &self.target, &work.folder));
        let call = call.transpose()?;
        let sign = call.as_ref().map(|it| nsis::SignCall {
            program: it.program.clone(),
            args: it.args.clone(),
        });
        let stub = nsis::stub(&makensis, &work.product.arch);
        let definitions = nsis::definitions(&work.product, stub, sign.as_ref())?;
        fs_err::write(work.folder.join(nsis::DEFINITIONS), definitions)?;
        let template = &config.bundle.setup.nsis_template;
        write_script(
            template.as_deref(),
            nsis::TEMPLATE,
            &work.folder.join(nsis::SCRIPT),
        )?;
        let mut command = nsis::command(&makensis, &work.folder, self.epoch);
        command.envs(call.into_iter().flat_map(|it| it.env));
        cx.exec(command).run()
    }

    /// Inno Setup lays the uninstaller beside the script, to be signed, and ends; the second time it
    /// packs that. So whoever signs need not be started by it, across wine or with a secret at hand.
    fn by_iscc(&self, cx: &Context, work: &Work) -> Result<()> {
        let compiler = self.compiler()?;
        let signer = authenticode::signer(self.release);
        let definitions = inno::definitions(&work.product, signer.is_some())?;
        fs_err::write(work.folder.join(inno::DEFINITIONS), definitions)?;
        let template = &self.release.config.bundle.setup.inno_template;
        write_script(
            template.as_deref(),
            inno::TEMPLATE,
            &work.folder.join(inno::SCRIPT),
        )?;
        if let Some(signer) = signer {
            cx.exec(compiler.command(&work.folder)).output()?;
            let uninstaller = inno::uninstaller(&work.folder)?.with_context(|| {
                format!(
                    "Inno Setup left no uninstaller to be signed\nhint: the script must say \
                     SignedUninstaller=yes and SignedUninstallerDir={}; else see {}",
                    inno::UNINSTALLER,
                    self.release.relative(&cx.log().path)
                )
            })?;
            signer.sign_anew(cx, &uninstaller)?;
        }
        cx.exec(compiler.command(&work.folder)).run()
    }
}

/// A project's own script, or the one built in.
fn write_script(own: Option<&Path>, built_in: &str, to: &Path) -> Result<()> {
    match own {
        Some(own) => copy(own, to),
        None => Ok(fs_err::write(to, built_in)?),
    }
}

/// RFC 7396: what is in `over` replaces what was there, null removes it, tables are joined.
fn merge(under: &mut serde_json::Value, over: &serde_json::Value) {
    let Some(over) = over.as_object() else {
        if !over.is_null() {
            *under = over.clone();
        }
        return;
    };
    if !under.is_object() {
        *under = serde_json::json!({});
    }
    for (key, value) in over {
        match value.is_null() {
            true => under[key] = serde_json::Value::Null,
            false => merge(&mut under[key], value),
        }
    }
}

fn no_makensis() -> anyhow::Error {
    anyhow::anyhow!(
        "there is no makensis, which makes the setup program by NSIS\n\
         hint: install NSIS (Debian: `apt-get install nsis`), or leave nsis out of `bundle.windows`"
    )
}

fn no_iscc() -> String {
    format!(
        "there is no ISCC.exe, Inno Setup's compiler\n\
         hint: {}, or leave inno out of `bundle.windows`",
        inno::how_to_get()
    )
}

/// Adds a file that there may be.
trait InputsOf {
    fn inputs_of(self, file: &Option<PathBuf>) -> Self;
}

impl InputsOf for Inputs {
    fn inputs_of(self, file: &Option<PathBuf>) -> Self {
        match file {
            Some(file) => self.file(file),
            None => self,
        }
    }
}
