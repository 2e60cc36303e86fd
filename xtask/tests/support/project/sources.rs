//! The files of the small project.

use std::io::Read as _;

/// The files of the project, relative to its top folder.
pub const FILES: [(&str, &str); 14] = [
    (".gitignore", "node_modules\ntarget\n/dist\n/release\n"),
    ("README.md", "# Small\n"),
    (
        "package.json",
        r#"{
  "name": "small",
  "version": "0.1.0",
  "private": true,
  "scripts": { "build": "node build.mjs" }
}
"#,
    ),
    (
        "package-lock.json",
        r#"{
  "name": "small",
  "version": "0.1.0",
  "lockfileVersion": 3,
  "requires": true,
  "packages": { "": { "name": "small", "version": "0.1.0" } }
}
"#,
    ),
    ("build.mjs", BUILD),
    ("src/index.html", "<!-- a comment -->\n<h1>Small</h1>\n"),
    ("packaging/dist.toml", ""),
    (
        "src-tauri/Cargo.toml",
        r#"[package]
name = "small"
version = "0.1.0"
edition = "2024"
description = "A small app"

[workspace]

[dependencies]
tauri = { path = "stub", features = [] }

[profile.release]
strip = true
panic = "abort"
"#,
    ),
    (
        "src-tauri/Cargo.lock",
        r#"version = 4

[[package]]
name = "small"
version = "0.1.0"
dependencies = ["tauri"]

[[package]]
name = "tauri"
version = "2.0.0"
"#,
    ),
    ("src-tauri/build.rs", BUILD_SCRIPT),
    ("src-tauri/src/main.rs", MAIN),
    (
        "src-tauri/stub/Cargo.toml",
        r#"[package]
name = "tauri"
version = "2.0.0"
edition = "2024"

[features]
custom-protocol = []
"#,
    ),
    ("src-tauri/stub/src/lib.rs", STUB),
    ("src-tauri/tauri.conf.json", TAURI),
];

/// Comments do not reach the output, so that changing one changes nothing.
const BUILD: &str = r#"import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
const page = readFileSync("src/index.html", "utf8").replace(/<!--.*?-->\n?/gs, "");
mkdirSync("dist", { recursive: true });
writeFileSync("dist/index.html", page);
"#;

/// Embeds the page, as Tauri's build script does.
const BUILD_SCRIPT: &str = r#"fn main() {
    let config = std::env::var("TAURI_CONFIG").unwrap_or_default();
    let dist = config.split("\"frontendDist\":\"").nth(1).and_then(|it| it.split('"').next());
    let page = format!("{}/index.html", dist.unwrap_or("../static"));
    println!("cargo::rerun-if-env-changed=TAURI_CONFIG\ncargo::rerun-if-changed={page}");
    std::fs::copy(page, std::env::var("OUT_DIR").unwrap() + "/index.html").unwrap();
}
"#;

const MAIN: &str = r#"//! A host that only says what it shows and what package it was installed from.
fn main() {
    print!("{}", include_str!(concat!(env!("OUT_DIR"), "/index.html")));
    println!("{}", tauri::bundle_type());
}
"#;

/// The marker that the bundler overwrites, as the real crate has it.
const STUB: &str = r#"//! Stands for the real crate.
#[used]
static mut BUNDLE_TYPE: &str = "__TAURI_BUNDLE_TYPE_VAR_UNK";

/// The marker, which the bundler overwrites in the finished executable.
pub fn bundle_type() -> &'static str {
    assert!(cfg!(feature = "custom-protocol"), "not a production build");
    unsafe { std::ptr::read_volatile(&raw const BUNDLE_TYPE) }
}
"#;

const TAURI: &str = r#"{
  "productName": "small",
  "version": "0.1.0",
  "identifier": "com.example.small",
  "build": { "frontendDist": "../dist" },
  "bundle": { "active": true, "icon": ["icons/32x32.png"] }
}
"#;

/// A PNG of 32 by 32 transparent pixels, which is what the bundler wants at least.
pub fn png() -> Vec<u8> {
    let raw = vec![0; 32 * (1 + 32 * 4)];
    let mut data = Vec::new();
    let level = flate2::Compression::best();
    flate2::read::ZlibEncoder::new(&*raw, level)
        .read_to_end(&mut data)
        .unwrap();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&[0, 0, 0, 32, 0, 0, 0, 32][..], &[8, 6, 0, 0, 0]].concat();
    for (kind, data) in [(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        let chunk = [&kind[..], data].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&chunk);
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(chunk);
        bytes.extend(sum.sum().to_be_bytes());
    }
    bytes
}
