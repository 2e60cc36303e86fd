//! What killed runs left goes with the next run, whatever that does.

use std::{path::PathBuf, process::Command};

use fs_err as fs;

use super::{mac::Mac, macho_file};

const LOGIN: &str = "/Users/a/Library/Keychains/login.keychain-db";

/// A process that is gone, and one that is not.
fn processes() -> [u32; 2] {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    [gone.id(), std::process::id()]
}

/// A machine on which runs of these processes were killed while they signed, and while they uploaded.
struct Left {
    mac: Mac,
    search_list: PathBuf,
    processes: [u32; 2],
}

impl Left {
    fn new() -> Option<Self> {
        let mut mac = Mac::new()?;
        // With the tools at hand, but not as the ones that sign: whoever signs next clears up.
        let path = mac.stand_ins.path().unwrap();
        let rcodesign = mac.project.variables.iter().find(|it| it.0 == "PATH");
        let path = format!("{}:{}", path.to_str().unwrap(), rcodesign.unwrap().1);
        mac.project.set("PATH", path);
        let processes = processes();
        let keychains = mac.state().join("keychains");
        let mut searched = vec![LOGIN.to_owned()];
        for pid in processes {
            let keychain = keychains.join(format!("{pid}.keychain-db"));
            fs::create_dir_all(&keychain).unwrap();
            fs::write(keychain.join("state.json"), "{}").unwrap();
            fs::write(keychains.join(pid.to_string()), keychain.to_str().unwrap()).unwrap();
            searched.push(keychain.display().to_string());
            let upload = mac.state().join(format!("notary/upload-{pid}"));
            fs::create_dir_all(&upload).unwrap();
            fs::write(upload.join("Practice.zip"), "").unwrap();
        }
        // Of one only the entry is left; its number is no process's.
        let lost = keychains.join("4194305.keychain-db");
        searched.push(lost.display().to_string());
        let search_list = mac.stand_ins.folder().join("search-list.json");
        fs::write(&search_list, serde_json::to_string(&searched).unwrap()).unwrap();
        Some(Self {
            mac,
            search_list,
            processes,
        })
    }

    /// Runs this; then only what belongs to the process that runs is there.
    fn check(self, line: &str) {
        let ran = self.mac.said(line);
        let names = |folder: &str, start: &str| {
            let entries = fs::read_dir(self.mac.state().join(folder)).unwrap();
            let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|it| it.starts_with(start)).collect();
            names.sort();
            names
        };
        let own = self.processes[1];
        let keychain = format!("{own}.keychain-db");
        assert_eq!(
            names("keychains", ""),
            [own.to_string(), keychain.clone()],
            "{line}: {ran}"
        );
        assert_eq!(
            names("notary", "upload-"),
            [format!("upload-{own}")],
            "{line}: {ran}"
        );
        let path = self.mac.state().join("keychains").join(keychain);
        let searched: Vec<String> =
            serde_json::from_str(&fs::read_to_string(&self.search_list).unwrap()).unwrap();
        assert_eq!(searched, [LOGIN, path.to_str().unwrap()], "{line}: {ran}");
        self.mac.stand_ins.check().unwrap();
    }
}

#[test]
fn slow_every_command_that_signs_clears_up() {
    for line in [
        "sign lib.dylib",
        "notarize submit Practice.dmg",
        "dist --until frontend",
    ] {
        let Some(left) = Left::new() else { return };
        let root = &left.mac.project.root;
        fs::write(root.join("lib.dylib"), macho_file()).unwrap();
        fs::write(root.join("Practice.dmg"), xtask_practice::specimens::dmg()).unwrap();
        left.check(line);
    }
}
