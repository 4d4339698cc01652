//! Feeds a batch to a projection: all at once if that works, else in halves, until a faulty event stands alone.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::faults::{self, Ran};
use super::patience::Patience;
use super::{FaultPolicy, Sizing, UpcastFault};
use crate::event::{Batch, EventRef};
use crate::plugin::{self, Call, Failure, Outcome, Output, StateError};
use crate::state::{Fault, Overlay};

/// A projection with all that it needs to take events.
pub(super) struct Feed {
    pub(super) projection: Arc<plugin::Projection>,
    pub(super) parameters: Arc<str>,
    /// The digests of those in force for it: named in its faults.
    pub(super) upcasters: Vec<String>,
    pub(super) policy: FaultPolicy,
    pub(super) sizing: Sizing,
    /// Set by who wants the feed to end soon: between two calls, however many a batch that fails still needs.
    pub(super) stop: Arc<AtomicBool>,
    is_strict: bool,
    /// How many events the next calls take at most, behind a pause: the event that led to it comes alone at first.
    at_most: usize,
    overlay: Arc<Mutex<Overlay>>,
}

/// What became of a batch. Everything before the end of `fed` is in the overlay or among the faults.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// How many of the rows, from the first, are done with.
    pub(super) rows: usize,
    /// How many of those the plugin folded.
    pub(super) folded: u64,
    pub(super) fuel: u64,
    /// The most memory that one of the calls had.
    pub(super) memory_bytes: usize,
    /// How long the last call took.
    pub(super) call_took: Duration,
    /// Events that were passed over.
    pub(super) skipped: Vec<Fault>,
    pub(super) stopped: Option<Stopped>,
}

/// Why a feed cannot go on with the next event.
#[derive(Clone, Debug)]
pub(super) enum Stopped {
    /// The event's verdict under the policy `halt`.
    Fault(Box<Fault>),
    /// No verdict: the same event may go well when it is tried again.
    Pause(String),
}

impl Feed {
    pub(super) fn new(
        projection: Arc<plugin::Projection>,
        parameters: Arc<str>,
        policy: FaultPolicy,
        sizing: Sizing,
        overlay: Overlay,
    ) -> Self {
        Self {
            projection,
            parameters,
            upcasters: Vec::new(),
            policy,
            sizing,
            stop: Arc::default(),
            is_strict: false,
            at_most: usize::MAX,
            overlay: Arc::new(Mutex::new(overlay)),
        }
    }

    pub(super) fn overlay(&self) -> MutexGuard<'_, Overlay> {
        lock(&self.overlay)
    }

    /// Feeds the rows of a batch in calls of the size that the sizing says.
    pub(super) fn feed(&mut self, batch: &Arc<Batch>) -> Fed {
        let mut fed = Fed::default();
        while fed.rows < batch.len() && fed.stopped.is_none() {
            let end = batch.len().min(fed.rows + self.sizing.next().min(self.at_most));
            self.feed_range(batch, fed.rows..end, &mut fed);
            self.at_most = match &fed.stopped {
                Some(Stopped::Pause(_)) => 1,
                Some(Stopped::Fault(_)) | None => self.at_most.saturating_mul(2),
            };
        }
        fed
    }

    /// Does something as under the policy `halt`, whatever the policy is. Somebody waits for it: what ran out of time as a
    /// whole is not tried again in parts.
    pub(super) fn strictly<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        let policy = std::mem::replace(&mut self.policy, FaultPolicy::Halt);
        self.is_strict = true;
        let done = run(self);
        self.is_strict = false;
        self.policy = policy;
        done
    }

    /// Feeds what the caller could not even upcast: a fault of the event, or a pause.
    pub(super) fn refuse(&self, failed: UpcastFault) -> Result<Fault, Stopped> {
        match &failed.failure {
            Failure::Verdict(verdict) => self.judge(faults::of_upcaster(&failed, verdict, &self.upcasters)),
            Failure::Mishap(mishap) => Err(Stopped::Pause(format!("upcaster {}: {mishap}", failed.name))),
        }
    }

    /// Feeds these rows in one call if that works.
    pub(super) fn feed_range(&mut self, batch: &Arc<Batch>, range: Range<usize>, fed: &mut Fed) {
        self.feed_part(batch, range, Patience::new(self.projection.limits().deadline), fed);
    }

    fn feed_part(&mut self, batch: &Arc<Batch>, range: Range<usize>, patience: Patience, fed: &mut Fed) {
        if self.stop.load(Ordering::Relaxed) {
            fed.stopped = Some(Stopped::Pause("it was asked to stop".to_owned()));
            return;
        }
        let began = Instant::now();
        let events = range.len();
        self.overlay().begin();
        let call = Call {
            events: Arc::clone(batch),
            range: range.clone(),
            parameters: Arc::clone(&self.parameters),
            state: Box::new(Access(Arc::clone(&self.overlay))),
        };
        let Outcome { usage, output, result, .. } = self.projection.apply_within(call, patience.of(events));
        fed.memory_bytes = fed.memory_bytes.max(usage.memory_bytes);
        fed.call_took = began.elapsed();
        match result {
            Ok(()) => {
                self.overlay().keep();
                self.sizing.succeeded(events, fed.call_took);
                fed.rows = range.end;
                fed.folded += events as u64;
                fed.fuel += usage.fuel;
            }
            Err(failure) => {
                self.overlay().discard();
                let is_over = self.is_strict && failure.verdict().is_none();
                if failure.may_be_of_one_event() && events > 1 && !is_over {
                    self.feed_halves(batch, range, patience.after(&failure), fed);
                } else {
                    self.fail(batch.event(range.start), &failure, (usage.fuel, &output), fed);
                }
            }
        }
    }

    fn feed_halves(&mut self, batch: &Arc<Batch>, range: Range<usize>, patience: Patience, fed: &mut Fed) {
        let middle = range.start + range.len() / 2;
        let faults = fed.skipped.len();
        self.feed_part(batch, range.start..middle, patience, fed);
        if fed.stopped.is_none() {
            self.feed_part(batch, middle..range.end, patience, fed);
        }
        if fed.stopped.is_none() && fed.skipped.len() == faults {
            self.sizing.too_much(range.len());
        }
    }

    fn fail(&self, event: EventRef<'_>, failure: &Failure, (fuel, output): (u64, &Output), fed: &mut Fed) {
        let verdict = match failure {
            Failure::Verdict(verdict) => verdict,
            Failure::Mishap(mishap) => {
                fed.stopped = Some(Stopped::Pause(mishap.to_string()));
                return;
            }
        };
        let ran = Ran { plugin: self.projection.digest(), upcasters: &self.upcasters, fuel, output };
        match self.judge(faults::of_projection(event, verdict, &ran)) {
            Ok(skipped) => {
                fed.skipped.push(skipped);
                fed.rows += 1;
            }
            Err(stopped) => fed.stopped = Some(stopped),
        }
    }

    fn judge(&self, fault: Fault) -> Result<Fault, Stopped> {
        match self.policy {
            FaultPolicy::Skip => Ok(fault),
            FaultPolicy::Halt => Err(Stopped::Fault(Box::new(fault))),
        }
    }
}

/// The overlay as the plugin floor wants to be handed a state.
struct Access(Arc<Mutex<Overlay>>);

impl plugin::StateAccess for Access {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        lock(&self.0).get(key).map_err(StateError::from)
    }

    fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), StateError> {
        lock(&self.0).set(key, value);
        Ok(())
    }

    fn scan(&mut self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        lock(&self.0).scan(prefix, after, limit).map_err(StateError::from)
    }
}

fn lock(overlay: &Mutex<Overlay>) -> MutexGuard<'_, Overlay> {
    overlay.lock().expect("no thread panics while it holds the overlay")
}
