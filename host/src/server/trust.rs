//! `/trust`: whose plugins are trusted, and whether only those may be installed and run.
//!
//! Anybody who may read may look; only who has the data directory may change it (see `Access::may_trust`).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Host;
use super::accept::Form;
use super::access::Access;
use super::answer::{blocking, read_json};
use super::model::{NewPublisher, Publisher, Requirement, Trust};
use super::params::NoParams;
use super::problem::Problem;
use crate::engine::{self, Engine};
use crate::event::Timestamp;

type Answered = Result<Response, Problem>;

/// Whose plugins are trusted, and whether a signature is required.
#[utoipa::path(get, path = "/trust", tag = "plugins", operation_id = "show_trust",
    responses((status = 200, description = "Whom this host trusts", body = Trust)))]
pub(super) async fn show(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Answered {
    let trust = blocking(&host, |engine| Ok(trust(engine)));
    Ok(form.answer(StatusCode::OK, &trust.await?))
}

/// Sets whether only plugins that a trusted publisher signed may be installed and run.
///
/// What runs goes on until it is started anew. Through the socket in the data directory alone.
#[utoipa::path(post, path = "/trust", tag = "plugins", operation_id = "require_signature", request_body = Requirement,
    responses((status = 200, description = "It is set", body = Trust)))]
pub(super) async fn require(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    access.may_trust()?;
    let Requirement { require_signature } = read_json(&headers, body).await?;
    let trust = blocking(&host, move |engine| {
        engine.require_signature(require_signature)?;
        Ok(trust(engine))
    });
    let trust = trust.await?;
    tracing::info!(require_signature, "the requirement of signatures was set");
    Ok(form.answer(StatusCode::OK, &trust))
}

/// Trusts a publisher.
///
/// Through the socket in the data directory alone.
#[utoipa::path(post, path = "/trust/publishers", tag = "plugins", operation_id = "trust_publisher",
    request_body = NewPublisher,
    responses((status = 201, description = "It is trusted", body = Publisher),
        (status = 409, description = "The name is taken, or the key is trusted under another")))]
pub(super) async fn add(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    access.may_trust()?;
    let NewPublisher { name, key, until, plugins, comment } = read_json(&headers, body).await?;
    let new = engine::Publisher { name, key, until, plugins, comment };
    let (publisher, _) = blocking(&host, move |engine| Ok(engine.trust(new, Timestamp::now())?)).await?;
    let publisher = shown(publisher);
    tracing::info!(name = publisher.name, key = publisher.key_id, "a publisher is trusted");
    Ok(form.answer(StatusCode::CREATED, &publisher))
}

/// Trusts a publisher no longer. What they signed stays installed.
///
/// Through the socket in the data directory alone.
#[utoipa::path(delete, path = "/trust/publishers/{name}", tag = "plugins", operation_id = "distrust_publisher",
    params(("name" = String, Path)),
    responses((status = 200, description = "Who is no longer trusted", body = Publisher), (status = 404)))]
pub(super) async fn remove(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    access.may_trust()?;
    let publisher = shown(blocking(&host, move |engine| Ok(engine.distrust(&name)?)).await?);
    tracing::info!(name = publisher.name, key = publisher.key_id, "a publisher is no longer trusted");
    Ok(form.answer(StatusCode::OK, &publisher))
}

fn trust(engine: &Engine) -> Trust {
    Trust {
        require_signature: engine.requires_signature(),
        is_forced: engine.signature_is_forced(),
        publishers: engine.publishers().into_iter().map(shown).collect(),
    }
}

fn shown(publisher: engine::Publisher) -> Publisher {
    let key_id = publisher.key_id().to_string();
    let engine::Publisher { name, key, until, plugins, comment } = publisher;
    Publisher { name, key_id, key, until, plugins, comment }
}
