//! The samples: what the conformance upcaster is asked to lift.

use ciborium::Value;
use polyfold::event::SchemaVersion;

use super::events::{Events, fill_envelope};
use super::values::{containers, map, scalars};

/// Every sample, in order.
pub(super) fn samples() -> Events {
    let mut samples = Events::default();
    let mut add = |event_type: &str, version: u32, payload: &Value| {
        let event = samples.add("sample/one", event_type, payload);
        event.schema_version = SchemaVersion(version);
        // What surrounds an event is no business of an upcaster's.
        if version == 2 {
            fill_envelope(event, -1);
            event.schema_version = SchemaVersion(version);
        }
    };
    for (event_type, version) in [("sample", 1), ("sample", 2), ("sample", 3), ("specimen", 1), ("specimen", 2)] {
        add(event_type, version, &map([]));
        add(
            event_type,
            version,
            &map([("int", 1.into()), ("float", 1.0.into()), ("text", "e\u{301}".into()), ("z", map([]))]),
        );
        add(event_type, version, &map([("fail", "e\u{301} \u{1d11e}\n%s".into()), ("int", 1.into())]));
    }
    for (name, value) in scalars().into_iter().chain(containers()) {
        let nested = map([("name", name.as_str().into()), ("left", value.clone()), ("int", value.clone())]);
        match &value {
            Value::Float(_) => add("sample", 1, &map([("float", value.clone()), ("left", value)])),
            Value::Text(_) => add("specimen", 1, &map([("text", value.clone()), ("left", value)])),
            _ => add("sample", 1, &nested),
        }
    }
    // Fields around the place where a new one goes, and more of them than a short head counts.
    let many =
        (0..30).map(|index| (Value::Text(format!("lifte{}", char::from(b'a' + index % 26))), Value::from(index)));
    add("sample", 1, &Value::Map(many.take(26).collect()));
    let short = (0..23).map(|index| (Value::from(index), Value::from(index)));
    add("sample", 1, &map([("left", Value::Map(short.collect()))]));
    add("specimen", 1, &map([("", 1.into()), ("\u{10000}", 2.into()), ("\u{ffff}a", 3.into())]));
    samples
}
