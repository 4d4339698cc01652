//! Sends every command's requests: to the host that serves the data directory, or else to an engine of its own.
//!
//! Both answer through the same routes, so no command knows which of them it talks to.

mod answer;
mod find;
mod path;
mod patient;

use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::client::conn::http1::SendRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use super::error::Error;
use crate::engine::Options;
use crate::server::model::Progress;
use answer::{Events, Lines, Pieces};
pub(super) use path::{Query, segment, segments};

pub(super) const NDJSON: &str = "application/x-ndjson";
const EVENT_STREAM: &str = "text/event-stream";

/// A way to the API, open until it is dropped.
pub(super) struct Client {
    // Fields drop in this order: an engine of its own closes only when the runtime has let go of it.
    way: Way,
    runtime: Runtime,
    /// Where an engine of its own writes that must not write to the data directory.
    _beside: Option<TempDir>,
}

enum Way {
    /// A host serves the directory.
    Served(SendRequest<Body>),
    /// This process has the directory.
    Own(axum::Router),
}

/// What a request carries.
pub(super) enum Content {
    Nothing,
    Json(Vec<u8>),
    Cbor(Vec<u8>),
    /// A plugin's file, and what goes along.
    Component {
        bytes: Vec<u8>,
        headers: HeaderMap,
    },
    /// Lines of JSON, as they lie in the file.
    Lines {
        lines: Body,
        is_gzip: bool,
    },
}

impl Client {
    /// Finds the host that serves `dir`, or opens the directory, waiting for another process as long as `options` says.
    pub(super) fn connect(dir: &Path, options: &Options) -> Result<Self, Error> {
        find::connect(dir, options)
    }

    /// Finds the host that serves `dir`, or opens the directory to check receipts alone: it stays as it is, and need only be
    /// readable.
    pub(super) fn connect_to_check(dir: &Path, options: &Options) -> Result<Self, Error> {
        find::connect_to_check(dir, options)
    }

    /// Whether a host answers, so that nothing is held while an answer is waited for.
    pub(super) fn is_served(&self) -> bool {
        matches!(self.way, Way::Served(_))
    }

    pub(super) fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Error> {
        let answer = self.ask(Method::GET, path, Content::Nothing);
        answer.map_err(|error| error.advised("nothing was changed; run the command again"))
    }

    /// Asks for something that needs no more words than its path.
    pub(super) fn act<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Error> {
        self.ask(Method::POST, path, Content::Nothing)
    }

    pub(super) fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.ask(Method::POST, path, Content::json(body))
    }

    pub(super) fn put<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.ask(Method::PUT, path, Content::json(body))
    }

    /// Sends one request and reads its whole answer.
    pub(super) fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        content: Content,
    ) -> Result<T, Error> {
        let request = request(method, path, "application/json", content)?;
        let Self { way, runtime, .. } = self;
        let body = runtime.block_on(async { answer::whole(way.send(request).await?).await })?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::Broken(format!("the host's answer is not understood: {error}")))
    }

    /// Deletes what a path names.
    pub(super) fn delete(&mut self, path: &str) -> Result<(), Error> {
        let request = request(Method::DELETE, path, "application/json", Content::Nothing)?;
        let Self { way, runtime, .. } = self;
        runtime.block_on(async { answer::whole(way.send(request).await?).await }).map(drop)
    }

    /// Lets long work be done and tells how far it is; returns what it led to.
    pub(super) fn work<T: DeserializeOwned>(&mut self, path: &str, watch: impl FnMut(&Progress)) -> Result<T, Error> {
        self.work_on(path, Content::Nothing, watch)
    }

    /// The same with something that the work is done on.
    pub(super) fn work_on<P: DeserializeOwned, T: DeserializeOwned>(
        &mut self,
        path: &str,
        content: Content,
        mut watch: impl FnMut(&P),
    ) -> Result<T, Error> {
        self.follow(request(Method::POST, path, EVENT_STREAM, content)?, &mut watch)
    }

    /// Asks for something that takes a while and changes nothing.
    pub(super) fn look<T: DeserializeOwned>(
        &mut self,
        path: &str,
        mut watch: impl FnMut(&Progress),
    ) -> Result<T, Error> {
        self.follow(request(Method::GET, path, EVENT_STREAM, Content::Nothing)?, &mut watch)
    }

    fn follow<P: DeserializeOwned, T: DeserializeOwned>(
        &mut self,
        request: Request<Body>,
        watch: &mut impl FnMut(&P),
    ) -> Result<T, Error> {
        let Self { way, runtime, .. } = self;
        runtime.block_on(async { Events::of(way.send(request).await?).outcome(watch).await })
    }

    /// Hands over an answer piece by piece, until `take` wants no more.
    pub(super) fn pieces(
        &mut self,
        method: Method,
        path: &str,
        content: Content,
        accept: &'static str,
        mut take: impl FnMut(Bytes) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let request = request(method, path, accept, content)?;
        let Self { way, runtime, .. } = self;
        runtime.block_on(async {
            let mut pieces = Pieces::of(way.send(request).await?);
            while let Some(piece) = pieces.next().await? {
                if !take(piece)? {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Hands over the lines of an answer one by one. An answer that breaks off is an error.
    pub(super) fn lines(&mut self, path: &str, mut take: impl FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        let request = request(Method::GET, path, NDJSON, Content::Nothing)?;
        let Self { way, runtime, .. } = self;
        runtime.block_on(async {
            let mut lines = Lines::of(way.send(request).await?);
            while let Some(line) = lines.next().await? {
                take(&line)?;
            }
            Ok(())
        })
    }
}

impl Way {
    async fn send(&mut self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let response = match self {
            Self::Served(connection) => {
                connection.ready().await.map_err(broken)?;
                connection.send_request(request).await.map_err(broken)?.map(Body::new)
            }
            Self::Own(router) => {
                let Ok(response) = router.clone().oneshot(request).await;
                response
            }
        };
        answer::checked(response).await
    }
}

impl Content {
    pub(super) fn json(body: &impl Serialize) -> Self {
        Self::Json(serde_json::to_vec(body).expect("what is sent is plain data"))
    }
}

fn request(method: Method, path: &str, accept: &'static str, content: Content) -> Result<Request<Body>, Error> {
    let request = Request::builder().method(method).uri(path).header(HOST, "localhost").header(ACCEPT, accept);
    let request = match content {
        Content::Nothing => request.body(Body::empty()),
        Content::Json(json) => request.header(CONTENT_TYPE, "application/json").body(Body::from(json)),
        Content::Cbor(cbor) => request.header(CONTENT_TYPE, "application/cbor").body(Body::from(cbor)),
        Content::Component { bytes, headers } => {
            let request = request.header(CONTENT_TYPE, "application/wasm");
            let with_all = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            with_all.body(Body::from(bytes))
        }
        Content::Lines { lines, is_gzip } => {
            let request = request.header(CONTENT_TYPE, NDJSON);
            let packed = is_gzip.then(|| HeaderValue::from_static("gzip"));
            packed.into_iter().fold(request, |request, gzip| request.header(CONTENT_ENCODING, gzip)).body(lines)
        }
    };
    // Whatever has a meaning in them is escaped where paths are made, so that only their length is left.
    request.map_err(|_| Error::Usage(format!("a name of {} bytes is longer than anything is named", path.len())))
}

/// What ended a connection before its answer.
fn broken(error: impl std::error::Error) -> Error {
    Error::Broken(format!("the connection to the host broke: {}", answer::deepest(&error)))
}
