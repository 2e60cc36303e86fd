//! `release.yml` played on one machine: its jobs in their order, each in a checkout of its own, with its
//! conditions, secrets, uploads and downloads. What other people's actions install is here already.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use expect_test::expect;
use fs_err as fs;

use xtask::{ci, engine::secret::Secret, tools::minisign::Signer};

use super::{
    project::{KEY, PASSWORD, Project, read, tauri_cli},
    publish::GH,
};

/// A step, by the path of each value: `run`, `with.name`.
type Step = BTreeMap<String, String>;

/// A job: its steps, and what stands beside them.
struct Job {
    name: String,
    own: Step,
    steps: Vec<Step>,
}

/// The jobs of a workflow, in the form that `ci generate` gives it.
fn jobs(text: &str) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let body = text.split_once("\njobs:\n").unwrap().1;
    for line in body.lines().filter(|it| !it.trim().is_empty()) {
        let plain = line.trim_start();
        let (indent, begins) = (line.len() - plain.len(), plain.starts_with("- "));
        if plain.starts_with('#') {
            continue;
        }
        if indent == 2 {
            let name = plain.trim_end_matches(':').to_owned();
            let (own, steps) = (Step::new(), Vec::new());
            jobs.push(Job { name, own, steps });
            continue;
        }
        let job = jobs.last_mut().unwrap();
        if begins && indent == 6 && path.first().is_some_and(|it| it.1 == "steps") {
            job.steps.push(Step::new());
            path.truncate(1);
        }
        let (indent, plain) = match begins && indent == 6 {
            true => (8, &plain[2..]),
            false => (indent, plain),
        };
        path.retain(|it| it.0 < indent);
        let key = plain
            .split_once(':')
            .filter(|it| it.1.is_empty() || it.1.starts_with(' '));
        let map = match job.steps.last_mut().filter(|_| indent >= 8) {
            Some(step) => step,
            None => &mut job.own,
        };
        // A line of a text of several.
        let Some((key, value)) = key.filter(|it| !it.0.contains(' ')) else {
            let place: Vec<&str> = path
                .iter()
                .map(|it| &*it.1)
                .filter(|it| *it != "steps")
                .collect();
            let text = map.entry(place.join(".")).or_default();
            *text = format!("{text} {plain}").trim().to_owned();
            continue;
        };
        path.push((indent, key.to_owned()));
        let place: Vec<&str> = path
            .iter()
            .map(|it| &*it.1)
            .filter(|it| *it != "steps")
            .collect();
        let value = value.split(" # ").next().unwrap().trim();
        let value = value.trim_matches('"').trim_start_matches(">-");
        map.insert(place.join("."), value.to_owned());
    }
    jobs
}

/// GitHub, as far as the workflow sees it.
struct Hub {
    project: Project,
    secrets: BTreeMap<&'static str, String>,
    attempt: u32,
    /// What happened, a line each.
    told: String,
}

impl Hub {
    fn artifacts(&self) -> PathBuf {
        self.project.beside().join("artifacts")
    }

    /// Runs the jobs from this one on, until one fails.
    fn play(&mut self, from: &str) -> bool {
        self.attempt += 1;
        self.told += &format!("attempt {}\n", self.attempt);
        let jobs = jobs(&self.project.read(ci::RELEASE));
        let mut jobs = jobs.iter().skip_while(|it| it.name != from);
        jobs.all(|it| self.job(it))
    }

    fn job(&mut self, job: &Job) -> bool {
        let condition = job.own.get("if").map(String::as_str);
        assert!(matches!(condition, None | Some("github.ref_type == 'tag'")));
        let checkout = self
            .project
            .clone_at(&format!("{}-{}", job.name, self.attempt));
        let mut ok = true;
        for step in &job.steps {
            let runs = match step.get("if").map(String::as_str) {
                None => ok,
                Some("github.run_attempt > 1") => ok && self.attempt > 1,
                Some("failure() || cancelled()") => !ok,
                Some(other) => panic!("unknown: {other}"),
            };
            if !runs {
                continue;
            }
            let (done, tally) = self.step(&checkout, step);
            ok &= done || step.contains_key("continue-on-error");
            if let Some(line) = step.get("run").filter(|it| it.starts_with("cargo xtask")) {
                let outcome = if done { tally } else { "failed".to_owned() };
                let line = line.replace("x86_64-unknown-linux-gnu", "T");
                self.told += &format!(
                    "  {}: {line}: {outcome}\n",
                    job.name.replace("x86_64-unknown-linux-gnu", "T")
                );
            }
        }
        ok
    }

    /// Whether it ended well, and what it says of itself.
    fn step(&self, checkout: &Project, step: &Step) -> (bool, String) {
        let with = |name: &str| step.get(&format!("with.{name}")).map(|it| self.value(it));
        let action = step.get("uses").map(|it| it.split('@').next().unwrap());
        let done = match action {
            None => return self.run(checkout, step),
            Some("actions/checkout" | "actions/setup-node" | "actions/setup-python") => true,
            Some("actions/upload-artifact") => {
                self.upload(checkout, &with("name").unwrap(), &with("path").unwrap())
            }
            Some("actions/download-artifact") => {
                let to = checkout.root.join(with("path").unwrap());
                match (with("name"), with("pattern")) {
                    (Some(name), _) => lay(&self.artifacts().join(name), &to),
                    (None, Some(pattern)) => {
                        let merged = with("merge-multiple").is_some();
                        let all = fs::read_dir(self.artifacts()).unwrap();
                        let names = all.map(|it| it.unwrap().file_name().into_string().unwrap());
                        let begin = pattern.trim_end_matches('*');
                        for name in names.filter(|it| it.starts_with(begin)) {
                            let to = if merged { to.clone() } else { to.join(&name) };
                            lay(&self.artifacts().join(name), &to);
                        }
                    }
                    _ => panic!("nothing to download"),
                }
                true
            }
            Some(other) => panic!("unknown: {other}"),
        };
        (done, String::new())
    }

    /// An expression's value, or the text itself.
    fn value(&self, text: &str) -> String {
        let text = text.replace("${{ github.run_attempt }}", &self.attempt.to_string());
        let text = text.replace("${{ github.token }}", "the-token");
        let secret = text
            .strip_prefix("${{ secrets.")
            .and_then(|it| it.strip_suffix(" }}"));
        // As GitHub has it, one that nobody set is empty.
        secret.map_or(text.clone(), |it| {
            self.secrets.get(it).cloned().unwrap_or_default()
        })
    }

    fn run(&self, checkout: &Project, step: &Step) -> (bool, String) {
        let line = step["run"].as_str();
        let Some(line) = line.strip_prefix("cargo xtask ") else {
            assert!(line.starts_with("rustup "), "{line}");
            return (true, String::new());
        };
        // What is missing here stays so.
        let mut command = checkout.command(&line.replace("--setup ", ""));
        let variables = step
            .iter()
            .filter_map(|it| Some((it.0.strip_prefix("env.")?, it.1)));
        command.envs(variables.map(|(name, value)| (name, self.value(value))));
        command.envs([("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "v0.1.0")]);
        let path = std::env::var("PATH").unwrap();
        let bin = self.project.beside().join("bin");
        command.env("PATH", format!("{}:{path}", bin.display()));
        command.env("GH_WORLD", self.project.beside().join("hub"));
        let ran = checkout.ended(command.output().unwrap());
        if ran.code != 0 {
            eprintln!("{line}\n{}{}", ran.stdout, ran.stderr);
        }
        // How many steps ran, without the time.
        let tally = ran.stderr.lines().rev();
        let tally = tally.filter_map(|it| it.split_once(" in ")).map(|it| it.0);
        let tally = tally
            .into_iter()
            .find(|it| it.contains(" ran") || it.contains("reused"));
        (ran.code == 0, tally.unwrap_or("ok").to_owned())
    }

    /// Keeps what lies below the first wildcard, without its modes.
    fn upload(&self, checkout: &Project, name: &str, path: &str) -> bool {
        let mut places = vec![checkout.root.clone()];
        let mut base = None;
        for part in path.split('/') {
            places = match part {
                "*" => {
                    base = base.or(Some(places[0].clone()));
                    let all = places.iter().filter_map(|it| fs::read_dir(it).ok());
                    all.flatten().map(|it| it.unwrap().path()).collect()
                }
                part => places.iter().map(|it| it.join(part)).collect(),
            };
            places.retain(|it| it.exists());
        }
        let to = self.artifacts().join(name);
        fs::remove_dir_all(&to).ok();
        for place in &places {
            let base = base.clone().unwrap_or_else(|| match place.is_dir() {
                true => place.clone(),
                false => place.parent().unwrap().to_owned(),
            });
            lay(place, &to.join(place.strip_prefix(base).unwrap()));
        }
        !places.is_empty()
    }
}

/// Copies a file or a folder; programs are programs no more.
fn lay(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            lay(&entry.path(), &to.join(entry.file_name()));
        }
        return;
    }
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn hub() -> Hub {
    let project = Project::new();
    let cli = tauri_cli();
    let cli = format!("[bundle]\ncli = [\"node\", \"{}\"]\n", cli.display());
    project.write(
        "packaging/dist.toml",
        format!(
            "{cli}linux = [\"deb\"]\n[release]\ntargets = [\"linux\"]\n\
             [updater]\nurl = \"https://example.org/{{file}}\"\n\
             [sign.minisign]\npublic-key = \"minisign.pub\"\n"
        ),
    );
    let secret = |text: &str| Secret::new(text.to_owned());
    let signer = Signer::from_text(&secret(KEY), Some(&secret(PASSWORD))).unwrap();
    let key = format!("untrusted comment: known\n{}\n", signer.public_key().line());
    project.write("minisign.pub", key);
    project.succeed("ci generate");
    project.commit("Workflows");
    let gh = project.beside().join("bin/gh");
    fs::create_dir_all(gh.parent().unwrap()).unwrap();
    fs::create_dir_all(project.beside().join("hub")).unwrap();
    let tagged = project.git(&["rev-parse", "HEAD"]);
    fs::write(project.beside().join("hub/tagged"), tagged).unwrap();
    fs::write(&gh, GH).unwrap();
    fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).unwrap();
    Hub {
        project,
        secrets: BTreeMap::new(),
        attempt: 0,
        told: String::new(),
    }
}

/// An attempt without keys builds what needs none, and fails; the next goes on from there; the third, of
/// the job that publishes alone, finds that all is done.
#[test]
fn slow_a_release_from_the_tag_to_the_page() {
    let mut hub = hub();
    assert!(!hub.play("x86_64-unknown-linux-gnu"));
    hub.secrets
        .insert("TAURI_SIGNING_PRIVATE_KEY", KEY.to_owned());
    hub.secrets
        .insert("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", PASSWORD.to_owned());
    assert!(hub.play("x86_64-unknown-linux-gnu"), "{}", hub.told);
    assert!(hub.play("publish"), "{}", hub.told);
    expect![[r#"
        attempt 1
          T: cargo xtask dist --setup --target T --unsigned --until app: 2 ran, 5 left out
          T: cargo xtask dist --target T --release: failed
          T: cargo xtask state export --target T target/state.tar.gz: ok
        attempt 2
          T: cargo xtask state import --target T --if-exists target/states: ok
          T: cargo xtask dist --setup --target T --unsigned --until app: 2 reused, 5 left out
          T: cargo xtask dist --target T --release: 5 ran, 2 reused
          merge: cargo xtask merge target/releases --output target/merged --require-release --expect T: ok
          publish: cargo xtask verify target/merged --require-release: ok
          publish: cargo xtask ci release target/merged: ok
        attempt 3
          publish: cargo xtask verify target/merged --require-release: ok
          publish: cargo xtask ci release target/merged: ok
    "#]].assert_eq(&hub.told);
    let published = hub.project.beside().join("hub/assets");
    let mut list = std::process::Command::new("ls");
    expect![[r#"
        SHA256SUMS
        SHA256SUMS.minisig
        latest.json
        latest.json.minisig
        manifest.json
        manifest.json.minisig
        small-0.1.0-x86_64-unknown-linux-gnu.tar.gz
        small-0.1.0-x86_64-unknown-linux-gnu.tar.gz.minisig
        small_0.1.0_amd64.deb
        small_0.1.0_amd64.deb.minisig
        small_0.1.0_amd64.deb.sig
    "#]]
    .assert_eq(&read({
        list.arg(&published);
        list
    }));
    assert!(hub.project.beside().join("hub/published").exists());
}
