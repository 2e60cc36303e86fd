//! The walk over source files, and the stat cache that spares reading them.
//!
//! A tree is all files below a folder that git does not ignore: `.gitignore` files and
//! `.git/info/exclude` count, a user's own global excludes do not, because a fingerprint must not
//! depend on who takes it. The walk is parallel, takes one stat a file and reads only what
//! changed: measured on 50,000 files, opening and hashing each costs ten times as much.
//!
//! The cache trusts an entry only if size, modification time, change time and inode are the same,
//! and it never stores a file that was modified in the same instant in which it was hashed (the
//! "racily clean" rule of git's index, see git's Documentation/technical/racy-git.adoc): such a
//! file may change again without any of the four moving.

mod cache;
mod git;
mod rules;
mod search;
mod sha256;
mod stored;
mod walk;

pub use cache::{Stat, StatCache, write_atomically, write_durably};
pub use git::Ask;
pub use rules::{glob_matches, is_glob};
pub use search::contains;
pub use sha256::{Hash, HashingReader, hash_file, hex, sha256_bytes, sha256_file, sha256_reader};
pub use walk::{Found, Tree, digest, walk_all};
