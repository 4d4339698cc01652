//! What a projection may use, and what it used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a projection may use; what is left out or null is not limited. Never part of its identity: over quota it only rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Fuel of all its calls, on an average over 10 seconds. Over it, the projection rests until that has passed.
    #[serde(default, deserialize_with = "crate::server::data::whole", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 18446744073709551615_u64)]
    pub fuel_per_second: Option<u64>,
    /// Keys and values of a state. What would pass it is not kept, and the projection rests until the quota is raised.
    #[serde(default, deserialize_with = "crate::server::data::whole", skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 18446744073709551615_u64)]
    pub state_bytes: Option<u64>,
    /// Entries of a state, likewise.
    #[serde(default, deserialize_with = "crate::server::data::whole", skip_serializing_if = "Option::is_none")]
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
