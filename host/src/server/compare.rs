//! `POST /projections/{name}/compare`: two states of a projection beside each other.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::Host;
use super::accept::LongForm;
use super::access::Access;
use super::data::Data;
use super::model::{Compared, Comparison, Differing, FirstDifference};
use super::params::Params;
use super::problem::Problem;
use super::sse;
use crate::engine::{self, CompareOptions, Side};

/// Compares the state that serves with the one that is being built, or else with the one that served before.
///
/// Counts what differs, shows a page of it, and looks for the first event after which the two differ by folding the log
/// into both once more. With `Accept: text/event-stream` events `progress` tell how far it is, then `result` or `error`.
#[utoipa::path(post, path = "/projections/{name}/compare", tag = "projections", operation_id = "compare_states",
    params(("name" = String, Path), ("after" = Option<String>, Query, description = "The key to go on behind"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "Differences shown; 100 if left out"),
        ("first_difference" = Option<bool>, Query, description = "Whether to look for it; true if left out")),
    responses((status = 200, description = "Both were compared", content((Comparison), ("text/event-stream"))),
        (status = 404), (status = 409, description = "There is no other state")))]
pub(super) async fn compare(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    params.only(&["after", "limit", "first_difference"])?;
    let options = CompareOptions {
        after: params.text("after").map(str::to_owned),
        limit: params.limit(100, 1_000)?,
        first_difference: params.flag("first_difference", true)?,
    };
    let compared = sse::long(host, form, move |engine, watch| {
        let manifest = engine.manifest(&name)?;
        access.may_read_projection(&manifest)?;
        engine.start(&name)?;
        let head = engine.head().sequence().0;
        Ok(shown(engine.compare(&name, &options, |now| watch(sse::progress(now, head)))?))
    });
    Ok(compared.await)
}

fn shown(found: engine::Comparison) -> Comparison {
    let (left, right) = (found.serving.encoding, found.other.encoding);
    let differing = |entry: engine::Differing| Differing {
        key: entry.key,
        serving: entry.serving.map(|value| Data::value(&value, left)),
        other: entry.other.map(|value| Data::value(&value, right)),
    };
    let first_difference = found.first_difference.map(|first| {
        let Differing { key, serving, other } = differing(first.entry);
        let (sequence, stream, event_type) = (first.sequence.0, first.stream, first.event_type);
        FirstDifference { sequence, stream, event_type, key, serving, other }
    });
    Comparison {
        serving: side(&found.serving),
        other: side(&found.other),
        role: found.beside.as_str().to_owned(),
        added: found.added,
        removed: found.removed,
        changed: found.changed,
        unchanged: found.unchanged,
        examples: found.examples.into_iter().map(differing).collect(),
        next: found.next,
        first_difference,
    }
}

fn side(side: &Side) -> Compared {
    Compared {
        identity: side.identity.to_string(),
        plugin: side.plugin.clone(),
        checkpoint: side.sequence.0,
        entries: side.entries,
    }
}
