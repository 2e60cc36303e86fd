//! The other freezers and layouts of the sidecars: each in an installer of its own, with the same
//! host.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::{Tests, app, end_to_end::dist, scratch::Scratch};
use crate::{
    config::{Freezer, Layout},
    engine::{event::Level, step::Context},
};

/// What the steps left that no sidecar has a say in.
const SHARED: [&str; 2] = ["frontend", "app"];

/// Enough to see that it works; the configured one has proven more.
const LAUNCHES: i64 = 2;

/// How the sidecars are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    freezer: Freezer,
    layout: Layout,
}

/// What the app is installed and started with, besides what is configured: every freezer and every
/// layout with `full`, else only what is frozen in seconds.
pub(super) fn all(tests: &Tests) -> Vec<Variant> {
    let config = &tests.repository.config;
    let usual = |freezer: Freezer, layout: Layout| {
        let mut sidecars = config.sidecars.iter();
        sidecars.all(|it| it.freezers.first() == Some(&freezer) && it.layout == layout)
    };
    let mut variants = Vec::new();
    for sidecar in &config.sidecars {
        for &freezer in &sidecar.freezers {
            for &layout in &config.test.layouts {
                let quick = freezer == Freezer::Pyinstaller && layout != sidecar.layout;
                let variant = Variant { freezer, layout };
                if !usual(freezer, layout) && (tests.full || quick) && !variants.contains(&variant)
                {
                    variants.push(variant);
                }
            }
        }
    }
    variants
}

impl Variant {
    fn name(self) -> String {
        format!("{}-{}", self.freezer.name(), self.layout.name())
    }

    /// Makes the installer, installs it, and sees the app work. Gives what was seen, a line each.
    pub(super) fn run(self, tests: &Tests, scratch: &Scratch, cx: &Context) -> Result<Vec<String>> {
        let config = &tests.repository.config;
        let text = match &config.file {
            Some(file) => fs_err::read_to_string(file)?,
            None => String::new(),
        };
        let other = scratch.another(cx, &self.name(), &self.configuration(&text)?, &SHARED)?;
        let course = dist(&other, cx, &["--until=bundle".to_owned()])?;
        let mut seen = vec![format!("{}: {}", self.name(), course.text())];
        let Some(package) = package(&other)? else {
            cx.note(Level::Warning, "no Debian package: the app was not started");
            return Ok(seen);
        };
        let installed = app::install(tests, cx, &package)?;
        seen.push(format!("{}: {}", self.name(), installed.how));
        let more = app::try_out(tests, cx, &installed.program)?;
        seen.extend(more.iter().map(|it| format!("{}: {it}", self.name())));
        Ok(seen)
    }

    /// The configuration with this freezer and no other for each sidecar.
    fn configuration(self, text: &str) -> Result<String> {
        let mut config: toml::Table = text.parse()?;
        let sidecars = config.get_mut("sidecar").and_then(|it| it.as_array_mut());
        for sidecar in sidecars.into_iter().flatten() {
            let sidecar = sidecar.as_table_mut().context("a sidecar is a table")?;
            sidecar.insert("freezers".to_owned(), vec![self.freezer.name()].into());
            sidecar.insert("layout".to_owned(), self.layout.name().into());
            let trial = sidecar
                .entry("trial")
                .or_insert_with(|| toml::Table::new().into());
            let trial = trial.as_table_mut().context("`trial` is a table")?;
            trial.insert("launches".to_owned(), LAUNCHES.into());
        }
        Ok(toml::to_string(&config)?)
    }
}

/// The Debian package that the bundler left.
fn package(scratch: &Scratch) -> Result<Option<PathBuf>> {
    let stage = scratch.state().join("stages/bundle");
    let mut files = fs_err::read_dir(stage)?.flatten().map(|it| it.path());
    Ok(files.find(|it| it.extension().is_some_and(|it| it == "deb")))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_variant_changes_the_sidecars_only() {
        let variant = Variant {
            freezer: Freezer::Pyinstaller,
            layout: Layout::Folder,
        };
        let text = "[product]\nname = \"App\"\n[[sidecar]]\nname = \"a\"\n[sidecar.trial]\nmax-failures = \"5%\"\n[[sidecar]]\nname = \"b\"\nlayout = \"onefile\"\n";
        expect![[r#"
            [product]
            name = "App"

            [[sidecar]]
            freezers = ["pyinstaller"]
            layout = "folder"
            name = "a"

            [sidecar.trial]
            launches = 2
            max-failures = "5%"

            [[sidecar]]
            freezers = ["pyinstaller"]
            layout = "folder"
            name = "b"

            [sidecar.trial]
            launches = 2
        "#]]
        .assert_eq(&variant.configuration(text).unwrap());
    }
}
