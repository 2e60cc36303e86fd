//! Setup programs by Inno Setup, from the script that is built in.

use expect_test::{Expect, expect};
use fs_err as fs;
use xtask::{
    config::BundleKind,
    engine::files::{hash_file, hex},
    steps::bundle::{Bundle, Installers},
};
use xtask_practice::tools;

use super::{bundler, nsis::Made};

/// Does what Inno Setup's compiler does, as far as it is looked at, with the words that it says. `swap`
/// is run before it lists what it packed.
const ISCC: &str = r##"
import glob, hashlib, os, re, sys

assert sys.argv[1:] == ["/Q", "installer.iss"], sys.argv
script = open("installer.iss", encoding="utf-8").read()
product = open("product.iss", encoding="utf-8-sig").read()
assert '#include "product.iss"' in script
if "#define Signed" in product:
    made = glob.glob("uninstaller/*.e32")
    if not made:
        os.makedirs("uninstaller")
        host = open("files/small.exe", "rb").read()
        open("uninstaller/uninst-6.4.1-0123456789.e32", "wb").write(host.replace(b"READY", b"UNINS"))
        sys.exit("Signed uninstaller mode is enabled. [...] attach your digital signature [...]")
    assert b"Practice Publisher" in open(made[0], "rb").read(), "somebody signed it"
files = re.findall(r'^Source: "(.*?)"', product, re.M)
swap(files)
with open("packed.txt", "w", encoding="utf-8-sig", newline="\r\n") as packed:
    print("Index\tSourceFilename\tTimeStamp\tVersion\tSHA256Sum\tOriginalSize", file=packed)
    for number, name in enumerate(files):
        data = open(name.replace("\\", "/"), "rb").read()
        hash = hashlib.sha256(data).hexdigest()
        print(f"{number}\tZ:\\work\\{name}\t2026\t\t{hash}\t{len(data)}", file=packed)
[out] = re.findall(r'^#define OutFile "(.*)"', product, re.M)
with open(out + ".exe", "wb") as setup:
    setup.write(open("files/small.exe", "rb").read())
"##;

/// What the step makes of it with this compiler, or says instead.
fn by_inno(made: &Made, compiler: &[&str]) -> String {
    let mut release = bundler::release(&made.case);
    let words = compiler.iter().map(|it| (*it).to_owned()).collect();
    release.config.bundle.windows_installer.inno_compiler = Some(words);
    let (result, _, said) = made.case.try_step(&Bundle::new(&release, &made.code, None));
    match result {
        Ok(Installers { installers }) => {
            assert_eq!(installers[0].gap, None);
            let lines = installers[0].contents.iter().map(|it| {
                let file = made
                    .case
                    .root()
                    .join("state/cache/bundle/inno/files")
                    .join(&it.path);
                assert_eq!(it.sha256, hex(&hash_file(&file).unwrap()));
                format!("{}\n", it.path)
            });
            format!(
                "{said}{}\n{}",
                installers[0].file,
                lines.collect::<String>()
            )
        }
        Err(error) => format!("{error:#}\n")
            .split("hint: ")
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

#[test]
fn slow_what_inno_setup_packs_is_what_was_built() {
    if !tools::have(&["x86_64-w64-mingw32-gcc"]) {
        return;
    }
    let Some(made) = Made::new(BundleKind::Inno) else {
        return;
    };
    let check = |swap: &str, expected: Expect| {
        let text = format!("def swap(files):\n    {swap}\n{ISCC}");
        let script = made.case.root().join("iscc.py");
        fs::write(&script, text).unwrap();
        expected.assert_eq(&by_inno(&made, &["python3", script.to_str().unwrap()]));
    };
    check(
        "pass",
        expect![[r#"
        WebView2: not packed: where it is missing, the installer opens its download page (`bundle.windows-installer.webview2` packs what installs it)
        small_0.1.0_x64-inno-setup.exe
        sidecars/x/x.exe
        small.exe
    "#]],
    );
    check(
        "files.pop()",
        expect![[r#"
        the package holds no small.exe
    "#]],
    );
    check(
        "open('files/small.exe', 'ab').write(b'more')",
        expect![[r#"
            small.exe in the package is not the file that was built and tried out
        "#]],
    );
    check(
        "open('files/more.exe', 'w'); files.append('files\\\\more.exe')",
        expect![[r#"
            more.exe in the package is no file that was built
        "#]],
    );
}
