//! `sign-code`: copies host and sidecars and signs the copies, where the target's executables
//! carry signatures. On Linux they do not: installers and archives are signed instead.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{app::Host, copy, link_to, sidecar::Frozen, with_hint};
use crate::{
    binary,
    engine::{
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Done, Step},
    },
    release::Release,
    target::{Os, Target},
};

/// The folder, below that of the resources, which holds the sidecars that are folders themselves.
pub const FOLDERS: &str = "sidecars";

/// What to do about an executable that something else provides.
const HINT: &str = "nothing here builds it: build it anew, or take it out of `bundle.externalBin`";

/// All executables of the product.
#[derive(Serialize)]
pub struct SignCode {
    target: Target,
    app: Done<Host>,
    sidecars: Vec<Done<Program>>,
    /// Executables that something else built and the Tauri configuration names: name and file.
    external: Vec<(String, PathBuf)>,
}

/// The executables as they are shipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// The main executable's file name in the stage folder.
    pub host: String,
    /// Further executables of the host's package.
    pub others: Vec<String>,
    /// The sidecars, whose executables lie beside the host.
    pub sidecars: Vec<Program>,
    /// Names of further executables that are bundled like sidecars, made by something else.
    #[serde(default)]
    pub external: Vec<String>,
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

impl SignCode {
    /// The step over the built host and all frozen sidecars.
    pub fn new(release: &Release, app: Done<Host>, sidecars: &[Done<Frozen>]) -> Self {
        Self {
            target: release.target.clone(),
            app,
            sidecars: sidecars.iter().map(Program::of).collect(),
            external: external(release),
        }
    }
}

/// Copies a sidecar to where it will lie beside the host: one file next to it, a folder in
/// [`FOLDERS`].
fn add(sidecar: &Done<Program>, out: &Staging) -> Result<Program> {
    let place = |path: &str| match sidecar.output.folder {
        Some(_) => format!("{FOLDERS}/{path}"),
        None => path.to_owned(),
    };
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

/// What `externalBin` names besides the configured sidecars: name and file for the target, which may
/// be missing.
fn external(release: &Release) -> Vec<(String, PathBuf)> {
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

impl Step for SignCode {
    const ID: &'static str = "sign-code";
    const VERSION: u32 = 1;
    type Output = Code;

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        let files = self.external.iter().map(|(_, file)| file);
        Ok(files.fold(Inputs::new(), Inputs::file))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Code> {
        let host = &self.app.output;
        for name in std::iter::once(&host.main).chain(&host.others) {
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
        if self.target.os == Os::Linux {
            cx.fact(
                "signature",
                "none inside: ELF executables carry no signature",
            );
        }
        Ok(Code {
            host: host.main.clone(),
            others: host.others.clone(),
            sidecars,
            external: self.external.iter().map(|(name, _)| name.clone()).collect(),
        })
    }
}
