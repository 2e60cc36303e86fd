//! What the signature lets code do is what the configuration says: no tool is believed.

use std::os::unix::fs::PermissionsExt as _;

use fs_err as fs;
use xtask_practice::{
    pki::PASSWORD,
    specimens::{Kind, macho},
    tools,
};
use xtask_signed::apple::{Seals, macho as code};

use super::{mac::Mac, project};

const WITH_JIT: &str = "<plist version=\"1.0\"><dict>\
                        <key>com.apple.security.cs.allow-jit</key><true/></dict></plist>";

/// A machine whose rcodesign does this to its arguments first, as a shell says it: `$LIST` is a list of
/// entitlements.
fn with_a_tool_that(does: &str) -> Option<Mac> {
    let mut mac = Mac::new()?;
    let folder = mac.project.beside().join("odd");
    fs::create_dir_all(&folder).unwrap();
    let list = folder.join("list.plist");
    fs::write(&list, WITH_JIT).unwrap();
    let tool = folder.join("rcodesign");
    let real = tools::rcodesign().unwrap();
    let script = format!(
        "#!/bin/bash\nLIST={}\nverb=$1\nshift\nif [ $verb = sign ]; then\n{does}\nfi\nexec {} $verb \"$@\"\n",
        list.display(),
        real.display()
    );
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = mac.project.variables.iter().find(|it| it.0 == "PATH");
    let path = format!("{}:{}", folder.display(), path.unwrap().1);
    mac.project.set("PATH", path);
    fs::write(mac.project.root.join("tool"), macho(Kind::Program, 1)).unwrap();
    Some(mac)
}

/// Whether what the tool made of the entitlements is refused with these words.
fn is_refused(mac: &Mac, words: &str) {
    let said = mac.said("sign tool");
    let error = said.lines().find(|it| it.starts_with("error: "));
    let expected = format!("error: tool was signed, but not as it should be: {words}");
    assert_eq!(error, Some(&*expected), "{said}");
}

/// It loses the option with its value.
const LOSES: &str = "args=(); while [ $# -gt 0 ]; do
    case $1 in --entitlements-xml-file) shift;; *) args+=(\"$1\");; esac; shift
done; set -- \"${args[@]}\"";

#[test]
fn entitlements_that_are_missing_are_seen() {
    let Some(mac) = with_a_tool_that(LOSES) else {
        return;
    };
    mac.project.write("jit.plist", WITH_JIT);
    mac.project
        .configure("[[sign.macos.file]]\npath = \"tool\"\nentitlements = \"jit.plist\"");
    is_refused(
        &mac,
        "the entitlement com.apple.security.cs.allow-jit is missing",
    );
}

/// As codesign does, which gives them to programs alone.
#[test]
fn a_library_gets_none() {
    let Some(mac) = with_a_tool_that(":") else {
        return;
    };
    mac.project.write("jit.plist", WITH_JIT);
    let text = "[[sign.macos.file]]\npath = \"*.dylib\"\nentitlements = \"jit.plist\"";
    mac.project.configure(text);
    let library = mac.project.root.join("tool.dylib");
    fs::write(&library, macho(Kind::Library, 1)).unwrap();
    let said = mac.project.succeed("sign tool.dylib").shown();
    assert!(
        said.contains("entitlements of tool.dylib: none: ") && said.contains("is for programs"),
        "{said}"
    );
    let found = code::inspect(&fs::read(&library).unwrap(), Seals::default(), &mac.trust());
    let found = found.unwrap().remove(0).entitlements.unwrap_or_default();
    assert_eq!(found.len(), 0);
}

#[test]
fn a_tool_that_fails_has_a_log() {
    let Some(mac) = with_a_tool_that("exit 3") else {
        return;
    };
    let said = mac.said("sign tool");
    let log = said.lines().find(|it| it.trim_start().starts_with("log:"));
    let expected = "  log: [ROOT]/target/dist/linux/logs/sign.log";
    assert_eq!(log, Some(expected), "{said}");
}

#[test]
fn so_is_the_one_that_a_sidecar_in_one_file_needs() {
    let Some(mac) = with_a_tool_that(LOSES) else {
        return;
    };
    mac.project.write("sidecars/tool/__main__.py", "");
    mac.project.write("sidecars/tool/requirements.txt", "");
    mac.project.replace(
        "src-tauri/tauri.conf.json",
        "\"icon\"",
        "\"externalBin\": [\"binaries/tool\"],\n    \"icon\"",
    );
    mac.project.configure("[[sidecar]]\nname = \"tool\"");
    is_refused(
        &mac,
        "the entitlement com.apple.security.cs.disable-library-validation is missing",
    );
}

#[test]
fn entitlements_that_nobody_asked_for_are_seen() {
    let Some(mac) = with_a_tool_that("set -- --entitlements-xml-file $LIST \"$@\"") else {
        return;
    };
    is_refused(
        &mac,
        "it has the entitlement com.apple.security.cs.allow-jit, which nobody asked for",
    );
}

#[test]
fn slow_a_framework_loses_those_of_an_older_signature() {
    let Some(mac) = with_a_tool_that(":") else {
        return;
    };
    let app = mac.app();
    let main = app.join("Contents/Frameworks/Kit.framework/Versions/A/Kit");
    let list = mac.project.beside().join("odd/list.plist");
    let password = mac.project.beside().join("odd/password");
    fs::write(&password, PASSWORD).unwrap();
    let mut sign = std::process::Command::new(tools::rcodesign().unwrap());
    sign.args(["sign", "--config-file", "/dev/null"]);
    sign.args(["--timestamp-url", "none", "--p12-file"]);
    sign.arg(mac.pki.identity("leaf").p12);
    sign.arg("--p12-password-file").arg(password);
    sign.arg("--entitlements-xml-file").arg(list).arg(&main);
    project::read(sign);
    let entitlements = || {
        let found = code::inspect(&fs::read(&main).unwrap(), Seals::default(), &mac.trust());
        found.unwrap().remove(0).entitlements.unwrap_or_default()
    };
    assert_eq!(entitlements().len(), 1);
    mac.project.succeed("sign Practice.app");
    assert_eq!(entitlements().len(), 0);
}
