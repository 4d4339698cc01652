//! `/forget`, `/redact`: what a law or a person wants gone.
//!
//! A token that may manage is for all categories, so nothing is asked here but its scope.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Host;
use super::accept::Form;
use super::answer::{blocking, read_json};
use super::model::erasure::{Forget, Forgotten, Redact, Redacted};
use super::params::{NoParams, invalid};
use super::problem::Problem;
use crate::engine::Motive;
use crate::event::StreamName;

/// Forgets a stream: its key is deleted, so that its payloads can be read nowhere any more, in no backup either.
///
/// An event in stream `polyfold/forgotten` says who did it and why. Projections that want the stream's events are built anew
/// without them; meanwhile they answer nothing. The stream takes no new events. To forget again changes nothing.
#[utoipa::path(post, path = "/forget", tag = "erasure", operation_id = "forget", request_body = Forget,
    responses((status = 200, description = "It is forgotten", body = Forgotten),
        (status = 409, description = "It cannot be: it is not encrypted, or something made of it cannot be built anew")))]
pub(super) async fn forget(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Forget { stream, reason, by } = read_json(&headers, body).await?;
    let stream = StreamName::new(stream).map_err(|error| invalid(error.to_string()))?;
    let forgotten = blocking(&host, move |engine| {
        let forgotten = engine.forget(&stream, Motive::new(&reason, by.as_deref())?)?;
        Ok(Forgotten {
            stream: forgotten.stream.to_string(),
            events: forgotten.events,
            sequence: forgotten.sequence.map(|sequence| sequence.0),
            rebuilt: forgotten.rebuilt,
        })
    });
    Ok(form.answer(StatusCode::OK, &forgotten.await?))
}

/// Redacts events: drops their payloads from the log, its archives and everything made of them.
///
/// An event in stream `polyfold/redactions` says who did it and why. The log is written anew without the payloads, which takes
/// as much disk again meanwhile; their envelopes and digests stay. Projections that want the events are built anew without
/// them; meanwhile they answer nothing. What was redacted before is passed over.
#[utoipa::path(post, path = "/redact", tag = "erasure", operation_id = "redact", request_body = Redact,
    responses((status = 200, description = "They are redacted", body = Redacted),
        (status = 404, description = "There is no such event"),
        (status = 409, description = "They cannot be: one says what was erased, or something made of them cannot be built anew"),
        (status = 507, description = "The disk has no room for the new log")))]
pub(super) async fn redact(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Redact { sequences, reason, by } = read_json(&headers, body).await?;
    let redacted = blocking(&host, move |engine| {
        let redacted = engine.redact(sequences.into_iter().collect(), Motive::new(&reason, by.as_deref())?)?;
        Ok(Redacted {
            events: redacted.events,
            before: redacted.before,
            sequence: redacted.sequence.map(|sequence| sequence.0),
            rebuilt: redacted.rebuilt,
        })
    });
    Ok(form.answer(StatusCode::OK, &redacted.await?))
}
