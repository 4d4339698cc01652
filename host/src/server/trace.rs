//! `GET /projections/{name}/trace` and `GET /plugins/{reference}/trace`: golden traces, recorded from the log.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Host;
use super::accept::{LINES, choose};
use super::access::Access;
use super::answer::blocking;
use super::params::{Params, invalid};
use super::problem::Problem;
use super::sse;
use crate::engine::{Slice, TRACE_EVENTS_MAX, Trace};
use crate::event::{Filter, Sequence};

/// Lines go out in chunks of about so much: what a slow reader costs beside the trace.
const CHUNK_BYTES: usize = 64 << 10;

/// Records a golden trace: a slice of the log, and what the projection makes of it from an empty state.
///
/// The slice is folded once more with the plugin, parameters, limits and upcasters of the state that answers readers;
/// that state stays as it is. A trace has at most 100,000 events, 64 MiB of them and 64 MiB of entries; a larger slice is
/// refused. `polyfold plugin test` replays it.
#[utoipa::path(get, path = "/projections/{name}/trace", tag = "projections", operation_id = "record_projection",
    params(("name" = String, Path),
        ("since" = Option<u64>, Query, description = "Only events behind this sequence"),
        ("to" = Option<u64>, Query, description = "Only events up to this sequence, itself among them"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 100000,
            description = "At most so many events of those that the projection sees")),
    responses((status = 200, description = "A trace, line by line", content((String = "application/x-ndjson"))),
        (status = 404)))]
pub(super) async fn projection(
    State(host): State<Arc<Host>>,
    access: Access,
    headers: HeaderMap,
    params: Params,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let slice = slice(&headers, &params)?;
    let recorded = blocking(&host, move |engine| {
        access.may_read_projection(&*engine.manifest(&name)?)?;
        Ok(engine.record(&name, slice)?)
    });
    Ok(answer(recorded.await?))
}

/// Records a golden trace: those events of a slice of the log that an upcaster lifts, and what its own steps make of them.
///
/// The other upcasters in force come first. A token that is limited to categories is given events of those. The bounds
/// are those of a projection's trace.
#[utoipa::path(get, path = "/plugins/{reference}/trace", tag = "plugins", operation_id = "record_upcaster",
    params(("reference" = String, Path, description = "Name, `name@version`, or the start of the digest"),
        ("since" = Option<u64>, Query, description = "Only events behind this sequence"),
        ("to" = Option<u64>, Query, description = "Only events up to this sequence, itself among them"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 100000,
            description = "At most so many events of those that the upcaster lifts")),
    responses((status = 200, description = "A trace, line by line", content((String = "application/x-ndjson"))),
        (status = 404), (status = 409, description = "It is no upcaster, or several plugins could be meant")))]
pub(super) async fn upcaster(
    State(host): State<Arc<Host>>,
    access: Access,
    headers: HeaderMap,
    params: Params,
    Path(reference): Path<String>,
) -> Result<Response, Problem> {
    let slice = slice(&headers, &params)?;
    let filter = access.filter(Filter::all())?;
    let recorded = blocking(&host, move |engine| Ok(engine.record_upcaster(&reference, slice, &filter)?));
    Ok(answer(recorded.await?))
}

fn slice(headers: &HeaderMap, params: &Params) -> Result<Slice, Problem> {
    choose(headers, &[LINES])?;
    params.only(&["since", "to", "limit"])?;
    let limit: Option<usize> = params.parsed("limit")?;
    if limit.is_some_and(|limit| !(1..=TRACE_EVENTS_MAX).contains(&limit)) {
        return Err(invalid(format!("limit must be 1 to {TRACE_EVENTS_MAX}")));
    }
    Ok(Slice { since: Sequence(params.parsed("since")?.unwrap_or(0)), to: params.parsed("to")?.map(Sequence), limit })
}

/// Writes a trace at the reader's pace. Who gets a part only lacks the last line, without which it is no trace.
fn answer(trace: Trace) -> Response {
    let (chunks, body) = sse::channel();
    tokio::spawn(async move {
        let mut chunk = String::new();
        for line in trace.lines() {
            chunk += &line;
            chunk.push('\n');
            if chunk.len() >= CHUNK_BYTES && !sse::send(&chunks, std::mem::take(&mut chunk)).await {
                return;
            }
        }
        sse::send(&chunks, chunk).await;
    });
    ([(CONTENT_TYPE, LINES)], body).into_response()
}
