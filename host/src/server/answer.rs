//! What every answer goes through: engine calls off the async threads, JSON or CBOR, and problems for every error.

use std::any::Any;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;

use super::Host;
use super::accept::{CBOR, Form, JSON};
use super::problem::{Code, Problem};
use crate::engine::Engine;

/// 32 MiB of JSON: an append's 16 MiB, escaped and indented.
pub(super) const JSON_BYTES_MAX: usize = 32 << 20;

impl Form {
    pub(super) fn answer<T: Serialize>(self, status: StatusCode, value: &T) -> Response {
        let written = match self {
            Self::Json => serde_json::to_vec(value).map_err(|error| error.to_string()),
            Self::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(value, &mut bytes).map(|()| bytes).map_err(|error| error.to_string())
            }
        };
        let content_type = match self {
            Self::Json => JSON,
            Self::Cbor => CBOR,
        };
        match written {
            Ok(bytes) => (status, [(CONTENT_TYPE, content_type)], bytes).into_response(),
            Err(error) => {
                Problem::new(Code::Internal, format!("the answer cannot be written: {error}")).into_response()
            }
        }
    }
}

/// Calls the engine on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    host: &Arc<Host>,
    call: impl FnOnce(&Engine) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let host = Arc::clone(host);
    let called = tokio::task::spawn_blocking(move || call(host.engine())).await;
    called.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "an internal error; the host's log says more")))
}

/// Reads a body, but not more of it than is allowed.
pub(super) async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::new(Code::TooLarge, format!("the body is larger than {bytes_max} bytes")))
        }
        Err(error) => Err(Problem::new(Code::InvalidRequest, format!("the body cannot be read: {error}"))),
    }
}

/// Reads a JSON body into one of the wire's shapes.
pub(super) async fn read_json<T: serde::de::DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    must_be(headers, &[JSON])?;
    let bytes = read_body(body, JSON_BYTES_MAX).await?;
    // An array would be taken for the fields of a shape in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(Code::InvalidRequest, "the body must be a JSON object"));
    }
    serde_json::from_slice(&bytes).map_err(|error| Problem::new(Code::InvalidRequest, format!("the body: {error}")))
}

/// Refuses a body of a type that the route does not read.
pub(super) fn must_be(headers: &HeaderMap, known: &[&str]) -> Result<(), Problem> {
    let media_type = media_type(headers);
    if known.contains(&media_type.as_str()) {
        return Ok(());
    }
    let detail = format!("the body must be {}, not {media_type:?}", known.join(" or "));
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// The body's media type without parameters, in lower case; empty if there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Makes a problem of every error that is none yet, and CBOR of it where that is asked for.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let form = Form::of(request.headers());
    let asked = format!("{} {}", request.method(), request.uri().path());
    let mut response = next.run(request).await;
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let known = response.extensions_mut().remove::<Problem>();
    let is_known = known.is_some();
    let problem = known.unwrap_or_else(|| of_status(response.status(), &asked));
    if is_known && form == Form::Json {
        return response;
    }
    let mut made = match form {
        Form::Json => problem.into_response(),
        Form::Cbor => {
            let status = response.status();
            form.answer(status, &problem)
        }
    };
    // `Allow` and the like stay; what describes the body does not.
    for (name, value) in response.headers() {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            made.headers_mut().insert(name, HeaderValue::clone(value));
        }
    }
    made
}

/// What axum refuses by itself.
fn of_status(status: StatusCode, asked: &str) -> Problem {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => (Code::NoSuchRoute, format!("there is no {asked}; /openapi.json lists all routes")),
        StatusCode::METHOD_NOT_ALLOWED => (Code::MethodNotAllowed, format!("{asked}: another method is needed")),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::TooLarge, "the body is too large".to_owned()),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (Code::UnsupportedMediaType, "the body has another type".to_owned()),
        status if status.is_client_error() => (Code::InvalidRequest, format!("{asked} cannot be read")),
        _ => (Code::Internal, "an internal error; the host's log says more".to_owned()),
    };
    Problem::new(code, detail)
}

/// A handler's panic, which is a bug: it ends one request, not the host.
pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    Problem::new(Code::Internal, "an internal error; the host's log says more").into_response()
}
