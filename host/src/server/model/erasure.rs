//! Encryption and erasure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Categories whose events are encrypted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    pub categories: Vec<String>,
}

/// A stream that has a key, or had one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamKey {
    pub stream: String,
    /// When the key was made, or forgotten.
    pub at: String,
    pub forgotten: bool,
}

/// What an import of keys did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportedKeys {
    /// Keys that were not here.
    pub added: u64,
    /// Keys that were here.
    pub known: u64,
    /// Streams that were forgotten where the file comes from, and are now forgotten here; they had no key here.
    pub forgotten: u64,
    /// Keys that were not taken, because their streams were forgotten here.
    pub refused: u64,
    /// Streams that were forgotten where the file comes from, and have a key here, which stays.
    pub alive: Vec<String>,
}

/// A stream to forget.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    pub stream: String,
    /// One line of at most 1,000 characters. It stays in the log, so it should not say what is forgotten.
    pub reason: String,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A stream that is forgotten.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Forgotten {
    pub stream: String,
    /// How many events cannot be read any more.
    pub events: u64,
    /// The event that says so; none if it was forgotten before.
    pub sequence: Option<u64>,
    /// The projections that are built anew.
    pub rebuilt: Vec<String>,
}

/// Events to redact.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redact {
    /// At most 10,000.
    #[schema(min_items = 1, max_items = 10_000)]
    pub sequences: Vec<u64>,
    /// One line of at most 1,000 characters. It stays in the log, so it should not say what is redacted.
    pub reason: String,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Events that are redacted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Redacted {
    /// How many payloads are gone now.
    pub events: u64,
    /// How many of those named were redacted before.
    pub before: u64,
    /// The event that says so; none if all were redacted before.
    pub sequence: Option<u64>,
    /// The projections that are built anew.
    pub rebuilt: Vec<String>,
}
