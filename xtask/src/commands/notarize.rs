//! `notarize`: what Apple is asked to check, outside of the pipeline: submitted from any system,
//! followed from any run.

mod status;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{INTERRUPTED, World, dist::status_of, print};
use crate::{
    cli::{Notarize, Notarized as Of, NotaryLog, Resume, Submit},
    config::AppleSigning,
    engine::{
        event::{Event, Events},
        exec::{Interrupted, Log},
        paste::pasteable,
        secret::Redactor,
        select::Selection,
        session::{self, Hashes, Options, Reported, Session, Task},
        staging,
        step::Context,
    },
    release::Release,
    sign::{
        hands::Loose,
        leftovers,
        notary::{
            self, Notarized, Notary,
            checkpoint::{Checkpoint, Status},
            client::Client,
            log,
            package::Package,
        },
        private::Private,
        secrets::Secrets,
    },
    target::Target,
};

pub(super) fn notarize(world: &World, options: &Notarize) -> Result<ExitCode> {
    match options {
        Notarize::Submit(options) => submit(world, options),
        Notarize::Status(options) => status::status(world, options),
        Notarize::Log(options) => show_log(world, options),
        Notarize::Resume(options) => resume(world, options),
    }
}

/// Asks Apple; gives what came of it.
type Work<'j> = Box<dyn Fn(&Notary) -> Result<String> + 'j>;

/// One thing to do, with its name.
struct Job<'j> {
    name: String,
    why: String,
    work: Work<'j>,
}

fn submit(world: &World, options: &Submit) -> Result<ExitCode> {
    let target = options.of.target.parse()?;
    let files = from_here(&options.files)?;
    let work = |file: PathBuf| {
        let again = options.resubmit;
        let name = shown(&file);
        Job {
            name: name.clone(),
            why: "it was asked for".to_owned(),
            work: Box::new(move |notary| {
                Ok(match notary.notarize(&file, true, again)? {
                    Notarized::Already => "it carries Apple's ticket already".to_owned(),
                    Notarized::Now(id) => format!("accepted as {id}; the ticket is attached"),
                })
            }),
        }
    };
    let jobs = files.into_iter().map(work).collect();
    // What was submitted is not submitted again, so the same words go on.
    let again = command("submit", &options.of, &options.files, options.timeout);
    let wish = Wish {
        target,
        timeout: options.timeout,
        allow_secret_in_args: options.of.allow_secret_in_args,
        resume: again,
    };
    run(world, &wish, jobs)
}

fn resume(world: &World, options: &Resume) -> Result<ExitCode> {
    let target: Target = options.of.target.parse()?;
    let state = world.state(&target);
    let mut jobs = Vec::new();
    for file in from_here(&options.files)? {
        let package = Package::of(&file, &state)?;
        let known = Checkpoint::read(&state, &package.sha256)?.with_context(|| {
            format!(
                "{} was never submitted in these bytes\n\
                 hint: cargo xtask notarize submit {0}",
                file.display()
            )
        })?;
        jobs.push(going_on(known, Some(file)));
    }
    if options.files.is_empty() {
        let all = Checkpoint::all(&state)?.into_iter();
        let open = all.filter(|it| it.status.is_open() || it.status == Status::Accepted);
        jobs.extend(open.map(|it| going_on(it, None)));
    }
    if jobs.is_empty() {
        return print("nothing waits for an answer of Apple's\n");
    }
    let again = command("resume", &options.of, &options.files, options.timeout);
    let wish = Wish {
        target,
        timeout: options.timeout,
        allow_secret_in_args: options.of.allow_secret_in_args,
        resume: again,
    };
    run(world, &wish, jobs)
}

/// Waits for one submission, and attaches the ticket to what was submitted, if that is there.
fn going_on<'j>(checkpoint: Checkpoint, file: Option<PathBuf>) -> Job<'j> {
    let why = format!("{} at {}", checkpoint.status, checkpoint.submitted);
    let name = checkpoint.file.clone();
    let work = move |notary: &Notary| {
        let mut checkpoint = checkpoint.clone();
        if checkpoint.id.is_none() {
            checkpoint.id = notary.find(&checkpoint.file)?;
            checkpoint.id().with_context(|| {
                format!(
                    "Apple knows no {}: its upload did not begin, or was broken off\n\
                     hint: {}",
                    checkpoint.file,
                    notary::submit_again(&checkpoint, notary.state)
                )
            })?;
            checkpoint.status = Status::Submitted;
            checkpoint.save(notary.state)?;
        }
        notary.answered(&mut checkpoint)?;
        let Some(product) = file.clone().or_else(|| checkpoint.product.clone()) else {
            return Ok("accepted; `cargo xtask dist` attaches the ticket".to_owned());
        };
        let shown = product.display().to_string();
        let name = PathBuf::from(product.file_name().unwrap_or_default());
        let product = notary.root.join(product);
        if !product.exists() {
            return Ok(format!(
                "accepted, but {shown} is not here: where it lies, attach the ticket with `{}`",
                notary::command(&["resume"], notary.state, &name)
            ));
        }
        if checkpoint.status == Status::Stapled {
            return Ok("accepted; the ticket is attached".to_owned());
        }
        let package = Package::of(&product, notary.state)?;
        if package.sha256 != checkpoint.sha256 {
            bail!(
                "{shown} is not what was submitted any more: it was changed or signed again since\n\
                 hint: cargo xtask notarize submit {shown}"
            );
        }
        drop(package);
        notary.staple(&mut checkpoint, &product)?;
        Ok(format!(
            "accepted as {}; the ticket is attached",
            checkpoint.id()?
        ))
    };
    Job {
        name,
        why,
        work: Box::new(work),
    }
}

/// Does one after the other, also where one fails.
fn run(world: &World, wish: &Wish, jobs: Vec<Job>) -> Result<ExitCode> {
    let started = Instant::now();
    let config = world.config()?;
    let (target, resume) = (&wish.target, &*wish.resume);
    let state = world.state(target);
    let events = world.events();
    let redactor = Redactor::default();
    let session = open(world, target, &redactor, resume, &events, &jobs)?;
    let withheld = Release::withheld(&config);
    leftovers::sweep(&world.loose(&state, &events, withheld), &state);
    let ask = Ask {
        session: &session,
        state: &state,
        root: &world.root,
        timeout: wish.timeout.unwrap_or(config.sign.macos.notarize_timeout),
        allow_secret_in_args: wish.allow_secret_in_args,
        resume,
    };
    let worst = ask
        .all(&config.sign.macos, redactor, &jobs)
        .unwrap_or_else(|error| {
            let failure = session::failure(&error, "");
            events.emit(Event::RunFailed { failure });
            Some(error)
        });
    session.close();
    let (ok, seconds) = (worst.is_none(), started.elapsed().as_secs_f64());
    let next = worst
        .as_ref()
        .is_some_and(|it| it.is::<Reported>() || it.is::<Interrupted>());
    let next = next.then(|| resume.to_owned());
    events.emit(Event::RunFinished { ok, seconds, next });
    Ok(match &worst {
        None => ExitCode::SUCCESS,
        Some(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Some(error) => status_of(error).into(),
    })
}

/// What the command line says besides what is to be done.
struct Wish {
    target: Target,
    timeout: Option<Duration>,
    allow_secret_in_args: bool,
    /// What to type to go on.
    resume: String,
}

/// What asking for all of it has in common.
struct Ask<'a> {
    session: &'a Session,
    state: &'a Path,
    root: &'a Path,
    timeout: Duration,
    allow_secret_in_args: bool,
    resume: &'a str,
}

impl Ask<'_> {
    /// Does all of it; gives the worst failure, which the reporters have seen.
    fn all(
        &self,
        config: &AppleSigning,
        redactor: Redactor,
        jobs: &[Job],
    ) -> Result<Option<anyhow::Error>> {
        let private = Private::new(self.state)?;
        let secrets = Secrets::new(redactor);
        let client = Client::find(config, &secrets, &private, self.allow_secret_in_args)?;
        let client = client.with_context(no_login)?;
        let mut worst: Option<anyhow::Error> = None;
        for job in jobs {
            match self.one(&client, job) {
                Ok(()) => {}
                Err(error) if error.is::<Interrupted>() => return Ok(Some(error)),
                // What failed outright is worse than what only has no answer.
                Err(error) if worst.as_ref().is_none_or(only_waits) => worst = Some(error),
                Err(_) => {}
            }
        }
        Ok(worst)
    }

    fn one(&self, client: &Client, job: &Job) -> Result<()> {
        let work = |cx: &Context| {
            (job.work)(&Notary {
                hands: cx,
                client,
                state: self.state,
                root: self.root,
                timeout: self.timeout,
                resume: self.resume,
            })
        };
        let task = Task {
            name: format!("notarize:{}", job.name),
            why: job.why.clone(),
            log: format!("notarize-{}", staging::file_name(&job.name)),
            resume: self.resume.to_owned(),
        };
        self.session.task(&task, work)
    }
}

fn only_waits(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Reported>()
        .is_some_and(|it| it.status.is_some())
}

/// Says that nobody is configured who may ask Apple, and how to change that.
pub(crate) fn no_login() -> String {
    "nobody can ask Apple: there is no API key\n\
     hint: make one in App Store Connect (Users and Access, Integrations), and export its id as \
     APPLE_API_KEY, its issuer as APPLE_API_ISSUER, and the path of its .p8 file as APPLE_API_KEY_PATH"
        .to_owned()
}

fn open(
    world: &World,
    target: &Target,
    redactor: &Redactor,
    command: &str,
    events: &Events,
    jobs: &[Job],
) -> Result<Session> {
    let config = world.config()?;
    let state = world.state(target);
    let withheld = Release::withheld(&config);
    let session = Session::open(Options {
        root: world.root.clone(),
        state: state.clone(),
        target: target.triple.clone(),
        steps: Vec::new(),
        command: command.to_owned(),
        events: events.clone(),
        selection: Selection::default(),
        plan: false,
        jobs: 1,
        hashes: Hashes::read(&state, false),
        timeout: config.limits.step_timeout,
        probes: world.probes().withhold(withheld.clone()),
        withheld,
        redactor: redactor.clone(),
        interrupted: world.interrupted.clone(),
        program: crate::VERSION.to_owned(),
        at_commit: None,
    })?;
    events.emit(Event::RunStarted {
        command: command.to_owned(),
        target: target.name.clone(),
        steps: jobs
            .iter()
            .map(|it| format!("notarize:{}", it.name))
            .collect(),
        jobs: 1,
        logs: state.join("logs"),
    });
    Ok(session)
}

/// What to type to go on. `--resubmit` has done its work then.
fn command(verb: &str, of: &Of, files: &[PathBuf], timeout: Option<Duration>) -> String {
    let mut command = Command::new("cargo");
    command.args(["xtask", "notarize", verb]);
    if of.target != "macos" {
        command.args(["--target", &of.target]);
    }
    if of.allow_secret_in_args {
        command.arg("--allow-secret-in-args");
    }
    if let Some(timeout) = timeout {
        let time = humantime::format_duration(timeout).to_string();
        command.args(["--timeout", &time.replace(' ', "")]);
    }
    command.args(files);
    pasteable(&command, Path::new(""))
}

/// Paths on the command line begin where the user is; commands run at the repository's top.
fn from_here(files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let full = |it: &PathBuf| fs_err::canonicalize(it).with_context(|| it.display().to_string());
    files.iter().map(full).collect()
}

fn shown(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn show_log(world: &World, options: &NotaryLog) -> Result<ExitCode> {
    let target = options.of.target.parse()?;
    let state = world.state(&target);
    let all = Checkpoint::all(&state)?;
    let wanted = options.submission.as_deref();
    let fits = |it: &&Checkpoint| match wanted {
        Some(name) => it.id.as_deref() == Some(name) || it.file == name,
        None => !it.status.is_open(),
    };
    let known = all.iter().rfind(fits);
    let kept = known.map(|it| it.log(&state)).filter(|it| it.is_file());
    let found = match kept {
        Some(file) => serde_json::from_str(&fs_err::read_to_string(file)?)?,
        None => {
            let id = match known {
                Some(known) => known.id()?,
                // Also one that was submitted elsewhere.
                None => wanted.context("nothing that was submitted from here is decided yet")?,
            };
            ask_for_log(world, &options.of, id)?
        }
    };
    print(&match world.is_json() {
        true => format!("{}\n", serde_json::to_string(&found)?),
        false => log::table(&found),
    })
}

fn ask_for_log(world: &World, of: &Of, id: &str) -> Result<serde_json::Value> {
    let private = Private::new(&world.state(&of.target.parse()?))?;
    let asking = Asking::new(world, of, &private)?;
    asking.client.with_context(no_login)?.log(&asking.hands, id)
}

/// Who asks Apple outside of a run, and says nothing of it.
struct Asking {
    /// None without a login.
    client: Option<Client>,
    hands: Loose,
}

impl Asking {
    fn new(world: &World, of: &Of, private: &Private) -> Result<Self> {
        let config = world.config()?;
        let state = world.state(&of.target.parse()?);
        let exec = world.exec(&state, Events::default(), Release::withheld(&config));
        let secrets = Secrets::new(exec.redactor.clone());
        let allow = of.allow_secret_in_args;
        let client = Client::find(&config.sign.macos, &secrets, private, allow)?;
        let log = Log::at(state.join("logs/notarize-ask.log"));
        let hands = Loose { exec, log };
        Ok(Self { client, hands })
    }
}
