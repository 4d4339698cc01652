//! A projection's state on disk: entries, checkpoint and faults in one redb file. Only this floor knows its tables.

mod changes;
mod overlay;
mod store;

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
