//! All ways of signing, one row each: what a secret is given as, and which tool it reaches.

use std::process::Command;

use xtask_practice::{
    specimens::{self, Kind},
    tools,
};

use super::{
    case::Case,
    gpg::Gpg,
    project::{Project, read},
};

/// A way of signing.
struct Way {
    /// Programs without which there is nothing to try.
    needs: &'static [&'static str],
    /// Sets what a user would set.
    set: fn(&mut Case),
    /// What is to be signed, anew for each run.
    files: fn(&Case),
    /// The run.
    line: &'static str,
    /// Programs whose environment holds the secret: that is how they want it.
    knows: &'static [&'static str],
    /// Programs that fail badly once, and what they must be told for it, as a pattern.
    fails: &'static [(&'static str, &'static str)],
    /// Programs at whose work a run is killed, likewise.
    killed: &'static [(&'static str, &'static str)],
    /// The variable that holds something wrong once.
    wrong: Option<&'static str>,
    /// Whether it is tried with output for programs, too.
    json: bool,
}

/// The rows say what is different.
const WAY: Way = Way {
    needs: &[],
    set: |_| {},
    files: |_| {},
    line: "",
    knows: &[],
    fails: &[],
    killed: &[],
    wrong: None,
    json: true,
};
const WINDOWS: Way = Way {
    needs: &["osslsigncode", "openssl", "python3"],
    files: |case| case.write("a.exe", &specimens::pe()),
    line: "sign a.exe",
    ..WAY
};
const MACOS: Way = Way {
    needs: &["rcodesign", "openssl", "python3"],
    files: |case| case.write("tool", &specimens::macho(Kind::Program, 1)),
    line: "sign tool",
    ..WAY
};
const NOTARY: Way = Way {
    needs: MACOS.needs,
    files: |_| {},
    // The same bytes would not be submitted twice.
    line: "notarize submit image.dmg --resubmit",
    ..WAY
};
const MINISIGN: Way = Way {
    needs: &["minisign", "openssl", "python3"],
    files: |case| case.write("notes.txt", b"notes"),
    line: "sign notes.txt",
    ..WAY
};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

macro_rules! ways {
    ($($name:ident: $way:expr;)*) => {$(
        #[test]
        fn $name() {
            check(&$way);
        }
    )*};
}

ways! {
    slow_windows_pfx_by_its_path: Way {
        set: |case| {
            timestamps(case);
            let p12 = case.p12_that_all_read();
            case.project.set("WIN_CSC_LINK", p12.to_str().unwrap());
            case.secret("WIN_CSC_KEY_PASSWORD", &case.canary.clone());
        },
        fails: &[("osslsigncode", "")],
        killed: &[("osslsigncode", "")],
        wrong: Some("WIN_CSC_KEY_PASSWORD"),
        ..WINDOWS
    };
    slow_windows_pfx_in_base64: Way {
        set: |case| {
            timestamps(case);
            let p12 = case.p12_that_all_read();
            case.secret("CSC_LINK", &Case::base64(&p12));
            case.secret("CSC_KEY_PASSWORD", &case.canary.clone());
        },
        fails: &[("osslsigncode", "")],
        ..WINDOWS
    };
    slow_windows_pfx_in_files: Way {
        set: |case| {
            timestamps(case);
            let p12 = case.p12_that_all_read();
            case.secret_file("WIN_CSC_LINK", &Case::base64(&p12));
            case.secret_file("WIN_CSC_KEY_PASSWORD", &case.canary.clone());
        },
        fails: &[("osslsigncode", "")],
        ..WINDOWS
    };
    slow_windows_token: Way {
        needs: &["osslsigncode", "openssl", "python3", "softhsm2-util"],
        set: |case| {
            token(case);
            case.secret("PKCS11_PIN", "4711-canary-pin");
        },
        fails: &[("osslsigncode", "")],
        wrong: Some("PKCS11_PIN"),
        ..WINDOWS
    };
    slow_windows_token_with_its_pin_in_a_file: Way {
        needs: &["osslsigncode", "openssl", "python3", "softhsm2-util"],
        set: |case| {
            token(case);
            case.secret_file("PKCS11_PIN", "4711-canary-pin");
        },
        ..WINDOWS
    };
    slow_windows_azure: Way {
        set: |case| {
            azure(case);
            case.secret("AZURE_CLIENT_SECRET", &case.canary.clone());
        },
        knows: &["signtool"],
        fails: &[("signtool", "")],
        ..WINDOWS
    };
    slow_windows_azure_in_a_file: Way {
        set: |case| {
            azure(case);
            case.project.variables.retain(|it| it.0 != "AZURE_CLIENT_SECRET");
            case.secret_file("AZURE_CLIENT_SECRET", &case.canary.clone());
        },
        knows: &["signtool"],
        fails: &[("signtool", "")],
        ..WINDOWS
    };
    slow_windows_store: Way {
        set: |case| {
            let pem = case.pki.identity("leaf").certificate;
            let mut openssl = Command::new("openssl");
            openssl.args(["x509", "-noout", "-fingerprint", "-sha1", "-in"]).arg(pem);
            let hash = read(openssl).trim().rsplit('=').next().unwrap().replace(':', "");
            configure(case, &format!("thumbprint = \"{hash}\"\n"));
        },
        fails: &[("signtool", "")],
        ..WINDOWS
    };
    slow_windows_command_of_ones_own: Way {
        set: |case| {
            let (leaf, tsa) = (case.pki.identity("leaf"), case.pki.identity("tsa"));
            let script = case.own.join("cloud-signer");
            let text = format!(
                "test \"$CLOUD_HSM_PIN\" || exit 3\n\
                 osslsigncode sign -h sha256 -certs {} -key {} -TSA-certs {} -TSA-key {} \
                 -in \"$1\" -out \"$1.s\" && mv \"$1.s\" \"$1\"\n",
                leaf.chain.display(), leaf.key.display(), tsa.chain.display(), tsa.key.display()
            );
            std::fs::write(&script, text).unwrap();
            let command = format!("command = [\"sh\", \"{}\", \"%1\"]\n", script.display());
            configure(case, &(command + "command-env = [\"CLOUD_HSM_PIN\"]\n"));
            case.secret("CLOUD_HSM_PIN", &case.canary.clone());
        },
        knows: &["cloud-signer", "osslsigncode"],
        // What it calls has inherited its environment.
        fails: &[("osslsigncode", "")],
        ..WINDOWS
    };
    slow_macos_p12_by_its_path: Way {
        set: |case| {
            let p12 = case.p12_that_all_read();
            case.project.set("APPLE_CERTIFICATE", p12.to_str().unwrap());
            apple(case);
        },
        fails: &[("rcodesign", "")],
        killed: &[("rcodesign", "")],
        wrong: Some("APPLE_CERTIFICATE_PASSWORD"),
        ..MACOS
    };
    slow_macos_p12_in_base64: Way {
        set: |case| {
            let p12 = case.p12_that_all_read();
            case.secret("APPLE_CERTIFICATE", &Case::base64(&p12));
            apple(case);
        },
        ..MACOS
    };
    slow_macos_p12_in_files: Way {
        set: |case| {
            let p12 = case.p12_that_all_read();
            case.secret_file("APPLE_CERTIFICATE", &Case::base64(&p12));
            apple(case);
            case.project.variables.retain(|it| it.0 != "APPLE_CERTIFICATE_PASSWORD");
            case.secret_file("APPLE_CERTIFICATE_PASSWORD", &case.canary.clone());
        },
        ..MACOS
    };
    slow_macos_p12_that_openssl_takes_apart: Way {
        set: |case| {
            let p12 = case.p12(&[]);
            case.project.set("APPLE_CERTIFICATE", p12.to_str().unwrap());
            apple(case);
        },
        fails: &[("openssl", ""), ("rcodesign", "^sign")],
        killed: &[("openssl", ""), ("rcodesign", "^sign")],
        ..MACOS
    };
    slow_macos_keychain: Way {
        set: |case| {
            let p12 = case.p12_that_all_read();
            case.secret("APPLE_CERTIFICATE", &Case::base64(&p12));
            apple(case);
            case.project.configure("tool = \"codesign\"");
        },
        fails: &[
            ("security", "create-keychain"),
            ("security", "import"),
            ("security", "set-key-partition-list"),
        ],
        killed: &[("codesign", "")],
        wrong: Some("APPLE_CERTIFICATE_PASSWORD"),
        ..MACOS
    };
    slow_notary_with_rcodesign: Way {
        set: |case| {
            let key = notary(case);
            case.project.set("APPLE_API_KEY_PATH", key);
        },
        fails: &[("rcodesign", "")],
        killed: &[("rcodesign", "")],
        ..NOTARY
    };
    slow_notary_with_rcodesign_and_the_key_itself: Way {
        set: |case| {
            let key = notary(case);
            case.secret("APPLE_API_KEY_PATH", &std::fs::read_to_string(key).unwrap());
        },
        fails: &[("rcodesign", "")],
        ..NOTARY
    };
    slow_notary_with_notarytool: Way {
        set: |case| {
            let key = notary(case);
            case.secret("APPLE_API_KEY_PATH", &Case::base64(key.as_ref()));
            case.project.configure("tool = \"codesign\"");
        },
        fails: &[("xcrun", "")],
        killed: &[("xcrun", "")],
        ..NOTARY
    };
    slow_minisign_in_variables: Way {
        set: |case| {
            let key = minisign_key(case);
            case.project.set("TAURI_SIGNING_PRIVATE_KEY", key);
            case.secret("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", &case.canary.clone());
        },
        wrong: Some("TAURI_SIGNING_PRIVATE_KEY_PASSWORD"),
        ..MINISIGN
    };
    slow_minisign_in_files: Way {
        set: |case| {
            let key = minisign_key(case);
            case.project.set("TAURI_SIGNING_PRIVATE_KEY_FILE", key_file(case, &key));
            case.secret_file("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", &case.canary.clone());
        },
        json: false,
        ..MINISIGN
    };
    slow_linux_packages: Way {
        needs: &["gpg", "gpgv", "rpmsign", "rpm", "openssl", "python3"],
        set: |case| openpgp(case),
        files: |case| {
            for kind in ["deb", "rpm"] {
                let built = std::fs::read(case.project.product(&format!(".{kind}"))).unwrap();
                case.write(&format!("small.{kind}"), &built);
            }
        },
        line: "sign small.deb small.rpm",
        fails: &[("gpg", ""), ("rpmsign", "")],
        killed: &[("rpmsign", "")],
        wrong: Some("GPG_PASSPHRASE"),
        ..WAY
    };
    slow_linux_release: Way {
        needs: &["gpg", "gpgv", "rpmsign", "rpm", "minisign", "openssl", "python3"],
        set: |case| {
            let key = minisign_key(case);
            case.project.set("TAURI_SIGNING_PRIVATE_KEY", key);
            case.secret("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", &case.canary.clone());
            openpgp(case);
        },
        line: "dist --force=sign-installers --force=seal",
        fails: &[("gpg", "")],
        json: false,
        ..WAY
    };
}

/// Signs twice, once for people and once for programs; then lives through the bad days.
fn check(way: &Way) {
    let is_token = way.needs.contains(&"softhsm2-util");
    if !tools::have(way.needs) || is_token && !std::path::Path::new(MODULE).is_file() {
        return;
    }
    let is_linux = way.needs.contains(&"rpmsign");
    let project = if is_linux {
        Project::built()
    } else {
        Project::new()
    };
    let mut case = Case::new(project);
    case.knows = way.knows.into();
    (way.set)(&mut case);
    let line = way.line;
    let ready = |case: &Case| (way.files)(case);
    ready(&case);
    case.silent(&format!("{line} --verbose"));
    for (program, when) in way.fails {
        ready(&case);
        case.fails_with(line, program, when);
    }
    for (program, when) in way.killed {
        ready(&case);
        case.killed_in(line, program, when);
        ready(&case);
        case.silent(&format!("{line} --format json"));
    }
    if way.killed.is_empty() && way.json {
        ready(&case);
        case.silent(&format!("{line} --format json"));
    }
    if let Some(name) = way.wrong {
        case.secret(name, "wr0ng canary of signing");
        ready(&case);
        case.fails(&format!("{line} --verbose"));
    }
}

/// Adds to `[sign.windows]`.
fn configure(case: &Case, lines: &str) {
    let server = case.server.url();
    case.project.configure(&format!(
        "[sign.windows]\npatience = \"5s\"\ntimestamp-servers = [\"{server}\"]\n{lines}"
    ));
}

fn timestamps(case: &Case) {
    configure(case, "");
}

/// A token with the PIN 4711-canary-pin.
fn token(case: &mut Case) {
    let pin = "4711-canary-pin";
    let tokens = case.own.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let settings = case.own.join("softhsm.conf");
    let text = format!("directories.tokendir = {}\n", tokens.display());
    std::fs::write(&settings, text).unwrap();
    let leaf = case.pki.identity("leaf");
    let key = leaf.key.display();
    for words in [
        format!("--init-token --free --label T --pin {pin} --so-pin 12345678"),
        format!("--import {key} --token T --label O --id 01 --pin {pin}"),
    ] {
        let mut command = Command::new("softhsm2-util");
        command
            .args(words.split(' '))
            .env("SOFTHSM2_CONF", &settings);
        tools::run(&mut command).unwrap();
    }
    case.project
        .set("SOFTHSM2_CONF", settings.to_str().unwrap());
    let chain = leaf.chain.display();
    configure(
        case,
        &format!(
            "[sign.windows.pkcs11]\nmodule = \"{MODULE}\"\n\
             key = \"pkcs11:token=T;object=O;type=private\"\ncertificate = \"{chain}\"\n"
        ),
    );
}

fn azure(case: &mut Case) {
    let (dlib, metadata) = (case.own.join("Azure.dll"), case.own.join("metadata.json"));
    std::fs::write(&dlib, "MZ").unwrap();
    let account =
        r#"{"Endpoint": "e", "CodeSigningAccountName": "a", "CertificateProfileName": "p"}"#;
    std::fs::write(&metadata, account).unwrap();
    let (dlib, metadata) = (dlib.display(), metadata.display());
    configure(
        case,
        &format!("[sign.windows.azure]\ndlib = \"{dlib}\"\nmetadata = \"{metadata}\"\n"),
    );
}

fn apple(case: &mut Case) {
    let server = case.server.url();
    case.project
        .configure(&format!("[sign.macos]\ntimestamp-server = \"{server}\""));
    case.secret("APPLE_CERTIFICATE_PASSWORD", &case.canary.clone());
}

/// A signed disk image, and a login but for the key, whose file this is.
fn notary(case: &mut Case) -> String {
    let p12 = case.p12_that_all_read();
    case.project.set("APPLE_CERTIFICATE", p12.to_str().unwrap());
    apple(case);
    case.write("image.dmg", &specimens::dmg());
    case.silent("sign image.dmg");
    case.notary_login().to_str().unwrap().to_owned()
}

/// A minisign key that the canary opens, as the text of its file.
fn minisign_key(case: &mut Case) -> String {
    let (key, public) = (case.own.join("minisign.key"), case.own.join("minisign.pub"));
    let mut make = Command::new("sh");
    // minisign asks twice.
    make.args([
        "-c",
        "printf '%s\\n%s\\n' \"$CANARY\" \"$CANARY\" | minisign -G -s \"$0\" -p \"$1\"",
    ]);
    make.arg(&key).arg(public).env("CANARY", &case.canary);
    read(make);
    let text = std::fs::read_to_string(key).unwrap();
    // Its first line is a comment that all keys have.
    case.guard(text.lines().nth(1).unwrap());
    text
}

/// A key that the canary opens, and packages that it signs.
fn openpgp(case: &mut Case) {
    let gpg = Gpg::new(case.own.join("gpg"), &case.canary);
    gpg.forget();
    // Or a wrong passphrase would do, too.
    std::fs::write(
        gpg.0.join("gpg-agent.conf"),
        "default-cache-ttl 0\nmax-cache-ttl 0\n",
    )
    .unwrap();
    case.project.set("GNUPGHOME", gpg.0.to_str().unwrap());
    case.secret("GPG_PASSPHRASE", &case.canary.clone());
    case.project.configure(&format!(
        "[sign.gpg]\nkey = \"{}\"\n[sign.linux]\ndeb = true\nrpm = true\n",
        gpg.fingerprint()
    ));
}

fn key_file(case: &Case, text: &str) -> String {
    let file = case.own.join("key");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}
