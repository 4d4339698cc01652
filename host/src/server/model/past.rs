//! What a projection keeps of its past.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a projection keeps of its past, beside its state; what is left out or null is as usual. It decides only how fast
/// the past answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Events between two snapshots of its state, 100,000 if left out; none are taken by themselves if it is 0.
    #[schema(maximum = 18446744073709551615_u64)]
    #[serde(default, deserialize_with = "crate::server::data::whole", skip_serializing_if = "Option::is_none")]
    pub snapshot_every: Option<u64>,
    /// Bytes of payload between two snapshots where fewer events than that have as many, 67,108,864 if left out; only events
    /// count if it is 0.
    #[schema(maximum = 18446744073709551615_u64)]
    #[serde(default, deserialize_with = "crate::server::data::whole", skip_serializing_if = "Option::is_none")]
    pub snapshot_bytes: Option<u64>,
    /// How many events back from its end a state has its history, 10,000 if left out; none if it is 0.
    #[schema(maximum = 18446744073709551615_u64)]
    #[serde(default, deserialize_with = "crate::server::data::whole", skip_serializing_if = "Option::is_none")]
    pub history: Option<u64>,
}

/// A state as it was behind an event, kept.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// Of what made the state.
    pub identity: String,
    /// Every event up to this one is in it.
    pub sequence: u64,
    /// The log's chain head there.
    pub chain: String,
    /// The state digest.
    pub digest: String,
    pub entries: u64,
    /// The size of all keys and values.
    pub bytes: u64,
    /// Why it was taken: `schedule` (it goes when it is one of too many), `hand`, or `verified` (built by `verify`).
    pub occasion: String,
    pub taken_at: String,
}

/// What a projection has of its past at hand, and what it should keep.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// Events between two snapshots; 0 if none are taken.
    pub snapshot_every: u64,
    /// Bytes of payload between two snapshots, if they come before so many events; 0 if they do not count.
    pub snapshot_bytes: u64,
    /// How many events back from its end a state has its history.
    pub history: u64,
    /// From which event on the readable state can be read without folding anything; absent if it has no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_from: Option<u64>,
    /// Snapshots of the readable state.
    pub snapshots: u64,
    /// Where the first of them is, and the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots_from: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots_to: Option<u64>,
    /// Where the one is that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<u64>,
    /// The file of all snapshots.
    pub file_bytes: u64,
}
