//! A part of the log as one projection wants it.

use std::sync::Arc;

use super::{Deployment, UpcastFault};
use crate::event::{Batch, Filter, Sequence, Why};
use crate::log::Folded;
use crate::plugin::{Prices, ProjectionManifest};
use crate::state::Missing;

/// What a projection wants of the log: the same for two of them means the same portions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    /// The digests of the upcasters that touch it.
    pub(super) upcasters: Vec<String>,
    /// What they pay for the host's work.
    pub(super) prices: Prices,
    /// What it wants, as upcasters leave it.
    pub(super) filter: Filter,
}

impl Want {
    pub(super) fn of(deployment: &Deployment, manifest: &ProjectionManifest) -> Self {
        let prices = deployment.limits().host_call_prices;
        Self { upcasters: deployment.upcasters.clone(), prices, filter: manifest.filter.clone() }
    }
}

/// A part of the log after upcasting.
#[derive(Clone, Debug)]
pub(super) struct Portion {
    pub(super) batch: Arc<Batch>,
    /// The last event considered, wanted or not, the failed one included.
    pub(super) through: Sequence,
    pub(super) failed: Option<UpcastFault>,
    /// Events that are wanted and left out, because their payloads are not there any more.
    pub(super) dropped: LeftOut,
}

/// Events whose payloads were dropped: each that is left out, or a range of which the log has nothing but digests.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut(Vec<Gone>);

#[derive(Clone, Copy, Debug)]
struct Gone {
    sequence: Sequence,
    missing: Missing,
}

impl LeftOut {
    /// Takes the events without payloads out of a batch, and counts them.
    pub(super) fn of(batch: Batch) -> (Batch, Self) {
        if batch.is_whole() {
            return (batch, Self::default());
        }
        let gone = batch.rows().iter().filter_map(|row| {
            let missing = match row.payload.dropped()?.why {
                Why::Compacted => Missing { compacted: 1, ..Missing::default() },
                Why::Redacted => Missing { redacted: 1, ..Missing::default() },
                Why::Forgotten => Missing { forgotten: 1, ..Missing::default() },
            };
            Some(Gone { sequence: row.sequence, missing })
        });
        let left_out = Self(gone.collect());
        (batch.filtered(|event| event.payload().is_some()), left_out)
    }

    /// Counts ranges too.
    pub(super) fn add_folded(&mut self, folded: &[Folded]) {
        let gone = folded.iter().map(|range| {
            let events = range.last.0 - range.first.0 + 1;
            Gone { sequence: range.last, missing: Missing { folded: events, ..Missing::default() } }
        });
        self.0.extend(gone);
    }

    /// Why an event is left out for good, if it is.
    pub(super) fn why_erased(&self, sequence: Sequence) -> Option<Why> {
        let Missing { redacted, forgotten, .. } = self.0.iter().find(|gone| gone.sequence == sequence)?.missing;
        match (redacted, forgotten) {
            (0, 0) => None,
            (0, _) => Some(Why::Forgotten),
            (_, _) => Some(Why::Redacted),
        }
    }

    /// What is left out up to an event.
    pub(super) fn upto(&self, sequence: Sequence) -> Missing {
        let mut missing = Missing::default();
        self.0.iter().filter(|gone| gone.sequence <= sequence).for_each(|gone| missing += gone.missing);
        missing
    }
}

impl Portion {
    /// Whether trying again would give the same.
    pub(super) fn is_final(&self) -> bool {
        self.failed.as_ref().is_none_or(|failed| failed.failure.verdict().is_some())
    }
}
