//! Shows a run to people and to programs. It only reads [events](xtask_engine::event), never the
//! disk.
//!
//! | module | its one noun |
//! |---|---|
//! | `summary` | what is known about the run so far: the one state behind every closing |
//! | `status` | where a step stands, in words |
//! | `lines` | the line that an event becomes while the run goes on |
//! | `closing` | what stands at the end: table, failure, release, next command |
//! | `terminal` | a person at a terminal: spinners below, finished lines above |
//! | `plain` | no terminal: the same lines, one after the other |
//! | `github` | GitHub Actions: groups, annotations and the job summary |
//! | `markdown` | the closing as GitHub's job summary shows it |
//! | `json` | a program: one event a line |
//! | `record` | the last run, kept for `status` |
//! | `history` | a plan, and a past run read back |
//! | `table`, `text` | columns, sizes, times, wrapping |

mod closing;
mod github;
mod history;
mod json;
mod lines;
mod markdown;
mod plain;
mod record;
mod status;
mod summary;
mod table;
mod terminal;
mod text;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod screen;

use std::{
    env,
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
};

use anstream::{AutoStream, ColorChoice};

use xtask_engine::event::Reporter;

pub use history::{plan, replay};
pub use record::Recorder;
pub use table::table;
pub use text::{bytes, seconds};

/// How a run is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// What fits: GitHub Actions, a terminal, or neither
    #[default]
    Auto,
    /// For a person at a terminal: a live line for each running step
    Human,
    /// Lines without movement, for logs and pipes
    Plain,
    /// One JSON object a line on stdout, for programs
    Json,
    /// Groups and annotations of GitHub Actions
    Github,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorWhen {
    /// At a terminal, unless `NO_COLOR` is set; also without one if `CLICOLOR_FORCE` is
    #[default]
    Auto,
    /// Even in a pipe
    Always,
    /// Not at all
    Never,
}

impl From<ColorWhen> for ColorChoice {
    fn from(when: ColorWhen) -> Self {
        match when {
            ColorWhen::Auto => Self::Auto,
            ColorWhen::Always => Self::Always,
            ColorWhen::Never => Self::Never,
        }
    }
}

/// Where a reporter writes.
type Out = Box<dyn Write + Send>;

/// The reporter for a run: JSON on stdout, everything else on stderr.
pub fn reporter(format: Format, color: ColorWhen, verbose: bool) -> Box<dyn Reporter> {
    let color = choice(color, &io::stderr());
    let errors = || -> Out { Box::new(AutoStream::new(io::stderr(), color)) };
    match resolve(
        format,
        env::var("GITHUB_ACTIONS").ok().as_deref(),
        can_animate(),
    ) {
        Format::Json => Box::new(json::Json::new(Box::new(io::stdout()))),
        Format::Github => Box::new(github::Github::new(errors(), job_summary())),
        Format::Human => {
            let colour = color != ColorChoice::Never;
            Box::new(terminal::Terminal::stderr(errors(), colour, verbose))
        }
        Format::Plain | Format::Auto => Box::new(plain::Plain::new(errors(), verbose)),
    }
}

/// An error of a command that shows no run: what failed, its causes, what to do.
pub fn error(error: &anyhow::Error) -> String {
    let failure = xtask_engine::session::failure(error, "");
    let mut text = closing::failed("", &failure, None).join("\n");
    text.push('\n');
    text
}

/// Decides about colour for the whole program: `--color`, then `NO_COLOR`, `CLICOLOR_FORCE` and
/// whether there is a terminal. Everything that writes through `anstream` or `console` follows.
pub fn init_color(color: ColorWhen) {
    ColorChoice::from(color).write_global();
    console::set_colors_enabled(choice(color, &io::stdout()) != ColorChoice::Never);
    console::set_colors_enabled_stderr(choice(color, &io::stderr()) != ColorChoice::Never);
}

/// `Always` or `Never` for this stream.
fn choice<S: anstream::stream::RawStream>(color: ColorWhen, stream: &S) -> ColorChoice {
    match color {
        ColorWhen::Auto => AutoStream::choice(stream),
        decided => decided.into(),
    }
}

/// The format to use. Spinners in a file would be garbage, so `human` without a terminal is plain.
fn resolve(format: Format, github_actions: Option<&str>, can_animate: bool) -> Format {
    match format {
        Format::Auto if github_actions == Some("true") => Format::Github,
        Format::Auto | Format::Human if can_animate => Format::Human,
        Format::Auto | Format::Human => Format::Plain,
        Format::Plain | Format::Json | Format::Github => format,
    }
}

/// Whether stderr is a terminal that can move its cursor.
fn can_animate() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// GitHub's file for the job summary; without it, or if it cannot be opened, there is none.
fn job_summary() -> Option<Out> {
    let path = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())?;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .ok()?;
    Some(Box::new(file))
}

/// Writes these lines at once. A closed pipe must not end the build, so errors are dropped.
fn write_lines(out: &mut Out, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let mut text = lines.join("\n");
    text.push('\n');
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_surroundings() {
        assert_eq!(resolve(Format::Auto, Some("true"), true), Format::Github);
        assert_eq!(resolve(Format::Auto, None, true), Format::Human);
        assert_eq!(resolve(Format::Auto, Some("false"), false), Format::Plain);
        assert_eq!(resolve(Format::Human, None, false), Format::Plain);
        assert_eq!(resolve(Format::Json, Some("true"), true), Format::Json);
    }

    #[test]
    fn a_closed_pipe_is_ignored() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let events = fixtures::failing();
        for mut reporter in [
            Box::new(plain::Plain::new(Box::new(Closed), true)) as Box<dyn Reporter>,
            Box::new(json::Json::new(Box::new(Closed))),
            Box::new(github::Github::new(
                Box::new(Closed),
                Some(Box::new(Closed)),
            )),
        ] {
            events.iter().for_each(|event| reporter.report(event));
        }
    }
}
