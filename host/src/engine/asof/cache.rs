//! The states that were asked for lately, so that the pages of one are not each a replay; and turns for who makes one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CHANGES_BYTES_MAX, Origin, Past};
use crate::event::{Digest, Sequence, Timestamp};

/// 4 states: so many people page through different ones at once.
const STATES_MAX: usize = 4;

/// Replays at a time: more would only slow each other down, and each may take its share of memory.
const TURNS_MAX: usize = 2;

/// Replays of more events wait for a turn; shorter ones take a moment.
pub(super) const LONG_EVENTS: u64 = 10_000;

/// How often who waits for a turn looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// A state that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Sought {
    pub(in crate::engine) name: String,
    pub(in crate::engine) identity: Digest,
    pub(in crate::engine) sequence: Sequence,
    pub(in crate::engine) occurred: Option<Timestamp>,
}

/// What was made lately, and what is being made.
#[derive(Debug, Default)]
pub(in crate::engine) struct Pasts {
    /// The latest last.
    kept: Mutex<Vec<(Sought, Arc<Past>)>>,
    making: Mutex<Vec<Sought>>,
    made: Condvar,
}

/// The right to replay.
pub(super) struct Turn<'a> {
    pasts: &'a Pasts,
    sought: Sought,
}

impl Pasts {
    pub(super) fn find(&self, sought: &Sought) -> Option<Arc<Past>> {
        let mut kept = self.kept();
        let at = kept.iter().position(|(found, _)| found == sought)?;
        let found = kept.remove(at);
        let past = Arc::clone(&found.1);
        kept.push(found);
        Some(past)
    }

    /// The latest one of the same identity at an earlier event. One that lies over another one is no place to start
    /// from: reading through many is slow.
    pub(super) fn nearest(&self, sought: &Sought) -> Option<Arc<Past>> {
        let fits = |(found, past): &&(Sought, Arc<Past>)| {
            let is_same = found.identity == sought.identity && found.name == sought.name && found.occurred.is_none();
            is_same && found.sequence <= sought.sequence && past.halted.is_none() && past.origin != Origin::Recent
        };
        let kept = self.kept();
        let found = kept.iter().filter(fits).max_by_key(|(found, _)| found.sequence);
        found.map(|(_, past)| Arc::clone(past))
    }

    /// Keeps a state, unless it is at hand anyway: over the live state's file it would keep old pages from being used again.
    pub(super) fn keep(&self, sought: Sought, past: &Arc<Past>) {
        if matches!(past.origin, Origin::Live | Origin::History) {
            return;
        }
        let mut kept = self.kept();
        kept.retain(|(found, _)| *found != sought);
        kept.push((sought, Arc::clone(past)));
        let is_too_much = |kept: &[(Sought, Arc<Past>)]| {
            let bytes: usize = kept.iter().map(|(_, past)| past.bytes()).sum();
            kept.len() > STATES_MAX || (kept.len() > 1 && bytes > CHANGES_BYTES_MAX)
        };
        while is_too_much(&kept) {
            kept.remove(0);
        }
    }

    /// Lets go of all of a projection.
    pub(in crate::engine) fn forget(&self, name: &str) {
        self.kept().retain(|(found, _)| found.name != name);
    }

    /// Waits for a turn, or until nobody wants it any more. Nobody makes the same at the same time.
    pub(super) fn turn(&self, sought: &Sought, stop: &AtomicBool) -> Turn<'_> {
        let mut making = self.making();
        while !stop.load(Ordering::Relaxed) && (making.len() >= TURNS_MAX || making.contains(sought)) {
            making = self.made.wait_timeout(making, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        making.push(sought.clone());
        Turn { pasts: self, sought: sought.clone() }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Sought, Arc<Past>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn making(&self) -> MutexGuard<'_, Vec<Sought>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut making = self.pasts.making();
        if let Some(at) = making.iter().position(|found| *found == self.sought) {
            making.remove(at);
        }
        self.pasts.made.notify_all();
    }
}
