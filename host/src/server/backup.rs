//! `POST /backup`: all that a backup needs, as one stream; whoever asks for it writes the files.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Host;
use super::accept::choose;
use super::access::Access;
use super::answer::{blocking, read_json};
use super::params::NoParams;
use super::problem::Problem;
use super::sse::shutting_down;
use crate::engine::{BACKUP_STREAM, BackupRequest, HostKeyToo, problem_frame};

/// Pieces on their way, some 256 KiB each: what reading is ahead of sending.
const PIECES_MAX: usize = 8;

/// Sends what a backup needs and has not yet: catalogue, plugins, keys and tokens, states if wanted, and the log's blocks.
///
/// The body says what the client has; an empty object asks for everything. The answer is a stream of frames (`kind u8`, `length
/// u32` little-endian, payload), which host/docs/backup.md describes; without its last frame, `end`, it is not whole. Appends
/// go on meanwhile, and are in the next backup. The host key goes along only through the socket in the data directory.
#[utoipa::path(post, path = "/backup", tag = "operation", operation_id = "send_backup",
    request_body(description = "What the client has already", content((BackupRequest = "application/json"))),
    responses((status = 200, description = "Frames", content((Vec<u8> = "application/vnd.polyfold.backup"))),
        (status = 409, description = "The client's backup is of another log, or of another history of it")))]
pub(super) async fn send(
    State(host): State<Arc<Host>>,
    access: Access,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    choose(&headers, &[BACKUP_STREAM])?;
    let request: BackupRequest = read_json(&headers, body).await?;
    let request = blocking(&host, move |engine| {
        engine.check_backup(&request)?;
        Ok(request)
    });
    let request = request.await?;
    let key = if access.may_have_host_key() { HostKeyToo::Yes } else { HostKeyToo::No };
    let (pieces, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(PIECES_MAX);
    // A thread of its own: it takes as long as the client does.
    tokio::task::spawn_blocking(move || {
        let closing = host.service().closing().clone();
        let revoked = access.revoked().clone();
        let goes_on = || !closing.is_cancelled() && !revoked.is_cancelled();
        let sent = host
            .engine()
            .send_backup(&request, key, &mut |piece| goes_on() && pieces.blocking_send(Ok(piece.into())).is_ok());
        let problem = match sent {
            Ok(()) if goes_on() => return,
            Ok(()) => shutting_down(),
            Err(error) => Problem::from(error),
        };
        let problem = serde_json::to_string(&problem).expect("a problem is plain data");
        drop(pieces.blocking_send(Ok(problem_frame(&problem).into())));
    });
    let headers = [(CONTENT_TYPE, BACKUP_STREAM), (CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}
