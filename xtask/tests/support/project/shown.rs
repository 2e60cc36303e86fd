//! What is printed, without what differs from run to run.

use std::path::Path;

use super::Ran;

impl Ran {
    /// All that was printed and the exit code, filtered.
    pub fn shown(&self) -> String {
        let text = format!("{}{}exit code {}\n", self.stdout, self.stderr, self.code);
        filtered(&text, &self.root)
    }

    /// The repository that it ran in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Only the line of each step: what it does and why.
    pub fn steps(&self) -> String {
        let shown = self.shown();
        let words = [
            "runs:",
            "reused",
            "kept:",
            "left out:",
            "failed",
            "warning:",
        ];
        let of_step = |line: &&str| {
            let mut parts = line.splitn(2, "  ");
            let (name, said) = (parts.next().unwrap(), parts.next().unwrap_or_default());
            !name.contains(' ') && words.iter().any(|it| said.starts_with(it))
        };
        let before_the_table = shown.split("\n\n").next().unwrap_or_default();
        let mut lines: Vec<_> = before_the_table.lines().filter(of_step).collect();
        // What runs side by side is shown as it happens: sidecars come where they come.
        lines.sort_by_key(|it| it.starts_with("sidecar:").then_some(*it));
        format!("{}\nexit code {}\n", lines.join("\n"), self.code)
    }
}

/// Masks paths, times, sizes, hashes, key ids, process numbers and the machine's architecture;
/// several spaces become two, because what they align has other widths each time.
pub fn filtered(text: &str, root: &Path) -> String {
    let cli = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../app")
        .canonicalize()
        .unwrap();
    let arch = std::env::consts::ARCH;
    let text = without_number_after(text, "/staging/seal.")
        .replace(root.to_str().unwrap(), "[ROOT]")
        .replace(root.parent().unwrap().to_str().unwrap(), "[BESIDE]")
        .replace(cli.to_str().unwrap(), "[APP]")
        .replace(&format!("{arch}-unknown-linux-gnu"), "[TRIPLE]")
        .replace(which::which("node").unwrap().to_str().unwrap(), "node")
        .replace(&format!("ARCH={arch}"), "ARCH=[ARCH]")
        .replace(&format!(".{arch}.rpm"), ".[ARCH].rpm")
        .replace("_amd64.deb", "_[ARCH].deb")
        .replace("_arm64.deb", "_[ARCH].deb");
    let lines = text.lines().filter_map(without_cargo_chatter);
    lines.map(|line| masked_line(&line) + "\n").collect()
}

/// Drops what cargo prints in another order, or only at times when others use its caches, also
/// where lines are joined in an annotation.
fn without_cargo_chatter(line: &str) -> Option<String> {
    let is_chatter =
        |it: &&str| it.contains("Blocking waiting for file lock") || it.contains(" Compiling ");
    let parts: Vec<&str> = line.split("%0A").filter(|it| !is_chatter(it)).collect();
    (!parts.is_empty()).then(|| parts.join("%0A"))
}

/// The staging folders carry the number of the process.
fn without_number_after(text: &str, words: &str) -> String {
    let mut parts = text.split(words);
    let first = parts.next().unwrap_or_default().to_owned();
    let masked = |it: &str| {
        it.trim_start_matches(|it: char| it.is_ascii_digit())
            .to_owned()
    };
    parts.fold(first, |text, part| text + words + "[PID]" + &masked(part))
}

fn masked_line(line: &str) -> String {
    let line = line.trim_end();
    let body = line.trim_start();
    let indent = &line[..line.len() - body.len()];
    let mut words: Vec<String> = Vec::new();
    let mut gaps: Vec<&str> = Vec::new();
    for word in body.split(' ') {
        match word {
            "" => gaps.iter_mut().last().into_iter().for_each(|it| *it = "  "),
            word => {
                words.push(masked(word));
                gaps.push(" ");
            }
        }
    }
    // `8.4 MB` is two words; `process 42` gives the number away.
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches(',').to_owned();
        if ["B", "kB", "MB"].contains(&&*unit) && number(&words[at - 1]) {
            words[at] = words[at].replacen(&unit, "[SIZE]", 1);
            words[at - 1].clear();
        }
        if body.starts_with("began ") {
            words[at] = if at == 1 {
                "[NOW]".to_owned()
            } else {
                String::new()
            };
        }
        if words[at - 1] == "process" && number(words[at].trim_end_matches(',')) {
            words[at] = "[PID],".to_owned();
        }
        if words[at] == "at" && words.get(at + 1).is_some_and(|it| it == "a") {
            words[at - 1] = "[JOBS]".to_owned();
        }
    }
    let mut shown = indent.to_owned();
    for (word, gap) in words.iter().zip(gaps) {
        if !word.is_empty() {
            shown.push_str(word);
            shown.push_str(gap);
        }
    }
    // `1m 12s` is one time.
    shown.trim_end().replace("[TIME] [TIME]", "[TIME]")
}

fn number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

/// A word without its time, hash or key id; punctuation around it stays.
fn masked(word: &str) -> String {
    // A public key, or its beginning: base64, whose signs are no punctuation.
    if word.starts_with("RW") && word.len() >= 10 {
        let cut = if word.ends_with('…') { "…" } else { "" };
        return format!("[KEY]{cut}");
    }
    let core = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
    if core.is_empty() {
        return word.to_owned();
    }
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let hex = core.bytes().all(|it| it.is_ascii_hexdigit());
    let mask = if ["ms", "s", "m"]
        .iter()
        .any(|it| core.strip_suffix(it).is_some_and(number))
    {
        "[TIME]"
    } else if core.len() == 20 && core.ends_with('Z') && digits(&core[..4]) {
        "[NOW]"
    } else if hex && (core.len() == 64 || core.len() == 40 || core.len() == 12) {
        "[HASH]"
    } else if hex && core.len() == 16 {
        "[KEY]"
    } else if core.contains("/_logs/") {
        "[NPM-LOG]"
    } else {
        return word.to_owned();
    };
    word.replacen(core, mask, 1)
}
