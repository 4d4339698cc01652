//! Folds a trace's events, cut into calls in every way that may show a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::cuts::{SIZES, calls, cuts, runs};
use super::difference::{ChangedBy, CutDifference, Difference, between, between_entries, between_faults};
use super::{Failed, Folded, Setup};
use crate::engine::feed::{Fed, Feed, Stopped};
use crate::engine::{Error, Sizing};
use crate::event::{Batch, Sequence};
use crate::plugin::Projection;
use crate::state::Overlay;

/// A projection over a trace's events, as often as wanted, each time from an empty state.
pub(super) struct Replay {
    projection: Arc<Projection>,
    setup: Setup,
    /// Those events that it wants.
    pub(super) events: Arc<Batch>,
}

/// What a projection made of events, and whether that depends on how they were cut.
pub(super) struct Replayed {
    pub(super) folded: Folded,
    pub(super) changed_by: ChangedBy,
    pub(super) cuts: u64,
    pub(super) differs: Option<CutDifference>,
}

/// A state and its faults on their way.
struct Run {
    feed: Feed,
    folded: Folded,
}

impl Replay {
    pub(super) fn new(projection: Arc<Projection>, setup: &Setup, events: &Arc<Batch>) -> Self {
        let filter = &projection.manifest().filter;
        let is_wanted = |event: crate::event::EventRef<'_>| filter.wants(event.event_type, event.stream);
        let events = match events.iter().all(is_wanted) {
            true => Arc::clone(events),
            false => Arc::new(events.filtered(is_wanted)),
        };
        Self { setup: setup.clone(), events, projection }
    }

    /// Folds the events in calls of so many.
    pub(super) fn fold(&self, size: usize) -> Result<Folded, Error> {
        let mut run = self.begin();
        for call in calls(&self.events, size) {
            if !self.apply(&mut run, call)? {
                break;
            }
        }
        run.finish()
    }

    /// Folds the events in every way, cut in two at `places` at most, and stops at the first that makes a difference.
    pub(super) fn fold_every_way(&self, places: usize) -> Result<Replayed, Error> {
        let folded = self.fold(usize::MAX)?;
        let (alone, changed_by) = self.fold_one_by_one()?;
        let mut replayed = Replayed { folded, changed_by, cuts: 2, differs: None };
        if replayed.check("one event a call", &alone) {
            return Ok(replayed);
        }
        for size in SIZES.into_iter().filter(|size| *size < self.events.len()) {
            replayed.cuts += 1;
            if replayed.check(&format!("{size} events a call"), &self.fold(size)?) {
                return Ok(replayed);
            }
        }
        self.cut_in_two(places, &mut replayed)?;
        Ok(replayed)
    }

    fn fold_one_by_one(&self) -> Result<(Folded, ChangedBy), Error> {
        let (mut run, mut changed_by) = (self.begin(), ChangedBy::new());
        for row in 0..self.events.len() {
            run.feed.overlay().begin();
            let goes_on = self.apply(&mut run, row..row + 1)?;
            let mut overlay = run.feed.overlay();
            let changes = overlay.uncommitted().last().expect("a layer was begun");
            let sequence = self.events.event(row).sequence;
            changed_by.extend(changes.iter().map(|(key, _)| (key.to_owned(), sequence)));
            overlay.keep();
            drop(overlay);
            if !goes_on {
                break;
            }
        }
        Ok((run.finish()?, changed_by))
    }

    /// Cuts each run of events that go well in two, at every place. What comes before and after a run is the same
    /// whatever is done within it, as long as the run ends in the same state: so each cut costs two calls.
    fn cut_in_two(&self, places: usize, replayed: &mut Replayed) -> Result<(), Error> {
        let row_of = |failed: &Failed| self.events.rows().binary_search_by_key(&failed.sequence, |row| row.sequence);
        let faulty: Vec<usize> = replayed.folded.faults.iter().filter_map(|failed| row_of(failed).ok()).collect();
        let mut run = self.begin();
        for rows in runs(&self.events, &faulty) {
            let whole = self.attempt(&mut run, [rows.clone()])?;
            for cut in cuts(&rows, self.events.len(), places) {
                replayed.cuts += 1;
                let halves = self.attempt(&mut run, [rows.start..cut, cut..rows.end])?;
                let differences = halves.differences(&whole, &run)?;
                if !differences.is_empty() {
                    let (before, last) = (self.events.event(cut - 1).sequence, rows.end - 1);
                    let (first, last) = (self.events.event(rows.start).sequence, self.events.event(last).sequence);
                    let cut = format!("events {first} to {last} cut in two behind {before}");
                    replayed.differs = Some(CutDifference { cut, differences });
                    return Ok(());
                }
            }
            let mut overlay = run.feed.overlay();
            whole.changes.into_iter().for_each(|(key, value)| overlay.set(&key, value));
            if whole.is_halted {
                break;
            }
        }
        Ok(())
    }

    fn begin(&self) -> Run {
        let (parameters, sizing) = (Arc::clone(&self.setup.parameters), Sizing::adaptive());
        let projection = Arc::clone(&self.projection);
        let feed = Feed::new(projection, parameters, self.setup.on_fault, sizing, Overlay::in_memory());
        Run { feed, folded: Folded::default() }
    }

    /// Folds some rows in one call if that works; false if the projection halts at one of them.
    fn apply(&self, run: &mut Run, rows: Range<usize>) -> Result<bool, Error> {
        let mut fed = Fed::default();
        run.feed.feed_range(&self.events, rows, &mut fed);
        run.folded.events += fed.folded;
        run.folded.fuel += fed.fuel;
        run.folded.faults.extend(fed.skipped.iter().map(Failed::of_projection));
        match fed.stopped {
            None => Ok(true),
            Some(Stopped::Fault(fault)) => {
                run.folded.faults.push(Failed::of_projection(&fault));
                Ok(false)
            }
            Some(Stopped::Pause { before, reason }) => Err(Error::TraceStopped { sequence: before, reason }),
            Some(Stopped::OverQuota { before, over }) => {
                Err(Error::TraceStopped { sequence: before, reason: over.reason })
            }
        }
    }

    /// Folds some rows and takes back what that changed.
    fn attempt(&self, run: &mut Run, calls: impl IntoIterator<Item = Range<usize>>) -> Result<Attempt, Error> {
        let faults = run.folded.faults.len();
        run.feed.overlay().begin();
        let mut is_halted = false;
        for call in calls {
            is_halted = !self.apply(run, call)?;
            if is_halted {
                break;
            }
        }
        let mut overlay = run.feed.overlay();
        let changes = overlay.uncommitted().last().expect("a layer was begun");
        let changes = changes.iter().map(|(key, value)| (key.to_owned(), value.map(<[u8]>::to_vec))).collect();
        overlay.discard();
        drop(overlay);
        Ok(Attempt { changes, faults: run.folded.faults.split_off(faults), is_halted })
    }
}

impl Replayed {
    /// Compares with what another way led to; true if it differs.
    fn check(&mut self, cut: &str, found: &Folded) -> bool {
        let differences = between(&self.folded, found, &self.changed_by);
        if !differences.is_empty() {
            self.differs = Some(CutDifference { cut: cut.to_owned(), differences });
        }
        self.differs.is_some()
    }
}

impl Run {
    fn finish(mut self) -> Result<Folded, Error> {
        let entries = self.feed.overlay().scan("", None, usize::MAX)?;
        self.folded.entries = entries.into_iter().collect();
        Ok(self.folded)
    }
}

/// What some calls would change.
struct Attempt {
    changes: BTreeMap<String, Option<Vec<u8>>>,
    faults: Vec<Failed>,
    is_halted: bool,
}

impl Attempt {
    /// What is different from another attempt at the same place.
    fn differences(&self, expected: &Self, run: &Run) -> Result<Vec<Difference>, Error> {
        if self.changes == expected.changes && self.faults == expected.faults {
            return Ok(Vec::new());
        }
        // To delete what is not there is no change.
        let keys: BTreeSet<&String> = self.changes.keys().chain(expected.changes.keys()).collect();
        let after = |attempt: &Self| -> Result<BTreeMap<String, Vec<u8>>, Error> {
            let mut entries = BTreeMap::new();
            for key in &keys {
                let value = match attempt.changes.get(*key) {
                    Some(change) => change.clone(),
                    None => run.feed.overlay().get(key)?,
                };
                entries.extend(value.map(|value| ((*key).clone(), value)));
            }
            Ok(entries)
        };
        let mut differences = between_entries(&after(expected)?, &after(self)?);
        differences.extend(between_faults(&expected.faults, &self.faults));
        Ok(differences)
    }
}

/// Cuts a batch behind the event at which a projection halts: nothing behind it was looked at.
pub(super) fn looked_at(events: &Arc<Batch>, setup: &Setup, folded: &Folded) -> Arc<Batch> {
    let halted = folded.faults.last().filter(|_| setup.on_fault == crate::engine::FaultPolicy::Halt);
    let row = |sequence: Sequence| events.rows().binary_search_by_key(&sequence, |row| row.sequence).ok();
    match halted.and_then(|failed| row(failed.sequence)) {
        Some(row) => Arc::new(events.slice(0..row + 1)),
        None => Arc::clone(events),
    }
}
