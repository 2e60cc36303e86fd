//! What the window can ask for. Each runs off the main thread, because each may wait.

use serde_json::{Value, json};
use tauri::{AppHandle, State};
use tauri_plugin_dialog::DialogExt;
use tonelens_supervisor::{State as Sidecar, Supervisor};

const AUDIO: &[&str] = &["wav", "flac", "mp3", "ogg"];

/// The state now; later changes arrive as events.
#[tauri::command(async)]
pub fn sidecar_state(supervisor: State<'_, Supervisor>) -> Sidecar {
    supervisor.state()
}

/// Ends the sidecar, if there is one, and starts it again.
#[tauri::command(async)]
pub fn restart_sidecar(supervisor: State<'_, Supervisor>) {
    supervisor.restart();
}

/// Lets the user choose a file and analyses it; nothing if the user chose none.
#[tauri::command(async)]
pub fn open_audio(
    app: AppHandle,
    supervisor: State<'_, Supervisor>,
) -> Result<Option<Value>, String> {
    let Some(chosen) = app.dialog().file().add_filter("Audio", AUDIO).blocking_pick_file() else {
        return Ok(None);
    };
    let path = chosen.into_path().map_err(|error| error.to_string())?;
    let path = path.to_str().ok_or("The file's path is not valid Unicode")?;
    ask(&supervisor, "analyze", json!({ "path": path })).map(Some)
}

/// Analyses a sound that the sidecar makes up.
#[tauri::command(async)]
pub fn analyze_sample(supervisor: State<'_, Supervisor>) -> Result<Value, String> {
    ask(&supervisor, "sample", json!({}))
}

fn ask(supervisor: &Supervisor, method: &str, params: Value) -> Result<Value, String> {
    supervisor.request(method, &params).map_err(|error| error.to_string())
}
