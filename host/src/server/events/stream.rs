//! `GET /events/stream`: events as they come, by Server-Sent Events, each reader at its own pace.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::select::{Bounds, NAMES, Selection};
use crate::engine::event_to_json;
use crate::event::Sequence;
use crate::server::Host;
use crate::server::accept::{EVENT_STREAM, choose};
use crate::server::access::Access;
use crate::server::answer::blocking;
use crate::server::params::{Params, invalid};
use crate::server::problem::Problem;
use crate::server::sse::{self, Frames};

/// A page goes out as one chunk, so it is what a slow reader costs.
const PAGE: Bounds = Bounds { events: 256, bytes: 256 << 10 };

/// Follows events as they come, by Server-Sent Events.
///
/// Each is an event `event` whose id is its sequence. Who filters is told now and then, by an event `head`, how far it has
/// seen, and of compacted events by an event `folded`, of which there are only digests; a comment every 15 seconds says that the host is there. `shutdown` comes before the host ends, `error` with a
/// problem where it cannot go on. A reader is served at its own pace, and cut off if it takes nothing for 30 seconds. The
/// stream ends when its token is revoked. A client resumes behind `Last-Event-ID`.
#[utoipa::path(get, path = "/events/stream", tag = "events", operation_id = "follow_events",
    params(("since" = Option<u64>, Query, description = "Only events behind this sequence"),
        ("to" = Option<u64>, Query, description = "End behind this sequence"),
        ("stream" = Option<String>, Query, min_length = 3, max_length = 512,
            pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+/[^\u0000-\u001f\u007f-\u009f]+$", description = "Only of this stream"),
        ("category" = Option<Vec<String>>, Query, description = "Only of these categories"),
        ("type" = Option<Vec<String>>, Query, description = "Only of these types; with `upcast` those that they end up with"),
        ("recorded_since" = Option<String>, Query, format = DateTime, description = "Only recorded then or later"),
        ("recorded_until" = Option<String>, Query, format = DateTime, description = "Only recorded before"),
        ("as_of" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "Only events up to this sequence, or recorded by this RFC 3339 time; nothing that comes later is waited for"),
        ("upcast" = Option<bool>, Query, description = "Lift events with the upcasters in force; false if left out"),
        ("archived" = Option<bool>, Query, description = "Read compacted events from the archive, as they were; false if left out"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The id that came last; it goes before `since`")),
    responses((status = 200, description = "Events without end", content(("text/event-stream")))))]
pub(in crate::server) async fn follow(
    State(host): State<Arc<Host>>,
    access: Access,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    choose(&headers, &[EVENT_STREAM])?;
    params.only(&NAMES)?;
    let mut selection = Selection::new(&params, &access)?;
    if let Some(last) = headers.get("last-event-id") {
        let last = last.to_str().ok().and_then(|last| last.parse().ok());
        selection.since = Sequence(last.ok_or_else(|| invalid("Last-Event-ID must be a sequence".to_owned()))?);
    }
    let (frames, body) = sse::channel();
    tokio::spawn(async move { write(&host, &selection, &frames).await });
    Ok(sse::response(body))
}

async fn write(host: &Arc<Host>, selection: &Selection, frames: &Frames) {
    let (mut head, mut since) = (host.head(), selection.since);
    loop {
        head.mark_unchanged();
        let selected = selection.clone();
        let read = blocking(host, move |engine| {
            let mut text = String::new();
            let looked = selected.page(engine, since, PAGE, &mut |event| {
                let sequence = event.sequence;
                text += &format!("event: event\nid: {sequence}\ndata: {}\n\n", event_to_json(event)?);
                Ok(())
            })?;
            for folded in &looked.folded {
                text += &sse::frame("folded", folded);
            }
            // Who filters has seen more than it was sent, and resumes behind all of it.
            if text.is_empty() && looked.next > since {
                text = format!("event: head\nid: {}\ndata: {{\"head\":{}}}\n\n", looked.next, looked.head);
            }
            Ok((text, looked))
        });
        let (text, looked) = match read.await {
            Ok(read) => read,
            Err(problem) => {
                sse::send(frames, sse::frame("error", &problem)).await;
                return;
            }
        };
        if !text.is_empty() && !sse::send(frames, text).await || looked.is_over {
            return;
        }
        since = looked.next;
        if host.service().is_closing() {
            sse::send(frames, "event: shutdown\ndata: {}\n\n").await;
            return;
        }
        if since >= looked.head && !wait(host, &mut head, frames).await {
            return;
        }
    }
}

/// Waits for more; false if the reader is gone.
pub(in crate::server) async fn wait(
    host: &Arc<Host>,
    head: &mut tokio::sync::watch::Receiver<Sequence>,
    frames: &Frames,
) -> bool {
    loop {
        tokio::select! {
            moved = head.changed() => return moved.is_ok(),
            () = host.service().closing().cancelled() => return true,
            () = frames.closed() => return false,
            () = tokio::time::sleep(sse::HEARTBEAT) => if !sse::send(frames, ": \n\n").await { return false },
        }
    }
}
