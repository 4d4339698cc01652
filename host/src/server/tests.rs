//! The routes over a real engine, without sockets.

mod events;
mod follow;
mod plugins;
mod projections;
mod provenance;
mod receipts;
mod refusals;
mod traces;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Host, router};
use crate::engine::{Engine, Options, Pair, guests};

async fn ask(host: &Arc<Host>, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router(Arc::clone(host)).oneshot(request.body(body.into()).unwrap()).await.unwrap()
}

/// An answer's status, content type and body.
async fn answer(response: Response) -> (u16, String, Bytes) {
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, content_type.unwrap_or_default(), response.into_body().collect().await.unwrap().to_bytes())
}

async fn json(host: &Arc<Host>, method: &str, path: &str, content_type: &str, body: &str) -> (u16, Value) {
    let response = ask(host, method, path, &[("content-type", content_type)], body.to_owned()).await;
    let (status, _, bytes) = answer(response).await;
    (status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() })
}

async fn get(host: &Arc<Host>, path: &str) -> (u16, Value) {
    json(host, "GET", path, "", "").await
}

async fn post(host: &Arc<Host>, path: &str, body: Value) -> (u16, Value) {
    json(host, "POST", path, "application/json", &body.to_string()).await
}

fn host(dir: &tempfile::TempDir) -> Arc<Host> {
    Arc::new(Host::open(Arc::new(Engine::open(dir.path(), &Options::default()).unwrap())).unwrap())
}

/// A directory in which plugins are compiled but once for all tests.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(guests::shared_cache(), dir.path().join("cache")).unwrap();
    dir
}

async fn install(host: &Arc<Host>, guest: &str) -> (u16, Value) {
    let response = ask(host, "POST", "/plugins", &[("content-type", "application/wasm")], guests::bytes(guest)).await;
    let (status, _, bytes) = answer(response).await;
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn events_go_in_once_and_come_out_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let event = r#"{"stream":"a/1","type":"t","id":"one","data":{"x":1}}"#;
    let (status, appended) = json(&host, "POST", "/events?expect=none", "application/json", event).await;
    assert_eq!((status, &appended["events"][0]["sequence"]), (201, &json!(1)));
    assert_eq!(json(&host, "POST", "/events", "application/json", event).await.0, 200, "a duplicate");
    let lines = "{\"stream\":\"a/2\",\"type\":\"t\",\"data\":2}\nno event\n";
    let (status, problem) = json(&host, "POST", "/events?dry_run=true", "application/x-ndjson", lines).await;
    assert_eq!((status, &problem["line"]), (422, &json!(2)));
    let (status, imported) = json(&host, "POST", "/events?skip_bad=true", "application/x-ndjson", lines).await;
    assert_eq!((status, &imported["appended"], &imported["skipped"]), (200, &json!(1), &json!(1)));
    let (status, page) = json(&host, "GET", "/events?since=1", "", "").await;
    assert_eq!((status, &page["events"][0]["data"], &page["next"]), (200, &json!(2), &json!(2)));
    assert_eq!(json(&host, "GET", "/streams/a/1", "", "").await.1["version"], json!(1));
    assert_eq!(json(&host, "GET", "/events?stream=a/1", "", "").await.1["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_long_poll_wakes_with_an_append() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let event = r#"{"stream":"a/1","type":"t"}"#;
    let poll = json(&host, "GET", "/events?wait=60", "", "");
    let append = json(&host, "POST", "/events", "application/json", event);
    let ((_, page), _) = tokio::join!(poll, append);
    assert_eq!(page["events"][0]["sequence"], json!(1));
}
