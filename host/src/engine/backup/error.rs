//! Why a backup cannot be written, read or restored; one variant for each thing that whoever runs it can do differently.

use std::path::PathBuf;

use crate::event::Sequence;
use crate::{log, state};

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: the disk is full; make room and run it again", path.display())]
    DiskFull { path: PathBuf },
    #[error("{} is no backup: {why}; name one that `polyfold backup` made", path.display())]
    NotABackup { path: PathBuf, why: String },
    #[error("{} exists already; name another file, or remove it first", path.display())]
    Exists { path: PathBuf },
    #[error("{} holds other files; name an empty directory, or one that does not exist yet", path.display())]
    OtherFiles { path: PathBuf },
    #[error("backup {} is in use by another process; wait until it is done, or name another", path.display())]
    InUse { path: PathBuf },
    #[error("{} is a backup of log {found}, not of log {wanted}; back up into another directory", path.display())]
    OtherLog { path: PathBuf, found: String, wanted: String },
    #[error("{file} is damaged: {why}; use another generation or another backup")]
    Damaged { file: String, why: String },
    #[error("{file} is of format {found}, this polyfold reads up to {known}; use a newer polyfold")]
    NewerFormat { file: String, found: u64, known: u32 },
    #[error("backup {} has no whole generation; run `polyfold backup` to its end first", path.display())]
    Empty { path: PathBuf },
    #[error("backup {} has no generation {generation}; `polyfold backup list` shows those that it has", path.display())]
    NoGeneration { path: PathBuf, generation: u64 },
    #[error("the backup ends at sequence {end}, before {wanted}; restore to what it has, or use a later backup")]
    EndsBefore { end: Sequence, wanted: Sequence },
    #[error(
        "events {first} to {last} were compacted and folded into one record before this backup; restore to sequence {before} or \
         {last}, or from an older generation"
    )]
    Compacted { before: Sequence, first: Sequence, last: Sequence },
    #[error("data directory {} is not empty; restore into one that is empty or does not exist", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{} cannot be renamed, because something is mounted there; restore into a directory in it", path.display())]
    MountPoint { path: PathBuf },
    #[error("{} is not of a restore that was broken off; move it away, it is where the restore works", path.display())]
    InTheWay { path: PathBuf },
    /// What came from the host breaks the rules of its stream, or broke off.
    #[error("the backup broke off: {0}; run it again, it goes on where it was")]
    BrokenOff(String),
    /// What the host answered: a problem (RFC 9457) as JSON.
    #[error("{0}")]
    Problem(String),
    #[error("--keep-last and --keep-for are for a backup directory; {} is one file", path.display())]
    OneFile { path: PathBuf },
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    State(#[from] state::Error),
}

impl BackupError {
    /// Wraps what went wrong with a file.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let path = path.into();
        move |source| match source.kind() {
            FileTooLarge | QuotaExceeded | StorageFull => Self::DiskFull { path },
            _ => Self::File { path, source },
        }
    }

    pub(super) fn damaged(file: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Damaged { file: file.into(), why: why.to_string() }
    }
}
