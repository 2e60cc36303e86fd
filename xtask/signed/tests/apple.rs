//! Apple's signatures that rcodesign made, good ones and bad ones.

mod support;

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use fs_err as fs;
use support::{APPLE, Bench, How, WELL, read};
use xtask_practice::{
    Notary,
    notary::Behaviour as Opinion,
    specimens::{self, Kind},
    timestamps::Behaviour,
    tools,
};

const HARDENED: How<'static> = How {
    more: &["--code-signature-flags", "runtime"],
    ..WELL
};

const DAY: i64 = 24 * 60 * 60;

/// Signs code inside before what is around it, all of it with the hardened runtime.
fn signed_app(bench: &Bench) -> PathBuf {
    let app = specimens::app(bench.folder()).unwrap();
    let scopes = [
        "Contents/MacOS/helper",
        "Contents/Resources/sidecars/tool/tool",
        "Contents/Resources/sidecars/tool/module.so",
        "Contents/Frameworks/Kit.framework",
    ];
    let scopes = scopes.map(|it| format!("{it}:runtime"));
    let mut more = HARDENED.more.to_vec();
    for scope in &scopes {
        more.extend(["--code-signature-flags", scope]);
    }
    bench.rcodesign(
        &app,
        How {
            more: &more,
            ..WELL
        },
    )
}

#[test]
fn every_format_signed_and_stamped_is_good() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let check = |name: &str, content: &[u8], how, expect: Expect| {
        let file = bench.rcodesign(&bench.file(name, content), how);
        bench.check(&file, &expect);
    };
    let program = specimens::macho(Kind::Program, 1);
    check(
        "program",
        &program,
        HARDENED,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "soft",
        &program,
        WELL,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    check(
        "old",
        &specimens::macho(Kind::OldProgram, 1),
        HARDENED,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "library",
        &specimens::macho(Kind::Library, 1),
        HARDENED,
        expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "elliptic",
        &program,
        How {
            who: "ec",
            ..HARDENED
        },
        expect![[r#"
            MachO by Practice Publisher EC, now by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "image.dmg",
        &specimens::dmg(),
        WELL,
        expect![[r#"
            Dmg by Practice Publisher, now by Practice Timestamps: good
        "#]],
    );
    // Nothing in an image runs, whatever the signer asked for.
    check(
        "hard.dmg",
        &specimens::dmg(),
        HARDENED,
        expect![[r#"
        Dmg by Practice Publisher, now by Practice Timestamps: good
    "#]],
    );
    bench.check(
        &signed_app(&bench),
        &expect![[r#"
            App by Practice Publisher, now by Practice Timestamps, hardened: good
            Frameworks/Kit.framework: App by Practice Publisher, now by Practice Timestamps: good
            MacOS/helper: MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
}

#[test]
fn universal_programs_are_signed_for_each_architecture() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let one = bench.file("one", &specimens::macho(Kind::Program, 1));
    let other = bench.file("other", &specimens::macho(Kind::OldProgram, 2));
    let both = bench.path("both");
    let mut join = tools::rcodesign_command();
    join.arg("macho-universal-create")
        .arg("-o")
        .arg(&both)
        .args([&one, &other]);
    tools::run(&mut join).unwrap();
    bench.rcodesign(&both, HARDENED);
    bench.check(
        &both,
        &expect![[r#"
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
            MachO by Practice Publisher, now by Practice Timestamps, hardened: good
        "#]],
    );
}

#[test]
fn who_signed_decides() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let program = specimens::macho(Kind::Program, 1);
    let check = |who, days: Option<i64>, expect: Expect| {
        if let Some(days) = days {
            bench.timestamps(&Behaviour::lying(days * DAY));
        }
        let stamped = days.is_some();
        let how = How {
            who,
            stamped,
            ..HARDENED
        };
        let file = bench.rcodesign(&bench.file(who, &program), how);
        bench.check(&file, &expect);
    };
    check(
        "leaf",
        None,
        expect![[r#"
            MachO by Practice Publisher, hardened: good
        "#]],
    );
    check(
        "expired",
        None,
        expect![[r#"
            MachO by Practice Expired, hardened:
              the certificate of Practice Expired had expired
        "#]],
    );
    check(
        "expired",
        Some(-30),
        expect![[r#"
            MachO by Practice Expired, 30 days ago by Practice Timestamps, hardened: good
        "#]],
    );
    check(
        "expired",
        Some(0),
        expect![[r#"
            MachO by Practice Expired, now by Practice Timestamps, hardened:
              the certificate of Practice Expired had expired
        "#]],
    );
    check(
        "early",
        None,
        expect![[r#"
            MachO by Practice Early, hardened:
              the certificate of Practice Early was not valid yet
        "#]],
    );
    check(
        "server",
        None,
        expect![[r#"
            MachO by Practice TLS Server, hardened:
              the certificate of Practice TLS Server is not made for code signing
        "#]],
    );
    check(
        "revoked",
        None,
        expect![[r#"
            MachO by Practice Revoked, hardened:
              the certificate of Practice Revoked was revoked by CN=Practice Code Signing CA,O=Practice
        "#]],
    );
    check(
        "stranger",
        None,
        expect![[r#"
            MachO by Practice Stranger, hardened:
              Practice Stranger leads to no certificate that is trusted
        "#]],
    );
}

/// rcodesign signs in the name of the last certificate that it is given with a PKCS#12 file, which
/// is that of an authority if the file has the whole chain, or if the chain is named beside it.
#[test]
fn signed_in_the_name_of_an_authority_is_caught() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let program = specimens::macho(Kind::Program, 1);
    let check = |name: &str, p12: &Path, beside: Option<&str>, expect: Expect| {
        let file = bench.file(name, &program);
        let mut command = tools::rcodesign_command();
        command
            .args(["sign", "--timestamp-url", "none", "--p12-file"])
            .arg(p12);
        command
            .arg("--p12-password-file")
            .arg(bench.pki.password_file());
        if let Some(beside) = beside {
            command.arg("--pem-file").arg(bench.pki.file(beside));
        }
        tools::run(command.arg(&file)).unwrap();
        bench.check(&file, &expect);
    };
    let identity = bench.pki.identity("leaf");
    check(
        "chain",
        &identity.p12_with_chain,
        None,
        expect![[r#"
            MachO by Practice Root:
              the signature does not fit the key of Practice Root
              the certificate of Practice Root is not made for code signing
        "#]],
    );
    check(
        "beside",
        &identity.p12,
        Some("intermediate.pem"),
        expect![[r#"
            MachO by Practice Code Signing CA:
              the signature does not fit the key of Practice Code Signing CA
              the certificate of Practice Code Signing CA is not made for code signing
        "#]],
    );
    let mut trust = bench.trust();
    let intermediate = bench.pki.file("intermediate.pem");
    trust.anchors = xtask_signed::Certificate::read_all(&intermediate).unwrap();
    check(
        "alone",
        &identity.p12,
        None,
        expect![[r#"
            MachO by Practice Publisher:
              Practice Publisher leads to no certificate that is trusted
        "#]],
    );
    bench.check_with(
        &bench.path("alone"),
        &trust,
        &expect![[r#"
            MachO by Practice Publisher: good
        "#]],
    );
}

#[test]
fn a_changed_app_is_caught() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let app = signed_app(&bench);
    let contents = app.join("Contents");
    let check = |name: &str, change: &dyn Fn(&Path), undo: &dyn Fn(&Path), expect: Expect| {
        let path = contents.join(name);
        change(&path);
        let problems: String = match read(&app, &bench.trust()) {
            Ok(all) => all
                .iter()
                .flat_map(|(_, it)| &it.problems)
                .map(|it| format!("{it}\n"))
                .collect(),
            Err(error) => {
                format!("{error:#}\n").replace(&bench.folder().display().to_string(), "…")
            }
        };
        undo(&path);
        expect.assert_eq(&problems);
    };
    let write: &dyn Fn(&Path) = &|it| fs::write(it, "other\n").unwrap();
    let folder: &dyn Fn(&Path) = &|it| fs::create_dir(it).unwrap();
    let remove_folder: &dyn Fn(&Path) = &|it| fs::remove_dir(it).unwrap();
    let remove: &dyn Fn(&Path) = &|it| fs::remove_file(it).unwrap();
    let text: &dyn Fn(&Path) = &|it| fs::write(it, "a resource\n").unwrap();
    check(
        "Resources/text.txt",
        write,
        text,
        expect![[r#"
            Resources/text.txt: is not the file that was signed
        "#]],
    );
    check(
        "Resources/text.txt",
        remove,
        text,
        expect![[r#"
            Resources/text.txt: is missing
        "#]],
    );
    check(
        "Resources/new.txt",
        write,
        remove,
        expect![[r#"
            Resources/new.txt: was not there when it was signed
        "#]],
    );
    check(
        "Resources/Info.plist",
        write,
        remove,
        expect![[r#"
            Resources/Info.plist: was not there when it was signed
        "#]],
    );
    check(
        "MacOS/new",
        write,
        remove,
        expect![[r#"
            MacOS/new: was not there when it was signed
        "#]],
    );
    check(
        "../new",
        write,
        remove,
        expect![[r#"
        new: is covered by no signature
    "#]],
    );
    check(
        "Frameworks/Kit.framework/new",
        write,
        remove,
        expect![[r#"
        new: is covered by no signature
    "#]],
    );
    check(
        "Frameworks/Kit.framework/Versions/B",
        folder,
        remove_folder,
        expect![[r#"
            Versions/B: is covered by no signature
        "#]],
    );
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::symlink;
        let kit: &dyn Fn(&Path) = &|it| {
            fs::remove_file(it).unwrap();
            symlink("Versions/Current/Kit", it).unwrap();
        };
        let copy: &dyn Fn(&Path) = &|it| {
            let code = fs::read(it).unwrap();
            fs::remove_file(it).unwrap();
            fs::write(it, code).unwrap();
        };
        check(
            "Frameworks/Kit.framework/Kit",
            copy,
            kit,
            expect![[r#"
            Kit: is covered by no signature
        "#]],
        );
        let astray: &dyn Fn(&Path) = &|it| {
            fs::remove_file(it).unwrap();
            symlink("Versions/Current/../../../../MacOS/helper", it).unwrap();
        };
        check(
            "Frameworks/Kit.framework/Kit",
            astray,
            kit,
            expect![[r#"
            Kit: is covered by no signature
        "#]],
        );
        // Complete and signed, but elsewhere.
        let versions = contents.join("Frameworks/Kit.framework/Versions");
        let moved = bench.path("moved");
        let away: &dyn Fn(&Path) = &|it| {
            fs::remove_file(it).unwrap();
            fs::rename(versions.join("A"), &moved).unwrap();
            symlink("../../../../../moved", it).unwrap();
        };
        let home: &dyn Fn(&Path) = &|it| {
            fs::remove_file(it).unwrap();
            fs::rename(&moved, versions.join("A")).unwrap();
            symlink("A", it).unwrap();
        };
        check(
            "Frameworks/Kit.framework/Versions/Current",
            away,
            home,
            expect![[r#"
                Versions/Current: is covered by no signature
            "#]],
        );
    }
    #[cfg(unix)]
    {
        let link: &dyn Fn(&Path) = &|it| {
            fs::remove_file(it).unwrap();
            fs_err::os::unix::fs::symlink("data.bin", it).unwrap();
        };
        let undo: &dyn Fn(&Path) = &|it| {
            fs::remove_file(it).unwrap();
            fs_err::os::unix::fs::symlink("module.so", it).unwrap();
        };
        check(
            "Resources/sidecars/tool/alias.so",
            link,
            undo,
            expect![[r#"
                Resources/sidecars/tool/alias.so: is a link to data.bin, not to module.so
            "#]],
        );
    }
    // Code of the same publisher, in the place of other code.
    let helper = fs::read(contents.join("MacOS/helper")).unwrap();
    let library = fs::read(contents.join("Resources/sidecars/tool/module.so")).unwrap();
    let swap: &dyn Fn(&Path) = &|it| fs::write(it, &library).unwrap();
    let back: &dyn Fn(&Path) = &|it| fs::write(it, &helper).unwrap();
    check(
        "MacOS/helper",
        swap,
        back,
        expect![[r#"
            MacOS/helper: is not the code that was signed
        "#]],
    );
    let nothing: &dyn Fn(&Path) = &|_| ();
    check("", nothing, nothing, expect![[""]]);
}

/// Through the local notary, whose client is rcodesign's own.
#[test]
fn a_stapled_ticket_is_seen_and_must_be_for_this_code() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let notary = Notary::start(&bench.pki).unwrap();
    let key = bench.pki.api_key();
    let json = bench.path("key.json");
    let mut encode = tools::rcodesign_command();
    encode
        .args(["encode-app-store-connect-api-key", "-o"])
        .arg(&json);
    tools::run(encode.args([key.issuer, key.id]).arg(&key.file)).unwrap();
    let staple = |path: &Path| {
        let mut command = tools::rcodesign_command();
        command.arg("staple").arg(path).envs(notary.environment());
        tools::run(&mut command)
    };
    let image = bench.rcodesign(&bench.file("image.dmg", &specimens::dmg()), WELL);
    assert!(
        staple(&image)
            .unwrap_err()
            .to_string()
            .contains("NOT_FOUND")
    );
    let mut submit = tools::rcodesign_command();
    submit
        .args(["notary-submit", "--wait", "--api-key-file"])
        .arg(&json)
        .arg(&image);
    tools::run(submit.envs(notary.environment())).unwrap();
    staple(&image).unwrap();
    bench.check(
        &image,
        &expect![[r#"
            Dmg by Practice Publisher, now by Practice Timestamps, stapled: good
        "#]],
    );

    // Under another number it would be no ticket, and nothing else would say so.
    let mut data = fs::read(&image).unwrap();
    let number = [0, 1, 0, 2];
    let at = data.windows(4).rposition(|it| it == number).unwrap();
    data[at + 3] = 9;
    let renumbered = bench.file("renumbered.dmg", &data);
    bench.check(
        &renumbered,
        &expect![[r#"
        damaged: the signature has a part of an unknown kind
    "#]],
    );

    let app = signed_app(&bench);
    staple(&app).unwrap();
    let own = |expect: Expect| {
        let all = support::show(&app, &bench.trust());
        let own: Vec<&str> = all
            .split("MacOS/helper")
            .next()
            .unwrap_or_default()
            .lines()
            .collect();
        expect.assert_eq(&own.join("\n"));
    };
    own(expect![[r#"
        App by Practice Publisher, now by Practice Timestamps, hardened, stapled: good
        Frameworks/Kit.framework: App by Practice Publisher, now by Practice Timestamps: good"#]]);
    notary
        .set(&Opinion::accepting().with_other_ticket())
        .unwrap();
    staple(&app).unwrap();
    own(expect![[r#"
        App by Practice Publisher, now by Practice Timestamps, hardened, stapled:
          the attached ticket is for other code
        Frameworks/Kit.framework: App by Practice Publisher, now by Practice Timestamps: good"#]]);
}
