//! A timestamp server, a notary, certificates and stand-ins to sign with by hand. Prints what to set
//! in a shell, and serves until standard input ends.
//!
//! ```text
//! cargo run -p xtask-practice --example practice
//! ```

#![allow(clippy::print_stdout, reason = "what it prints is to be pasted")]

use std::io::Read as _;

use anyhow::Result;
use xtask_practice::{Notary, Pki, StandIns, Timestamps, pki::PASSWORD, stand_ins::Servers};

fn main() -> Result<()> {
    let pki = Pki::shared()?;
    let timestamps = Timestamps::start(&pki)?;
    let notary = Notary::start(&pki)?;
    let servers = Servers {
        notary: Some(&notary),
        timestamps: Some(&timestamps),
    };
    let stand_ins = StandIns::new(&pki, servers)?;
    let leaf = pki.identity("leaf");
    let key = pki.api_key();
    println!("# paste into the shell that you sign in:");
    for name in ["WIN_CSC", "APPLE_CERTIFICATE"] {
        let (file, password) = match name {
            "WIN_CSC" => ("WIN_CSC_LINK", "WIN_CSC_KEY_PASSWORD"),
            _ => (name, "APPLE_CERTIFICATE_PASSWORD"),
        };
        export(file, &leaf.p12.display().to_string());
        export(password, PASSWORD);
    }
    export("APPLE_API_KEY", key.id);
    export("APPLE_API_ISSUER", key.issuer);
    export("APPLE_API_KEY_PATH", &key.file.display().to_string());
    notary
        .environment()
        .iter()
        .for_each(|(name, value)| export(name, value));
    println!("export PATH=\"$PATH:{}\"", stand_ins.bin().display());
    println!("\n# packaging/dist.toml:");
    println!(
        "[sign.windows]\ntimestamp-servers = [\"{}\"]",
        timestamps.url()
    );
    println!("[sign.macos]\ntimestamp-server = \"{}\"", timestamps.url());
    println!("# `trust` and `timestamp-trust` take files of the repository: copy");
    println!(
        "# {}\n# {}",
        pki.root().display(),
        pki.timestamp_root().display()
    );
    println!("\n# everything ends with Ctrl-D");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// For a POSIX shell, whatever the value.
fn export(name: &str, value: &str) {
    println!("export {name}='{}'", value.replace('\'', "'\\''"));
}
