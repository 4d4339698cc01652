//! The database behind an open state, which can be exchanged: after a failed write the storage takes no more requests, not
//! even reads, until it is opened anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::Error;

/// Opens the same storage once more.
pub(super) type Open = Box<dyn Fn() -> Result<Database, redb::Error> + Send + Sync>;

/// An open database, or none while it could not be opened anew.
pub(super) struct Storage {
    database: RwLock<Option<Database>>,
    open: Open,
    /// Whether a read has failed since it was opened.
    failing: AtomicBool,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("is_open", &self.database().is_some()).finish_non_exhaustive()
    }
}

impl Storage {
    pub(super) fn new(database: Database, open: Open) -> Self {
        Self { database: RwLock::new(Some(database)), open, failing: AtomicBool::new(false) }
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        self.open_if_closed()?;
        Ok(self.database().as_ref().ok_or(redb::Error::DatabaseClosed)?.begin_read()?)
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        self.open_if_closed()?;
        Ok(self.database().as_ref().ok_or(redb::Error::DatabaseClosed)?.begin_write()?)
    }

    /// Remembers that a read failed.
    pub(super) fn noting<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(result, Err(Error::Storage { .. })) {
            self.failing.store(true, Ordering::Relaxed);
        }
        result
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Closes the database and opens it anew: what was committed and not synced is gone. Whoever still reads from the
    /// old one gets an error, or what that one had in memory, which is what they would have read.
    pub(super) fn reopen(&self) -> Result<(), redb::Error> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        close(database.take());
        *database = Some((self.open)()?);
        self.failing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Closes the database and takes what `exchange` makes in its place.
    pub(super) fn exchange<E>(&self, exchange: impl FnOnce() -> Result<Database, E>) -> Result<(), E> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        close(database.take());
        *database = Some(exchange()?);
        Ok(())
    }

    /// Tries again what did not work in [`Storage::reopen`].
    fn open_if_closed(&self) -> Result<(), redb::Error> {
        if self.database().is_some() {
            return Ok(());
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            *database = Some((self.open)()?);
        }
        Ok(())
    }

    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        close(self.database.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Closing writes to the file, and redb panics on some damage there too: by then all that was synced is on disk, so that
/// ends quietly.
fn close(database: Option<Database>) {
    if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
        tracing::warn!("a state's file could not be closed; `polyfold projection verify` says whether it is damaged");
    }
}
