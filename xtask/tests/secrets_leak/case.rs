//! A project on a machine that has every tool, and somebody who looks over its shoulder.

use std::{
    collections::BTreeMap,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use ct_codecs::{Base64, Encoder as _};
use fs_err as fs;
use xtask_practice::{Notary, Pki, StandIns, Timestamps, stand_ins::Servers, tools};

use super::{
    project::{Project, files_below, wait_for},
    watch::{Needles, Watch},
};

/// The variable whose value tells the processes of one case from all others.
const MARK: &str = "XTASK_LEAK_TEST";

/// What signs, and what helps to.
const TOOLS: [&str; 9] = [
    "codesign",
    "gpg",
    "openssl",
    "osslsigncode",
    "rcodesign",
    "rpmsign",
    "security",
    "signtool",
    "xcrun",
];

/// Stands before each tool: notes its arguments, since it may live too short to be seen, and lets it
/// work, or fail in the worst way, or hang. The file
/// `mode` says which: the way, the program, and what must stand in its arguments or on its stdin.
const SHIM: &str = r#"#!/bin/sh
own='OWN'
name=${0##*/}
read -r mode victim when < "$own/mode"
stdin="$own/stdin.$$"
cat > "$stdin"
printf '%s\n' "$*" >> "$own/arguments"
real=$(PATH='REST' command -v "$name")
case "$mode $victim $*" in
*--version*) ;;
"fails $name "* | "hangs $name "*) 
    if { cat "$stdin"; echo "$*"; } | grep -q -e "$when"; then exec "$own/$mode" "$@" < "$stdin"; fi ;;
esac
[ "$name" != security ] || cat "$stdin" >> "$own/heard"
exec "$real" "$@" < "$stdin"
"#;

/// Says all that it was told, in as many ways as there are shells.
const FAILS: &str = r#"#!/bin/sh
own='OWN'
cat > "$own/stdin"
cat "$own/stdin" >> "$own/heard"
{
    echo "arguments: $*"
    env
    export -p
    bash -c 'export -p; set'
    python3 -c 'import json, os; print(dict(os.environ)); print(json.dumps(dict(os.environ))); print(json.dumps(open("OWN/stdin").read()))'
    cat "$own/stdin"
    base64 -w0 "$own/stdin"
    echo
    od -An -v -tx1 "$own/stdin" | tr -d ' \n'
    echo
    for it; do
        it=${it#file:}
        [ ! -f "$it" ] || ! grep -qI . "$it" || cat "$it"
    done
} | tee /dev/stderr
echo "it failed"
exit 1
"#;

/// Does nothing, until whoever called is gone.
const HANGS: &str = r#"#!/bin/sh
: > 'OWN/hanging'
while kill -0 $PPID 2> /dev/null; do sleep 0.05; done
"#;

pub struct Case {
    pub project: Project,
    /// A folder for what the user has: keys, tokens. It is not searched.
    pub own: PathBuf,
    pub pki: Pki,
    pub server: Timestamps,
    pub notary: Notary,
    pub stand_ins: StandIns,
    /// What nobody but this case knows.
    pub canary: String,
    needles: Needles,
    /// Files that were there before, with the time of their last change.
    before: BTreeMap<PathBuf, (i64, i64)>,
    /// Programs that are given a secret as a variable.
    pub knows: Vec<&'static str>,
}

/// How a run ended, and where a secret was seen.
pub struct Ran {
    pub code: i32,
    pub said: String,
    pub seen: Vec<String>,
}

impl Case {
    /// In this project, with all tools under control.
    pub fn new(mut project: Project) -> Self {
        let own = project.beside().join("own");
        for folder in [
            &own,
            &project.beside().join("tmp"),
            &project.beside().join("home"),
        ] {
            fs::create_dir(folder).unwrap();
        }
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let usual = std::env::home_dir().unwrap().join(folder);
            if std::env::var_os(name).is_none() && usual.is_dir() {
                project.set(name, usual.to_str().unwrap());
            }
        }
        // What tools leave where they always do.
        let beside = |name: &str| project.beside().join(name).display().to_string();
        let (temporary, home) = (beside("tmp"), beside("home"));
        project.set("TMPDIR", temporary);
        project.set("HOME", home);
        project.set(MARK, own.to_str().unwrap());
        let pki = Pki::shared().unwrap();
        let (server, notary) = (
            Timestamps::start(&pki).unwrap(),
            Notary::start(&pki).unwrap(),
        );
        let servers = Servers {
            notary: Some(&notary),
            timestamps: Some(&server),
        };
        let stand_ins = StandIns::new(&pki, servers).unwrap();
        let mut case = Self {
            canary: format!("c4nary {} % \"of\" $1gning?&'/+ü\\", std::process::id()),
            project,
            own,
            pki,
            server,
            notary,
            stand_ins,
            needles: Needles::default(),
            before: BTreeMap::new(),
            knows: Vec::new(),
        };
        case.control();
        case.decoys();
        case.guard(&case.canary.clone());
        case.before = case
            .files()
            .into_iter()
            .map(|it| (it.clone(), changed(&it)))
            .collect();
        case
    }

    fn control(&mut self) {
        let mut path = self.stand_ins.path().unwrap().into_string().unwrap();
        if let Some(rcodesign) = tools::rcodesign() {
            path = format!("{path}:{}", rcodesign.parent().unwrap().display());
        }
        for (name, text) in [("fails", FAILS), ("hangs", HANGS)] {
            self.script(&self.own.join(name), text, &path);
        }
        let shims = self.own.join("shims");
        fs::create_dir(&shims).unwrap();
        let is_there =
            |it: &&str| std::env::split_paths(&path).any(|folder| folder.join(it).is_file());
        for tool in TOOLS.into_iter().filter(is_there) {
            self.script(&shims.join(tool), SHIM, &path);
        }
        self.project
            .set("PATH", format!("{}:{path}", shims.display()));
        self.mode("good");
    }

    pub fn script(&self, path: &Path, text: &str, rest: &str) {
        let text = text
            .replace("OWN", self.own.to_str().unwrap())
            .replace("REST", rest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Secrets that have nothing to do with the case, but lie in the same environment.
    fn decoys(&mut self) {
        let names = [
            "GPG_PASSPHRASE",
            "APPLE_PASSWORD",
            "AZURE_CLIENT_SECRET",
            "GITHUB_TOKEN",
        ];
        for name in names {
            self.secret(name, &format!("dec0y of {name} {}", std::process::id()));
        }
    }

    fn mode(&self, mode: &str) {
        fs::write(self.own.join("mode"), format!("{mode}\n")).unwrap();
    }

    /// Looks for this in all its forms.
    pub fn guard(&mut self, secret: &str) {
        self.needles.add(secret.as_bytes());
    }

    /// Sets a variable to a secret that is guarded.
    pub fn secret(&mut self, name: &str, value: &str) {
        self.guard(value);
        self.project.set(name, value);
    }

    /// The same as a file that the variable `…_FILE` names.
    pub fn secret_file(&mut self, name: &str, value: &str) {
        let file = self.own.join(name);
        fs::write(&file, format!("{value}\n")).unwrap();
        self.guard(value);
        self.project
            .set(&format!("{name}_FILE"), file.to_str().unwrap());
    }

    /// A certificate with its key in a file that the canary opens; these words are for openssl.
    pub fn p12(&mut self, how: &[&str]) -> PathBuf {
        let (leaf, p12) = (self.pki.identity("leaf"), self.own.join("leaf.p12"));
        let password = self.own.join("password");
        fs::write(&password, &self.canary).unwrap();
        let mut openssl = Command::new("openssl");
        openssl
            .args(["pkcs12", "-export"])
            .args(how)
            .arg("-out")
            .arg(&p12);
        openssl
            .arg("-inkey")
            .arg(&leaf.key)
            .arg("-in")
            .arg(leaf.certificate);
        openssl
            .arg("-passout")
            .arg(format!("file:{}", password.display()));
        tools::run(&mut openssl).unwrap();
        let bytes = fs::read(&p12).unwrap();
        self.needles.add(&bytes);
        self.guard(&Base64::encode_to_string(bytes).unwrap());
        self.guard_pem(&leaf.key);
        p12
    }

    /// The same in an encryption that every tool reads.
    pub fn p12_that_all_read(&mut self) -> PathBuf {
        let (kind, mac) = ("PBE-SHA1-3DES", ["-macalg", "sha1"]);
        self.p12(&["-keypbe", kind, "-certpbe", kind, mac[0], mac[1]])
    }

    /// Sets the login for the notary but for its key, whose file this is.
    pub fn notary_login(&mut self) -> PathBuf {
        let key = self.pki.api_key();
        self.guard_pem(&key.file);
        for (name, value) in self.notary.environment() {
            self.project.set(name, value);
        }
        self.project.set("APPLE_API_KEY", key.id);
        self.project.set("APPLE_API_ISSUER", key.issuer);
        key.file
    }

    /// Looks for the lines of a key.
    pub fn guard_pem(&mut self, file: &Path) {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().filter(|it| !it.starts_with("-----"));
        lines.for_each(|it| self.guard(it));
    }

    /// The file as a variable may hold it.
    pub fn base64(file: &Path) -> String {
        Base64::encode_to_string(fs::read(file).unwrap()).unwrap()
    }

    /// Runs to a good end, and nothing is seen.
    #[track_caller]
    pub fn silent(&mut self, line: &str) {
        let ran = self.run(line);
        assert_eq!((ran.code, &*ran.seen), (0, &[][..]), "{line}: {}", ran.said);
    }

    /// Runs to a bad end, and nothing is seen.
    #[track_caller]
    pub fn fails(&mut self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!((ran.code, &*ran.seen), (1, &[][..]), "{line}: {}", ran.said);
        ran.said
    }

    /// A run in which a tool fails, and tells all that it knows.
    #[track_caller]
    pub fn fails_with(&mut self, line: &str, tool: &str, when: &str) {
        self.mode(&format!("fails {tool} {when}"));
        self.fails(&format!("{line} --verbose"));
        self.mode("good");
    }

    /// A run that is killed while a tool works. What lies about until the next one is where only the
    /// user can read it.
    #[track_caller]
    pub fn killed_in(&mut self, line: &str, tool: &str, when: &str) {
        self.mode(&format!("hangs {tool} {when}"));
        let flag = self.own.join("hanging");
        fs::remove_file(&flag).ok();
        let mut child = self.project.command(line).spawn().unwrap();
        wait_for(tool, || flag.exists());
        child.kill().unwrap();
        child.wait().unwrap();
        self.mode("good");
        self.learn();
        let left: Vec<PathBuf> = self
            .files()
            .into_iter()
            .filter(|it| self.holds(it))
            .collect();
        assert!(
            !left.is_empty(),
            "{line}: {tool} needs no private file, so why is it killed?"
        );
        for file in left {
            let folders = file
                .ancestors()
                .skip(1)
                .take_while(|it| it.starts_with(self.state()));
            let modes: Vec<u32> = folders.map(mode).collect();
            assert!(
                mode(&file) == 0o600 && modes.contains(&0o700),
                "{}: {:o}, in {modes:?}",
                file.display(),
                mode(&file)
            );
        }
    }

    /// Where the program keeps its state, for all targets.
    fn state(&self) -> PathBuf {
        self.project.root.join("target/dist")
    }

    /// Runs it, and looks everywhere.
    pub fn run(&mut self, line: &str) -> Ran {
        self.watch(self.project.command(line))
    }

    /// The same with another command.
    pub fn watch(&mut self, mut command: Command) -> Ran {
        let watch = Watch::start(self.own.to_str().unwrap());
        let child = command.spawn().unwrap();
        let ran = self.project.wait(child);
        let shown = watch.end();
        self.learn();
        let mut seen: Vec<String> = Vec::new();
        let printed = [ran.stdout.as_bytes(), ran.stderr.as_bytes()];
        let noted = fs::read(self.own.join("arguments")).unwrap_or_default();
        let noted = noted.split(|it| *it == b'\n');
        let arguments = shown.arguments.iter().map(|it| &**it).chain(noted);
        for bytes in arguments
            .chain(printed)
            .filter(|it| self.needles.are_in(it))
        {
            seen.push(String::from_utf8_lossy(bytes).into_owned());
        }
        for (arguments, environment) in &shown.marked {
            let who = String::from_utf8_lossy(arguments);
            // The program's steps may also run in this one.
            let own = std::env::current_exe().unwrap();
            let own = [env!("CARGO_BIN_EXE_xtask"), own.to_str().unwrap()];
            let is_xtask = own.iter().any(|it| who.starts_with(it));
            let may = is_xtask || self.knows.iter().any(|it| who.contains(it));
            if !may && self.is_good() && self.needles.are_in(environment) {
                seen.push(format!("the environment of {who}"));
            }
        }
        let files = self.files().into_iter().filter(|it| self.holds(it));
        seen.extend(files.map(|it| it.display().to_string()));
        Ran {
            code: ran.code,
            said: format!("{}{}", ran.stdout, ran.stderr),
            seen,
        }
    }

    fn is_good(&self) -> bool {
        fs::read(self.own.join("mode")).unwrap() == b"good\n"
    }

    /// The password that the program gave to a keychain of its own.
    fn learn(&mut self) {
        let heard = fs::read_to_string(self.own.join("heard")).unwrap_or_default();
        for line in heard.lines().filter(|it| it.contains("create-keychain")) {
            let words: Vec<&str> = line.split('"').collect();
            self.guard(words[5]);
        }
        fs::remove_file(self.own.join("heard")).ok();
    }

    fn files(&self) -> Vec<PathBuf> {
        let beside = self.project.beside();
        let folders = [
            self.project.root.clone(),
            beside.join("tmp"),
            beside.join("home"),
        ];
        folders.iter().flat_map(|it| files_below(it)).collect()
    }

    fn holds(&self, file: &Path) -> bool {
        self.before.get(file) != Some(&changed(file))
            && self.needles.are_in(&fs::read(file).unwrap_or_default())
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        self.project.write(name, bytes);
    }
}

fn changed(file: &Path) -> (i64, i64) {
    let metadata = fs::metadata(file);
    metadata.map_or((0, 0), |it| (it.ctime(), it.ctime_nsec()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
