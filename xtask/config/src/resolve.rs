//! Fills in what the file leaves open by looking at the repository.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::Checked;
use super::document::Document;
use super::problem::{Place, Problem, Problems};
use super::tauri::{self, Host};
use super::types::*;
use super::{find, raw, sidecar, sign, value, web};

/// Where Tauri hosts are by convention.
const HOSTS: [&str; 4] = [
    "src-tauri",
    "*/src-tauri",
    "apps/*/src-tauri",
    "packages/*/src-tauri",
];

/// What is in the portable archive by convention.
const ARCHIVED: [&str; 3] = ["README*", "LICENSE*", "NOTICE*"];

/// A resolution in progress.
pub(super) struct Resolver<'a> {
    /// The repository.
    pub root: &'a Path,
    doc: &'a Document<'a>,
    /// Tables in which the file is wrong already: what follows from that is not reported.
    broken: &'a [String],
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Resolver<'_> {
    /// Notes a problem with the value of a key, such as `sidecar.0.dir`; an empty key is none of
    /// the file's.
    pub(super) fn problem(
        &mut self,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        let place = self.doc.find(key);
        let above = |broken: &String| {
            let rest = table.strip_prefix(broken.as_str());
            rest.is_some_and(|rest| rest.is_empty() || !broken.is_empty() && rest.starts_with('.'))
        };
        let follows = place.is_none() || self.broken.iter().any(above);
        if self.broken.is_empty() || !follows {
            self.problems.push(Problem {
                place,
                message: message.into(),
                help: help.into(),
            });
        }
    }

    /// The value, or a problem in a file of its own.
    pub(super) fn located<T>(&mut self, parsed: Result<T, (Place, String)>) -> Option<T> {
        let (place, message) = match parsed {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.problems.push(Problem {
            place: Some(place),
            message,
            help: String::new(),
        });
        None
    }

    /// The path as a message shows it.
    pub(super) fn shown(&self, path: &Path) -> String {
        find::shown(self.root, path)
    }

    /// A path of the file, which is relative to the repository.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        find::plain(&self.root.join(text))
    }

    /// A folder that must exist.
    pub(super) fn dir(&mut self, key: &str, text: &str) -> Option<PathBuf> {
        let dir = self.path(text);
        if dir.is_dir() {
            return Some(dir);
        }
        let what = if dir.exists() {
            "is not a folder"
        } else {
            "does not exist"
        };
        self.problem(key, format!("`{}` {what}", self.shown(&dir)), "");
        None
    }

    /// A file that must exist, relative to a folder.
    pub(super) fn file(&mut self, key: &str, dir: &Path, text: &str) -> Option<PathBuf> {
        let file = find::plain(&dir.join(text));
        if file.is_file() {
            return Some(file);
        }
        let what = if file.exists() {
            "is not a file"
        } else {
            "does not exist"
        };
        self.problem(key, format!("`{}` {what}", self.shown(&file)), "");
        None
    }

    /// A duration, which the check has approved.
    pub(super) fn duration(&self, text: &str) -> Duration {
        value::duration(text).unwrap_or_default()
    }
}

/// Completes a configuration.
pub(super) fn resolve(
    root: PathBuf,
    file: Option<PathBuf>,
    doc: &Document<'_>,
    checked: Checked,
) -> Result<Config, Problems> {
    let Checked {
        dist,
        problems,
        tables,
    } = checked;
    let mut cx = Resolver {
        root: &root,
        doc,
        broken: &tables,
        problems,
        warnings: Vec::new(),
    };
    if file.is_none() {
        cx.warnings.push(format!(
            "there is no {}: conventions decide everything",
            super::FILE
        ));
    }
    let parts = parts(&mut cx, dist);
    let Resolver {
        problems, warnings, ..
    } = cx;
    match parts {
        Some(config) if problems.is_empty() => Ok(Config {
            root,
            file,
            warnings,
            ..config
        }),
        _ => Err(Problems::new(problems)),
    }
}

/// Everything but the frame; `None` if there is a problem.
fn parts(cx: &mut Resolver<'_>, mut dist: raw::Dist) -> Option<Config> {
    if dist.release.targets.is_empty() {
        let jobs = dist.ci.target.iter();
        dist.release.targets = jobs.map(|it| it.name.clone()).collect();
    }
    let sign = sign::sign(cx, &dist);
    let archive = archive(cx, dist.archive);
    let sidecars = sidecar::sidecars(cx, dist.sidecar);
    let app_dir = app_dir(cx, dist.app.dir.as_deref())?;
    let host = tauri::host(cx, &app_dir)?;
    let product = product(cx, dist.product, &host);
    let frontend = web::frontend(cx, dist.frontend, &host, &app_dir)?;
    let cli = web::cli(cx, dist.bundle.cli.clone(), frontend.as_ref(), &app_dir);
    let release = release(cx, dist.release, frontend.as_ref());
    let bundle = bundle(cx, dist.bundle, cli);
    let sidecars = sidecars?;
    external(cx, &host, &sidecars);
    Some(Config {
        root: PathBuf::new(),
        file: None,
        product: product?,
        frontend,
        app: app(dist.app, app_dir, host.package),
        sidecars,
        bundle: bundle?,
        archive: archive?,
        sign: sign?,
        release: release?,
        updater: Updater {
            url: dist.updater.url,
            notes: dist.updater.notes.as_deref().map(|it| cx.path(it)),
        },
        limits: Limits {
            step_timeout: cx.duration(&dist.limits.step_timeout),
        },
        test: Test {
            window_title: dist.test.window_title,
            ready_line: dist.test.ready_line,
            ready_timeout: cx.duration(&dist.test.ready_timeout),
            layouts: dist.test.layouts,
            platforms: dist.test.platforms,
        },
        ci: ci(cx, dist.ci),
        tauri: host.conf,
        warnings: Vec::new(),
    })
}

fn app_dir(cx: &mut Resolver<'_>, given: Option<&str>) -> Option<PathBuf> {
    if let Some(given) = given {
        return cx.dir("app.dir", given);
    }
    let mut hosts: Vec<PathBuf> = HOSTS
        .iter()
        .flat_map(|pattern| find::matching(cx.root, pattern))
        .collect();
    hosts.retain(|dir| tauri::file_in(dir).is_some());
    match hosts.as_slice() {
        [one] => Some(one.clone()),
        [] => {
            let message = format!(
                "no Tauri host found: {} have no tauri.conf.json",
                HOSTS.join(", ")
            );
            cx.problem("app", message, "name its folder in `dir` of `[app]`");
            None
        }
        several => {
            let names: Vec<String> = several.iter().map(|dir| cx.shown(dir)).collect();
            let message = format!("several Tauri hosts: {}", names.join(", "));
            cx.problem("app", message, "name one in `dir` of `[app]`");
            None
        }
    }
}

fn app(raw: raw::App, dir: PathBuf, package: String) -> App {
    App {
        dir,
        package,
        profile: raw.profile,
        features: raw.features,
        cargo_args: raw.cargo_args,
        sources: Sources {
            inputs: raw.inputs,
            exclude: raw.exclude,
            env: raw.env,
        },
    }
}

fn ci(cx: &Resolver<'_>, raw: raw::Ci) -> Ci {
    let targets = raw.target.into_iter().map(|it| CiTarget {
        name: it.name,
        runner: it.runner,
        secrets: it.secrets,
    });
    Ci {
        targets: targets.collect(),
        checks: raw.checks,
        test_on: raw.test_on,
        branches: raw.branches,
        before: raw.before,
        rust: raw.rust,
        node: raw.node,
        python: raw.python,
        environment: raw.environment,
        publish_environment: raw.publish_environment,
        timeout: cx.duration(&raw.timeout),
    }
}

fn product(cx: &mut Resolver<'_>, raw: raw::Product, host: &Host) -> Option<Product> {
    let given = raw
        .version
        .and_then(|text| semver::Version::parse(&text).ok());
    let own = host.conf.version.as_ref().or(host.version.as_ref());
    if let (Some(given), Some(own)) = (&given, own)
        && given != own
    {
        cx.warnings.push(format!(
            "the release is {given}, but the app calls itself {own}"
        ));
    }
    let Some(version) = given.or(own.cloned()) else {
        let message = format!(
            "{} has no `version`, Cargo.toml neither",
            cx.shown(&host.conf.file)
        );
        cx.problem("product", message, "set `version` in one of them");
        return None;
    };
    let name = raw.name.or_else(|| host.conf.product_name.clone());
    Some(Product {
        name: name.unwrap_or_else(|| host.package.clone()),
        version,
        identifier: host.conf.identifier.clone(),
    })
}

fn bundle(cx: &mut Resolver<'_>, raw: raw::Bundle, cli: TauriCli) -> Option<Bundle> {
    let windows_installer = windows_installer(cx, raw.windows_installer, raw.nsis, raw.inno);
    let appimage = appimage(cx, raw.appimage);
    Some(Bundle {
        windows_installer: windows_installer?,
        appimage: appimage?,
        linux: raw.linux.into_iter().map(Into::into).collect(),
        windows: raw.windows.into_iter().map(Into::into).collect(),
        macos: raw.macos.into_iter().map(Into::into).collect(),
        cli,
    })
}

/// Whether the runtime is there is asked where an AppImage is made: no other machine needs it.
fn appimage(cx: &mut Resolver<'_>, raw: raw::Appimage) -> Option<Appimage> {
    if raw.runtime.is_none() && !raw.runtime_sha256.is_empty() {
        let message = "there is no `runtime` that it could be the hash of";
        cx.problem(
            "bundle.appimage.runtime-sha256",
            message.to_owned(),
            "name the file in `bundle.appimage.runtime`",
        );
        return None;
    }
    let hashes = raw.runtime_sha256.iter();
    Some(Appimage {
        runtime: raw.runtime,
        runtime_sha256: hashes.map(|it| it.to_lowercase()).collect(),
    })
}

fn windows_installer(
    cx: &mut Resolver<'_>,
    raw: raw::WindowsInstaller,
    nsis: raw::Nsis,
    inno: raw::Inno,
) -> Option<WindowsInstaller> {
    let root = cx.root.to_owned();
    let mut file = |key: &str, given: Option<String>, usual: Option<&str>| match given {
        Some(text) => cx.file(key, &root, &text).map(Some),
        None => Some(usual.map(|it| root.join(it)).filter(|it| it.is_file())),
    };
    let webview2 = file("bundle.windows-installer.webview2", raw.webview2, None);
    let nsi = Some("packaging/windows/installer.nsi");
    let nsis_template = file("bundle.nsis.template", nsis.template, nsi);
    let iss = Some("packaging/windows/installer.iss");
    let inno_template = file("bundle.inno.template", inno.template, iss);
    Some(WindowsInstaller {
        scope: raw.scope,
        shortcuts: raw.shortcuts,
        user_data: raw.user_data,
        webview2: webview2?,
        nsis_bundler: nsis.bundler,
        nsis_template: nsis_template?,
        inno_compiler: inno.compiler,
        inno_template: inno_template?,
    })
}

fn archive(cx: &mut Resolver<'_>, raw: raw::Archive) -> Option<Option<Archive>> {
    if !raw.enabled {
        return Some(None);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    match raw.files {
        None => {
            files.extend(
                ARCHIVED
                    .iter()
                    .flat_map(|pattern| find::matching(cx.root, pattern)),
            );
        }
        Some(patterns) => {
            for (index, pattern) in patterns.iter().enumerate() {
                let found = find::matching(cx.root, pattern);
                if !found.iter().any(|path| path.is_file()) {
                    let message = format!("no file matches `{pattern}`");
                    cx.problem(&format!("archive.files.{index}"), message, "");
                }
                files.extend(found);
            }
        }
    }
    files.retain(|path| path.is_file());
    files.sort();
    files.dedup();
    Some(Some(Archive { files }))
}

/// The folder of releases, apart from the frontend's output, which builds empty.
fn release(
    cx: &mut Resolver<'_>,
    raw: raw::Release,
    frontend: Option<&Frontend>,
) -> Option<ReleaseDir> {
    let raw::Release {
        dir: given,
        tag,
        targets,
    } = raw;
    let given = given.as_deref();
    let overlaps = |dir: &Path| {
        frontend.is_some_and(|web| dir.starts_with(&web.out) || web.out.starts_with(dir))
    };
    let dir = cx.path(given.unwrap_or("dist"));
    match given {
        None if overlaps(&dir) => Some(ReleaseDir {
            dir: cx.path("release"),
            tag,
            targets,
        }),
        Some(given) if overlaps(&dir) => {
            let message = format!("the frontend is built into `{given}` too");
            cx.problem(
                "release.dir",
                message,
                "releases need a folder of their own",
            );
            None
        }
        _ => Some(ReleaseDir { dir, tag, targets }),
    }
}

/// Warns of executables that Tauri expects and nothing provides.
fn external(cx: &mut Resolver<'_>, host: &Host, sidecars: &[Sidecar]) {
    for bin in &host.conf.external_bin {
        let name = bin
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let known = sidecars.iter().any(|sidecar| sidecar.name == name);
        let dir = bin.parent().unwrap_or(cx.root);
        if !known && find::matching(dir, &format!("{name}-*")).is_empty() {
            let file = cx.shown(&host.conf.file);
            let warning = format!(
                "{file} expects the executable `{}`, but no `[[sidecar]]` has the name `{name}`",
                cx.shown(bin)
            );
            cx.warnings.push(warning);
        }
    }
}
