//! `GET /projections/{name}/debug`: one event once more, alone and watched.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use crate::engine::{self, Before, Found, Ran, StateEncoding, Value};
use crate::event::Sequence;
use crate::server::accept::LongForm;
use crate::server::access::Access;
use crate::server::data::Data;
use crate::server::model::{Action, DebugFailure, DebugOutcome, Debugged, DebuggedEvent, StateAccess};
use crate::server::params::{Params, invalid};
use crate::server::problem::Problem;
use crate::server::{Host, sse};

/// Runs a projection's plugin on one event once more, over the state right before it, and tells what it did.
///
/// The state is not touched. Where it does not stand right before the event, it is built from the log up to there, which
/// takes as long as a rebuild. With `Accept: text/event-stream` events `progress` tell how far that is, then `result` or
/// `error`.
#[utoipa::path(get, path = "/projections/{name}/debug", tag = "projections", operation_id = "debug_event",
    params(("name" = String, Path),
        ("at" = u64, Query, minimum = 1, description = "The event's sequence")),
    responses((status = 200, description = "What it did", content((Debugged), ("text/event-stream"))),
        (status = 404, description = "There is no such projection, or no such event"),
        (status = 409, description = "The state does not come as far")))]
pub(in crate::server) async fn debug(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    params.only(&["at"])?;
    let at = params.parsed("at")?.ok_or_else(|| invalid("at is missing: the sequence of the event".to_owned()))?;
    let debugged = sse::long(host, form, move |engine, watch| {
        access.may_read_projection(&*engine.manifest(&name)?)?;
        let debugged = engine.debug(&name, Sequence(at), |now| watch(sse::progress(now, at.saturating_sub(1))))?;
        Ok(shown(name, debugged))
    });
    Ok(debugged.await)
}

fn shown(projection: String, debugged: engine::Debugged) -> Debugged {
    let engine::Debugged { sequence, identity, encoding, found } = debugged;
    let nothing = Debugged {
        projection,
        identity: identity.to_string(),
        sequence: sequence.0,
        outcome: DebugOutcome::NotWanted,
        set_aside_since: None,
        event: None,
        before: None,
        accesses: Vec::new(),
        accesses_left_out: 0,
        fuel: 0,
        memory_bytes: 0,
        output: String::new(),
        failure: None,
    };
    match found {
        Found::NotWanted => nothing,
        Found::SetAside { since, .. } => {
            Debugged { outcome: DebugOutcome::SetAside, set_aside_since: Some(since.0), ..nothing }
        }
        Found::NotLifted { event, failed } => Debugged {
            outcome: DebugOutcome::NotLifted,
            event: Some(shown_event(event)),
            failure: Some(shown_failure(failed)),
            ..nothing
        },
        Found::Ran(ran) => {
            let Ran { event, before, accesses, accesses_left_out, fuel, memory_bytes, output, failed } = *ran;
            Debugged {
                outcome: if failed.is_some() { DebugOutcome::Failed } else { DebugOutcome::Folded },
                event: Some(shown_event(event)),
                before: Some(shown_before(before).to_owned()),
                accesses: accesses.into_iter().map(|access| shown_access(access, encoding)).collect(),
                accesses_left_out,
                fuel,
                memory_bytes,
                output,
                failure: failed.map(shown_failure),
                ..nothing
            }
        }
    }
}

fn shown_before(before: Before) -> &'static str {
    match before {
        Before::Live => "live",
        Before::Replayed => "replayed",
    }
}

fn shown_event(event: engine::DebuggedEvent) -> DebuggedEvent {
    let engine::DebuggedEvent { stream, event_type, schema_version, payload } = event;
    DebuggedEvent { stream, event_type, schema_version, data: payload.map(|payload| Data::cbor(&payload)) }
}

fn shown_failure(failed: engine::DebuggedFailure) -> DebugFailure {
    let engine::DebuggedFailure { is_verdict, kind, message, backtrace } = failed;
    DebugFailure { is_verdict, kind, message, backtrace }
}

fn shown_access(access: engine::Access, encoding: StateEncoding) -> StateAccess {
    let of = |action, key| StateAccess {
        action,
        key,
        value: None,
        bytes: None,
        after: None,
        entries: None,
        keys: Vec::new(),
    };
    let with = |access, value: Option<Value>| StateAccess {
        bytes: value.as_ref().map(|value| value.bytes),
        value: value.and_then(|value| value.shown).map(|value| Data::value(&value, encoding)),
        ..access
    };
    match access {
        engine::Access::Read { key, value } => with(of(Action::Read, key), value),
        engine::Access::Wrote { key, value } => with(of(Action::Write, key), Some(value)),
        engine::Access::Deleted { key } => of(Action::Delete, key),
        engine::Access::Scanned { prefix, after, entries, first_keys } => {
            StateAccess { after, entries: Some(entries), keys: first_keys, ..of(Action::Scan, prefix) }
        }
    }
}
