//! The log: events in order of sequence, in one file. Only append writes.
//!
//! Nobody else knows its tables. log/FORMAT.md has the file byte by byte.

mod append;
mod archive;
mod block;
mod blocks;
mod bytes;
mod error;
mod file;
mod fold;
mod folded;
mod frozen;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod index;
mod plan;
mod reader;
mod rebuild;
mod record;
mod rewrite;
mod state;
mod stats;
mod storage;
mod tables;
mod tail;
#[cfg(test)]
mod tests;
mod tree;
mod verify;
mod walk;
mod writer;

pub use append::{Append, Appended, Expectation, Placed, Prepared};
pub use archive::{ArchiveInfo, Archives};
pub use blocks::{BLOCK_BYTES_MAX, BadBlock, BlockInfo, RawBlock, RawBlocks, check_events};
pub use error::{Error, PlanError, Refused};
pub use folded::FoldedEvent;
pub use plan::Transaction;
pub use reader::{Folded, Page, Query, Reader};
pub use rebuild::{Batch as BlockBatch, Cut, Ready, Rebuild};
pub use rewrite::{Rewrite, Rewritten};
pub use stats::Stats;
pub use tables::{Head, LogId, ParseLogIdError};
pub use tree::recompute::Recomputed;
pub use tree::{EventProof, event_leaf};
pub use verify::Verified;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use self::state::Shared;
use self::tree::roots::Roots;
use self::writer::Writer;
use crate::event::{Digest, Sequence};

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
    storage: storage::Storage,
    shared: Shared,
    writer: Mutex<Writer>,
    roots: Mutex<Roots>,
    /// Held while the log is rewritten.
    rewriting: Mutex<()>,
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
        let again = (path.to_owned(), name.clone(), options.clone());
        // Whatever becomes of the file meanwhile, a new log is never made in its place.
        let open = Box::new(move || file::open_again(&again.0, &again.1, &again.2));
        Self::over(name, Some(path.to_owned()), storage::Storage::new(database, open), options)
    }

    /// Opens the log in that file, which stays as it is, byte for byte, and need only be readable. What is appended to it is
    /// gone with it.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process may write the file.
    pub fn open_frozen(path: &Path, options: &Options) -> Result<Self, Error> {
        let name = format!("\"{}\"", path.display());
        let database = file::open_frozen(path, &name, options)?;
        let open = Box::new(|| Err(Error::Storage(Box::new(redb::Error::DatabaseClosed))));
        Self::over(name, None, storage::Storage::new(database, open), options)
    }

    /// Opens the log in that storage; makes it when the storage is empty. After a failed write it stays closed.
    pub fn open_with_backend(backend: impl StorageBackend, options: &Options) -> Result<Self, Error> {
        let name = "the log".to_owned();
        let database = file::open_backend(backend, &name, options)?;
        let open = Box::new(|| Err(Error::Storage(Box::new(redb::Error::DatabaseClosed))));
        Self::over(name, None, storage::Storage::new(database, open), options)
    }

    /// Opens the log in a storage that can be opened again.
    #[cfg(test)]
    fn open_with_backends<B: StorageBackend>(
        backend: impl Fn() -> B + Send + Sync + 'static,
        options: &Options,
    ) -> Result<Self, Error> {
        let (name, again) = ("the log".to_owned(), options.clone());
        let database = file::open_backend(backend(), &name, options)?;
        let open = Box::new(move || file::open_backend(backend(), "the log", &again));
        Self::over(name, None, storage::Storage::new(database, open), options)
    }

    fn over(name: String, path: Option<PathBuf>, storage: storage::Storage, options: &Options) -> Result<Self, Error> {
        let (state, writer) = file::guarded(&name, || file::load(&storage, &name))?;
        let id = state.meta.id;
        let roots = Mutex::new(Roots::new(id, path.as_deref()));
        let (shared, writer) = (Shared::new(state), Mutex::new(writer));
        let rewriting = Mutex::default();
        Ok(Self { name, path, id, options: options.clone(), storage, shared, writer, roots, rewriting })
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
        let mut writer = self.lock_writer();
        let settled = file::guarded(&self.name, || Ok(writer::settling(self.storage.begin_write()?).commit()?));
        settled.inspect_err(|error| self.reopen_after(error, &mut writer))
    }

    /// A view of the log as it is now, whatever is appended later.
    pub fn reader(&self) -> Result<Reader, Error> {
        let (reading, state) = self.snapshot()?;
        Reader::new(&reading, &state, self.storage.failing())
    }

    /// What the file holds now. A storage that has failed is opened anew, unless the writer is about to do so.
    fn snapshot(&self) -> Result<(storage::Reading, state::State), Error> {
        let snapshot = self.shared.snapshot(&self.storage);
        if !matches!(snapshot, Err(Error::Storage(_))) {
            return snapshot;
        }
        match self.writer.try_lock() {
            Ok(mut writer) => self.snapshot_of_writer(&mut writer),
            Err(_) => snapshot,
        }
    }

    fn snapshot_of_writer(&self, writer: &mut Writer) -> Result<(storage::Reading, state::State), Error> {
        match self.shared.snapshot(&self.storage) {
            Err(error @ Error::Storage(_)) => {
                self.reopen_after(&error, writer);
                self.shared.snapshot(&self.storage)
            }
            snapshot => snapshot,
        }
    }

    /// After a failure of the storage nothing can be read or written until it is opened anew. What a failed commit left
    /// is then there as a whole or not at all. That it cannot be opened yet is found out by whoever comes next.
    fn reopen_after(&self, error: &Error, writer: &mut Writer) {
        // One operation that fails can look like damage, or end in a panic that leaves the storage of no use.
        if !matches!(error, Error::Storage(_) | Error::Damaged { .. }) {
            return;
        }
        let reopened = self.shared.exchange(|head| {
            file::guarded(&self.name, || {
                self.storage.reopen()?;
                let (state, loaded) = file::load(&self.storage, &self.name)?;
                if state.meta.id != self.id || state.meta.head.sequence < head {
                    return Err(Error::damaged(&self.name, "it ends before events that were durable"));
                }
                *writer = loaded;
                Ok(state)
            })
        });
        match reopened {
            Ok(()) => tracing::warn!("the log was opened anew, because it failed: {error}"),
            Err(again) => tracing::error!("the log failed ({error}) and cannot be opened anew: {again}"),
        }
    }

    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        // A panic of another writer left its state as before its commit.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The root of the event tree over the first `at` events, which must not lie beyond the head.
    ///
    /// The first to ask reads the whole log once; from then on one run of 1,024 events is read at most, beside what is new.
    pub fn event_root(&self, at: Sequence) -> Result<Digest, Error> {
        file::guarded(&self.name, || self.lock_roots().root(&self.reader()?, at))
    }

    /// Proves that an event is among the first `at`: neither may lie beyond the head, nor the event beyond `at`, nor be 0.
    pub fn prove_event(&self, sequence: Sequence, at: Sequence) -> Result<EventProof, Error> {
        file::guarded(&self.name, || self.lock_roots().prove(&self.reader()?, sequence, at))
    }

    /// Chain head and event root of the first `at` events, which must not lie beyond the head, from their bytes alone: what
    /// blocks and other files say of them is not believed.
    ///
    /// Calls `progress` with the last sequence walked, every few thousand events. The error names the place.
    pub fn recompute(&self, at: Sequence, progress: &mut dyn FnMut(Sequence)) -> Result<Recomputed, Error> {
        self.recompute_with(None, at, progress)
    }

    /// The same with an archive, which knows what lies within folded events.
    pub fn recompute_with(
        &self,
        archives: Option<&Arc<Archives>>,
        at: Sequence,
        progress: &mut dyn FnMut(Sequence),
    ) -> Result<Recomputed, Error> {
        file::guarded(&self.name, || tree::recompute::recompute(&self.reader()?, archives, at, progress))
    }

    fn lock_roots(&self) -> MutexGuard<'_, Roots> {
        // What a panic left behind is whole: a root is added when it is there.
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file, if the log is in one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the log takes of its file.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.storage.failing().noting(file::guarded(&self.name, || stats::collect(self)))
    }

    /// Reads the whole log and recomputes all that can be: checksums, digests, chain, versions, times and both indexes.
    ///
    /// Calls `progress` with the last sequence checked, every few thousand events. The error names the place.
    pub fn verify(&self, progress: &mut dyn FnMut(crate::event::Sequence)) -> Result<Verified, Error> {
        let verified = file::guarded(&self.name, || verify::verify(&self.reader()?, progress));
        self.storage.failing().noting(verified)
    }
}
