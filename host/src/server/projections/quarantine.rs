//! `GET /projections/{name}/quarantine`: the streams that a state has set aside.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{Answered, may_see};
use crate::engine::{SetAside, Which};
use crate::server::Host;
use crate::server::accept::Form;
use crate::server::access::Access;
use crate::server::answer::blocking;
use crate::server::model::{QuarantinePage, QuarantinedStream};
use crate::server::params::{Params, invalid};

/// Lists the streams that a state has quarantined, by name, a page at a time.
///
/// Under the policy `quarantine` every event of a stream is set aside from the first on which the plugin fails. A newer
/// state that does not fail on it folds them in their places.
#[utoipa::path(get, path = "/projections/{name}/quarantine", tag = "projections", operation_id = "list_quarantine",
    params(("name" = String, Path),
        ("state" = Option<String>, Query, pattern = "^(readable|building|previous)$",
            description = "Which state; the one that answers readers if left out"),
        ("after" = Option<String>, Query, description = "Only streams behind this one: `next` of the page before"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "100 if left out")),
    responses((status = 200, description = "A page", body = QuarantinePage), (status = 404),
        (status = 409, description = "There is no such state")))]
pub(in crate::server) async fn list(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    params: Params,
    Path(name): Path<String>,
) -> Answered {
    params.only(&["state", "after", "limit"])?;
    let limit = params.limit(100, 1_000)?;
    let after = params.text("after").map(str::to_owned);
    let which = match params.text("state") {
        None | Some("readable") => Which::Readable,
        Some("building") => Which::Building,
        Some("previous") => Which::Previous,
        Some(other) => return Err(invalid(format!("state must be readable, building or previous, not {other:?}"))),
    };
    let page = blocking(&host, move |engine| {
        may_see(engine, &access, &name)?;
        let mut streams = engine.set_aside(&name, which, after.as_deref(), limit + 1)?;
        let is_more = streams.len() > limit;
        streams.truncate(limit);
        let next = streams.last().filter(|_| is_more).map(|(stream, _)| stream.clone());
        Ok(QuarantinePage { streams: streams.into_iter().map(shown).collect(), next })
    });
    Ok(form.answer(StatusCode::OK, &page.await?))
}

fn shown((stream, SetAside { first, events, last }): (String, SetAside)) -> QuarantinedStream {
    QuarantinedStream { stream, first: first.0, events, last: last.0 }
}
