//! Apple's signatures that rcodesign made, good ones and bad ones.

#[path = "apple/apps.rs"]
mod apps;
#[path = "apple/code.rs"]
mod code;
mod support;

use std::path::PathBuf;

use support::{Bench, How, WELL};
use xtask_practice::specimens;

const HARDENED: How<'static> = How {
    more: &["--code-signature-flags", "runtime"],
    ..WELL
};

/// Signs code inside before what is around it, all of it with the hardened runtime.
fn signed_app(bench: &Bench) -> PathBuf {
    let app = specimens::app(bench.folder()).unwrap();
    let scopes = [
        "Contents/MacOS/helper",
        "Contents/Resources/sidecars/tool/tool",
        "Contents/Resources/sidecars/tool/module.so",
        "Contents/Frameworks/Kit.framework",
    ];
    let scopes = scopes.map(|it| format!("{it}:runtime"));
    let mut more = HARDENED.more.to_vec();
    for scope in &scopes {
        more.extend(["--code-signature-flags", scope]);
    }
    bench.rcodesign(
        &app,
        How {
            more: &more,
            ..WELL
        },
    )
}
