//! Streams that do not end by themselves: read frame by frame, resumed, and ended by a revoked token.

use axum::http::Request;

use super::*;
use crate::server::access::Door;
use crate::server::gate;
use crate::server::model::{NewToken, Scope};

/// Reads events of a stream from its body.
struct Frames(Body, String);

impl Frames {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(response.into_body(), String::new())
    }

    /// The next event: its lines; none at the end.
    async fn next(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some((frame, rest)) = self.1.split_once("\n\n") {
                let frame = frame.lines().map(str::to_owned).collect();
                self.1 = rest.to_owned();
                return Some(frame);
            }
            let frame = self.0.frame().await?.unwrap().into_data().unwrap();
            self.1 += std::str::from_utf8(&frame).unwrap();
        }
    }
}

async fn append(host: &Arc<Host>, stream: &str) {
    assert_eq!(post(host, "/events", json!({"stream": stream, "type": "t"})).await.0, 201);
}

#[tokio::test]
async fn a_follower_resumes_behind_what_it_saw_and_sees_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    for number in 1..=3 {
        append(&host, &format!("a/{number}")).await;
    }
    let response = ask(&host, "GET", "/events/stream?since=0", &[("last-event-id", "1")], "").await;
    let mut frames = Frames::of(response);
    for sequence in 2..=3 {
        let frame = frames.next().await.unwrap();
        assert_eq!(frame[..2], ["event: event".to_owned(), format!("id: {sequence}")]);
        let event: Value = serde_json::from_str(frame[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["stream"], json!(format!("a/{sequence}")));
    }
    let (frame, ()) = tokio::join!(frames.next(), append(&host, "a/4"));
    assert_eq!(frame.unwrap()[1], "id: 4");
    host.service().close();
    assert_eq!(frames.next().await.unwrap()[0], "event: shutdown");
    assert_eq!(frames.next().await, None);
}

#[tokio::test]
async fn who_filters_is_told_how_far_it_is_and_a_closed_range_ends() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    for stream in ["a/1", "b/1", "a/2"] {
        append(&host, stream).await;
    }
    let mut frames = Frames::of(ask(&host, "GET", "/events/stream?category=c", &[], "").await);
    assert_eq!(frames.next().await.unwrap()[..2], ["event: head", "id: 3"]);
    let mut frames = Frames::of(ask(&host, "GET", "/events/stream?category=a&category=b&to=2", &[], "").await);
    assert_eq!(frames.next().await.unwrap()[1], "id: 1");
    assert_eq!(frames.next().await.unwrap()[1], "id: 2");
    assert_eq!(frames.next().await, None);
    let wrong = ask(&host, "GET", "/events/stream", &[("last-event-id", "x")], "").await;
    assert_eq!(wrong.status(), 400);
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    append(&host, "a/1").await;
    let new = NewToken { name: "reader".to_owned(), scopes: vec![Scope::Read], categories: Vec::new() };
    let made = host.service().tokens().create(new).unwrap();
    let guarded = gate::guarded(router(Arc::clone(&host)), &host, true);
    let request = Request::builder()
        .uri("/events/stream")
        .header("authorization", format!("Bearer {}", made.secret))
        .extension(Door::Network);
    let response = guarded.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut frames = Frames::of(response);
    assert_eq!(frames.next().await.unwrap()[1], "id: 1");
    let path = format!("/tokens/{}", made.token.id);
    let revoke = json(&host, "DELETE", &path, "", "");
    let (end, (status, _)) = tokio::join!(frames.next(), revoke);
    assert_eq!((end, status), (None, 204));
}

#[tokio::test]
async fn long_work_is_followed_to_its_result() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    append(&host, "a/1").await;
    let mut frames = Frames::of(ask(&host, "POST", "/log/verify", &[("accept", "text/event-stream")], "").await);
    let mut last = Vec::new();
    while let Some(frame) = frames.next().await {
        last = frame;
    }
    assert_eq!(last[0], "event: result");
    assert!(last[1].contains("\"events\":1"), "{last:?}");
    let accept = [("accept", "text/event-stream")];
    let mut frames = Frames::of(ask(&host, "POST", "/projections/none/verify", &accept, "").await);
    let frame = frames.next().await.unwrap();
    assert_eq!(frame[0], "event: error");
    assert!(frame[1].contains("unknown-projection"), "{frame:?}");
}
