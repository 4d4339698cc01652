//! `/archive`: what holds the payloads that were compacted. Its events are read by `GET /events?archived=true`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Host;
use super::accept::{Form, LongForm};
use super::answer::blocking;
use super::model::{ArchiveFile, Progress, RestoredArchive};
use super::params::NoParams;
use super::problem::Problem;
use super::retention::reached;
use super::sse;
use crate::engine::ArchiveInfo;

/// Lists the files of the archive, in the order in which they were written.
#[utoipa::path(get, path = "/archive", tag = "log", operation_id = "list_archive",
    responses((status = 200, description = "All files", body = Vec<ArchiveFile>)))]
pub(super) async fn list(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Result<Response, Problem> {
    let listed = blocking(&host, |engine| Ok(engine.archives().iter().map(shown).collect::<Vec<_>>()));
    Ok(form.answer(StatusCode::OK, &listed.await?))
}

/// Reads every file of the archive and recomputes every digest in it.
#[utoipa::path(post, path = "/archive/verify", tag = "log", operation_id = "verify_archive",
    responses((status = 200, description = "All files are whole", content((Vec<ArchiveFile>), ("text/event-stream")))))]
pub(super) async fn verify(State(host): State<Arc<Host>>, form: LongForm, _: NoParams) -> Response {
    let verified = sse::long(host, form, |engine, watch| {
        let head = engine.head().sequence().0;
        let files = engine.verify_archives(&mut |file| watch(reached(file.last.0, head)))?;
        Ok(files.iter().map(shown).collect::<Vec<_>>())
    });
    verified.await
}

/// Puts the payloads of compacted events back into the log, all that the archive has. The archive stays, and so does the policy:
/// its next run drops them again.
#[utoipa::path(post, path = "/archive/restore", tag = "log", operation_id = "restore_archive",
    responses((status = 200, description = "They are back", content((RestoredArchive), ("text/event-stream"))),
        (status = 409, description = "The archive lacks some; nothing is changed"),
        (status = 507, description = "There is too little room for the new log")))]
pub(super) async fn restore(State(host): State<Arc<Host>>, form: LongForm, _: NoParams) -> Response {
    let restored = sse::long(host, form, |engine, watch: &mut (dyn FnMut(Progress) + Send)| {
        let head = engine.head().sequence().0;
        let before = engine.log().stats()?;
        let done = engine.restore_archives(&mut |sequence| watch(reached(sequence.0, head)))?;
        let after = engine.log().stats()?;
        Ok(RestoredArchive {
            events: (before.stubs + before.folded).saturating_sub(after.stubs + after.folded),
            file_bytes_before: done.bytes_before,
            file_bytes_after: done.bytes_after,
        })
    });
    restored.await
}

fn shown(file: &ArchiveInfo) -> ArchiveFile {
    let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned());
    ArchiveFile {
        name: name.unwrap_or_default(),
        first: file.first.0,
        last: file.last.0,
        blocks: file.blocks,
        events: file.events,
        bytes: file.bytes,
    }
}
