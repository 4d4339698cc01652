//! Takes snapshots of one state as it goes, on a thread of its own that steps back behind everybody.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{marks_of, thin};
use crate::engine::keep::{Schedule, Spacing};
use crate::engine::states::States;
use crate::engine::{Error, Keep};
use crate::event::{Digest, Sequence, Timestamp};
use crate::plugin::lower_priority;
use crate::state::{Marks, Occasion, Reader, Store, Why};

/// What takes the snapshots of one state.
pub(in crate::engine) struct Keeping {
    states: Arc<States>,
    name: String,
    identity: Digest,
    /// Shared with who changes it.
    schedule: Arc<Schedule>,
    /// Where the latest is.
    last: AtomicU64,
    /// Payload that was handed to the plugin since the state's beginning, as far as that is known, and of that what the latest
    /// snapshot has.
    fed_bytes: AtomicU64,
    last_fed_bytes: AtomicU64,
    taking: Mutex<Option<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Keeping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeping").field("name", &self.name).field("last", &self.last).finish_non_exhaustive()
    }
}

impl Keeping {
    pub(in crate::engine) fn new(states: &Arc<States>, name: &str, identity: Digest, keep: Keep) -> Self {
        let all = states.snapshots_upto(name, identity, Sequence(u64::MAX)).unwrap_or_else(|error| {
            tracing::warn!(projection = name, "what snapshots there are is not known: {error}");
            Vec::new()
        });
        let last = all.first().map_or(Sequence::ZERO, |(_, taken)| taken.sequence);
        let fed_bytes = all.iter().map(|(_, taken)| taken.fed_bytes).max().unwrap_or(0);
        Self {
            states: Arc::clone(states),
            name: name.to_owned(),
            identity,
            schedule: states.schedule(name, keep),
            last: AtomicU64::new(last.0),
            fed_bytes: AtomicU64::new(fed_bytes),
            last_fed_bytes: AtomicU64::new(fed_bytes),
            taking: Mutex::default(),
            stop: Arc::default(),
        }
    }

    /// How many events back history is kept.
    pub(in crate::engine) fn history(&self) -> u64 {
        self.schedule.history()
    }

    /// Counts payload that the plugin took with the events up to there.
    pub(in crate::engine) fn fed(&self, reached: Sequence, payload_bytes: usize) {
        // A state that is built anew passes what has its snapshots.
        if reached.0 > self.last.load(Ordering::Relaxed) {
            self.fed_bytes.fetch_add(payload_bytes as u64, Ordering::Relaxed);
        }
    }

    /// Whether a snapshot should be taken of a state that has come so far.
    pub(in crate::engine) fn is_due(&self, reached: Sequence) -> bool {
        let Spacing { events, bytes } = self.schedule.spacing();
        let since = reached.0.saturating_sub(self.last.load(Ordering::Relaxed));
        let fed = self.fed_bytes.load(Ordering::Relaxed) - self.last_fed_bytes.load(Ordering::Relaxed);
        let is_far = since >= events || bytes > 0 && fed >= bytes;
        events > 0 && since > 0 && is_far && self.taking().as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Begins to take one of what a file has now, if that is due. What goes wrong is in the log: the state goes on.
    pub(in crate::engine) fn offer(&self, store: &Store) {
        let offered = self.begin(store);
        if let Err(error) = offered {
            tracing::warn!(projection = self.name, "no snapshot is taken: {error}");
            // Tried again when the next is due.
            self.last.fetch_add(self.schedule.spacing().events, Ordering::Relaxed);
            self.last_fed_bytes.store(self.fed_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn begin(&self, store: &Store) -> Result<(), Error> {
        let reader = store.reader()?;
        let sequence = reader.checkpoint().sequence;
        if !self.is_due(sequence) {
            return Ok(());
        }
        let marks = marks_of(&reader, store)?;
        let fed_bytes = self.fed_bytes.load(Ordering::Relaxed);
        self.last.store(sequence.0, Ordering::Relaxed);
        self.last_fed_bytes.store(fed_bytes, Ordering::Relaxed);
        let (states, name, identity) = (Arc::clone(&self.states), self.name.clone(), self.identity);
        let (spacing, stop) = (self.schedule.spacing(), Arc::clone(&self.stop));
        let take = move || {
            lower_priority();
            if let Err(error) = take(&states, &name, (identity, spacing), (reader, marks, fed_bytes), &stop)
                && !stop.load(Ordering::Relaxed)
            {
                tracing::warn!(projection = name, "no snapshot is taken at sequence {sequence}: {error}");
            }
        };
        let thread = std::thread::Builder::new().name(format!("snapshot-{}", self.name)).spawn(take);
        *self.taking() = Some(thread.expect("a thread can be started"));
        Ok(())
    }

    fn taking(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(taking) = self.taking().take() {
            drop(taking.join());
        }
    }
}

/// Takes a snapshot and lets go of those that are too many then.
fn take(
    states: &States,
    name: &str,
    (identity, spacing): (Digest, Spacing),
    (reader, marks, fed_bytes): (Reader, Marks, u64),
    stop: &AtomicBool,
) -> Result<(), Error> {
    let snapshots = states.snapshots_or_new(name)?;
    let of = Why { occasion: Occasion::Schedule, taken_at: Timestamp::now(), fed_bytes };
    let taken = snapshots.take(identity, reader, marks, of, stop)?;
    tracing::debug!(projection = name, sequence = taken.sequence.0, "a snapshot is taken");
    let is_thinned = |it: &crate::state::Taken| it.identity == identity && it.occasion == Occasion::Schedule;
    let place = |it: &crate::state::Taken| thin::Place { sequence: it.sequence, fed_bytes: it.fed_bytes };
    let places: Vec<thin::Place> = snapshots.list()?.iter().filter(|it| is_thinned(it)).map(place).collect();
    let staying = thin::staying(&places, spacing);
    if staying.len() < places.len() && !stop.load(Ordering::Relaxed) {
        snapshots.remove(|snapshot| {
            let taken = snapshot.taken();
            is_thinned(&taken) && !staying.contains(&taken.sequence)
        })?;
    }
    Ok(())
}
