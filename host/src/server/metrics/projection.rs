//! What each state of a projection shows of itself, so that none stands still unseen.

use super::family::{Families, Kind};
use crate::engine::{Phase, Projection, StateStatus, Status};
use crate::server::Host;

/// Adds all that a projection shows of itself.
pub(super) fn add(families: &mut Families, host: &Host, projection: &Projection) {
    let failure = host.service().failure(&projection.name);
    match (host.engine().status(&projection.name), failure) {
        (Ok(mut status), Some(reason)) if status.readable.phase == Phase::Stopped => {
            status.readable.last_error = Some(reason.clone());
            status.readable.phase = Phase::Failed { reason };
            of_projection(families, &status);
        }
        (Ok(status), _) => of_projection(families, &status),
        // It was deleted meanwhile.
        (Err(_), _) => {}
    }
}

fn of_projection(families: &mut Families, status: &Status) {
    let name = status.projection.name.as_str();
    let role = if status.is_serving { "serving" } else { "building" };
    of_state(families, (name, role), &status.readable, status.head.0);
    let beside = [("building", &status.building), ("previous", &status.previous)];
    for (role, state) in beside {
        if let Some(state) = state {
            of_state(families, (name, role), state, status.head.0);
        }
    }
}

fn of_state(families: &mut Families, (name, role): (&str, &str), state: &StateStatus, head: u64) {
    let identity = state.identity.to_string();
    let labels = [("projection", name), ("role", role), ("identity", &identity)];
    let mut put = |metric: &str, help: &str, kind: Kind, value: f64| {
        families.put(&format!("polyfold_projection_{metric}"), help, kind, &labels, value);
    };
    let checkpoint = &state.checkpoint;
    put("checkpoint", "The sequence up to which the state holds.", Kind::Gauge, checkpoint.sequence.0 as f64);
    let lag = head.saturating_sub(state.visible.0) as f64;
    put("lag_events", "Events of the log that the state has not seen.", Kind::Gauge, lag);
    put("lag_seconds", "How long the first event that it has not seen has waited.", Kind::Gauge, state.lag_seconds);
    put("events_total", "Events that the plugin was handed and folded.", Kind::Counter, checkpoint.events as f64);
    put("fuel_total", "Fuel that the plugin used up.", Kind::Counter, checkpoint.fuel as f64);
    let costs = &state.costs;
    put("calls_total", "Calls of the plugin that were kept.", Kind::Counter, costs.calls as f64);
    put("last_call_fuel", "Fuel that the last of those calls used up.", Kind::Gauge, costs.latest.fuel as f64);
    put("last_call_events", "Events of that call.", Kind::Gauge, costs.latest.events as f64);
    let costliest = costs.costliest().first().map_or(0, |call| call.fuel);
    put("costliest_call_fuel", "The most fuel that one call used up.", Kind::Gauge, costliest as f64);
    put("state_bytes", "Keys and values of the state.", Kind::Gauge, state.totals.bytes as f64);
    put("faults_total", "Events on which the plugin failed.", Kind::Counter, state.fault_count as f64);
    let set_aside = &state.set_aside;
    put("set_aside_events_total", "Events of quarantined streams.", Kind::Counter, set_aside.events as f64);
    put("quarantined_streams", "Streams in quarantine.", Kind::Gauge, set_aside.streams as f64);
    put("probed_batches_total", "Batches folded once more that came out alike.", Kind::Counter, state.probed as f64);
    put("events_per_second", "Its present speed.", Kind::Gauge, state.events_per_second);
    put("memory_peak_bytes", "The most memory that one call took.", Kind::Gauge, state.memory_bytes_peak as f64);
    put("batch_seconds", "How long its last batch took.", Kind::Gauge, state.batch_seconds);
    put("entries", "Entries of the state.", Kind::Gauge, state.size.entries as f64);
    put("file_bytes", "What the state takes of the disk.", Kind::Gauge, state.size.file_bytes as f64);
    if let Some(time) = state.last_progress_at {
        put("last_progress_timestamp_seconds", "When it last got on.", Kind::Gauge, time.micros() as f64 / 1e6);
    }
    of_phase(families, &labels, &state.phase);
    if let Some(error) = &state.last_error {
        of_last_error(families, labels, error);
    }
}

fn of_last_error(families: &mut Families, [projection, role, identity]: [(&str, &str); 3], error: &str) {
    let labels = [projection, role, identity, ("error", error)];
    families.put("polyfold_projection_last_error_info", "What last went wrong.", Kind::Gauge, &labels, 1.0);
}

fn of_phase(families: &mut Families, labels: &[(&str, &str); 3], phase: &Phase) {
    let now = match phase {
        Phase::Replaying => "replaying",
        Phase::Live => "live",
        Phase::Halted(_) => "halted",
        Phase::Paused { .. } => "paused",
        Phase::OverQuota { .. } => "over-quota",
        Phase::Failed { .. } => "failed",
        Phase::Stopped => "stopped",
    };
    let [projection, role, identity] = *labels;
    for phase in ["replaying", "live", "halted", "paused", "over-quota", "failed", "stopped"] {
        let labels = [projection, role, identity, ("phase", phase)];
        let value = f64::from(phase == now);
        families.put("polyfold_projection_phase", "What its worker does: 1 at that.", Kind::Gauge, &labels, value);
    }
}
