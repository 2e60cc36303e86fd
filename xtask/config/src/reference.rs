//! Renders the reference of `dist.toml` from the schema: for the tests, which hold
//! `docs/configuration.md` to it.

use serde_json::Value;
use toml::de::{DeArray, DeTable, DeValue};

use super::schema::{self, Kind};

/// What stands above the sections.
const INTRODUCTION: &str = "\
# Configuration

<!-- Rendered from xtask/config/src/raw.rs by `UPDATE_EXPECT=1 cargo test -p xtask-config`. Edit there. -->

`cargo xtask` reads one file, `packaging/dist.toml`. Every section and almost every key may be left
out: what is missing is found in the repository. `cargo xtask config` prints what was found. An
unknown key or an impossible value is an error at its line, and all errors of the file are reported
at once.

A Tauri app with one sidecar usually needs no more than this:

```toml
[[sidecar]]
name = \"my-sidecar\"
```

- A path is relative to the repository, unless its key says otherwise.
- A duration is a whole number with a unit: `500ms`, `30s`, `5m`, `1h`.
- A share is a whole number of percent: `10%`.
- A glob is written as in `.gitignore`: `shared/**`, `**/*.md`.
";

/// A file with every key. The reference has their order.
pub(super) const EXAMPLE: &str = r#"[product]
name = "Tonelens"
version = "0.1.0"

[frontend]
enabled = true
dir = "app"
package-manager = "npm"
script = "build"
out = "app/dist"
inputs = ["shared/**"]
exclude = ["**/*.md"]
env = ["NODE_ENV", "VITE_*"]

[app]
dir = "app/src-tauri"
profile = "release"
features = ["tray"]
cargo-args = ["--no-default-features"]
inputs = ["crates/**"]
exclude = ["**/*.md"]
env = ["RUSTFLAGS"]

[[sidecar]]
name = "tonelens-analyzer"
dir = "sidecar"
entry = "src/tonelens_analyzer/__main__.py"
lock = "requirements.lock"
python = "3.11"
freezers = ["nuitka", "pyinstaller"]
layout = "auto"
max-startup = "5s"
ready-timeout = "30s"
time-budget = "30m"
packages = ["cffi"]
modules = ["_cffi_backend"]
exclude-modules = ["tkinter"]
data = [{ from = "data/notes.json", to = "notes.json" }]
probe = ["--port", "0"]
inputs = ["shared/**"]
exclude = ["sidecar/tests/**"]
env = ["CC"]

[sidecar.trial]
launches = 20
max-failures = "10%"

[sidecar.metadata]
company = "Example"
description = "Measures sounds"
copyright = "© 2026 Example"

[sidecar.nuitka]
args = ["--lto=no"]

[sidecar.pyinstaller]
args = ["--strip"]

[bundle]
linux = ["deb", "rpm"]
windows = ["nsis"]
macos = ["app", "dmg"]
cli = ["cargo", "tauri"]

[bundle.windows-installer]
scope = "user"
shortcuts = ["start-menu", "desktop"]
user-data = "ask"
webview2 = "packaging/windows/MicrosoftEdgeWebview2Setup.exe"

[bundle.nsis]
bundler = "makensis"
template = "packaging/windows/installer.nsi"

[bundle.inno]
compiler = ["wine", "tools/ISCC.exe"]
template = "packaging/windows/installer.iss"

[bundle.appimage]
runtime = "packaging/appimage/runtime-{arch}"
runtime-sha256 = ["2fca8b443c92510f1483a883f60061ad09b46b978b2631c807cd873a47ec260d"]

[archive]
enabled = true
files = ["README.md", "LICENSE*"]

[sign]
sidecar-hashes = true

[sign.minisign]
key-env = "TAURI_SIGNING_PRIVATE_KEY"
password-env = "TAURI_SIGNING_PRIVATE_KEY_PASSWORD"
public-key = "packaging/keys/minisign.pub"

[sign.gpg]
key = "0123456789ABCDEF0123456789ABCDEF01234567"
passphrase-env = "GPG_PASSPHRASE"
public-key = "packaging/keys/release.asc"

[sign.windows]
tool = "auto"
command = ["cloud-hsm", "sign", "--in-place", "%1"]
command-env = ["CLOUD_HSM_PASSWORD"]
thumbprint = "0123456789ABCDEF0123456789ABCDEF01234567"
certificate-env = "WIN_CSC_LINK"
password-env = "WIN_CSC_KEY_PASSWORD"
timestamp = "rfc3161"
timestamp-servers = ["http://timestamp.digicert.com", "http://timestamp.sectigo.com"]
patience = "10m"
description = "Tonelens"
url = "https://example.org"
trust = "packaging/keys/windows.pem"
timestamp-trust = "packaging/keys/timestamps.pem"
publisher = "Example GmbH"
leave-signed-by = ["Microsoft Corporation", "Python Software Foundation"]
revoked = ["packaging/keys/authority.pem", "packaging/keys/authority.crl"]

[sign.windows.pkcs11]
module = "/usr/lib/softhsm/libsofthsm2.so"
key = "pkcs11:token=Release;object=signing;type=private"
certificate = "packaging/keys/windows-chain.pem"
pin-env = "PKCS11_PIN"

[sign.windows.azure]
dlib = "tools/Azure.CodeSigning.Dlib.dll"
metadata = "packaging/windows/azure.json"

[sign.macos]
tool = "auto"
identity = "Developer ID Application: Example (ABCDE12345)"
certificate-env = "APPLE_CERTIFICATE"
password-env = "APPLE_CERTIFICATE_PASSWORD"
entitlements = "packaging/macos/app.entitlements"
timestamp = "rfc3161"
timestamp-server = "http://timestamp.apple.com/ts01"
notarize = true
notarize-timeout = "30m"
trust = "packaging/keys/apple.pem"

[[sign.macos.file]]
path = "Contents/MacOS/tonelens-analyzer"
entitlements = "packaging/macos/sidecar.entitlements"

[sign.linux]
deb = true
rpm = true

[release]
dir = "dist"
tag = "app-v{version}"
targets = ["linux", "windows", "macos", "x86_64-apple-darwin"]

[updater]
url = "https://github.com/example/tonelens/releases/download/v{version}/{file}"
notes = "docs/releases/{version}.md"

[limits]
step-timeout = "2h"

[test]
window-title = "ready"
ready-line = "sidecar ready"
ready-timeout = "60s"
layouts = ["onefile", "folder"]
platforms = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"]

[ci]
checks = ["test", "generate", "version", "dist"]
test-on = ["windows", "macos"]
branches = ["main", "next"]
before = ["./build-helper.sh $TARGET"]
rust = "1.95.0"
node = "22"
python = "3.11"
environment = "release"
publish-environment = "production"
timeout = "3h"

[[ci.target]]
name = "x86_64-unknown-linux-gnu"
runner = "ubuntu-22.04"
secrets = ["NPM_TOKEN"]
"#;

/// `docs/configuration.md`. From the types and not from their file, so that one update of both is
/// enough.
pub(super) fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    section(&mut page, "", &schema::generated::dist(), &example());
    page.push_str("\n## A file with every key\n\n```toml\n");
    page.push_str(EXAMPLE);
    page.push_str("```\n");
    page
}

/// The example, parsed. A test parses it with its errors.
fn example() -> DeTable<'static> {
    DeTable::parse_recoverable(EXAMPLE).0.into_inner()
}

/// The rows of a table's keys, and then the tables in it as sections.
fn section(page: &mut String, path: &str, schema: &Value, example: &DeTable<'_>) {
    let mut keys: Vec<(&str, &Value)> = schema::keys(schema).collect();
    let position = |key: &str| example.get_key_value(key).map(|(key, _)| key.span().start);
    keys.sort_by_key(|(key, _)| position(key));
    let is_row = |(key, schema): &&(&str, &Value)| {
        !path.is_empty() && inner(schema, example.get(*key).map(|v| v.get_ref())).is_none()
    };
    if keys.iter().any(|key| is_row(&key)) {
        page.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    }
    for (key, one) in keys.iter().filter(is_row) {
        let required = schema::required(schema).any(|name| name == *key);
        row(page, key, one, required);
        for (part, one) in schema::keys(&one["items"]) {
            row(page, &format!("{key}.{part}"), one, true);
        }
    }
    for (key, one) in keys {
        let Some((many, inner, example)) =
            example.get(key).and_then(|v| inner(one, Some(v.get_ref())))
        else {
            continue;
        };
        let path = if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        };
        let header = if many {
            format!("[[{path}]]")
        } else {
            format!("[{path}]")
        };
        let level = "#".repeat(2 + path.matches('.').count());
        page.push_str(&format!("\n{level} `{header}`\n\n{}\n", description(one)));
        section(page, &path, inner, example);
    }
}

/// The table that a key holds, if it is written as a section: whether there may be several, its
/// schema, and the one in the example.
fn inner<'a>(
    schema: &'a Value,
    example: Option<&'a DeValue<'a>>,
) -> Option<(bool, &'a Value, &'a DeTable<'a>)> {
    match example? {
        DeValue::Table(table) => Some((false, schema, table)),
        DeValue::Array(items) if !inline(items) => match items.first()?.get_ref() {
            DeValue::Table(table) => Some((true, &schema["items"], table)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a list is written as a value, and not as sections.
fn inline(items: &DeArray<'_>) -> bool {
    let first = items.first().map(|item| &EXAMPLE[item.span()]);
    !first.is_some_and(|text| text.starts_with("[["))
}

/// One key.
fn row(page: &mut String, key: &str, schema: &Value, required: bool) {
    let default = match &schema["x-default"] {
        _ if required => "required".to_owned(),
        Value::String(text) => text.clone(),
        _ => format!("`{}`", schema["default"].to_string().replace(',', ", ")),
    };
    let meaning = description(schema);
    page.push_str(&format!(
        "| `{key}` | {} | {default} | {meaning} |\n",
        type_name(schema)
    ));
}

/// What a key may hold.
fn type_name(schema: &Value) -> String {
    let choices = schema::choices(schema);
    if !choices.is_empty() {
        let choices: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        return choices.join(" or ");
    }
    match schema::kind(schema) {
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Table => {
            let keys: Vec<&str> = schema::keys(schema).map(|(key, _)| key).collect();
            format!("`{{ {} }}`", keys.join(", "))
        }
        Kind::List => format!("list of {}", type_name(&schema::given(schema)["items"])),
        Kind::Text => match schema::given(schema)["x-form"].as_str().unwrap_or_default() {
            form @ ("duration" | "percent" | "glob" | "fingerprint") => form,
            "path" | "inner-path" => "path",
            "file-glob" => "path with `*`",
            "version" | "python-version" => "version",
            "variable" => "variable",
            "variable-glob" => "variable with `*`",
            _ => "string",
        }
        .to_owned(),
    }
}

/// The comment in the code, on one line.
fn description(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
