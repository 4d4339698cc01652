//! Golden traces through the API.

use super::*;
use crate::engine::Trace;

/// A trace's lines, and the trace that they are.
async fn trace(host: &Arc<Host>, path: &str) -> (String, Trace) {
    let response = ask(host, "GET", path, &[("accept", "application/x-ndjson")], "").await;
    let (status, content_type, bytes) = answer(response).await;
    assert_eq!((status, content_type.as_str()), (200, "application/x-ndjson"), "{path}: {bytes:?}");
    let trace = Trace::read(&mut &*bytes).unwrap();
    (String::from_utf8(bytes.to_vec()).unwrap(), trace)
}

async fn append(host: &Arc<Host>, count: usize) {
    let lines: String =
        (1..=count).map(|number| format!("{{\"stream\":\"a/1\",\"type\":\"t\",\"id\":\"{number}\"}}\n")).collect();
    assert_eq!(json(host, "POST", "/events", "application/x-ndjson", &lines).await.0, 200);
}

#[tokio::test]
async fn a_slice_is_recorded_from_an_empty_state() {
    let dir = directory();
    let host = host(&dir);
    append(&host, 5).await;
    install(&host, "event-counts").await;
    assert_eq!(post(&host, "/projections", json!({"name": "event-counts"})).await.0, 201);
    let (all, whole) = trace(&host, "/projections/event-counts/trace").await;
    assert_eq!((whole.events.len(), whole.since.0, whole.to.0), (5, 0, 5));
    assert!(all.contains("\"plugin\":\"event-counts@0.1.0\""), "{all}");
    let (_, part) = trace(&host, "/projections/event-counts/trace?since=1&to=4&limit=2").await;
    assert_eq!((part.events.len(), part.since.0, part.to.0), (2, 1, 3));
    assert_ne!(part.made.digest(), whole.made.digest());
    let (_, none) = trace(&host, "/projections/event-counts/trace?since=5").await;
    assert_eq!((none.events.len(), none.to.0), (0, 5));
    assert_eq!(trace(&host, "/projections/event-counts/trace").await.0, all, "twice the same");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused() {
    let dir = directory();
    let host = host(&dir);
    append(&host, 1).await;
    install(&host, "event-counts").await;
    assert_eq!(post(&host, "/projections", json!({"name": "event-counts"})).await.0, 201);
    for (path, status, code) in [
        ("/projections/nothing/trace", 404, "unknown-projection"),
        ("/plugins/nothing/trace", 404, "unknown-plugin"),
        ("/plugins/event-counts/trace", 409, "wrong-kind"),
        ("/projections/event-counts/trace?limit=0", 400, "invalid-request"),
        ("/projections/event-counts/trace?limit=100001", 400, "invalid-request"),
        ("/projections/event-counts/trace?type=t", 400, "invalid-request"),
    ] {
        let (found, problem) = get(&host, path).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{path}: {problem}");
    }
}
