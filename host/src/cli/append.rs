//! `append`: one event in.

use std::collections::BTreeMap;
use std::io::Read as _;

use clap::Args;
use serde::Serialize;

use super::error::Error;
use super::{Context, catch_up};
use crate::cbor;
use crate::engine::{self, Expectation};
use crate::event::{EventId, EventType, NewEvent, SchemaVersion, StreamName, Timestamp, Version};

/// Append one event.
///
/// The command returns when the event is durable and every projection has seen it.
#[derive(Debug, Args)]
pub(super) struct Append {
    /// The stream, CATEGORY/NAME.
    stream: StreamName,
    /// What happened, for example order.placed.
    event_type: EventType,
    /// The payload as JSON, or `-` for standard input.
    #[arg(default_value = "null")]
    data: String,
    /// The idempotency key; appending the same event under the same id again does nothing.
    #[arg(long)]
    id: Option<EventId>,
    /// The version of the payload's shape.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    schema_version: u32,
    /// What the stream must be at: `any`, `none` (it must not exist), or its version.
    #[arg(long, default_value = "any", value_parser = expectation)]
    expect: Expectation,
    /// When it happened, RFC 3339.
    #[arg(long, value_name = "TIME")]
    occurred_at: Option<Timestamp>,
    /// Who or what caused it.
    #[arg(long)]
    actor: Option<String>,
    /// The id of the event or command that it follows from.
    #[arg(long, value_name = "ID")]
    causation_id: Option<EventId>,
    /// The id shared by all events of one process or request.
    #[arg(long, value_name = "ID")]
    correlation_id: Option<EventId>,
    /// Metadata; may be given several times.
    #[arg(long = "metadata", value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// A tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Return when the event is durable, whether or not projections have seen it.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Serialize)]
struct Appended {
    sequence: u64,
    stream: String,
    version: u64,
    id: String,
    duplicate: bool,
}

impl Append {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let data = if self.data == "-" { read_standard_input()? } else { self.data };
        let event = NewEvent {
            stream: self.stream,
            event_type: self.event_type,
            schema_version: SchemaVersion(self.schema_version),
            id: self.id.unwrap_or_else(engine::new_id),
            payload: cbor::from_json(&data).map_err(engine::Error::from)?,
            occurred_at: self.occurred_at,
            actor: self.actor,
            causation_id: self.causation_id,
            correlation_id: self.correlation_id,
            metadata: unique(self.metadata)?,
            tags: self.tags,
        };
        let (stream, id) = (event.stream.clone(), event.id.to_string());
        let expectations = vec![(stream.clone(), self.expect)];
        let engine = context.engine()?;
        let placed = engine.append(engine::Append { events: vec![event], expectations })?.events[0];
        let appended = Appended {
            sequence: placed.sequence.0,
            stream: stream.to_string(),
            version: placed.version.0,
            id,
            duplicate: placed.duplicate,
        };
        context.output.data(&appended, |event| {
            let known = if event.duplicate { " (it was there before)" } else { "" };
            format!("sequence {}, {} version {}, id {}{known}", event.sequence, event.stream, event.version, event.id)
        })?;
        if self.no_wait { Ok(()) } else { catch_up::all(&engine, context) }
    }
}

fn read_standard_input() -> Result<String, Error> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|source| Error::File { path: "standard input".into(), source })?;
    Ok(text)
}

fn unique(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Error> {
    let mut metadata = BTreeMap::new();
    for (name, value) in pairs {
        if metadata.insert(name.clone(), value).is_some() {
            return Err(Error::Usage(format!("--metadata {name:?} is given twice")));
        }
    }
    Ok(metadata)
}

fn expectation(text: &str) -> Result<Expectation, String> {
    match text {
        "any" => Ok(Expectation::Any),
        "none" => Ok(Expectation::NoStream),
        number => match number.parse() {
            Ok(0) => Ok(Expectation::NoStream),
            Ok(version) => Ok(Expectation::Version(Version(version))),
            Err(_) => Err("expected `any`, `none` or a version".to_owned()),
        },
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
