//! The text of `packaging/dist.toml`: what was found, and remarks that say where.

use std::fmt::Write as _;

use super::{
    node::Frontend,
    sidecar::{Sidecar, Sidecars},
    tauri::Host,
    tree::{self, Tree},
};
use crate::config::{Freezer, Layout};

/// How wide a remark is at most.
const WIDTH: usize = 100;

/// The file.
pub(super) fn text(tree: &Tree, host: &Host, frontend: &Frontend, sidecars: &Sidecars) -> String {
    let mut text = remark(
        "What `cargo xtask dist` releases. `cargo xtask init` wrote it; the remarks say where each value was found. \
         What is left out here is found in the repository: `cargo xtask config` shows all.",
    );
    let file = tree::name(&host.file);
    text += "\n[app]\n";
    text += &remark(&format!("{file} is there."));
    text += &line("dir", tree::shown(&host.dir));
    self::frontend(&mut text, frontend);
    for it in &sidecars.python {
        sidecar(&mut text, tree, it);
    }
    for (path, why) in &sidecars.others {
        text += "\n";
        text += &remark(&format!(
            "`externalBin` of {} names {path}: {why}.",
            host.file
        ));
    }
    text
}

fn frontend(text: &mut String, frontend: &Frontend) {
    if let Some(why) = &frontend.off {
        *text += "\n[frontend]\n";
        *text += &remark(&format!(
            "{why}: what the Tauri configuration names is embedded as it lies."
        ));
        *text += "enabled = false\n";
        return;
    }
    let Some((dir, dir_why)) = &frontend.dir else {
        return;
    };
    *text += "\n[frontend]\n";
    *text += &remark(&format!("{dir_why}."));
    *text += &line("dir", tree::shown(dir));
    if let Some((script, why)) = &frontend.script {
        if why != dir_why {
            *text += &remark(&format!("{why}."));
        }
        *text += &line("script", script);
    }
    if let Some((manager, why)) = &frontend.manager {
        *text += &remark(&format!("{why}."));
        *text += &line("package-manager", manager.command());
    }
    if let Some((out, why)) = &frontend.out {
        *text += &remark(&format!("{why}."));
        *text += &line("out", out);
    }
}

fn sidecar(text: &mut String, tree: &Tree, sidecar: &Sidecar) {
    *text += "\n[[sidecar]]\n";
    *text += &remark(&format!("{}.", sidecar.named));
    *text += &line("name", &sidecar.name);
    let (dir, why) = &sidecar.dir;
    *text += &remark(&format!("{why}."));
    *text += &line("dir", tree::shown(dir));
    if let Some((entry, at)) = &sidecar.entry
        && tree::within(entry, dir)
    {
        *text += &remark(&format!("{at}."));
        *text += &line("entry", &tree::from(dir, entry));
    }
    if let Some(lock) = &sidecar.lock {
        let usual = tree::parent(lock) == dir && tree::name(lock) == "requirements.lock";
        if !usual {
            *text += &line("lock", &tree::from(dir, lock));
        }
    }
    frozen(text, sidecar);
    if !sidecar.left.is_empty() {
        *text += &remark("Not translated:");
        for it in &sidecar.left {
            *text += &item(it);
        }
    }
    tables(text, tree, sidecar);
}

/// What the freezer was told, in words that both understand.
fn frozen(text: &mut String, sidecar: &Sidecar) {
    let Some(freeze) = &sidecar.freeze else {
        return;
    };
    let (name, other) = match freeze.freezer {
        Freezer::Nuitka => ("nuitka", "pyinstaller"),
        Freezer::Pyinstaller => ("pyinstaller", "nuitka"),
    };
    *text += &remark(&format!(
        "What freezes it today. With \"{other}\" beside it, in the order of trial and in the lock, the next one is \
         tried where the first fails."
    ));
    *text += &list("freezers", &[name.to_owned()]);
    if freeze.layout == Layout::Folder {
        *text += &remark(
            "It is a folder today. Tauri's `externalBin` takes one file: with \"folder\" the app has to look for it \
             among its resources.",
        );
    }
    *text += &line("layout", freeze.layout.name());
    for (key, values) in [
        ("packages", &freeze.packages),
        ("modules", &freeze.modules),
        ("exclude-modules", &freeze.exclude),
    ] {
        if !values.is_empty() {
            *text += &list(key, values);
        }
    }
}

/// What has to stand behind all other keys.
fn tables(text: &mut String, tree: &Tree, sidecar: &Sidecar) {
    for (from, to) in &sidecar.data {
        let kind = if tree.path(from).is_dir() {
            "folder"
        } else {
            "file"
        };
        *text += "\n[[sidecar.data]]\n";
        *text += &remark(&format!("A {kind}."));
        *text += &line("from", &tree::from(&sidecar.dir.0, from));
        *text += &line("to", to);
    }
    let Some(freeze) = &sidecar.freeze else {
        return;
    };
    if !freeze.metadata.is_empty() {
        *text += "\n[sidecar.metadata]\n";
        for (key, value) in &freeze.metadata {
            *text += &line(key, value);
        }
    }
    if !freeze.args.is_empty() {
        let table = match freeze.freezer {
            Freezer::Nuitka => "nuitka",
            Freezer::Pyinstaller => "pyinstaller",
        };
        write!(text, "\n[sidecar.{table}]\n").ok();
        *text += &list("args", &freeze.args);
    }
}

fn quoted(value: &str) -> String {
    toml::Value::from(value).to_string()
}

fn line(key: &str, value: &str) -> String {
    format!("{key} = {}\n", quoted(value))
}

fn list(key: &str, values: &[String]) -> String {
    let mut values: Vec<String> = values.iter().map(|it| quoted(it)).collect();
    values.dedup();
    let short = format!("{key} = [{}]\n", values.join(", "));
    if short.len() <= WIDTH {
        return short;
    }
    let lines = values.iter().map(|it| format!("    {it},\n"));
    format!("{key} = [\n{}]\n", lines.collect::<String>())
}

/// A remark, in as many lines as it needs.
fn remark(text: &str) -> String {
    wrapped(text, "# ", "# ")
}

fn item(text: &str) -> String {
    wrapped(text, "# - ", "#   ")
}

fn wrapped(text: &str, first: &str, further: &str) -> String {
    let mut all = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    // Of a remark no character may end it.
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            all += line.trim_end();
            all.push('\n');
            line = further.to_owned();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.extend(word.chars().filter(|it| !it.is_control()));
        is_empty = false;
    }
    all + line.trim_end() + "\n"
}
