//! Events for tests.

use crate::{Event, Payload};
use serde_json::Value;

/// Makes an event of schema version 1 in the stream `test/1`. The harness gives it the next sequence and version.
///
/// # Panics
/// If the payload has a number beyond 64 bits.
pub fn event(event_type: &str, payload: Value) -> Event {
    Event {
        sequence: 0,
        stream: "test/1".into(),
        version: 0,
        event_type: event_type.into(),
        schema_version: 1,
        recorded_at: 0,
        payload: Payload::cbor(&payload).expect("JSON is written as CBOR"),
    }
}

/// Reads events as the command line imports them: a JSON object a line, with `stream`, `type`, `schema_version` (1 if
/// left out) and `data`. The rest of the envelope is left out.
///
/// # Panics
/// If a line is none of these.
pub fn events(lines: &str) -> Vec<Event> {
    lines.lines().filter(|line| !line.trim().is_empty()).map(line_event).collect()
}

fn line_event(line: &str) -> Event {
    let mut object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    let data = object["data"].take();
    let text = |name: &str| object[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"));
    let schema_version = object["schema_version"].as_u64().unwrap_or(1);
    event(text("type"), data).in_stream(text("stream")).at_schema_version(schema_version as u32)
}
