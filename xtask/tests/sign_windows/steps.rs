//! The steps of the pipeline, over files as a build for Windows leaves them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::Result;
use expect_test::expect;
use fs_err as fs;
use serde_json::json;
use xtask::{
    config::{NsisBundler, WindowsIdentity},
    engine::{
        event::{Event, Events, Reporter, Stamped},
        probe::Probes,
        secret::Redactor,
        staging::Staging,
        step::{Context, Done, Step},
    },
    manifest::Identity,
    release::{Release, SigningWish},
    sign::{
        format::Format,
        plan::{self, File, Role},
        secrets::Secrets,
        windows,
    },
    steps::{
        app::Host,
        bundle::{Installer, Installers},
        sidecar::Frozen,
        sign_code::SignCode,
        sign_installers::SignInstallers,
    },
};
use xtask_practice::{pki::PASSWORD, specimens};

use super::{
    case::{Case, done},
    frozen,
    project::{KEY, PASSWORD as KEY_PASSWORD},
};

/// What a step says of itself.
#[derive(Clone, Default)]
struct Facts(Arc<Mutex<String>>);

impl Reporter for Facts {
    fn report(&mut self, stamped: &Stamped) {
        let line = match &stamped.event {
            Event::Fact { key, value, .. } => format!("{key}: {value}\n"),
            Event::Note { text, .. } => format!("note: {text}\n"),
            _ => return,
        };
        self.0.lock().unwrap().push_str(&line);
    }
}

impl Case {
    pub fn release(&self, wish: SigningWish) -> Release {
        let probes = Probes::open(PathBuf::new());
        let (target, redactor) = (
            "x86_64-pc-windows-msvc".parse().unwrap(),
            Redactor::default(),
        );
        let (config, state) = (self.config.clone(), self.state());
        Release::new(config, target, wish, &state, &probes, &redactor).unwrap()
    }

    /// With these variables.
    pub fn signed_release(&self, variables: &[(&str, &str)]) -> Release {
        let mut release = self.release(SigningWish::Any);
        let secrets = Secrets::of(Redactor::default(), variables);
        release
            .find_windows_signer(&self.state(), secrets, false)
            .unwrap();
        release
    }

    /// The step's output, with what it said.
    pub fn step<S: Step>(&self, step: &S) -> (S::Output, Staging, String) {
        let (output, out, said) = self.try_step(step);
        (output.unwrap(), out, said)
    }

    /// The same of a step that may fail.
    pub fn try_step<S: Step>(&self, step: &S) -> (Result<S::Output>, Staging, String) {
        let facts = Facts::default();
        let events = Events::new(vec![Box::new(facts.clone())]);
        let out = Staging::create(&self.root().join("staging"), S::ID).unwrap();
        let run = |cx: &Context| -> Result<_> {
            step.inputs(cx)?;
            step.run(cx, &out)
        };
        let output = frozen::in_session(self.root(), events, &Arc::default(), run);
        let said = facts.0.lock().unwrap().clone();
        (output, out, self.filtered(&said))
    }

    fn app(&self) -> Done<Host> {
        self.pe("app/small.exe");
        self.pe("app/helper.exe");
        let (main, others) = ("small.exe".to_owned(), vec!["helper.exe".to_owned()]);
        done(
            self.root().join("app"),
            "app",
            Host {
                main,
                others,
                libraries: Vec::new(),
            },
        )
    }

    /// A folder with libraries of its own, of somebody else, and with what is none.
    fn sidecar(&self) -> Done<Frozen> {
        self.pe("sidecar/x/x.exe");
        self.pe("sidecar/x/lib/deep/own.pyd");
        self.pe("sidecar/x/lib/no-suffix");
        let theirs = self.pe("sidecar/x/lib/python3.dll");
        self.sign(&self.signer("other"), &theirs);
        fs::write(
            self.root().join("sidecar/x/lib/fake.dll"),
            "MZ, but no more\n",
        )
        .unwrap();
        fs::write(self.root().join("sidecar/x/data.txt"), "data\n").unwrap();
        let frozen = serde_json::from_value(json!({
            "name": "x",
            "executable": "x/x.exe",
            "folder": "x",
            "freezer": "pyinstaller",
            "because": null,
            "layout": "folder",
            "version": null,
        }));
        done(self.root().join("sidecar"), "sidecar:x", frozen.unwrap())
    }
}

fn leaf(case: &Case) -> String {
    case.pki
        .identity("leaf")
        .p12_with_chain
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn every_program_of_the_stage_is_signed() {
    let Some(case) = Case::new() else { return };
    let p12 = leaf(&case);
    let variables = [("WIN_CSC_LINK", &*p12), ("WIN_CSC_KEY_PASSWORD", PASSWORD)];
    let release = case.signed_release(&variables);
    let (app, sidecar) = (case.app(), case.sidecar());
    let before = fs::read(sidecar.path("x/lib/python3.dll")).unwrap();
    let step = SignCode::new(&release, app.clone(), std::slice::from_ref(&sidecar));
    let (code, out, said) = case.step(&step);
    assert_eq!(code.sidecars[0].executable, "sidecars/x/x.exe");
    assert_eq!(code.left_alone, ["sidecars/x/lib/python3.dll"]);
    let of = |name: &str| {
        let read = case.read(&out.path().join(name));
        read[0].fingerprint.clone().unwrap()
    };
    let (certificate, theirs) = (&of("small.exe"), of("sidecars/x/lib/python3.dll"));
    expect![[r#"
        signature: Authenticode by Practice Publisher (certificate [HASH]), timestamp by Practice Timestamps, 5 files
        left alone, signed by others: Practice Other Publisher (certificate [THEIRS]): sidecars/x/lib/python3.dll
    "#]]
    .assert_eq(&said.replace(certificate, "[HASH]").replace(&theirs, "[THEIRS]"));
    for (name, signer) in [
        ("small.exe", "Practice Publisher"),
        ("helper.exe", "Practice Publisher"),
        ("sidecars/x/x.exe", "Practice Publisher"),
        ("sidecars/x/lib/deep/own.pyd", "Practice Publisher"),
        ("sidecars/x/lib/no-suffix", "Practice Publisher"),
        ("sidecars/x/lib/python3.dll", "Practice Other Publisher"),
    ] {
        let read = case.read(&out.path().join(name));
        let [signed] = &*read else {
            panic!("{name}: {read:?}")
        };
        assert_eq!(
            (signed.signer.as_deref(), &*signed.problems),
            (Some(signer), &[][..]),
            "{name}"
        );
    }
    assert_eq!(
        fs::read(out.path().join("sidecars/x/lib/python3.dll")).unwrap(),
        before
    );
    // A step never changes another step's files.
    app.copy_to("small.exe", &case.root().join("copy")).unwrap();
    assert!(case.read(&case.root().join("copy")).is_empty());
    // Nothing else lies in the stage: no copy, no private file.
    assert_eq!(count(out.path()), 8);
}

/// An outage in the middle costs no second signature, and what did not change keeps its bytes.
#[test]
fn what_is_signed_stays_signed_in_the_next_run() {
    let Some(mut case) = Case::new() else { return };
    let p12 = leaf(&case);
    let variables = [("WIN_CSC_LINK", &*p12), ("WIN_CSC_KEY_PASSWORD", PASSWORD)];
    let release = case.signed_release(&variables);
    let (app, sidecar) = (case.app(), case.sidecar());
    let sidecars = std::slice::from_ref(&sidecar);
    let asked = || case.server.requests().unwrap();
    let (_, out, _) = case.step(&SignCode::new(&release, app.clone(), sidecars));
    let (before, first) = (asked(), fs::read(out.path().join("small.exe")).unwrap());
    // One file changes.
    let mut bytes = specimens::pe();
    bytes[0x300] ^= 1;
    fs::write(case.root().join("app/helper.exe"), bytes).unwrap();
    let app = done(case.root().join("app"), "app", app.output);
    let (_, out, said) = case.step(&SignCode::new(&release, app.clone(), sidecars));
    assert_eq!(asked() - before, 1, "only the one that changed");
    assert!(fs::read(out.path().join("small.exe")).unwrap() == first);
    let kept = "signed in an earlier run: 4 of these, which have not changed since\n";
    assert!(said.contains(kept), "{said}");
    // What lies in the cache is not believed: here, another program that this key signed, too.
    let cache = case.root().join("state/cache/signed-for-windows");
    let all = fs::read_dir(&cache).unwrap().map(|it| it.unwrap().path());
    let all: Vec<_> = all.collect();
    assert_eq!(
        all.len(),
        5,
        "what is signed by others is not kept, nor what changed"
    );
    let helper = fs::read(out.path().join("helper.exe")).unwrap();
    all.iter().for_each(|it| fs::write(it, &helper).unwrap());
    let before = asked();
    let (_, out, _) = case.step(&SignCode::new(&release, app.clone(), sidecars));
    assert!(
        case.read(&out.path().join("small.exe"))[0]
            .problems
            .is_empty()
    );
    assert!(fs::read(out.path().join("small.exe")).unwrap() != helper);
    assert_eq!(asked() - before, 4, "all but the one whose copy it is");
    // Nor the same program, signed by another.
    let other = case.root().join("small.exe");
    fs::copy(app.path("small.exe"), &other).unwrap();
    case.sign(&case.signer("ec"), &other);
    for it in &all {
        fs::copy(&other, it).unwrap();
    }
    let (_, out, _) = case.step(&SignCode::new(&release, app.clone(), sidecars));
    let signer = &case.read(&out.path().join("small.exe"))[0].signer;
    assert_eq!(signer.as_deref(), Some("Practice Publisher"));
    // Another name for people is another signature.
    let before = asked();
    case.config.sign.windows.description = Some("Other".to_owned());
    let release = case.signed_release(&variables);
    case.step(&SignCode::new(&release, app, &[]));
    assert_eq!(case.server.requests().unwrap() - before, 2);
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    entries
        .map(|it| if it.is_dir() { count(&it) } else { 1 })
        .sum()
}

#[test]
fn installers_are_signed_before_they_are_hashed() {
    let Some(case) = Case::new() else { return };
    let p12 = leaf(&case);
    let variables = [("WIN_CSC_LINK", &*p12), ("WIN_CSC_KEY_PASSWORD", PASSWORD)];
    let release = case.signed_release(&variables);
    case.pe("bundle/setup.exe");
    let installers = Installers {
        installers: vec![Installer {
            certificate: None,
            file: "setup.exe".to_owned(),
            kind: "nsis".to_owned(),
            contents: Vec::new(),
            gap: None,
        }],
    };
    let installers = done(case.root().join("bundle"), "bundle", installers);
    let (signed, out, _) = case.step(&SignInstallers::new(&release, installers));
    let read = case.read(&out.path().join("setup.exe"));
    let inside = &signed.installers[0].signatures[0];
    expect!["authenticode"].assert_eq(inside.kind.as_str());
    assert_eq!(inside.file, None);
    assert_eq!(Some(&inside.key_id), read[0].fingerprint.as_ref());
    // The updater's signature is over the signed bytes.
    let kinds: Vec<_> = signed.installers[0]
        .signatures
        .iter()
        .map(|it| it.kind.as_str())
        .collect();
    assert_eq!(kinds, ["authenticode", "minisign", "tauri-updater"]);
    let signature = fs::read_to_string(out.path().join("setup.exe.minisig")).unwrap();
    let key = release.signer.as_ref().unwrap().public_key().line();
    let key = minisign::PublicKey::from_base64(&key).unwrap();
    let signature = minisign::SignatureBox::from_string(&signature).unwrap();
    let bytes = fs::read(out.path().join("setup.exe")).unwrap();
    minisign::verify(
        &key,
        &signature,
        std::io::Cursor::new(bytes),
        true,
        false,
        false,
    )
    .unwrap();
}

#[test]
fn a_fingerprint_holds_key_and_policy_but_no_server() {
    let Some(mut case) = Case::new() else { return };
    let (p12, other) = (leaf(&case), case.pki.identity("ec").p12_with_chain);
    let parameters = |case: &Case, file: &str| {
        let variables = [("WIN_CSC_LINK", file), ("WIN_CSC_KEY_PASSWORD", PASSWORD)];
        let release = case.signed_release(&variables);
        let signer = release.windows.as_ref().unwrap();
        let step = SignCode::new(&release, case.app(), &[]);
        let step = serde_json::to_value(&step).unwrap()["authenticode"].to_string();
        format!("{step} {}", signer.identity_input(case).unwrap())
    };
    let first = parameters(&case, &p12);
    assert!(
        first.starts_with(r#"{"description":"small","timestamp":"rfc3161","url":null} "#),
        "{first}"
    );
    case.config.sign.windows.timestamp_servers = vec!["http://127.0.0.1:9".to_owned()];
    assert_eq!(parameters(&case, &p12), first, "servers decide nothing");
    assert_ne!(
        parameters(&case, other.to_str().unwrap()),
        first,
        "another certificate"
    );
    case.config.sign.windows.timestamp = xtask::config::Timestamping::None;
    assert_ne!(parameters(&case, &p12), first, "no timestamp");
}

#[test]
fn without_a_certificate_the_release_says_what_is_missing() {
    let Some(mut case) = Case::new() else { return };
    let release = case.signed_release(&[]);
    expect![[r#"
        [
            "not signed for Windows (Authenticode): no certificate is set",
        ]
    "#]]
    .assert_debug_eq(&release.gaps());
    let (_, out, said) = case.step(&SignCode::new(&release, case.app(), &[]));
    assert_eq!(said, "");
    assert!(case.read(&out.path().join("small.exe")).is_empty());
    case.config.sign.windows.identity = WindowsIdentity::Store("0".repeat(40));
    let release = case.signed_release(&[]);
    assert_eq!(release.identity, Identity::Development);
    expect![[r#"
        [
            "not signed for Windows (Authenticode): the key signs only what a release identity signs",
        ]
    "#]]
    .assert_debug_eq(&release.gaps());
    case.config.sign.windows.identity = Case::new().unwrap().config.sign.windows.identity;
    let mut release = case.release(SigningWish::Any);
    release.strict = true;
    let secrets = Secrets::of(Redactor::default(), &[]);
    let error = release
        .find_windows_signer(&case.state(), secrets, false)
        .unwrap_err();
    expect![[r#"
        --release wants a certificate that signs for Windows, but none is configured
        hint: export WIN_CSC_LINK and WIN_CSC_KEY_PASSWORD, or see "Windows" in docs/signing.md for other ways"#]]
    .assert_eq(&error.to_string());
    let release = case.release(SigningWish::Unsigned);
    expect![[r#"
        [
            "not signed for Windows (Authenticode): --unsigned was given",
        ]
    "#]]
    .assert_debug_eq(&release.gaps());
}

#[test]
fn the_plan_says_what_would_be_signed_and_touches_nothing() {
    let Some(mut case) = Case::new() else { return };
    case.config.bundle.windows_installer.nsis_bundler = Some(NsisBundler::Tauri);
    let p12 = leaf(&case);
    let variables = [("WIN_CSC_LINK", &*p12), ("WIN_CSC_KEY_PASSWORD", PASSWORD)];
    let file = |name: &str, path: Option<PathBuf>, format| File {
        name: name.to_owned(),
        role: if path.is_some() {
            Role::Loose
        } else {
            Role::Installer
        },
        path,
        format,
    };
    let theirs = case.pe("theirs.dll");
    case.sign(&case.signer("other"), &theirs);
    let other = case.read(&theirs)[0].fingerprint.clone().unwrap();
    fs::remove_dir_all(case.state()).unwrap();
    let files = [
        file("app.exe", Some(case.pe("app.exe")), Format::Pe),
        file("theirs.dll", Some(theirs), Format::Pe),
        file("setup.exe", None, Format::Pe),
        file("setup.msi", None, Format::Msi),
        file("notes.txt", None, Format::Other),
    ];
    let shown = |release: &Release| {
        let mut rows = windows::plan_bundle(release, None, &files[2..4]).unwrap();
        rows.extend(windows::plan(release, &files).unwrap());
        let rows = plan::cells(&rows)
            .into_iter()
            .map(|it| it.join(" | ") + "\n");
        rows.collect::<String>().replace(&other[..16], "[HASH]")
    };
    let release = case.signed_release(&variables);
    let before = fs::read(case.root().join("app.exe")).unwrap();
    expect![[r#"
        1 | bundle | setup.exe: the host | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | the kind of installer is written into it
        2 | bundle | setup.exe: NSIS' plug-ins | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | the bundler packs it, and has it signed before
        3 | bundle | setup.exe: the uninstaller | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | the bundler packs it, and has it signed before
        4 | bundle | setup.exe | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | the bundler has it signed when it is made
        5 | bundle | setup.msi: the host | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | the kind of installer is written into it
        6 | bundle | setup.msi | MSI | sign | certificate in WIN_CSC_LINK | osslsigncode |  | the bundler has it signed when it is made
        7 | sign | app.exe | PE | sign | certificate in WIN_CSC_LINK | osslsigncode |  | it has no signature
        8 | sign | theirs.dll | PE | leave alone | Practice Other Publisher ([HASH]…) |  |  | it carries a valid signature of Practice Other Publisher
        9 | sign-installers | setup.exe | PE | leave alone |  |  |  | the bundler had it signed; what it left unsigned is signed here
        10 | sign-installers | setup.msi | MSI | leave alone |  |  |  | the bundler had it signed; what it left unsigned is signed here
    "#]]
    .assert_eq(&shown(&release));
    assert!(fs::read(case.root().join("app.exe")).unwrap() == before);
    // Only what signing leaves behind tells whose certificate it is.
    let signer = release.windows.as_ref().unwrap();
    let fingerprint = signer.certificate(&case).unwrap();
    let identity = format!("Practice Publisher ({}…)", &fingerprint[..16]);
    assert!(shown(&case.signed_release(&variables)).contains(&identity));
    expect![[r#"
        1 | sign | app.exe | PE | NOT signed |  |  |  | not signed for Windows (Authenticode): no certificate is set
        2 | sign | theirs.dll | PE | leave alone | Practice Other Publisher ([HASH]…) |  |  | it carries a valid signature of Practice Other Publisher
        3 | sign-installers | setup.exe | PE | NOT signed |  |  |  | not signed for Windows (Authenticode): no certificate is set
        4 | sign-installers | setup.msi | MSI | NOT signed |  |  |  | not signed for Windows (Authenticode): no certificate is set
    "#]]
    .assert_eq(&shown(&case.signed_release(&[])));
}

#[test]
fn a_release_says_that_no_timestamp_was_wanted() {
    let Some(mut case) = Case::new() else { return };
    let p12 = leaf(&case);
    let variables = [("WIN_CSC_LINK", &*p12), ("WIN_CSC_KEY_PASSWORD", PASSWORD)];
    assert!(case.signed_release(&variables).gaps().is_empty());
    case.config.sign.windows.timestamp = xtask::config::Timestamping::None;
    // As `verify --require-release` looks for it.
    let gaps = case.signed_release(&variables).gaps();
    assert_eq!(gaps, [xtask::manifest::NO_TIMESTAMP]);
    assert!(case.signed_release(&[]).gaps() != gaps, "nothing is signed");
}

#[test]
fn the_password_of_the_minisign_key_may_be_typed() {
    let Some(case) = Case::new() else { return };
    let with = |secrets: Secrets| {
        let (config, target) = (case.config.clone(), "linux".parse().unwrap());
        let probes = Probes::open(PathBuf::new());
        let release = Release::with(
            config,
            target,
            SigningWish::Any,
            &case.state(),
            &probes,
            secrets,
        );
        release
            .map(|it| it.identity)
            .map_err(|it| format!("{it:#}"))
    };
    let secrets = || Secrets::of(Redactor::default(), &[("TAURI_SIGNING_PRIVATE_KEY", KEY)]);
    let error = with(secrets()).unwrap_err();
    assert!(
        error.contains("the minisign secret key is encrypted: "),
        "{error}"
    );
    let asked = |text: &str| {
        let prompt = "The password of the minisign key in TAURI_SIGNING_PRIVATE_KEY \
            (TAURI_SIGNING_PRIVATE_KEY_PASSWORD): ";
        assert_eq!(text, prompt);
    };
    let typing = move |password: &'static str| {
        secrets().with_person(move |text| {
            asked(text);
            Ok(password.to_owned())
        })
    };
    assert_eq!(with(typing(KEY_PASSWORD)), Ok(Identity::Release));
    let error = with(typing("wrong")).unwrap_err();
    assert!(error.contains("wrong password for the minisign"), "{error}");
}
