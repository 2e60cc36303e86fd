//! A folder with files to sign, somebody to sign them, and a timestamp server.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use anyhow::Result;
use fs_err as fs;
use xtask::{
    config::{self, Config},
    engine::{
        artifact::collect,
        event::{Event, Events, Level, Reporter, Stamped},
        exec::{Exec, Log, Run},
        files::StatCache,
        orphans::Orphans,
        secret::{Redactor, Secret},
        step::Done,
    },
    sign::{
        hands::{Hands, Loose},
        secrets::Secrets,
        windows::{Outcome, Signer, Wish},
    },
};
use xtask_practice::{Pki, Timestamps, pki::PASSWORD, specimens, tools};
use xtask_signed::{Certificate, Signed, Trust, windows::pe};

use super::project::Project;

/// Everything that a test starts from.
pub struct Case {
    pub project: Project,
    /// Of the small project, to be changed.
    pub config: Config,
    pub pki: Pki,
    /// Good, unless told otherwise.
    pub server: Timestamps,
    /// Set for the programs that sign.
    pub variables: Vec<(&'static str, String)>,
    said: Arc<Mutex<Vec<String>>>,
    redactor: Redactor,
    loose: Loose,
}

/// Files in a folder, as a step leaves them.
pub fn done<T>(folder: PathBuf, step: &str, output: T) -> Done<T> {
    let cache = StatCache::open(PathBuf::new(), true, xtask::engine::exec::quiet);
    Done {
        step: step.to_owned(),
        artifacts: collect(&folder, &cache).unwrap(),
        output,
        folder,
    }
}

/// Keeps what a person would read, and what was run.
struct Said(Arc<Mutex<Vec<String>>>);

impl Reporter for Said {
    fn report(&mut self, stamped: &Stamped) {
        let line = match &stamped.event {
            Event::Note { text, .. } => text.clone(),
            Event::CommandStarted { command, .. } => format!("$ {command}"),
            Event::CommandOutput { line, .. } => format!("> {line}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Case {
    /// None, and a line that says so, without the programs that it takes.
    pub fn new() -> Option<Self> {
        if !tools::have(&["osslsigncode", "openssl", "python3"]) {
            return None;
        }
        let project = Project::new();
        let mut config = config::load(&project.root, None).unwrap();
        let pki = Pki::shared().unwrap();
        let server = Timestamps::start(&pki).unwrap();
        let windows = &mut config.sign.windows;
        windows.trust = Some(pki.root());
        windows.timestamp_trust = Some(pki.timestamp_root());
        windows.timestamp_servers = vec![server.url()];
        windows.patience = Duration::from_secs(60);
        let (said, redactor) = (Arc::new(Mutex::new(Vec::new())), Redactor::default());
        let exec = Exec {
            root: project.root.clone(),
            events: Events::new(vec![Box::new(Said(said.clone()))]),
            redactor: redactor.clone(),
            interrupted: Arc::default(),
            withheld: Vec::new(),
            orphans: Orphans::new(project.root.join("running")),
            timeout: Duration::from_secs(60),
        };
        let log = Log::at(project.root.join("log"));
        Some(Self {
            loose: Loose { exec, log },
            project,
            config,
            pki,
            server,
            variables: Vec::new(),
            said,
            redactor,
        })
    }

    /// Adds lines to packaging/dist.toml.
    pub fn configure(&self, lines: &str) {
        self.project.configure(lines);
    }

    /// Where files are.
    pub fn root(&self) -> &Path {
        &self.project.root
    }

    pub fn state(&self) -> PathBuf {
        self.root().join("target/state")
    }

    /// Writes an executable that nobody signed.
    pub fn pe(&self, name: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // No two are the same.
        let mut bytes = specimens::pe();
        for (at, byte) in name.bytes().enumerate() {
            bytes[0x400 + at] ^= byte;
        }
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// With these variables in the environment.
    pub fn signer_with(&self, variables: &[(&str, &str)], wish: Wish) -> Result<Option<Signer>> {
        let secrets = Secrets::of(self.redactor.clone(), variables);
        Signer::new(&self.config, secrets, &self.state(), wish)
    }

    /// One of the practice PKI's, in a file with a password.
    pub fn signer(&self, name: &str) -> Signer {
        let p12 = self.pki.identity(name).p12_with_chain;
        let variables = [
            ("WIN_CSC_LINK", p12.to_str().unwrap()),
            ("WIN_CSC_KEY_PASSWORD", PASSWORD),
        ];
        let signer = self.signer_with(&variables, Wish::default());
        signer.unwrap().expect("a certificate is set")
    }

    /// What signing this file comes to, with the notes on the way.
    pub fn sign(&self, signer: &Signer, file: &Path) -> String {
        let outcome = signer.sign(self, file);
        let mut text: String = self.notes();
        text += &match outcome {
            Ok(Outcome::Signed(made)) => {
                let time = made.timestamp.map(|it| it.authority);
                let time = time.map_or("no timestamp".to_owned(), |it| format!("time by {it}"));
                format!("signed by {}, {time}\n", made.signer)
            }
            Ok(Outcome::Foreign(made)) => format!("keeps the signature of {}\n", made.signer),
            Ok(Outcome::Already(made)) => format!("is signed by {} already\n", made.signer),
            Err(error) => format!("error: {error:#}\n"),
        };
        self.filtered(&text)
    }

    fn notes(&self) -> String {
        let mut said = self.said.lock().unwrap();
        let (rest, notes) = said.drain(..).partition(|it| it.starts_with(['$', '>']));
        *said = rest;
        notes.iter().map(|it: &String| format!("{it}\n")).collect()
    }

    /// The commands until now, as they are shown, and their output.
    pub fn commands(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock().unwrap())
    }

    /// How often osslsigncode was started for this.
    pub fn count(&self, subcommand: &str) -> usize {
        let start = format!("osslsigncode {subcommand} ");
        let all = self.commands();
        let commands = all.iter().filter(|it| it.starts_with('$'));
        commands.filter(|it| it.contains(&start)).count()
    }

    /// Without what differs each time.
    pub fn filtered(&self, text: &str) -> String {
        let text = text.replace(&*self.root().to_string_lossy(), "[ROOT]");
        let text = text.replace(&*self.pki.folder().to_string_lossy(), "[PKI]");
        let text = text.replace(&self.server.url(), "[SERVER]");
        let mut shown = String::new();
        let mut rest = &*text;
        // Other servers, times, and certificates.
        while let Some(at) = rest.find("http://127.0.0.1:") {
            let (before, after) = rest.split_at(at + "http://127.0.0.1".len());
            shown += before;
            rest = after[1..].trim_start_matches(|it: char| it.is_ascii_digit());
        }
        shown += rest;
        shown
    }

    /// What the file says of itself, read by its bytes.
    pub fn read(&self, file: &Path) -> Vec<Signed> {
        let trust = Trust {
            anchors: Certificate::read_all(&self.pki.root()).unwrap(),
            timestamp_anchors: Certificate::read_all(&self.pki.timestamp_root()).unwrap(),
            revoked: Vec::new(),
            now: SystemTime::now(),
        };
        pe::inspect(&fs::read(file).unwrap(), &trust).unwrap()
    }

    /// Nothing private is left, and no secret was shown anywhere.
    pub fn is_clean(&self, signer: Signer) {
        drop(signer);
        let private = self.state().join("private");
        let left = fs::read_dir(private).map_or(0, Iterator::count);
        assert_eq!(left, 0, "private files are gone");
        let shown = self.said.lock().unwrap().join("\n");
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

impl Hands for Case {
    fn exec(&self, mut command: Command) -> Run<'_> {
        let args: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
        let is_secret = |it: &str| it.contains(PASSWORD) || it.contains("canary");
        assert!(!args.iter().any(|it| is_secret(it)), "{args:?}");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.loose.exec(command)
    }

    fn note(&self, level: Level, text: String) {
        self.loose.note(level, text);
    }

    fn mask(&self, secret: &Secret) {
        self.loose.mask(secret);
    }

    fn pause(&self, time: Duration) -> Result<()> {
        self.loose.pause(time)
    }
}
