//! Tonelens: a window on what the analyzer sidecar finds in a sound.

// A release build on Windows is no console program.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]
#![forbid(unsafe_code)]

mod commands;
mod sidecar;

use tauri::{Manager, RunEvent};
use tonelens_supervisor::Supervisor;

fn main() {
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .invoke_handler(tauri::generate_handler![
            commands::sidecar_state,
            commands::restart_sidecar,
            commands::open_audio,
            commands::analyze_sample,
        ])
        .setup(|app| {
            let supervisor = sidecar::supervise(app.handle())?;
            supervisor.restart();
            app.manage(supervisor);
            Ok(())
        })
        .build(tauri::generate_context!());
    let app = match app {
        Ok(app) => app,
        Err(error) => {
            eprintln!("tonelens: {error}");
            std::process::exit(1);
        }
    };
    app.run(|app, event| {
        // The event loop leaves the process without dropping what it manages.
        if let RunEvent::Exit = event {
            app.state::<Supervisor>().stop();
        }
    });
}
