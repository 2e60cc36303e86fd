//! What the scripts are told.

use expect_test::{Expect, expect};

use super::*;

fn product() -> Product {
    Product {
        name: "Bob's $1 & Co".to_owned(),
        identifier: "org.example.small".to_owned(),
        version: "1.2.3-rc.1".parse().unwrap(),
        publisher: "\"Example\" GmbH".to_owned(),
        copyright: "© 2026\nExample".to_owned(),
        main: "small.exe".to_owned(),
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
        sidecars: Some("sidecars".to_owned()),
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
    let sign = nsis::SignCall {
        program: "/a folder/xtask".into(),
        args: ["sign", "--config", "it's $HOME", "%1"]
            .map(str::to_owned)
            .into(),
    };
    let text = nsis::definitions(&product(), "amd64-unicode", Some(&sign)).unwrap();
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
        !define SIGN `"/a folder/xtask" "sign" "--config" "it's \$HOME" "%1"`
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
        #define OutFile "Small_1.2.3_x64-setup"
        #define Scope "user"
        #define UserData "ask"
        #define Architectures "x64compatible"
        #define Icon "icon.ico"
        #define SidecarFolders "sidecars"
        #define StartMenu
        #define Signed
        [Files]
        Source: "files\WebView2Loader.dll"; DestDir: "{app}"; DestName: "WebView2Loader.dll"; Flags: ignoreversion
        Source: "files\data\a b.txt"; DestDir: "{app}\data"; DestName: "a b.txt"; Flags: ignoreversion
        Source: "files\sidecars\x\lib\{a}$.py"; DestDir: "{app}\sidecars\x\lib"; DestName: "{{a}$.py"; Flags: ignoreversion
        Source: "files\sidecars\x\x.exe"; DestDir: "{app}\sidecars\x"; DestName: "x.exe"; Flags: ignoreversion
        Source: "files\small.exe"; DestDir: "{app}"; DestName: "small.exe"; Flags: ignoreversion
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
