//! `app`: cargo builds the Tauri host as a production build.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{copy, frontend::Web, tree_without, with_sources};
use crate::{
    binary,
    engine::{
        files::Tree,
        fingerprint::Inputs,
        staging::Staging,
        step::{Context, Done, Step},
    },
    release::Release,
    target::{Os, Target},
    tools::{
        cargo,
        cross::{self, Std},
        lipo, versions,
    },
};

/// Variables that reach the compiler whatever the repository says.
const VARIABLES: [&str; 16] = [
    "RUSTFLAGS",
    "RUSTC*",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_*",
    "CARGO_PROFILE_*",
    "CARGO_TARGET_*",
    "CC*",
    "CFLAGS*",
    "CXX*",
    "AR*",
    "LDFLAGS*",
    "PKG_CONFIG*",
    "SDKROOT",
    "DEVELOPER_DIR",
    // Of a developer's console of Visual Studio.
    "VCTools*",
    "WindowsSDK*",
];

/// The host executable.
#[derive(Serialize)]
pub struct App<'r> {
    #[serde(skip)]
    release: &'r Release,
    dir: String,
    profile: String,
    features: Vec<String>,
    cargo_args: Vec<String>,
    main_binary: String,
    target: Target,
    minimum_macos: Option<String>,
    web: Option<Done<Web>>,
}

/// The built host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    /// The main executable's file name in the stage folder.
    pub main: String,
    /// Further executables of the package.
    pub others: Vec<String>,
    /// Libraries for Windows that must lie beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
}

impl<'r> App<'r> {
    /// The step; without a front end of its own the host embeds what `frontendDist` names.
    pub fn new(release: &'r Release, web: Option<Done<Web>>) -> Self {
        let app = &release.config.app;
        Self {
            release,
            dir: release.relative(&app.dir),
            profile: app.profile.clone(),
            features: app.features.clone(),
            cargo_args: app.cargo_args.clone(),
            main_binary: release.config.tauri.main_binary.clone(),
            minimum_macos: (release.target.os == Os::Macos)
                .then(|| release.config.tauri.minimum_macos.clone()),
            target: release.target.clone(),
            web,
        }
    }

    /// Merged over the app's own configuration by Tauri's build script (RFC 7396: null removes).
    /// Without `externalBin` neither must a sidecar exist yet nor does a new one rebuild the host.
    fn tauri_config(&self) -> Result<String> {
        let mut config = serde_json::json!({ "bundle": { "externalBin": null } });
        if let Some(web) = &self.web {
            // Relative, so that checkouts at different places configure alike.
            let dir = &self.release.config.app.dir;
            let dist = pathdiff(&web.folder, dir).unwrap_or_else(|| web.folder.clone());
            config["build"]["frontendDist"] = dist.to_string_lossy().replace('\\', "/").into();
        }
        Ok(serde_json::to_string(&config)?)
    }

    /// Builds for one architecture.
    fn command(&self, cx: &Context, target: &Target) -> Result<std::process::Command> {
        let profile = &self.profile;
        // Without a number cargo starts as many processes as the job server lets it.
        let jobs = cx.one_at_a_time().then_some(["--jobs", "1"]).into_iter();
        let jobs = jobs.flatten();
        let features = ["tauri/custom-protocol"].into_iter();
        let features = features
            .chain(self.features.iter().map(String::as_str))
            .collect::<Vec<_>>();
        let features = features.join(",");
        let foreign = match target.is_host() {
            true => vec![],
            false => vec!["--target", &target.triple],
        };
        let shell = cx.shell()?;
        // The feature makes it a production build: without it the window loads the dev server.
        let command = xshell::cmd!(
            shell,
            "cargo build --profile {profile} --locked --bins --features {features} {jobs...}
             --message-format json-render-diagnostics {foreign...}"
        );
        let mut command = std::process::Command::from(command.args(&self.cargo_args));
        command
            .current_dir(&self.release.config.app.dir)
            .env("TAURI_CONFIG", self.tauri_config()?);
        if let Some(oldest) = &self.minimum_macos {
            // As Tauri's own command does: else the host wants the macOS that it was linked on.
            command.env("MACOSX_DEPLOYMENT_TARGET", oldest);
        }
        if cross::linker(target).is_some() {
            Std::of(cx.probes(), &self.release.config.app.dir, &target.triple)?
                .add_to(&mut command);
        }
        Ok(command)
    }
}

impl Step for App<'_> {
    const ID: &'static str = "app";
    const VERSION: u32 = 3;
    type Output = Host;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let config = &self.release.config;
        let app = &config.app;
        let local = cargo::Local::of(&app.dir, &config.root)?;
        let mut inputs = Inputs::new()
            .tool(
                "cargo",
                cx.probe(&versions::rust("cargo", &app.dir))?.version,
            )
            .tool(
                "rustc",
                cx.probe(&versions::rust("rustc", &app.dir))?.version,
            )
            .variables(&VARIABLES.map(str::to_owned));
        for part in self.target.parts() {
            let Some(linker) = cross::linker(&part) else {
                inputs = native_linker(cx, inputs);
                continue;
            };
            let version = cx.probe(&cross::linker_version(&linker))?.version;
            let std = Std::of(cx.probes(), &app.dir, &part.triple)?;
            inputs = inputs.tool(&linker, version).tool("rust-std", std.name());
        }
        let schemas = app.dir.join("gen/schemas");
        for package in &local.packages {
            let mut without: Vec<_> = local.packages.iter().map(|it| &**it).collect();
            // Tauri's build script writes the one, the freezers' output may lie in the other.
            let binaries = app.dir.join("binaries");
            without.extend([&*schemas, &*binaries]);
            let tree = tree_without(self.release, package, &app.sources, &without);
            inputs = inputs.tree(&self.release.relative(package), tree);
        }
        for file in local.files {
            inputs = inputs.file(file);
        }
        if let (None, Some(dist)) = (&self.web, &config.tauri.frontend_dist) {
            // Embedded as it lies there, built by whatever built it.
            let mut tree = Tree::new(dist);
            tree.ignored = true;
            inputs = inputs.tree(&self.release.relative(dist), tree);
        }
        Ok(with_sources(inputs, self.release, &app.sources))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<Host> {
        let mut parts = Vec::new();
        for part in self.target.parts() {
            parts.push(self.build(cx, &part)?);
        }
        let mut host = Host {
            main: self.target.exe(&self.main_binary),
            others: Vec::new(),
            libraries: Vec::new(),
        };
        for name in parts[0].keys() {
            let into = out.file(self.target.exe(name))?;
            let built = parts.iter().filter_map(|it| it.get(name).cloned());
            let built: Vec<PathBuf> = built.collect();
            ensure!(
                built.len() == parts.len(),
                "{name} is not built for every architecture\n\
                 hint: look for what leaves it out of some in the Cargo.toml of the app"
            );
            match &built[..] {
                [only] if parts.len() == 1 => copy(only, &into)?,
                all => lipo::join(cx, all, &into)?,
            }
            if *name != self.main_binary {
                host.others.push(self.target.exe(name));
            }
            if self.target.os == Os::Windows {
                self.with_libraries(&parts[0][name], out, &mut host)?;
            }
        }
        binary::check(&out.file(&host.main)?, &self.target, "the host")?;
        Ok(host)
    }
}

/// What links for the host. A compiler may be missing: cargo says it better.
fn native_linker(cx: &Context, inputs: Inputs) -> Inputs {
    let version = |probe| match cx.probe(&probe) {
        Ok(found) => found.version,
        Err(_) => "none".to_owned(),
    };
    let inputs = inputs.tool("c compiler", version(versions::c_compiler()));
    if cfg!(target_os = "macos") {
        return inputs.tool("macOS SDK", version(versions::macos_sdk()));
    }
    inputs
}

impl App<'_> {
    /// Builds for one architecture: the executables by the names that they are shipped with.
    fn build(&self, cx: &Context, target: &Target) -> Result<BTreeMap<String, PathBuf>> {
        let built = cx
            .exec_sharing(self.command(cx, target)?)
            .stdout_is_data()
            .checked()?;
        let executables = cargo::executables(&built.stdout);
        let wanted = &self.release.config.tauri.cargo_binary;
        ensure!(
            executables.iter().any(|it| it.name == *wanted),
            "cargo built no executable `{wanted}`\n\
             hint: `mainBinaryName` of the Tauri configuration, or the package's name, decides it"
        );
        let shipped = executables.into_iter().map(|it| match it.name == *wanted {
            true => (self.main_binary.clone(), it.path),
            false => (it.name, it.path),
        });
        Ok(shipped.collect())
    }

    /// Adds the libraries that lie beside a built executable because it needs them.
    fn with_libraries(&self, built: &Path, out: &Staging, host: &mut Host) -> Result<()> {
        for library in cross::libraries(built)? {
            let name = library.file_name().unwrap_or_default().to_string_lossy();
            copy(&library, &out.file(&*name)?)?;
            if !host.libraries.iter().any(|it| *it == name) {
                host.libraries.push(name.into_owned());
            }
        }
        Ok(())
    }
}

/// `to` as seen from `from`; none if they have nothing in common.
fn pathdiff(to: &Path, from: &Path) -> Option<PathBuf> {
    let common = from
        .ancestors()
        .find(|it| to.starts_with(it) && it.parent().is_some())?;
    let up = from.strip_prefix(common).ok()?.components().map(|_| "..");
    Some(up.collect::<PathBuf>().join(to.strip_prefix(common).ok()?))
}
