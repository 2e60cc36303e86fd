//! What each subcommand does, one a file. They wire configuration, engine and reporters together.

mod ci;
mod clean;
mod dist;
mod doctor;
mod freeze;
mod init;
mod merge;
mod notarize;
mod sign;
mod state;
mod status;
mod targets;
mod test;
mod verify;
mod version;

pub(crate) use notarize::no_login;

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{
    cli::{Cli, Command, Global, OnTarget},
    config::{self, Config},
    engine::{
        event::{Event, Events},
        exec::{self, Exec, Log},
        orphans::Orphans,
        probe::Probes,
        secret::Redactor,
        session,
        tether::Tether,
    },
    manifest, pipeline,
    release::{Release, SECRET_VARIABLES},
    report,
    sign::hands::Loose,
    target::Target,
    version::pending,
};

/// Ended by Ctrl-C, as shells count it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// How long an installation of packages may take.
const SETUP_TIMEOUT: Duration = Duration::from_secs(3600);

/// What every command starts from.
struct World {
    /// The repository's top folder.
    root: PathBuf,
    /// The options of every command.
    global: Global,
    /// Set by Ctrl-C.
    interrupted: Arc<AtomicBool>,
    /// Read once: no command changes it.
    loaded: OnceLock<Config>,
    /// Read once: what one part of a command asks, the next need not ask again.
    probes: OnceLock<Probes>,
}

/// How a command ended that is no run of the pipeline.
struct Ended {
    ok: bool,
    /// What to type next.
    next: Option<String>,
}

impl World {
    fn config(&self) -> Result<Config> {
        if let Some(config) = self.loaded.get() {
            return Ok(config.clone());
        }
        pending::refuse(&self.root)?;
        let config = config::load(&self.root, self.global.config.as_deref())?;
        exec::withhold(Release::withheld(&config));
        Ok(self.loaded.get_or_init(|| config).clone())
    }

    fn probes(&self) -> Probes {
        let open = || Probes::open(self.root.join("target/dist/probes.v1.json"));
        self.probes.get_or_init(open).clone()
    }

    /// What shows the events of a command.
    fn events(&self) -> Events {
        let Global {
            format,
            color,
            verbose,
            ..
        } = self.global;
        Events::new(vec![report::reporter(format, color, verbose)])
    }

    /// Whether a program reads what is shown.
    fn is_json(&self) -> bool {
        self.global.format == report::Format::Json
    }

    /// Ends a command that is no run of the pipeline. A program sees it end as a run does, an
    /// error included; a person has read the outcome by then, and gets the error by itself.
    fn finish(
        &self,
        events: &Events,
        started: Instant,
        outcome: Result<Ended>,
    ) -> Result<ExitCode> {
        let (ok, next) = match outcome {
            Ok(ended) => (ended.ok, ended.next),
            Err(error) if !self.is_json() => return Err(error),
            Err(error) => {
                let failure = session::failure(&error, "");
                events.emit(Event::RunFailed { failure });
                (false, None)
            }
        };
        if self.is_json() {
            let seconds = started.elapsed().as_secs_f64();
            events.emit(Event::RunFinished { ok, seconds, next });
        }
        Ok(match ok {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    /// Shows an error after which the command goes on with something else.
    fn show_error(&self, error: &anyhow::Error) {
        if self.is_json() {
            let failure = session::failure(error, "");
            self.events().emit(Event::RunFailed { failure });
            return;
        }
        anstream::stderr()
            .write_all(report::error(error).as_bytes())
            .ok();
    }

    /// What runs commands outside of a step.
    fn exec(&self, state: &Path, events: Events, withheld: Vec<String>) -> Exec {
        Exec {
            root: self.root.clone(),
            events,
            redactor: Redactor::default(),
            interrupted: self.interrupted.clone(),
            withheld,
            orphans: Orphans::new(state.join("running")),
            timeout: SETUP_TIMEOUT,
        }
    }

    /// What runs programs outside of any step.
    fn loose(&self, state: &Path, events: &Events, withheld: Vec<String>) -> Loose {
        Loose {
            exec: self.exec(state, events.clone(), withheld),
            log: Log::at(state.join("logs/leftovers.log")),
        }
    }

    fn state(&self, target: &Target) -> PathBuf {
        pipeline::state(&self.root, target)
    }
}

fn target(on: &OnTarget) -> Result<Target> {
    on.target
        .as_deref()
        .map_or_else(|| Ok(Target::host()), str::parse)
}

/// Runs the command line to its exit code.
///
/// # Errors
/// What is wrong, where, and lines beginning with `hint: ` that say what to do.
pub fn run(cli: Cli) -> Result<ExitCode> {
    report::init_color(cli.global.color);
    exec::withhold(SECRET_VARIABLES.map(str::to_owned));
    let _tether = Tether::tie();
    let root = match &cli.command {
        Command::Init(options) => init::root(options)?,
        _ => repository(&env::current_dir()?)?,
    };
    let world = World {
        root,
        global: cli.global,
        interrupted: interruptible()?,
        loaded: OnceLock::new(),
        probes: OnceLock::new(),
    };
    match cli.command {
        Command::Dist(options) => dist::dist(&world, &options),
        Command::Plan(options) => dist::plan(&world, &options),
        Command::Status(on) => status::status(&world, &target(&on)?),
        Command::Clean(options) => clean::clean(&world, &options),
        Command::Verify(options) => verify::verify(&world, &options),
        Command::Sign(options) => sign::sign(&world, &options),
        Command::Doctor(options) => doctor::doctor(&world, &options),
        Command::Notarize(options) => notarize::notarize(&world, &options),
        Command::Freeze(options) => freeze::freeze(&world, &options),
        Command::Test(options) => test::test(&world, &options),
        Command::Version(options) => version::version(&world, options.command.as_ref()),
        Command::Ci(options) => ci::ci(&world, &options),
        Command::Init(options) => init::init(&world, &options),
        Command::Config => print(&format!(
            "{}\n",
            serde_json::to_string_pretty(&world.config()?)?
        )),
        Command::State(command) => state::state(&world, &command),
        Command::Merge(options) => merge::merge(&world, &options),
        Command::Schema(options) => print(match options.merged {
            false => manifest::SCHEMA,
            true => manifest::MERGED_SCHEMA,
        }),
    }
}

/// Writes to stdout; a reader that has seen enough is no error.
fn print(text: &str) -> Result<ExitCode> {
    anstream::stdout().write_all(text.as_bytes()).ok();
    Ok(ExitCode::SUCCESS)
}

/// Writes one line of JSON to stdout.
fn print_json(told: &impl serde::Serialize) -> Result<ExitCode> {
    print(&format!("{}\n", serde_json::to_string(told)?))
}

/// The folder above that holds the configuration; without one the repository.
fn repository(from: &Path) -> Result<PathBuf> {
    let above = |name: &str| from.ancestors().find(|it| it.join(name).exists());
    let root = above(config::FILE).or_else(|| above(".git"));
    root.map(Path::to_owned).with_context(|| {
        format!(
            "{} is in no repository: neither {} nor .git is here or above",
            from.display(),
            config::FILE
        )
    })
}

/// Lets Ctrl-C and SIGTERM end the children first. A second one does not wait for them.
fn interruptible() -> Result<Arc<AtomicBool>> {
    use std::sync::atomic::Ordering;
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    ctrlc::set_handler(move || {
        if set.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
    })?;
    Ok(flag)
}
