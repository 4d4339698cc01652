//! Lifts a trace's events by one upcaster's own steps, cut into calls in every way that may show a difference.

use std::ops::Range;
use std::sync::Arc;

use super::cuts::{SIZES, calls, cuts, runs};
use super::difference::{CutDifference, between_lifts};
use super::{Failed, Lift, Shape};
use crate::engine::{Chains, Error};
use crate::event::Batch;
use crate::plugin::Upcaster;

/// An upcaster over a trace's events, as often as wanted.
pub(super) struct Lifting {
    chains: Chains,
    pub(super) events: Arc<Batch>,
}

/// What an upcaster made of events, and whether that depends on how they were cut.
pub(super) struct LiftedAll {
    pub(super) lifts: Vec<Lift>,
    pub(super) cuts: u64,
    pub(super) differs: Option<CutDifference>,
}

impl Lifting {
    pub(super) fn new(upcaster: &Arc<Upcaster>, events: &Arc<Batch>) -> Self {
        Self { chains: Chains::join(std::slice::from_ref(upcaster)), events: Arc::clone(events) }
    }

    /// Lifts the events in calls of so many.
    pub(super) fn lift(&self, size: usize) -> Result<Vec<Lift>, Error> {
        self.lift_calls(calls(&self.events, size))
    }

    /// Lifts the events in every way, cut in two at `places` at most, and stops at the first that makes a difference.
    pub(super) fn lift_every_way(&self, places: usize) -> Result<LiftedAll, Error> {
        let lifts = self.lift(usize::MAX)?;
        let mut all = LiftedAll { lifts, cuts: 1, differs: None };
        for size in std::iter::once(1).chain(SIZES.into_iter().filter(|size| *size < self.events.len())) {
            let cut = format!("calls of {size}");
            if all.check(cut, 0..self.events.len(), &self.lift(size)?) {
                return Ok(all);
            }
        }
        let faulty: Vec<usize> = (0..all.lifts.len()).filter(|row| all.lifts[*row].made.is_err()).collect();
        for rows in runs(&self.events, &faulty) {
            for cut in cuts(&rows, self.events.len(), places) {
                let name = format!("events {} to {} cut in two behind {cut}", rows.start + 1, rows.end);
                let lifts = self.lift_calls([rows.start..cut, cut..rows.end])?;
                if all.check(name, rows.clone(), &lifts) {
                    return Ok(all);
                }
            }
        }
        Ok(all)
    }

    fn lift_calls(&self, calls: impl IntoIterator<Item = Range<usize>>) -> Result<Vec<Lift>, Error> {
        let mut lifts = Vec::new();
        for Range { mut start, end } in calls {
            while start < end {
                let lifted = self.chains.lift(self.events.slice(start..end));
                lifts.extend(lifted.batch.iter().map(|event| Lift {
                    sequence: event.sequence,
                    made: Ok(Shape {
                        event_type: event.event_type.to_owned(),
                        schema_version: event.schema_version,
                        payload: event.payload().expect("upcasters are handed whole events only").to_vec(),
                    }),
                }));
                start += lifted.batch.len();
                if let Some(failed) = lifted.failed {
                    let sequence = failed.sequence;
                    let Some(verdict) = failed.failure.verdict() else {
                        return Err(Error::TraceStopped { sequence, reason: failed.failure.to_string() });
                    };
                    lifts.push(Lift { sequence, made: Err(Failed::of_upcaster(sequence, verdict)) });
                    start += 1;
                }
            }
        }
        Ok(lifts)
    }
}

impl LiftedAll {
    /// Compares with what another way made of these rows; true if it differs.
    fn check(&mut self, cut: String, rows: Range<usize>, found: &[Lift]) -> bool {
        self.cuts += 1;
        let expected = &self.lifts[rows];
        if expected != found {
            self.differs = Some(CutDifference { cut, differences: between_lifts(expected, found) });
        }
        self.differs.is_some()
    }
}
