//! What runs: the workers of all projections, and the journals of what they commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::journal::Journal;
use super::key::Key;
use super::worker::Worker;
use crate::event::Digest;

/// The workers and journals. Its locks are held for look-ups only: readers pass here.
#[derive(Debug, Default)]
pub(super) struct Running {
    workers: Mutex<BTreeMap<Key, Arc<Worker>>>,
    journals: Mutex<BTreeMap<String, Arc<Journal>>>,
}

impl Running {
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Worker>> {
        self.workers().get(key).cloned()
    }

    /// Adds a worker; who was there before comes back, to be stopped by being dropped.
    pub(super) fn insert(&self, key: Key, worker: Arc<Worker>) -> Option<Arc<Worker>> {
        self.workers().insert(key, worker)
    }

    pub(super) fn remove(&self, key: &Key) -> Option<Arc<Worker>> {
        self.workers().remove(key)
    }

    /// All workers of a projection.
    pub(super) fn keys(&self, name: &str) -> Vec<Key> {
        self.workers().keys().filter(|key| key.name == name).cloned().collect()
    }

    /// Takes out everything.
    pub(super) fn clear(&self) -> Vec<Arc<Worker>> {
        std::mem::take(&mut *self.workers()).into_values().collect()
    }

    /// What was built anew is now the state's worker; who was it before comes back.
    pub(super) fn settle_rebuild(&self, name: &str, identity: Digest) -> Option<Arc<Worker>> {
        let mut workers = self.workers();
        let rebuilt = workers.remove(&Key::rebuild(name, identity))?;
        workers.insert(Key::state(name, identity), rebuilt)
    }

    /// The journal of a projection whose readable state has that identity.
    pub(super) fn journal(&self, name: &str, identity: Digest) -> Arc<Journal> {
        let mut journals = self.journals.lock().expect("no thread panics while it holds the journals");
        Arc::clone(journals.entry(name.to_owned()).or_insert_with(|| Arc::new(Journal::new(identity))))
    }

    /// Ends a projection's journal.
    pub(super) fn close_journal(&self, name: &str) {
        let journal = self.journals.lock().expect("no thread panics while it holds the journals").remove(name);
        if let Some(journal) = journal {
            journal.close();
        }
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Worker>>> {
        self.workers.lock().expect("no thread panics while it holds the workers")
    }
}
