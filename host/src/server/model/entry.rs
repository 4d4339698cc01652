//! The entries of a state, as it is or as it was.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Missing;
use crate::server::data::Data;

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
    /// Events that it was made without, because their payloads were gone; absent if there are none.
    #[serde(default, skip_serializing_if = "Missing::is_none")]
    pub missing: Missing,
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
