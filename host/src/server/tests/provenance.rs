//! Signatures, trust and contents of plugins through the API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Offers a plugin with a signature.
async fn offer(host: &Arc<Host>, bytes: &[u8], signature: Option<&str>, query: &str) -> (u16, Value) {
    let packed = signature.map(|text| STANDARD.encode(text));
    let mut headers = vec![("content-type", "application/wasm")];
    headers.extend(packed.iter().map(|packed| ("polyfold-signature", packed.as_str())));
    let response = ask(host, "POST", &format!("/plugins{query}"), &headers, bytes.to_vec()).await;
    let (status, _, body) = answer(response).await;
    (status, serde_json::from_slice(&body).unwrap())
}

async fn standing(host: &Arc<Host>) -> Value {
    get(host, "/plugins").await.1[0]["signature"]["standing"].clone()
}

#[tokio::test]
async fn a_signature_is_checked_recorded_and_shown_for_what_it_is_worth() {
    let dir = directory();
    let host = host(&dir);
    let (acme, stranger) = (Pair::new(), Pair::new());
    let bytes = guests::bytes("event-counts");
    let publisher = json!({"name": "acme", "key": acme.public()});
    let (status, added) = post(&host, "/trust/publishers", publisher.clone()).await;
    assert_eq!((status, added["key_id"].as_str().unwrap().len()), (201, 16));
    assert_eq!(post(&host, "/trust/publishers", publisher.clone()).await.0, 409, "the name is taken");

    let of_other_bytes = acme.sign(b"other bytes", "c");
    let (status, problem) = offer(&host, &bytes, Some(&of_other_bytes), "").await;
    assert_eq!((status, &problem["code"]), (422, &json!("untrusted-plugin")), "{problem}");
    assert_eq!(offer(&host, &bytes, Some("no signature"), "").await.0, 422);
    assert_eq!(offer(&host, &bytes, None, "?require_signature=true").await.0, 422);
    let unknown = stranger.sign(&bytes, "c");
    assert_eq!(offer(&host, &bytes, Some(&unknown), "?require_signature=true").await.0, 422);
    assert_eq!(get(&host, "/plugins").await.1, json!([]), "nothing of it stays");

    assert_eq!(offer(&host, &bytes, None, "").await.0, 201);
    assert_eq!(standing(&host).await, Value::Null);
    assert_eq!(offer(&host, &bytes, Some(&unknown), "").await.0, 200);
    assert_eq!(standing(&host).await, json!("unknown-key"));
    let (status, installed) = offer(&host, &bytes, Some(&acme.sign(&bytes, "version 1")), "").await;
    let signature = &installed["signature"];
    assert_eq!((status, &signature["standing"], &signature["signer"]), (200, &json!("trusted"), &json!("acme")));
    assert_eq!(signature["trusted_comment"], json!("version 1"));
    // A claim, or nothing, takes the place of no knowledge.
    assert_eq!(offer(&host, &bytes, Some(&unknown), "").await.1["signature"]["signer"], json!("acme"));
    assert_eq!(offer(&host, &bytes, None, "").await.1["signature"]["signer"], json!("acme"));

    let (_, made) = post(&host, "/projections", json!({"name": "event-counts"})).await;
    assert_eq!(made["readable"]["plugin_signature"]["signer"], json!("acme"));
    assert_eq!(get(&host, "/plugins/event-counts").await.1["signature"]["standing"], json!("trusted"));
    assert_eq!(json(&host, "DELETE", "/trust/publishers/acme", "", "").await.0, 200);
    assert_eq!(json(&host, "DELETE", "/trust/publishers/acme", "", "").await.0, 404);
    assert_eq!(standing(&host).await, json!("no-longer-trusted"));
    drop(host);
    // It is all in the directory's files.
    let host = super::host(&dir);
    assert_eq!(standing(&host).await, json!("no-longer-trusted"));
    let narrow = json!({"name": "acme", "key": acme.public(), "plugins": ["on-time"]});
    assert_eq!(post(&host, "/trust/publishers", narrow).await.0, 201);
    assert_eq!(standing(&host).await, json!("other-plugin"));
    assert_eq!(offer(&host, &bytes, None, "").await.0, 200, "nothing is required");
    let signed = acme.sign(&bytes, "version 1");
    assert_eq!(offer(&host, &bytes, Some(&signed), "?require_signature=true").await.0, 422, "not for this plugin");
}

#[tokio::test]
async fn where_a_signature_is_required_nothing_else_is_taken_or_started() {
    let dir = directory();
    let host = host(&dir);
    let acme = Pair::new();
    assert_eq!(install(&host, "event-counts").await.0, 201);
    assert_eq!(post(&host, "/projections", json!({"name": "event-counts"})).await.0, 201);
    assert_eq!(post(&host, "/trust/publishers", json!({"name": "acme", "key": acme.public()})).await.0, 201);
    let (status, trust) = post(&host, "/trust", json!({"require_signature": true})).await;
    assert_eq!((status, &trust["require_signature"], &trust["is_forced"]), (200, &json!(true), &json!(false)));

    let (status, problem) = install(&host, "ledger").await;
    assert_eq!((status, &problem["code"]), (422, &json!("untrusted-plugin")), "{problem}");
    let wasm = [("content-type", "application/wasm")];
    let asked = ask(&host, "POST", "/plugins/inspect", &wasm, guests::bytes("ledger")).await;
    assert_eq!(asked.status(), 422, "to ask it would run it");
    let listed = ask(&host, "POST", "/plugins/contents", &wasm, guests::bytes("ledger")).await;
    assert_eq!(listed.status(), 200, "to list it does not");
    let (status, problem) = post(&host, "/projections", json!({"name": "again", "plugin": "event-counts"})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("untrusted-plugin")), "{problem}");
    let failed = host.engine().rebuild("event-counts", |_| {}).unwrap_err().to_string();
    assert!(failed.contains("event-counts@0.1.0 is not signed"), "{failed}");
    let (_, appended) = post(&host, "/events", json!({"stream": "a/1", "type": "t"})).await;
    assert_eq!(appended["events"][0]["sequence"], json!(1), "what runs goes on");
    for (method, path) in [("POST", "verify"), ("GET", "trace"), ("GET", "debug?at=1"), ("GET", "explain")] {
        let (status, problem) = json(&host, method, &format!("/projections/event-counts/{path}"), "", "").await;
        assert_eq!((status, &problem["code"]), (422, &json!("untrusted-plugin")), "{path}: {problem}");
    }
    drop(host);

    // Started anew it does not run, but what it made can be read.
    let host = super::host(&dir);
    let failed = host.engine().start("event-counts").unwrap_err().to_string();
    assert!(failed.contains("event-counts@0.1.0 is not signed"), "{failed}");
    assert_eq!(get(&host, "/projections/event-counts/state").await.0, 200);
    let bytes = guests::bytes("event-counts");
    assert_eq!(offer(&host, &bytes, Some(&acme.sign(&bytes, "c")), "").await.0, 200);
    host.engine().start("event-counts").unwrap();
    drop(host);

    std::fs::remove_file(dir.path().join("trust.toml")).unwrap();
    let forced = Options { require_signature: true, ..Options::default() };
    let host = Arc::new(Host::open(Arc::new(Engine::open(dir.path(), &forced).unwrap())).unwrap());
    assert_eq!(get(&host, "/trust").await.1["is_forced"], json!(true));
    assert_eq!(post(&host, "/trust", json!({"require_signature": false})).await.1["require_signature"], json!(true));
    let failed = host.engine().start("event-counts").unwrap_err().to_string();
    assert!(failed.contains("who is no longer trusted"), "{failed}");
}

#[tokio::test]
async fn what_cannot_be_understood_of_an_origin_is_refused() {
    let dir = directory();
    let host = host(&dir);
    let reference = "oci://localhost:5000/a:1";
    let digest = format!("sha256:{}", "a".repeat(64));
    let check = async |name: &str, value: &str, expected: u16| {
        let headers = [("content-type", "application/wasm"), (name, value)];
        let response = ask(&host, "POST", "/plugins", &headers, guests::bytes("event-counts")).await;
        assert_eq!(response.status(), expected, "{name}: {value}");
    };
    check("polyfold-signature", "not base64!", 400).await;
    check("polyfold-signature", "_w==", 400).await;
    check("polyfold-signature", &"A".repeat(12_000), 400).await;
    check("polyfold-source", reference, 400).await;
    check("polyfold-source", &format!("http://localhost/a@{digest}"), 400).await;
    check("polyfold-source", &format!("oci://{}@{digest}", "a".repeat(1_000)), 400).await;
    check("polyfold-source", &format!("{reference}@{digest}"), 201).await;
    let (_, plugins) = get(&host, "/plugins").await;
    assert_eq!(plugins[0]["source"], json!({"reference": reference, "digest": digest}));
    for publisher in [
        json!({"name": "acme", "key": "RW"}),
        json!({"name": "a/b", "key": Pair::new().public()}),
        json!({"name": "acme", "key": Pair::new().public(), "until": "soon"}),
        json!({"name": "acme", "key": Pair::new().public(), "plugins": ["No Name"]}),
        json!({"name": "acme", "key": Pair::new().public(), "unknown": 1}),
    ] {
        assert_eq!(post(&host, "/trust/publishers", publisher.clone()).await.0, 400, "{publisher}");
    }
}

#[tokio::test]
async fn a_plugins_parts_are_listed() {
    let dir = directory();
    let host = host(&dir);
    assert_eq!(install(&host, "event-counts").await.0, 201);
    let (status, contents) = get(&host, "/plugins/event-counts/contents").await;
    assert_eq!((status, &contents["form"], &contents["kind"]), (200, &json!("component"), &json!("projection")));
    assert!(contents["functions"].as_u64().unwrap() > 50, "{contents}");
    assert!(contents["memory_bytes_minimum"].as_u64().unwrap() >= 1 << 20);
    let has = |list: &str, field: &str, value: &str| {
        contents[list].as_array().unwrap().iter().any(|it| it[field].as_str().unwrap().starts_with(value))
    };
    assert!(has("producers", "name", "Rust") && has("producers", "name", "wit-component"), "{contents}");
    assert!(has("imports", "given", "the entries of its own state"), "{contents}");
    assert!(contents["imports"].as_array().unwrap().iter().all(|it| it["is_offered"] == json!(true)), "{contents}");
    let (_, details) = get(&host, "/plugins/event-counts").await;
    assert_eq!(details["digest"], contents["digest"]);

    let refused = guests::bytes("imports_refused");
    let response = ask(&host, "POST", "/plugins/contents", &[("content-type", "application/wasm")], refused).await;
    let (status, _, body) = answer(response).await;
    let contents: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &contents["kind"]), (200, &Value::Null));
    assert!(contents["refused"].as_str().unwrap().contains("test:outside/network"), "{contents}");
    let response = ask(&host, "POST", "/plugins/contents", &[("content-type", "application/wasm")], "nothing").await;
    assert_eq!(response.status(), 422);
}
