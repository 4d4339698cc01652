//! `GET /events` and `GET /streams/…`: pages, long polls, and an export line by line.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::select::{Bounds, Looked, NAMES, Selection, first_behind};
use crate::engine::{self, Chains, Engine, Moment, event_to_json};
use crate::event::{EventRef, Sequence, StreamName, Version};
use crate::server::Host;
use crate::server::accept::{Form, LINES, PageForm};
use crate::server::access::Access;
use crate::server::answer::blocking;
use crate::server::data::Data;
use crate::server::model::{DroppedPayload, Event, EventPage, FoldedEvents, StreamPage};
use crate::server::params::{Params, invalid};
use crate::server::problem::Problem;
use crate::server::sse;

/// 1,000 events of the largest payload would be a gigabyte: a page ends behind 4 MiB.
const PAGE_BYTES: usize = 4 << 20;

/// What an export reads at once: a few of these are in memory for a reader that takes its time.
const EXPORT: Bounds = Bounds { events: 512, bytes: 128 << 10 };

/// Reads events in order of sequence.
///
/// A page at a time; where there is nothing yet it waits, if asked to, for the first that comes. With
/// `Accept: application/x-ndjson` all events up to the present head are written line by line, as an import takes them. Compacted
/// events of which there are only digests are named by their sequences, in `folded` or in a line with nothing else in it.
/// A token that is limited to categories is given those of its categories.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "read_events",
    params(("since" = Option<u64>, Query, description = "Only events behind this sequence"),
        ("to" = Option<u64>, Query, description = "Only events up to this sequence, itself among them"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000,
            description = "Events of a page, 100 if left out; of lines any number, all if left out"),
        ("wait" = Option<u64>, Query, minimum = 0, maximum = 60, description = "Seconds to wait for an event; 0 if left out"),
        ("stream" = Option<String>, Query, min_length = 3, max_length = 512,
            pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+/[^\u0000-\u001f\u007f-\u009f]+$", description = "Only of this stream"),
        ("category" = Option<Vec<String>>, Query, description = "Only of these categories"),
        ("type" = Option<Vec<String>>, Query, description = "Only of these types; with `upcast` those that they end up with"),
        ("recorded_since" = Option<String>, Query, format = DateTime, description = "Only recorded then or later"),
        ("recorded_until" = Option<String>, Query, format = DateTime, description = "Only recorded before"),
        ("as_of" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "Only events up to this sequence, or recorded by this RFC 3339 time; nothing that comes later is waited for"),
        ("upcast" = Option<bool>, Query, description = "Lift events with the upcasters in force; false if left out"),
        ("archived" = Option<bool>, Query, description = "Read compacted events from the archive, as they were; false if left out")),
    responses((status = 200, description = "A page, or lines", content((EventPage), (String = "application/x-ndjson")))))]
pub(in crate::server) async fn events(
    State(host): State<Arc<Host>>,
    access: Access,
    form: PageForm,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[&NAMES[..], &["limit", "wait"]].concat())?;
    let selection = Selection::new(&params, &access)?;
    let PageForm::Whole(form) = form else { return export(host, selection, params.parsed("limit")?) };
    let bounds = Bounds { events: params.limit(100, 1_000)?, bytes: PAGE_BYTES };
    let until = Instant::now() + params.seconds("wait", 0, 60)?;
    let mut head = host.head();
    let mut since = selection.since;
    loop {
        head.mark_unchanged();
        let selected = selection.clone();
        let (events, looked) = blocking(&host, move |engine| page(engine, &selected, since, bounds)).await?;
        let is_over = !events.is_empty() || !looked.folded.is_empty() || looked.is_over || Instant::now() >= until;
        if is_over || host.service().is_closing() {
            let (next, head, folded) = (looked.next.0, looked.head.0, looked.folded);
            return Ok(form.answer(StatusCode::OK, &EventPage { events, folded, next, head }));
        }
        since = looked.next;
        if since < looked.head {
            continue;
        }
        tokio::select! {
            moved = head.changed() => if moved.is_err() { return Err(sse::shutting_down()) },
            () = tokio::time::sleep_until(until) => {}
            () = host.service().closing().cancelled() => {}
        }
    }
}

fn page(
    engine: &Engine,
    selection: &Selection,
    since: Sequence,
    bounds: Bounds,
) -> Result<(Vec<Event>, Looked), Problem> {
    let mut events = Vec::new();
    let looked = selection.page(engine, since, bounds, &mut |event| {
        events.push(shown(event)?);
        Ok(())
    })?;
    Ok((events, looked))
}

fn shown(event: EventRef<'_>) -> Result<Event, Problem> {
    let envelope = event.envelope();
    let envelope = envelope.map_err(|source| engine::Error::Envelope { sequence: event.sequence, source })?;
    let text = |text: Option<&str>| text.map(str::to_owned);
    Ok(Event {
        sequence: event.sequence.0,
        id: envelope.id.to_owned(),
        stream: event.stream.to_owned(),
        version: event.version.0,
        event_type: event.event_type.to_owned(),
        schema_version: event.schema_version.0,
        recorded_at: event.recorded_at.to_string(),
        occurred_at: envelope.occurred_at.map(|time| time.to_string()),
        actor: text(envelope.actor),
        causation_id: text(envelope.causation_id),
        correlation_id: text(envelope.correlation_id),
        metadata: envelope.metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        tags: envelope.tags.iter().map(|tag| (*tag).to_owned()).collect(),
        // 0xf6 is null.
        data: Data::cbor(event.payload().unwrap_or(&[0xf6])),
        dropped: event.payload.dropped().map(DroppedPayload::of),
    })
}

/// Everything up to the present head, a line each, at the reader's pace.
fn export(host: Arc<Host>, mut selection: Selection, limit: Option<usize>) -> Result<Response, Problem> {
    let (lines, body) = sse::channel();
    let head = host.engine().head().sequence();
    selection.to = Some(selection.to.map_or(head, |to| to.min(head)));
    tokio::spawn(async move {
        let (mut since, mut left) = (selection.since, limit.unwrap_or(usize::MAX));
        while left > 0 {
            let (selected, bounds) =
                (selection.clone(), Bounds { events: left.min(EXPORT.events), bytes: EXPORT.bytes });
            let read = blocking(&host, move |engine| {
                let (mut lines, mut count) = (Vec::new(), 0);
                let looked = selected.page(engine, since, bounds, &mut |event| {
                    lines.push((event.sequence.0, event_to_json(event)?));
                    count += 1;
                    Ok(())
                })?;
                lines.extend(looked.folded.iter().map(|folded| (folded.last, folded_line(*folded))));
                lines.sort_by_key(|(sequence, _)| *sequence);
                let text: String = lines.iter().flat_map(|(_, line)| [line, "\n"]).collect();
                Ok((text, count, looked))
            });
            match read.await {
                Ok((text, count, looked)) => {
                    left -= count;
                    since = looked.next;
                    if !sse::send(&lines, text).await || looked.is_over {
                        return;
                    }
                }
                // The body breaks off, so that the reader does not take a part for the whole.
                Err(problem) => return drop(lines.send(Err(std::io::Error::other(problem.detail))).await),
            }
        }
    });
    Ok(([(CONTENT_TYPE, LINES)], body).into_response())
}

/// A line for events of which there are only digests: no event, so that nobody takes one for the other.
fn folded_line(folded: FoldedEvents) -> String {
    serde_json::json!({ "folded": folded }).to_string()
}

/// Reads a stream's events in order of version.
///
/// A stream without events has version 0, and is no error.
#[utoipa::path(get, path = "/streams/{*stream}", tag = "events", operation_id = "read_stream",
    params(("stream" = String, Path, min_length = 3, max_length = 512,
            pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+/[^\u0000-\u001f\u007f-\u009f]+$",
            description = "`category/name`; a slash may stand as it is"),
        ("since" = Option<u64>, Query, description = "Only events behind this version"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "Events of a page; 100 if left out"),
        ("as_of" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "The stream as it was behind this event of the log, or at this RFC 3339 time"),
        ("upcast" = Option<bool>, Query, description = "Lift events with the upcasters in force; false if left out")),
    responses((status = 200, description = "A page", body = StreamPage)))]
pub(in crate::server) async fn stream(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    params: Params,
    Path(stream): Path<String>,
) -> Result<Response, Problem> {
    params.only(&["since", "limit", "as_of", "upcast"])?;
    let stream = StreamName::new(stream).map_err(|error| invalid(error.to_string()))?;
    access.may_read_stream(stream.as_str())?;
    let since = Version(params.parsed("since")?.unwrap_or(0));
    let (limit, upcast) = (params.limit(100, 1_000)?, params.flag("upcast", false)?);
    let as_of: Option<Moment> = params.parsed("as_of")?;
    let read = blocking(&host, move |engine| {
        let chains: Arc<Chains> = if upcast { engine.chains()? } else { Arc::default() };
        let reader = engine.read_log()?;
        let version = match as_of.map(|moment| engine.sequence_as_of(moment)).transpose()? {
            None => reader.stream_version(&stream)?,
            Some(sequence) => Version(first_behind(&reader, &stream, sequence)?.0 - 1),
        };
        let mut page = StreamPage { stream: stream.to_string(), version: version.0, events: Vec::new(), next: since.0 };
        if since < version {
            let wanted = limit.min(usize::try_from(version.0 - since.0).unwrap_or(usize::MAX));
            let batch = reader.read_stream(&stream, since.next(), wanted, PAGE_BYTES)?;
            // Those that follow folded ones may lie behind the version that is asked for.
            let batch = batch.filtered(|event| event.version <= version);
            // Of events that were compacted away there is none to show: where nothing is left, all is read.
            page.next = batch.rows().last().map_or(version.0, |row| row.version.0);
            let lifted = chains.lift(batch);
            page.events = lifted.batch.iter().map(shown).collect::<Result<_, _>>()?;
            if let Some(failed) = lifted.failed {
                let (sequence, upcaster, message) = (failed.sequence, failed.name, failed.failure.to_string());
                return Err(engine::Error::Upcast { sequence, upcaster, message }.into());
            }
        }
        Ok(page)
    });
    Ok(form.answer(StatusCode::OK, &read.await?))
}
