//! Events as JSON, in the form that an import takes.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::Error;
use crate::cbor;
use crate::event::EventRef;

#[derive(Serialize)]
struct Rendered<'a> {
    sequence: u64,
    id: &'a str,
    stream: &'a str,
    version: u64,
    #[serde(rename = "type")]
    event_type: &'a str,
    schema_version: u32,
    recorded_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    metadata: Vec<(&'a str, &'a str)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    data: Box<RawValue>,
}

/// Writes an event as one line of JSON, without the line's end.
pub fn event_to_json(event: EventRef<'_>) -> Result<String, Error> {
    let envelope = event.envelope();
    let envelope = envelope.map_err(|source| Error::Envelope { sequence: event.sequence, source })?;
    let data = RawValue::from_string(cbor::to_json(event.payload)?).expect("the cbor floor writes valid JSON");
    let rendered = Rendered {
        sequence: event.sequence.0,
        id: envelope.id,
        stream: event.stream,
        version: event.version.0,
        event_type: event.event_type,
        schema_version: event.schema_version.0,
        recorded_at: event.recorded_at.to_string(),
        occurred_at: envelope.occurred_at.map(|time| time.to_string()),
        actor: envelope.actor,
        causation_id: envelope.causation_id,
        correlation_id: envelope.correlation_id,
        metadata: envelope.metadata,
        tags: envelope.tags,
        data,
    };
    Ok(serde_json::to_string(&rendered).expect("an event is plain data"))
}

fn as_object<S: Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (name, value) in pairs {
        map.serialize_entry(name, value)?;
    }
    map.end()
}
