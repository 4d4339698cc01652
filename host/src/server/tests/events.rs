//! Events in every form: CloudEvents in HTTP's three modes, and lines.

use std::io::Write as _;

use super::*;

const STRUCTURED: &str = "application/cloudevents+json";
const LINES: &str = "application/x-ndjson";

fn cloud_event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "https://shop.example/orders", "type": "order.placed",
        "subject": "17", "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
        "dataschema": "https://shop.example/order.json", "actor": "me", "schemaversion": "2", "priority": "high",
        "data": {"euros": 10},
    })
}

async fn stored(host: &Arc<Host>, sequence: u64) -> Value {
    get(host, &format!("/events?since={}&limit=1", sequence - 1)).await.1["events"][0].clone()
}

fn check_attributes(stored: &Value, id: &str) {
    let source = "https://shop.example/orders";
    assert_eq!(stored["id"], json!(format!("{source} {id}")));
    assert_eq!(stored["stream"], json!("shop.example.orders/17"));
    assert_eq!((&stored["type"], &stored["schema_version"]), (&json!("order.placed"), &json!(2)));
    assert_eq!((&stored["occurred_at"], &stored["actor"]), (&json!("2026-01-01T00:00:00Z"), &json!("me")));
    let metadata = json!({
        "source": source, "subject": "17", "priority": "high", "datacontenttype": "application/json",
        "dataschema": "https://shop.example/order.json",
    });
    assert_eq!(stored["metadata"], metadata);
    assert_eq!(stored["data"], json!({"euros": 10}));
}

#[tokio::test]
async fn cloud_events_keep_their_attributes_in_every_mode() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let text = cloud_event("structured").to_string();
    assert_eq!(json(&host, "POST", "/events", STRUCTURED, &text).await.0, 201);
    check_attributes(&stored(&host, 1).await, "structured");

    let batch = json!([cloud_event("first"), cloud_event("second")]).to_string();
    let batched = json(&host, "POST", "/events", "application/cloudevents-batch+json", &batch).await;
    assert_eq!(batched.0, 201);
    check_attributes(&stored(&host, 2).await, "first");
    check_attributes(&stored(&host, 3).await, "second");

    let headers = |id| {
        [
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-source", "https://shop.example/orders"),
            ("ce-type", "order%2Eplaced"),
            ("ce-subject", "17"),
            ("ce-time", "2026-01-01T00:00:00Z"),
            ("ce-dataschema", "https://shop.example/order.json"),
            ("ce-actor", "me"),
            ("ce-schemaversion", "2"),
            ("ce-priority", "high"),
            ("content-type", "application/json"),
        ]
    };
    let binary = answer(ask(&host, "POST", "/events", &headers("binary"), r#"{"euros":10}"#).await).await;
    assert_eq!(binary.0, 201);
    check_attributes(&stored(&host, 4).await, "binary");
    let again = answer(ask(&host, "POST", "/events", &headers("structured"), r#"{"euros":10}"#).await).await;
    assert_eq!(again.0, 200, "the same event in another mode is the same event");
    let other = answer(ask(&host, "POST", "/events", &headers("structured"), r#"{"euros":11}"#).await).await;
    assert_eq!(other.0, 409);
}

#[tokio::test]
async fn binary_data_and_wrong_headers() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let send = async |body: &'static [u8], extra: &[(&str, &str)]| {
        let known = [("ce-specversion", "1.0"), ("ce-source", "/s"), ("ce-type", "t")];
        answer(ask(&host, "POST", "/events", &[&known[..], extra].concat(), body).await).await.0
    };
    assert_eq!(send(&[0, 1, 255], &[("ce-id", "1"), ("content-type", "application/octet-stream")]).await, 201);
    assert_eq!(stored(&host, 1).await["data"], json!("AAH_"));
    assert_eq!(send(b"text", &[("ce-id", "2"), ("content-type", "text/plain; charset=utf-8")]).await, 201);
    assert_eq!(stored(&host, 2).await["data"], json!("text"));
    assert_eq!(send(b"", &[("ce-id", "3")]).await, 201);
    assert_eq!(stored(&host, 3).await["data"], json!(null));
    assert_eq!(send(b"{", &[("ce-id", "4"), ("content-type", "application/json")]).await, 400);
    assert_eq!(send(b"", &[("ce-id", "4"), ("ce-data", "1")]).await, 400);
    assert_eq!(send(b"", &[("ce-id", "%FF")]).await, 400);
    assert_eq!(send(b"", &[("ce-id", "%")]).await, 400);
    assert_eq!(send(b"", &[]).await, 422, "an id is missing");
}

#[tokio::test]
async fn lines_come_packed_and_go_out_as_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let lines: String =
        (1..=3_000).map(|n| format!("{{\"stream\":\"a/{n}\",\"type\":\"t\",\"id\":\"{n}\"}}\n")).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(lines.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let headers = [("content-type", LINES), ("content-encoding", "gzip")];
    let dry = answer(ask(&host, "POST", "/events?dry_run=true", &headers, packed.clone()).await).await;
    assert_eq!((dry.0, get(&host, "/log").await.1["head"].clone()), (200, json!(0)), "a dry run writes nothing");
    let (status, _, bytes) = answer(ask(&host, "POST", "/events", &headers, packed.clone()).await).await;
    let imported: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((status, &imported["appended"], &imported["head"]), (200, &json!(3_000), &json!(3_000)));
    let cut = packed[..packed.len() / 2].to_vec();
    let (status, _, bytes) = answer(ask(&host, "POST", "/events", &headers, cut).await).await;
    assert!((400..500).contains(&status), "{status} {bytes:?}");

    let (_, content_type, out) = answer(ask(&host, "GET", "/events?since=1", &[("accept", LINES)], "").await).await;
    let out = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!((content_type.as_str(), out.lines().count()), (LINES, 2_999));
    let (status, again) = json(&host, "POST", "/events", LINES, &out).await;
    assert_eq!((status, &again["duplicates"], &again["appended"]), (200, &json!(2_999), &json!(0)));
}

#[tokio::test]
async fn a_bad_line_is_named_or_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let lines = "{\"stream\":\"a/1\",\"type\":\"t\"}\n\n{\"stream\":\"a/1\"}\n{\"stream\":\"a/2\",\"type\":\"t\"}\n";
    let (status, problem) = json(&host, "POST", "/events", LINES, lines).await;
    assert_eq!((status, &problem["code"], &problem["line"]), (422, &json!("invalid-line"), &json!(3)));
    let (status, imported) = json(&host, "POST", "/events?skip_bad=true", LINES, lines).await;
    assert_eq!((status, &imported["skipped"], &imported["bad_lines"][0]["number"]), (200, &json!(1), &json!(3)));
}

#[tokio::test]
async fn expectations_hold_for_all_events_of_a_request() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let append = |version: Value| {
        json!({
            "events": [{"stream":"a/1","type":"t"}, {"stream":"a/2","type":"t"}],
            "expectations": [{"stream":"a/1","version":version}, {"stream":"b/1","version":"none"}],
        })
    };
    assert_eq!(post(&host, "/events", append(json!("none"))).await.0, 201);
    let (status, problem) = post(&host, "/events", append(json!(0))).await;
    assert_eq!((status, &problem["stream"], &problem["found"]), (409, &json!("a/1"), &json!(1)));
    assert_eq!(get(&host, "/log").await.1["head"], json!(2), "none of them went in");
    assert_eq!(post(&host, "/events", append(json!("1"))).await.0, 201);
}
