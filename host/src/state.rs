//! A projection's state on disk: entries, the tree over them, checkpoint and faults in one redb file. Only this floor knows
//! its tables.

#[doc(hidden)]
pub mod ablation;
mod base;
mod changes;
mod commit;
mod copy;
mod costs;
mod digest;
mod fill;
mod history;
mod marks;
mod missing;
mod opening;
mod overlay;
mod quarantine;
mod reader;
mod snapshots;
mod storage;
mod store;
mod tree;

#[cfg(test)]
mod tests;

pub use base::Base;
pub use changes::Changes;
pub use commit::Prepared;
pub use copy::Copy;
pub use costs::{CallCost, Costs};
pub use digest::StateDigest;
pub use history::{Changed, History, KeyHistory, Undone};
pub use marks::Marks;
pub use missing::Missing;
pub use overlay::Overlay;
pub use quarantine::{SetAside, SetAsideTotals};
pub use reader::Reader;
pub use snapshots::{Damaged, Manifest, Occasion, Snapshots, SnapshotsCopy, Taken, View, Why};
pub use store::{Checkpoint, Fault, Size, Store};
pub use tree::{Disagreement, EntryProof, InvalidProof, PROOF_BYTES_MAX, Totals, ValueDigest};

use std::path::PathBuf;

/// Why a state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {problem}; `polyfold projection rebuild` makes the state anew from the log", path.display())]
    Unusable { path: PathBuf, problem: String },
    /// A file of snapshots cannot be used, or one of them: everything is made without.
    #[error("{}: {problem}", path.display())]
    Snapshots { path: PathBuf, problem: String },
    #[error("{}: {source}", path.display())]
    Storage { path: PathBuf, source: Box<redb::Error> },
}

impl Error {
    /// Whether somebody else has the file open.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Unusable { problem, .. } if problem == IN_USE)
    }

    /// Whether the file itself is at fault: another one made from the log in its place is sound.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Unusable { .. }) && !self.is_in_use()
    }

    /// The same of a file of snapshots.
    fn of_snapshots(self) -> Self {
        match self {
            Self::Unusable { path, problem } if problem != IN_USE => {
                Self::Snapshots { path, problem: problem.replace("projection's state", "file of snapshots") }
            }
            other @ (Self::Unusable { .. } | Self::Snapshots { .. } | Self::Storage { .. }) => other,
        }
    }

    /// What is wrong, without a way out.
    pub fn what(&self) -> String {
        match self {
            Self::Unusable { path, problem } | Self::Snapshots { path, problem } => {
                format!("{}: {problem}", path.display())
            }
            Self::Storage { path, source } => format!("{}: {source}", path.display()),
        }
    }

    /// Whether the disk has no room for what was to be written.
    pub fn is_disk_full(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let Self::Storage { source, .. } = self else { return false };
        matches!(&**source, redb::Error::Io(error) if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }
}

/// What is wrong with a file that somebody else has open.
const IN_USE: &str = "it is in use by another process";

/// An entry of a state.
pub type Entry = (String, Vec<u8>);
