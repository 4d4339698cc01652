//! What an operator does to a projection: rebuild, verify, upgrade, and what becomes of a state beside the one that serves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Answered, policy, shown};
use crate::engine::{self, Beside, Difference, Engine, Phase, SetAside, VerifyOptions};
use crate::server::accept::{Form, LongForm};
use crate::server::access::Access;
use crate::server::answer::{blocking, read_json};
use crate::server::data::Data;
use crate::server::model::{Progress, Projection, Quota, Upgrade, Verified};
use crate::server::params::{NoParams, Params, invalid};
use crate::server::problem::{Code, Problem};
use crate::server::{Host, retention, sse};

/// Builds the readable state anew from the log, beside the one that goes on answering, and lets it take its place.
///
/// The answer comes at once, and the status says how far it is; if it fails, the old state stays and its `last_error`
/// says why. With `Accept: text/event-stream` events `progress` come until it is done, then `result` or `error`.
#[utoipa::path(post, path = "/projections/{name}/rebuild", tag = "projections", operation_id = "rebuild_projection",
    params(("name" = String, Path)),
    responses((status = 202, description = "It has begun", body = Projection),
        (status = 200, description = "It is followed", content(("text/event-stream"))), (status = 404)))]
pub(in crate::server) async fn rebuild(
    State(host): State<Arc<Host>>,
    form: LongForm,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    let LongForm::Whole(form) = form else {
        return Ok(sse::long(host, form, move |engine, watch| rebuilt(engine, &name, watch)).await);
    };
    let known = name.clone();
    let before = blocking(&host, move |engine| shown(engine, &known)).await?;
    tokio::spawn(async move {
        let done = blocking(&host, move |engine| rebuilt(engine, &name, &mut |_| {})).await;
        if let Err(problem) = done {
            tracing::error!("{}", problem.detail);
        }
    });
    Ok(form.answer(StatusCode::ACCEPTED, &before))
}

fn rebuilt(engine: &Engine, name: &str, watch: &mut (dyn FnMut(Progress) + Send)) -> Result<Projection, Problem> {
    let head = engine.head().sequence().0;
    let progress = engine.rebuild(name, |now| watch(sse::progress(now, head)))?;
    match &progress.phase {
        Phase::Replaying | Phase::Live | Phase::Halted(_) => shown(engine, name),
        phase @ (Phase::Paused { .. } | Phase::OverQuota { .. } | Phase::Failed { .. } | Phase::Stopped) => {
            Err(Problem::new(Code::Internal, format!("projection {name:?} was not built anew: {phase}")))
        }
    }
}

/// Builds the readable state anew in other batches, by code compiled anew, and compares every entry; the state stays.
///
/// With `sample` it is built in large batches by the code that is there, and only that share of the batches is folded once
/// more otherwise: cut elsewhere, and by code compiled anew. A snapshot that was kept is where a sample starts, and with
/// `from_snapshot` the whole verification; one that is not as it was kept is not used, and `snapshot_unused` says why. With
/// `Accept: text/event-stream` events `progress` tell how far it is, then `result` or `error`.
#[utoipa::path(post, path = "/projections/{name}/verify", tag = "projections", operation_id = "verify_projection",
    params(("name" = String, Path),
        ("sample" = Option<f64>, Query, description = "A percentage of the batches, more than 0 and at most 100; all of them if left out"),
        ("from_snapshot" = Option<bool>, Query, description = "Start from the kept snapshot; false if left out"),
        ("keep_snapshot" = Option<bool>, Query, description = "Keep what was built as a snapshot, if it is what it should be; false if left out")),
    responses((status = 200, description = "Both were compared", content((Verified), ("text/event-stream"))),
        (status = 404)))]
pub(in crate::server) async fn verify(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    params.only(&["sample", "from_snapshot", "keep_snapshot"])?;
    let options = VerifyOptions {
        sample: params.parsed("sample")?,
        from_snapshot: params.flag("from_snapshot", false)?,
        keep_snapshot: params.flag("keep_snapshot", false)?,
        ..VerifyOptions::default()
    };
    let verified = sse::long(host, form, move |engine, watch| {
        let head = engine.head().sequence().0;
        let manifest = engine.manifest(&name)?;
        access.may_read_projection(&manifest)?;
        let encoding = manifest.state_encoding;
        let found = engine.verify_as(&name, &options, |now| watch(sse::progress(now, head)))?;
        Ok(Verified {
            projection: name,
            sequence: found.sequence.0,
            entries: found.entries,
            digest: found.live.to_string(),
            rebuilt_digest: found.rebuilt.to_string(),
            same: found.difference.is_none(),
            difference: found.difference.map(|difference| in_words(difference, encoding)),
            from: found.from.0,
            batches_twice: found.batches_twice,
            snapshot_unused: found.snapshot_unused,
            kept: found.kept.map(|kept| kept.sequence.0),
        })
    });
    Ok(verified.await)
}

fn in_words(difference: Difference, encoding: engine::StateEncoding) -> String {
    let value =
        |value: Option<Vec<u8>>| value.map_or("nothing".to_owned(), |value| Data::value(&value, encoding).text());
    let text = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    match difference {
        Difference::Entry { key, live, rebuilt } => {
            format!("the first entry that differs is {key:?}: it has {}, rebuilt {}", value(live), value(rebuilt))
        }
        Difference::Damaged(disagreement) => format!("its file is damaged: {disagreement}"),
        Difference::Stopped { sequence, reason } => format!("the rebuild came to sequence {sequence} only: {reason}"),
        Difference::Fault { sequence, live, rebuilt } => {
            format!("the faults differ at sequence {sequence}: it has {}, rebuilt {}", text(live), text(rebuilt))
        }
        Difference::SetAside { stream, live, rebuilt } => {
            let events = |it: SetAside| format!("{} events from {} to {}", it.events, it.first, it.last);
            let (live, rebuilt) = (text(live.map(events)), text(rebuilt.map(events)));
            format!("what is set aside of stream {stream} differs: it has {live}, rebuilt {rebuilt}")
        }
    }
}

/// Sets what a projection may use, as a whole: what is left out is not limited from now on.
///
/// Over quota a projection rests and says so; it never decides what a state holds. One that rests goes on at once if it may.
#[utoipa::path(put, path = "/projections/{name}/quota", tag = "projections", operation_id = "set_quota",
    params(("name" = String, Path)), request_body = Quota,
    responses((status = 200, description = "It is set", body = Projection),
        (status = 404, description = "There is no such projection")))]
pub(in crate::server) async fn quota(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let wanted: Quota = read_json(&headers, body).await?;
    if wanted.fuel_per_second == Some(0) {
        return Err(invalid("fuel_per_second must be at least 1, or null for no limit".to_owned()));
    }
    let set = blocking(&host, move |engine| {
        engine.set_quota(&name, super::quota(wanted))?;
        shown(engine, &name)
    });
    Ok(form.answer(StatusCode::OK, &set.await?))
}

/// Builds a state of another plugin, or with other settings, beside the one that serves.
///
/// The new state serves when it is promoted; with `auto_promote` as soon as it has caught up. Another one that was being
/// built is dropped.
#[utoipa::path(post, path = "/projections/{name}/upgrade", tag = "projections", operation_id = "upgrade_projection",
    params(("name" = String, Path)), request_body = Upgrade,
    responses((status = 202, description = "It has begun", body = Projection),
        (status = 404, description = "There is no such projection, or no such plugin"),
        (status = 409, description = "Several plugins could be meant, or it is no projection's"),
        (status = 422, description = "The parameters are no JSON object")))]
pub(in crate::server) async fn upgrade(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    Path(name): Path<String>,
    body: Body,
) -> Answered {
    let new: Upgrade = read_json(&headers, body).await?;
    let upgrade = engine::Upgrade {
        plugin: new.plugin,
        parameters: new.parameters.map(|parameters| parameters.text()),
        on_fault: new.on_fault.map(policy),
        fuel_per_event: new.fuel_per_event,
        memory_bytes: new.memory_bytes,
        dropped: new.dropped.map(retention::dropped),
        auto_promote: new.auto_promote,
    };
    let upgraded = blocking(&host, move |engine| {
        engine.upgrade(&name, &upgrade)?;
        start_the_rest(engine, &name);
        shown(engine, &name)
    });
    Ok(form.answer(StatusCode::ACCEPTED, &upgraded.await?))
}

/// Lets the state that was built serve, from between two events on. The one that served is kept for a rollback.
#[utoipa::path(post, path = "/projections/{name}/promote", tag = "projections", operation_id = "promote_state",
    params(("name" = String, Path)),
    responses((status = 200, description = "It serves", body = Projection), (status = 404),
        (status = 409, description = "Nothing is being built, or it is not close to the end of the log")))]
pub(in crate::server) async fn promote(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    switch(host, form, name, |engine, name| engine.promote(name)).await
}

/// Lets the state that served before serve again, at once.
#[utoipa::path(post, path = "/projections/{name}/rollback", tag = "projections", operation_id = "roll_back",
    params(("name" = String, Path)),
    responses((status = 200, description = "It serves again", body = Projection), (status = 404),
        (status = 409, description = "There is none that served before")))]
pub(in crate::server) async fn rollback(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    switch(host, form, name, |engine, name| engine.rollback(name)).await
}

/// Drops a state beside the one that serves: the one that is being built, or the one that is kept for a rollback.
#[utoipa::path(post, path = "/projections/{name}/abandon", tag = "projections", operation_id = "abandon_state",
    params(("name" = String, Path), ("state" = Option<String>, Query, pattern = "^(building|previous)$",
        description = "Which of them; `building` if left out")),
    responses((status = 200, description = "It is gone", body = Projection), (status = 404),
        (status = 409, description = "There is no such state")))]
pub(in crate::server) async fn abandon(
    State(host): State<Arc<Host>>,
    form: Form,
    params: Params,
    Path(name): Path<String>,
) -> Answered {
    params.only(&["state"])?;
    let which = match params.text("state") {
        None | Some("building") => Beside::Building,
        Some("previous") => Beside::Previous,
        Some(other) => return Err(invalid(format!("state must be building or previous, not {other:?}"))),
    };
    switch(host, form, name, move |engine, name| engine.abandon(name, which)).await
}

async fn switch(
    host: Arc<Host>,
    form: Form,
    name: String,
    act: impl FnOnce(&Engine, &str) -> Result<engine::Projection, engine::Error> + Send + 'static,
) -> Answered {
    let switched = blocking(&host, move |engine| {
        act(engine, &name)?;
        start_the_rest(engine, &name);
        shown(engine, &name)
    });
    Ok(form.answer(StatusCode::OK, &switched.await?))
}

/// What was asked for is done, whether or not another state runs: that one's status says why it does not.
fn start_the_rest(engine: &Engine, name: &str) {
    if let Err(error) = engine.start(name) {
        tracing::error!(projection = name, "a state cannot run: {error}");
    }
}
