//! The database behind an open log, which can be exchanged: after a failed write the storage takes no more requests, not
//! even reads, until it is opened anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::error::Error;

/// Opens the same storage once more.
pub(super) type Open = Box<dyn Fn() -> Result<Database, Error> + Send + Sync>;

/// What is open, and can be exchanged.
pub(super) struct Storage {
    database: RwLock<Arc<Held>>,
    open: Open,
    /// Of the database that is open.
    failing: Mutex<Failing>,
}

/// A database, open as long as somebody holds it, or none if it was closed before.
pub(super) struct Held(RwLock<Option<Database>>);

/// A view of a database, which stays open for it.
pub(super) struct Reading {
    pub(super) transaction: ReadTransaction,
    pub(super) held: Arc<Held>,
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
        Self { database: RwLock::new(Held::new(database)), open, failing: Mutex::default() }
    }

    /// What notes the failures of the database that is open now.
    pub(super) fn failing(&self) -> Failing {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn begin_read(&self) -> Result<Reading, Error> {
        if self.failing().0.load(Ordering::Relaxed) {
            return Err(Error::Storage(Box::new(redb::Error::PreviousIo)));
        }
        let held = self.held();
        let transaction = held.database().as_ref().ok_or_else(closed)?.begin_read()?;
        Ok(Reading { transaction, held })
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, Error> {
        Ok(self.held().database().as_ref().ok_or_else(closed)?.begin_write()?)
    }

    /// Closes the database and opens it anew. Whoever still reads from the old one gets an error, or what that one had
    /// in memory, which is what they would have read.
    pub(super) fn reopen(&self) -> Result<(), Error> {
        let mut held = self.database.write().unwrap_or_else(PoisonError::into_inner);
        held.close();
        *held = Held::new((self.open)()?);
        self.forgive();
        Ok(())
    }

    /// Goes on with another database. Whoever reads from the old one goes on there, and the last of them closes it.
    pub(super) fn exchange(&self, database: Database) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Held::new(database);
        self.forgive();
    }

    /// A database that was just opened has failures of its own: who still reads from the old one says nothing of the new one.
    fn forgive(&self) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = Failing::default();
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.database.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        // Who reads on when the log is gone gets an error, and its file is free.
        self.held().close();
    }
}

impl Held {
    fn new(database: Database) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Some(database))))
    }

    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        close(self.0.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.close();
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
