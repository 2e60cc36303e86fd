//! What builds the frontend and the app.

use std::path::{Path, PathBuf};

use semver::Version;

use super::{Finding, Fix, Look, OLDEST_NODE, version};
use crate::{
    config::PackageManager,
    engine::probe::{Missing, Probe, Refused},
    target::{Os, Target},
    tools::{
        cross::{self, Std},
        msvc,
        packages::Need,
        versions,
    },
};

/// Node.js and the package manager.
pub(super) fn frontend(look: &Look) -> Vec<Finding> {
    let mut findings = Vec::new();
    if look.needs.node {
        findings.push(node(look));
    }
    if let Some((manager, dir)) = &look.needs.packages {
        let finding = Finding::new(manager.command(), "frontend");
        let probed = look
            .probes
            .version(&versions::package_manager(*manager, dir));
        findings.push(match probed {
            Ok(probed) => finding.found(probed.version),
            Err(error) => finding.unanswered(&error, || package_manager(look, *manager)),
        });
    }
    findings
}

fn node(look: &Look) -> Finding {
    let dir = look
        .needs
        .packages
        .as_ref()
        .map_or(&look.needs.root, |(_, dir)| dir);
    let finding = Finding::new("node", "frontend");
    match look.probes.version(&versions::node(dir)) {
        // A distribution's package would be just as old.
        Ok(probed) => finding.or_too_old(&probed.version, &oldest_node(dir), || {
            Fix::ByHand("install a newer Node.js: see nodejs.org, or use nvm, fnm or volta".into())
        }),
        Err(error) => finding.unanswered(&error, || look.package(Need::Node)),
    }
}

/// What `engines.node` of `package.json` asks for, if it is a plain `>=`; npm's other ranges name
/// no oldest version.
fn oldest_node(dir: &Path) -> Version {
    let text = std::fs::read_to_string(dir.join("package.json")).unwrap_or_default();
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let range = package["engines"]["node"].as_str().unwrap_or_default();
    let wanted = range
        .trim()
        .strip_prefix(">=")
        .and_then(|it| version(it.trim()));
    wanted.unwrap_or(OLDEST_NODE).max(OLDEST_NODE)
}

fn package_manager(look: &Look, manager: PackageManager) -> Fix {
    let name = manager.command();
    let corepack = || look.probes.find("corepack").is_ok();
    match manager {
        PackageManager::Npm => look.package(Need::Npm),
        PackageManager::Pnpm | PackageManager::Yarn if corepack() => {
            Fix::ByHand(format!("corepack enable {name}"))
        }
        _ => Fix::ByHand(format!("npm install -g {name}")),
    }
}

/// Rust, the C compiler, what Tauri links to and Tauri's command line.
pub(super) fn app(look: &Look) -> Vec<Finding> {
    let mut findings = vec![rust(look, "cargo"), rust(look, "rustc")];
    let parts = look.needs.target.parts();
    for part in parts.iter().filter(|it| !it.is_host()) {
        findings.push(standard_library(look, part));
        findings.extend(linker(look, part));
    }
    if cfg!(windows) {
        let msvc = parts.iter().filter(|it| it.triple.ends_with("-msvc"));
        findings.extend(msvc.map(|it| msvc_linker(look, it)));
    } else {
        findings.push(c_compiler(look));
    }
    if look.needs.target.is_universal() {
        let found = look.probes.find("lipo").ok();
        let found = found.map(|it| it.display().to_string());
        findings.push(
            Finding::new("lipo", "app, sidecar")
                .or_missing(found, || Fix::ByHand("xcode-select --install".into())),
        );
    }
    if look.needs.target.os == Os::Linux {
        findings.extend(webkit(look));
    }
    if let Some(program) = &look.needs.tauri {
        let found = look.probes.find(program).ok();
        let found = found.map(|it| it.display().to_string());
        findings.push(Finding::new(program, "bundle").or_missing(found, || {
            Fix::ByHand(match program.as_str() {
                "cargo-tauri" => "cargo install tauri-cli --version '^2' --locked".into(),
                other => format!("install {other}, or change `bundle.cli` in dist.toml"),
            })
        }));
    }
    findings
}

fn rust(look: &Look, program: &str) -> Finding {
    let finding = Finding::new(program, "app");
    let install = || Fix::ByHand("install Rust with rustup: see rustup.rs".into());
    let update = || match look.probes.find("rustup") {
        Ok(_) => Fix::ByHand("rustup update".into()),
        Err(_) => install(),
    };
    match look
        .probes
        .version(&versions::rust(program, &look.needs.app))
    {
        Ok(probed) => finding.or_too_old(&probed.version, &look.needs.rust, update),
        Err(error) => finding.unanswered(&error, install),
    }
}

/// Rust's standard library for a target that is not the host.
fn standard_library(look: &Look, target: &Target) -> Finding {
    let finding = Finding::new(format!("rust-std {}", target.triple), "app");
    let by_hand = || Fix::ByHand(format!("rustup target add {}", target.triple));
    let fix = || match look.probes.find("rustup") {
        Ok(_) => Fix::RustTarget(target.triple.clone()),
        // The compiler of a distribution: of its sources cargo builds it.
        Err(_) if cross::linker(target).is_some() => look.package(Need::RustSource),
        Err(_) => by_hand(),
    };
    match Std::of(look.probes, &look.needs.app, &target.triple) {
        Ok(std @ Std::Installed(_)) => finding.found(std.name()),
        Ok(std @ Std::FromSource(_)) if cross::linker(target).is_some() => {
            finding.found(std.name())
        }
        Ok(_) => finding.problem("missing", fix()),
        Err(error) => finding.unanswered(&error, by_hand),
    }
}

/// What links programs for Windows elsewhere, or those for another processor if somebody named it.
fn linker(look: &Look, target: &Target) -> Option<Finding> {
    let mingw = cross::linker(target);
    let named = std::env::var(target.linker_variable()).ok();
    let named = named.filter(|it| target.os == Os::Linux && !it.is_empty());
    if let Some(name) = named.filter(|_| mingw.is_none()) {
        let found = look.probes.find(&name).ok();
        let found = found.map(|it| it.display().to_string());
        let fix = || {
            let variable = target.linker_variable();
            Fix::ByHand(format!("install {name}, which {variable} names"))
        };
        return Some(Finding::new(&name, "app").or_missing(found, fix));
    }
    let name = mingw?;
    let finding = Finding::new(&name, "app");
    Some(match look.probes.version(&cross::linker_version(&name)) {
        Ok(probed) => finding.found(super::number(&probed.version).unwrap_or(&probed.version)),
        Err(error) => finding.unanswered(&error, || look.package(Need::Mingw)),
    })
}

/// Microsoft's linker, without which cargo fails at its very end.
fn msvc_linker(look: &Look, target: &Target) -> Finding {
    let found = msvc::linker(&target.triple);
    let found = found.map(|it| it.display().to_string());
    Finding::new("link.exe", "app").or_missing(found, || look.package(Need::CCompiler))
}

fn c_compiler(look: &Look) -> Finding {
    // What cargo links with. `CC` is the freezers' affair: without it the next freezer takes over.
    let probe = Probe::new("cc", ["--version"]);
    let finding = Finding::new(&probe.program, "app, sidecar");
    match look.probes.version(&probe) {
        Ok(probed) => finding.found(super::number(&probed.version).unwrap_or(&probed.version)),
        Err(error) => finding.unanswered(&error, || match cfg!(target_os = "macos") {
            true => Fix::ByHand("xcode-select --install".into()),
            false => look.package(Need::CCompiler),
        }),
    }
}

fn webkit(look: &Look) -> [Finding; 2] {
    let config = look.program("pkg-config", "app", Need::PkgConfig);
    let finding = Finding::new("webkit2gtk-4.1", "app");
    let mut probe = Probe::new("pkg-config", ["--modversion", "webkit2gtk-4.1"]);
    probe.watch = pkg_config_folders();
    probe.env = [
        "PKG_CONFIG_PATH",
        "PKG_CONFIG_LIBDIR",
        "PKG_CONFIG_SYSROOT_DIR",
    ]
    .map(str::to_owned)
    .into();
    let webkit = match look.probes.version(&probe) {
        Ok(probed) => finding.found(probed.version),
        Err(error) if error.is::<Missing>() => {
            finding.problem("unknown without pkg-config", look.package(Need::Webkit))
        }
        Err(_) => finding.problem("missing", look.package(Need::Webkit)),
    };
    [config, webkit]
}

/// Where packages put their `.pc` files: a folder changes when one comes or goes.
fn pkg_config_folders() -> Vec<PathBuf> {
    let arch = std::env::consts::ARCH;
    let mut folders: Vec<PathBuf> = std::env::var_os("PKG_CONFIG_PATH")
        .map(|it| std::env::split_paths(&it).collect())
        .unwrap_or_default();
    folders.extend(
        [
            &*format!("/usr/lib/{arch}-linux-gnu/pkgconfig"),
            "/usr/lib64/pkgconfig",
            "/usr/lib/pkgconfig",
            "/usr/share/pkgconfig",
            "/usr/local/lib/pkgconfig",
        ]
        .map(PathBuf::from),
    );
    folders
}

/// The `rust-version` of the host's package, which may stand in the workspace above it; else the
/// one that this program itself needs.
pub(super) fn rust_version(app: &Path, root: &Path) -> Version {
    let read = |dir: &Path| -> Option<toml::Table> {
        std::fs::read_to_string(dir.join("Cargo.toml"))
            .ok()?
            .parse()
            .ok()
    };
    let field = |table: &toml::Value| Some(table.get("rust-version")?.as_str()?.to_owned());
    let own = read(app).and_then(|it| field(it.get("package")?));
    let mut above = app.ancestors().take_while(|it| it.starts_with(root));
    let text = own
        .or_else(|| above.find_map(|dir| field(read(dir)?.get("workspace")?.get("package")?)))
        .unwrap_or_else(|| env!("CARGO_PKG_RUST_VERSION").to_owned());
    version(&text).unwrap_or(Version::new(1, 0, 0))
}

impl Finding {
    /// The program did not answer: it is not there, or it is broken.
    pub(super) fn unanswered(self, error: &anyhow::Error, fix: impl FnOnce() -> Fix) -> Self {
        let problem = match error.downcast_ref::<Refused>() {
            Some(refused) => refused.to_string(),
            None if error.is::<Missing>() => "missing".to_owned(),
            None => format!("{error:#}"),
        };
        self.problem(problem, fix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_version_of_package_workspace_or_this_program() {
        let check = |app: &str, workspace: &str, expected: Option<&str>| {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path().join("app");
            fs_err::create_dir(&dir).unwrap();
            fs_err::write(dir.join("Cargo.toml"), app).unwrap();
            fs_err::write(root.path().join("Cargo.toml"), workspace).unwrap();
            let expected = expected.unwrap_or(env!("CARGO_PKG_RUST_VERSION"));
            assert_eq!(rust_version(&dir, root.path()), version(expected).unwrap());
        };
        let workspace = "[workspace.package]\nrust-version = '1.80'";
        check(
            "[package]\nrust-version = '1.77.2'",
            workspace,
            Some("1.77.2"),
        );
        check(
            "[package]\nrust-version.workspace = true",
            workspace,
            Some("1.80"),
        );
        check("[package]\nname = 'a'", "", None);
        check("not TOML", "", None);
    }
}
