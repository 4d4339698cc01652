//! What a host does when nobody appends: a run of retention, where the policy says when.

use std::sync::Arc;
use std::time::Duration;

use super::Host;
use crate::engine::Engine;

/// How often a host looks whether time alone has made enough events droppable.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// Starts runs of retention in quiet times, for ever.
pub(super) async fn keep_house(host: &Arc<Host>) {
    let policy = host.engine().policy();
    if !policy.starts_by_itself() {
        return std::future::pending().await;
    }
    let (quiet, mut head) = (policy.quiet.0, host.head());
    loop {
        // Until nothing was appended for so long.
        while let Ok(moved) = tokio::time::timeout(quiet, head.changed()).await {
            if moved.is_err() {
                return std::future::pending().await;
            }
        }
        let running = Arc::clone(host);
        if let Err(error) = tokio::task::spawn_blocking(move || run(running.engine())).await {
            tracing::error!("a run of retention panicked: {error}");
        }
        drop(tokio::time::timeout(LOOK_EVERY, head.changed()).await);
    }
}

fn run(engine: &Engine) {
    match engine.run_retention_if_due() {
        Ok(None) => {}
        Ok(Some(run)) => tracing::info!(
            events = run.events,
            payload_bytes = run.payload_bytes,
            file_bytes_before = run.file_bytes_before,
            file_bytes_after = run.file_bytes_after,
            "a run of retention was due and is done"
        ),
        Err(error) => tracing::warn!("a run of retention was due: {error}"),
    }
}
