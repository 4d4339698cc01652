//! `/projections/{name}/snapshots`: what is kept of a projection's past, and how much of it should be.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;

use super::{Answered, may_see, shown};
use crate::engine::{self, Engine, Occasion, SnapshotInfo, Status, Waiting};
use crate::event::Sequence;
use crate::server::accept::{Form, LongForm};
use crate::server::access::Access;
use crate::server::answer::{blocking, read_json};
use crate::server::data::Data;
use crate::server::model::{Keep, Kept, KeyHistory, KeyValue, Projection, Snapshot};
use crate::server::params::{NoParams, Params};
use crate::server::problem::Problem;
use crate::server::{Host, past};

/// Lists the snapshots of a projection, of all that it ran, by identity and sequence.
#[utoipa::path(get, path = "/projections/{name}/snapshots", tag = "projections", operation_id = "list_snapshots",
    params(("name" = String, Path)),
    responses((status = 200, description = "All snapshots", body = Vec<Snapshot>), (status = 404)))]
pub(in crate::server) async fn list(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    let listed = blocking(&host, move |engine| {
        may_see(engine, &access, &name)?;
        Ok(engine.snapshots(&name)?.into_iter().map(shown_snapshot).collect::<Vec<_>>())
    });
    Ok(form.answer(StatusCode::OK, &listed.await?))
}

/// Takes a snapshot of the readable state as it is now. It stays until it is removed.
#[utoipa::path(post, path = "/projections/{name}/snapshots", tag = "projections", operation_id = "take_snapshot",
    params(("name" = String, Path)),
    responses((status = 201, description = "It is taken", body = Snapshot), (status = 404)))]
pub(in crate::server) async fn take(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    let taken = blocking(&host, move |engine| Ok(shown_snapshot(engine.take_snapshot(&name)?)));
    Ok(form.answer(StatusCode::CREATED, &taken.await?))
}

/// Removes the snapshots at a sequence.
#[utoipa::path(delete, path = "/projections/{name}/snapshots/{sequence}", tag = "projections",
    operation_id = "remove_snapshot", params(("name" = String, Path), ("sequence" = u64, Path)),
    responses((status = 204, description = "They are gone"), (status = 404)))]
pub(in crate::server) async fn remove(
    State(host): State<Arc<Host>>,
    _: NoParams,
    Path((name, sequence)): Path<(String, u64)>,
) -> Answered {
    blocking(&host, move |engine| Ok(engine.remove_snapshot(&name, Sequence(sequence))?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Sets what a projection keeps of its past, as a whole: what is left out is as usual from now on.
#[utoipa::path(put, path = "/projections/{name}/keep", tag = "projections", operation_id = "set_keep",
    params(("name" = String, Path)), request_body = Keep,
    responses((status = 200, description = "It is set", body = Projection),
        (status = 404, description = "There is no such projection")))]
pub(in crate::server) async fn set_keep(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let wanted: Keep = read_json(&headers, body).await?;
    let set = blocking(&host, move |engine| {
        engine.set_keep(&name, keep(wanted))?;
        shown(engine, &name)
    });
    Ok(form.answer(StatusCode::OK, &set.await?))
}

pub(super) fn keep(Keep { snapshot_every, snapshot_bytes, history }: Keep) -> engine::Keep {
    engine::Keep { snapshot_every, snapshot_bytes, history }
}

/// What there is of a projection's past, and what there should be.
pub(super) fn kept(engine: &Engine, status: &Status) -> Result<Kept, Problem> {
    let (name, keep) = (status.projection.name.as_str(), status.projection.keep);
    let mut all = engine.snapshots(name)?;
    all.retain(|snapshot| snapshot.identity == status.readable.identity);
    let verified = all.iter().rev().find(|snapshot| snapshot.occasion == Occasion::Verified);
    Ok(Kept {
        snapshot_every: keep.snapshot_every(),
        snapshot_bytes: keep.snapshot_bytes(),
        history: keep.history(),
        history_from: engine.history_from(name).ok().flatten().map(|from| from.0),
        snapshots: all.len() as u64,
        snapshots_from: all.first().map(|snapshot| snapshot.sequence.0),
        snapshots_to: all.last().map(|snapshot| snapshot.sequence.0),
        verified: verified.map(|snapshot| snapshot.sequence.0),
        file_bytes: engine.snapshots_bytes(name),
    })
}

/// Reads the values that a key had, the latest first, each with the event that made it.
///
/// Where the state's history has it that is read; before, up to 100,000 events are folded one by one.
#[utoipa::path(get, path = "/projections/{name}/history/{*key}", tag = "state", operation_id = "read_key_history",
    params(("name" = String, Path), ("key" = String, Path, description = "The key; a slash may stand as it is"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "10 if left out"),
        ("before" = Option<u64>, Query, description = "Only values made by events before this one")),
    responses((status = 200, description = "The values", content((KeyHistory), ("text/event-stream"))), (status = 404)))]
pub(in crate::server) async fn history(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path((name, key)): Path<(String, String)>,
) -> Answered {
    params.only(&["limit", "before"])?;
    let (limit, before) = (params.limit(10, 1_000)?, params.parsed("before")?.map(Sequence));
    let work = move |engine: &Engine, waiting: &mut Waiting<'_>| {
        access.may_read_projection(&*engine.manifest(&name)?)?;
        let found = engine.key_values(&name, &key, (before, limit), waiting)?;
        let values = found.values.into_iter().map(|value| KeyValue {
            sequence: value.sequence.0,
            recorded_at: value.recorded_at.to_string(),
            stream: value.stream,
            event_type: value.event_type,
            value: value.value.map(|value| Data::value(&value, found.encoding)),
        });
        let (identity, next) = (found.identity.to_string(), found.next.map(|next| next.0));
        Ok(KeyHistory { identity, values: values.collect(), next })
    };
    past::answer(host, form, work, |_, response| response).await
}

fn shown_snapshot(snapshot: SnapshotInfo) -> Snapshot {
    Snapshot {
        identity: snapshot.identity.to_string(),
        sequence: snapshot.sequence.0,
        chain: snapshot.chain.to_string(),
        digest: snapshot.digest.to_string(),
        entries: snapshot.totals.entries,
        bytes: snapshot.totals.bytes,
        occasion: snapshot.occasion.as_str().to_owned(),
        taken_at: snapshot.taken_at.to_string(),
    }
}
