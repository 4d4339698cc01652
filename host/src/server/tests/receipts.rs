//! Receipts, proofs and their check, over the routes.

use super::*;

/// A host with a projection that has seen two events.
async fn made(dir: &tempfile::TempDir) -> Arc<Host> {
    let host = host(dir);
    assert_eq!(install(&host, "event-counts").await.0, 201);
    let events = json!([{ "stream": "a/1", "type": "t", "data": 1 }, { "stream": "a/2", "type": "t", "data": 2 }]);
    assert_eq!(post(&host, "/events", events).await.0, 201);
    assert_eq!(post(&host, "/projections", json!({ "name": "event-counts" })).await.0, 201);
    assert_eq!(get(&host, "/projections/event-counts?min_sequence=2").await.0, 200);
    host
}

async fn bytes(host: &Arc<Host>, path: &str, accept: &str) -> Bytes {
    let (status, content_type, bytes) = answer(ask(host, "GET", path, &[("accept", accept)], "").await).await;
    assert_eq!((status, &*content_type), (200, accept), "{path}");
    bytes
}

async fn check(host: &Arc<Host>, query: &str, content_type: &str, body: Vec<u8>) -> (u16, Value) {
    let path = format!("/receipts/check{query}");
    let (status, _, bytes) = answer(ask(host, "POST", &path, &[("content-type", content_type)], body).await).await;
    (status, serde_json::from_slice(&bytes).unwrap())
}

fn with_plugins(document: &[u8], plugins: &[&[u8]]) -> Vec<u8> {
    use ciborium::Value::{Array, Bytes, Map};
    let plugins = Array(plugins.iter().map(|plugin| Bytes(plugin.to_vec())).collect());
    let map = Map(vec![("document".into(), Bytes(document.to_vec())), ("plugins".into(), plugins)]);
    let mut body = Vec::new();
    ciborium::into_writer(&map, &mut body).unwrap();
    body
}

#[tokio::test]
async fn what_is_made_is_checked_as_json_and_as_cbor() {
    let dir = directory();
    let host = made(&dir).await;
    let key = get(&host, "/key").await.1["key"].clone();
    let query = format!("?key={}", key.as_str().unwrap());
    for path in [
        "/projections/event-counts/receipt",
        "/projections/event-counts/proof/type/t",
        "/projections/event-counts/proof/type/none",
        "/events/2/proof",
        "/events/2/proof?payload=false",
    ] {
        let (as_json, as_cbor) =
            (bytes(&host, path, "application/json").await, bytes(&host, path, "application/cbor").await);
        assert_eq!(crate::cbor::from_cbor(&as_cbor).unwrap().as_bytes(), &*as_cbor, "it is canonical");
        for (content_type, body) in [
            ("application/json", as_json.to_vec()),
            ("application/cbor", as_cbor.to_vec()),
            ("application/cbor", with_plugins(&as_json, &[])),
            ("application/cbor", with_plugins(&as_cbor, &[b"none of those that it names"])),
        ] {
            let (status, checked) = check(&host, &query, content_type, body).await;
            assert_eq!((status, &checked["sound"], &checked["key"]), (200, &json!(true), &key), "{path}: {checked}");
        }
    }
    let receipt = bytes(&host, "/projections/event-counts/receipt", "application/json").await;
    let (status, checked) =
        check(&host, &format!("?key={}", "00".repeat(32)), "application/json", receipt.to_vec()).await;
    assert_eq!((status, &checked["sound"], &checked["differs"]), (200, &json!(false), &json!("key")));
    assert_eq!(checked["holds"], json!(["signature"]));
    for mistyped in ["", "zz", "00"] {
        let (status, problem) = check(&host, &format!("?key={mistyped}"), "application/json", receipt.to_vec()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid-request")), "{mistyped:?}");
    }
    let headers = [("content-type", "application/json"), ("accept", "text/event-stream")];
    let (_, _, followed) = answer(ask(&host, "POST", "/receipts/check", &headers, receipt).await).await;
    let followed = String::from_utf8(followed.to_vec()).unwrap();
    assert!(followed.contains("event: result\ndata: {\"sound\":true,"), "{followed}");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_no_document_is_a_problem() {
    let dir = directory();
    let host = made(&dir).await;
    for (path, code) in [
        ("/projections/none/receipt", "unknown-projection"),
        ("/projections/none/proof/x", "unknown-projection"),
        ("/events/3/proof", "unknown-event"),
        ("/events/0/proof", "unknown-event"),
    ] {
        let (status, problem) = get(&host, path).await;
        assert_eq!((status, &problem["code"]), (404, &json!(code)), "{path}");
    }
    assert_eq!(get(&host, "/events/x/proof").await.0, 400);
    assert_eq!(get(&host, "/events/1/proof?payload=x").await.0, 400);
    let refused = async |content_type: &str, body: Vec<u8>, expected: (u16, &str)| {
        let (status, problem) = check(&host, "", content_type, body).await;
        assert_eq!((status, problem["code"].as_str().unwrap()), expected, "{problem}");
    };
    refused("text/plain", Vec::new(), (415, "unsupported-media-type")).await;
    refused("application/json", Vec::new(), (422, "invalid-receipt")).await;
    refused("application/json", b"[1]".to_vec(), (422, "invalid-receipt")).await;
    refused("application/json", vec![b' '; (4 << 20) + 1], (413, "too-large")).await;
    refused("application/cbor", vec![0x80; (4 << 20) + 1], (422, "invalid-receipt")).await;
    refused("application/cbor", with_plugins(b"{}", &[]), (422, "invalid-receipt")).await;
    // A list of numbers is no byte string, however long it says that it is.
    refused(
        "application/cbor",
        b"\xa1\x68document\x9b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        (422, "invalid-receipt"),
    )
    .await;
}
