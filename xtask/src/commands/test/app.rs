//! The installed app, started on a display of its own and killed.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    Tests,
    processes::{self, Process},
};
use crate::engine::{
    exec::{self, Finished},
    staging,
    step::Context,
};

/// Tells the processes of this test from others.
const MARK: &str = "XTASK_TEST_RUN";
/// How often the app is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long sidecars may outlive a killed app: what unpacks itself tidies up first.
const GRACE: Duration = Duration::from_secs(15);
/// A blank window on a bare display has two, any text has more.
const COLOURS: u32 = 8;
/// How long an app must live that names no sign of being ready.
const SETTLED: Duration = Duration::from_secs(3);

/// The app as its package installs it. Dropped, it is removed.
pub(super) struct Installed {
    /// Its executable.
    pub(super) program: PathBuf,
    /// In words.
    pub(super) how: String,
    /// The package to remove.
    package: Option<String>,
}

impl Drop for Installed {
    fn drop(&mut self) {
        if let Some(package) = self.package.take() {
            // Also after Ctrl-C, which a command of the part would not survive.
            let mut purge = Command::new("dpkg");
            purge.args(["--purge", &package]);
            exec::quiet(purge).ok();
        }
    }
}

/// Installs the package if this may be done and undone here. Else it is unpacked into a folder,
/// which tests all but its installation.
pub(super) fn install(tests: &Tests, cx: &Context, package: &Path) -> Result<Installed> {
    let main = &tests.repository.config.tauri.main_binary;
    let mut ask = Command::new("dpkg-deb");
    ask.arg("--field").arg(package).arg("Package");
    let name = cx.exec(ask).read()?;
    let reason = if !is_root() {
        "not root"
    } else if is_installed(&name)? {
        "already installed here"
    } else {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("--install").arg(package);
        // Made first: also a half installed package is removed.
        let how = format!("installed {name}");
        let program = Path::new("/usr/bin").join(main);
        let installed = Installed {
            program,
            how,
            package: Some(name),
        };
        cx.exec(dpkg)
            .run()
            .context("the package cannot be installed\nhint: cargo xtask doctor --tests --fix")?;
        return Ok(installed);
    };
    let folder = tests.state.join("test/unpacked");
    staging::remove(&folder)?;
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("--extract").arg(package).arg(&folder);
    cx.exec(unpack).run()?;
    let program = folder.join("usr/bin").join(main).canonicalize()?;
    Ok(Installed {
        program,
        how: format!("unpacked {name} ({reason})"),
        package: None,
    })
}

fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}

fn is_installed(package: &str) -> Result<bool> {
    let mut ask = Command::new("dpkg-query");
    ask.args(["--show", "--showformat", "${db:Status-Status}", package]);
    let (ok, text) = exec::quiet(ask)?;
    Ok(ok && text.trim() == "installed")
}

/// How the app comes to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// In order: its window is closed, or SIGTERM.
    Closed,
    /// SIGKILL, which leaves it no time to end its sidecars.
    Killed,
}

/// How often the app is started and ended in order.
const CYCLES: usize = 5;

/// Starts the app, waits until it is ready, takes its picture, kills it, and waits until its
/// sidecars are gone; then starts it and ends it in order several times, which leaves no process
/// behind. Gives what was seen, a line each.
pub(super) fn try_out(tests: &Tests, cx: &Context, program: &Path) -> Result<Vec<String>> {
    let mut seen = start(tests, cx, program, Ending::Killed)?;
    let started = Instant::now();
    for cycle in 1..=CYCLES {
        start(tests, cx, program, Ending::Closed).with_context(|| format!("start {cycle}"))?;
    }
    seen.push(format!(
        "started it and ended it {CYCLES} times in {:.1} s: no process is left",
        started.elapsed().as_secs_f64()
    ));
    Ok(seen)
}

/// One life of the app.
fn start(tests: &Tests, cx: &Context, program: &Path, ending: Ending) -> Result<Vec<String>> {
    let mark = format!(
        "{}.{}",
        std::process::id(),
        UNIX_EPOCH.elapsed()?.as_millis()
    );
    let command = command(tests, program, &mark)?;
    let timeout = tests.repository.config.test.ready_timeout + 4 * GRACE;
    let printed_before = fs_err::metadata(&cx.log().path)?.len();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| cx.exec(command).timeout(timeout).output());
        let watch = Watch {
            tests,
            cx,
            program,
            mark: &mark,
            started: Instant::now(),
            printed_before,
            ending,
        };
        let seen = watch.to_the_end(&|| run.is_finished());
        // Whatever happened, nothing of it lives on.
        processes::all()
            .iter()
            .filter(|it| watch.is_ours(it))
            .for_each(Process::kill);
        let ended = run
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        seen.map_err(|error| because(error, ended))
    })
}

/// What the app said last says more than what did not happen.
fn because(error: anyhow::Error, ended: Result<Finished>) -> anyhow::Error {
    match ended {
        Ok(it) if !it.tail.is_empty() => error.context(format!(
            "the installed app does not work; it printed\n{}",
            it.tail.join("\n")
        )),
        Ok(_) => error,
        Err(failed) if error.is::<Gone>() => failed,
        Err(_) => error,
    }
}

/// The app ended by itself.
#[derive(Debug)]
struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the app ended before it was ready")
    }
}

impl std::error::Error for Gone {}

fn command(tests: &Tests, program: &Path, mark: &str) -> Result<Command> {
    let mut command = Command::new("xvfb-run");
    command
        .args([
            "-a",
            "-s",
            "-screen 0 1280x1024x24",
            "dbus-run-session",
            "--",
        ])
        .arg(program);
    command
        .env(MARK, mark)
        .env("GDK_BACKEND", "x11")
        .env_remove("WAYLAND_DISPLAY");
    // What the app keeps between runs is not the user's, and not an earlier test's either.
    let home = tests.state.join("test/home");
    staging::remove(&home)?;
    for (name, folder) in [
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CACHE_HOME", "cache"),
    ] {
        let folder = home.join(folder);
        fs_err::create_dir_all(&folder)?;
        command.env(name, folder);
    }
    Ok(command)
}

/// Looks at the app from outside.
struct Watch<'a> {
    tests: &'a Tests,
    cx: &'a Context<'a>,
    program: &'a Path,
    mark: &'a str,
    started: Instant,
    /// How long the log was when the app started.
    printed_before: u64,
    ending: Ending,
}

impl Watch<'_> {
    fn to_the_end(&self, is_gone: &dyn Fn() -> bool) -> Result<Vec<String>> {
        let host = self.until("the app to start", is_gone, || {
            let all = processes::all();
            all.into_iter()
                .find(|it| it.runs(self.program) && self.is_ours(it))
        })?;
        let title = self.until(&self.sign(), is_gone, || self.ready(&host))?;
        let ready = format!(
            "started: `{title}` after {:.1} s",
            self.started.elapsed().as_secs_f64()
        );
        let painted = match self.ending {
            Ending::Killed => {
                self.until("the window to show more than one colour", is_gone, || {
                    self.picture(&host)
                })?
            }
            Ending::Closed => String::new(),
        };
        let names: Vec<&str> = self
            .tests
            .repository
            .config
            .sidecars
            .iter()
            .map(|it| &*it.name)
            .collect();
        let all = processes::all();
        let sidecars = processes::below(&host, &names, &all);
        ensure!(
            names.is_empty() || !sidecars.is_empty(),
            "the app says that it is ready, but no process {} runs below it",
            names.join(" or ")
        );
        if self.ending == Ending::Closed {
            let family = processes::family(&host, &all);
            close(&host);
            let gone = self.gone(&family)?;
            return Ok(vec![ready, gone]);
        }
        host.kill();
        let gone = self.gone(&sidecars)?;
        Ok(vec![ready, painted, gone])
    }

    /// Looks until there is something to see. `is_gone` says that the app has ended.
    fn until<T>(
        &self,
        what: &str,
        is_gone: &dyn Fn() -> bool,
        look: impl Fn() -> Option<T>,
    ) -> Result<T> {
        let limit = self.tests.repository.config.test.ready_timeout;
        loop {
            if let Some(seen) = look() {
                return Ok(seen);
            }
            ensure!(!is_gone(), Gone);
            if self.started.elapsed() > limit {
                bail!("waited {} s for {what}", limit.as_secs());
            }
            self.cx.pause(LOOK)?;
        }
    }

    /// What is waited for, in words.
    fn sign(&self) -> String {
        let test = &self.tests.repository.config.test;
        let title = test
            .window_title
            .as_ref()
            .map(|it| format!("`{it}` in the window's title"));
        let line = test
            .ready_line
            .as_ref()
            .map(|it| format!("a line with `{it}`"));
        let signs: Vec<String> = title.into_iter().chain(line).collect();
        if signs.is_empty() {
            "a window".to_owned()
        } else {
            signs.join(" and ")
        }
    }

    /// The window's title, once all signs of being ready are there.
    fn ready(&self, host: &Process) -> Option<String> {
        let test = &self.tests.repository.config.test;
        let title = test.window_title.as_deref();
        let titles = titles(host);
        let titled = titles
            .into_iter()
            .find(|it| title.is_none_or(|title| it.contains(title)))?;
        let log = std::fs::read(&self.cx.log().path).unwrap_or_default();
        let log = log.get(self.printed_before as usize..).unwrap_or_default();
        let log = String::from_utf8_lossy(log);
        let printed = |it: &str| log.lines().any(|line| line.contains(it));
        let settled = title.is_some() || self.started.elapsed() > SETTLED;
        (settled && test.ready_line.as_deref().is_none_or(printed)).then_some(titled)
    }

    /// Takes a picture of the display; in words, once the page has been painted on it. The title
    /// comes from the host and says nothing of the page, which may have failed to load.
    fn picture(&self, host: &Process) -> Option<String> {
        let file = self.tests.state.join("test/window.png");
        let mut import = display(host, "import");
        import.args(["-window", "root"]).arg(&file);
        let (taken, _) = exec::quiet(import).ok()?;
        let mut identify = Command::new("identify");
        identify.args(["-format", "%k"]).arg(&file);
        let (_, colours) = exec::quiet(identify).ok()?;
        let colours: u32 = colours.trim().parse().ok()?;
        let shown = file.strip_prefix(self.cx.root()).unwrap_or(&file).display();
        (taken && colours >= COLOURS).then(|| format!("painted: {colours} colours in {shown}"))
    }

    /// Waits until these processes of the ended app have ended.
    fn gone(&self, processes: &[&Process]) -> Result<String> {
        let killed = Instant::now();
        loop {
            let left: Vec<_> = processes.iter().filter(|it| it.is_alive()).collect();
            if left.is_empty() {
                let seconds = killed.elapsed().as_secs_f64();
                return Ok(format!(
                    "{} it; the last sidecar ended after {seconds:.1} s",
                    if self.ending == Ending::Killed {
                        "killed"
                    } else {
                        "closed"
                    }
                ));
            }
            let ids: Vec<_> = left.iter().map(|it| it.id.to_string()).collect();
            ensure!(
                killed.elapsed() < GRACE,
                "the app was {} {} s ago, but of it there still runs process {}",
                if self.ending == Ending::Killed {
                    "killed"
                } else {
                    "closed"
                },
                GRACE.as_secs(),
                ids.join(", ")
            );
            self.cx.pause(LOOK)?;
        }
    }

    fn is_ours(&self, process: &Process) -> bool {
        process.variable(MARK).as_deref() == Some(self.mark)
    }
}

/// A program on the display of the app.
fn display(host: &Process, program: &str) -> Command {
    let mut command = Command::new(program);
    for name in ["DISPLAY", "XAUTHORITY"] {
        command.env(name, host.variable(name).unwrap_or_default());
    }
    command
}

/// Closes the window as the button in its frame would. Older versions of xdotool cannot: then the
/// app gets the signal with which a session ends.
fn close(host: &Process) {
    let mut command = display(host, "xdotool");
    let words = "search --onlyvisible --name . windowquit %@";
    command.args(words.split(' '));
    if !exec::quiet(command).is_ok_and(|(closed, _)| closed) {
        host.terminate();
    }
}

/// The titles of all windows on the display of the app; no other program draws there.
fn titles(host: &Process) -> Vec<String> {
    let xdotool = || {
        let mut command = display(host, "xdotool");
        command.args([
            "search",
            "--onlyvisible",
            "--name",
            ".",
            "getwindowname",
            "%@",
        ]);
        let (_, text) = exec::quiet(command).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    };
    // `0x200003 "title": ("app" "App") 800x600+0+0`
    let xwininfo = || {
        let mut command = display(host, "xwininfo");
        command.args(["-root", "-tree"]);
        let (_, text) = exec::quiet(command).ok()?;
        let quoted = text
            .lines()
            .filter_map(|it| it.trim().strip_prefix("0x")?.split_once(" \""));
        Some(
            quoted
                .filter_map(|(_, it)| Some(it.split_once("\":")?.0.to_owned()))
                .collect(),
        )
    };
    xdotool().or_else(xwininfo).unwrap_or_default()
}
