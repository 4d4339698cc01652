//! Every error is a problem, in the form that the client takes; and every route is in the OpenAPI document.

use super::*;

#[tokio::test]
async fn every_error_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let json_type = "application/json";
    let cases = [
        ("GET", "/nowhere", "", "", 404, "no-such-route"),
        ("PUT", "/events", "", "", 405, "method-not-allowed"),
        ("GET", "/events?limit=0", "", "", 400, "invalid-request"),
        ("GET", "/events?limit=1&limit=2", "", "", 400, "invalid-request"),
        ("GET", "/events?since=99999999999999999999", "", "", 400, "invalid-request"),
        ("GET", "/events?stream=%00", "", "", 400, "invalid-request"),
        ("GET", "/events?recorded_since=noon", "", "", 400, "invalid-request"),
        ("GET", "/log?verbose=true", "", "", 400, "invalid-request"),
        ("DELETE", "/projections/none?force=true", "", "", 400, "invalid-request"),
        ("GET", "/streams/a%2F%00", "", "", 400, "invalid-request"),
        ("GET", "/streams/%FF", "", "", 400, "invalid-request"),
        ("POST", "/events", "text/plain", "x", 415, "unsupported-media-type"),
        ("POST", "/events", "", "", 415, "unsupported-media-type"),
        ("POST", "/events", json_type, "", 400, "invalid-request"),
        ("POST", "/events", json_type, "{", 400, "invalid-request"),
        ("POST", "/events", json_type, r#"{"stream":"x"}"#, 422, "invalid-event"),
        ("POST", "/events?dry_run=true", json_type, r#"{"stream":"a/1","type":"t"}"#, 400, "invalid-request"),
        ("POST", "/events?expect=1", "application/x-ndjson", "", 400, "invalid-request"),
        ("POST", "/events?expect=7", json_type, r#"{"stream":"a/1","type":"t"}"#, 409, "conflict"),
        ("GET", "/projections/none", "", "", 404, "unknown-projection"),
        ("GET", "/projections/n%C3%B6ne/state/%F0%9F%92%A9", "", "", 404, "unknown-projection"),
        ("POST", "/projections", json_type, "[null]", 400, "invalid-request"),
        ("POST", "/projections", json_type, r#"{"name":"A"}"#, 400, "invalid-request"),
        ("POST", "/projections", "text/plain", r#"{"name":"a"}"#, 415, "unsupported-media-type"),
        ("POST", "/projections/none/promote", "", "", 404, "unknown-projection"),
        ("POST", "/projections/none/abandon?state=serving", "", "", 400, "invalid-request"),
        ("GET", "/plugins/none", "", "", 404, "unknown-plugin"),
        ("POST", "/plugins", json_type, "{}", 415, "unsupported-media-type"),
        ("POST", "/plugins", "application/octet-stream", "", 422, "plugin-refused"),
        ("POST", "/tokens", json_type, r#"{"name":"","scopes":[]}"#, 400, "invalid-request"),
        ("DELETE", "/tokens/none", "", "", 404, "unknown-token"),
    ];
    for (method, path, content_type, body, status, code) in cases {
        let (found, problem) = json(&host, method, path, content_type, body).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{method} {path}: {problem}");
        assert_eq!(problem["status"], json!(status));
    }
}

#[tokio::test]
async fn who_takes_nothing_that_is_offered_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let lines = ("application/x-ndjson", "application/json", "text/event-stream");
    for (path, accept, status) in [
        ("/log", "image/png", 406),
        ("/log", lines.2, 406),
        ("/events", lines.0, 200),
        ("/events", lines.2, 406),
        ("/events/stream", lines.1, 406),
        ("/tokens", "text/html, */*;q=0.1", 200),
    ] {
        let (found, content_type, _) = answer(ask(&host, "GET", path, &[("accept", accept)], "").await).await;
        assert_eq!(found, status, "{path} {accept}");
        assert_eq!(content_type == "application/problem+json", status == 406, "{path} {accept}: {content_type}");
    }
}

#[tokio::test]
async fn answers_and_problems_are_cbor_for_who_takes_cbor() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let event = json!({"stream":"a/1","type":"t","data":{"x":[1,2.5,"ü",null]}});
    assert_eq!(post(&host, "/events", event.clone()).await.0, 201);
    for (path, status) in [("/events", 200), ("/nowhere", 404), ("/projections/none", 404), ("/events?limit=0", 400)] {
        let accept = [("accept", "application/cbor")];
        let (found, content_type, bytes) = answer(ask(&host, "GET", path, &accept, "").await).await;
        assert_eq!((found, content_type.as_str()), (status, "application/cbor"), "{path}");
        let value: ciborium::Value = ciborium::from_reader(&*bytes).unwrap();
        let cbor = crate::cbor::to_json(&bytes).unwrap();
        let cbor: Value = serde_json::from_str(&cbor).unwrap();
        assert_eq!(cbor, get(&host, path).await.1, "{path}: {value:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let chunk = Bytes::from(vec![b' '; 1 << 20]);
    for (path, content_type) in
        [("/events", "application/json"), ("/projections", "application/json"), ("/plugins", "application/wasm")]
    {
        // Without an end: the answer comes before it.
        let chunk = chunk.clone();
        let chunks = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        let response = ask(&host, "POST", path, &[("content-type", content_type)], Body::from_stream(chunks)).await;
        let (status, _, bytes) = answer(response).await;
        let problem: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((status, &problem["code"]), (413, &json!("too-large")), "{path}");
    }
}

#[tokio::test]
async fn the_document_names_every_route_and_its_statuses() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let (status, api) = get(&host, "/openapi.json").await;
    assert_eq!((status, &api["openapi"]), (200, &json!("3.1.0")));
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        assert!(!path.contains('*'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
            let (responses, tags) = (operation["responses"].as_object().unwrap(), &operation["tags"]);
            assert!(tags.as_array().is_some_and(|tags| tags.len() == 1), "{method} {path}: {tags}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
            assert!(responses.contains_key("default"), "{method} {path}");
            for (status, response) in responses {
                assert!(!response["description"].as_str().unwrap().is_empty(), "{method} {path} {status}");
                let is_problem = status.starts_with(['4', '5', 'd']);
                let problem = response["content"].get("application/problem+json");
                assert_eq!(problem.is_some(), is_problem, "{method} {path} {status}");
            }
            // What is named is there. It is asked for as nothing that it can be, so that no answer goes on for ever.
            let path = path.replace(['{', '}'], ".");
            let response = ask(&host, &method.to_uppercase(), &path, &[("accept", "image/png")], "").await;
            if [404, 405].contains(&response.status().as_u16()) {
                let problem: Value = serde_json::from_slice(&answer(response).await.2).unwrap();
                assert_eq!(problem["title"], json!("Not Found"), "{method} {path}: {problem}");
                assert_ne!(problem["code"], json!("no-such-route"), "{method} {path}: {problem}");
            }
        }
    }
    for schema in ["Problem", "Code", "NewEvent", "CloudEvent", "Payload", "Projection", "State"] {
        assert!(api["components"]["schemas"].get(schema).is_some(), "{schema}");
    }
    let references: Vec<_> = api.to_string().split("\"#/components/schemas/").skip(1).map(str::to_owned).collect();
    for reference in references {
        let name = reference.split('"').next().unwrap();
        assert!(api["components"]["schemas"].get(name).is_some(), "{name} is referred to and not there");
    }
    assert_eq!(api["components"]["securitySchemes"]["token"]["scheme"], json!("bearer"));
    assert!(ids.len() >= 30, "{ids:?}");
}
