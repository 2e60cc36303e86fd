//! A pipeline of three steps over a folder of sources, run inside the test itself.

use std::{
    cell::RefCell,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Result;
use serde::Serialize;
use xtask::engine::{
    event::{Event, Events, Reporter, Stamped},
    files::Tree,
    fingerprint::Inputs,
    probe::Probes,
    select::Selection,
    session::{Options, Session, Stopped},
    staging::Staging,
    step::{Context, Done, Step},
};

use crate::support::{self, Repo};

/// A folder of sources, and what can change between two runs besides them.
pub struct World {
    pub repo: Repo,
    pub tool: RefCell<String>,
    pub program: RefCell<String>,
    pub parameter: RefCell<String>,
    pub variables: RefCell<Vec<String>>,
    pub selection: RefCell<Selection>,
    pub plan: RefCell<bool>,
    /// Done to the state folder amid the step `bundle`.
    pub amid: RefCell<Option<fn(&Context)>>,
}

thread_local! {
    /// What [`World::amid`] holds, for the step, which is plain data.
    static AMID: RefCell<Option<fn(&Context)>> = const { RefCell::new(None) };
}

/// `web` copies web/ in upper case, `tool` and parameter decide it too.
#[derive(Serialize)]
struct Upper<const VERSION: u32> {
    parameter: String,
    #[serde(skip)]
    tool: String,
    #[serde(skip)]
    variables: Vec<String>,
}

impl<const V: u32> Step for Upper<V> {
    const ID: &'static str = "web";
    const VERSION: u32 = V;
    type Output = ();

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        let tree = Tree::new(cx.root().join("web"));
        Ok(Inputs::new()
            .tree("web", tree)
            .tool("node", &*self.tool)
            .variables(&self.variables))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<()> {
        for (name, content) in support::contents(&cx.root().join("web")) {
            let text = String::from_utf8_lossy(&content).to_uppercase();
            fs_err::write(out.file(name)?, text)?;
        }
        Ok(())
    }
}

/// `bundle` joins what `web` left and `py/`.
#[derive(Serialize)]
struct Bundle {
    web: Done<()>,
}

impl Step for Bundle {
    const ID: &'static str = "bundle";
    const VERSION: u32 = 1;
    type Output = usize;

    fn inputs(&self, cx: &Context) -> Result<Inputs> {
        Ok(Inputs::new().tree("py", Tree::new(cx.root().join("py"))))
    }

    fn run(&self, cx: &Context, out: &Staging) -> Result<usize> {
        if let Some(act) = AMID.take() {
            act(cx);
        }
        let mut all = Vec::new();
        for artifact in &self.web.artifacts {
            all.extend(fs_err::read(self.web.path(&artifact.path))?);
        }
        for content in support::contents(&cx.root().join("py")).values() {
            all.extend(content);
        }
        fs_err::write(out.file("bundle")?, &all)?;
        Ok(all.len())
    }
}

/// `seal` counts what `bundle` left.
#[derive(Serialize)]
struct Seal {
    bundle: Done<usize>,
}

impl Step for Seal {
    const ID: &'static str = "seal";
    const VERSION: u32 = 1;
    type Output = ();

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        Ok(Inputs::new())
    }

    fn run(&self, _: &Context, out: &Staging) -> Result<()> {
        fs_err::write(out.file("size")?, self.bundle.output.to_string())?;
        Ok(())
    }
}

/// One short line an event.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<String>>);

impl Reporter for Transcript {
    fn report(&mut self, stamped: &Stamped) {
        let line = match &stamped.event {
            Event::StepStarted { step, why, .. } => format!("{step}: ran because {why}"),
            Event::StepFinished {
                step,
                changed: false,
                ..
            } => format!("{step}: unchanged output"),
            Event::StepReused { step, .. } => format!("{step}: reused"),
            Event::StepKept { step, why, .. } => format!("{step}: kept by {why}"),
            Event::StepLeftOut { step, why } => format!("{step}: left out by {why}"),
            Event::StepPlanned { step, why } => format!("{step}: would run because {why}"),
            Event::StepPending { step, after } => format!("{step}: depends on {}", after.join(" ")),
            Event::StepFailed { step, failure, .. } => {
                let hints: String = failure.hints.iter().map(|it| format!("\n  {it}")).collect();
                format!("{step}: failed: {}{hints}", failure.chain.join(": "))
            }
            Event::Note { text, .. } => format!("note: {text}"),
            _ => return,
        };
        *self.0.lock().expect("no panic") += &format!("{line}\n");
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            repo: Repo::new(),
            tool: RefCell::new("v20".into()),
            program: RefCell::new("0.1.0+old".into()),
            parameter: RefCell::new("build".into()),
            variables: RefCell::default(),
            selection: RefCell::default(),
            plan: RefCell::new(false),
            amid: RefCell::new(None),
        }
    }

    pub fn options(&self, events: Events) -> Options {
        let root = self.repo.root().to_owned();
        Options {
            probes: Probes::open(root.join("target/probes")),
            steps: ["web", "bundle", "seal"].map(str::to_owned).into(),
            command: "cargo xtask dist".into(),
            events,
            selection: self.selection.take(),
            plan: *self.plan.borrow(),
            jobs: 2,
            program: self.program.borrow().clone(),
            timeout: Duration::from_secs(10),
            ..Options::new(&root, &self.repo.state(), "small")
        }
    }

    /// Runs the pipeline with `web` in this version, and hands the session over at the end.
    pub fn session<const V: u32>(&self, look: impl FnOnce(&Session)) -> String {
        let transcript = Transcript::default();
        let events = Events::new(vec![Box::new(transcript.clone())]);
        AMID.set(self.amid.take());
        let outcome = Session::open(self.options(events)).and_then(|session| {
            let web = Upper::<V> {
                parameter: self.parameter.borrow().clone(),
                tool: self.tool.borrow().clone(),
                variables: self.variables.borrow().clone(),
            };
            let outcome = session
                .step(web)
                .and_then(|web| session.step(Bundle { web }))
                .and_then(|bundle| session.step(Seal { bundle }));
            session.close();
            look(&session);
            outcome.map(drop)
        });
        let mut text = transcript.0.lock().expect("no panic").clone();
        match outcome {
            Err(error) if !error.is::<Stopped>() => text += &format!("error: {error:#}\n"),
            _ => {}
        }
        text.replace(&*self.repo.root().to_string_lossy(), "ROOT")
    }

    pub fn run(&self) -> String {
        self.session::<1>(|_| ())
    }

    pub fn select(&self, selection: Selection) -> &Self {
        self.selection.replace(selection);
        self
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.repo.root().join(path)).expect("it was there");
    }

    pub fn stage(&self, path: &str) -> PathBuf {
        self.repo.state().join("stages").join(path)
    }
}
