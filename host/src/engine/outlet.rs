//! Where a state's commits come into sight: one at a time, and none while another state takes its place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::journal::{Journal, Position};
use crate::event::{Digest, Sequence};
use crate::state::{Changes, Checkpoint, Error, Marks, Prepared, Store};

/// The way out of one state.
#[derive(Debug)]
pub(super) struct Outlet {
    identity: Digest,
    journal: Arc<Journal>,
    /// Whether readers can see it; they see no state that is built anew or only to be compared.
    is_shown: AtomicBool,
    gate: Mutex<()>,
}

impl Outlet {
    pub(super) fn new(identity: Digest, journal: Arc<Journal>) -> Self {
        Self { identity, journal, is_shown: AtomicBool::new(false), gate: Mutex::default() }
    }

    /// From now on, behind that event, whoever follows the projection is told what is committed.
    pub(super) fn show(&self, sequence: Sequence) {
        self.journal.begin(Position { sequence, identity: self.identity });
        self.is_shown.store(true, Ordering::Release);
    }

    fn tell(&self, changes: &Arc<Changes>, checkpoint: Checkpoint) {
        if self.is_shown.load(Ordering::Acquire) {
            self.journal.push(self.identity, changes, checkpoint);
        }
    }

    /// As long as this is held, readers see the state as it is now.
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        // A commit that panicked was rolled back.
        self.gate.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Commits, and tells who follows the projection if this is the state that serves.
    pub(super) fn publish(
        &self,
        store: &Store,
        changes: &Arc<Changes>,
        checkpoint: Checkpoint,
        marks: &Marks,
    ) -> Result<(), Error> {
        let _held = self.hold();
        store.commit(changes, checkpoint, marks)?;
        self.tell(changes, checkpoint);
        Ok(())
    }

    /// The same for what more follows at once: the state's tree may be left behind.
    pub(super) fn publish_on_the_way(
        &self,
        store: &Store,
        changes: &Arc<Changes>,
        checkpoint: Checkpoint,
        marks: &Marks,
    ) -> Result<(), Error> {
        let _held = self.hold();
        store.commit_on_the_way(changes, checkpoint, marks)?;
        self.tell(changes, checkpoint);
        Ok(())
    }

    /// The same for what was prepared within an append, whose events are durable already.
    pub(super) fn publish_lazily(
        &self,
        prepared: Prepared,
        changes: &Arc<Changes>,
        checkpoint: Checkpoint,
    ) -> Result<(), Error> {
        let _held = self.hold();
        prepared.commit_lazily(checkpoint)?;
        self.tell(changes, checkpoint);
        Ok(())
    }
}
