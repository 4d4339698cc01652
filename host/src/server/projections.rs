//! `/projections`: making, watching and deleting them.

pub(super) mod debug;
pub(super) mod explain;
pub(super) mod operate;
pub(super) mod quarantine;
pub(super) mod snapshots;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Host;
use super::accept::Form;
use super::access::Access;
use super::answer::{blocking, read_json};
use super::data::Data;
use super::model::{self, Fault, NewProjection, OnFault, Projection, Ran};
use super::origin::shown_signature;
use super::params::{NoParams, Params, invalid};
use super::problem::Problem;
use super::{retention, state};
use crate::engine::{self, Engine, FaultPolicy, Phase, StateStatus};
use crate::event::{Digest, PluginName};

type Answered = Result<Response, Problem>;

/// Makes a projection and starts to build it.
///
/// It answers readers from the beginning, and serves when it has caught up. What happens to it afterwards is in its
/// status: the answer is 201 even if the plugin fails on the first event.
#[utoipa::path(post, path = "/projections", tag = "projections", operation_id = "create_projection",
    request_body = NewProjection,
    responses((status = 201, description = "It is made", body = Projection),
        (status = 404, description = "There is no such plugin"),
        (status = 409, description = "The name is taken, or several plugins could be meant, or it is no projection's"),
        (status = 422, description = "The parameters are no JSON object")))]
pub(super) async fn create(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let new: NewProjection = read_json(&headers, body).await?;
    let name = PluginName::new(&new.name).map_err(|error| invalid(error.to_string()))?;
    let made = blocking(&host, move |engine| {
        engine.create(&engine::NewProjection {
            plugin: new.plugin.unwrap_or_else(|| new.name.clone()),
            name,
            parameters: new.parameters.map_or_else(|| "{}".to_owned(), |parameters| parameters.text()),
            on_fault: policy(new.on_fault.unwrap_or(OnFault::Halt)),
            fuel_per_event: new.fuel_per_event,
            memory_bytes: new.memory_bytes,
            sync: new.sync,
            quota: quota(new.quota.unwrap_or_default()),
            keep: snapshots::keep(new.keep.unwrap_or_default()),
            dropped: retention::dropped(new.dropped.unwrap_or_default()),
        })?;
        let started = engine.start(&new.name);
        let mut made = shown(engine, &new.name)?;
        // It is there now, so that it does not run is no reason to say that it was not made.
        if let Err(error) = started {
            made.readable.last_error = Some(error.to_string());
        }
        Ok(made)
    });
    Ok(form.answer(StatusCode::CREATED, &made.await?))
}

/// Lists projections.
///
/// A token that is limited to categories sees those that read nothing else.
#[utoipa::path(get, path = "/projections", tag = "projections", operation_id = "list_projections",
    responses((status = 200, description = "All projections, by name", body = Vec<Projection>)))]
pub(super) async fn list(State(host): State<Arc<Host>>, access: Access, form: Form, _: NoParams) -> Answered {
    let all = blocking(&host, move |engine| {
        let mut all = Vec::new();
        for projection in engine.projections() {
            if may_see(engine, &access, &projection.name).is_ok() {
                all.push(shown(engine, &projection.name)?);
            }
        }
        Ok(all)
    });
    Ok(form.answer(StatusCode::OK, &all.await?))
}

/// How a projection stands.
///
/// With `min_sequence` it waits until readers see everything up to there. A token that is limited to categories may ask
/// about a projection only if it reads nothing else: what is said of its failures may tell what was in an event.
#[utoipa::path(get, path = "/projections/{name}", tag = "projections", operation_id = "show_projection",
    params(("name" = String, Path),
        ("min_sequence" = Option<u64>, Query, description = "Wait until the state has got to this event of the log"),
        ("timeout" = Option<u64>, Query, minimum = 0, maximum = 60, description = "Seconds to wait at most; 10 if left out")),
    responses((status = 200, description = "The projection", body = Projection), (status = 404),
        (status = 504, description = "It is not at `min_sequence`, in time or for good; the detail says where, and why")))]
pub(super) async fn show(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    params: Params,
    Path(name): Path<String>,
) -> Answered {
    params.only(&["min_sequence", "timeout"])?;
    let asked = name.clone();
    let projection = state::when_reached(&host, &name, &params, move |engine, wanted| {
        may_see(engine, &access, &asked)?;
        let projection = shown(engine, &asked)?;
        Ok((projection.readable.checkpoint >= wanted.0).then_some(projection))
    });
    Ok(form.answer(StatusCode::OK, &projection.await?))
}

/// Whether a projection exists and its status may be read.
fn may_see(engine: &Engine, access: &Access, name: &str) -> Result<(), Problem> {
    engine.projection(name)?;
    // Not asked of the owner, to whom a projection must show whose plugin cannot be loaded.
    if access.is_limited() { access.may_read_projection(&*engine.manifest(name)?) } else { Ok(()) }
}

/// Deletes a projection with all its states.
#[utoipa::path(delete, path = "/projections/{name}", tag = "projections", operation_id = "delete_projection",
    params(("name" = String, Path)), responses((status = 204, description = "It is gone"), (status = 404)))]
pub(super) async fn delete(State(host): State<Arc<Host>>, _: NoParams, Path(name): Path<String>) -> Answered {
    blocking(&host, move |engine| Ok(engine.delete(&name)?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Lists the events on which the plugin failed: of the state that serves, then of the one that is being built.
#[utoipa::path(get, path = "/projections/{name}/faults", tag = "projections", operation_id = "list_faults",
    params(("name" = String, Path)),
    responses((status = 200, description = "All faults, in order of sequence", body = Vec<Fault>), (status = 404)))]
pub(super) async fn faults(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    let faults = blocking(&host, move |engine| {
        may_see(engine, &access, &name)?;
        Ok(engine.faults(&name)?.into_iter().map(fault).collect::<Vec<_>>())
    });
    Ok(form.answer(StatusCode::OK, &faults.await?))
}

pub(super) fn quota(quota: model::Quota) -> engine::Quota {
    let model::Quota { fuel_per_second, state_bytes, state_entries } = quota;
    engine::Quota { fuel_per_second, state_bytes, state_entries }
}

fn shown_quota(quota: engine::Quota) -> model::Quota {
    let engine::Quota { fuel_per_second, state_bytes, state_entries } = quota;
    model::Quota { fuel_per_second, state_bytes, state_entries }
}

fn policy(on_fault: OnFault) -> FaultPolicy {
    match on_fault {
        OnFault::Halt => FaultPolicy::Halt,
        OnFault::Skip => FaultPolicy::Skip,
        OnFault::Quarantine => FaultPolicy::Quarantine,
    }
}

fn fault(fault: engine::Fault) -> Fault {
    Fault {
        sequence: fault.sequence,
        stream: fault.stream,
        event_type: fault.event_type,
        schema_version: fault.schema_version,
        plugin: fault.plugin,
        upcasters: fault.upcasters,
        kind: fault.kind,
        message: fault.message,
        backtrace: fault.backtrace,
        fuel: fault.fuel,
        output: fault.output,
    }
}

fn ran((identity, plugin): (Digest, String)) -> Ran {
    Ran { identity: identity.to_string(), plugin }
}

fn costs(costs: &engine::Costs) -> model::Costs {
    model::Costs {
        calls: costs.calls,
        last_call_fuel: costs.latest.fuel,
        last_call_events: costs.latest.events,
        costliest_call_fuel: costs.costliest().first().map_or(0, |call| call.fuel),
    }
}

fn shown(engine: &Engine, name: &str) -> Result<Projection, Problem> {
    let status = engine.status(name)?;
    let head = status.head.0;
    Ok(Projection {
        name: name.to_owned(),
        sync: status.projection.sync,
        auto_promote: status.projection.auto_promote,
        quota: shown_quota(status.projection.quota),
        dropped: retention::shown_dropped(status.projection.dropped),
        head,
        readable: shown_state(engine, &status.readable, head),
        is_serving: status.is_serving,
        building: status.building.as_ref().map(|state| shown_state(engine, state, head)),
        previous: status.previous.as_ref().map(|state| shown_state(engine, state, head)),
        ran: engine.ran(&status.projection).into_iter().map(ran).collect(),
        past: snapshots::kept(engine, &status)?,
    })
}

fn shown_state(engine: &Engine, state: &StateStatus, head: u64) -> model::State {
    let (phase, reason) = match &state.phase {
        Phase::Replaying => (model::Phase::Replaying, None),
        Phase::Live => (model::Phase::Live, None),
        Phase::Halted(_) => {
            let text = state.phase.to_string();
            (model::Phase::Halted, Some(text.strip_prefix("halted ").unwrap_or(&text).to_owned()))
        }
        Phase::Paused { reason } => (model::Phase::Paused, Some(reason.clone())),
        Phase::OverQuota { reason, .. } => (model::Phase::OverQuota, Some(reason.clone())),
        Phase::Failed { reason } => (model::Phase::Failed, Some(reason.clone())),
        Phase::Stopped => (model::Phase::Stopped, None),
    };
    let lag = head.saturating_sub(state.visible.0);
    model::State {
        identity: state.identity.to_string(),
        plugin: state.plugin.clone(),
        plugin_digest: state.deployment.plugin.clone(),
        plugin_signature: engine.find_plugin(&state.deployment.plugin).ok().and_then(|it| shown_signature(engine, &it)),
        parameters: Data::json(&state.deployment.parameters),
        on_fault: match state.deployment.on_fault {
            FaultPolicy::Halt => OnFault::Halt,
            FaultPolicy::Skip => OnFault::Skip,
            FaultPolicy::Quarantine => OnFault::Quarantine,
        },
        fuel_per_event: state.deployment.fuel_per_event,
        memory_bytes: state.deployment.memory_bytes,
        phase,
        reason,
        checkpoint: state.visible.0,
        lag,
        lag_seconds: state.lag_seconds,
        events: state.checkpoint.events,
        fuel: state.checkpoint.fuel,
        costs: costs(&state.costs),
        faults: state.fault_count,
        quarantined: state.set_aside.streams,
        set_aside: state.set_aside.events,
        redriven: state.redriven,
        missing: retention::missing(state.missing),
        probed: state.probed,
        entries: state.size.entries,
        state_bytes: state.totals.bytes,
        file_bytes: state.size.file_bytes,
        events_per_second: state.events_per_second,
        remaining_seconds: (state.events_per_second > 0.0).then(|| lag as f64 / state.events_per_second),
        rebuilt: state.rebuilt.map(|sequence| sequence.0),
        last_error: state.last_error.clone(),
        last_progress_at: state.last_progress_at.map(|time| time.to_string()),
    }
}
