//! Backups: verified copies of log, catalogue, plugins, keys and states, and data directories that are made of them again.
//!
//! ```text
//! host    source ── frames ──► writer    a directory or one file    any machine
//!                                 └── generations, segments, files by digest ──► check, restore
//! ```
//! A host only sends; whoever asks for the backup writes the files. docs/backup.md has them byte by byte.

mod base;
mod check;
mod error;
mod frame;
mod list;
mod manifest;
mod place;
mod restore;
mod retain;
mod segment;
mod source;
mod tar;
#[cfg(test)]
mod tests;
mod writer;

pub use check::{Verified as VerifiedBackup, verify as verify_backup};
pub use error::BackupError;
pub use frame::{BackupRequest, KnownSnapshots, KnownState, Since, problem_frame};
pub use list::list as list_backup;
pub use manifest::{Generation, LastBlock, Part, SavedFile, SavedLog, SavedPlugin, SavedSnapshots, SavedState};
pub use place::Shape;
pub use restore::{Restore, Restored, Until};
pub use retain::Keep;
pub use source::HostKeyToo;
pub use writer::{BackupWriter, Made, Reached};

/// What a stream of a backup's frames is called.
pub const MEDIA_TYPE: &str = "application/vnd.polyfold.backup";
