//! Into an existing repository: what it says of its app, its front end and its sidecars, and the files
//! that make a release of it. Everything is read as text; nothing of the repository is run.
//!
//! | module | its one noun |
//! |---|---|
//! | `tree` | the files of the repository, and paths in it |
//! | `tauri` | the Tauri app |
//! | `node` | the front end, its packages and what manages them |
//! | `words` | a line of a shell, taken apart |
//! | `literal` | the values in a Python source |
//! | `freeze` | how a sidecar is frozen today |
//! | `command` | a command line of PyInstaller or Nuitka |
//! | `spec` | a `.spec` file of PyInstaller |
//! | `search` | the files in which command lines stand |
//! | `sidecar` | an executable that the app names, and the Python that it is made of |
//! | `dist` | the text of `packaging/dist.toml` |
//! | `source` | where the library comes from |
//! | `package` | a Cargo package of the repository |
//! | `recipe` | the alias, the workspace, the program |
//! | `plan` | all of it |

mod command;
mod dist;
mod freeze;
mod literal;
mod node;
mod package;
mod plan;
mod recipe;
mod search;
mod sidecar;
mod source;
mod spec;
mod tauri;
mod tree;
mod words;

pub use plan::{Options, Plan, State, plan};
