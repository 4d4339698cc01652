//! Events from JSON: polyfold's own form, and CloudEvents 1.0 in its JSON format.
//!
//! Own form: `stream`, `type`, `data`, and where wanted `id`, `schema_version`, `occurred_at`, `actor`, `causation_id`,
//! `correlation_id`, `metadata` (an object of texts) and `tags`. What an export adds (`sequence`, `version`,
//! `recorded_at`) is passed over, because the log assigns it anew; any other field is refused as a likely slip.
//!
//! CloudEvents, told by `specversion`:
//!
//! | attribute | becomes |
//! |---|---|
//! | `source` and `id` | id `SOURCE ID`, because only the two together are unique; a source has no white space |
//! | `type`, `time` | event type, occurred-at |
//! | `stream` (an extension), else `source` and `subject` | stream; `https://shop.example/orders` and `17` make `shop.example.orders/17`, no subject makes `…/-` |
//! | `schemaversion`, `actor`, `causationid`, `correlationid` (extensions) | the fields of these names |
//! | `data`, `data_base64` | payload; none becomes null |
//! | every other attribute | metadata |

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cbor;
use crate::event::{EventId, EventType, InvalidEvent, InvalidName, NewEvent, ParseTimeError, Payload, StreamName};
use crate::event::{SchemaVersion, Timestamp};

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLine {
    #[error("not valid JSON: {0}")]
    Json(String),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Time(#[from] ParseTimeError),
    #[error("data: {0}")]
    Data(#[from] cbor::Error),
    #[error(transparent)]
    Limit(#[from] InvalidEvent),
    #[error("schema version 0; versions start at 1")]
    SchemaVersion,
    #[error("{0}")]
    CloudEvent(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    schema_version: Option<u32>,
    #[serde(borrow)]
    occurred_at: Option<Cow<'a, str>>,
    actor: Option<String>,
    causation_id: Option<String>,
    correlation_id: Option<String>,
    #[serde(default)]
    metadata: Unique<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(rename = "sequence")]
    _sequence: Option<u64>,
    #[serde(rename = "version")]
    _version: Option<u64>,
    #[serde(rename = "recorded_at")]
    _recorded_at: Option<String>,
}

/// Reads one event from JSON text of either form. An event without an id gets a new UUIDv7.
pub fn event_from_json(text: &str) -> Result<NewEvent, InvalidLine> {
    // Only a text that has the word can be a CloudEvent; the parser then decides.
    if text.contains("\"specversion\"") {
        let attributes = serde_json::from_str::<Unique<&RawValue>>(text);
        let attributes = attributes.map_err(|error| InvalidLine::Json(error.to_string()))?;
        if attributes.0.contains_key("specversion") {
            return from_cloud_event(CloudEvent(attributes.0));
        }
    }
    if text.starts_with('[') {
        return Err(InvalidLine::Json("an event is an object, not an array".to_owned()));
    }
    let line: Line = serde_json::from_str(text).map_err(|error| InvalidLine::Json(error.to_string()))?;
    let event = NewEvent {
        stream: StreamName::new(line.stream)?,
        event_type: EventType::new(line.event_type)?,
        schema_version: schema_version(line.schema_version)?,
        id: line.id.map_or_else(|| Ok(new_id()), EventId::new)?,
        payload: cbor::from_json(line.data.map_or("null", RawValue::get))?,
        occurred_at: line.occurred_at.map(|time| time.parse()).transpose()?,
        actor: line.actor,
        causation_id: line.causation_id.map(EventId::new).transpose()?,
        correlation_id: line.correlation_id.map(EventId::new).transpose()?,
        metadata: line.metadata.0,
        tags: line.tags,
        is_encrypted: false,
    };
    event.check()?;
    Ok(event)
}

/// An id for an event whose producer gives none: a UUIDv7, so that ids follow time.
pub fn new_id() -> EventId {
    EventId::new(uuid::Uuid::now_v7().to_string()).expect("a UUID is a valid id")
}

fn schema_version(given: Option<u32>) -> Result<SchemaVersion, InvalidLine> {
    match given {
        None => Ok(SchemaVersion::FIRST),
        Some(0) => Err(InvalidLine::SchemaVersion),
        Some(version) => Ok(SchemaVersion(version)),
    }
}

/// An object in which no name stands twice.
#[derive(Default)]
struct Unique<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Unique<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut unique = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if unique.contains_key(&name) {
                        return Err(serde::de::Error::custom(format!("duplicate field `{name}`")));
                    }
                    unique.insert(name, value);
                }
                Ok(Unique(unique))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}

/// The attributes of a CloudEvent that are not taken yet.
struct CloudEvent<'a>(BTreeMap<String, &'a RawValue>);

impl CloudEvent<'_> {
    fn text(&mut self, name: &str) -> Result<Option<String>, InvalidLine> {
        let Some(raw) = self.0.remove(name).filter(|raw| raw.get() != "null") else { return Ok(None) };
        let text = serde_json::from_str(raw.get());
        text.map(Some).map_err(|_| InvalidLine::CloudEvent(format!("attribute {name} is not a text")))
    }

    fn required(&mut self, name: &str) -> Result<String, InvalidLine> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| InvalidLine::CloudEvent(format!("a CloudEvent needs the attribute {name}")))
    }

    fn payload(&mut self) -> Result<Payload, InvalidLine> {
        let data = self.0.remove("data");
        match (data, self.text("data_base64")?) {
            (Some(_), Some(_)) => Err(InvalidLine::CloudEvent("both data and data_base64 are there".into())),
            (Some(data), None) => Ok(cbor::from_json(data.get())?),
            (None, Some(base64)) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(base64);
                let bytes = bytes.map_err(|error| InvalidLine::CloudEvent(format!("data_base64: {error}")))?;
                Ok(cbor::from_bytes(bytes)?)
            }
            (None, None) => Ok(cbor::from_json("null")?),
        }
    }
}

fn from_cloud_event(mut from: CloudEvent<'_>) -> Result<NewEvent, InvalidLine> {
    let version = from.required("specversion")?;
    if version != "1.0" {
        return Err(InvalidLine::CloudEvent(format!("CloudEvents {version} is not supported, only 1.0")));
    }
    let (source, id, subject) = (from.required("source")?, from.required("id")?, from.text("subject")?);
    if source.contains(char::is_whitespace) {
        return Err(InvalidLine::CloudEvent(format!("source {source:?} is no URI: it has white space")));
    }
    let stream = from.text("stream")?.unwrap_or_else(|| stream_of(&source, subject.as_deref()));
    let schema =
        from.0.remove("schemaversion").map(|raw| serde_json::from_str(raw.get().trim_matches('"'))).transpose();
    let schema = schema.map_err(|_| InvalidLine::CloudEvent("schemaversion is not a positive number".into()))?;
    let mut event = NewEvent {
        stream: StreamName::new(stream)?,
        event_type: EventType::new(from.required("type")?)?,
        schema_version: schema_version(schema)?,
        id: EventId::new(format!("{source} {id}"))?,
        payload: from.payload()?,
        occurred_at: from.text("time")?.map(|time| time.parse::<Timestamp>()).transpose()?,
        actor: from.text("actor")?,
        causation_id: from.text("causationid")?.map(EventId::new).transpose()?,
        correlation_id: from.text("correlationid")?.map(EventId::new).transpose()?,
        metadata: BTreeMap::new(),
        tags: Vec::new(),
        is_encrypted: false,
    };
    event.metadata.insert("source".into(), source);
    event.metadata.extend(subject.map(|subject| ("subject".to_owned(), subject)));
    for (name, raw) in from.0 {
        // Texts lose their quotes; numbers and booleans are kept as they are written.
        let text = serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
        event.metadata.insert(name, text);
    }
    event.check()?;
    Ok(event)
}

fn stream_of(source: &str, subject: Option<&str>) -> String {
    let source = source.split_once("://").map_or(source, |(_, rest)| rest).trim_matches('/').replace('/', ".");
    let category = if source.is_empty() { "source" } else { &source };
    format!("{category}/{}", subject.filter(|subject| !subject.is_empty()).unwrap_or("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match event_from_json(text) {
            Ok(event) => format!(
                "{} {} v{} {} {} {:?}",
                event.stream,
                event.event_type,
                event.schema_version,
                event.id,
                cbor::to_json(event.payload.as_bytes()).unwrap(),
                event.metadata
            ),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn both_forms_are_read() {
        let check = |text: &str, expected: &str| assert_eq!(parsed(text), expected);
        check(
            r#"{"id":"i","stream":"a/b","type":"t","schema_version":2,"actor":"me","metadata":{"k":"v"},"data":{"x":1}}"#,
            r#"a/b t v2 i {"x":1} {"k": "v"}"#,
        );
        check(
            r#"{"specversion":"1.0","id":"7","source":"https://shop.example/orders","subject":"17","type":"order.placed","time":"2020-01-01T00:00:00Z","priority":3,"data":[1]}"#,
            r#"shop.example.orders/17 order.placed v1 https://shop.example/orders 7 [1] {"priority": "3", "source": "https://shop.example/orders", "subject": "17"}"#,
        );
        check(
            r#"{"specversion":"1.0","id":"7","source":"/s","stream":"a/b","type":"t","schemaversion":4,"data_base64":"AAE="}"#,
            r#"a/b t v4 /s 7 "AAE" {"source": "/s"}"#,
        );
        check(r#"{"specversion":"1.0","id":"7","source":"/","type":"t"}"#, r#"source/- t v1 / 7 null {"source": "/"}"#);
        check(
            r#"{"id":"i","stream":"a/b","type":"t","data":{"specversion":"1.0"}}"#,
            r#"a/b t v1 i {"specversion":"1.0"} {}"#,
        );
    }

    #[test]
    fn what_is_no_event_is_named() {
        let check = |text: &str, expected: &str| {
            let found = parsed(text);
            assert!(found.starts_with(expected), "{text} gave {found}");
        };
        check("", "not valid JSON: EOF");
        check("[]", "not valid JSON: an event is an object, not an array");
        check(r#"{"stream":"a/b","type":"t","metadata":{"a":"1","a":"2"}}"#, "not valid JSON: duplicate field `a`");
        check(r#"{"specversion":"1.0","id":"1","id":"2"}"#, "not valid JSON: duplicate field `id`");
        check(
            r#"{"stream":"a/b","type":"t","data":[1,18446744073709551616]}"#,
            "data: the integer 18446744073709551616",
        );
        check(r#"{"stream":"a/b"}"#, "not valid JSON: missing field `type`");
        check(r#"{"stream":"a/b","type":"t","datum":1}"#, "not valid JSON: unknown field `datum`");
        check(r#"{"stream":"ab","type":"t"}"#, "\"ab\" is not a valid stream name");
        check(r#"{"stream":"a/b","type":"t","occurred_at":"noon"}"#, "\"noon\" is not an RFC 3339 time");
        check(r#"{"stream":"a/b","type":"t","schema_version":0}"#, "schema version 0");
        check(r#"{"stream":"a/b","type":"t","data":{"a":1,"a":1}}"#, "data: the key \"a\" stands twice");
        check(r#"{"specversion":"0.3","id":"7","source":"/"}"#, "CloudEvents 0.3 is not supported");
        check(r#"{"specversion":"1.0","id":"7"}"#, "a CloudEvent needs the attribute source");
    }

    #[test]
    fn an_event_without_an_id_gets_a_new_one() {
        let text = r#"{"stream":"a/b","type":"t"}"#;
        assert_ne!(event_from_json(text).unwrap().id, event_from_json(text).unwrap().id);
    }
}
