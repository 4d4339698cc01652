//! `/metrics`: what the host counts, in the text format of Prometheus.

mod family;
mod projection;
mod traffic;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus::proto::MetricFamily;
use prometheus::{Encoder as _, TextEncoder};

use super::Host;
use super::problem::{Code, Problem};
use crate::engine::Engine;
use crate::event::Timestamp;
use family::{Families, Kind};
pub(super) use traffic::Traffic;

/// Everything that can be measured.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(host): State<Arc<Host>>) -> Result<Response, Problem> {
    let internal = |why: String| Problem::new(Code::Internal, why);
    let collected = tokio::task::spawn_blocking(move || collect(&host)).await;
    let families = collected.map_err(|error| internal(error.to_string()))?;
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text).map_err(|error| internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}

fn collect(host: &Host) -> Vec<MetricFamily> {
    let mut families = Families::default();
    of_log(&mut families, host.engine());
    for projection in host.engine().projections() {
        projection::add(&mut families, host, &projection);
    }
    families.one("polyfold_ready", "Whether the host is ready.", Kind::Gauge, f64::from(host.service().is_ready()));
    let mut families = families.done();
    families.extend(host.service().traffic().gather());
    families.sort_by(|one, other| one.name().cmp(other.name()));
    families
}

fn of_retention(families: &mut Families, engine: &Engine) {
    let counts = engine.retention_counts();
    for (name, help, value) in [
        ("polyfold_retention_runs_total", "Runs of retention that dropped payloads.", counts.runs),
        ("polyfold_retention_dropped_payloads_total", "Payloads that they dropped.", counts.events),
        ("polyfold_retention_dropped_bytes_total", "Bytes of those payloads.", counts.payload_bytes),
    ] {
        families.one(name, help, Kind::Counter, value as f64);
    }
    let Some(last) = counts.last else { return };
    let help = "When the last of them was.";
    if let Ok(at) = last.at.parse::<Timestamp>() {
        let seconds = at.micros() as f64 / 1e6;
        families.one("polyfold_retention_last_run_timestamp_seconds", help, Kind::Gauge, seconds);
    }
    for (when, events) in [("before", last.critical_before), ("after", last.critical_after)] {
        let help = "Critical events with their payloads, before and after the last of them.";
        families.put("polyfold_retention_critical_events", help, Kind::Gauge, &[("when", when)], events as f64);
    }
}

fn of_log(families: &mut Families, engine: &Engine) {
    let head = engine.head().sequence().0 as f64;
    families.one("polyfold_log_head_sequence", "The sequence of the log's last event.", Kind::Gauge, head);
    let counted = engine.metrics();
    for (name, help, value) in [
        ("polyfold_appends_total", "Appends that were answered with their places.", counted.appends),
        ("polyfold_appended_events_total", "Events that appends brought, duplicates left out.", counted.append_events),
        ("polyfold_appends_refused_total", "Appends that were answered with an error.", counted.refused),
        ("polyfold_append_commits_total", "Groups of appends that became durable together.", counted.commits),
    ] {
        families.one(name, help, Kind::Counter, value as f64);
    }
    of_retention(families, engine);
    let seconds = "How long a group of appends took to become durable.";
    families.histogram("polyfold_append_commit_seconds", seconds, &counted.commit_seconds);
    families.histogram("polyfold_append_group_events", "Events of a group of appends.", &counted.group_events);
}
