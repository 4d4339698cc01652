//! What goes over the wire: the shapes of requests and answers, the same for the service and for its clients.
//!
//! Numbers are counts or positions unless a name ends in a unit. Times are RFC 3339 in UTC.

mod contents;
mod faults;
mod provenance;
mod receipt;

pub use faults::{
    Action, DebugFailure, DebugOutcome, Debugged, DebuggedEvent, QuarantinePage, QuarantinedStream, StateAccess,
};
pub use receipt::{CheckedReceipt, HostKey};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::data::Data;
pub use contents::{Contents, CustomSections, Dependency, Extent, Import, Module, Producer};
pub use provenance::{NewPublisher, Publisher, Requirement, Signature, Source, Standing, Trust};

/// An event as the log holds it, or as upcasters leave it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    pub sequence: u64,
    pub id: String,
    pub stream: String,
    pub version: u64,
    #[serde(rename = "type")]
    pub event_type: String,
    pub schema_version: u32,
    pub recorded_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Null when the payload is not there any more.
    pub data: Data,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<DroppedPayload>,
}

/// What is left of a payload that is not there any more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DroppedPayload {
    /// `compacted`, `redacted` or `forgotten`.
    pub why: String,
    /// How long it was.
    pub bytes: u32,
    /// Its BLAKE3 digest.
    pub digest: String,
}

impl DroppedPayload {
    pub fn of(dropped: crate::event::Dropped) -> Self {
        Self { why: dropped.why.to_string(), bytes: dropped.bytes, digest: dropped.digest.to_string() }
    }
}

/// Events in order of sequence.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    pub events: Vec<Event>,
    /// Everything up to here was looked at: pass it as `since` to go on.
    pub next: u64,
    /// Where the log ended.
    pub head: u64,
}

/// A stream's events in order of version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamPage {
    pub stream: String,
    /// The version of the stream's last event; 0 if it has none.
    pub version: u64,
    pub events: Vec<Event>,
    /// The version of the last event looked at: pass it as `since` to go on.
    pub next: u64,
}

/// What a stream must be at before an append: `any`, `none` (it must not exist), or its version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamExpectation {
    pub stream: String,
    /// `any`, `none`, or a version as a text or a number.
    #[schema(value_type = String)]
    pub version: serde_json::Value,
}

/// Where each event of an append lies, in its order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Appended {
    pub events: Vec<Placed>,
}

/// An event's place; a duplicate's is the one that it got the first time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Placed {
    pub sequence: u64,
    pub stream: String,
    pub version: u64,
    pub id: String,
    pub duplicate: bool,
}

/// What became of a stream of lines.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// Events that are new in the log; with `dry_run` those that would be.
    pub appended: u64,
    /// Events that were there before, with the same content.
    pub duplicates: u64,
    pub skipped: u64,
    /// Where the log ends.
    pub head: u64,
    /// The first of the lines that were skipped, 100 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_lines: Vec<BadLine>,
}

/// A line that is no event, or that says something else under an id that is taken.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BadLine {
    /// Counted from 1.
    pub number: u64,
    pub why: String,
}

/// The event log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Log {
    pub log_id: String,
    pub head: u64,
    /// When the last event was recorded.
    pub recorded_at: Option<String>,
    pub chain_head: String,
    pub blocks: u64,
    pub block_bytes: u64,
    pub index_runs: u64,
    pub index_bytes: u64,
    pub file_bytes: u64,
}

/// A log whose every checksum, digest, version and index was recomputed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VerifiedLog {
    pub events: u64,
    pub blocks: u64,
    pub chain_head: String,
}

/// A plugin in the store.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Plugin {
    pub digest: String,
    /// `projection` or `upcaster`.
    pub kind: String,
    pub name: String,
    pub version: String,
    pub description: String,
    pub abi: String,
    pub bytes: u64,
    /// Absent if it came without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Absent if it came as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What an installation or a removal did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Installed {
    #[serde(flatten)]
    pub plugin: Plugin,
    /// Whether the very same plugin was there and in force before.
    pub known: bool,
    /// The projections whose events it changes; they are built anew.
    pub rebuilt: Vec<String>,
}

/// All that a plugin says of itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PluginDetails {
    pub kind: String,
    pub name: String,
    pub version: String,
    pub description: String,
    pub digest: String,
    pub abi: String,
    pub export: String,
    pub imports: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<View>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Absent if it is not installed, or came without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A name for the keys with a prefix.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct View {
    pub name: String,
    pub prefix: String,
    pub description: String,
}

/// A step of an upcaster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    pub event_type: String,
    pub from: u32,
    pub to: u32,
    pub new_event_type: Option<String>,
}

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
    #[serde(default, deserialize_with = "super::data::whole")]
    #[schema(minimum = 1)]
    pub fuel_per_event: Option<u64>,
    #[serde(default, deserialize_with = "super::data::whole")]
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
}

/// What a projection keeps of its past, beside its state; what is left out or null is as usual. It decides only how fast
/// the past answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Events between two snapshots of its state, 200,000 if left out; none are taken by themselves if it is 0.
    #[serde(default, deserialize_with = "super::data::whole", skip_serializing_if = "Option::is_none")]
    pub snapshot_every: Option<u64>,
    /// How many events back from its end a state has its history, 10,000 if left out; none if it is 0.
    #[serde(default, deserialize_with = "super::data::whole", skip_serializing_if = "Option::is_none")]
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

/// What a projection may use; what is left out or null is not limited. Never part of its identity: over quota it only rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Fuel of all its calls, on an average over 10 seconds. Over it, the projection rests until that has passed.
    #[serde(default, deserialize_with = "super::data::whole", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 18446744073709551615_u64)]
    pub fuel_per_second: Option<u64>,
    /// Keys and values of a state. What would pass it is not kept, and the projection rests until the quota is raised.
    #[serde(default, deserialize_with = "super::data::whole", skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 18446744073709551615_u64)]
    pub state_bytes: Option<u64>,
    /// Entries of a state, likewise.
    #[serde(default, deserialize_with = "super::data::whole", skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 18446744073709551615_u64)]
    pub state_entries: Option<u64>,
}

/// What the calls cost that made a state.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Costs {
    /// Calls of the plugin that were kept.
    pub calls: u64,
    /// Fuel of the last of them, and its events.
    pub last_call_fuel: u64,
    pub last_call_events: u64,
    /// The most fuel that one call took.
    pub costliest_call_fuel: u64,
}

/// Which events cost a projection the most.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    pub projection: String,
    pub identity: String,
    /// The fuel that an event may use.
    pub fuel_per_event: u64,
    /// Events of the state, and the fuel of the calls that folded them.
    pub events: u64,
    pub fuel: u64,
    /// Calls that were made again event by event, the costliest of the state, and how many events they had.
    pub calls_examined: u64,
    pub events_examined: u64,
    /// No event outside those calls took more fuel. Absent if there are no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_at_most: Option<u64>,
    /// The costliest first.
    pub costliest: Vec<CostlyEvent>,
}

/// An event and what it cost.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CostlyEvent {
    pub sequence: u64,
    pub stream: String,
    /// As it was appended.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Of a call with this event alone, on the state right before it.
    pub fuel: u64,
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
    #[serde(default, deserialize_with = "super::data::whole")]
    #[schema(minimum = 1)]
    pub fuel_per_event: Option<u64>,
    #[serde(default, deserialize_with = "super::data::whole")]
    #[schema(minimum = 1)]
    pub memory_bytes: Option<u64>,
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

/// What a projection has of its past at hand, and what it should keep.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// Events between two snapshots; 0 if none are taken.
    pub snapshot_every: u64,
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

/// An entry of a state.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    pub key: String,
    pub value: Data,
    /// Of an entry that was asked for as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
}

/// Entries in key order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatePage {
    pub entries: Vec<Entry>,
    /// The state as it is behind this event.
    pub checkpoint: u64,
    pub identity: String,
    /// Pass it as `after` to go on; absent at the end.
    pub next: Option<String>,
    /// Of a state that was asked for as it was. Pass its `sequence` as `as_of` to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
}

/// Of which time a state is, and what it was made from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AsOf {
    /// The event behind which it was asked for.
    pub sequence: u64,
    pub identity: String,
    /// The event behind which it stands: an earlier one if it halted.
    pub checkpoint: u64,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// What was at hand: `live`, `history`, `snapshot`, `recent`, or `nothing`.
    pub origin: String,
    /// How far that came; all events behind were folded for this.
    pub from: u64,
    /// What was nearer and could not be used, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<String>,
}

/// The values that a key had.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyHistory {
    pub identity: String,
    /// The latest first.
    pub values: Vec<KeyValue>,
    /// There may be more before this event: pass it as `before` to go on; absent at the end.
    pub next: Option<u64>,
}

/// A value of a key, and the event that made it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyValue {
    pub sequence: u64,
    pub recorded_at: String,
    pub stream: String,
    /// As it was appended.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Null where the event deleted the key.
    pub value: Option<Data>,
}

/// What served before, and can be asked for by its identity.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ran {
    pub identity: String,
    /// `name@version`, or the digest of a plugin that is no longer installed.
    pub plugin: String,
}

/// Two states of a projection beside each other.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// The state that serves.
    pub serving: Compared,
    /// The state that is compared with it.
    pub other: Compared,
    /// Whether `other` is being built (`building`) or served before (`previous`).
    pub role: String,
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// A page of keys that differ, in key order.
    pub examples: Vec<Differing>,
    /// Pass it as `after` to go on; absent at the end.
    pub next: Option<String>,
    /// The first event after which the two differ; absent if there is none, or it was not asked for.
    pub first_difference: Option<FirstDifference>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Compared {
    pub identity: String,
    pub plugin: String,
    pub checkpoint: u64,
    pub entries: u64,
}

/// A key that differs, with its value in both states; none where it has no such entry.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Differing {
    pub key: String,
    // Data is any value, null among them.
    #[schema(value_type = Data)]
    pub serving: Option<Data>,
    #[schema(value_type = Data)]
    pub other: Option<Data>,
}

/// The first event after which two states differ, and in which key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FirstDifference {
    pub sequence: u64,
    pub stream: String,
    pub event_type: String,
    pub key: String,
    // Data is any value, null among them.
    #[schema(value_type = Data)]
    pub serving: Option<Data>,
    #[schema(value_type = Data)]
    pub other: Option<Data>,
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

/// A bearer token without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// The only categories that it may append to and read; all if empty.
    pub categories: Vec<String>,
    pub created_at: String,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    Append,
    Read,
    Manage,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$", min_length = 1, max_length = 256)]
    pub name: String,
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// The only categories that it may append to and read; all if empty. Not for a token that may manage.
    #[serde(default)]
    #[schema(max_items = 256)]
    pub categories: Vec<String>,
}

/// A token that was made just now; its secret is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    #[serde(flatten)]
    pub token: Token,
    pub secret: String,
}
