//! Projections through the API, from their making to their states and upgrades.

use super::*;

/// A host with events of three types, and a projection that counts them.
async fn counting(dir: &tempfile::TempDir) -> Arc<Host> {
    let host = host(dir);
    install(&host, "event-counts").await;
    for number in 0..6 {
        let event = json!({"stream": format!("a/{number}"), "type": format!("t{}", number % 3)});
        assert_eq!(post(&host, "/events", event).await.0, 201);
    }
    let (status, made) = post(&host, "/projections", json!({"name": "counts", "plugin": "event-counts"})).await;
    assert_eq!((status, &made["name"]), (201, &json!("counts")));
    host
}

fn keys(page: &Value) -> Vec<&str> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_state_is_read_by_page_view_and_key() {
    let dir = directory();
    let host = counting(&dir).await;
    let (status, page) = get(&host, "/projections/counts/state?min_sequence=6&limit=3").await;
    assert_eq!((status, keys(&page)), (200, vec!["category/a", "type/t0", "type/t1"]));
    assert_eq!((&page["next"], &page["checkpoint"]), (&json!("type/t1"), &json!(6)));
    let (_, page) = get(&host, "/projections/counts/state?limit=3&after=type/t1").await;
    assert_eq!((keys(&page), &page["next"]), (vec!["type/t2"], &Value::Null));
    for path in [
        "/projections/counts/views/types",
        "/projections/counts/state?view=types",
        "/projections/counts/state?prefix=type/",
        "/projections/counts/state?view=types&prefix=type/t",
    ] {
        assert_eq!(keys(&get(&host, path).await.1), ["type/t0", "type/t1", "type/t2"], "{path}");
    }
    assert_eq!(keys(&get(&host, "/projections/counts/state?view=types&prefix=category/").await.1), [""; 0]);

    let response = ask(&host, "GET", "/projections/counts/state/type/t2?min_sequence=6", &[], "").await;
    assert_eq!(response.headers()["polyfold-checkpoint"], "6");
    let entry: Value = serde_json::from_slice(&answer(response).await.2).unwrap();
    let count = json!({"count": 2, "first_sequence": 3, "last_sequence": 6});
    assert_eq!(entry, json!({"key": "type/t2", "value": count}));
    for (path, code) in [
        ("/projections/counts/state/type/t9", "unknown-key"),
        ("/projections/counts/state/type%2Ft9%00", "unknown-key"),
        ("/projections/counts/views/none", "unknown-view"),
        ("/projections/counts/state?view=none", "unknown-view"),
        ("/projections/none/state", "unknown-projection"),
        ("/projections/none/state/key?min_sequence=1", "unknown-projection"),
        ("/projections/none/faults", "unknown-projection"),
    ] {
        let (status, problem) = get(&host, path).await;
        assert_eq!((status, &problem["code"]), (404, &json!(code)), "{path}");
    }
}

#[tokio::test]
async fn a_reader_waits_for_a_sequence_and_is_told_what_it_got() {
    let dir = directory();
    let host = host(&dir);
    // It reads `booked` alone: what it does not read still moves what its readers see.
    install(&host, "ledger").await;
    assert_eq!(post(&host, "/projections", json!({"name": "ledger"})).await.0, 201);
    post(&host, "/events", json!({"stream": "a/1", "type": "booked", "data": {"amount": 5}})).await;
    for _ in 0..3 {
        post(&host, "/events", json!({"stream": "b/1", "type": "other"})).await;
    }
    let response = ask(&host, "GET", "/projections/ledger/state/total?min_sequence=4", &[], "").await;
    assert_eq!((response.status().as_u16(), &response.headers()["polyfold-checkpoint"]), (200, &"4".parse().unwrap()));
    let (_, page) = get(&host, "/projections/ledger/state?min_sequence=4").await;
    assert_eq!((&page["checkpoint"], &page["entries"][1]["value"]), (&json!(4), &json!(5)));
    let (_, projection) = get(&host, "/projections/ledger?min_sequence=4").await;
    assert_eq!(projection["readable"]["checkpoint"], json!(4));
    for path in ["/projections/ledger", "/projections/ledger/state", "/projections/ledger/state/total"] {
        let (status, problem) = get(&host, &format!("{path}?min_sequence=5&timeout=0")).await;
        assert_eq!((status, &problem["code"]), (504, &json!("not-reached")), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("at sequence 4"), "{problem}");
    }
    let wait = get(&host, "/projections/ledger/state?min_sequence=5&timeout=60");
    let append = post(&host, "/events", json!({"stream": "b/1", "type": "other"}));
    let ((status, page), _) = tokio::join!(wait, append);
    assert_eq!((status, &page["checkpoint"]), (200, &json!(5)));
}

#[tokio::test]
async fn a_projection_that_fails_is_made_and_says_why_it_stands() {
    let dir = directory();
    let host = host(&dir);
    install(&host, "ledger").await;
    post(&host, "/events", json!({"stream": "a/1", "type": "booked", "data": {"amount": 13}})).await;
    assert_eq!(post(&host, "/projections", json!({"name": "ledger"})).await.0, 201);
    let (status, problem) = get(&host, "/projections/ledger/state?min_sequence=1&timeout=60").await;
    assert_eq!((status, &problem["code"]), (504, &json!("not-reached")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("this amount is refused"), "{problem}");
    let (_, projection) = get(&host, "/projections/ledger").await;
    assert_eq!(projection["readable"]["phase"], json!("halted"));
    let (_, faults) = get(&host, "/projections/ledger/faults").await;
    assert_eq!(faults[0]["sequence"], json!(1));
    assert_eq!(post(&host, "/projections", json!({"name": "ledger"})).await.0, 409);
    let other = json!({"name": "other", "plugin": "ledger", "parameters": [1]});
    assert_eq!(post(&host, "/projections", other).await.0, 422);
}

#[tokio::test]
async fn an_upgrade_is_compared_promoted_rolled_back_and_dropped() {
    let dir = directory();
    let host = host(&dir);
    install(&host, "ledger").await;
    for amount in [5, 2_000] {
        post(&host, "/events", json!({"stream": "a/1", "type": "booked", "data": {"amount": amount}})).await;
    }
    post(&host, "/projections", json!({"name": "ledger"})).await;
    // Serves when it has caught up, which is just after its readers see everything.
    let mut head = 2;
    while get(&host, &format!("/projections/ledger?min_sequence={head}")).await.1["is_serving"] != json!(true) {
        head += 1;
        post(&host, "/events", json!({"stream": "b/1", "type": "other"})).await;
    }
    install(&host, "ledger_v2").await;
    let act = async |what: &str| json(&host, "POST", &format!("/projections/ledger/{what}"), "", "").await;
    for what in ["promote", "rollback", "abandon", "abandon?state=previous"] {
        let (status, problem) = act(what).await;
        assert_eq!((status, &problem["code"]), (409, &json!("no-other-state")), "{what}");
    }
    let (status, begun) = post(&host, "/projections/ledger/upgrade", json!({"plugin": "ledger@0.2.0"})).await;
    assert_eq!((status, &begun["building"]["plugin"]), (202, &json!("ledger@0.2.0")));
    let (status, compared) = act("compare").await;
    assert_eq!((status, &compared["role"]), (200, &json!("building")), "{compared}");
    assert_eq!((&compared["changed"], &compared["added"]), (&json!(2), &json!(1)), "{compared}");
    assert_eq!(compared["first_difference"]["sequence"], json!(1), "{compared}");
    let total = async || get(&host, "/projections/ledger/state/total").await.1["value"].clone();
    assert_eq!(total().await, json!(2_005));
    let (status, promoted) = act("promote").await;
    assert_eq!((status, &promoted["readable"]["plugin"]), (200, &json!("ledger@0.2.0")), "{promoted}");
    assert_eq!(total().await, json!(4_005));
    assert_eq!(act("rollback").await.0, 200);
    assert_eq!(total().await, json!(2_005));
    let (status, left) = act("abandon?state=previous").await;
    assert_eq!((status, &left["previous"]), (200, &Value::Null), "{left}");
    post(&host, "/projections/ledger/upgrade", json!({"plugin": "ledger@0.2.0"})).await;
    let (status, left) = act("abandon").await;
    assert_eq!((status, &left["building"]), (200, &Value::Null), "{left}");

    let (status, verified) = act("verify").await;
    assert_eq!((status, &verified["same"]), (200, &json!(true)), "{verified}");
    assert_eq!(act("rebuild").await.0, 202);
    let accept = [("accept", "text/event-stream")];
    let (_, _, frames) = answer(ask(&host, "POST", "/projections/ledger/rebuild", &accept, "").await).await;
    assert!(String::from_utf8_lossy(&frames).contains("event: result\n"), "{frames:?}");
}
