//! Two states beside each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::server::data::Data;

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
