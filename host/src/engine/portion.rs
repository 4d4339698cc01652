//! A part of the log as one projection wants it.

use std::sync::Arc;

use super::{Deployment, UpcastFault};
use crate::event::{Batch, Filter, Sequence};
use crate::plugin::{Prices, ProjectionManifest};

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

/// Events whose payloads were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// By a retention policy.
    pub(super) compacted: u64,
    /// Redacted or forgotten.
    pub(super) erased: u64,
}

impl LeftOut {
    /// Takes the events without payloads out of a batch, and counts them.
    pub(super) fn of(batch: Batch) -> (Batch, Self) {
        if batch.is_whole() {
            return (batch, Self::default());
        }
        let mut left_out = Self::default();
        for dropped in batch.rows().iter().filter_map(|row| row.payload.dropped()) {
            let count = if dropped.why.is_erased() { &mut left_out.erased } else { &mut left_out.compacted };
            *count += 1;
        }
        (batch.filtered(|event| event.payload().is_some()), left_out)
    }
}

impl Portion {
    /// Whether trying again would give the same.
    pub(super) fn is_final(&self) -> bool {
        self.failed.as_ref().is_none_or(|failed| failed.failure.verdict().is_some())
    }
}
