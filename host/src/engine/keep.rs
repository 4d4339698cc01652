//! What a projection keeps of its past beside its state. It decides only how fast the past answers.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What a projection keeps of its past; as usual where something is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Events between two snapshots; none are taken by themselves if it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_every: Option<u64>,
    /// How many events back from its end a state has its history; none if it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<u64>,
}

impl Keep {
    /// Every 200,000 events: `on-time`, whose events are all lifted, folds as many in 0.6 seconds.
    pub const SNAPSHOT_EVERY: u64 = 200_000;

    /// 10,000 events back.
    pub const HISTORY: u64 = 10_000;

    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub fn snapshot_every(&self) -> u64 {
        self.snapshot_every.unwrap_or(Self::SNAPSHOT_EVERY)
    }

    pub fn history(&self) -> u64 {
        self.history.unwrap_or(Self::HISTORY)
    }
}

/// What is kept of a projection's past, shared by all that keeps it and changeable meanwhile.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    snapshot_every: AtomicU64,
    history: AtomicU64,
}

impl Schedule {
    pub(super) fn set(&self, keep: Keep) {
        self.snapshot_every.store(keep.snapshot_every(), Ordering::Relaxed);
        self.history.store(keep.history(), Ordering::Relaxed);
    }

    pub(super) fn snapshot_every(&self) -> u64 {
        self.snapshot_every.load(Ordering::Relaxed)
    }

    pub(super) fn history(&self) -> u64 {
        self.history.load(Ordering::Relaxed)
    }
}
