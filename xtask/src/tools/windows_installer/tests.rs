//! What the scripts are told.

use expect_test::{Expect, expect};

use super::*;
use crate::engine::files::{hash_file, hex};

fn product() -> Product {
    Product {
        name: "Bob's $1 & Co".to_owned(),
        identifier: "org.example.small".to_owned(),
        version: "1.2.3-rc.1".parse().unwrap(),
        publisher: "\"Example\" GmbH".to_owned(),
        copyright: "© 2026\nExample".to_owned(),
        main: "small.exe".to_owned(),
        programs: ["small.exe", "sidecars/x/x.exe"].map(str::to_owned).into(),
        arch: "x86_64".to_owned(),
        out: "Small_1.2.3_x64-setup.exe".to_owned(),
        files: [
            "WebView2Loader.dll",
            "data/a b.txt",
            "sidecars/x/lib/{a}$.py",
            "sidecars/x/x.exe",
            "small.exe",
        ]
        .map(str::to_owned)
        .into(),
        size: 42,
        icon: Some("icon.ico".to_owned()),
        license: None,
        webview2: None,
        scope: Scope::User,
        shortcuts: vec![Shortcut::StartMenu],
        user_data: UserData::Ask,
    }
}

#[test]
fn what_nsis_is_told() {
    let text = nsis::definitions(&product(), "amd64-unicode", true).unwrap();
    expect![[r#"
        ; Written by `cargo xtask dist`: what installer.nsi is told.
        !define STUB "amd64-unicode"
        !define PRODUCT "Bob's $$1 & Co"
        !define NAME_SHOWN "Bob's $$1 && Co"
        !define IDENTIFIER "org.example.small"
        !define VERSION "1.2.3-rc.1"
        !define VERSION_NUMBERS "1.2.3.0"
        !define PUBLISHER "$\"Example$\" GmbH"
        !define COPYRIGHT "© 2026 Example"
        !define MAIN "small.exe"
        !define OUT_FILE "Small_1.2.3_x64-setup.exe"
        !define SCOPE "user"
        !define USER_DATA "ask"
        !define SIZE_KIB 42
        !define ICON "icon.ico"
        !define START_MENU
        !define SIGN `sh ./sign.sh "%1"`
        !macro INSTALL_FILES
          SetOutPath "$INSTDIR"
          File "/oname=WebView2Loader.dll" "files/WebView2Loader.dll"
          SetOutPath "$INSTDIR\data"
          File "/oname=a b.txt" "files/data/a b.txt"
          SetOutPath "$INSTDIR\sidecars\x\lib"
          File "/oname={a}$$.py" "files/sidecars/x/lib/{a}$.py"
          SetOutPath "$INSTDIR\sidecars\x"
          File "/oname=x.exe" "files/sidecars/x/x.exe"
          SetOutPath "$INSTDIR"
          File "/oname=small.exe" "files/small.exe"
        !macroend
        !macro DELETE_FILES
          Delete "$INSTDIR\WebView2Loader.dll"
          Delete "$INSTDIR\data\a b.txt"
          Delete "$INSTDIR\sidecars\x\lib\{a}$$.py"
          Delete "$INSTDIR\sidecars\x\x.exe"
          Delete "$INSTDIR\small.exe"
          RMDir "$INSTDIR\sidecars\x\lib"
          RMDir "$INSTDIR\sidecars\x"
          RMDir "$INSTDIR\sidecars"
          RMDir "$INSTDIR\data"
        !macroend
        !macro EACH_PROGRAM do
          !insertmacro ${do} "$INSTDIR\small.exe" "small.exe"
          !insertmacro ${do} "$INSTDIR\sidecars\x\x.exe" "x.exe"
        !macroend
    "#]]
    .assert_eq(text.trim_start_matches('\u{feff}'));
}

#[test]
fn what_inno_setup_is_told() {
    let text = inno::definitions(&product(), true).unwrap();
    expect![[r#"
        ; Written by `cargo xtask dist`: what installer.iss is told.
        #define AppId "{{53383acb-bab8-5d08-a132-08d48758d035}"
        #define Product "Bob's $1 & Co"
        #define ProductText "Bob''s $1 & Co"
        #define Identifier "org.example.small"
        #define Version "1.2.3-rc.1"
        #define VersionNumbers "1.2.3.0"
        #define Publisher """Example"" GmbH"
        #define Copyright "© 2026 Example"
        #define Main "small.exe"
        #define Programs "small.exe|sidecars\x\x.exe"
        #define OutFile "Small_1.2.3_x64-setup"
        #define Scope "user"
        #define UserData "ask"
        #define Architectures "x64compatible"
        #define Icon "icon.ico"
        #define StartMenu
        #define Signed
        [Files]
        Source: "files\WebView2Loader.dll"; DestDir: "{app}"; DestName: "WebView2Loader.dll"; Flags: ignoreversion
        Source: "files\data\a b.txt"; DestDir: "{app}\data"; DestName: "a b.txt"; Flags: ignoreversion
        Source: "files\sidecars\x\lib\{a}$.py"; DestDir: "{app}\sidecars\x\lib"; DestName: "{{a}$.py"; Flags: ignoreversion
        Source: "files\sidecars\x\x.exe"; DestDir: "{app}\sidecars\x"; DestName: "x.exe"; Flags: ignoreversion
        Source: "files\small.exe"; DestDir: "{app}"; DestName: "small.exe"; Flags: ignoreversion
        [UninstallDelete]
        Type: dirifempty; Name: "{app}\sidecars\x\lib"
        Type: dirifempty; Name: "{app}\sidecars\x"
        Type: dirifempty; Name: "{app}\sidecars"
        Type: dirifempty; Name: "{app}\data"
    "#]].assert_eq(text.trim_start_matches('\u{feff}'));
}

#[test]
fn what_windows_cannot_have_is_refused() {
    let check = |change: fn(&mut Product), expected: Expect| {
        let mut product = product();
        change(&mut product);
        let said = match product.check() {
            Ok(()) => "fine\n".to_owned(),
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&said);
    };
    check(
        |_| (),
        expect![[r#"
        fine
    "#]],
    );
    check(
        |it| it.name = "What?".to_owned(),
        expect![[r#"
        the product's name, `What?`, is none that Windows can have
        hint: Windows forbids < > : " / \ | ? *, a dot or a space at the end, and the names of devices such as con and nul
    "#]],
    );
    check(
        |it| it.name = "..".to_owned(),
        expect![[r#"
        the product's name, `..`, is none that Windows can have
        hint: Windows forbids < > : " / \ | ? *, a dot or a space at the end, and the names of devices such as con and nul
    "#]],
    );
    check(
        |it| it.name = "Org.Example.Small".to_owned(),
        expect![[r#"
            the product's name and the app's identifier are both Org.Example.Small: the app would be installed into the folder of the user's data
            hint: give it another `product.name` in packaging/dist.toml
        "#]],
    );
    check(
        |it| it.identifier = "..\\Documents".to_owned(),
        expect![[r#"
            the app's identifier, `..\Documents`, is none that Windows can have
            hint: Windows forbids < > : " / \ | ? *, a dot or a space at the end, and the names of devices such as con and nul
        "#]],
    );
    check(
        |it| it.version.minor = 70_000,
        expect![[r#"
        version 1.70000.3-rc.1 does not fit into a file's properties on Windows: no number may be more than 65535
    "#]],
    );
    check(
        |it| it.files.push("lib/Aux.txt".to_owned()),
        expect![[r#"
            a file's name, `Aux.txt`, is none that Windows can have
            hint: Windows forbids < > : " / \ | ? *, a dot or a space at the end, and the names of devices such as con and nul
        "#]],
    );
    check(
        |it| it.files.push("SMALL.EXE".to_owned()),
        expect![[r#"
        two files would be SMALL.EXE: Windows does not tell upper from lower case
    "#]],
    );
    check(
        |it| it.files.push("a:b".to_owned()),
        expect![[r#"
        a file's name, `a:b`, is none that Windows can have
        hint: Windows forbids < > : " / \ | ? *, a dot or a space at the end, and the names of devices such as con and nul
    "#]],
    );
}

#[test]
fn packed_says_what_the_compiler_packed() {
    let list = "\u{feff}Index\tSourceFilename\tTimeStamp\tVersion\tSHA256Sum\tOriginalSize\r\n\
                0\tZ:\\a\\files\\b\\files\\small.exe\t2026\t\tab\t4\r\n\
                1\tZ:\\a\\files\\b\\files\\data\\a b.txt\t2026\t\tcd\t4\r\n\
                2\tZ:\\a\\b\\icon.ico\t2026\t\tef\t4\r\n";
    let inside = inno::packed(list).unwrap();
    let shown = inside
        .iter()
        .map(|(path, it)| format!("{path} {}\n", it.sha256));
    expect![[r#"
        data/a b.txt cd
        small.exe ab
    "#]]
    .assert_eq(&shown.collect::<String>());
    let error = inno::packed("Index\tSourceFilename\tSHA1Sum\n").unwrap_err();
    expect![[r#"
        packed.txt has no hashes
        hint: Inno Setup 6.3 or newer is needed, and the script must say OutputManifestFile=packed.txt
    "#]].assert_eq(&format!("{error}\n"));
}

/// The smallest picture that is one: 1 pixel.
const ICON: &[u8] = b"\0\0\x01\0\x01\0\x01\x01\0\0\x01\0\x20\0\x30\0\0\0\x16\0\0\0\
    \x28\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0";

/// Lays out all that the scripts may be told of.
fn work(product: &Product) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000))
            .unwrap();
    };
    for path in &product.files {
        write(&format!("{FILES}/{path}"), path.as_bytes());
    }
    write("icon.ico", ICON);
    write("license.txt", b"Take it.\n");
    write("webview2.exe", b"MZ");
    folder
}

/// Every way that the scripts have is a good script, and gives the same bytes each time.
fn every_way(compile: impl Fn(&Product) -> String) {
    let mut product = product();
    let plain = compile(&product);
    assert_eq!(compile(&product), plain, "the same inputs, other bytes");
    product.scope = Scope::Machine;
    product.shortcuts.clear();
    product.user_data = UserData::Remove;
    assert_ne!(compile(&product), plain);
    product.shortcuts = vec![Shortcut::StartMenu, Shortcut::Desktop];
    product.user_data = UserData::Keep;
    product.license = Some("license.txt".to_owned());
    product.webview2 = Some("webview2.exe".to_owned());
    product.icon = None;
    compile(&product);
}

fn run(mut command: std::process::Command) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn slow_makensis_takes_the_script() {
    let Some(makensis) = nsis::find() else {
        eprintln!("skipped: no makensis; `cargo xtask test --setup` installs it");
        return;
    };
    every_way(|product| {
        let work = work(product);
        let stub = nsis::stub(&makensis, &product.arch);
        let definitions = nsis::definitions(product, stub, false).unwrap();
        std::fs::write(work.path().join(nsis::DEFINITIONS), definitions).unwrap();
        std::fs::write(work.path().join(nsis::SCRIPT), nsis::TEMPLATE).unwrap();
        run(nsis::command(&makensis, work.path(), 1_000_000_000));
        hex(&hash_file(&work.path().join(&product.out)).unwrap())
    });
}

/// Inno Setup's, with the one that the variable `ISCC` names: the tests of `sign_windows` run the one of
/// `cargo xtask test --setup`.
#[test]
fn slow_inno_setup_takes_the_script() {
    let named = std::env::var_os(inno::VARIABLE);
    let Some(compiler) = named.and_then(|_| inno::Compiler::find(None, std::path::Path::new(".")))
    else {
        eprintln!("skipped: the variable ISCC names no compiler, or there is no wine");
        return;
    };
    every_way(|product| {
        let work = work(product);
        let definitions = inno::definitions(product, false).unwrap();
        std::fs::write(work.path().join(inno::DEFINITIONS), definitions).unwrap();
        std::fs::write(work.path().join(inno::SCRIPT), inno::TEMPLATE).unwrap();
        run(compiler.command(work.path()));
        let packed = std::fs::read_to_string(work.path().join(inno::PACKED)).unwrap();
        let packed: Vec<String> = inno::packed(&packed).unwrap().into_keys().collect();
        assert_eq!(packed, product.files);
        hex(&hash_file(&work.path().join(&product.out)).unwrap())
    });
}
