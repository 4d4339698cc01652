//! `GET /projections/{name}/explain`: which events cost the most.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use crate::engine::{self, COSTLY_EVENTS_MAX};
use crate::server::accept::LongForm;
use crate::server::access::Access;
use crate::server::model::{CostlyEvent, Explained};
use crate::server::params::{Params, invalid};
use crate::server::problem::Problem;
use crate::server::{Host, sse};

/// Events that are told of unless more are wanted.
const LIMIT: usize = 10;

/// Finds the events that cost a projection the most fuel.
///
/// The state's costliest calls are made again over a state that is built from the log for this, event by event: what a call
/// with one event alone takes is that event's cost, and the same on every machine. The state itself is not touched. With
/// `Accept: text/event-stream` events `progress` tell how far it is, then `result` or `error`.
#[utoipa::path(get, path = "/projections/{name}/explain", tag = "projections", operation_id = "explain_projection",
    params(("name" = String, Path),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 32, description = "How many events; 10 if left out")),
    responses((status = 200, description = "The costliest events", content((Explained), ("text/event-stream"))),
        (status = 404), (status = 409, description = "The state cannot be built again as far")))]
pub(in crate::server) async fn explain(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    params.only(&["limit"])?;
    let limit = params.parsed("limit")?.unwrap_or(LIMIT);
    if !(1..=COSTLY_EVENTS_MAX).contains(&limit) {
        return Err(invalid(format!("limit must be from 1 to {COSTLY_EVENTS_MAX}")));
    }
    let explained = sse::long(host, form, move |engine, watch| {
        access.may_read_projection(&*engine.manifest(&name)?)?;
        let head = engine.head().sequence().0;
        let found = engine.explain(&name, limit, |now| watch(sse::progress(now, head)))?;
        Ok(shown(name, found))
    });
    Ok(explained.await)
}

fn shown(projection: String, found: engine::Explained) -> Explained {
    let costliest = found.costliest.into_iter();
    Explained {
        projection,
        identity: found.identity.to_string(),
        fuel_per_event: found.fuel_per_event,
        events: found.events,
        fuel: found.fuel,
        calls_examined: found.calls_examined,
        events_examined: found.events_examined,
        others_at_most: found.others_at_most,
        costliest: costliest
            .map(|event| CostlyEvent {
                sequence: event.sequence.0,
                stream: event.stream,
                event_type: event.event_type,
                fuel: event.fuel,
            })
            .collect(),
    }
}
