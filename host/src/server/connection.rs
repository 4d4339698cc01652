//! One connection: its handshake, its protocol, its limits, and its end.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutBody;

use super::access::Door;
use super::listen::Stream;
use super::wire::{Protocol, Wire};

/// Headers of a request together. A token and some dozen headers take a tenth of it.
const HEADER_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

/// An HTTP/2 peer is asked this often whether it is there, and has as long to say so.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long a peer may leave what is sent to it unread.
const UNREAD_MAX: Duration = Duration::from_secs(30);

/// How long a peer may take. Whoever opens the socket owns the data directory and need not hurry.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a connection's begin, or the answer before, to the end of a request's headers; and for the TLS handshake.
    pub headers: Duration,
    /// From one piece of a body to the next.
    pub body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { headers: Duration::from_secs(10), body: Duration::from_secs(30) }
    }
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) patience: Patience,
    /// From now on a connection ends as soon as it has nothing to answer.
    pub(super) drained: CancellationToken,
}

impl Connections {
    /// Serves a connection until it ends. Each way in has its own room in memory, or all would take that of the largest:
    /// a connection that only waits should cost little.
    pub(super) async fn serve(self, stream: Stream, door: Door) -> io::Result<()> {
        match (stream, &self.tls) {
            (Stream::Socket(stream), _) => Box::pin(self.speak(stream, door)).await,
            (Stream::Tcp(stream), None) => Box::pin(self.speak(stream, door)).await,
            (Stream::Tcp(stream), Some(tls)) => {
                let stream = Box::pin(within(self.patience.headers, tls.accept(stream))).await?;
                Box::pin(self.speak(stream, door)).await
            }
        }
    }

    async fn speak<S>(self, stream: S, door: Door) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut wire = Wire::new(stream, UNREAD_MAX);
        let protocol = tokio::select! {
            protocol = within(self.patience.headers, wire.protocol()) => protocol?,
            () = self.drained.cancelled() => return Ok(()),
        };
        let io = TokioIo::new(wire);
        match protocol {
            None => Ok(()),
            Some(Protocol::Http1) => Box::pin(self.http1(io, door)).await.map_err(io::Error::other),
            Some(Protocol::Http2) => Box::pin(self.http2(io, door)).await.map_err(io::Error::other),
        }
    }

    async fn http1<S>(self, io: TokioIo<Wire<S>>, door: Door) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).max_buf_size(HEADER_BYTES_MAX).max_headers(HEADERS_MAX).half_close(false);
        builder.header_read_timeout((door != Door::Socket).then_some(self.patience.headers));
        let mut connection = std::pin::pin!(builder.serve_connection(io, self.service(door)));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.drained.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    async fn http2<S>(self, io: TokioIo<Wire<S>>, door: Door) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_BYTES_MAX as u32);
        builder.keep_alive_interval(PING_EVERY).keep_alive_timeout(PING_EVERY);
        let mut connection = std::pin::pin!(builder.serve_connection(io, self.service(door)));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.drained.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    /// The routes, for requests that come through this door.
    fn service(
        &self,
        door: Door,
    ) -> TowerToHyperService<
        impl tower::Service<
            Request<Incoming>,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    > {
        let patience = self.patience;
        let service = self.router.clone().map_request(move |request: Request<Incoming>| {
            let mut request = request.map(|body| Body::new(TimeoutBody::new(patience.body, body)));
            request.extensions_mut().insert(door);
            request
        });
        TowerToHyperService::new(service)
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the peer takes too long");
    tokio::time::timeout(time, work).await.map_err(late)?
}
