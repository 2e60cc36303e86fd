//! `sign-code`: copies host and sidecars and signs the copies, where the target's executables
//! carry signatures. On Linux they do not: installers and archives are signed instead.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{app::Host, copy, sidecar::Frozen};
use crate::{
    engine::{
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Done, Step},
    },
    release::Release,
    target::{Os, Target},
};

/// All executables of the product.
#[derive(Serialize)]
pub struct SignCode {
    target: Target,
    app: Done<Host>,
    sidecars: Vec<Done<Frozen>>,
}

/// The executables as they are shipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// The main executable's file name in the stage folder.
    pub host: String,
    /// Further executables of the host's package.
    pub others: Vec<String>,
    /// The sidecars, whose executables lie beside the host.
    pub sidecars: Vec<Frozen>,
}

impl SignCode {
    /// The step over the built host and all frozen sidecars.
    pub fn new(release: &Release, app: Done<Host>, sidecars: Vec<Done<Frozen>>) -> Self {
        Self {
            target: release.target.clone(),
            app,
            sidecars,
        }
    }
}

impl Step for SignCode {
    const ID: &'static str = "sign-code";
    const VERSION: u32 = 1;
    type Output = Code;

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        Ok(Inputs::new())
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Code> {
        let host = &self.app.output;
        for name in std::iter::once(&host.main).chain(&host.others) {
            copy(&self.app.path(name), &out.file(name)?)?;
        }
        let mut sidecars = Vec::new();
        for sidecar in &self.sidecars {
            let executable = &sidecar.output.executable;
            copy(&sidecar.path(executable), &out.file(executable)?)?;
            sidecars.push(sidecar.output.clone());
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
        })
    }
}
