//! What freezes a sidecar: a Python that can make environments and that C code can be compiled
//! for.

use std::path::Path;

use super::{Finding, Fix, Look, OLDEST_PYTHON, PythonNeed, package, short, version};
use crate::{
    config::Freezer,
    engine::probe::{Missing, Probed, Refused},
    tools::{
        packages::{Manager, Need, System},
        versions,
    },
};

/// One line: the version, and where Python's parts are or would be. Paths are printed even for
/// what is absent, so that looking there tells the truth as long as the answer is kept; a broken
/// module is an error, and errors are not kept.
const FACTS: &str = "\
import os, sys, sysconfig
paths = sysconfig.get_paths()
print('%d.%d.%d' % sys.version_info[:3],
      os.path.join(paths['stdlib'], 'ensurepip', '__init__.py'),
      os.path.join(paths['include'], 'Python.h'), sep='\\t')
sys.stdout.flush()
import venv, ensurepip
";

/// What a Python says of itself.
struct Facts {
    /// The name that it was called by.
    name: String,
    version: String,
    venv: bool,
    headers: bool,
    /// Whether the system's package manager installed it.
    of_system: bool,
}

/// The interpreter, and what comes in packages of its own on some systems.
pub(super) fn check(look: &Look, need: &PythonNeed) -> Vec<Finding> {
    let (facts, fits) = match find(look, need) {
        Ok(found) => found,
        Err(problem) => {
            let fix = everything(look, need);
            return vec![Finding::new(title(need), "sidecar").problem(problem, fix)];
        }
    };
    let interpreter = Finding::new(title(need), "sidecar").found(&facts.version);
    if !fits {
        return vec![interpreter.problem(unfit(need), by_hand(need))];
    }
    let mut findings = vec![interpreter];
    // uv makes environments by itself.
    if look.probes.find("uv").is_err() {
        let finding = Finding::new(format!("{} venv", title(need)), "sidecar");
        findings.push(match facts.venv {
            true => finding.found(&facts.version),
            false => finding.problem("missing", part(look.system, &facts, Need::PythonVenv)),
        });
    }
    if need.freezers.contains(&Freezer::Nuitka) {
        let finding = Finding::new(format!("{} headers", title(need)), "sidecar");
        findings.push(match facts.headers {
            true => finding.found(&facts.version),
            false => finding.problem("missing", part(look.system, &facts, Need::PythonHeaders)),
        });
    }
    findings
}

/// The interpreter that the sidecar step would take, and whether it fits; if none does, the last
/// that was found.
fn find(look: &Look, need: &PythonNeed) -> Result<(Facts, bool), String> {
    let plain = if cfg!(windows) { "python" } else { "python3" };
    let exact = need.wanted.map(|it| format!("python{it}"));
    let mut problem = "missing".to_owned();
    let mut unfit = None;
    for name in exact.into_iter().chain([plain.to_owned()]) {
        match ask(look, &name) {
            Ok(facts) if fits(need, &facts.version) => return Ok((facts, true)),
            Ok(facts) => unfit = Some(facts),
            Err(error) if error.is::<Missing>() => {}
            Err(error) => problem = format!("{error:#}"),
        }
    }
    unfit.map(|it| (it, false)).ok_or(problem)
}

fn ask(look: &Look, name: &str) -> anyhow::Result<Facts> {
    let mut probe = versions::python(name, &look.needs.root);
    probe.args = vec!["-c".into(), FACTS.into()];
    let (line, path, imports) = match look.probes.version(&probe) {
        Ok(Probed { path, version }) => (version, path, true),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(Refused { output, .. }) if output.contains('\t') => {
                let line = output.lines().next().unwrap_or_default().to_owned();
                (line, look.probes.find(name)?, false)
            }
            // The question is a whole program: too long to be shown.
            Some(Refused { output, .. }) => {
                let last = output.trim_end().lines().last().unwrap_or_default();
                anyhow::bail!("`{name}` failed: {last}")
            }
            None => return Err(error),
        },
    };
    let mut parts = line.split('\t');
    let version = parts.next().unwrap_or_default().to_owned();
    let mut exists = || parts.next().is_some_and(|it| Path::new(it).is_file());
    Ok(Facts {
        name: name.to_owned(),
        version,
        venv: exists() && imports,
        headers: exists(),
        of_system: path.starts_with("/usr/bin") || path.starts_with("/bin"),
    })
}

fn fits(need: &PythonNeed, found: &str) -> bool {
    match (need.wanted, version(found)) {
        (Some(wanted), Some(found)) => {
            (u64::from(wanted.major), u64::from(wanted.minor)) == (found.major, found.minor)
        }
        (None, Some(found)) => found >= OLDEST_PYTHON,
        (_, None) => false,
    }
}

fn title(need: &PythonNeed) -> String {
    let name = need.wanted.map(|it| format!("python{it}"));
    name.unwrap_or_else(|| "python3".to_owned())
}

fn unfit(need: &PythonNeed) -> String {
    match need.wanted {
        Some(wanted) => format!("{wanted} is wanted by dist.toml"),
        None => format!("too old: {} is needed", short(&OLDEST_PYTHON)),
    }
}

/// No package manager has every version of Python.
fn by_hand(need: &PythonNeed) -> Fix {
    Fix::ByHand(match need.wanted {
        Some(wanted) => format!("uv python install {wanted}, or pyenv install {wanted}"),
        None => format!(
            "install Python {} or newer: see python.org, or use pyenv",
            short(&OLDEST_PYTHON)
        ),
    })
}

/// All of Python, where there is none.
fn everything(look: &Look, need: &PythonNeed) -> Fix {
    let mut needs = vec![Need::Python, Need::PythonVenv];
    if need.freezers.contains(&Freezer::Nuitka) {
        needs.push(Need::PythonHeaders);
    }
    let names = needs.into_iter().filter_map(|it| match look.package(it) {
        Fix::Packages(names) => Some(names),
        Fix::ByHand(_) | Fix::Crate(..) | Fix::RustTarget(_) | Fix::Commands(..) => None,
    });
    let mut names: Vec<String> = names.flatten().collect();
    names.dedup();
    if names.is_empty() {
        by_hand(need)
    } else {
        Fix::Packages(names)
    }
}

/// A part of this very Python: Debian has `python3.12-venv` beside `python3-venv`.
fn part(system: &System, facts: &Facts, need: Need) -> Fix {
    let versioned = facts.name != "python3" && system.manager == Some(Manager::Apt);
    match package(system, need) {
        Fix::Packages(names) if facts.of_system && versioned => {
            let name = |it: String| it.replacen("python3", &facts.name, 1);
            Fix::Packages(names.into_iter().map(name).collect())
        }
        Fix::Packages(names) if facts.of_system => Fix::Packages(names),
        _ => {
            let version = &facts.version;
            Fix::ByHand(format!(
                "reinstall Python {version}: this one came without {need}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_belongs_to_its_python() {
        let check = |manager, name: &str, of_system, expected: &str| {
            let system = System {
                manager,
                sudo: false,
            };
            let facts = Facts {
                name: name.to_owned(),
                version: "3.12.4".to_owned(),
                venv: false,
                headers: false,
                of_system,
            };
            assert_eq!(
                part(&system, &facts, Need::PythonHeaders).to_string(),
                expected
            );
        };
        let (apt, dnf) = (Some(Manager::Apt), Some(Manager::Dnf));
        check(apt, "python3", true, "install python3-dev");
        check(apt, "python3.12", true, "install python3.12-dev");
        check(dnf, "python3.12", true, "install python3-devel");
        let by_hand = "reinstall Python 3.12.4: this one came without Python's C headers";
        check(apt, "python3.12", false, by_hand);
        check(None, "python3", true, by_hand);
    }
}
