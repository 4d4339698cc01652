//! Plugins through the API: installed, looked at and removed.

use super::*;

#[tokio::test]
async fn a_plugin_is_looked_at_installed_and_removed() {
    let dir = directory();
    let host = host(&dir);
    let bytes = guests::bytes("event-counts");
    let octets = [("content-type", "application/octet-stream")];
    let (status, _, details) = answer(ask(&host, "POST", "/plugins/inspect", &octets, bytes.clone()).await).await;
    let details: Value = serde_json::from_slice(&details).unwrap();
    assert_eq!((status, &details["name"], &details["kind"]), (200, &json!("event-counts"), &json!("projection")));
    assert_eq!(details["views"][0]["prefix"], json!("type/"));
    assert_eq!(get(&host, "/plugins").await.1, json!([]), "looking installs nothing");

    let (status, installed) = install(&host, "event-counts").await;
    assert_eq!((status, &installed["known"]), (201, &json!(false)));
    assert_eq!(install(&host, "event-counts").await.0, 200, "it is there already");
    let digest = installed["digest"].as_str().unwrap();
    for reference in ["event-counts", "event-counts@0.1.0", digest, &digest[..8]] {
        let (status, found) = get(&host, &format!("/plugins/{reference}")).await;
        assert_eq!((status, &found["digest"]), (200, &json!(digest)), "{reference}");
    }

    assert_eq!(post(&host, "/projections", json!({"name": "event-counts"})).await.0, 201);
    let (status, problem) = json(&host, "DELETE", "/plugins/event-counts", "", "").await;
    assert_eq!((status, &problem["code"]), (409, &json!("plugin-in-use")));
    assert_eq!(json(&host, "DELETE", "/projections/event-counts", "", "").await, (204, Value::Null));
    assert_eq!(json(&host, "DELETE", "/plugins/event-counts", "", "").await.0, 200);
    assert_eq!(get(&host, "/plugins/event-counts").await.0, 404);
}

#[tokio::test]
async fn what_is_no_plugin_is_refused() {
    let dir = directory();
    let host = host(&dir);
    let module = b"\0asm\x01\0\0\0".to_vec();
    for bytes in [module, b"\0asm".to_vec(), Vec::new(), guests::bytes("imports_refused")] {
        for path in ["/plugins", "/plugins/inspect"] {
            let response = ask(&host, "POST", path, &[("content-type", "application/wasm")], bytes.clone()).await;
            let (status, _, problem) = answer(response).await;
            let problem: Value = serde_json::from_slice(&problem).unwrap();
            assert_eq!((status, &problem["code"]), (422, &json!("plugin-refused")), "{path}: {problem}");
        }
    }
}
