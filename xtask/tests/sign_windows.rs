//! Signing for Windows with the real osslsigncode, against a timestamp server that has bad days.
#![cfg(target_os = "linux")]

#[path = "sign_windows/case.rs"]
mod case;
#[path = "support/frozen.rs"]
mod frozen;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/project.rs"]
mod project;

#[path = "sign_windows/bad_days.rs"]
mod bad_days;
#[path = "sign_windows/bundler.rs"]
mod bundler;
#[path = "sign_windows/chain.rs"]
mod chain;
#[path = "sign_windows/files.rs"]
mod files;
#[path = "sign_windows/identities.rs"]
mod identities;
#[path = "sign_windows/inno.rs"]
mod inno;
#[path = "sign_windows/installed.rs"]
mod installed;
#[path = "sign_windows/microsoft.rs"]
mod microsoft;
#[path = "sign_windows/nsis.rs"]
mod nsis;
#[path = "sign_windows/services.rs"]
mod services;
#[path = "sign_windows/steps.rs"]
mod steps;
#[path = "sign_windows/wine.rs"]
mod wine;
