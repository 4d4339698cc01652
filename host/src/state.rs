//! A projection's state on disk: entries, checkpoint and faults in one redb file. Only this floor knows its tables.

mod changes;
mod overlay;
mod store;

// The log's crashing disk: a real file's tests need it here too, and floors share no code sideways.
#[cfg(test)]
#[expect(clippy::duplicate_mod, reason = "test support of two floors that do not know each other")]
#[path = "log/crash.rs"]
mod crash;
#[cfg(test)]
mod tests;

pub use changes::Changes;
pub use overlay::Overlay;
pub use store::{Checkpoint, Fault, Reader, Size, Store};

use std::path::PathBuf;

/// Why a state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {problem}; `polyfold projection rebuild` makes the state anew from the log", path.display())]
    Unusable { path: PathBuf, problem: String },
    #[error("{}: {source}", path.display())]
    Storage { path: PathBuf, source: Box<redb::Error> },
}

/// An entry of a state.
pub type Entry = (String, Vec<u8>);
