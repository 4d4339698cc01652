//! The log: events in order of sequence, in one file. Only append writes.
//!
//! Nobody else knows its tables. log/FORMAT.md has the file byte by byte.

mod append;
mod block;
mod bytes;
mod error;
mod file;
mod index;
mod plan;
mod reader;
mod record;
mod state;
mod stats;
mod tables;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use append::{Append, Appended, Expectation, Placed, Prepared};
pub use error::{Error, PlanError, Refused};
pub use plan::Transaction;
pub use reader::{Page, Query, Reader};
pub use stats::Stats;
pub use tables::{Head, LogId};
pub use verify::Verified;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use redb::{Database, StorageBackend};

use self::state::Shared;
use self::writer::Writer;

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for pages of the file, read or about to be written.
    pub cache_bytes: usize,
    /// Events whose index is in memory; that many are read again on opening.
    pub(crate) memtable_events: usize,
    /// Bytes of events whose index is in memory, for events that are large.
    pub(crate) memtable_bytes: usize,
}

impl Default for Options {
    /// 64 MiB of cache: a scan needs next to none, and the filters of a hundred million events have memory of their own.
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, memtable_events: 16_384, memtable_bytes: 64 << 20 }
    }
}

/// An open log. One writer at a time, any number of readers.
pub struct Log {
    name: String,
    path: Option<PathBuf>,
    id: LogId,
    options: Options,
    database: file::Closing,
    shared: Shared,
    writer: Mutex<Writer>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("name", &self.name).field("head", &self.head()).finish_non_exhaustive()
    }
}

impl Log {
    /// Opens the log in that file; makes it when there is none.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let name = format!("\"{}\"", path.display());
        let database = file::open(path, &name, options)?;
        Self::over(name, Some(path.to_owned()), database, options)
    }

    /// Opens the log in that storage; makes it when the storage is empty.
    pub fn open_with_backend(backend: impl StorageBackend, options: &Options) -> Result<Self, Error> {
        let name = "the log".to_owned();
        let database = file::open_backend(backend, &name, options)?;
        Self::over(name, None, database, options)
    }

    fn over(name: String, path: Option<PathBuf>, database: Database, options: &Options) -> Result<Self, Error> {
        let database = file::Closing::new(database);
        let (state, writer) = file::guarded(&name, || file::load(&database, &name))?;
        let id = state.meta.id;
        let (shared, writer) = (Shared::new(state), Mutex::new(writer));
        Ok(Self { name, path, id, options: options.clone(), database, shared, writer })
    }

    pub fn id(&self) -> LogId {
        self.id
    }

    /// Where the log ends: the last event that is durable.
    pub fn head(&self) -> Head {
        self.shared.current().meta.head
    }

    /// Begins the one write transaction; a second caller waits until the first is done.
    pub fn begin(&self) -> Result<Transaction<'_>, Error> {
        Transaction::begin(self)
    }

    /// Leaves the file so that it opens at once even after a crash, however long it is. An append undoes that.
    pub fn settle(&self) -> Result<(), Error> {
        let _writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file::guarded(&self.name, || Ok(writer::settling(&self.database)?.commit()?))
    }

    /// A view of the log as it is now, whatever is appended later.
    pub fn reader(&self) -> Result<Reader, Error> {
        let (transaction, state) = self.shared.snapshot(&self.database)?;
        Reader::new(&transaction, &state)
    }

    /// What the log takes of its file.
    pub fn stats(&self) -> Result<Stats, Error> {
        file::guarded(&self.name, || stats::collect(self))
    }

    /// Reads the whole log and recomputes all that can be: checksums, digests, chain, versions, times and both indexes.
    ///
    /// Calls `progress` with the last sequence checked, every few thousand events. The error names the place.
    pub fn verify(&self, progress: &mut dyn FnMut(crate::event::Sequence)) -> Result<Verified, Error> {
        file::guarded(&self.name, || verify::verify(&self.reader()?, progress))
    }
}
