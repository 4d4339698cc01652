//! `POST /events`: one event, many together, or a stream of lines.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use futures_util::TryStreamExt as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::cloudevents;
use super::schema::{CloudEvent, CloudEvents, Events};
use crate::engine::{self, Append, Engine, Expectation, event_from_json};
use crate::event::{NewEvent, StreamName, Version};
use crate::server::Host;
use crate::server::accept::{Form, LINES};
use crate::server::access::Access;
use crate::server::answer::{JSON_BYTES_MAX, blocking, media_type, must_be, read_body};
use crate::server::model::{Appended, BadLine, Imported, Placed, StreamExpectation};
use crate::server::params::{Params, invalid};
use crate::server::problem::{Code, Problem};

/// A body up to this size is read in some 0.1 ms.
const SHORT_BYTES: usize = 16 << 10;

/// Lines that were skipped and are told of.
const BAD_LINES_MAX: usize = 100;

/// What this reads beside lines.
const KNOWN: [&str; 3] = ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json"];

/// Appends events.
///
/// Those of one request go in together or not at all. An event whose id is there already, with the same content, is a
/// duplicate: the answer says where it lies. With headers `ce-…` the body is the data of a CloudEvent in binary mode.
///
/// Lines, also gzipped (`Content-Encoding: gzip`), are taken chunk by chunk, without a bound on the whole; what came
/// before a bad line stays. A token that is limited to categories appends events, not lines.
#[utoipa::path(post, path = "/events", tag = "events", operation_id = "append_events",
    params(("expect" = Option<String>, Query, pattern = r"^(any|none|0|[1-9][0-9]{0,18})$",
            description = "What the stream of the one event must be at: `any`, `none`, or its version; not for lines"),
        ("skip_bad" = Option<bool>, Query, description = "Pass over bad lines, and say which; for lines only"),
        ("dry_run" = Option<bool>, Query, description = "Check all lines and write nothing; for lines only")),
    request_body(content((Events = "application/json"), (CloudEvent = "application/cloudevents+json"),
        (CloudEvents = "application/cloudevents-batch+json"), (String = "application/x-ndjson"))),
    responses((status = 201, description = "They are in the log, durable", body = Appended),
        (status = 200, description = "All were there before, or lines were taken", body = inline(AppendedOrImported)),
        (status = 409, description = "A stream is not at the version expected, or an id is taken by another event"),
        (status = 422, description = "An event is none, or a sync projection refuses it"),
        (status = 507, description = "The disk is full")))]
pub(in crate::server) async fn append(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let media_type = media_type(&headers);
    if media_type == LINES {
        params.only(&["skip_bad", "dry_run"])?;
        return import(&host, &access, form, &params, &headers, body).await;
    }
    params.only(&["expect", "skip_bad", "dry_run"])?;
    let is_binary = cloudevents::is_binary(&headers);
    if !is_binary {
        must_be(&headers, &[KNOWN[0], KNOWN[1], KNOWN[2], LINES])?;
    }
    if let Some(name) = ["skip_bad", "dry_run"].into_iter().find(|name| params.text(name).is_some()) {
        return Err(invalid(format!("{name} is for lines: send the events as {LINES}")));
    }
    let bytes = read_body(body, JSON_BYTES_MAX).await?;
    let expect = params.text("expect").map(expectation).transpose()?;
    // A new stream's key waits for the disk.
    let is_short = bytes.len() <= SHORT_BYTES && host.engine().encrypted_categories().is_empty();
    let prepare = move |engine: &Engine| {
        let text = if is_binary { cloudevents::to_json(&headers, &bytes)? } else { utf8(&bytes)? };
        let append = parse(&text, expect)?;
        append.events.iter().try_for_each(|event| access.may_append(&event.stream))?;
        append.expectations.iter().try_for_each(|(stream, _)| access.may_append(stream))?;
        let names = append.events.iter().map(|event| (event.stream.to_string(), event.id.to_string())).collect();
        Ok((names, engine.prepare(append)?))
    };
    // What is short is read here: another thread would cost more than that.
    let (names, prepared) = if is_short { prepare(host.engine())? } else { blocking(&host, prepare).await? };
    let ticket = match host.engine().try_submit(prepared) {
        Ok(ticket) => ticket,
        Err(prepared) => blocking(&host, move |engine| Ok(engine.submit(prepared))).await?,
    };
    let appended = placed(ticket.await?, names);
    let is_new = appended.events.iter().any(|placed| !placed.duplicate);
    Ok(form.answer(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &appended))
}

fn utf8(bytes: &[u8]) -> Result<String, Problem> {
    String::from_utf8(bytes.to_vec()).map_err(|error| invalid(format!("the body: {error}")))
}

fn placed(appended: engine::Appended, names: Vec<(String, String)>) -> Appended {
    let placed = appended.events.iter().zip(names).map(|(placed, (stream, id))| Placed {
        sequence: placed.sequence.0,
        stream,
        version: placed.version.0,
        id,
        duplicate: placed.duplicate,
    });
    Appended { events: placed.collect() }
}

/// Where events of a request lie, or what became of lines.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for the description: the two are written where they are made")]
pub(in crate::server) enum AppendedOrImported {
    Appended(Appended),
    Imported(Imported),
}

#[derive(Deserialize)]
struct Probe {
    events: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    #[serde(default)]
    expectations: Vec<StreamExpectation>,
}

fn parse(text: &str, expect: Option<Expectation>) -> Result<Append, Problem> {
    let unread = |error: serde_json::Error| invalid(format!("the body: {error}"));
    let many = if text.trim_start().starts_with('[') {
        Many { events: serde_json::from_str(text).map_err(unread)?, expectations: Vec::new() }
    } else if serde_json::from_str::<Probe>(text).map_err(unread)?.events.is_some() {
        serde_json::from_str(text).map_err(unread)?
    } else {
        Many { events: vec![serde_json::from_str(text).map_err(unread)?], expectations: Vec::new() }
    };
    let events = many.events.iter().enumerate().map(|(index, event)| {
        event_from_json(event.get())
            .map_err(|error| Problem::new(Code::InvalidEvent, format!("event {index} of the append: {error}")))
    });
    let events: Vec<NewEvent> = events.collect::<Result<_, _>>()?;
    let mut expectations = Vec::new();
    for StreamExpectation { stream, version } in many.expectations {
        let stream = StreamName::new(stream).map_err(|error| invalid(format!("expectations: {error}")))?;
        let text = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
        expectations.push((stream, expectation(&text)?));
    }
    if let Some(expect) = expect {
        let [event] = events.as_slice() else {
            return Err(invalid("expect is for one event; give several in `expectations`".to_owned()));
        };
        expectations.push((event.stream.clone(), expect));
    }
    Ok(Append { events, expectations })
}

fn expectation(text: &str) -> Result<Expectation, Problem> {
    match text {
        "any" => Ok(Expectation::Any),
        "none" => Ok(Expectation::NoStream),
        _ => match text.parse() {
            Ok(version) => Ok(Expectation::Version(Version(version))),
            Err(_) => Err(invalid(format!("a stream is expected at `any`, `none` or a version, not {text:?}"))),
        },
    }
}

async fn import(
    host: &Arc<Host>,
    access: &Access,
    form: Form,
    params: &Params,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if access.is_limited() {
        let detail = "lines may be of any category, and the token is not for all; append the events instead";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    if params.text("expect").is_some() {
        return Err(invalid("expect is for one event, not for lines".to_owned()));
    }
    let is_gzip = match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => return Err(Problem::new(Code::UnsupportedMediaType, "lines may be encoded with gzip only")),
    };
    let (skip_bad, dry_run) = (params.flag("skip_bad", false)?, params.flag("dry_run", false)?);
    let lines = SyncIoBridge::new(StreamReader::new(body.into_data_stream().map_err(std::io::Error::other)));
    let imported = blocking(host, move |engine| {
        let mut input: Box<dyn BufRead> =
            if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(lines))) } else { Box::new(lines) };
        lines_in(engine, &mut *input, skip_bad, dry_run)
    });
    Ok(form.answer(StatusCode::OK, &imported.await?).into_response())
}

fn lines_in(engine: &Engine, input: &mut dyn BufRead, skip_bad: bool, dry_run: bool) -> Result<Imported, Problem> {
    let mut watch = Skipped::default();
    let imported = if dry_run {
        if let Some(bad) = engine.check_import(input, &mut watch)? {
            return Err(Problem::bad_line(bad.number, &bad.why));
        }
        engine::Imported::default()
    } else if skip_bad {
        engine.import_good(input, &mut watch)?
    } else {
        engine.import_checked(input, &mut watch)?
    };
    Ok(Imported {
        appended: imported.appended,
        duplicates: imported.duplicates,
        skipped: imported.skipped,
        head: engine.head().sequence().0,
        bad_lines: watch.0,
    })
}

#[derive(Default)]
struct Skipped(Vec<BadLine>);

impl engine::Watch for Skipped {
    fn passed(&mut self) {}

    fn skipped(&mut self, line: engine::BadLine) {
        if self.0.len() < BAD_LINES_MAX {
            self.0.push(BadLine { number: line.number, why: line.why });
        }
    }
}
