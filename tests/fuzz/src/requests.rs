//! HTTP requests against the routes of a real host, without a socket.
//!
//! Whatever is asked, the answer is one that the API describes: its own errors are problems that say their status, JSON is
//! JSON, and nothing is an internal error.

mod host;

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tower::ServiceExt as _;

pub(crate) use self::host::TestHost;

/// Requests as text, a line with `---` between them: method and path, headers, an empty line, the body.
pub fn run(data: &[u8]) {
    let mut host = TestHost::get();
    let mut is_changed = false;
    for text in split(data, b"\n---\n").into_iter().take(REQUESTS_MAX) {
        if let Some(request) = request(text) {
            is_changed |= RUNTIME.block_on(ask(&mut host, request));
        }
    }
    // The next input finds what this one found, or nobody could repeat it.
    if is_changed {
        host.renew();
    }
}

/// Removes what the hosts left on the disk, for who runs some inputs and goes on to something else.
pub fn end() {
    TestHost::get().end();
}

const REQUESTS_MAX: usize = 4;

/// Nothing here takes as long, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a request has in it that is to be kept waiting.
const WAITING: [&str; 4] = ["wait", "stream", "changes", "min_sequence"];

/// How long a client waits that asked for it.
const WAIT: Duration = Duration::from_millis(20);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("threads start")
});

fn split<'a>(mut data: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = data.windows(by.len()).position(|window| window == by) {
        parts.push(&data[..at]);
        data = &data[at + by.len()..];
    }
    parts.push(data);
    parts
}

fn request(text: &[u8]) -> Option<Request<Body>> {
    let head_bytes = text.windows(2).position(|window| window == b"\n\n");
    let (head, body) = head_bytes.map_or((text, &[][..]), |at| (&text[..at], &text[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, path) = lines.next()?.split_at_checked(lines_method(head)?)?;
    let mut request = Request::builder().method(method).uri(path.trim_ascii());
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..at], line[at + 1..].trim_ascii());
    }
    request.body(Body::from(body.to_vec())).ok()
}

/// Where the method ends.
fn lines_method(head: &[u8]) -> Option<usize> {
    head.iter().position(|byte| *byte == b' ')
}

/// Asks, checks the answer, and says whether the host may be another now.
async fn ask(host: &mut TestHost, request: Request<Body>) -> bool {
    let asked = format!("{} {}", request.method(), request.uri());
    let (is_reading, waits) = (request.method() == "GET", WAITING.iter().any(|name| asked.contains(name)));
    let answered = timeout(if waits { WAIT } else { PATIENCE }, host.router().oneshot(request)).await;
    let Ok(Ok(response)) = answered else {
        assert!(waits, "{asked} is not answered");
        return true;
    };
    let status = response.status();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{asked}: {:?}", read(response).await);
    let is_error = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.to_owned().as_str() {
        "application/json" => check_json(&asked, &read(response).await, None),
        "application/problem+json" => check_json(&asked, &read(response).await, Some(status)),
        "application/cbor" => {
            let body = read(response).await;
            ciborium::from_reader::<ciborium::Value, _>(&*body).unwrap_or_else(|error| panic!("{asked}: {error}"));
        }
        kind => {
            assert!(!is_error, "{asked}: {status} is {kind:?}");
            read(response).await;
        }
    }
    !is_reading && !is_error
}

fn check_json(asked: &str, body: &[u8], problem: Option<StatusCode>) {
    let value: serde_json::Value = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("{asked}: {error} in {}", String::from_utf8_lossy(body)));
    let Some(status) = problem else { return };
    assert_eq!(value["status"], status.as_u16(), "{asked}: {value}");
    assert!(value["code"].as_str().is_some_and(|code| code != "internal"), "{asked}: {value}");
}

/// A body, or as much of it as comes before it keeps its reader waiting.
async fn read(response: Response) -> Bytes {
    let (mut body, mut bytes) = (response.into_body(), Vec::new());
    while let Ok(Some(Ok(frame))) = timeout(WAIT * 10, body.frame()).await {
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    bytes.into()
}
