//! The database behind an open log, which can be exchanged: after a failed write the storage takes no more requests, not
//! even reads, until it is opened anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::error::Error;

/// Opens the same storage once more.
pub(super) type Open = Box<dyn Fn() -> Result<Database, Error> + Send + Sync>;

/// An open database, or none while it could not be opened anew.
pub(super) struct Storage {
    database: RwLock<Option<Database>>,
    open: Open,
    /// Of the database that is open.
    failing: Mutex<Failing>,
}

/// Whether an operation of a database has failed. It then answers from its cache alone, so that what begins to read it
/// finds nothing wrong, and what goes on to read fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Failing(Arc<AtomicBool>);

impl Failing {
    /// Remembers a failure of the storage, for who begins next.
    pub(super) fn noting<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(result, Err(Error::Storage(_))) {
            self.0.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Storage {
    pub(super) fn new(database: Database, open: Open) -> Self {
        Self { database: RwLock::new(Some(database)), open, failing: Mutex::default() }
    }

    /// What notes the failures of the database that is open now.
    pub(super) fn failing(&self) -> Failing {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, Error> {
        if self.failing().0.load(Ordering::Relaxed) {
            return Err(Error::Storage(Box::new(redb::Error::PreviousIo)));
        }
        Ok(self.database().as_ref().ok_or_else(closed)?.begin_read()?)
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, Error> {
        Ok(self.database().as_ref().ok_or_else(closed)?.begin_write()?)
    }

    /// Closes the database and opens it anew. Whoever still reads from the old one gets an error, or what that one had
    /// in memory, which is what they would have read.
    pub(super) fn reopen(&self) -> Result<(), Error> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        close(database.take());
        *database = Some((self.open)()?);
        // Its own: who still reads from the old one says nothing of the new one.
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = Failing::default();
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

/// Closing writes to the file, and redb panics on some damage there too: by then all that was acknowledged is on disk,
/// so that ends quietly.
fn close(database: Option<Database>) {
    if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
        tracing::warn!("the log's file could not be closed; `polyfold log verify` says whether it is damaged");
    }
}

fn closed() -> Error {
    Error::Storage(Box::new(redb::Error::DatabaseClosed))
}
