//! Apps, and tickets of the notary.

use std::path::Path;

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask_practice::{
    Notary,
    notary::Behaviour as Opinion,
    specimens::{self, Kind},
    tools,
};

use crate::{
    HARDENED, signed_app,
    support::{self, APPLE, Bench, How, WELL, read},
};

/// What is said of an app holds whichever architecture runs.
#[test]
fn a_universal_app_is_no_better_than_its_worst_part() {
    let Some(bench) = Bench::new(&APPLE) else {
        return;
    };
    let app = specimens::app(bench.folder()).unwrap();
    // Sealed with their signatures, which are others each time.
    fs::remove_dir_all(app.join("Contents/Resources/sidecars")).unwrap();
    let main = app.join("Contents/MacOS/Practice");
    let other = bench.file("other", &specimens::macho(Kind::OldProgram, 9));
    fs::copy(bench.universal("unsigned", &[&main, &other]), &main).unwrap();
    let parts = |how| -> [Vec<u8>; 2] {
        let data = fs::read(bench.rcodesign(&app, how).join("Contents/MacOS/Practice")).unwrap();
        let number = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
        [16, 36].map(|at| data[number(at)..][..number(at + 4)].to_vec())
    };
    let unstamped = How {
        stamped: false,
        ..HARDENED
    };
    // rcodesign keeps a flag that is there already.
    let ([_, soft], [_, unstamped]) = (parts(WELL), parts(unstamped));
    let [first, good] = parts(HARDENED);
    let first = bench.file("first", &first);
    let mut altered = good.clone();
    altered[5000] ^= 1;
    let check = |second: &[u8], expect: Expect| {
        let second = bench.file("second", second);
        fs::copy(bench.universal("joined", &[&first, &second]), &main).unwrap();
        let trust = bench.trust();
        let all = support::show(&app, &trust);
        let own = all.split("Frameworks/").next().unwrap_or_default();
        let intact = read(&app, &trust).unwrap()[0].1.intact;
        expect.assert_eq(&format!("{own}intact: {intact}\n"));
    };
    check(
        &good,
        expect![[r#"
        App by Practice Publisher, now by Practice Timestamps, hardened: good
        intact: true
    "#]],
    );
    check(
        &soft,
        expect![[r#"
            App by Practice Publisher, now by Practice Timestamps: good
            intact: true
        "#]],
    );
    // Nested code without timestamps is smaller, so its hashes are others, too.
    check(
        &unstamped,
        expect![[r#"
        App by Practice Publisher, hardened:
          _CodeSignature/CodeResources is not the one that was signed
          _CodeSignature/CodeResources is not the one that was signed
        intact: false
    "#]],
    );
    check(
        &altered,
        expect![[r#"
        App by Practice Publisher, now by Practice Timestamps, hardened:
          the file is not the one that was signed
          the file is not the one that was signed
        intact: false
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
    // That code, joined with other code of another publisher.
    let other = bench.file("other", &specimens::macho(Kind::OldProgram, 2));
    let how = How {
        who: "other",
        ..HARDENED
    };
    bench.rcodesign(&other, how);
    let joined = bench.universal("joined", &[&contents.join("MacOS/helper"), &other]);
    let joined = fs::read(joined).unwrap();
    let join: &dyn Fn(&Path) = &|it| fs::write(it, &joined).unwrap();
    check(
        "MacOS/helper",
        join,
        back,
        expect![[r#"
        another architecture is signed with another certificate
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
