//! `sign-code`: copies host and sidecars and signs the copies, where the target's executables
//! carry signatures. On Linux they do not: installers and archives are signed instead.
//!
//! For Windows, every executable and library is signed that is not signed already, wherever it lies
//! in a sidecar's folder.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{app::Host, apple, authenticode, copy, link_to, sidecar::Frozen, with_hint};
use crate::{
    binary,
    engine::{
        event::Level,
        files::{hash_file, sha256_file},
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Done, Step},
    },
    release::Release,
    sign::{
        format::Format,
        macos::discover,
        order::{self, Unsigned},
    },
    target::{Os, Target},
};

/// The folder, below that of the resources, which holds the sidecars that are folders themselves.
pub const FOLDERS: &str = "sidecars";

/// What to do about an executable that something else provides.
const HINT: &str = "nothing here builds it: build it anew, or take it out of `bundle.externalBin`";

/// All executables of the product.
#[derive(Serialize)]
pub struct SignCode<'r> {
    #[serde(skip)]
    release: &'r Release,
    target: Target,
    app: Done<Host>,
    sidecars: Vec<Done<Program>>,
    /// Whether the hashes of the sidecars are shipped in a file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hashes: bool,
    /// Executables that something else built and the Tauri configuration names: name and file.
    external: Vec<(String, PathBuf)>,
    /// How it is signed for Windows; none if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticode: Option<authenticode::Policy>,
    /// How it is signed for macOS; none if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    apple: Option<apple::Policy>,
}

/// The executables as they are shipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// The main executable's file name in the stage folder.
    pub host: String,
    /// Further executables of the host's package.
    pub others: Vec<String>,
    /// Libraries for Windows that the host cannot be started without, beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    /// The sidecars, whose executables lie beside the host.
    pub sidecars: Vec<Program>,
    /// Names of further executables that are bundled like sidecars, made by something else.
    #[serde(default)]
    pub external: Vec<String>,
    /// Code for Windows or macOS whose bytes stayed as they were: others had signed it before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<String>,
}

/// A sidecar as it is shipped: nothing of how it came to be, so that a freezer that failed in another
/// way, with the same product of the other in the end, signs and packs nothing anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// Its name in the configuration.
    pub name: String,
    /// The executable in the stage folder.
    pub executable: String,
    /// The folder in the stage folder that it cannot do without; none if it is one file.
    #[serde(default)]
    pub folder: Option<String>,
}

impl Program {
    fn of(frozen: &Done<Frozen>) -> Done<Self> {
        let it = &frozen.output;
        Done {
            step: frozen.step.clone(),
            artifacts: frozen.artifacts.clone(),
            output: Self {
                name: it.name.clone(),
                executable: it.executable.clone(),
                folder: it.folder.clone(),
            },
            folder: frozen.folder.clone(),
        }
    }
}

impl<'r> SignCode<'r> {
    /// The step over the built host and all frozen sidecars.
    pub fn new(release: &'r Release, app: Done<Host>, sidecars: &[Done<Frozen>]) -> Self {
        Self {
            release,
            target: release.target.clone(),
            app,
            sidecars: sidecars.iter().map(Program::of).collect(),
            hashes: release.config.sign.sidecar_hashes,
            external: external(release),
            authenticode: authenticode::Policy::of(release),
            apple: apple::Policy::of(release),
        }
    }
}

impl SignCode<'_> {
    /// What the sidecars are before anybody signs them.
    fn unsigned(&self, out: &Staging) -> Result<Vec<Unsigned>> {
        let mut unsigned = Vec::new();
        for sidecar in &self.sidecars {
            let files = sidecar.artifacts.iter().filter(|it| it.link.is_none());
            for artifact in files {
                let path = place(&sidecar.output, &artifact.path);
                unsigned.push(Unsigned::new(&path, &artifact.sha256)?);
            }
        }
        let external = self.external.iter().map(|it| self.target.exe(&it.0));
        for name in external.chain(self.app.output.libraries.iter().cloned()) {
            let hash = sha256_file(&out.file(&name)?)?;
            unsigned.push(Unsigned::new(&name, &hash)?);
        }
        Ok(unsigned)
    }

    /// Nobody may have taken a hash too early; the right ones are written down.
    fn check_order(&self, cx: &Context, out: &Staging, unsigned: &[Unsigned]) -> Result<()> {
        let host = &self.app.output;
        let hosts: Vec<String> = std::iter::once(&host.main)
            .chain(&host.others)
            .cloned()
            .collect();
        for warning in order::check(out.path(), &hosts, unsigned)? {
            cx.note(Level::Warning, warning);
        }
        if self.hashes {
            order::write(out.path(), unsigned.iter().map(|it| it.path.clone()))?;
        }
        Ok(())
    }
}

/// The code among the sidecars that nobody changed since it was built or fetched.
fn left_alone(target: &Target, out: &Staging, before: &[Unsigned]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in before.iter().filter(|_| target.os != Os::Linux) {
        let at = out.file(&file.path)?;
        let format = Format::of(&at)?;
        if (format.is_windows() || format.is_apple()) && file.is_still(&hash_file(&at)?) {
            found.push(file.path.clone());
        }
    }
    found.sort();
    Ok(found)
}

/// Where a file of a sidecar lies beside the host: one file next to it, a folder in [`FOLDERS`].
fn place(sidecar: &Program, path: &str) -> String {
    match sidecar.folder {
        Some(_) => format!("{FOLDERS}/{path}"),
        None => path.to_owned(),
    }
}

/// Copies a sidecar to where it will lie beside the host: one file next to it, a folder in
/// [`FOLDERS`].
fn add(sidecar: &Done<Program>, out: &Staging) -> Result<Program> {
    let place = |path: &str| place(&sidecar.output, path);
    let mut program = sidecar.output.clone();
    program.executable = place(&program.executable);
    program.folder = program.folder.as_deref().map(place);
    ensure!(
        !out.file(&program.executable)?.exists(),
        "sidecar {} has the name of another executable: one would replace the other",
        program.name
    );
    for artifact in &sidecar.artifacts {
        let into = out.file(place(&artifact.path))?;
        match &artifact.link {
            Some(target) => link_to(target, &into)?,
            None => sidecar.copy_to(&artifact.path, &into)?,
        }
    }
    Ok(program)
}

/// All code for macOS below a folder, in the order of its paths, libraries before what loads them.
fn code_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && discover::is_code(&entry.path())? {
                found.push(entry.path());
            }
        }
    }
    let depth = |it: &PathBuf| it.components().count();
    found.sort_by(|a, b| depth(b).cmp(&depth(a)).then_with(|| a.cmp(b)));
    Ok(found)
}

/// What `externalBin` names besides the configured sidecars: name and file for the target, which may
/// be missing.
pub(crate) fn external(release: &Release) -> Vec<(String, PathBuf)> {
    let config = &release.config;
    let mut found = Vec::new();
    for path in &config.tauri.external_bin {
        let Some(name) = path.file_name().map(|it| it.to_string_lossy().into_owned()) else {
            continue;
        };
        let file = path.with_file_name(release.target.external_bin(&name));
        if !config.sidecars.iter().any(|it| it.name == name) {
            found.push((name, file));
        }
    }
    found
}

impl Step for SignCode<'_> {
    const ID: &'static str = "sign-code";
    const VERSION: u32 = 1;
    type Output = Code;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let files = self.external.iter().map(|(_, file)| file);
        let inputs = files.fold(Inputs::new(), Inputs::file);
        let inputs = apple::inputs(self.release, cx, inputs)?;
        authenticode::inputs(self.release, cx, inputs)
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Code> {
        let host = &self.app.output;
        for name in std::iter::once(&host.main)
            .chain(&host.others)
            .chain(&host.libraries)
        {
            self.app.copy_to(name, &out.file(name)?)?;
        }
        let mut sidecars = Vec::new();
        for sidecar in &self.sidecars {
            sidecars.push(add(sidecar, out)?);
        }
        for (name, source) in &self.external {
            // The bundler looks for it among the copies alone, and so would never miss it.
            ensure!(
                source.is_file(),
                "externalBin {name} is not there: {}\n\
                 hint: build it for {}, or take it out of `bundle.externalBin`",
                source.display(),
                self.target.triple
            );
            let what = format!("externalBin {name}");
            binary::check(source, &self.target, &what).map_err(|it| with_hint(it, HINT))?;
            copy(source, &out.file(self.target.exe(name))?)?;
        }
        let unsigned = self.unsigned(out)?;
        if self.target.os == Os::Linux {
            cx.fact(
                "signature",
                "none inside: ELF executables carry no signature",
            );
        }
        if let Some(signer) = authenticode::signer(self.release) {
            authenticode::sign_all(signer, self.authenticode.as_ref(), cx, out)?;
        }
        if self.apple.is_some() {
            apple::sign(self.release, cx, &code_in(out.path())?, &sidecars)?;
        }
        self.check_order(cx, out, &unsigned)?;
        Ok(Code {
            left_alone: left_alone(&self.target, out, &unsigned)?,
            host: host.main.clone(),
            others: host.others.clone(),
            libraries: host.libraries.clone(),
            sidecars,
            external: self.external.iter().map(|(name, _)| name.clone()).collect(),
        })
    }
}
