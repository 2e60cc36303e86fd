//! A `.spec` file of PyInstaller: Python that describes what is frozen
//! (<https://pyinstaller.org/en/stable/spec-files.html>). It is read, never run.

use std::collections::BTreeMap;

use super::{
    command::data,
    freeze::{COMPUTED, Freeze, bare},
    literal::{self, Value, source},
    tree::{self, Tree},
};
use crate::config::{Freezer, Layout};

/// What the names of a file stand for: all that was assigned and added to them.
type Names = BTreeMap<String, Vec<Value>>;

/// What is frozen by a file; none if it does not look like one.
pub(super) fn read(tree: &Tree, file: &str) -> Option<Freeze> {
    parse(&tree.text(file)?, file)
}

fn parse(text: &str, file: &str) -> Option<Freeze> {
    let mut names = Names::new();
    let mut calls = Vec::new();
    let mut conditional = Vec::new();
    for statement in literal::statements(text) {
        if let Value::Call(name, ..) = &statement.value {
            calls.push((name.clone(), statement.line, statement.value.clone()));
        }
        let Some(name) = statement.name else {
            continue;
        };
        if statement.nested && names.contains_key(&name) {
            conditional.push(format!("{name} in line {}", statement.line));
            continue;
        }
        let values = names.entry(name.clone()).or_default();
        let own = |it: &Value| *it == Value::Name(name.clone());
        let mut value = vec![statement.value];
        if let [Value::Sum(parts)] = value.as_mut_slice() {
            value = std::mem::take(parts);
        }
        if !statement.adds && !value.iter().any(own) {
            values.clear();
        }
        value.retain(|it| !own(it));
        values.extend(value);
    }
    let find = |wanted: &str| calls.iter().find(|it| it.0 == wanted);
    let (_, line, analysis) = find("Analysis")?;
    // Paths of a file are meant from its own folder.
    let bases = vec![tree::parent(file).to_owned()];
    let mut freeze = Freeze::new(Freezer::Pyinstaller, format!("{file}:{line}"), bases);
    freeze.layout = match find("COLLECT") {
        Some(_) => Layout::Folder,
        None => Layout::Onefile,
    };
    let whole = ["COLLECT", "EXE"];
    let name = whole.iter().filter_map(|it| find(it)).find_map(|it| {
        let named = argument(&it.2, "name", None)?;
        texts(named, &names).into_iter().next()
    });
    freeze.name = Some(match name {
        Some(name) => bare(&name),
        None => bare(tree::name(file).trim_end_matches(".spec")),
    });
    Reader {
        names: &names,
        freeze: &mut freeze,
    }
    .analysis(analysis);
    for it in conditional {
        freeze.leave(it, "it depends on a condition");
    }
    freeze.entry.is_some().then_some(freeze)
}

fn argument<'v>(call: &'v Value, name: &str, position: Option<usize>) -> Option<&'v Value> {
    let Value::Call(_, positional, named) = call else {
        return None;
    };
    let found = named.iter().find(|it| it.0 == name).map(|it| &it.1);
    found.or_else(|| positional.get(position?))
}

/// Values one by one: names replaced by what they stand for, lists and sums taken apart. The items of a
/// list within a list stay together.
fn flat(value: &Value, names: &Names, depth: usize, all: &mut Vec<Value>) {
    match value {
        Value::Sum(parts) => parts.iter().for_each(|it| flat(it, names, depth, all)),
        Value::List(items) => {
            for it in items {
                match it {
                    Value::List(_) => all.push(it.clone()),
                    it => flat(it, names, depth, all),
                }
            }
        }
        // A name may stand for itself: `datas = datas + [...]`.
        Value::Name(name) if depth < 8 && names.contains_key(name) => {
            for it in &names[name] {
                flat(it, names, depth + 1, all);
            }
        }
        other => all.push(joined(other, names).map_or_else(|| other.clone(), Value::Text)),
    }
}

/// The text of `os.path.join(…)` of texts.
fn joined(value: &Value, names: &Names) -> Option<String> {
    let Value::Call(name, parts, _) = value else {
        return None;
    };
    if name != "os.path.join" {
        return None;
    }
    let parts = parts.iter().map(|it| match it {
        Value::Text(text) => Some(text.clone()),
        // The folder of the file itself.
        Value::Name(name) if matches!(name.as_str(), "SPECPATH" | "spec_dir") => Some(".".into()),
        Value::Name(name) => match names.get(name)?.as_slice() {
            [Value::Text(text)] => Some(text.clone()),
            _ => None,
        },
        _ => None,
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

/// The texts among the values.
fn texts(value: &Value, names: &Names) -> Vec<String> {
    let mut all = Vec::new();
    flat(value, names, 0, &mut all);
    let text = |it| match it {
        Value::Text(text) => Some(text),
        _ => None,
    };
    all.into_iter().filter_map(text).collect()
}

struct Reader<'r> {
    names: &'r Names,
    freeze: &'r mut Freeze,
}

impl Reader<'_> {
    /// The arguments in the order of PyInstaller's own `Analysis`.
    fn analysis(mut self, call: &Value) {
        let scripts = argument(call, "scripts", Some(0)).map(|it| texts(it, self.names));
        let mut scripts = scripts.unwrap_or_default().into_iter();
        self.freeze.entry = scripts.next();
        for more in scripts {
            self.freeze
                .leave(format!("scripts: {more}"), "a sidecar starts one file");
        }
        for (name, position) in [
            ("hiddenimports", 4),
            ("datas", 3),
            ("binaries", 2),
            ("excludes", 8),
        ] {
            if let Some(value) = argument(call, name, Some(position)) {
                self.list(name, value);
            }
        }
        if let Some(value) = argument(call, "pathex", Some(1)) {
            // `.` and the spec's own folder are where the entry lies, mostly.
            for it in texts(value, self.names) {
                if !matches!(it.as_str(), "." | "") {
                    let why =
                        "modules are looked for beside the entry and among the locked packages";
                    self.freeze.leave(format!("pathex: {it}"), why);
                }
            }
        }
        for name in ["hookspath", "runtime_hooks"] {
            let value = argument(call, name, None);
            for it in value.map(|it| texts(it, self.names)).unwrap_or_default() {
                let why = "`[sidecar.pyinstaller] args` takes it, with a path from the top";
                self.freeze.leave(format!("{name}: {it}"), why);
            }
        }
        self.freeze.modules.dedup();
        self.freeze.packages.sort();
        self.freeze.packages.dedup();
    }

    fn list(&mut self, name: &str, value: &Value) {
        let mut all = Vec::new();
        flat(value, self.names, 0, &mut all);
        for it in all {
            match (name, it) {
                ("hiddenimports", Value::Text(text)) => self.freeze.modules.push(text),
                ("excludes", Value::Text(text)) => self.freeze.exclude.push(text),
                ("datas", Value::List(pair)) => self.pair(&pair),
                (_, Value::Call(called, arguments, _)) => self.called(name, &called, &arguments),
                (_, Value::Other(source)) if self.is_collected(&source) => {}
                (_, Value::Name(source) | Value::Other(source)) => self.computed(name, &source),
                (_, other) => self.computed(name, &source(&other)),
            }
        }
    }

    fn pair(&mut self, pair: &[Value]) {
        let text = |at: usize| {
            let value = pair.get(at)?;
            let joined = joined(value, self.names);
            joined.or_else(|| texts(value, self.names).into_iter().next())
        };
        match (text(0), text(1)) {
            (Some(from), Some(to)) => data(self.freeze, &from, &to, false),
            _ => self.computed("datas", &source(&Value::List(pair.to_vec()))),
        }
    }

    /// PyInstaller's own helpers: `PyInstaller.utils.hooks`.
    fn called(&mut self, name: &str, called: &str, arguments: &[Value]) {
        let of = arguments.first().map(|it| texts(it, self.names));
        let of = of.and_then(|it| it.into_iter().next());
        let helper = called.rsplit('.').next().unwrap_or_default();
        let Some(of) = of.filter(|_| arguments.len() == 1) else {
            self.computed(name, &format!("{called}(…)"));
            return;
        };
        match helper {
            "collect_all" | "collect_submodules" => self.freeze.packages.push(of),
            "collect_data_files" => self.freeze.args.push(format!("--collect-data={of}")),
            "collect_dynamic_libs" => self.freeze.args.push(format!("--collect-binaries={of}")),
            "copy_metadata" => self.freeze.args.push(format!("--copy-metadata={of}")),
            _ => self.computed(name, &format!("{called}({of:?})")),
        }
    }

    /// Whether it is a part of what `collect_all` gave, as in `tmp_ret[0]`; the package is taken then.
    fn is_collected(&mut self, source: &str) -> bool {
        let name = source.split('[').next().unwrap_or_default();
        let values = self.names.get(name).into_iter().flatten();
        let packages = values.filter_map(|it| match it {
            Value::Call(called, of, _) if called.ends_with("collect_all") => {
                texts(of.first()?, self.names).into_iter().next()
            }
            _ => None,
        });
        let packages: Vec<String> = packages.collect();
        let any = !packages.is_empty();
        self.freeze.packages.extend(packages);
        any
    }

    fn computed(&mut self, name: &str, source: &str) {
        self.freeze.leave(format!("{name}: {source}"), COMPUTED);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let shown = match parse(text, "py/tool.spec") {
            Some(it) => format!(
                "{} {:?} {:?} at {}\nmodules {:?}\npackages {:?}\nexclude {:?}\ndata {:?}\nargs {:?}\nleft {:#?}\n",
                it.name.unwrap(),
                it.entry.unwrap(),
                it.layout,
                it.at,
                it.modules,
                it.packages,
                it.exclude,
                it.data,
                it.args,
                it.left
            ),
            None => "none".to_owned(),
        };
        expected.assert_eq(&shown);
    }

    /// As `pyi-makespec --onefile --collect-all uvicorn --name tool-$TRIPLE main.py` leaves it.
    #[test]
    fn made_by_pyinstaller() {
        check(
            "# -*- mode: python ; coding: utf-8 -*-\nfrom PyInstaller.utils.hooks import collect_all\n\n\
             datas = [('models/small.bin', 'models')]\nbinaries = []\nhiddenimports = ['a.b']\n\
             tmp_ret = collect_all('uvicorn')\n\
             datas += tmp_ret[0]; binaries += tmp_ret[1]; hiddenimports += tmp_ret[2]\n\n\n\
             a = Analysis(\n    ['main.py'],\n    pathex=[],\n    binaries=binaries,\n    datas=datas,\n    \
             hiddenimports=hiddenimports,\n    hookspath=[],\n    excludes=['torch', \"tkinter\"],\n    noarchive=False,\n)\n\
             pyz = PYZ(a.pure)\n\nexe = EXE(\n    pyz,\n    a.scripts,\n    [],\n    name='tool-x86_64-pc-windows-msvc',\n    console=True,\n)\n",
            expect![[r#"
                tool "main.py" Onefile at py/tool.spec:11
                modules ["a.b"]
                packages ["uvicorn"]
                exclude ["torch", "tkinter"]
                data [("models/small.bin", "models/")]
                args []
                left []
            "#]],
        );
    }

    #[test]
    fn written_by_hand() {
        check(
            "import os, sys\nROOT = os.path.abspath(SPECPATH)\nhidden = collect_submodules('engine') + ['x']\n\
             if sys.platform == 'win32':\n    hidden += ['winreg_helper']\n\
             a = Analysis([os.path.join('src', 'app.py')], pathex=['src'], datas=[(os.path.join(SPECPATH, 'data'), 'data'),\n  \
             (find(), '.')] + collect_data_files('certifi'), hiddenimports=hidden, excludes=EXCLUDED)\n\
             exe = EXE(PYZ(a.pure), a.scripts, exclude_binaries=True, name='inner')\ncoll = COLLECT(exe, a.datas, name='tool')\n",
            expect![[r#"
                tool "src/app.py" Folder at py/tool.spec:6
                modules ["x"]
                packages ["engine"]
                exclude []
                data [("./data", "data/")]
                args ["--collect-data=certifi"]
                left [
                    "datas: (find(), '.'): it would have to be computed",
                    "excludes: EXCLUDED: it would have to be computed",
                    "pathex: src: modules are looked for beside the entry and among the locked packages",
                    "hidden in line 5: it depends on a condition",
                ]
            "#]],
        );
        check("print('hello')\n", expect![[r#"none"#]]);
    }
}
