//! A step whose work only another machine can do.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use xtask::engine::{
    files::Tree,
    fingerprint::Inputs,
    session::{Brought, Options, Session},
    staging::Staging,
    step::{Context, Step},
};

/// Freezes the file `main.py`.
#[derive(Serialize)]
struct Frozen {
    #[serde(skip)]
    compiler: &'static str,
    #[serde(skip)]
    root: std::path::PathBuf,
}

impl Step for Frozen {
    const ID: &'static str = "frozen";
    const VERSION: u32 = 1;
    type Output = String;

    fn inputs(&self, _: &Context) -> Result<Inputs> {
        let inputs = Inputs::new().tool("compiler", self.compiler);
        Ok(inputs.tree("sources", Tree::new(self.root.join("src"))))
    }

    fn run(&self, _: &Context, out: &Staging) -> Result<String> {
        std::fs::write(out.file("side.exe")?, "frozen")?;
        Ok(self.compiler.to_owned())
    }
}

fn session(root: &Path) -> Session {
    let state = root.join("state");
    Session::open(Options {
        steps: vec!["frozen".into()],
        ..Options::new(root, &state, "x86_64-pc-windows-gnu")
    })
    .unwrap()
}

/// What this machine, which has another compiler, makes of what was brought.
fn brought(root: &Path) -> String {
    let step = Frozen {
        compiler: "none",
        root: root.to_owned(),
    };
    let session = session(root);
    let found = session.brought(&step, |it| !it.starts_with("tool compiler"));
    session.close();
    match found.unwrap() {
        Brought::Here(done) => format!("made by {}", done.output),
        Brought::Missing(why) => why,
    }
}

/// The other machine's tools do not count; its sources and its files do.
#[test]
fn what_another_machine_made_counts_while_it_fits() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("src")).unwrap();
    std::fs::write(root.join("src/main.py"), "1").unwrap();
    assert_eq!(brought(&root), "nothing was brought here");
    let made = session(&root);
    made.step(Frozen {
        compiler: "msvc",
        root: root.clone(),
    })
    .unwrap();
    made.close();
    drop(made);
    assert_eq!(brought(&root), "made by msvc");
    std::fs::write(root.join("src/main.py"), "22").unwrap();
    assert_eq!(
        brought(&root),
        "what was brought here is stale: main.py changed"
    );
    std::fs::write(root.join("src/main.py"), "1").unwrap();
    let side = root.join("state/stages/frozen/side.exe");
    std::fs::write(side, "altered").unwrap();
    let altered = brought(&root);
    assert!(altered.contains("side.exe"), "{altered}");
}
