//! Who is let in, and to what.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::{Client, Method, Version};
use serde_json::json;

use super::client::Api;
use super::server::{Server, block_on, status};
use crate::program::Environment;

fn token(environment: &Environment, arguments: &[&str]) -> String {
    let mut all = vec!["token", "create", "test"];
    all.extend(arguments);
    environment.ok(&all).trim().to_owned()
}

#[test]
fn the_socket_is_the_owners_alone() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    let socket = environment.dir.path().join("socket");
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    server.stop();
    assert!(!socket.exists());
}

#[test]
fn a_token_opens_what_it_is_for_until_it_is_revoked() {
    let environment = Environment::new();
    let read = token(&environment, &["--scope", "read"]);
    let server = Server::start(&environment, &["--require-token", "--log", "debug"]);
    // Made while the host runs, and through it.
    let manage = token(&environment, &["--scope", "manage"]);
    let client = Client::new();
    let ask = |method: Method, path: &str, token: Option<&str>| {
        let request = client.request(method, format!("{}{path}", server.url));
        status(token.into_iter().fold(request, |request, token| request.bearer_auth(token)))
    };
    block_on(async {
        assert_eq!(ask(Method::GET, "/healthz", None).await, 200);
        assert_eq!(ask(Method::GET, "/readyz", None).await, 200);
        assert_eq!(ask(Method::GET, "/metrics", None).await, 401);
        assert_eq!(ask(Method::GET, "/metrics", Some(&read)).await, 200);
        assert_eq!(ask(Method::GET, "/metrics", Some(&manage)).await, 403);
        assert_eq!(ask(Method::GET, "/tokens", Some(&read)).await, 403);
        assert_eq!(ask(Method::GET, "/tokens", Some(&manage)).await, 200);
        let wrong = format!("{}x", &read[..read.len() - 1]);
        for wrong in ["", "x", &wrong] {
            assert_eq!(ask(Method::GET, "/metrics", Some(wrong)).await, 401, "{wrong}");
        }
        let id = read.split('_').nth(1).unwrap();
        assert_eq!(ask(Method::DELETE, &format!("/tokens/{id}"), Some(&manage)).await, 204);
        assert_eq!(ask(Method::DELETE, &format!("/tokens/{id}"), Some(&manage)).await, 404);
        assert_eq!(ask(Method::GET, "/metrics", Some(&read)).await, 401);
        let answer = client.get(format!("{}/metrics", server.url)).send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"polyfold\"");
    });
    let said = server.stop();
    let secret = |token: &str| token.splitn(3, '_').last().unwrap().to_owned();
    assert!(!said.contains(&secret(&read)) && !said.contains(&secret(&manage)), "no secret is logged: {said}");
}

#[test]
fn a_token_for_a_category_sees_nothing_else() {
    let environment = Environment::new();
    environment.install(&["event-counts", "ledger"]);
    let scopes = ["--scope", "append", "--scope", "read", "--category", "order"];
    let limited = token(&environment, &scopes);
    let server = Server::start(&environment, &[]);
    block_on(async {
        let owner = Api::new(&server);
        let limited = owner.with_token(&limited);
        owner.done("/projections", &json!({ "name": "event-counts" })).await;
        owner.append("salary/1", "paid", json!(1)).await;
        limited.append("order/1", "placed", json!(2)).await;
        let event = json!({ "stream": "salary/1", "type": "paid" });
        let (status, problem) = limited.post("/events", &event).await;
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
        let (status, _) = limited.post("/events", &json!([{ "stream": "order/1", "type": "placed" }, event])).await;
        assert_eq!((status, owner.get("/log").await.1["head"].clone()), (403, json!(2)), "nothing is left of it");
        let expecting = json!({
            "events": [{ "stream": "order/1", "type": "placed" }],
            "expectations": [{ "stream": "salary/1", "version": 1 }],
        });
        assert_eq!(limited.post("/events", &expecting).await.0, 403, "an expectation would tell");

        let (_, page) = limited.get("/events").await;
        assert_eq!((page["events"].as_array().unwrap().len(), &page["events"][0]["sequence"]), (1, &json!(2)));
        assert_eq!(limited.get("/events?category=salary").await.0, 403);
        assert_eq!(limited.get("/events?stream=salary/1").await.0, 403);
        assert_eq!(limited.get("/streams/salary/1").await.0, 403);
        assert_eq!(limited.get("/streams/order/1").await.1["version"], json!(1));
        let mut events = limited.follow("/events/stream?since=0", None).await;
        assert_eq!(events.expect("event").await.data["stream"], json!("order/1"));
        owner.append("salary/1", "paid", json!(3)).await;
        limited.append("order/1", "placed", json!(4)).await;
        let sent = loop {
            // Says only how far it has looked.
            let sent = events.next().await.unwrap();
            if sent.event != "head" {
                break sent;
            }
        };
        assert_eq!(sent.data["data"], json!(4));

        assert_eq!(limited.get("/events/1/proof").await.0, 403, "a proof shows the event");
        assert_eq!(limited.get("/events/2/proof").await.1["event"]["sequence"], json!(2));
        assert_eq!(limited.get("/events/9/proof").await.0, 404);
        let (_, key) = limited.get("/key").await;
        assert_eq!(owner.get("/events/1/proof?payload=false").await.1["key"], key["key"]);

        // A state made of everything says more than the token may know.
        for path in ["state", "state/type/placed", "views/types", "changes", "receipt", "proof/type/placed"] {
            assert_eq!(limited.get(&format!("/projections/event-counts/{path}")).await.0, 403, "{path}");
        }
        let (_, placed) = owner.get("/projections/event-counts/state/type/placed?min_sequence=4").await;
        assert_eq!(placed["value"]["count"], json!(2));
        assert_eq!(limited.post("/projections", &json!({ "name": "ledger" })).await.0, 403, "it may not manage");
    });
    server.stop();
}

#[test]
fn a_web_page_cannot_use_the_loopback_address() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    block_on(async {
        let ask = || Client::new().get(format!("{}/tokens", server.url));
        assert_eq!(status(ask()).await, 200);
        assert_eq!(status(ask().header("origin", "https://evil.example")).await, 403);
        assert_eq!(status(ask().header("host", "evil.example")).await, 403);
    });
    server.stop();
}

#[test]
fn tls_speaks_http_2() {
    let environment = Environment::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = environment.file("cert.pem", made.cert.pem());
    let key = environment.file("key.pem", made.signing_key.serialize_pem());
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let server = Server::start(&environment, &flags);
    let url = server.url.replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    block_on(async {
        let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = Client::builder().add_root_certificate(root).build().unwrap();
        let answer = client.get(format!("{url}/readyz")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        let stranger = Client::builder().build().unwrap();
        assert!(stranger.get(format!("{url}/readyz")).send().await.is_err(), "nobody vouches for it");
    });
    server.stop();
}

#[test]
fn http_2_without_tls_is_known_by_its_beginning() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    block_on(async {
        let client = Client::builder().http2_prior_knowledge().build().unwrap();
        let answer = client.get(format!("{}/metrics", server.url)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        assert!(answer.text().await.unwrap().contains("\npolyfold_http_connections 1\n"));
    });
    server.stop();
}
