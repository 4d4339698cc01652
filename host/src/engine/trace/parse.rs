//! The lines of a trace as they are read, each checked by itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::bytes::Members;
use super::lines::name_of;
use super::{Failed, Folded, Lift, Setup, Shape, TraceBatch};
use crate::engine::{FaultPolicy, PluginKind, StateEncoding, operate};
use crate::event::{
    Envelope, EventId, EventType, Head, Payload, SchemaVersion, Sequence, StreamName, Timestamp, Version,
};
use crate::plugin::Limits;

#[derive(Deserialize)]
pub(super) struct Format {
    pub(super) format: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header<'a> {
    #[serde(rename = "format")]
    _format: String,
    pub(super) kind: PluginKind,
    pub(super) plugin: String,
    pub(super) digest: String,
    pub(super) since: u64,
    pub(super) to: u64,
    #[serde(borrow)]
    pub(super) parameters: Option<&'a RawValue>,
    pub(super) on_fault: Option<FaultPolicy>,
    pub(super) state: Option<String>,
    pub(super) fuel_per_event: Option<u64>,
    pub(super) memory_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line<'a> {
    #[serde(borrow)]
    Event(Event<'a>),
    #[serde(borrow)]
    Entry(Entry<'a>),
    Fault(Fault),
    #[serde(borrow)]
    Lifted(Lifted<'a>),
    End(End),
}

/// A member that is there: one that says null is, too.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event<'a> {
    pub(super) sequence: u64,
    id: String,
    stream: String,
    version: u64,
    #[serde(rename = "type")]
    event_type: String,
    schema_version: u32,
    recorded_at: String,
    occurred_at: Option<String>,
    actor: Option<String>,
    causation_id: Option<String>,
    correlation_id: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data_gzip: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry<'a> {
    key: String,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    text: Option<String>,
    #[serde(borrow)]
    base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    gzip: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    sequence: u64,
    kind: String,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lifted<'a> {
    sequence: u64,
    #[serde(rename = "type")]
    event_type: Option<String>,
    schema_version: Option<u32>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data_gzip: Option<Cow<'a, str>>,
    kind: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) events: u64,
    pub(super) entries: Option<u64>,
    pub(super) faults: u64,
    pub(super) digest: String,
    pub(super) fuel: Option<u64>,
}

impl Header<'_> {
    pub(super) fn setup(&self) -> Result<Setup, String> {
        let missing = |what: &str| format!("a projection's trace must say its {what}");
        let (usual, parameters) = (Limits::default(), self.parameters.ok_or_else(|| missing("parameters"))?);
        let state = self.state.as_deref().ok_or_else(|| missing("state"))?;
        let encodings = [StateEncoding::Cbor, StateEncoding::Json, StateEncoding::Text, StateEncoding::Bytes];
        let encoding = encodings.into_iter().find(|encoding| name_of(*encoding) == state);
        Ok(Setup {
            parameters: operate::parameters(parameters.get()).map_err(|error| error.to_string())?.into(),
            on_fault: self.on_fault.ok_or_else(|| missing("on_fault"))?,
            fuel_per_event: self.fuel_per_event.unwrap_or(usual.fuel_per_event),
            memory_bytes: self.memory_bytes.unwrap_or(usual.memory_bytes as u64),
            encoding: encoding.ok_or_else(|| format!("state {state:?} is none of cbor, json, text and bytes"))?,
        })
    }
}

impl Event<'_> {
    pub(super) fn put_into(self, events: &mut TraceBatch) -> Result<(), String> {
        let time = |text: &str| text.parse::<Timestamp>().map_err(|error| error.to_string());
        let id = |id: String| EventId::new(id).map_err(|error| error.to_string());
        let stream = StreamName::new(self.stream).map_err(|error| error.to_string())?;
        let event_type = EventType::new(self.event_type).map_err(|error| error.to_string())?;
        let recorded_at = time(&self.recorded_at)?;
        if self.version == 0 || self.schema_version == 0 || recorded_at < Timestamp::EPOCH {
            return Err("versions start at 1, and nothing is recorded before 1970".to_owned());
        }
        let (own, cause) = (id(self.id)?, self.causation_id.map(id).transpose()?);
        let correlation = self.correlation_id.map(id).transpose()?;
        let envelope = Envelope {
            head: Head {
                sequence: Sequence(self.sequence),
                version: Version(self.version),
                schema_version: SchemaVersion(self.schema_version),
                recorded_at,
                stream: stream.as_str(),
                event_type: event_type.as_str(),
                is_encrypted: false,
            },
            id: own.as_str(),
            occurred_at: self.occurred_at.as_deref().map(time).transpose()?,
            actor: self.actor.as_deref(),
            causation_id: cause.as_ref().map(EventId::as_str),
            correlation_id: correlation.as_ref().map(EventId::as_str),
            metadata: self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            tags: self.tags.iter().map(String::as_str).collect(),
        };
        let payload = payload(self.data, self.data_base64.as_deref(), self.data_gzip.as_deref())?;
        events.push(&envelope, payload.as_bytes());
        Ok(())
    }
}

impl Entry<'_> {
    /// Returns the size of the entry.
    pub(super) fn take(self, encoding: StateEncoding, folded: &mut Folded) -> Result<usize, String> {
        if !folded.faults.is_empty() {
            return Err("an entry stands behind the faults".to_owned());
        }
        if folded.entries.last_key_value().is_some_and(|(last, _)| *last >= self.key) {
            return Err(format!("key {:?} is out of order", self.key));
        }
        let (text, base64, gzip) = (self.text.as_deref(), self.base64.as_deref(), self.gzip.as_deref());
        let value = Members { json: self.value, text, base64, gzip }.value(encoding, Limits::VALUE_BYTES)?;
        let bytes = self.key.len() + value.len();
        folded.entries.insert(self.key, value);
        Ok(bytes)
    }
}

impl Fault {
    pub(super) fn read(self, events: &[Sequence], last: Option<Sequence>) -> Result<Failed, String> {
        let sequence = Sequence(self.sequence);
        if events.binary_search(&sequence).is_err() || last.is_some_and(|last| last >= sequence) {
            return Err(format!("no event of sequence {sequence} is left for this fault"));
        }
        Ok(Failed { sequence, kind: self.kind, message: self.message })
    }
}

impl Lifted<'_> {
    pub(super) fn read(self, expected: Option<Sequence>) -> Result<Lift, String> {
        let sequence = Sequence(self.sequence);
        if expected != Some(sequence) {
            let expected = expected.map_or("none".to_owned(), |sequence| sequence.to_string());
            return Err(format!("sequence {sequence} is lifted where that of the events is {expected}"));
        }
        let made = match (self.event_type, self.schema_version, self.kind) {
            (Some(event_type), Some(version), None) => {
                let event_type = EventType::new(event_type).map_err(|error| error.to_string())?.to_string();
                let payload = payload(self.data, self.data_base64.as_deref(), self.data_gzip.as_deref())?.into_bytes();
                Ok(Shape { event_type, schema_version: SchemaVersion(version), payload })
            }
            (None, None, Some(kind)) => Err(Failed { sequence, kind, message: self.message }),
            _ => return Err("it must have type, schema_version and data, or else kind".to_owned()),
        };
        Ok(Lift { sequence, made })
    }
}

fn payload(json: Option<&RawValue>, base64: Option<&str>, gzip: Option<&str>) -> Result<Payload, String> {
    Members { json, text: None, base64, gzip }.payload()
}
