//! Events as JSON, in the form that an import takes.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::Error;
use crate::cbor;
use crate::event::{Dropped, EventRef};

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
    /// Null of a payload that is not there any more.
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<DroppedText>,
}

/// What is left of a payload, for people.
#[derive(Serialize)]
struct DroppedText {
    why: String,
    bytes: u32,
    digest: String,
}

/// Writes an event as one line of JSON, without the line's end.
pub fn event_to_json(event: EventRef<'_>) -> Result<String, Error> {
    let envelope = event.envelope();
    let envelope = envelope.map_err(|source| Error::Envelope { sequence: event.sequence, source })?;
    let json = event.payload().map_or(Ok("null".to_owned()), cbor::to_json)?;
    let data = RawValue::from_string(json).expect("the cbor floor writes valid JSON");
    let dropped = event.payload.dropped().map(|Dropped { why, bytes, digest }| DroppedText {
        why: why.to_string(),
        bytes,
        digest: digest.to_string(),
    });
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
        dropped,
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
