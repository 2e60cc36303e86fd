//! Where the sidecar is, and who hears how it is doing.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tauri::{AppHandle, Emitter, Manager};
use tonelens_supervisor::{Launch, State, Supervisor};

const NAME: &str = "tonelens-analyzer";

/// Names another sidecar, for tests of a debug build.
const OVERRIDE: &str = "TONELENS_SIDECAR";

/// The event that carries a new state to the window.
const EVENT: &str = "sidecar-state";

/// A supervisor, not started yet, that tells the terminal and the window.
pub fn supervise(app: &AppHandle) -> io::Result<Supervisor> {
    // An installed app must not start whatever its environment names.
    let named = std::env::var_os(OVERRIDE).filter(|_| cfg!(debug_assertions));
    let program = locate(named, &std::env::current_exe()?);
    let app = app.clone();
    Ok(Supervisor::new(Launch::new(program), move |state| {
        tell_terminal(state);
        tell_window(&app, state);
    }))
}

/// The bundler installs the sidecar next to the app, without the target in its name;
/// a build from source puts it there, too.
fn locate(named: Option<OsString>, app: &Path) -> PathBuf {
    match named {
        Some(named) => named.into(),
        None => app.with_file_name(format!("{NAME}{}", std::env::consts::EXE_SUFFIX)),
    }
}

fn tell_terminal(state: &State) {
    // A closed terminal is no reason to panic.
    let _ = match state {
        State::Ready { version } => {
            let version = version.as_deref().unwrap_or("unknown");
            writeln!(io::stdout(), "sidecar ready version={version}")
        }
        State::Failed { reason, stderr } => {
            writeln!(io::stderr(), "sidecar failed: {reason}\n{}", stderr.join("\n"))
        }
        State::Starting | State::Stopped => Ok(()),
    };
}

fn tell_window(app: &AppHandle, state: &State) {
    // While the app ends, there may be no window left to tell.
    let _ = app.emit(EVENT, state);
    if let Some(window) = app.get_webview_window("main") {
        let _ = window.set_title(&format!("Tonelens — sidecar {}", word(state)));
    }
}

fn word(state: &State) -> &'static str {
    match state {
        State::Stopped => "stopped",
        State::Starting => "starting",
        State::Ready { .. } => "ready",
        State::Failed { .. } => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sidecar_is_next_to_the_app() {
        let found = locate(None, Path::new("/usr/bin/tonelens"));
        assert_eq!(found.parent(), Some(Path::new("/usr/bin")));
        assert_eq!(found.file_stem(), Some("tonelens-analyzer".as_ref()));
    }

    #[test]
    fn a_test_can_name_another() {
        let found = locate(Some("/tmp/fake".into()), Path::new("/usr/bin/tonelens"));
        assert_eq!(found, Path::new("/tmp/fake"));
    }
}
