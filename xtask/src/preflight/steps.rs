//! What of the pipeline this machine can do for a target, and who does the rest.

use super::{Finding, Fix, doctor};
use crate::{
    ci::Maker,
    config::{BundleKind, Config},
    pipeline,
    steps::sidecars,
    target::Target,
    tools::{packages::System, tauri},
};

/// A step of the pipeline, or for `bundle` a kind of installer: whether it can be done here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ability {
    /// `app`, `sidecar:analyzer`, `bundle:msi`.
    pub step: String,
    /// Whether this machine does it as it stands.
    pub here: bool,
    /// If not, why, in a line; else what there is to say.
    pub why: Option<String>,
    /// What to type where something is only missing.
    pub fix: Option<String>,
    /// Who does it instead, where no installation helps here.
    pub elsewhere: Option<Maker>,
}

/// All steps that the pipeline has for this configuration and target, in their order. `findings` are
/// those of [`super::check`].
pub fn abilities(
    config: &Config,
    target: &Target,
    findings: &[Finding],
    system: &System,
) -> Vec<Ability> {
    let look = Look {
        target,
        maker: Maker::of(config, target),
        findings,
        system,
    };
    let mut all = Vec::new();
    for step in pipeline::steps(config, target.os) {
        match step.as_str() {
            "bundle" => {
                let kinds = target.bundles(&config.bundle);
                all.extend(kinds.into_iter().map(|it| look.bundle(it)));
            }
            "app" => all.push(look.app()),
            step if step.starts_with("sidecar:") => {
                let elsewhere = sidecars::elsewhere(target);
                all.push(look.ability(step, "sidecar", elsewhere));
            }
            "frontend" => all.push(look.ability("frontend", "frontend", None)),
            "sign-code" | "notarize" | "sign-installers" => {
                all.push(look.ability(&step, "sign", None));
            }
            _ => all.push(look.ability(&step, &step, None)),
        }
    }
    all
}

struct Look<'a> {
    target: &'a Target,
    maker: Maker,
    findings: &'a [Finding],
    system: &'a System,
}

impl Look<'_> {
    fn app(&self) -> Ability {
        let machines = self.target.machines();
        let elsewhere = (!self.target.builds_here())
            .then(|| format!("programs for {machines} are linked on {machines}"));
        self.ability("app", "app", elsewhere)
    }

    fn bundle(&self, kind: BundleKind) -> Ability {
        let name = tauri::kind_name(kind);
        let elsewhere = match self.target.bundles_here(kind) {
            Err(why) => Some(why),
            Ok(()) if self.target.builds_here() => None,
            Ok(()) => Some(format!("{name} is made on {}", self.target.machines())),
        };
        self.ability(&format!("bundle:{name}"), "bundle", elsewhere)
    }

    /// A step for which tools were looked for under this name. `elsewhere` says why no tool helps.
    fn ability(&self, step: &str, wanted_for: &str, elsewhere: Option<String>) -> Ability {
        let step = step.to_owned();
        // A run starts with none of them if it cannot do all.
        let without_app = || {
            let builds = self.target.builds_here();
            (!builds).then(|| "not without app".to_owned())
        };
        let elsewhere = elsewhere.or_else(without_app);
        if let Some(why) = elsewhere {
            return Ability {
                step,
                here: false,
                why: Some(why),
                fix: None,
                elsewhere: Some(self.maker.clone()),
            };
        }
        let is_for = |it: &&Finding| it.wanted_for.split(", ").any(|it| it == wanted_for);
        let missing = self.findings.iter().filter(|it| it.problem.is_some());
        let missing: Vec<&Finding> = missing.filter(is_for).collect();
        let named = missing.iter().map(|it| {
            let problem = it.problem.as_deref().unwrap_or_default();
            format!("{}: {problem}", it.tool)
        });
        let named: Vec<String> = named.collect();
        Ability {
            here: missing.is_empty(),
            why: match named.is_empty() {
                true => None,
                false => Some(named.join("; ")),
            },
            fix: self.fix(&missing),
            elsewhere: None,
            step,
        }
    }

    /// The commands that help, as one line.
    fn fix(&self, missing: &[&Finding]) -> Option<String> {
        let fixes = || missing.iter().filter_map(|it| it.fix.as_ref());
        let mut lines: Vec<String> = doctor::line(&doctor::install(self.system, fixes()))
            .into_iter()
            .collect();
        let by_hand = fixes().filter_map(|it| match it {
            Fix::ByHand(text) => Some(text.clone()),
            _ => None,
        });
        lines.extend(by_hand);
        lines.dedup();
        Some(lines.join("; ")).filter(|it| !it.is_empty())
    }
}

/// One line each.
pub fn abilities_table(abilities: &[Ability]) -> String {
    let rows = abilities.iter().map(|it| {
        let here = match (it.here, &it.elsewhere) {
            (true, _) => "yes".to_owned(),
            (false, Some(Maker::Job(runner))) => format!("no: the job on {runner}"),
            (false, Some(maker)) => format!("no: {maker}"),
            (false, None) => "not yet".to_owned(),
        };
        vec![
            it.step.clone(),
            here,
            it.why.clone().unwrap_or_default(),
            it.fix.clone().unwrap_or_default(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    crate::report::table(&["step", "here", "why", "fix"], &rows)
}
