//! `/keys` and `/encryption`: which categories are encrypted, and the keys of their streams.
//!
//! The keys themselves leave and enter through the socket in the data directory alone, as the host key does.

use std::io::BufReader;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::Host;
use super::accept::{Form, LINES, choose};
use super::access::Access;
use super::answer::{blocking, must_be, read_json};
use super::model::erasure::{Encryption, ImportedKeys, StreamKey};
use super::params::NoParams;
use super::problem::Problem;
use crate::engine;

/// Lines on their way: what reading is ahead of sending.
const LINES_MAX: usize = 256;

type Answered = Result<Response, Problem>;

/// Encrypts what is appended to these categories from now on. There is no way back.
///
/// Each stream of them gets a key of its own when the first event comes.
#[utoipa::path(post, path = "/encryption", tag = "erasure", operation_id = "encrypt", request_body = Encryption,
    responses((status = 200, description = "All categories that are encrypted now", body = Encryption),
        (status = 400, description = "A category that cannot be encrypted")))]
pub(super) async fn encrypt(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let Encryption { categories } = read_json(&headers, body).await?;
    let all = blocking(&host, move |engine| {
        engine.encrypt(&categories)?;
        Ok(Encryption { categories: engine.encrypted_categories().iter().cloned().collect() })
    });
    Ok(form.answer(StatusCode::OK, &all.await?))
}

/// Lists the streams that have a key, or had one; the keys are not shown.
#[utoipa::path(get, path = "/keys", tag = "erasure", operation_id = "list_keys",
    responses((status = 200, description = "By stream", body = Vec<StreamKey>)))]
pub(super) async fn list(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Answered {
    let listed = blocking(&host, move |engine| {
        let keys = engine.keys()?.into_iter();
        Ok(keys
            .map(|key| StreamKey { stream: key.stream, at: key.at.to_string(), forgotten: key.is_forgotten })
            .collect::<Vec<_>>())
    });
    Ok(form.answer(StatusCode::OK, &listed.await?))
}

/// Sends all keys as lines, for a copy that is kept apart. An answer without its last line, which counts the others, is not
/// whole.
///
/// Through the socket in the data directory alone.
#[utoipa::path(get, path = "/keys/export", tag = "erasure", operation_id = "export_keys",
    responses((status = 200, description = "Lines", content((String = "application/x-ndjson")))))]
pub(super) async fn export(State(host): State<Arc<Host>>, access: Access, _: NoParams, headers: HeaderMap) -> Answered {
    access.may_have_keys()?;
    choose(&headers, &[LINES])?;
    let (lines, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(LINES_MAX);
    tokio::task::spawn_blocking(move || {
        let sent = host
            .engine()
            .export_keys(&mut |line| lines.blocking_send(Ok(Bytes::copy_from_slice(line.as_bytes()))).is_ok());
        if let Err(error) = sent {
            tracing::error!("an export of keys broke off: {error}");
            drop(lines.blocking_send(Err(std::io::Error::other(error.to_string()))));
        }
    });
    let headers = [(CONTENT_TYPE, LINES), (CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// Takes the keys of an export that are not here. A stream that was forgotten here stays forgotten.
///
/// Through the socket in the data directory alone.
#[utoipa::path(post, path = "/keys/import", tag = "erasure", operation_id = "import_keys",
    request_body(content((String = "application/x-ndjson"))),
    responses((status = 200, description = "What was taken", body = ImportedKeys),
        (status = 400, description = "It is damaged, of another log, or no export; nothing was changed")))]
pub(super) async fn import(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    access.may_have_keys()?;
    must_be(&headers, &[LINES])?;
    let lines = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
    // Made here, because it needs the runtime.
    let lines = SyncIoBridge::new(lines);
    let imported = blocking(&host, move |engine| Ok(engine.import_keys(&mut BufReader::new(lines))?)).await?;
    let engine::ImportedKeys { added, known, forgotten, refused, alive } = imported;
    Ok(form.answer(StatusCode::OK, &ImportedKeys { added, known, forgotten, refused, alive }))
}
