//! Where the sidecar is, and who hears how it is doing.

use std::io::{self, Write};

use tauri::{AppHandle, Emitter, Manager};
use tonelens_supervisor::{Launch, State, Supervisor, locate};

const NAME: &str = "tonelens-analyzer";

/// Names another sidecar, for tests of a debug build.
const OVERRIDE: &str = "TONELENS_SIDECAR";

/// The event that carries a new state to the window.
const EVENT: &str = "sidecar-state";

/// A supervisor, not started yet, that tells the terminal and the window.
pub fn supervise(app: &AppHandle) -> io::Result<Supervisor> {
    // An installed app must not start whatever its environment names.
    let named = std::env::var_os(OVERRIDE).filter(|_| cfg!(debug_assertions));
    let program = match named {
        Some(named) => named.into(),
        None => {
            let resources = app.path().resource_dir().ok();
            locate(NAME, &std::env::current_exe()?, resources.as_deref())
        }
    };
    let app = app.clone();
    Ok(Supervisor::new(Launch::new(program), move |state| {
        tell_terminal(state);
        tell_window(&app, state);
    }))
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
