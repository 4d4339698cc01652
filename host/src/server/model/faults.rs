//! The shapes of what went wrong with plugins, and of what was done about it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::server::data::Data;

/// Streams that a state has quarantined, by name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuarantinePage {
    pub streams: Vec<QuarantinedStream>,
    /// Pass it as `after` to go on; absent at the end.
    pub next: Option<String>,
}

/// A stream of which a state passes over every event since one of them failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuarantinedStream {
    pub stream: String,
    /// The event that failed; `faults` says how.
    pub first: u64,
    /// How many events are set aside, the one that failed among them.
    pub events: u64,
    /// The last of them.
    pub last: u64,
}

/// What a projection's plugin does on one event, over the state right before it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Debugged {
    pub projection: String,
    pub identity: String,
    pub sequence: u64,
    pub outcome: DebugOutcome,
    /// The event that failed and set aside its stream, where the outcome is that.
    pub set_aside_since: Option<u64>,
    /// The event as upcasters leave it; absent where the projection does not want it.
    pub event: Option<DebuggedEvent>,
    /// Whether the state before it is the one that was there (`live`) or was built from the log (`replayed`).
    pub before: Option<String>,
    /// What the plugin did with its state, in order; 1,000 at most.
    pub accesses: Vec<StateAccess>,
    /// How many more there were.
    pub accesses_left_out: u64,
    pub fuel: u64,
    pub memory_bytes: u64,
    /// What the plugin logged and printed.
    pub output: String,
    /// How it, or an upcaster, failed.
    pub failure: Option<DebugFailure>,
}

/// What became of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DebugOutcome {
    /// The plugin took it.
    Folded,
    /// The plugin failed on it.
    Failed,
    /// An upcaster failed on it; the projection's plugin is never handed it.
    NotLifted,
    /// The projection wants no such event; nothing was run.
    NotWanted,
    /// Its stream is in quarantine since an earlier event; nothing was run.
    SetAside,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DebuggedEvent {
    pub stream: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub schema_version: u32,
    // Data is any value, null among them.
    #[schema(value_type = Data)]
    pub data: Option<Data>,
}

/// One thing that a plugin did with its state.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StateAccess {
    pub action: Action,
    /// The key; of a scan the prefix.
    pub key: String,
    /// What was read or written, as the state's encoding says; absent where it is longer than 4 KiB, and where there is
    /// none.
    // Data is any value, null among them.
    #[schema(value_type = Data)]
    pub value: Option<Data>,
    /// The value's size; absent where there is none.
    pub bytes: Option<u64>,
    /// Of a scan: behind which key.
    pub after: Option<String>,
    /// Of a scan: how many entries it came upon.
    pub entries: Option<u64>,
    /// Of a scan: their first keys, 20 at most.
    pub keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Read,
    Scan,
    Write,
    Delete,
}

/// How a plugin failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DebugFailure {
    /// Whether it fails so on every machine. Else it says nothing of the event: it ran out of time, or the host had trouble.
    pub is_verdict: bool,
    pub kind: String,
    pub message: String,
    pub backtrace: Option<String>,
}
