//! `freeze compare` as it is used. Slow, so that one environment serves all cases.

use expect_test::expect;
use serde_json::Value;

use super::{
    project::Project,
    sidecars::{GOOD, NUITKA, PYINSTALLER, failure, with_sidecars},
};

const COMPARE: &str = "freeze compare --sidecar tiny --launches 2 --output compared";

/// What the JSON file holds.
fn json(project: &Project) -> Value {
    serde_json::from_str(&project.read("compared/tiny.json")).unwrap()
}

/// The names of an object's fields.
fn keys(value: &Value) -> String {
    let fields = value.as_object().unwrap();
    let mut names: Vec<&str> = fields.keys().map(|it| &**it).collect();
    names.sort_unstable();
    names.join(" ")
}

/// The cells of the table's rows in a text, without the figures.
fn rows(text: &str) -> Vec<String> {
    let rows = text.lines().map(|line| {
        let cells: Vec<&str> = line.split([' ', '|']).filter(|it| !it.is_empty()).collect();
        cells.join(" ")
    });
    let is_row = |it: &String| it.starts_with("nuitka ") || it.starts_with("pyinstaller ");
    rows.filter(is_row).collect()
}

#[test]
fn slow_freezers_are_compared() {
    let project = with_sidecars(&["tiny"], "[\"pyinstaller\"]", &PYINSTALLER);
    both_layouts_pass(&project);
    no_freezer_helps(&project);
    nothing_passes(&project);
}

fn both_layouts_pass(project: &Project) {
    let ran = project.succeed(COMPARE);
    let json = json(project);
    expect!["candidates jobs max-startup recommendation sidecar target version"]
        .assert_eq(&keys(&json));
    let candidates = json["candidates"].as_array().unwrap();
    expect!["build-seconds cached-c failure freezer freezer-version layout trial"]
        .assert_eq(&keys(&candidates[0]));
    let layouts: Vec<&Value> = candidates.iter().map(|it| &it["layout"]).collect();
    assert_eq!(layouts, ["onefile", "folder"]);
    for candidate in candidates {
        assert!(candidate["build-seconds"].as_f64().unwrap() > 0.1);
        assert_eq!(candidate["cached-c"], Value::Null, "it compiles no C");
        let launches = candidate["trial"]["launches"].as_array().unwrap();
        assert_eq!(launches.len(), 2);
    }
    let recommended = &json["recommendation"];
    assert_eq!(recommended["freezer"], "pyinstaller");
    assert!(!recommended["reasons"].as_array().unwrap().is_empty());
    let layout = recommended["layout"].as_str().unwrap();
    let advice =
        format!("Recommended: `freezers = [\"pyinstaller\", …]`, `layout = \"{layout}\"`.");
    let markdown = project.read("compared/tiny.md");
    for text in [&ran.stdout, &markdown] {
        assert!(text.contains(&advice), "{text}");
        let rows = rows(text);
        assert_eq!(rows.len(), 2, "{text}");
        for (row, layout) in rows.iter().zip(["onefile", "folder"]) {
            assert!(row.starts_with(&format!("pyinstaller {layout} ")), "{row}");
            assert!(row.ends_with(" 2/2"), "{row}");
        }
    }
    let written = "written to compared/tiny.md and compared/tiny.json";
    assert!(ran.stdout.contains(written), "{}", ran.stdout);
}

/// Told before minutes are spent; what was written last time stays.
fn no_freezer_helps(project: &Project) {
    let before = json(project);
    for (source, expected) in [
        (
            "print(\n",
            expect![[r#"
            tiny:plain-python failed: the sources are no valid Python; no freezer would help
              [ROOT]/sidecars/tiny/main.py:1: SyntaxError: '(' was never closed
              log: [ROOT]/target/dist/linux/logs/freeze-tiny-plain-python.log
              resume: cargo xtask freeze compare --sidecar tiny --launches 2 --output compared
            exit code 1
        "#]],
        ),
        (
            "import numpy\n",
            expect![[r#"
                tiny:plain-python failed: sidecars/tiny/main.py does not work before it is frozen; no freezer would help
                  cause: under plain Python it misses the module numpy
                  log: [ROOT]/target/dist/linux/logs/freeze-tiny-plain-python.log
                  resume: cargo xtask freeze compare --sidecar tiny --launches 2 --output compared
                exit code 1
            "#]],
        ),
    ] {
        project.write("sidecars/tiny/main.py", source);
        let ran = project.run(COMPARE);
        assert!(!ran.stderr.contains("PyInstaller"), "{}", ran.stderr);
        expected.assert_eq(&failure(&ran.shown()));
    }
    assert_eq!(json(project), before);
    project.write("sidecars/tiny/main.py", GOOD);
}

/// It says so, writes it down all the same, and is a failure for whatever called it.
fn nothing_passes(project: &Project) {
    project.configure("time-budget = \"1s\"\n");
    let ran = project.run(COMPARE);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let shown = ran.shown();
    let about =
        |it: &&str| (it.contains("failed") && !it.starts_with("- ")) || it.starts_with("next: ");
    let lines: Vec<&str> = shown.lines().filter(about).collect();
    expect![[r#"
        tiny:pyinstaller-onefile  failed after [TIME]: time budget exceeded: timed out after 1 s
        tiny:pyinstaller-folder  failed after [TIME]: time budget exceeded: timed out after 1 s
        tiny:pyinstaller-onefile  failed  to compare it  [TIME]
        tiny:pyinstaller-folder  failed  to compare it  [TIME]
        2 failed, 1 passed in [TIME]
        tiny:pyinstaller-onefile failed: time budget exceeded: timed out after 1 s
        tiny:pyinstaller-folder failed: time budget exceeded: timed out after 1 s
        next: cargo xtask freeze compare --sidecar tiny --launches 2 --output compared"#]]
    .assert_eq(&lines.join("\n"));
    let json = json(project);
    assert_eq!(json["recommendation"], Value::Null);
    let failed = &json["candidates"][1];
    expect!["class freezer layout lines version"].assert_eq(&keys(&failed["failure"]));
    let (_, below) = ran.stdout.split_once("\n\n").unwrap();
    let version = failed["freezer-version"].as_str().unwrap();
    expect![[r#"
        - pyinstaller [VERSION] (onefile) failed: time budget exceeded
          timed out after 1 s

        - pyinstaller [VERSION] (folder) failed: time budget exceeded
          timed out after 1 s

        Nothing passed: there is nothing to recommend.

        written to compared/tiny.md and compared/tiny.json
    "#]]
    .assert_eq(&below.replace(version, "[VERSION]"));
    let markdown = project.read("compared/tiny.md");
    for text in [&ran.stdout, &markdown] {
        let rows = rows(text);
        assert_eq!(rows.len(), 2, "{text}");
        let all_say = rows
            .iter()
            .all(|it| it.ends_with("- - - time budget exceeded"));
        assert!(all_say, "{text}");
    }
}

/// One file of Nuitka does not survive SIGTERM without a handler of SIGINT.
const HANDLES_SIGNALS: &str = "import signal, sys\n\
                               for number in (signal.SIGINT, signal.SIGTERM):\n    \
                               signal.signal(number, lambda *_: sys.exit())\n";

/// `XTASK_FULL=1`: Nuitka takes minutes. It compiles all of its C code for each layout, whichever comes
/// first, so that the times compare.
#[test]
fn slow_nuitka_is_compared_cold() {
    if std::env::var_os("XTASK_FULL").is_none() {
        return;
    }
    let packages = [&NUITKA[..], &PYINSTALLER].concat();
    let project = with_sidecars(&["tiny"], "[\"nuitka\", \"pyinstaller\"]", &packages);
    let program = format!("{HANDLES_SIGNALS}{GOOD}");
    project.write("sidecars/tiny/main.py", program);
    let ran = project.succeed(COMPARE);
    let json = json(&project);
    let candidates = json["candidates"].as_array().unwrap();
    let name = |it: &Value| format!("{} {}", it["freezer"], it["layout"]).replace('"', "");
    let names: Vec<String> = candidates.iter().map(name).collect();
    let all = [
        "nuitka onefile",
        "nuitka folder",
        "pyinstaller onefile",
        "pyinstaller folder",
    ];
    assert_eq!(names, all);
    let rows = rows(&ran.stdout);
    assert_eq!(rows.len(), all.len(), "{}", ran.stdout);
    for (row, name) in rows.iter().zip(all) {
        assert!(row.starts_with(name) && row.ends_with(" 2/2"), "{row}");
    }
    for candidate in &candidates[2..] {
        assert_eq!(candidate["cached-c"], Value::Null, "it compiles no C");
    }
    if which::which("ccache").is_err() {
        return;
    }
    for (candidate, row) in candidates.iter().zip(&rows).take(2) {
        let cached = &candidate["cached-c"];
        let files = cached["files"].as_u64().unwrap();
        assert!(files > 5 && cached["hits"] == 0, "{row}");
        assert!(row.contains(&format!(" 0/{files} ")), "{row}");
    }
}
