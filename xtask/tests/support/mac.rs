//! A small project on a machine where signing for macOS can be practised.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
};

use fs_err as fs;
use xtask_practice::{Notary, Pki, StandIns, Timestamps, pki::PASSWORD, specimens, stand_ins, tools};
use xtask_signed::{Certificate, Signed, Trust, apple};

use super::project::{Project, Ran};

/// A project, an identity, a timestamp server and a notary.
pub struct Mac {
    pub project: Project,
    pub pki: Pki,
    pub server: Timestamps,
    pub notary: Notary,
    /// On PATH once [`Mac::with_apples_tools`] was called.
    pub stand_ins: StandIns,
}

impl Mac {
    /// None, and a line that says so, without the programs that it takes.
    pub fn new() -> Option<Self> {
        if !tools::have(&["rcodesign", "openssl", "python3"]) {
            return None;
        }
        let pki = Pki::shared().unwrap();
        let (server, notary) = (Timestamps::start(&pki).unwrap(), Notary::start(&pki).unwrap());
        let servers = stand_ins::Servers {
            notary: Some(&notary),
            timestamps: Some(&server),
        };
        let stand_ins = StandIns::new(&pki, servers).unwrap();
        let mut project = Project::new();
        project.configure(&format!(
            "[sign.macos]\ntrust = \"trust.pem\"\ntimestamp-server = \"{}\"",
            server.url()
        ));
        // What Apple's tools know and add: the authority between root and certificate.
        let roots = [pki.root(), pki.file("intermediate.pem"), pki.timestamp_root()].map(|it| fs::read_to_string(it).unwrap());
        project.write("trust.pem", roots.concat());
        let rcodesign = tools::rcodesign().unwrap();
        let path = std::env::var("PATH").unwrap();
        project.set("PATH", format!("{}:{path}", rcodesign.parent().unwrap().display()));
        for (name, value) in notary.environment() {
            project.set(name, value);
        }
        let mut mac = Self {
            project,
            pki,
            server,
            notary,
            stand_ins,
        };
        let p12 = mac.pki.identity("leaf").p12;
        mac.use_certificate(&p12, PASSWORD);
        mac.log_in();
        Some(mac)
    }

    /// As on macOS: with codesign, security and xcrun.
    pub fn with_apples_tools(mut self) -> Self {
        self.project.replace("packaging/dist.toml", "[sign.macos]", "[sign.macos]\ntool = \"codesign\"");
        let (_, path) = self.project.variables.iter().find(|it| it.0 == "PATH").unwrap();
        let path = format!("{}:{path}", self.stand_ins.bin().display());
        self.project.set("PATH", path);
        self
    }

    pub fn use_certificate(&mut self, p12: &Path, password: &str) {
        self.project.set("APPLE_CERTIFICATE", p12.to_str().unwrap());
        self.project.set("APPLE_CERTIFICATE_PASSWORD", password);
    }

    fn log_in(&mut self) {
        let key = self.pki.api_key();
        self.project.set("APPLE_API_KEY", key.id);
        self.project.set("APPLE_API_ISSUER", key.issuer);
        self.project.set("APPLE_API_KEY_PATH", key.file.to_str().unwrap());
    }

    /// An app that nobody signed.
    pub fn app(&self) -> PathBuf {
        specimens::app(&self.project.root).unwrap()
    }

    /// An app that is signed.
    pub fn signed_app(&self) -> PathBuf {
        let app = self.project.root.join("Practice.app");
        if !app.exists() {
            self.app();
        }
        self.sign("Practice.app");
        app
    }

    /// A disk image that is signed.
    pub fn signed_image(&self) -> PathBuf {
        let image = self.project.root.join("Practice.dmg");
        fs::write(&image, specimens::dmg()).unwrap();
        self.sign("Practice.dmg");
        image
    }

    /// With rcodesign, which takes a fraction of the time of the stand-ins.
    fn sign(&self, product: &str) {
        let text = self.project.read("packaging/dist.toml");
        self.project.write("packaging/dist.toml", text.replace("\"codesign\"", "\"rcodesign\""));
        self.project.succeed(&format!("sign {product}"));
        self.project.write("packaging/dist.toml", text);
    }

    /// Runs it and gives what a person would read, and the exit status.
    pub fn said(&self, line: &str) -> String {
        self.shown(&self.project.run(line))
    }

    pub fn shown(&self, ran: &Ran) -> String {
        let mut text = format!("{}{}", ran.stdout, ran.stderr);
        for (index, it) in self.notary.submissions().unwrap().iter().enumerate() {
            text = text.replace(&it.id, &format!("[ID {}]", index + 1));
            text = text.replace(&it.sha256, "[SHA256]").replace(&it.sha256[..12], "[SHA]");
        }
        let text = text.replace(&self.server.url(), "[SERVER]");
        format!("{}exit {}\n", self.project.filtered(&text), ran.code)
    }

    /// The state of the target macOS.
    pub fn state(&self) -> PathBuf {
        self.project.root.join("target/dist/macos")
    }

    /// The checkpoints, as text.
    pub fn checkpoints(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.state().join("notary")) else {
            return Vec::new();
        };
        let all = entries.map(|it| it.unwrap().path());
        let all = all.filter(|it| it.extension().is_some_and(|it| it == "json"));
        all.filter_map(|it| fs::read_to_string(it).ok()).collect()
    }

    /// Starts it, and kills it as soon as a checkpoint holds this text.
    pub fn kill_when(&self, line: &str, text: &str) {
        let mut child = self.start(self.project.command(line));
        super::project::wait_for(text, || self.checkpoints().iter().any(|it| it.contains(text)));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn start(&self, mut command: Command) -> Child {
        command.spawn().unwrap()
    }

    /// What the signature of an app or a disk image says.
    pub fn signature(&self, product: &Path) -> Signed {
        let trust = self.trust();
        match product.is_dir() {
            true => apple::app::inspect(product, &trust).unwrap().own,
            false => {
                let data = fs::read(product).unwrap();
                apple::dmg::inspect(&data, &trust).unwrap().unwrap().signed
            }
        }
    }

    pub fn trust(&self) -> Trust {
        let anchors = |file: PathBuf| Certificate::read_all(&file).unwrap();
        let between = anchors(self.pki.file("intermediate.pem"));
        Trust {
            anchors: [anchors(self.pki.root()), between].concat(),
            timestamp_anchors: anchors(self.pki.timestamp_root()),
            revoked: Vec::new(),
            now: std::time::SystemTime::now(),
        }
    }

    /// How often something was submitted.
    pub fn submitted(&self) -> usize {
        self.notary.submissions().unwrap().len()
    }
}
