//! Writes a trace, line by line.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::bytes::{self, Written};
use super::{Failed, Lift, Made, Setup, Trace};
use crate::engine::{FaultPolicy, PluginKind, StateEncoding};
use crate::event::{EventRef, Sequence};
use crate::plugin::Limits;

/// What the first line says; another version is another format.
pub(super) const FORMAT: &str = "polyfold trace 2";

/// What it said before: its last line has a digest of the state that is made otherwise.
pub(super) const FORMAT_1: &str = "polyfold trace 1";

#[derive(Serialize)]
struct Header<'a> {
    format: &'a str,
    kind: PluginKind,
    plugin: &'a str,
    digest: String,
    since: u64,
    to: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_fault: Option<FaultPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_per_event: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Line<'a> {
    Event(Event<'a>),
    Entry(Entry<'a>),
    Fault(Fault<'a>),
    Lifted(Lifted<'a>),
    End(End),
}

#[derive(Serialize)]
struct Event<'a> {
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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    #[serde(flatten)]
    data: Data,
}

/// A payload's member.
#[derive(Serialize)]
enum Data {
    #[serde(rename = "data")]
    Json(Box<RawValue>),
    #[serde(rename = "data_base64")]
    Base64(String),
    #[serde(rename = "data_gzip")]
    Gzip(String),
}

/// A value's member.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Value {
    #[serde(rename = "value")]
    Json(Box<RawValue>),
    Text(String),
    Base64(String),
    Gzip(String),
}

#[derive(Serialize)]
struct Entry<'a> {
    key: &'a str,
    #[serde(flatten)]
    value: Value,
}

#[derive(Serialize)]
struct Fault<'a> {
    sequence: u64,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Lifted<'a> {
    Shape {
        sequence: u64,
        #[serde(rename = "type")]
        event_type: &'a str,
        schema_version: u32,
        #[serde(flatten)]
        data: Data,
    },
    Fault(Fault<'a>),
}

#[derive(Serialize)]
struct End {
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    faults: u64,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
}

impl Trace {
    /// All lines, each without its end.
    pub fn lines(&self) -> impl Iterator<Item = String> + Send + '_ {
        let events = self.events.iter().map(|event| text(&Line::Event(shown(event))));
        std::iter::once(self.header()).chain(events).chain(self.made.lines()).chain(std::iter::once_with(|| self.end()))
    }

    fn header(&self) -> String {
        let setup = match &self.made {
            Made::Projection(setup, _) => Some(setup),
            Made::Upcaster(_) => None,
        };
        let usual = Limits::default();
        let json = |text: &str| RawValue::from_string(text.to_owned()).expect("parameters are a JSON object");
        text(&Header {
            format: FORMAT,
            kind: self.kind(),
            plugin: &self.plugin,
            digest: self.digest.to_string(),
            since: self.since.0,
            to: self.to.0,
            parameters: setup.map(|setup| json(&setup.parameters)),
            on_fault: setup.map(|setup| setup.on_fault),
            state: setup.map(|setup| name_of(setup.encoding)),
            fuel_per_event: setup.map(|setup| setup.fuel_per_event).filter(|fuel| *fuel != usual.fuel_per_event),
            memory_bytes: setup.map(|setup| setup.memory_bytes).filter(|it| *it != usual.memory_bytes as u64),
        })
    }

    fn end(&self) -> String {
        let (entries, faults) = match &self.made {
            Made::Projection(_, folded) => (Some(folded.entries.len() as u64), folded.faults.len()),
            Made::Upcaster(lifts) => (None, lifts.iter().filter(|lift| lift.made.is_err()).count()),
        };
        let (events, faults, digest) = (self.events.len() as u64, faults as u64, self.made.digest().to_string());
        text(&Line::End(End { events, entries, faults, digest, fuel: self.made.fuel() }))
    }
}

impl Made {
    fn lines(&self) -> Box<dyn Iterator<Item = String> + Send + '_> {
        match self {
            Self::Projection(Setup { encoding, .. }, folded) => {
                let entry = |(key, value): (&String, &Vec<u8>)| {
                    text(&Line::Entry(Entry { key, value: value_of(bytes::of_value(value, *encoding)) }))
                };
                let fault = |failed| text(&Line::Fault(fault_of(failed)));
                Box::new(folded.entries.iter().map(entry).chain(folded.faults.iter().map(fault)))
            }
            Self::Upcaster(lifts) => Box::new(lifts.iter().map(|lift| text(&Line::Lifted(lifted(lift))))),
        }
    }
}

fn shown(event: EventRef<'_>) -> Event<'_> {
    let envelope = event.envelope().expect("a trace's events were checked when they were put together");
    Event {
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
        metadata: envelope.metadata.into_iter().collect(),
        tags: envelope.tags,
        data: data_of(bytes::of_payload(event.payload().expect("a trace has whole events only"))),
    }
}

fn lifted(lift: &Lift) -> Lifted<'_> {
    match &lift.made {
        Ok(shape) => Lifted::Shape {
            sequence: lift.sequence.0,
            event_type: &shape.event_type,
            schema_version: shape.schema_version.0,
            data: data_of(bytes::of_payload(&shape.payload)),
        },
        Err(failed) => Lifted::Fault(fault_of(failed)),
    }
}

fn fault_of(failed: &Failed) -> Fault<'_> {
    let Sequence(sequence) = failed.sequence;
    Fault { sequence, kind: &failed.kind, message: failed.message.as_deref() }
}

fn data_of(written: Written) -> Data {
    match written {
        Written::Json(json) => Data::Json(json),
        Written::Gzip(text) => Data::Gzip(text),
        Written::Base64(text) | Written::Text(text) => Data::Base64(text),
    }
}

fn value_of(written: Written) -> Value {
    match written {
        Written::Json(json) => Value::Json(json),
        Written::Text(text) => Value::Text(text),
        Written::Base64(text) => Value::Base64(text),
        Written::Gzip(text) => Value::Gzip(text),
    }
}

/// An encoding's name, in a trace as in a plugin's description.
pub(super) fn name_of(encoding: StateEncoding) -> &'static str {
    match encoding {
        StateEncoding::Cbor => "cbor",
        StateEncoding::Json => "json",
        StateEncoding::Text => "text",
        StateEncoding::Bytes => "bytes",
    }
}

fn text(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("a trace is plain data")
}
