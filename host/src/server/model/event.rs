//! Events and the log that holds them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FoldedEvents, RetentionCounts};
use crate::server::data::Data;

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
    /// What was passed of which there are only digests; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folded: Vec<FoldedEvents>,
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
    /// Events that have an envelope and no payload any more.
    #[serde(default)]
    pub stubs: u64,
    /// Events of which there are only digests.
    #[serde(default)]
    pub folded: u64,
    /// Bytes of the payloads of both.
    #[serde(default)]
    pub dropped_bytes: u64,
    #[serde(default)]
    pub retention: RetentionCounts,
    /// The categories whose events are encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypted: Vec<String>,
}

/// A log whose every checksum, digest, version and index was recomputed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VerifiedLog {
    pub events: u64,
    pub blocks: u64,
    pub chain_head: String,
}
