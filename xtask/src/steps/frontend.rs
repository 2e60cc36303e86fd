//! `frontend`: installs the locked packages and runs the build script.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{copy_tree, tree_without, with_sources};
use crate::{
    config::{self, PackageManager},
    engine::{
        fingerprint::Inputs,
        staging::{self, Staging},
        step::{Context, Step},
    },
    release::Release,
    target::{Os, Target},
    tools::{git, node, versions},
};

/// The web front end, as static files.
#[derive(Serialize)]
pub struct Frontend<'r> {
    #[serde(skip)]
    release: &'r Release,
    #[serde(skip)]
    config: &'r config::Frontend,
    dir: String,
    package_manager: PackageManager,
    script: String,
    out: String,
    target: Target,
}

/// The stage folder holds the built files; this says nothing more of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Web {}

impl<'r> Frontend<'r> {
    /// The step for a configured front end.
    pub fn new(release: &'r Release, config: &'r config::Frontend) -> Self {
        Self {
            release,
            config,
            dir: release.relative(&config.dir),
            package_manager: config.package_manager,
            script: config.script.clone(),
            out: release.relative(&config.out),
            target: release.target.clone(),
        }
    }

    /// The variables that Tauri's own command line gives to a build script.
    fn variables(&self) -> [(&'static str, String); 5] {
        let target = &self.target;
        let family = if target.os == Os::Windows {
            "windows"
        } else {
            "unix"
        };
        [
            ("TAURI_ENV_PLATFORM", target.platform().to_owned()),
            ("TAURI_ENV_ARCH", target.arch().to_owned()),
            ("TAURI_ENV_FAMILY", family.to_owned()),
            ("TAURI_ENV_TARGET_TRIPLE", target.triple.clone()),
            ("TAURI_ENV_DEBUG", "false".to_owned()),
        ]
    }

    /// An asset of an older build must not ship. Only what git ignores is removed: that is what
    /// a build leaves, and nothing that anybody wrote by hand.
    fn clear_output(&self) -> Result<()> {
        let (root, out) = (&self.release.config.root, &self.config.out);
        let inside = out.starts_with(root) && !self.config.dir.starts_with(out);
        if inside && git::ignores(root, out)? {
            staging::remove(out)?;
        }
        Ok(())
    }
}

impl Step for Frontend<'_> {
    const ID: &'static str = "frontend";
    const VERSION: u32 = 1;
    type Output = Web;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let config = self.config;
        let all = &self.release.config;
        let workspace = config.lock.parent().context("a lock file has a folder")?;
        let mut without = vec![&*all.app.dir, &*config.out, &*all.release.dir];
        without.extend(all.sidecars.iter().map(|it| &*it.dir));
        let tree = tree_without(self.release, workspace, &config.sources, &without);
        let mut inputs = Inputs::new()
            .tree("frontend", tree)
            .file(&config.lock)
            .tool("node", cx.probe(&versions::node(&config.dir))?.version)
            .tool(
                self.package_manager.command(),
                cx.probe(&versions::package_manager(self.package_manager, workspace))?
                    .version,
            );
        // git ignores the local ones, yet bundlers read them.
        for name in [
            ".env",
            ".env.local",
            ".env.production",
            ".env.production.local",
        ] {
            inputs = inputs.file(config.dir.join(name));
        }
        Ok(with_sources(inputs, self.release, &config.sources))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Web> {
        let config = self.config;
        let workspace = config.lock.parent().context("a lock file has a folder")?;
        cx.exec(node::install(self.package_manager, workspace))
            .run()
            .with_context(|| not_installable(self.package_manager, &config.lock))?;
        self.clear_output()?;
        let mut build = node::run(self.package_manager, &config.dir, &self.script);
        build.envs(self.variables());
        cx.exec(build).run()?;
        check_output(&config.out, &self.script)?;
        copy_tree(&config.out, out.path())?;
        Ok(Web {})
    }
}

/// npm buries a lock that does not fit under its usage.
fn not_installable(manager: PackageManager, lock: &Path) -> String {
    let (lock, command) = (lock.display(), manager.command());
    format!(
        "the packages of {lock} cannot be installed\n\
         hint: if it does not fit package.json, run `{command} install` there and commit it"
    )
}

fn check_output(out: &Path, script: &str) -> Result<()> {
    let hint = "hint: `frontend.out` in packaging/dist.toml must name the folder that the script \
                fills; by default it is `build.frontendDist` of the Tauri configuration";
    if !out.is_dir() {
        bail!(
            "script `{script}` ended well but left no folder {}\n{hint}",
            out.display()
        );
    }
    let index = out.join("index.html");
    let size = fs_err::metadata(&index).map_or(0, |it| it.len());
    ensure!(
        size > 0,
        "script `{script}` ended well but {} is missing or empty\n{hint}",
        index.display()
    );
    Ok(())
}
