//! The events of the conformance traces: always the same ones, put together as a log would hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ciborium::Value;
use polyfold::cbor;
use polyfold::engine::TraceBatch;
use polyfold::event::{
    Batch, Envelope, EventId, EventType, NewEvent, SchemaVersion, Sequence, StreamName, Timestamp, Version,
};

/// 2026-01-01; each event is recorded a second and a microsecond later.
const BEGAN_MICROS: i64 = 1_767_225_600_000_000;
const STEP_MICROS: i64 = 1_000_001;

/// Events in the order of their sequences, which begin at 1 and have no gaps.
#[derive(Default)]
pub(super) struct Events(pub(super) Vec<NewEvent>);

impl Events {
    /// Adds an event; what it says beside its payload can be changed.
    pub(super) fn add(&mut self, stream: &str, event_type: &str, payload: &Value) -> &mut NewEvent {
        let mut bytes = Vec::new();
        ciborium::into_writer(payload, &mut bytes).unwrap();
        let payload = cbor::from_cbor(&bytes).unwrap();
        let id = EventId::new(format!("{event_type}-{}", self.0.len() + 1)).unwrap();
        let (stream, event_type) = (StreamName::new(stream).unwrap(), EventType::new(event_type).unwrap());
        self.0.push(NewEvent::new(stream, event_type, id, payload));
        self.0.last_mut().unwrap()
    }

    /// When the event of that index is recorded.
    pub(super) fn recorded_at(index: usize) -> Timestamp {
        Timestamp::from_micros(BEGAN_MICROS + STEP_MICROS * index as i64).unwrap()
    }

    /// The events as they are read from a log.
    pub(super) fn batch(&self) -> Arc<Batch> {
        let (mut batch, mut versions) = (TraceBatch::default(), BTreeMap::new());
        for (index, event) in self.0.iter().enumerate() {
            let version: &mut Version = versions.entry(event.stream.as_str()).or_default();
            *version = version.next();
            let envelope = Envelope::of(event, Sequence(index as u64 + 1), *version, Self::recorded_at(index));
            batch.push(&envelope, event.payload.as_bytes());
        }
        Arc::new(batch.finish())
    }
}

/// Gives an event all that an envelope can hold, with what tempts there.
pub(super) fn fill_envelope(event: &mut NewEvent, occurred_at_micros: i64) {
    event.schema_version = SchemaVersion(7);
    event.occurred_at = Timestamp::from_micros(occurred_at_micros);
    event.actor = Some("\u{e4}gent \u{1d11e}".to_owned());
    event.causation_id = Some(EventId::new("cause e\u{301}").unwrap());
    event.correlation_id = Some(EventId::new("process/1").unwrap());
    let metadata =
        [("z", "last"), ("a", ""), ("", "no name"), ("\u{ffff}", "1"), ("\u{10000}", "2"), ("__proto__", "x")];
    event.metadata = metadata.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    event.tags = ["b", "a", "b", "", "\u{1f600}"].map(str::to_owned).to_vec();
}
