//! Every freezer in every layout, side by side, and which one to take.
//!
//! The rules of the recommendation, each over what the one before left:
//!
//! 1. What could not be made, or was rejected by its trial, is out.
//! 2. What failed more launches than the best is out.
//! 3. What is ready later than `max-startup` is out, if anything is ready in time.
//! 4. What is ready, warm, more than a quarter and more than 0.1 s later than the quickest is out:
//!    less than a tenth of a second nobody notices.
//! 5. Of the rest the smallest wins, and between equals the order of the configuration.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;

use super::{failure::Failure, report::Report};
use crate::config::{Freezer, Layout};

/// How much longer a start may take and still count as equally quick.
const AS_QUICK: f64 = 1.25;
/// What nobody notices, in milliseconds: the limit up to which a reaction seems immediate (Miller 1968,
/// Card et al. 1991).
const UNNOTICED: f64 = 100.0;

/// All candidates of a sidecar.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// The sidecar's name.
    pub sidecar: String,
    /// The version of the release.
    pub version: String,
    /// The target triple.
    pub target: String,
    /// How many processes built at once.
    pub jobs: usize,
    /// `max-startup`, in seconds; none if there is none.
    pub max_startup: Option<f64>,
    /// In the order of the configuration, one file before the folder.
    pub candidates: Vec<Compared>,
    /// Which one to take, and why.
    pub recommendation: Option<Recommendation>,
}

/// One freezer in one layout.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compared {
    /// What made it.
    pub freezer: Freezer,
    /// Its version, as the lock pins it.
    pub freezer_version: Option<String>,
    /// How it lies on the disk.
    pub layout: Layout,
    /// How long the freezer took, in seconds, with a C cache that was empty at first.
    pub build_seconds: f64,
    /// How much of the C code came out of the C cache all the same; none if the freezer said nothing about one:
    /// PyInstaller has no C code, and Nuitka works without a cache, too.
    pub cached_c: Option<CachedC>,
    /// What its trial showed; none if it could not be made.
    pub trial: Option<Report>,
    /// Why it could not be made, or was rejected.
    pub failure: Option<Failure>,
}

/// C files that a freezer wanted compiled, by its own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CachedC {
    /// All of them.
    pub files: usize,
    /// Those that an earlier freeze had left in the C cache.
    pub hits: usize,
}

impl CachedC {
    /// What Nuitka's output says, of all its compilations: one file has a second one, of what
    /// unpacks it.
    pub fn of(output: &str) -> Option<Self> {
        let mut found = None;
        for line in output.lines() {
            let number = |after: &str| -> Option<usize> {
                let (_, rest) = line.split_once(after)?;
                rest.split_whitespace().next()?.parse().ok()
            };
            let of_ccache = line.contains("using ccache");
            if !of_ccache && !line.contains("using clcache") {
                continue;
            }
            let it: &mut Self = found.get_or_insert_default();
            it.files += number("Compiled ").unwrap_or_default();
            it.hits += match of_ccache {
                true => number("'cache hit': "),
                false => number(" with "),
            }
            .unwrap_or_default();
        }
        found
    }
}

/// A candidate to take.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recommendation {
    /// What makes it.
    pub freezer: Freezer,
    /// How it lies on the disk.
    pub layout: Layout,
    /// What each rule left out, and what decided in the end.
    pub reasons: Vec<String>,
}

impl Compared {
    fn name(&self) -> String {
        format!("{} {}", self.freezer.name(), self.layout.name())
    }

    fn failed_launches(&self) -> usize {
        self.trial
            .as_ref()
            .map_or(usize::MAX, |it| it.failed().count())
    }

    /// Median of the warm launches, in milliseconds.
    fn ready(&self) -> f64 {
        let startup = self.trial.as_ref().map(|it| &it.startup);
        startup
            .and_then(|it| it.median_ms.or(it.cold_ms))
            .unwrap_or(f64::INFINITY)
    }

    fn bytes(&self) -> u64 {
        self.trial.as_ref().map_or(u64::MAX, |it| it.bytes)
    }
}

/// Which of the candidates to take; none if none passed.
pub fn recommend(all: &[Compared], max_startup: Option<Duration>) -> Option<Recommendation> {
    let mut reasons = Vec::new();
    let mut left: Vec<&Compared> = all.iter().collect();
    let mut drop = |left: &mut Vec<&Compared>, stays: &dyn Fn(&Compared) -> bool, why: &str| {
        let (stay, out): (Vec<&Compared>, Vec<&Compared>) = left.iter().partition(|it| stays(it));
        if !stay.is_empty() || why == FAILED {
            let out: Vec<String> = out.iter().map(|it| it.name()).collect();
            if !out.is_empty() {
                reasons.push(format!("{}: {why}", out.join(", ")));
            }
            *left = stay;
        }
    };
    drop(&mut left, &|it| it.failure.is_none(), FAILED);
    let best = left.iter().map(|it| it.failed_launches()).min()?;
    drop(
        &mut left,
        &|it| it.failed_launches() == best,
        "failed more launches",
    );
    if let Some(limit) = max_startup {
        let limit = limit.as_secs_f64() * 1000.0;
        drop(
            &mut left,
            &|it| it.ready() <= limit,
            "ready later than max-startup",
        );
    }
    let quickest = left.iter().map(|it| it.ready()).min_by(f64::total_cmp)?;
    let latest = (quickest * AS_QUICK).max(quickest + UNNOTICED);
    let as_quick = |it: &Compared| it.ready() <= latest;
    drop(
        &mut left,
        &as_quick,
        "ready noticeably later than the quickest",
    );
    let chosen = left.iter().min_by_key(|it| it.bytes())?;
    reasons.push(match left.len() {
        1 => format!("{} is left", chosen.name()),
        _ => {
            let left: Vec<String> = left.iter().map(|it| it.name()).collect();
            format!("of {} the smallest is {}", left.join(", "), chosen.name())
        }
    });
    Some(Recommendation {
        freezer: chosen.freezer,
        layout: chosen.layout,
        reasons,
    })
}

const FAILED: &str = "could not be made, or failed its trial";

/// The head of the table, and which of its columns hold numbers.
pub const COLUMNS: [&str; 10] = [
    "freezer",
    "layout",
    "build, s",
    "C cache",
    "cold, ms",
    "warm, ms",
    "p95, ms",
    "memory, MiB",
    "size, MiB",
    "launches",
];

impl Comparison {
    /// The rows under [`COLUMNS`].
    pub fn rows(&self) -> Vec<Vec<String>> {
        self.candidates.iter().map(row).collect()
    }

    /// As a page: table, failures, recommendation, and what the figures mean.
    pub fn markdown(&self) -> String {
        let mut page = format!("# Freezers of {} {}\n\n", self.sidecar, self.version);
        let _ = writeln!(
            page,
            "Target {}, {} processes at once. Measured by `cargo xtask freeze compare`.\n",
            self.target, self.jobs
        );
        let _ = writeln!(page, "| {} |", COLUMNS.join(" | "));
        let rule: Vec<&str> = (0..COLUMNS.len())
            .map(|at| if at < 2 { "---" } else { "---:" })
            .collect();
        let _ = writeln!(page, "|{}|", rule.join("|"));
        for row in self.rows() {
            let _ = writeln!(page, "| {} |", row.join(" | "));
        }
        page.push_str(&self.failures());
        page.push_str(&self.advice());
        page.push_str(LEGEND);
        page
    }

    /// What went wrong, with the lines that show it.
    pub fn failures(&self) -> String {
        let failures = self.candidates.iter().filter_map(|it| it.failure.as_ref());
        failures.fold(String::new(), |mut text, it| {
            let _ = write!(text, "\n- {}", it.explained());
            text + "\n"
        })
    }

    /// What to take, as text.
    pub fn advice(&self) -> String {
        let Some(it) = &self.recommendation else {
            return "\nNothing passed: there is nothing to recommend.\n".to_owned();
        };
        let mut text = format!(
            "\nRecommended: `freezers = [\"{}\", …]`, `layout = \"{}\"`.\n\n",
            it.freezer.name(),
            it.layout.name()
        );
        for reason in &it.reasons {
            let _ = writeln!(text, "- {reason}");
        }
        text
    }
}

const LEGEND: &str = "
Each build began with a C cache of its own, and empty: C cache is how many of the C files were found there
all the same; a dash where none was asked. Cold is the first launch, with the
files dropped from the system's cache where it allows that; warm is the median of the others, p95 what
nineteen of twenty of them did not exceed; both to the line `READY`. Memory is the most that all processes
held at once. The rules of the recommendation stand in docs/freezing.md.
";

fn row(it: &Compared) -> Vec<String> {
    let none = || "-".to_owned();
    let ms = |value: Option<f64>| value.map_or_else(none, |it| format!("{it:.0}"));
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let mut cells = vec![
        it.freezer.name().to_owned(),
        it.layout.name().to_owned(),
        format!("{:.0}", it.build_seconds),
        it.cached_c
            .map_or_else(none, |it| format!("{}/{}", it.hits, it.files)),
    ];
    match &it.trial {
        Some(trial) => {
            let startup = &trial.startup;
            let passed = trial.launches.len() - trial.failed().count();
            cells.extend([
                ms(startup.cold_ms),
                ms(startup.median_ms),
                ms(startup.p95_ms),
                mib(startup.peak_memory),
                mib(trial.bytes),
                format!("{passed}/{}", trial.launches.len()),
            ]);
        }
        None => {
            cells.extend((4..COLUMNS.len() - 1).map(|_| none()));
            cells.push(
                it.failure
                    .as_ref()
                    .map_or_else(none, |it| it.class.words().to_owned()),
            );
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::freeze::{class::Class, startup::Startup};

    /// Freezer, layout, warm start in ms, size in MiB.
    type Given = (Freezer, Layout, f64, u64);

    fn compared((freezer, layout, median, mib): Given) -> Compared {
        let startup = Startup {
            cold_ms: Some(median * 2.0),
            median_ms: Some(median),
            p95_ms: Some(median * 1.5),
            peak_memory: 40 << 20,
            ..Startup::default()
        };
        Compared {
            freezer,
            freezer_version: None,
            layout,
            build_seconds: 60.0,
            cached_c: None,
            trial: Some(Report {
                launches: Vec::new(),
                rejected: false,
                startup,
                bytes: mib << 20,
                files: 1,
                kept: "kept".into(),
            }),
            failure: None,
        }
    }

    fn failed(mut it: Compared) -> Compared {
        it.trial = None;
        it.failure = Some(Failure {
            freezer: it.freezer,
            version: Some("4.3".to_owned()),
            layout: it.layout,
            class: Class::MissingTool,
            lines: vec!["no gcc on PATH".to_owned()],
        });
        it
    }

    fn check(candidates: Vec<Compared>, max_startup: Option<u64>, expect: Expect) {
        let max_startup = max_startup.map(Duration::from_millis);
        let comparison = Comparison {
            sidecar: "analyzer".to_owned(),
            version: "1.0.0".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            jobs: 2,
            max_startup: max_startup.map(|it| it.as_secs_f64()),
            recommendation: recommend(&candidates, max_startup),
            candidates,
        };
        expect.assert_eq(&(comparison.failures() + &comparison.advice()));
    }

    #[test]
    fn nuitka_counts_what_the_cache_spared() {
        let check = |output: &str, expected: Option<(usize, usize)>| {
            let found = CachedC::of(output).map(|it| (it.hits, it.files));
            assert_eq!(found, expected, "{output}");
        };
        check(
            "INFO: Building EXE\nNuitka: Running C compilation via Scons.",
            None,
        );
        let program = "Nuitka-Scons: Compiled 13 C files using ccache.
            Nuitka-Scons: Cached C files (using ccache) with result 'cache hit': 12
            Nuitka-Scons: Cached C files (using ccache) with result 'cache miss': 1\n";
        check(program, Some((12, 13)));
        let unpacks = "Nuitka-Scons: Compiled 2 C files using ccache.
            Nuitka-Scons: Cached C files (using ccache) with result 'cache miss': 2\n";
        check(&format!("{program}{unpacks}"), Some((12, 15)));
        let windows =
            "Nuitka-Scons: Compiled 9 C files using clcache with 4 cache hits and 5 cache misses.";
        check(windows, Some((4, 9)));
    }

    #[test]
    fn the_rules_decide_in_their_order() {
        use Freezer::{Nuitka, Pyinstaller};
        use Layout::{Folder, Onefile};
        // Equally quick: the smallest.
        let folders = [
            (Nuitka, Folder, 100.0, 40),
            (Pyinstaller, Folder, 120.0, 30),
        ];
        check(
            folders.map(compared).into(),
            None,
            expect![[r#"

                Recommended: `freezers = ["pyinstaller", …]`, `layout = "folder"`.

                - of nuitka folder, pyinstaller folder the smallest is pyinstaller folder
            "#]],
        );
        // Less than a tenth of a second is nothing, however often it is the other's.
        let quick = [(Nuitka, Onefile, 139.0, 9), (Nuitka, Folder, 51.0, 30)];
        check(
            quick.map(compared).into(),
            None,
            expect![[r#"

                Recommended: `freezers = ["nuitka", …]`, `layout = "onefile"`.

                - of nuitka onefile, nuitka folder the smallest is nuitka onefile
            "#]],
        );
        // A quarter more and a tenth of a second is.
        let all = [
            (Nuitka, Onefile, 900.0, 9),
            (Nuitka, Folder, 600.0, 40),
            (Pyinstaller, Onefile, 2700.0, 10),
            (Pyinstaller, Folder, 770.0, 30),
        ];
        check(
            all.map(compared).into(),
            None,
            expect![[r#"

                Recommended: `freezers = ["nuitka", …]`, `layout = "folder"`.

                - nuitka onefile, pyinstaller onefile, pyinstaller folder: ready noticeably later than the quickest
                - nuitka folder is left
            "#]],
        );
        // Too slow, all but one.
        check(
            all.map(compared).into(),
            Some(700),
            expect![[r#"

            Recommended: `freezers = ["nuitka", …]`, `layout = "folder"`.

            - nuitka onefile, pyinstaller onefile, pyinstaller folder: ready later than max-startup
            - nuitka folder is left
        "#]],
        );
        // A limit that nothing keeps decides nothing.
        check(
            all.map(compared).into(),
            Some(1),
            expect![[r#"

                Recommended: `freezers = ["nuitka", …]`, `layout = "folder"`.

                - nuitka onefile, pyinstaller onefile, pyinstaller folder: ready noticeably later than the quickest
                - nuitka folder is left
            "#]],
        );
        let mut broken: Vec<Compared> = all.map(compared).into();
        broken[1] = failed(compared(all[1]));
        check(
            broken,
            None,
            expect![[r#"

                - nuitka 4.3 (folder) failed: a tool is missing
                  no gcc on PATH

                Recommended: `freezers = ["nuitka", …]`, `layout = "onefile"`.

                - nuitka folder: could not be made, or failed its trial
                - pyinstaller onefile: ready noticeably later than the quickest
                - of nuitka onefile, pyinstaller folder the smallest is nuitka onefile
            "#]],
        );
        check(
            all.map(|it| failed(compared(it))).into(),
            None,
            expect![[r#"

                - nuitka 4.3 (onefile) failed: a tool is missing
                  no gcc on PATH

                - nuitka 4.3 (folder) failed: a tool is missing
                  no gcc on PATH

                - pyinstaller 4.3 (onefile) failed: a tool is missing
                  no gcc on PATH

                - pyinstaller 4.3 (folder) failed: a tool is missing
                  no gcc on PATH

                Nothing passed: there is nothing to recommend.
            "#]],
        );
    }
}
