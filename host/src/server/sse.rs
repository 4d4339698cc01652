//! Server-Sent Events: bodies that are written as they come, and cut off where nobody reads them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Host;
use super::accept::{EVENT_STREAM, LongForm};
use super::answer::blocking;
use super::model::Progress;
use super::problem::{Code, Problem};
use crate::engine::{self, Engine};

pub(super) type Frames = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// A comment this often keeps proxies from taking a quiet stream for a dead one.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Who takes nothing for so long is gone, or too slow to be served.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// Frames on their way: what a writer is ahead of its reader, a page each.
const FRAMES_MAX: usize = 2;

pub(super) fn channel() -> (Frames, Body) {
    let (frames, receiver) = mpsc::channel(FRAMES_MAX);
    (frames, Body::from_stream(ReceiverStream::new(receiver)))
}

pub(super) fn response(body: Body) -> Response {
    ([(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, "no-store")], body).into_response()
}

/// Sends what was written; false if the reader is gone or too slow.
pub(super) async fn send(frames: &Frames, text: impl Into<Bytes>) -> bool {
    frames.send_timeout(Ok(text.into()), WRITE_PATIENCE).await.is_ok()
}

pub(super) fn frame<T: Serialize>(event: &str, value: &T) -> String {
    let data = serde_json::to_string(value).expect("the wire's shapes are plain data");
    format!("event: {event}\ndata: {data}\n\n")
}

/// Long work: its answer, or where the client asks for it the way there as well.
pub(super) async fn long<P: Serialize + 'static, T: Serialize + Send + 'static>(
    host: Arc<Host>,
    form: LongForm,
    work: impl FnOnce(&Engine, &mut (dyn FnMut(P) + Send)) -> Result<T, Problem> + Send + 'static,
) -> Response {
    if let LongForm::Whole(form) = form {
        return match blocking(&host, move |engine| work(engine, &mut |_| {})).await {
            Ok(value) => form.answer(axum::http::StatusCode::OK, &value),
            Err(problem) => problem.into_response(),
        };
    }
    let (frames, body) = channel();
    tokio::spawn(async move {
        let progress = frames.clone();
        let done = blocking(&host, move |engine| {
            // A reader that is behind misses a report; the next one says more.
            work(engine, &mut |now: P| drop(progress.try_send(Ok(frame("progress", &now).into()))))
        });
        let last = match done.await {
            Ok(value) => frame("result", &value),
            Err(problem) => frame("error", &problem),
        };
        send(&frames, last).await;
    });
    response(body)
}

pub(super) fn progress(now: &engine::Progress, head: u64) -> Progress {
    Progress {
        sequence: now.sequence.0,
        head,
        events_per_second: now.events_per_second,
        remaining_seconds: now.remaining(crate::event::Sequence(head)).map(|left| left.as_secs_f64()),
    }
}

pub(super) fn shutting_down() -> Problem {
    Problem::new(Code::ShuttingDown, "the host is shutting down")
}
