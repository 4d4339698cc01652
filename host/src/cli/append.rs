//! `append`: one event in.

use std::collections::BTreeMap;
use std::io::Read as _;

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::Query;
use super::error::Error;
use super::{Context, keys, wait};
use crate::cbor;
use crate::engine;
use crate::event::{EventId, EventType, StreamName, Timestamp};
use crate::server::model::Appended;

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
    expect: String,
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
    /// Encrypt what is appended to this category from now on; may be given several times.
    #[arg(long, value_name = "CATEGORY")]
    encrypt: Vec<String>,
}

/// An event as the API takes it.
#[derive(Serialize)]
struct Event<'a> {
    id: &'a str,
    stream: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    metadata: BTreeMap<String, String>,
    tags: &'a [String],
    data: &'a RawValue,
}

impl Append {
    pub(super) fn run(mut self, context: &mut Context) -> Result<(), Error> {
        if self.data == "-" {
            self.data = read_standard_input()?;
        }
        // What cannot be stored is found here, so that what is wrong is named by its place in the payload.
        cbor::from_json(&self.data)?;
        // Known here, so that an append whose answer was lost can be done again.
        let id = self.id.clone().unwrap_or_else(engine::new_id);
        let event = self.event(&id)?;
        let mut client = context.connect()?;
        keys::encrypt(&mut client, &self.encrypt)?;
        let path = Query::of("/events").with("expect", &self.expect);
        let advice = format!("to be sure that the event is in, append it again with --id {id}: it is stored once");
        let appended = client.post(path.path(), &event).map_err(|error| error.advised(&advice));
        let Appended { events } = appended?;
        for event in &events {
            context.output.data(event, |event| {
                let known = if event.duplicate { " (it was there before)" } else { "" };
                format!(
                    "sequence {}, {} version {}, id {}{known}",
                    event.sequence, event.stream, event.version, event.id
                )
            })?;
        }
        if self.no_wait { Ok(()) } else { wait::for_all(&mut client, context) }
    }

    fn event<'a>(&'a self, id: &'a EventId) -> Result<Event<'a>, Error> {
        let data = serde_json::from_str(&self.data).map_err(|error| Error::Usage(format!("payload: {error}")))?;
        Ok(Event {
            id: id.as_str(),
            stream: self.stream.as_str(),
            event_type: self.event_type.as_str(),
            schema_version: self.schema_version,
            occurred_at: self.occurred_at.map(|time| time.to_string()),
            actor: self.actor.as_deref(),
            causation_id: self.causation_id.as_ref().map(EventId::as_str),
            correlation_id: self.correlation_id.as_ref().map(EventId::as_str),
            metadata: unique(&self.metadata)?,
            tags: &self.tags,
            data,
        })
    }
}

fn read_standard_input() -> Result<String, Error> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|source| Error::File { path: "standard input".into(), source })?;
    Ok(text)
}

fn unique(pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, Error> {
    let mut metadata = BTreeMap::new();
    for (name, value) in pairs {
        if metadata.insert(name.clone(), value.clone()).is_some() {
            return Err(Error::Usage(format!("--metadata {name:?} is given twice")));
        }
    }
    Ok(metadata)
}

fn expectation(text: &str) -> Result<String, String> {
    match text {
        "any" | "none" => Ok(text.to_owned()),
        number => match number.parse::<u64>() {
            Ok(0) => Ok("none".to_owned()),
            Ok(version) => Ok(version.to_string()),
            Err(_) => Err("expected `any`, `none` or a version".to_owned()),
        },
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
