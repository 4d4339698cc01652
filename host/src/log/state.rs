//! What readers and the writer share: the last durable state, and during a commit the one that is about to be.

use std::sync::{Arc, RwLock};

use super::error::Error;
use super::index::memtable::Memtable;
use super::index::snapshot::Runs;
use super::storage::{Reading, Storage};
use super::tables::{META, META_KEY, Meta};
use crate::event::Sequence;

/// All that is in memory of one commit.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) meta: Meta,
    pub(super) memtable: Arc<RwLock<Memtable>>,
    pub(super) runs: Arc<Runs>,
}

#[derive(Debug)]
struct States {
    current: State,
    /// While a commit runs: a reader that begins meanwhile may see the file before it or after it.
    next: Option<State>,
}

/// The states behind a lock that is never held over a disk's sync.
#[derive(Debug)]
pub(super) struct Shared(RwLock<States>);

impl Shared {
    pub(super) fn new(current: State) -> Self {
        Self(RwLock::new(States { current, next: None }))
    }

    pub(super) fn current(&self) -> State {
        self.0.read().expect("nobody panics with the states").current.clone()
    }

    /// A snapshot of the file with the state that belongs to it.
    pub(super) fn snapshot(&self, storage: &Storage) -> Result<(Reading, State), Error> {
        // No commit can pass from next to current, nor a new one begin, while this lock is held.
        let states = self.0.read().expect("nobody panics with the states");
        let reading = storage.begin_read()?;
        let row = reading
            .transaction
            .open_table(META)?
            .get(META_KEY)?
            .ok_or_else(|| Error::damaged("meta", "it is missing"))?;
        let meta = Meta::decode(row.value()).map_err(|why| Error::damaged("meta", why))?;
        let known = [Some(&states.current), states.next.as_ref()].into_iter().flatten();
        let state = known.into_iter().find(|state| state.meta == meta).cloned();
        Ok((reading, state.ok_or_else(|| Error::damaged("meta", "it is none that this process wrote"))?))
    }

    /// Says what the file will be if the commit that follows succeeds.
    pub(super) fn announce(&self, next: State) {
        self.0.write().expect("nobody panics with the states").next = Some(next);
    }

    /// The commit succeeded.
    pub(super) fn promote(&self) {
        let mut states = self.0.write().expect("nobody panics with the states");
        if let Some(next) = states.next.take() {
            states.current = next;
        }
    }

    /// Takes over what `load` finds in a file that was opened anew, if it is not behind what was durable. Readers that
    /// begin meanwhile wait.
    pub(super) fn exchange(&self, load: impl FnOnce(Sequence) -> Result<State, Error>) -> Result<(), Error> {
        let mut states = self.0.write().expect("nobody panics with the states");
        states.current = load(states.current.meta.head.sequence)?;
        states.next = None;
        Ok(())
    }

    /// The commit failed.
    pub(super) fn withdraw(&self) {
        self.0.write().expect("nobody panics with the states").next = None;
    }
}
