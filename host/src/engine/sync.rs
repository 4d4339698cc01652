//! Sync projections: the writer folds what an append brings before the append is written, so that a fault refuses it and
//! whoever has its answer finds it in the state.
//!
//! The state stays in the projection's own file. It follows the log's commit without a sync of its own: what a crash
//! loses of it is in the log, and is made up for when the projection is attached again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feed::Stopped;
use super::key::Key;
use super::replay::{Began, End, Replay};
use super::{Error, Phase};
use crate::event::{Batch, Sequence};
use crate::log::{Head, Log};
use crate::state;

/// How far behind a projection may be attached: the writer makes that up in some tenths of a second, in which every
/// append waits.
pub(super) const BEHIND_MAX: u64 = 20_000;

/// How long commits of a state may stay without a sync: what a crash then makes to do again is as little.
const LAZY_MAX: Duration = Duration::from_secs(1);

/// The projections that the writer takes along.
pub(super) struct Riders {
    log: Arc<Log>,
    riders: BTreeMap<Key, Rider>,
    /// Projections that serve but cannot follow, with the reason: nothing may be appended past them.
    blocked: BTreeMap<String, String>,
}

/// A projection that was not attached, and why.
pub(super) struct NotAttached {
    /// To go on with; none if it went with the writer.
    pub(super) replay: Option<Box<Replay>>,
    pub(super) error: Error,
}

impl std::fmt::Debug for NotAttached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NotAttached({})", self.error)
    }
}

struct Rider {
    replay: Replay,
    /// Where it was before the group in hand.
    began: Began,
    prepared: Option<state::Prepared>,
    /// Why it cannot take part in an append now.
    trouble: Option<String>,
    /// Since when its file has commits that a crash may undo.
    lazy_since: Option<Instant>,
}

impl Riders {
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self { log, riders: BTreeMap::new(), blocked: BTreeMap::new() }
    }

    /// Whether appends need not ask here.
    pub(super) fn is_empty(&self) -> bool {
        self.riders.is_empty() && self.blocked.is_empty()
    }

    /// Takes a projection along from the next append on, and unblocks it. What it lacks of the log is made up for here
    /// and now, which must not be much.
    pub(super) fn attach(&mut self, key: &Key, mut replay: Replay) -> Result<(), NotAttached> {
        // Its worker's thread has ended; what stops the worker later must not refuse an append.
        replay.stop = Arc::default();
        replay.feed.stop = Arc::default();
        let name = key.name.as_str();
        let (checkpoint, head) = (replay.reached(), self.log.head());
        let mut rider = Rider { replay, began: Began::default(), prepared: None, trouble: None, lazy_since: None };
        let behind = head.sequence.0.saturating_sub(checkpoint.sequence.0);
        let caught_up = if behind > BEHIND_MAX {
            let (checkpoint, head) = (checkpoint.sequence, head.sequence);
            let state = "too far behind to be applied within appends".to_owned();
            Err(Error::NotCaughtUp { name: name.to_owned(), checkpoint, head, state })
        } else {
            rider.catch_up(name, head)
        };
        match caught_up {
            Ok(()) => {
                rider.replay.meter.enter(Phase::Live);
                self.riders.insert(key.clone(), rider);
                self.blocked.remove(name);
                Ok(())
            }
            Err(error) => Err(NotAttached { replay: Some(Box::new(rider.replay)), error }),
        }
    }

    /// Leaves a projection behind from the next append on, its state durable if its file can be written.
    pub(super) fn detach(&mut self, key: &Key) -> Option<Replay> {
        let mut rider = self.riders.remove(key)?;
        rider.settle(&key.name, self.log.head());
        rider.replay.meter.enter(Phase::Stopped);
        Some(rider.replay)
    }

    /// Knows a projection under another key from now on.
    pub(super) fn rename(&mut self, from: &Key, to: Key) {
        if let Some(rider) = self.riders.remove(from) {
            self.riders.insert(to, rider);
        }
    }

    /// Refuses every append that brings something, because a projection that serves cannot follow.
    pub(super) fn block(&mut self, name: &str, reason: &str) {
        self.blocked.insert(name.to_owned(), reason.to_owned());
    }

    pub(super) fn unblock(&mut self, name: &str) {
        self.blocked.remove(name);
    }

    /// Begins a group of appends, which is kept or dropped as a whole.
    pub(super) fn begin_group(&mut self) {
        let head = self.log.head();
        for (key, rider) in &mut self.riders {
            rider.recover(&key.name, head);
            rider.began = rider.replay.begin_live();
        }
    }

    /// Folds the events that one append would bring. Refused, no state has any of them.
    pub(super) fn ride(&mut self, planned: &Batch) -> Result<(), Error> {
        let Some(through) = planned.rows().last().map(|row| row.sequence) else { return Ok(()) };
        let troubled = self.riders.iter().filter_map(|(key, rider)| Some((&key.name, rider.trouble.as_ref()?)));
        if let Some((name, reason)) = self.blocked.iter().chain(troubled).next() {
            return Err(unavailable(name, reason.clone()));
        }
        let mut rode = Vec::with_capacity(self.riders.len());
        let mut refused = None;
        for (key, rider) in &mut self.riders {
            let began = rider.replay.begin_live();
            let folded = rider.replay.fold_live(planned, through);
            rode.push((rider, began));
            if let Err(stopped) = folded {
                refused = Some(refusal(&key.name, stopped));
                break;
            }
        }
        for (rider, began) in rode {
            match refused {
                None => rider.replay.keep_live(),
                Some(_) => rider.replay.drop_live(began),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Writes what the group changed into each file, up to the last step: a file that cannot be written refuses the
    /// group while nothing of it is durable.
    pub(super) fn prepare(&mut self) -> Result<(), (String, String)> {
        for (Key { name, .. }, rider) in self.riders.iter_mut().filter(|(_, rider)| rider.takes_part()) {
            match rider.replay.prepare_live() {
                Ok(prepared) => rider.prepared = Some(prepared),
                Err(error) => {
                    rider.pause(name, &error);
                    return Err((name.clone(), error.to_string()));
                }
            }
        }
        Ok(())
    }

    /// Drops what the group changed: it is not in the log.
    pub(super) fn drop_group(&mut self) {
        for rider in self.riders.values_mut() {
            rider.prepared = None;
            rider.replay.drop_live(std::mem::take(&mut rider.began));
        }
    }

    /// Keeps what the group changed and lets readers see it: the log has it, up to this head.
    pub(super) fn keep_group(&mut self, head: Head) {
        for (Key { name, .. }, rider) in &mut self.riders {
            rider.replay.keep_live();
            let kept = match rider.prepared.take() {
                Some(prepared) => rider.replay.commit_live(prepared, head.chain),
                // Nothing changed: the file's checkpoint follows when it is settled.
                None if rider.has_moved() => Ok(()),
                None => continue,
            };
            match kept {
                Ok(()) => rider.show(),
                // The append is durable and answered so; the state makes up for it from the log.
                Err(error) => rider.pause(name, &error),
            }
        }
    }

    /// Makes durable what has not been for a while, or with `force` all of it.
    pub(super) fn settle(&mut self, force: bool) {
        let head = self.log.head();
        for (Key { name, .. }, rider) in &mut self.riders {
            if rider.lazy_since.is_some_and(|since| force || since.elapsed() >= LAZY_MAX) {
                rider.settle(name, head);
            }
        }
    }
}

impl Rider {
    fn takes_part(&self) -> bool {
        self.trouble.is_none() && self.replay.has_changes()
    }

    /// Tries again what went wrong before, and makes up for what the log has beyond it.
    fn recover(&mut self, name: &str, head: Head) {
        let is_failing = self.replay.store.is_failing();
        if self.trouble.is_none() && !is_failing && self.replay.reached().sequence >= head.sequence {
            return;
        }
        let is_troubled = self.trouble.is_some() || is_failing;
        // What went wrong may have cost the file what was committed lazily.
        let reopened = if is_failing { self.replay.store.reopen().map(drop) } else { Ok(()) };
        let reset = reopened.map_err(Error::from).and_then(|()| if is_troubled { self.replay.reset() } else { Ok(()) });
        match reset.and_then(|()| self.catch_up(name, head)) {
            Ok(()) => {
                self.trouble = None;
                self.replay.meter.enter(Phase::Live);
            }
            Err(error) => self.pause(name, &error),
        }
    }

    /// Folds all that is in the log and lets readers see it.
    fn catch_up(&mut self, name: &str, head: Head) -> Result<(), Error> {
        match self.replay.run_to(head.sequence)? {
            End::Reached => {}
            End::Stopped(Stopped::Fault(fault)) => {
                self.replay.commit(true)?;
                return Err(unavailable(name, Phase::Halted(fault).to_string()));
            }
            End::Stopped(Stopped::Pause { reason, .. }) => return Err(unavailable(name, reason)),
            End::Stopped(Stopped::OverQuota { over, .. }) => return Err(unavailable(name, over.reason)),
            End::Asked => return Err(unavailable(name, "it was asked to stop".to_owned())),
        }
        if self.is_unsaved()? {
            let prepared = self.replay.prepare_live()?;
            self.replay.commit_live(prepared, head.chain)?;
        }
        self.replay.store.build_tree()?;
        self.show();
        Ok(())
    }

    fn is_unsaved(&self) -> Result<bool, Error> {
        Ok(self.replay.has_changes() || self.replay.store.checkpoint()?.sequence != self.replay.reached().sequence)
    }

    /// Lets who waits know that the append's events are in the state.
    fn show(&mut self) {
        self.lazy_since.get_or_insert_with(Instant::now);
        self.replay.show_live();
    }

    fn has_moved(&self) -> bool {
        self.replay.reached().sequence != self.began.reached.sequence
    }

    fn settle(&mut self, name: &str, head: Head) {
        let settled = self.catch_up(name, head).and_then(|()| Ok(self.replay.store.settle()?));
        match settled {
            Ok(()) => self.lazy_since = None,
            Err(error) => {
                self.pause(name, &error);
                // At once, so that readers need not wait for the next append to see what they have seen.
                self.recover(name, head);
            }
        }
    }

    fn pause(&mut self, name: &str, error: &Error) {
        let reason = error.to_string();
        tracing::warn!(projection = name, "appends are refused until it can follow: {reason}");
        self.replay.meter.enter(Phase::Paused { reason: reason.clone() });
        self.trouble = Some(reason);
    }
}

pub(super) fn unavailable(name: &str, reason: String) -> Error {
    Error::ProjectionUnavailable { projection: name.to_owned(), reason }
}

/// What an append is told when a projection does not take it.
fn refusal(name: &str, stopped: Stopped) -> Error {
    match stopped {
        Stopped::Fault(fault) => Error::RefusedByProjection {
            projection: name.to_owned(),
            sequence: Sequence(fault.sequence),
            kind: fault.kind,
            message: fault.message,
        },
        Stopped::Pause { reason, .. } => unavailable(name, reason),
        Stopped::OverQuota { over, .. } => unavailable(name, over.reason),
    }
}

#[cfg(test)]
pub(super) mod tests;
