//! What every request passes that comes over a connection: is the host still open, who asks, and the record of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

use super::Host;
use super::access::{Access, Door, admit};
use super::problem::{Code, Problem};

#[derive(Clone)]
struct Gate {
    host: Arc<Host>,
    is_token_required: bool,
}

/// The routes behind the gate.
pub(super) fn guarded(router: Router, host: &Arc<Host>, is_token_required: bool) -> Router {
    let gate = Gate { host: Arc::clone(host), is_token_required };
    router.layer(from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let service = gate.host.service();
    let method = request.method().clone();
    let version = request.version();
    // The route and not the path, which anybody can make up without end.
    let route = request.extensions().get::<MatchedPath>().map_or("none", |route| route.as_str()).to_owned();
    // What changes plugins, projections or tokens is for the log; appends and reads are too many.
    let operation = (!method.is_safe() && route != "/events").then(|| request.uri().path().to_owned());
    let response = match service.enter() {
        Some(at_work) => {
            let response = match gate.admit(request) {
                Ok((request, access)) => until_revoked(next.run(request).await, &access),
                Err(problem) => refused(problem),
            };
            // At work until the last of the answer is handed over.
            let held = (at_work, is_events(&response).then(|| service.traffic().subscribed()));
            response.map(|body| Body::new(Holding { body, _held: held }))
        }
        None => closed(version),
    };
    let status = response.status().as_u16();
    service.traffic().answered(&route, method.as_str(), status, began.elapsed());
    if let Some(path) = operation {
        tracing::info!(%method, path, status, "operation");
    }
    tracing::debug!(%method, route, status, seconds = began.elapsed().as_secs_f64(), "request");
    response
}

/// Lets an answer without end have one when the token is revoked that opened it.
fn until_revoked(response: Response, access: &Access) -> Response {
    if !is_events(&response) {
        return response;
    }
    let revoked = access.revoked().clone().cancelled_owned();
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(revoked)))
}

fn is_events(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/event-stream"))
}

impl Gate {
    /// Lets a request on that may, with what it may, and without the secret that it showed.
    fn admit(&self, mut request: Request) -> Result<(Request, Arc<Access>), Problem> {
        // Whoever does not say where they come from comes from far away.
        let door = request.extensions().get::<Door>().copied().unwrap_or(Door::Network);
        let asked = (request.method(), request.uri().path(), request.headers());
        let access = admit(door, self.host.service().tokens(), self.is_token_required, asked)?;
        request.headers_mut().remove(AUTHORIZATION);
        request.extensions_mut().insert(Arc::clone(&access));
        Ok((request, access))
    }
}

fn refused(problem: Problem) -> Response {
    let is_unknown = problem.code == Code::Unauthorized;
    let mut response = problem.into_response();
    if is_unknown {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"polyfold\""));
    }
    response
}

/// The answer of a host that is about to stop.
fn closed(version: Version) -> Response {
    let mut response = Problem::new(Code::ShuttingDown, "the host is shutting down; try again").into_response();
    close(version, response.headers_mut());
    response
}

/// HTTP/2 has another way to say that a connection ends, and forbids this header.
fn close(version: Version, headers: &mut HeaderMap) {
    if version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A body that holds something until it is sent or given up.
struct Holding<T> {
    body: Body,
    _held: T,
}

impl<T: Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
