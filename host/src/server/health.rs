//! Whether the process lives, and whether it is ready: for whoever starts it, and for what sends it requests.

use std::sync::Arc;

use axum::extract::State;

use super::Host;
use super::problem::{Code, Problem};
use crate::engine::Phase;

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operation", operation_id = "is_alive",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain")), security(()))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Every projection that can has started, and the host is not about to stop. Names the projections that stand still; why,
/// their status says to those who may read it.
#[utoipa::path(get, path = "/readyz", tag = "operation", operation_id = "is_ready",
    responses((status = 200, description = "`ready`, and a line for each projection that stands still", body = String, content_type = "text/plain"), (status = 503)),
    security(()))]
pub(super) async fn ready(State(host): State<Arc<Host>>) -> Result<String, Problem> {
    if host.service().is_ready() {
        return Ok(host.engine().projections().iter().fold("ready\n".to_owned(), |mut text, projection| {
            if let Some(phase) = standing(&host, &projection.name) {
                text += &format!("projection {} is {phase}\n", projection.name);
            }
            text
        }));
    }
    if host.service().is_closing() {
        return Err(Problem::new(Code::ShuttingDown, "the host is shutting down"));
    }
    Err(Problem::new(Code::Busy, "the projections have not started yet"))
}

/// How a projection stands still, if it does.
fn standing(host: &Host, name: &str) -> Option<&'static str> {
    let Ok(progress) = host.engine().progress(name) else { return Some("not running") };
    match progress.phase {
        Phase::Replaying | Phase::Live => None,
        Phase::Halted(_) => Some("halted"),
        Phase::Paused { .. } => Some("paused"),
        Phase::OverQuota { .. } => Some("over quota"),
        Phase::Failed { .. } => Some("failed"),
        Phase::Stopped => Some("stopped"),
    }
}
