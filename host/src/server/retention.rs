//! `/retention`: which payloads the log keeps, what a run would drop, and the runs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Host;
use super::accept::{Form, LongForm};
use super::answer::blocking;
use super::model::{
    Blocked, Missing, OnDropped, Policy, Progress, Retention, RetentionCounts, RetentionGroup, RetentionPlan,
    RetentionProgress, RetentionRule, RetentionRun,
};
use super::params::NoParams;
use super::problem::Problem;
use super::sse;
use crate::engine::{self, DroppedPolicy, Rule};

/// Says what a run of retention would drop now, and what keeps it from beginning. Reads the log and changes nothing.
#[utoipa::path(get, path = "/retention/plan", tag = "log", operation_id = "plan_retention",
    responses((status = 200, description = "What would go", content((RetentionPlan), ("text/event-stream")))))]
pub(super) async fn plan(State(host): State<Arc<Host>>, form: LongForm, _: NoParams) -> Response {
    let planned = sse::long(host, form, |engine, watch| {
        let head = engine.head().sequence().0;
        let planned = engine.plan_retention(&mut |sequence| watch(reached(sequence.0, head)))?;
        let (plan, total) = (&planned.plan, planned.plan.total());
        let groups = plan.groups.iter().map(|((category, event_type), group)| RetentionGroup {
            category: category.clone(),
            event_type: event_type.clone(),
            events: group.events,
            payload_bytes: group.bytes,
            kept: group.kept,
            critical: group.critical,
        });
        Ok(RetentionPlan {
            policy: policy(engine.policy()),
            cut: plan.cut.0,
            events: total.events,
            payload_bytes: total.bytes,
            critical: total.critical,
            groups: groups.collect(),
            file_bytes: planned.file_bytes,
            file_bytes_after: plan.file_bytes_after,
            blocked: planned.blocked.iter().map(blocked).collect(),
        })
    });
    planned.await
}

/// Says what the log keeps, and what the runs of retention did.
#[utoipa::path(get, path = "/retention", tag = "log", operation_id = "show_retention",
    responses((status = 200, description = "The policy and the runs", body = Retention)))]
pub(super) async fn show(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Result<Response, Problem> {
    let shown = blocking(&host, |engine| {
        Ok(Retention { policy: policy(engine.policy()), counts: counts(engine.retention_counts()) })
    });
    Ok(form.answer(StatusCode::OK, &shown.await?))
}

/// Drops the payloads that the policy does not keep, after an archive of them was written and a snapshot of every state taken.
///
/// Envelopes and digests stay, so the chain verifies as before; the file shrinks. Appends and reads go on meanwhile. With
/// `Accept: text/event-stream` events `progress` tell how far it is, then `result` or `error`.
#[utoipa::path(post, path = "/retention/run", tag = "log", operation_id = "run_retention",
    responses((status = 200, description = "What it did", content((RetentionRun), ("text/event-stream"))),
        (status = 409, description = "A state needs what would go, and cannot go on; nothing is dropped"),
        (status = 503, description = "Another run is at it"),
        (status = 507, description = "There is too little room for the archive or the new log")))]
pub(super) async fn run(State(host): State<Arc<Host>>, form: LongForm, _: NoParams) -> Response {
    let ran = sse::long(host, form, |engine, watch| {
        let head = engine.head().sequence().0;
        let ran = engine.run_retention(&mut |step, sequence| {
            watch(RetentionProgress { step: step.as_str().to_owned(), sequence: sequence.0, head });
        })?;
        Ok(shown_run(ran))
    });
    ran.await
}

pub(super) fn counts(counts: engine::RunCounts) -> RetentionCounts {
    let engine::RunCounts { runs, events, payload_bytes, last } = counts;
    let last = last.map(shown_run);
    RetentionCounts { runs, events_dropped: events, payload_bytes_dropped: payload_bytes, last }
}

fn shown_run(run: engine::LastRun) -> RetentionRun {
    RetentionRun {
        at: run.at,
        cut: run.cut,
        events: run.events,
        payload_bytes: run.payload_bytes,
        folded: run.folded,
        file_bytes_before: run.file_bytes_before,
        file_bytes_after: run.file_bytes_after,
        critical_before: run.critical_before,
        critical_after: run.critical_after,
    }
}

/// Progress without a rate.
pub(super) fn reached(sequence: u64, head: u64) -> Progress {
    Progress { sequence, head, events_per_second: 0.0, remaining_seconds: None }
}

fn blocked(blocked: &engine::Blocked) -> Blocked {
    Blocked {
        projection: blocked.projection.clone(),
        identity: blocked.identity.to_string(),
        sequence: blocked.sequence.0,
        why: blocked.why.clone(),
    }
}

pub(super) fn policy(policy: &engine::Policy) -> Policy {
    let of_category = |(name, rule): (&String, &Rule)| RetentionRule {
        category: Some(name.clone()),
        event_type: None,
        keeps: rule.to_string(),
    };
    let of_type = |(name, rule): (&String, &Rule)| RetentionRule {
        category: None,
        event_type: Some(name.clone()),
        keeps: rule.to_string(),
    };
    let rules = policy.categories.iter().map(of_category).chain(policy.event_types.iter().map(of_type));
    Policy {
        rules: rules.collect(),
        critical: policy.critical.iter().cloned().collect(),
        when_events: policy.when_events,
        when_bytes: policy.when_bytes,
        quiet_seconds: policy.quiet.0.as_secs(),
    }
}

pub(super) fn dropped(dropped: OnDropped) -> DroppedPolicy {
    match dropped {
        OnDropped::Archive => DroppedPolicy::Archive,
        OnDropped::Accept => DroppedPolicy::Accept,
        OnDropped::Refuse => DroppedPolicy::Refuse,
    }
}

pub(super) fn shown_dropped(dropped: DroppedPolicy) -> OnDropped {
    match dropped {
        DroppedPolicy::Archive => OnDropped::Archive,
        DroppedPolicy::Accept => OnDropped::Accept,
        DroppedPolicy::Refuse => OnDropped::Refuse,
    }
}

pub(super) fn missing(missing: engine::Missing) -> Missing {
    let engine::Missing { compacted, folded, redacted, forgotten } = missing;
    Missing { compacted, folded, redacted, forgotten }
}
