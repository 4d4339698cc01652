//! Receipts and proofs, the key that signs them, and the check of such documents.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer};

use super::accept::{CBOR, Form, JSON, LongForm};
use super::access::Access;
use super::answer::{blocking, media_type, must_be, read_body};
use super::model::{CheckedReceipt, HostKey};
use super::params::{NoParams, Params};
use super::problem::Problem;
use super::{Host, sse};
use crate::engine::{DOCUMENT_BYTES_MAX, Document, PLUGIN_BYTES_MAX, PublicKey};
use crate::event::{Sequence, Timestamp};

/// 260 MiB: a document, and four plugins of the largest size.
const CHECK_BYTES_MAX: usize = DOCUMENT_BYTES_MAX + 4 * PLUGIN_BYTES_MAX;

type Answered = Result<Response, Problem>;

/// Signs what the readable state of a projection is at its checkpoint.
///
/// The state may be behind the log: the receipt says where it is. As CBOR it is canonical.
#[utoipa::path(get, path = "/projections/{name}/receipt", tag = "receipts", operation_id = "make_receipt",
    params(("name" = String, Path)),
    responses((status = 200, description = "The signed receipt", body = Document),
        (status = 404, description = "There is no such projection")))]
pub(super) async fn of_projection(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    Path(name): Path<String>,
) -> Answered {
    let made = blocking(&host, move |engine| {
        access.may_read_projection(&*engine.manifest(&name)?)?;
        Ok(engine.receipt(&name, Timestamp::now())?)
    });
    written(form, &made.await?)
}

/// Proves what a state holds under a key, which may have slashes, or that it holds nothing there.
///
/// The document has a signed receipt of the state, the value, and the path from it to the state digest. It shows the keys,
/// and the digests of the values, of some neighbours.
#[utoipa::path(get, path = "/projections/{name}/proof/{*key}", tag = "receipts", operation_id = "prove_entry",
    params(("name" = String, Path), ("key" = String, Path, description = "The key; a slash may stand as it is")),
    responses((status = 200, description = "The proof", body = Document),
        (status = 404, description = "There is no such projection")))]
pub(super) async fn entry(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    _: NoParams,
    Path((name, key)): Path<(String, String)>,
) -> Answered {
    let made = blocking(&host, move |engine| {
        access.may_read_projection(&*engine.manifest(&name)?)?;
        Ok(engine.prove_entry(&name, &key, Timestamp::now())?)
    });
    written(form, &made.await?)
}

/// Proves that an event is in the log.
///
/// The document has a signed receipt of the log, the event, and the path from it to the event root. It shows nothing of other
/// events.
#[utoipa::path(get, path = "/events/{sequence}/proof", tag = "receipts", operation_id = "prove_event",
    params(("sequence" = u64, Path, minimum = 1),
        ("payload" = Option<bool>, Query, description = "Whether the payload is in it, or only its digest; true if left out")),
    responses((status = 200, description = "The proof", body = Document),
        (status = 404, description = "There is no such event")))]
pub(super) async fn event(
    State(host): State<Arc<Host>>,
    access: Access,
    form: Form,
    params: Params,
    Path(sequence): Path<u64>,
) -> Answered {
    params.only(&["payload"])?;
    let (sequence, with_payload) = (Sequence(sequence), params.flag("payload", true)?);
    let made = blocking(&host, move |engine| {
        access.may_read_stream(&engine.stream_of(sequence)?)?;
        Ok(engine.prove_event(sequence, with_payload, Timestamp::now())?)
    });
    written(form, &made.await?)
}

/// Shows the public key that signs this host's receipts; it is made on first use.
#[utoipa::path(get, path = "/key", tag = "receipts", operation_id = "show_key",
    responses((status = 200, description = "The key", body = HostKey)))]
pub(super) async fn key(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Answered {
    let key = blocking(&host, |engine| Ok(engine.host_key()?)).await?;
    Ok(form.answer(StatusCode::OK, &HostKey { algorithm: "ed25519".to_owned(), key }))
}

/// Checks a receipt or a proof against this log, whoever made it.
///
/// First the signature and what the document proves; then chain head and event root, recomputed from the events; and of a
/// state's receipt also the state, folded anew with the plugins that the receipt names. These are in the data directory, or
/// come with the document in a CBOR map: `document` (a byte string, JSON or CBOR) and `plugins` (byte strings). What does
/// not hold is in the answer, and no error. With `Accept: text/event-stream` events `progress` tell how far it is, then
/// `result` or `error`.
#[utoipa::path(post, path = "/receipts/check", tag = "receipts", operation_id = "check_receipt",
    params(("key" = Option<String>, Query, description = "The public key that must have signed it")),
    request_body(description = "The document, 4 MiB at most; with plugins 260 MiB",
        content((Document = "application/json"), (Vec<u8> = "application/cbor"))),
    responses((status = 200, description = "It was checked, and holds or does not",
            content((CheckedReceipt), ("text/event-stream"))),
        (status = 422, description = "It is no receipt and no proof, or may not be checked here")))]
pub(super) async fn check(
    State(host): State<Arc<Host>>,
    form: LongForm,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    params.only(&["key"])?;
    let key: Option<PublicKey> = params.parsed("key")?;
    must_be(&headers, &[JSON, CBOR])?;
    let (document, plugins) = handed_over(&headers, body).await?;
    let checked = sse::long(host, form, move |engine, watch| {
        let head = engine.head().sequence().0;
        let key = key.as_ref().map(PublicKey::as_str);
        let check = engine.check(document, key, &plugins, |now| watch(sse::progress(now, head)))?;
        Ok(CheckedReceipt::from(check))
    });
    Ok(checked.await)
}

/// A document with the plugins that it needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithPlugins {
    document: ByteString,
    plugins: Vec<ByteString>,
}

/// Taken as bytes alone: a list of as many numbers would be many times as large in memory.
struct ByteString(Vec<u8>);

impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Bytes).map(Self)
    }
}

async fn handed_over(headers: &HeaderMap, body: Body) -> Result<(Document, Vec<Vec<u8>>), Problem> {
    if media_type(headers) == JSON {
        return Ok((parsed(&read_body(body, DOCUMENT_BYTES_MAX).await?)?, Vec::new()));
    }
    let bytes: Bytes = read_body(body, CHECK_BYTES_MAX).await?;
    match ciborium::from_reader::<WithPlugins, _>(&*bytes) {
        Ok(WithPlugins { document, plugins }) => {
            Ok((parsed(&document.0)?, plugins.into_iter().map(|plugin| plugin.0).collect()))
        }
        Err(_) => Ok((parsed(&bytes)?, Vec::new())),
    }
}

fn parsed(bytes: &[u8]) -> Result<Document, Problem> {
    Ok(Document::parse(bytes).map_err(crate::engine::Error::from)?)
}

fn written(form: Form, document: &Document) -> Answered {
    let (content_type, bytes) = match form {
        Form::Json => (JSON, document.to_json().into_bytes()),
        Form::Cbor => (CBOR, document.to_cbor().map_err(crate::engine::Error::from)?),
    };
    Ok((StatusCode::OK, [(CONTENT_TYPE, content_type)], bytes).into_response())
}
