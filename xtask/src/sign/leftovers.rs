//! What killed runs left: keychains with a key in them, and copies of what they uploaded. Every command
//! that signs or notarizes begins with removing them, whatever it is about to do: nobody knows whether
//! the step that left them ever runs again.

use std::path::{Path, PathBuf};

use super::{hands::Hands, macos::keychain, notary::package};
use crate::engine::event::Level;

/// Removes those of processes that are gone, of all targets of the checkout: a key for one signs for
/// another, too. What cannot be removed is said, and keeps nobody from working.
pub fn sweep(hands: &dyn Hands, state: &Path) {
    for state in beside(state) {
        for swept in [keychain::sweep(hands, &state), package::sweep(&state)] {
            if let Err(error) = swept {
                hands.note(Level::Warning, format!("{error:#}"));
            }
        }
    }
}

/// The state folders of all targets.
fn beside(state: &Path) -> Vec<PathBuf> {
    let all = state.parent().and_then(|it| fs_err::read_dir(it).ok());
    let all = all.into_iter().flatten().flatten().map(|it| it.path());
    let mut all: Vec<_> = all.filter(|it| it.is_dir()).collect();
    all.sort();
    all
}
