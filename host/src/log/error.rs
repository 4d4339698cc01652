//! What can go wrong with the log itself, and why an append is refused.

use super::append::{Append, Expectation};
use crate::event::{EventId, InvalidEvent, Sequence, StreamName, Version};

/// The log cannot do what was asked: its file, its disk or its bytes are at fault, never the request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name} is not a polyfold log: {why}; name another file, or move this one away to start a new log")]
    NotALog { name: String, why: String },
    #[error("{name} has log format {found}, this polyfold reads up to {known}; use a newer polyfold")]
    NewerFormat { name: String, found: u32, known: u32 },
    #[error("{name} is in use by another process; stop it, or ask it instead")]
    InUse { name: String },
    #[error("{place} is damaged: {why}; restore the log from a copy")]
    Damaged { place: String, why: String },
    #[error(
        "sequence {at} lies within the events {first} to {last}, which were compacted and have one digest for all of them; ask at {before} or {last}, or with the archive", before = first.previous()
    )]
    InFolded { at: Sequence, first: Sequence, last: Sequence },
    #[error("rewriting the log takes {needed_bytes} bytes of disk and {free_bytes} are free; make room")]
    NoRoom { needed_bytes: u64, free_bytes: u64 },
    #[error("events {first} to {last} are folded, and no archive has them; bring its files back from a copy")]
    NotArchived { first: Sequence, last: Sequence },
    #[error("archive {path} cannot be used: {why}; bring the file back from a copy")]
    Archive { path: String, why: String },
    #[error("a log that is in no file cannot be rewritten")]
    NoFile,
    #[error("the log cannot be read or written: {0}")]
    Storage(#[source] Box<redb::Error>),
}

impl Error {
    /// Whether the disk has no room for what was to be written.
    pub fn is_disk_full(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let Self::Storage(error) = self else { return false };
        matches!(&**error, redb::Error::Io(error) if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }

    /// A table that is missing or of another type is one whose entry in redb's own table is not as it was written.
    fn of_redb(error: redb::Error) -> Self {
        match error {
            redb::Error::Corrupted(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableIsNotMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_) => Self::damaged("the log's file", error),
            error => Self::Storage(Box::new(error)),
        }
    }

    pub(super) fn damaged(place: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self::Damaged { place: place.to_string(), why: why.to_string() }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::of_redb(error.into())
            }
        })*
    };
}

from_redb!(redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);

/// Why an append was not taken. Nothing of it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("stream \"{stream}\" is at version {found}, the append expects {expected}; read it again and decide anew")]
    Conflict { stream: StreamName, expected: Expectation, found: Version },
    #[error("event id \"{id}\" is taken by another event at sequence {sequence}; a new event needs a new id")]
    IdTaken { id: EventId, sequence: Sequence },
    #[error("event {index} of the append: {error}")]
    Invalid { index: usize, error: InvalidEvent },
    #[error("the append has {found} events, at most {} are allowed; send it in parts", Append::EVENTS_MAX)]
    TooManyEvents { found: usize },
    #[error("the append has {found} bytes, at most {} are allowed; send it in parts", Append::BYTES_MAX)]
    TooLarge { found: usize },
}

/// Why [`plan`](super::Transaction::plan) did not place an append.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The transaction is as it was.
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Log(#[from] Error),
}
