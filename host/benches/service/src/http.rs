//! One connection that is kept alive: HTTP/1.1 over TCP or a Unix socket.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Where a host is reached.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Connection {
    pub(crate) async fn open(address: &Address) -> std::io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Self::over(stream).await
            }
            Address::Unix(path) => Self::over(UnixStream::connect(path).await?).await,
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> std::io::Result<Self> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    async fn send(&mut self, method: Method, path: &str, kind: &str, body: Bytes) -> hyper::Result<Response<Incoming>> {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = if body.is_empty() { request } else { request.header("content-type", kind) };
        self.sender.ready().await?;
        self.sender.send_request(request.body(Full::new(body)).unwrap()).await
    }

    pub(crate) async fn request(
        &mut self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> hyper::Result<Answer> {
        let answer = self.send(method, path, kind, body).await?;
        let status = answer.status();
        Ok(Answer { status, body: answer.into_body().collect().await?.to_bytes() })
    }

    /// A request that must be answered with what was asked for.
    pub(crate) async fn get(&mut self, path: &str) -> Bytes {
        self.request(Method::GET, path, "", Bytes::new()).await.unwrap().expect_success(path)
    }

    pub(crate) async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Bytes {
        self.post_as(path, "application/json", body).await
    }

    pub(crate) async fn post_as(&mut self, path: &str, kind: &str, body: impl Into<Bytes>) -> Bytes {
        self.request(Method::POST, path, kind, body.into()).await.unwrap().expect_success(path)
    }

    pub(crate) async fn json(&mut self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).await).unwrap()
    }

    /// Has long work done, and waits until it is.
    pub(crate) async fn work(&mut self, path: &str) {
        let request = Request::builder().method(Method::POST).uri(path).header("host", "localhost");
        let request = request.header("accept", "text/event-stream").body(Full::default()).unwrap();
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("event: result"), "{path}: {text}");
    }

    /// Opens a stream of Server-Sent Events; the connection belongs to it from then on.
    pub(crate) async fn events(mut self, path: &str) -> Feed {
        let answer = self.send(Method::GET, path, "", Bytes::new()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        Feed { _sender: self.sender, body: answer.into_body(), text: Vec::new() }
    }
}

impl Answer {
    fn expect_success(self, path: &str) -> Bytes {
        assert!(self.status.is_success(), "{path}: {}: {}", self.status, String::from_utf8_lossy(&self.body));
        self.body
    }
}

/// Server-Sent Events as they arrive.
pub(crate) struct Feed {
    _sender: SendRequest<Full<Bytes>>,
    body: Incoming,
    text: Vec<u8>,
}

impl Feed {
    /// The position in the id of the next event of this name.
    pub(crate) async fn next_id(&mut self, name: &str) -> Option<u64> {
        loop {
            while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(id) = id_of(&event, name) {
                    return Some(id);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            self.text.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
    }
}

fn id_of(event: &[u8], name: &str) -> Option<u64> {
    let field = |field: &str| {
        let lines = event.split(|byte| *byte == b'\n');
        let value = lines.filter_map(|line| line.strip_prefix(field.as_bytes())?.strip_prefix(b":")).next()?;
        std::str::from_utf8(value).ok().map(str::trim)
    };
    // A checkpoint, and behind a hyphen which state it is of.
    let checkpoint = || field("id")?.split('-').next()?.parse().ok();
    (field("event") == Some(name)).then(checkpoint).flatten()
}
