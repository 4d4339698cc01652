//! Projections, what they run and how far it has come.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Costs, Keep, Kept, Missing, OnDropped, Quota, Ran, Signature};
use crate::server::data::Data;

/// A projection that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProjection {
    /// 1 to 64 of a-z, 0-9 and -, a letter first.
    #[schema(pattern = "^[a-z][a-z0-9-]*$", min_length = 1, max_length = 64)]
    pub name: String,
    /// A plugin by name, `name@version` or the start of its digest; the projection's name if left out.
    #[serde(default)]
    pub plugin: Option<String>,
    /// A JSON object that the plugin can read.
    #[serde(default)]
    pub parameters: Option<Data>,
    /// `halt` (stop before the event and keep serving), `skip` (record the fault and go on) or `quarantine` (record it,
    /// set aside the event and all later ones of its stream, and go on with all other streams).
    #[serde(default)]
    pub on_fault: Option<OnFault>,
    #[serde(default, deserialize_with = "crate::server::data::whole")]
    #[schema(minimum = 1)]
    pub fuel_per_event: Option<u64>,
    #[serde(default, deserialize_with = "crate::server::data::whole")]
    #[schema(minimum = 1)]
    pub memory_bytes: Option<u64>,
    /// Applied inside the append: a reader sees its own write, and a fault refuses the append.
    #[serde(default)]
    pub sync: bool,
    /// What it may use; not limited if left out.
    #[serde(default)]
    pub quota: Option<Quota>,
    /// What it keeps of its past; as usual if left out.
    #[serde(default)]
    pub keep: Option<Keep>,
    /// What it does about events that were compacted; `archive` if left out.
    #[serde(default)]
    pub dropped: Option<OnDropped>,
}

/// What a projection should run instead; what is left out stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// A plugin by name, `name@version` or the start of its digest; the newest of the present plugin's name if left out.
    #[serde(default)]
    pub plugin: Option<String>,
    #[serde(default)]
    pub parameters: Option<Data>,
    #[serde(default)]
    pub on_fault: Option<OnFault>,
    #[serde(default, deserialize_with = "crate::server::data::whole")]
    #[schema(minimum = 1)]
    pub fuel_per_event: Option<u64>,
    #[serde(default, deserialize_with = "crate::server::data::whole")]
    #[schema(minimum = 1)]
    pub memory_bytes: Option<u64>,
    /// What it does about events that were compacted, from now on.
    #[serde(default)]
    pub dropped: Option<OnDropped>,
    /// Let the new state serve as soon as it has caught up.
    #[serde(default)]
    pub auto_promote: bool,
}

/// What to do with an event on which a plugin fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFault {
    Halt,
    Skip,
    Quarantine,
}

/// A projection as it is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Projection {
    pub name: String,
    pub sync: bool,
    /// Whether the state that is being built takes over by itself.
    pub auto_promote: bool,
    pub quota: Quota,
    /// What it does about events that were compacted.
    pub dropped: OnDropped,
    /// Where the log ends.
    pub head: u64,
    /// The state that answers readers: the one that serves, or the first one while it is built.
    pub readable: State,
    /// Whether `readable` serves; it does not before its first build has caught up.
    pub is_serving: bool,
    /// The state that is being built beside it.
    pub building: Option<State>,
    /// The state that served before, for a rollback.
    pub previous: Option<State>,
    /// What served before and has no state any more, the latest first: its states can be asked for by their identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<Ran>,
    /// What is kept of the past.
    pub past: Kept,
}

/// One of a projection's states.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct State {
    pub identity: String,
    /// `name@version`, or the digest of a plugin that is no longer installed.
    pub plugin: String,
    pub plugin_digest: String,
    /// The plugin's; absent if it is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin_signature: Option<Signature>,
    pub parameters: Data,
    pub on_fault: OnFault,
    pub fuel_per_event: u64,
    pub memory_bytes: u64,
    pub phase: Phase,
    /// Why it is halted, paused, over quota or failed.
    pub reason: Option<String>,
    /// Readers see everything up to here.
    pub checkpoint: u64,
    /// Events of the log behind the checkpoint.
    pub lag: u64,
    pub lag_seconds: f64,
    /// Events that the plugin was handed and folded.
    pub events: u64,
    /// Fuel of the calls that were kept; depends on where batches were cut.
    pub fuel: u64,
    pub costs: Costs,
    pub faults: u64,
    /// Streams in quarantine.
    pub quarantined: u64,
    /// Events of those streams that were set aside.
    pub set_aside: u64,
    /// How many of the events that the state before it had set aside are folded in this one, in their places. Absent
    /// until it has come as far as that one, or where that one has set nothing aside.
    pub redriven: Option<u64>,
    /// Events that it was made without, because their payloads were gone; absent if there are none.
    #[serde(default, skip_serializing_if = "Missing::is_none")]
    pub missing: Missing,
    /// Batches that were folded once more under other conditions and came out alike, since its worker began.
    pub probed: u64,
    pub entries: u64,
    /// Keys and values of all entries.
    pub state_bytes: u64,
    pub file_bytes: u64,
    pub events_per_second: f64,
    /// How long the rest takes at the present speed.
    pub remaining_seconds: Option<f64>,
    /// How far it is built anew beside itself, if it is.
    pub rebuilt: Option<u64>,
    pub last_error: Option<String>,
    pub last_progress_at: Option<String>,
}

/// What a state's worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading history.
    Replaying,
    /// At the end of the log, waiting for more.
    Live,
    /// Stopped before an event on which the plugin failed.
    Halted,
    /// Failed in a way that says nothing of the event; tries again by itself.
    Paused,
    /// Used what its quota allows; goes on when there is room again, or the quota is raised.
    OverQuota,
    /// Failed for a reason of the host's own; needs the operator.
    Failed,
    /// Not running.
    Stopped,
}

/// A plugin's deterministic failure on one event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    pub sequence: u64,
    pub stream: String,
    pub event_type: String,
    pub schema_version: u32,
    /// The digest of the plugin that failed: the projection's own or an upcaster's.
    pub plugin: String,
    /// The digests of the upcasters in force for the projection; none in a fault that an older version recorded.
    #[serde(default)]
    pub upcasters: Vec<String>,
    /// What kind of failure, for example `out-of-fuel`.
    pub kind: String,
    pub message: String,
    /// Where in the plugin it happened, a line for each frame, innermost first.
    pub backtrace: Option<String>,
    /// The fuel that the call on this one event used; 0 in a fault that an older version recorded.
    #[serde(default)]
    pub fuel: u64,
    /// What the plugin logged and printed during the call.
    pub output: String,
}

/// A state that was built anew in other batches by code compiled anew, and compared with the one that serves.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    pub projection: String,
    pub sequence: u64,
    pub entries: u64,
    pub digest: String,
    pub rebuilt_digest: String,
    pub same: bool,
    /// The first thing in which they differ, in words.
    pub difference: Option<String>,
    /// It was built from here: 0, or where the kept snapshot stands.
    pub from: u64,
    /// How many batches were folded twice, by the code that is there and by code compiled anew, and came out alike, in the
    /// same calls with the same fuel.
    pub batches_twice: u64,
    /// Why the kept snapshot was not used, where it was wanted and was not.
    pub snapshot_unused: Option<String>,
    /// The sequence of the snapshot that was kept.
    pub kept: Option<u64>,
}

/// How far a long piece of work is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    pub sequence: u64,
    /// Where it ends.
    pub head: u64,
    pub events_per_second: f64,
    pub remaining_seconds: Option<f64>,
}

/// How far a plugin's compilation is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Compiling {
    pub functions: u64,
    pub functions_total: u64,
}
