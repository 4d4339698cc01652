//! `/log`: where the event log stands, and whether it is whole.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Host;
use super::accept::{Form, LongForm};
use super::answer::blocking;
use super::model::{self, Progress, VerifiedLog};
use super::params::NoParams;
use super::problem::Problem;
use super::{retention, sse};

/// Where the log stands.
#[utoipa::path(get, path = "/log", tag = "log", operation_id = "show_log",
    responses((status = 200, description = "The log as it is now", body = model::Log)))]
pub(super) async fn show(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Result<Response, Problem> {
    let log = blocking(&host, |engine| {
        let (log, head, stats) = (engine.log(), engine.log().head(), engine.log().stats()?);
        Ok(model::Log {
            log_id: log.id().to_string(),
            head: head.sequence.0,
            recorded_at: (head.sequence.0 > 0).then(|| head.recorded_at.to_string()),
            chain_head: head.chain.to_string(),
            blocks: stats.blocks,
            block_bytes: stats.block_bytes,
            index_runs: stats.runs,
            index_bytes: stats.index_bytes,
            file_bytes: stats.file_bytes,
            stubs: stats.stubs,
            folded: stats.folded,
            dropped_bytes: stats.dropped_bytes,
            retention: retention::counts(engine.retention_counts()),
            encrypted: engine.encrypted_categories().iter().cloned().collect(),
        })
    });
    Ok(form.answer(StatusCode::OK, &log.await?))
}

/// Recomputes every checksum, digest, version and index.
#[utoipa::path(post, path = "/log/verify", tag = "log", operation_id = "verify_log",
    responses((status = 200, description = "The log is whole", content((VerifiedLog), ("text/event-stream")))))]
pub(super) async fn verify(State(host): State<Arc<Host>>, form: LongForm, _: NoParams) -> Response {
    let verified = sse::long(host, form, |engine, watch| {
        let head = engine.head().sequence().0;
        let verified = engine.log().verify(&mut |sequence| {
            watch(Progress { sequence: sequence.0, head, events_per_second: 0.0, remaining_seconds: None });
        })?;
        Ok(VerifiedLog { events: verified.events, blocks: verified.blocks, chain_head: verified.chain.to_string() })
    });
    verified.await
}
