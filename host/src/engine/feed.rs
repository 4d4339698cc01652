//! Feeds a batch to a projection: all at once if that works, else in halves, until a faulty event stands alone.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::faults::{self, Ran};
use super::patience::Patience;
use super::portion::Portion;
use super::probe::Probe;
use super::quarantine::{Quarantine, STREAMS_MAX};
use super::quota::{Budget, OverQuota};
use super::{FaultPolicy, Sizing, UpcastFault};
use crate::event::{Batch, EventRef, Sequence};
use crate::plugin::{self, Call, Failure, Outcome, Output, StateError};
use crate::state::{CallCost, Costs, Fault, Overlay, Reader};

/// A projection with all that it needs to take events.
pub(super) struct Feed {
    pub(super) projection: Arc<plugin::Projection>,
    pub(super) parameters: Arc<str>,
    /// The digests of those in force for it: named in its faults.
    pub(super) upcasters: Vec<String>,
    pub(super) policy: FaultPolicy,
    pub(super) sizing: Sizing,
    pub(super) quarantine: Quarantine,
    /// Set by who wants the feed to end soon: between two calls, however many a batch that fails still needs.
    pub(super) stop: Arc<AtomicBool>,
    /// Folds a share of the batches once more, if there is one.
    pub(super) probe: Option<Probe>,
    /// Whether each call is made in an instance that was used before: only to find out whether that matters.
    pub(super) uses_memory: bool,
    /// What it may use.
    pub(super) budget: Budget,
    is_strict: bool,
    /// How many events the next calls take at most, behind a pause: the event that led to it comes alone at first.
    at_most: usize,
    overlay: Arc<Mutex<Overlay>>,
}

/// What became of a batch. Every event before that at which it stopped is in the overlay, among the faults or set aside.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// How many events the plugin folded.
    pub(super) folded: u64,
    pub(super) fuel: u64,
    /// What the calls cost that were kept.
    pub(super) costs: Costs,
    /// The most memory that one of the calls had.
    pub(super) memory_bytes: usize,
    /// How long the last call took.
    pub(super) call_took: Duration,
    /// What is recorded of events that were passed over.
    pub(super) skipped: Vec<Fault>,
    /// How many batches were folded once more and came out alike.
    pub(super) probed: u64,
    pub(super) stopped: Option<Stopped>,
}

impl Fed {
    /// Adds what became of the events behind.
    pub(super) fn add(&mut self, later: Self) {
        self.folded += later.folded;
        self.fuel += later.fuel;
        self.costs.merge(&later.costs);
        self.memory_bytes = self.memory_bytes.max(later.memory_bytes);
        self.call_took = later.call_took;
        self.skipped.extend(later.skipped);
        self.probed += later.probed;
        self.stopped = later.stopped;
    }
}

/// Why a feed cannot go on with the next event.
#[derive(Clone, Debug)]
pub(super) enum Stopped {
    /// A verdict on the event that the policy does not pass over.
    Fault(Box<Fault>),
    /// No verdict: the same event may go well when it is tried again.
    Pause { before: Sequence, reason: String },
    /// The event is as good as any other: the projection used what it may.
    OverQuota { before: Sequence, over: OverQuota },
}

impl Stopped {
    /// Whether it is a verdict.
    pub(super) fn is_fault(&self) -> bool {
        match self {
            Self::Fault(_) => true,
            Self::Pause { .. } | Self::OverQuota { .. } => false,
        }
    }

    /// The event that it cannot go on with.
    pub(super) fn before(&self) -> Sequence {
        match self {
            Self::Fault(fault) => Sequence(fault.sequence),
            Self::Pause { before, .. } | Self::OverQuota { before, .. } => *before,
        }
    }
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
            quarantine: Quarantine::default(),
            stop: Arc::default(),
            probe: None,
            uses_memory: false,
            budget: Budget::default(),
            is_strict: false,
            at_most: usize::MAX,
            overlay: Arc::new(Mutex::new(overlay)),
        }
    }

    /// One that goes on from that snapshot of the state.
    pub(super) fn of(
        projection: Arc<plugin::Projection>,
        parameters: Arc<str>,
        policy: FaultPolicy,
        sizing: Sizing,
        reader: Reader,
    ) -> Result<Self, crate::state::Error> {
        let quarantine = Quarantine::of(&reader)?;
        Ok(Self { quarantine, ..Self::new(projection, parameters, policy, sizing, Overlay::new(reader)) })
    }

    /// Another one over the same overlay, which probes nothing.
    pub(super) fn beside(&self, sizing: Sizing, quarantine: Quarantine) -> Self {
        Self {
            projection: Arc::clone(&self.projection),
            parameters: Arc::clone(&self.parameters),
            upcasters: self.upcasters.clone(),
            policy: self.policy,
            sizing,
            quarantine,
            stop: Arc::clone(&self.stop),
            budget: Budget::default(),
            probe: None,
            uses_memory: false,
            is_strict: self.is_strict,
            // A batch that is folded again has as many events as the call before had.
            at_most: usize::MAX,
            overlay: Arc::clone(&self.overlay),
        }
    }

    /// Begins anew from that snapshot of the state.
    pub(super) fn reset(&mut self, reader: Reader) -> Result<(), crate::state::Error> {
        self.quarantine = Quarantine::of(&reader)?;
        *self.overlay() = Overlay::new(reader);
        Ok(())
    }

    /// The state as it was left, if nobody else has it.
    pub(super) fn into_overlay(self) -> Overlay {
        std::mem::take(&mut *lock(&self.overlay))
    }

    pub(super) fn overlay(&self) -> MutexGuard<'_, Overlay> {
        lock(&self.overlay)
    }

    /// Feeds a part of the log, with the event at its end that could not be upcast, if there is one.
    pub(super) fn feed_portion(&mut self, portion: &Portion) -> Fed {
        let mut fed = self.feed(&portion.batch);
        if fed.stopped.is_none()
            && let Some(failed) = &portion.failed
        {
            self.refuse(failed, &mut fed);
        }
        fed
    }

    /// Feeds the rows of a batch in calls of the size that the sizing says.
    pub(super) fn feed(&mut self, batch: &Arc<Batch>) -> Fed {
        let mut fed = Fed::default();
        let mut start = 0;
        while start < batch.len() && fed.stopped.is_none() {
            let end = batch.len().min(start + self.sizing.next().min(self.at_most));
            self.feed_probed(batch, start..end, &mut fed);
            self.at_most = match &fed.stopped {
                Some(Stopped::Pause { .. }) => 1,
                Some(Stopped::Fault(_) | Stopped::OverQuota { .. }) | None => self.at_most.saturating_mul(2),
            };
            start = end;
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

    /// Feeds what the caller could not even upcast: a fault of the event, or a pause. Of a stream that is quarantined
    /// it is set aside like any other.
    fn refuse(&mut self, failed: &UpcastFault, fed: &mut Fed) {
        if self.quarantine.holds(&failed.stream) {
            return;
        }
        match &failed.failure {
            Failure::Verdict(verdict) => self.judge(faults::of_upcaster(failed, verdict, &self.upcasters), fed),
            Failure::Mishap(mishap) => {
                let reason = format!("upcaster {}: {mishap}", failed.name);
                fed.stopped = Some(Stopped::Pause { before: failed.sequence, reason });
            }
        }
    }

    /// Feeds these rows in one call if that works, without those of quarantined streams.
    pub(super) fn feed_range(&mut self, batch: &Arc<Batch>, range: Range<usize>, fed: &mut Fed) {
        self.feed_part(batch, range, Patience::new(self.projection.limits().deadline), fed);
    }

    fn feed_part(&mut self, batch: &Arc<Batch>, range: Range<usize>, patience: Patience, fed: &mut Fed) {
        let is_held = |row: usize| self.quarantine.holds(batch.event(row).stream);
        if self.quarantine.is_empty() || !range.clone().any(is_held) {
            return self.call(batch, range, patience, fed);
        }
        let rest = batch.slice(range).filtered(|event| !self.quarantine.holds(event.stream));
        if !rest.is_empty() {
            let rows = 0..rest.len();
            self.call(&Arc::new(rest), rows, patience, fed);
        }
    }

    fn call(&mut self, batch: &Arc<Batch>, range: Range<usize>, patience: Patience, fed: &mut Fed) {
        if self.stop.load(Ordering::Relaxed) {
            let before = batch.event(range.start).sequence;
            fed.stopped = Some(Stopped::Pause { before, reason: "it was asked to stop".to_owned() });
            return;
        }
        if let Err(over) = self.budget.gauge().has_fuel() {
            fed.stopped = Some(Stopped::OverQuota { before: batch.event(range.start).sequence, over });
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
        let Outcome { usage, output, result, .. } = self.apply(call, patience.of(events));
        fed.memory_bytes = fed.memory_bytes.max(usage.memory_bytes);
        fed.call_took = began.elapsed();
        self.budget.gauge().used(usage.fuel);
        match result {
            Ok(()) => self.keep(batch, range, (patience, usage.fuel), fed),
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

    /// Keeps what a call made, unless the state would be too large with it; then as much of it as fits.
    fn keep(&mut self, batch: &Arc<Batch>, range: Range<usize>, (patience, fuel): (Patience, u64), fed: &mut Fed) {
        let events = range.len();
        let weighed = self.budget.weigh(&lock(&self.overlay));
        let refused = match weighed {
            Ok(Ok(())) => {
                self.overlay().keep();
                self.sizing.succeeded(events, fed.call_took);
                fed.folded += events as u64;
                fed.fuel += fuel;
                let (first, last) = (batch.event(range.start).sequence, batch.event(range.end - 1).sequence);
                fed.costs.add(CallCost { first, last, events: events as u64, fuel });
                return;
            }
            Ok(Err(over)) => Stopped::OverQuota { before: batch.event(range.start).sequence, over },
            Err(error) => Stopped::Pause { before: batch.event(range.start).sequence, reason: error.to_string() },
        };
        self.overlay().discard();
        if events > 1 && !self.is_strict {
            self.feed_halves(batch, range, patience, fed);
        } else {
            fed.stopped = Some(refused);
        }
    }

    fn apply(&self, call: Call, deadline: Duration) -> Outcome {
        if !self.uses_memory {
            return self.projection.apply_within(call, deadline);
        }
        self.projection.apply_in_used(call, || {
            let mut overlay = self.overlay();
            overlay.discard();
            overlay.begin();
        })
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

    fn fail(&mut self, event: EventRef<'_>, failure: &Failure, (fuel, output): (u64, &Output), fed: &mut Fed) {
        match failure {
            Failure::Verdict(verdict) => {
                let ran = Ran { plugin: self.projection.digest(), upcasters: &self.upcasters, fuel, output };
                self.judge(faults::of_projection(event, verdict, &ran), fed);
            }
            Failure::Mishap(mishap) => {
                fed.stopped = Some(Stopped::Pause { before: event.sequence, reason: mishap.to_string() });
            }
        }
    }

    /// Does with a faulty event what the policy says.
    fn judge(&mut self, mut fault: Fault, fed: &mut Fed) {
        match self.policy {
            FaultPolicy::Halt => fed.stopped = Some(Stopped::Fault(Box::new(fault))),
            FaultPolicy::Skip => fed.skipped.push(fault),
            FaultPolicy::Quarantine if self.quarantine.is_full() => {
                fault.message += &format!(" (and {STREAMS_MAX} streams are quarantined already, no more can be)");
                fed.stopped = Some(Stopped::Fault(Box::new(fault)));
            }
            FaultPolicy::Quarantine => {
                self.quarantine.begin(&fault);
                fed.skipped.push(fault);
            }
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
