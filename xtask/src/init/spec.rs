//! A `.spec` file of PyInstaller: Python that describes what is frozen
//! (<https://pyinstaller.org/en/stable/spec-files.html>). It is read, never run.

mod source;

use std::collections::BTreeSet;

use self::source::{Change, Made, Names, Source};
use super::{
    command::{CONSOLE, UNSEEN, data},
    freeze::{COMPUTED, Freeze, bare},
    literal::{self, Value, source},
    tree::{self, Tree},
};
use crate::config::{Freezer, Layout};

/// Why something stays behind that PyInstaller's command line may know.
const ELSEWHERE: &str =
    "it has no place in `dist.toml`; see whether `[sidecar.pyinstaller] args` can say it";
const CONDITION: &str = "it depends on a condition or stands in a loop";

/// What is frozen by a file; none if it does not look like one.
pub(super) fn read(tree: &Tree, file: &str) -> Option<Freeze> {
    parse(&tree.text(file)?, file)
}

fn parse(text: &str, file: &str) -> Option<Freeze> {
    let mut source = Source::default();
    for statement in literal::statements(text) {
        source.take(statement);
    }
    let mut analyses = source.made("Analysis");
    let analysis = analyses.next()?;
    // Paths of a file are meant from its own folder.
    let bases = vec![tree::parent(file).to_owned()];
    let at = format!("{file}:{}", analysis.line);
    let mut freeze = Freeze::new(Freezer::Pyinstaller, at, bases);
    freeze.layout = match source.made("COLLECT").next() {
        Some(_) => Layout::Folder,
        None => Layout::Onefile,
    };
    let whole = ["COLLECT", "EXE"].into_iter();
    let name = whole.flat_map(|it| source.made(it)).find_map(|it| {
        let named = argument(&it.call, "name", None)?;
        texts(named, &source.names).into_iter().next()
    });
    let name = name.unwrap_or_else(|| tree::name(file).trim_end_matches(".spec").to_owned());
    freeze.name = Some(bare(&name));
    for more in analyses {
        freeze.leave(
            format!("Analysis in line {}", more.line),
            "a sidecar starts one file",
        );
    }
    let reader = Reader {
        own: analysis.variable.as_deref().unwrap_or_default(),
        source: &source,
        names: &source.names,
        freeze: &mut freeze,
    };
    reader.all(analysis);
    Some(freeze)
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

/// Whether an argument says what is so without it.
fn is_nothing(value: &Value, names: &Names) -> bool {
    let mut all = Vec::new();
    flat(value, names, 0, &mut all);
    all.iter().all(|it| match it {
        Value::Name(name) => matches!(name.as_str(), "None" | "False"),
        Value::Other(text) => matches!(text.as_str(), "{}" | "0" | "-1"),
        Value::Text(text) => text.is_empty(),
        _ => false,
    })
}

struct Reader<'r> {
    /// What the file calls its `Analysis`.
    own: &'r str,
    source: &'r Source,
    names: &'r Names,
    freeze: &'r mut Freeze,
}

impl Reader<'_> {
    fn all(mut self, analysis: &Made) {
        let source = self.source;
        self.analysis(&analysis.call);
        let mut used = BTreeSet::new();
        source.used(&analysis.call, &mut used);
        for made in source.made("EXE").chain(source.made("COLLECT")) {
            source.used(&made.call, &mut used);
            self.target(&made.class, &made.call);
        }
        if source.made("Splash").next().is_some() {
            self.freeze.leave("Splash(…)", UNSEEN);
        }
        for change in &source.changes {
            let is_attribute = change.target.contains('.') && source.is_made(&change.target);
            if is_attribute || used.contains(&change.target) {
                self.change(change);
            }
        }
        self.freeze.modules.dedup();
        self.freeze.packages.sort();
        self.freeze.packages.dedup();
        let mut seen = BTreeSet::new();
        self.freeze.args.retain(|it| seen.insert(it.clone()));
    }

    /// The arguments in the order of PyInstaller's own `Analysis`.
    fn analysis(&mut self, call: &Value) {
        const ORDER: [&str; 15] = [
            "scripts",
            "pathex",
            "binaries",
            "datas",
            "hiddenimports",
            "hookspath",
            "hooksconfig",
            "excludes",
            "runtime_hooks",
            "cipher",
            "win_no_prefer_redirects",
            "win_private_assemblies",
            "noarchive",
            "module_collection_mode",
            "optimize",
        ];
        let Value::Call(_, positional, named) = call else {
            return;
        };
        let positional = ORDER.into_iter().zip(positional);
        let named = named.iter().map(|(key, value)| (key.as_str(), value));
        for (key, value) in positional.chain(named) {
            self.argument(key, value);
        }
    }

    fn argument(&mut self, key: &str, value: &Value) {
        match key {
            "scripts" | "hiddenimports" | "datas" | "binaries" | "excludes" | "pathex"
            | "hookspath" | "runtime_hooks" => self.list(key, value),
            // PyInstaller 6 does not know them any more.
            "cipher" | "win_no_prefer_redirects" | "win_private_assemblies" => {}
            _ if is_nothing(value, self.names) => {}
            "optimize" => self
                .freeze
                .args
                .push(format!("--optimize={}", source(value))),
            _ => self
                .freeze
                .leave(format!("{key}: {}", source(value)), ELSEWHERE),
        }
    }

    /// `EXE(…)` and `COLLECT(…)`: what of the `Analysis` goes in, and what else.
    fn target(&mut self, class: &str, call: &Value) {
        let Value::Call(_, positional, named) = call else {
            return;
        };
        for value in positional {
            self.contents(class, value);
        }
        for (key, value) in named {
            let is_true = *value == Value::Name("True".to_owned());
            match key.as_str() {
                "name" | "debug" | "upx" | "upx_exclude" | "exclude_binaries" | "target_arch"
                | "codesign_identity" | "entitlements_file" | "version" => {}
                "console" if is_true => {}
                "console" => self
                    .freeze
                    .leave(format!("{class}: console={}", source(value)), CONSOLE),
                _ if is_nothing(value, self.names) => {}
                "strip" | "disable_windowed_traceback" | "bootloader_ignore_signals" if is_true => {
                    self.freeze
                        .args
                        .push(format!("--{}", key.replace('_', "-")));
                }
                "icon" => self
                    .freeze
                    .leave(format!("{class}: icon={}", source(value)), UNSEEN),
                _ => self
                    .freeze
                    .leave(format!("{class}: {key}={}", source(value)), ELSEWHERE),
            }
        }
    }

    /// What is added to the files of an `Analysis`, or stands beside them: `Tree(…)`, and lists of target,
    /// source and kind (<https://pyinstaller.org/en/stable/advanced-topics.html#the-toc-and-tree-classes>).
    fn contents(&mut self, place: &str, value: &Value) {
        let mut all = Vec::new();
        flat(value, self.names, 0, &mut all);
        for it in all {
            match &it {
                Value::Name(name) if self.source.is_made(name) => {}
                Value::Call(class, ..) if matches!(class.as_str(), "PYZ" | "EXE" | "Analysis") => {}
                Value::Other(text) if self.is_collected(text) => {}
                Value::Call(class, positional, named) if class == "Tree" => {
                    let of = |key, at| argument(&it, key, Some(at)).map(|it| texts(it, self.names));
                    let root = of("root", 0).and_then(|it| it.into_iter().next());
                    let prefix =
                        of("prefix", 1).map_or(Some(".".to_owned()), |it| it.into_iter().next());
                    let others = named
                        .iter()
                        .any(|it| !matches!(it.0.as_str(), "root" | "prefix"));
                    match (root, prefix) {
                        (Some(root), Some(prefix)) if positional.len() <= 2 && !others => {
                            data(self.freeze, &root, &prefix, false);
                        }
                        _ => self
                            .freeze
                            .leave(format!("{place}: {}", source(&it)), COMPUTED),
                    }
                }
                Value::List(parts) => match parts.as_slice() {
                    [Value::Text(to), from, Value::Text(kind)] if kind == "DATA" => {
                        match texts(from, self.names).into_iter().next() {
                            Some(from) => data(self.freeze, &from, to, true),
                            None => self.computed(place, &source(&it)),
                        }
                    }
                    _ => self
                        .freeze
                        .leave(format!("{place}: {}", source(&it)), ELSEWHERE),
                },
                other => self.computed(place, &source(other)),
            }
        }
    }

    /// A statement behind the lists that are handed over, or one that is not always run.
    fn change(&mut self, change: &Change) {
        let Change {
            line, target, text, ..
        } = change;
        let own = target.split_once('.').is_some_and(|it| it.0 == self.own);
        match &change.added {
            _ if change.nested => self.freeze.leave(format!("line {line}: {text}"), CONDITION),
            Some(added) if own => self.contents(&format!("line {line}: {target}"), added),
            _ => self.freeze.leave(format!("line {line}: {text}"), COMPUTED),
        }
    }

    fn list(&mut self, name: &str, value: &Value) {
        let mut all = Vec::new();
        flat(value, self.names, 0, &mut all);
        for it in all {
            match (name, it) {
                ("scripts", Value::Text(text)) if self.freeze.entry.is_none() => {
                    self.freeze.entry = Some(text);
                }
                ("scripts", Value::Text(text)) => {
                    let why = "a sidecar starts one file";
                    self.freeze.leave(format!("scripts: {text}"), why);
                }
                // The file's own folder is where the entry lies, mostly.
                ("pathex", Value::Text(text)) if matches!(text.as_str(), "." | "") => {}
                ("pathex", Value::Name(name)) if name == "SPECPATH" => {}
                ("pathex", Value::Text(text)) => {
                    let why =
                        "modules are looked for beside the entry and among the locked packages";
                    self.freeze.leave(format!("pathex: {text}"), why);
                }
                ("hookspath" | "runtime_hooks", Value::Text(text)) => {
                    let why = "`[sidecar.pyinstaller] args` takes it, with a path from the top";
                    self.freeze.leave(format!("{name}: {text}"), why);
                }
                (_, Value::Name(text)) if text == "None" => {}
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
mod tests;
