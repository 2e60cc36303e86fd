//! What is found in repositories of several habits.

use expect_test::expect;

use super::{PLAIN, resolved};

#[test]
fn plain_repository() {
    resolved(
        &PLAIN,
        &[
            "root", "file", "product", "frontend", "app", "sidecars", "bundle", "archive", "sign",
            "release", "limits", "test", "tauri", "warnings",
        ],
        expect![[r#"
            root: "ROOT"
            file: null
            product: {"identifier":"org.example.plain","name":"Plain","version":"1.2.3"}
            frontend: {"dir":"ROOT","lock":"ROOT/package-lock.json","out":"ROOT/dist","package-manager":"npm","script":"build","sources":{"env":["NODE_ENV","VITE_*"],"exclude":[],"inputs":[]}}
            app: {"cargo-args":[],"dir":"ROOT/src-tauri","features":[],"package":"plain","profile":"release","sources":{"env":["RUSTFLAGS","CARGO_ENCODED_RUSTFLAGS","CARGO_BUILD_*","CARGO_PROFILE_*"],"exclude":[],"inputs":[]}}
            sidecars: []
            bundle: {"appimage":{"runtime":null,"runtime-sha256":[]},"cli":{"node-module":"ROOT"},"linux":["deb","rpm"],"macos":["app","dmg"],"windows":["nsis"],"windows-installer":{"inno-compiler":null,"inno-template":null,"nsis-bundler":null,"nsis-template":null,"scope":"user","shortcuts":["start-menu"],"user-data":"ask","webview2":null}}
            archive: {"files":[]}
            sign: {"gpg":null,"linux":{"deb":false,"rpm":false},"macos":{"certificate":{"env":"APPLE_CERTIFICATE","password-env":"APPLE_CERTIFICATE_PASSWORD"},"entitlements":null,"files":[],"identity":null,"notarize":true,"notarize-timeout":"30m","timestamp":"rfc3161","timestamp-server":"http://timestamp.apple.com/ts01","tool":"auto","trust":null},"minisign":{"key-env":"TAURI_SIGNING_PRIVATE_KEY","password-env":"TAURI_SIGNING_PRIVATE_KEY_PASSWORD","public-key":null},"sidecar-hashes":false,"windows":{"command-env":[],"description":null,"identity":{"file":{"env":"WIN_CSC_LINK","password-env":"WIN_CSC_KEY_PASSWORD"}},"leave-signed-by":[],"patience":"10m","publisher":null,"revoked":[],"timestamp":"rfc3161","timestamp-servers":["http://timestamp.acs.microsoft.com","http://timestamp.digicert.com","http://timestamp.sectigo.com"],"timestamp-trust":null,"tool":"auto","trust":null,"url":null}}
            release: {"dir":"ROOT/release","tag":null,"targets":[]}
            limits: {"step-timeout":"2h"}
            test: {"layouts":[],"platforms":[],"ready-line":null,"ready-timeout":"1m","window-title":null}
            tauri: {"cargo-binary":"plain","external-bin":[],"file":"ROOT/src-tauri/tauri.conf.json","frontend-dist":"ROOT/dist","identifier":"org.example.plain","main-binary":"plain","minimum-macos":"10.13","product-name":"Plain","updater-pubkey":null,"version":"1.2.3"}
            warnings: ["there is no packaging/dist.toml: conventions decide everything"]
        "#]],
    );
}

#[test]
fn conventional_sidecar() {
    let files = [
        (
            "packaging/dist.toml",
            "[[sidecar]]\nname = 'tool'\n[sidecar.nuitka]\nargs = ['--lto=no']\n[sign.gpg]\nkey = '0123 4567 89ab cdef 0123 4567 89ab cdef 0123 4567'",
        ),
        ("LICENSE-MIT", ""),
        ("README.md", ""),
    ];
    resolved(
        &[&PLAIN[..], &files].concat(),
        &["sidecars", "archive", "sign"],
        expect![[r#"
            sidecars: [{"data":[],"dir":"ROOT/sidecar","entry":"ROOT/sidecar/main.py","exclude-modules":[],"freezers":["nuitka","pyinstaller"],"layout":"onefile","lock":"ROOT/sidecar/requirements.txt","max-startup":null,"metadata":{"company":null,"copyright":null,"description":null},"modules":[],"name":"tool","nuitka-args":["--lto=no"],"packages":[],"probe":[],"pyinstaller-args":[],"python":null,"ready-timeout":"30s","sources":{"env":["CC","CFLAGS","LDFLAGS"],"exclude":[],"inputs":[]},"time-budget":"30m","trial":{"launches":20,"max-failures":10}}]
            archive: {"files":["ROOT/LICENSE-MIT","ROOT/README.md"]}
            sign: {"gpg":{"key":"0123456789ABCDEF0123456789ABCDEF01234567","passphrase-env":"GPG_PASSPHRASE","public-key":null},"linux":{"deb":false,"rpm":false},"macos":{"certificate":{"env":"APPLE_CERTIFICATE","password-env":"APPLE_CERTIFICATE_PASSWORD"},"entitlements":null,"files":[],"identity":null,"notarize":true,"notarize-timeout":"30m","timestamp":"rfc3161","timestamp-server":"http://timestamp.apple.com/ts01","tool":"auto","trust":null},"minisign":{"key-env":"TAURI_SIGNING_PRIVATE_KEY","password-env":"TAURI_SIGNING_PRIVATE_KEY_PASSWORD","public-key":null},"sidecar-hashes":false,"windows":{"command-env":[],"description":null,"identity":{"file":{"env":"WIN_CSC_LINK","password-env":"WIN_CSC_KEY_PASSWORD"}},"leave-signed-by":[],"patience":"10m","publisher":null,"revoked":[],"timestamp":"rfc3161","timestamp-servers":["http://timestamp.acs.microsoft.com","http://timestamp.digicert.com","http://timestamp.sectigo.com"],"timestamp-trust":null,"tool":"auto","trust":null,"url":null}}
        "#]],
    );
}

#[test]
fn workspace_with_pnpm() {
    let files = [
        ("pnpm-lock.yaml", ""),
        (
            "package.json",
            r#"{"devDependencies": {"@tauri-apps/cli": "2"}}"#,
        ),
        (
            "apps/desktop/package.json",
            r#"{"version": "3.0.0-rc.1", "scripts": {"build": "vite build"}}"#,
        ),
        (
            "apps/desktop/src-tauri/tauri.conf.json",
            r#"{"version": "../package.json", "identifier": "a.b", "mainBinaryName": "desk", "build": {"frontendDist": "../dist"}, "bundle": {"externalBin": ["binaries/tool", "binaries/there"]}, "plugins": {"updater": {"pubkey": "abc"}}}"#,
        ),
        (
            "apps/desktop/src-tauri/Cargo.toml",
            "[package]\nname = 'host'\nversion.workspace = true\n[[bin]]\nname = 'host-bin'",
        ),
        (
            "apps/desktop/src-tauri/binaries/there-x86_64-unknown-linux-gnu",
            "",
        ),
    ];
    resolved(
        &files,
        &[
            "file", "product", "frontend", "bundle", "release", "tauri", "warnings",
        ],
        expect![[r#"
            file: null
            product: {"identifier":"a.b","name":"host","version":"3.0.0-rc.1"}
            frontend: {"dir":"ROOT/apps/desktop","lock":"ROOT/pnpm-lock.yaml","out":"ROOT/apps/desktop/dist","package-manager":"pnpm","script":"build","sources":{"env":["NODE_ENV","VITE_*"],"exclude":[],"inputs":[]}}
            bundle: {"appimage":{"runtime":null,"runtime-sha256":[]},"cli":{"node-module":"ROOT"},"linux":["deb","rpm"],"macos":["app","dmg"],"windows":["nsis"],"windows-installer":{"inno-compiler":null,"inno-template":null,"nsis-bundler":null,"nsis-template":null,"scope":"user","shortcuts":["start-menu"],"user-data":"ask","webview2":null}}
            release: {"dir":"ROOT/dist","tag":null,"targets":[]}
            tauri: {"cargo-binary":"host-bin","external-bin":["ROOT/apps/desktop/src-tauri/binaries/tool","ROOT/apps/desktop/src-tauri/binaries/there"],"file":"ROOT/apps/desktop/src-tauri/tauri.conf.json","frontend-dist":"ROOT/apps/desktop/dist","identifier":"a.b","main-binary":"desk","minimum-macos":"10.13","product-name":null,"updater-pubkey":"abc","version":"3.0.0-rc.1"}
            warnings: ["there is no packaging/dist.toml: conventions decide everything","apps/desktop/src-tauri/tauri.conf.json expects the executable `apps/desktop/src-tauri/binaries/tool`, but no `[[sidecar]]` has the name `tool`"]
        "#]],
    );
}

#[test]
fn static_frontend_with_cargo() {
    let files = [
        (
            "packaging/dist.toml",
            "[product]\nversion = '0.9.0'\n[archive]\nenabled = false\n",
        ),
        ("Cargo.toml", "[workspace.package]\nversion = '0.8.0'"),
        (
            "app/src-tauri/Tauri.toml",
            "product-name = 'Static'\nidentifier = 'a.b'\n[build]\nfrontend-dist = '../public'",
        ),
        (
            "app/src-tauri/Cargo.toml",
            "[package]\nname = 'host'\nversion.workspace = true",
        ),
    ];
    resolved(
        &files,
        &[
            "product", "frontend", "bundle", "archive", "release", "tauri", "warnings",
        ],
        expect![[r#"
            product: {"identifier":"a.b","name":"Static","version":"0.9.0"}
            frontend: null
            bundle: {"appimage":{"runtime":null,"runtime-sha256":[]},"cli":{"command":["cargo","tauri"]},"linux":["deb","rpm"],"macos":["app","dmg"],"windows":["nsis"],"windows-installer":{"inno-compiler":null,"inno-template":null,"nsis-bundler":null,"nsis-template":null,"scope":"user","shortcuts":["start-menu"],"user-data":"ask","webview2":null}}
            archive: null
            release: {"dir":"ROOT/dist","tag":null,"targets":[]}
            tauri: {"cargo-binary":"host","external-bin":[],"file":"ROOT/app/src-tauri/Tauri.toml","frontend-dist":"ROOT/app/public","identifier":"a.b","main-binary":"host","minimum-macos":"10.13","product-name":"Static","updater-pubkey":null,"version":null}
            warnings: ["the release is 0.9.0, but the app calls itself 0.8.0"]
        "#]],
    );
}

#[test]
fn frontend_is_switched_off() {
    let conf = r#"{"identifier": "a.b", "build": {"frontendDist": "https://example.org"}}"#;
    let files = [
        (
            "packaging/dist.toml",
            "[frontend]\nenabled = false\n[release]\ndir = 'out'",
        ),
        ("src-tauri/tauri.conf.json", conf),
    ];
    let sections = ["product", "frontend", "bundle", "release"];
    resolved(
        &[&PLAIN[..], &files].concat(),
        &sections,
        expect![[r#"
            product: {"identifier":"a.b","name":"plain","version":"0.0.0"}
            frontend: null
            bundle: {"appimage":{"runtime":null,"runtime-sha256":[]},"cli":{"node-module":"ROOT"},"linux":["deb","rpm"],"macos":["app","dmg"],"windows":["nsis"],"windows-installer":{"inno-compiler":null,"inno-template":null,"nsis-bundler":null,"nsis-template":null,"scope":"user","shortcuts":["start-menu"],"user-data":"ask","webview2":null}}
            release: {"dir":"ROOT/out","tag":null,"targets":[]}
        "#]],
    );
}

#[test]
fn configuration_of_the_host_in_json5() {
    let conf = "// The app.\n{\n  productName: 'Fünf', identifier: 'a.b',\n  build: {frontendDist: '../public',},\n  \
                bundle: {externalBin: ['binaries/tool']}, /* no more */\n}\n";
    let manifest = "[package]\nname = 'host'\nversion = '0.5.0'";
    let files = [
        ("src-tauri/tauri.conf.json5", conf),
        ("src-tauri/Cargo.toml", manifest),
    ];
    resolved(
        &files,
        &["product", "tauri"],
        expect![[r#"
            product: {"identifier":"a.b","name":"Fünf","version":"0.5.0"}
            tauri: {"cargo-binary":"host","external-bin":["ROOT/src-tauri/binaries/tool"],"file":"ROOT/src-tauri/tauri.conf.json5","frontend-dist":"ROOT/public","identifier":"a.b","main-binary":"host","minimum-macos":"10.13","product-name":"Fünf","updater-pubkey":null,"version":null}
        "#]],
    );
    // Where it is not even JSON5, it says where.
    let broken = [
        ("src-tauri/tauri.conf.json5", "{\n  identifier: 5,\n}\n"),
        ("src-tauri/Cargo.toml", manifest),
    ];
    expect![[r#"
        the configuration has a problem

        src-tauri/tauri.conf.json5:2:15: invalid type: integer `5`, expected a string
          |
        2 |   identifier: 5,
          |               ^"#]]
    .assert_eq(&super::load(&broken).unwrap_err());
    let broken = [
        (
            "src-tauri/tauri.conf.json5",
            "{\n  identifier: 'a.b'\n  version: '1.0.0'\n}\n",
        ),
        ("src-tauri/Cargo.toml", manifest),
    ];
    expect![[r#"
        the configuration has a problem

        src-tauri/tauri.conf.json5:2:20: Expected comma
          |
        2 |   identifier: 'a.b'
          |                    ^"#]]
    .assert_eq(&super::load(&broken).unwrap_err());
}
