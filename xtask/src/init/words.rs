//! Lines of a shell, taken apart as far as every shell agrees: commands of words, without quotes. Nothing
//! is run, and of variables only those are replaced that the same file sets to a plain text.

/// The commands of a text, each as its words. Comments are left out.
pub(super) fn commands(text: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for line in joined(text).lines() {
        line_commands(&closed_up(line), &mut all);
        all.push(Vec::new());
    }
    all.retain(|it| !it.is_empty());
    all
}

/// The text with lines that go on made one: behind `\` (sh), `^` (cmd) and a backtick (PowerShell).
fn joined(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines() {
        let trimmed = line.trim_end();
        let goes_on = trimmed
            .strip_suffix(['\\', '^', '`'])
            .filter(|it| it.is_empty() || it.ends_with(char::is_whitespace));
        match goes_on {
            Some(rest) => {
                joined += rest;
                joined.push(' ');
            }
            None => {
                joined += trimmed;
                joined.push('\n');
            }
        }
    }
    joined
}

/// `${{ matrix.name }}` of a workflow, and `{{ name }}` of others, without spaces: it is a part of a word.
fn closed_up(line: &str) -> String {
    let mut parts = line.split("{{");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        all += "{{";
        match part.split_once("}}") {
            Some((inner, rest)) => {
                all.extend(inner.split_whitespace());
                all += "}}";
                all += rest;
            }
            None => all += part,
        }
    }
    all
}

fn line_commands(line: &str, all: &mut Vec<Vec<String>>) {
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut depth = 0_u32;
    let mut chars = line.chars().peekable();
    let finish = |word: &mut Option<String>, all: &mut Vec<Vec<String>>| {
        if let (Some(word), Some(last)) = (word.take(), all.last_mut()) {
            last.push(word);
        }
    };
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let ends = next.is_none_or(char::is_whitespace);
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            // Elsewhere it is what Windows has for a slash.
            (Some('"') | None, '\\') if next.is_some_and(|it| "\"'\\ $".contains(it)) => {
                word.get_or_insert_default().extend(chars.next());
            }
            // `$(…)` is one word, whatever stands in it.
            (_, '(') if depth > 0 || word.as_ref().is_some_and(|it| it.ends_with('$')) => {
                depth += 1;
                word.get_or_insert_default().push(c);
            }
            (_, ')') if depth > 0 => {
                depth -= 1;
                word.get_or_insert_default().push(c);
            }
            (None, _) if depth > 0 => word.get_or_insert_default().push(c),
            (None, '#') if word.is_none() => break,
            (None, '&' | '|') => {
                finish(&mut word, all);
                all.push(Vec::new());
            }
            // Between source and destination of PyInstaller on Windows it parts nothing.
            (None, ';') if ends => {
                finish(&mut word, all);
                all.push(Vec::new());
            }
            (None, '(' | ')') => finish(&mut word, all),
            (None, c) if c.is_whitespace() => finish(&mut word, all),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    finish(&mut word, all);
}

/// The text with the variables replaced that it sets to plain texts: `NAME=text` (sh, dotenv), `NAME :=
/// text` (make, just), `set NAME=text` (cmd), `$name = "text"` (PowerShell).
pub(super) fn expanded(text: &str) -> String {
    let mut set: Vec<(String, String)> = text.lines().filter_map(assignment).collect();
    // The longest name first: `$NAME_2` is not `$NAME` and `_2`.
    set.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut expanded = text.to_owned();
    for (name, value) in &set {
        let forms = [
            format!("${{{name}}}"),
            format!("$({name})"),
            format!("{{{{{name}}}}}"),
            format!("{{{{ {name} }}}}"),
            format!("%{name}%"),
            format!("${name}"),
        ];
        // PowerShell sets with the form that it reads with: what is set must stay.
        expanded = expanded
            .lines()
            .map(|line| match assignment(line).is_some() {
                true => format!("{line}\n"),
                false => {
                    let line = forms
                        .iter()
                        .fold(line.to_owned(), |it, form| it.replace(form, value));
                    line + "\n"
                }
            })
            .collect();
    }
    expanded
}

/// What stands behind the folder of the script itself, as shells write that.
pub(super) fn behind_own_folder(dir: &str) -> Option<&str> {
    if let Some(rest) = dir
        .strip_prefix("$PSScriptRoot")
        .or(dir.strip_prefix("%~dp0"))
    {
        return Some(rest.trim_start_matches(['/', '\\']));
    }
    let rest = dir.strip_prefix("$(dirname ")?;
    Some(rest.split_once(')')?.1.trim_start_matches('/'))
}

fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = ["export ", "set ", "SET ", "local "]
        .iter()
        .find_map(|it| line.strip_prefix(it))
        .unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end_matches([':', '?']).trim();
    let name = name.strip_prefix('$').unwrap_or(name);
    let bare = |it: char| it.is_ascii_alphanumeric() || it == '_';
    if name.is_empty() || !name.chars().all(bare) {
        return None;
    }
    let value = value.trim();
    let quote = value.chars().next().filter(|it| "'\"".contains(*it));
    let value = match quote {
        Some(quote) => value[1..].strip_suffix(quote)?,
        None => value,
    };
    let plain = !value.is_empty() && !value.contains(['$', '`', '"', '\'', ' ', '%', '{', '(']);
    plain.then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let all = commands(&expanded(text));
        let lines = all.iter().map(|it| format!("{}\n", it.join(" | ")));
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn commands_of_several_shells() {
        check(
            "cd py && FOO=1 pyinstaller -F \"my main.py\" --add-data 'a b;c' --name x; echo # no\n",
            expect![[r#"
                cd | py
                FOO=1 | pyinstaller | -F | my main.py | --add-data | a b;c | --name | x
                echo
            "#]],
        );
        check(
            "NAME := tool\nfreeze:\n\t@python -m nuitka \\\n\t  --output-filename=$(NAME) {{NAME}}.py\n",
            expect![[r#"
                NAME | := | tool
                freeze:
                @python | -m | nuitka | --output-filename=tool | tool.py
            "#]],
        );
        check(
            "set OUT=tool\r\npython -m PyInstaller ^\r\n  --name %OUT% src\\main.py\r\n",
            expect![[r#"
                set | OUT=tool
                python | -m | PyInstaller | --name | tool | src\main.py
            "#]],
        );
        check(
            "$name = \"tool\"\npyinstaller `\n  --name \"$name-$(rustc -vV | sed s/x/y/)\" main.py\n",
            expect![[r#"
                $name | = | tool
                pyinstaller | --name | tool-$(rustc -vV | sed s/x/y/) | main.py
            "#]],
        );
        check(
            "pyinstaller ${{ matrix.args }} --name tool-${{ matrix.target }} {{ script }} ${{",
            expect![[r#"
                pyinstaller | ${{matrix.args}} | --name | tool-${{matrix.target}} | {{script}} | ${{
            "#]],
        );
    }
}
