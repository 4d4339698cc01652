//! Retention on the wire: the policy, what a run would do, what runs did; and what projections do about what they dropped.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a projection does about events that it wants and whose payloads a retention policy let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDropped {
    /// Read them from the archive; what that lacks is an error.
    #[default]
    Archive,
    /// Go on without them, and count them.
    Accept,
    /// Do not make a state without them, and do not read the archive.
    Refuse,
}

/// How many events a state was made without, because their payloads were gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// A retention policy let them go.
    pub compacted: u64,
    /// Likewise, and only digests are left: the projection may have wanted them or not.
    pub folded: u64,
    pub redacted: u64,
    /// The keys of their streams were deleted.
    pub forgotten: u64,
}

impl Missing {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A run of compacted events of which the log has nothing but digests. Some that were asked for may be among them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct FoldedEvents {
    pub first: u64,
    pub last: u64,
}

/// A file of the archive.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ArchiveFile {
    /// In the folder `archive` of the data directory.
    pub name: String,
    /// Its first event, and its last.
    pub first: u64,
    pub last: u64,
    pub blocks: u64,
    /// Events in its blocks, those that stayed in the log among them.
    pub events: u64,
    pub bytes: u64,
}

/// What putting payloads back into the log did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct RestoredArchive {
    /// Payloads that the log has again.
    pub events: u64,
    pub file_bytes_before: u64,
    pub file_bytes_after: u64,
}

/// Which payloads the log keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Without rules, everything stays.
    pub rules: Vec<RetentionRule>,
    /// Event types that stay whatever a rule says.
    pub critical: Vec<String>,
    /// A host starts a run by itself in a quiet time when so many events could go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_events: Option<u64>,
    /// The same by bytes of payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_bytes: Option<u64>,
    /// How long nothing was appended in a quiet time.
    pub quiet_seconds: u64,
}

/// A rule about the events of a category or of a type: one of the two is there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetentionRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// What stays, in words.
    pub keeps: String,
}

/// What the log keeps, and what the runs of retention did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Retention {
    pub policy: Policy,
    #[serde(flatten)]
    pub counts: RetentionCounts,
}

/// What all runs of retention did.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RetentionCounts {
    pub runs: u64,
    /// Payloads that were dropped.
    pub events_dropped: u64,
    pub payload_bytes_dropped: u64,
    /// Absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<RetentionRun>,
}

/// What a run of retention did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetentionRun {
    pub at: String,
    /// The last event that was looked at.
    pub cut: u64,
    /// Payloads that were dropped; with 0, nothing was done.
    pub events: u64,
    pub payload_bytes: u64,
    /// Events of the log of which nothing but digests is left, folded by this run.
    pub folded: u64,
    pub file_bytes_before: u64,
    pub file_bytes_after: u64,
    /// Critical events with their payloads, before and after.
    pub critical_before: u64,
    pub critical_after: u64,
}

/// How far a run of retention is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetentionProgress {
    /// `planning`, `taking snapshots`, `archiving` or `rewriting`.
    pub step: String,
    pub sequence: u64,
    /// Where the step ends.
    pub head: u64,
}

/// What a run of retention would do now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetentionPlan {
    pub policy: Policy,
    /// The last event that was looked at.
    pub cut: u64,
    /// Events whose payload would go.
    pub events: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Events that would go if their type were not critical.
    pub critical: u64,
    /// By category and type: those that a rule is about.
    pub groups: Vec<RetentionGroup>,
    /// What the log's file has now.
    pub file_bytes: u64,
    /// An estimate of what it would have then.
    pub file_bytes_after: u64,
    /// What keeps a run from beginning.
    pub blocked: Vec<Blocked>,
}

/// What would become of the events of a category and a type.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetentionGroup {
    pub category: String,
    #[serde(rename = "type")]
    pub event_type: String,
    /// Events whose payload would go.
    pub events: u64,
    pub payload_bytes: u64,
    /// Events that stay because a rule says so.
    pub kept: u64,
    /// Events that stay because their type is critical.
    pub critical: u64,
}

/// A state that needs the events which would go, and cannot go on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Blocked {
    pub projection: String,
    pub identity: String,
    /// How far it is.
    pub sequence: u64,
    pub why: String,
}
