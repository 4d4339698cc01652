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
}

impl Portion {
    /// Whether trying again would give the same.
    pub(super) fn is_final(&self) -> bool {
        self.failed.as_ref().is_none_or(|failed| failed.failure.verdict().is_some())
    }
}
