//! Appends from many clients at once, within a projection, and on a full disk.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::client::Api;
use super::server::{Server, block_on};
use crate::full_disk::Disk;
use crate::program::Environment;

/// Adds 1 to what a stream's last event says, as often as it takes.
async fn increment(api: &Api, stream: &str, conflicts: &AtomicU64) {
    loop {
        let (_, page) = api.get(&format!("/streams/{stream}?limit=1000")).await;
        let version = page["version"].as_u64().unwrap();
        let last = page["events"].as_array().unwrap().last().map_or(0, |event| event["data"].as_u64().unwrap());
        let event = json!({ "stream": stream, "type": "counted", "data": last + 1 });
        let expected = if version == 0 { "none".to_owned() } else { version.to_string() };
        match api.post(&format!("/events?expect={expected}"), &event).await {
            (201, _) => return,
            (409, problem) => {
                assert_eq!((&problem["code"], &problem["stream"]), (&json!("conflict"), &json!(stream)), "{problem}");
                assert!(problem["found"].as_u64().unwrap() > version, "{problem}");
                conflicts.fetch_add(1, Ordering::Relaxed);
            }
            (status, problem) => panic!("{status}: {problem}"),
        }
    }
}

#[test]
fn no_update_of_many_clients_is_lost() {
    const CLIENTS: usize = 16;
    const TURNS: usize = 5;
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    let conflicts = AtomicU64::new(0);
    block_on(async {
        let client = async || {
            let api = Api::new(&server);
            for turn in 0..TURNS {
                increment(&api, &format!("counter/{}", turn % 2), &conflicts).await;
            }
        };
        join_all((0..CLIENTS).map(|_| client())).await;
        let api = Api::new(&server);
        let mut total = 0;
        for stream in ["counter/0", "counter/1"] {
            let (_, page) = api.get(&format!("/streams/{stream}?limit=1000")).await;
            for (event, number) in page["events"].as_array().unwrap().iter().zip(1..) {
                // Each was made from the one before it: nothing was lost, and no version is missing.
                assert_eq!((&event["version"], &event["data"]), (&json!(number), &json!(number)));
                total += 1;
            }
        }
        assert_eq!(total, CLIENTS * TURNS);
        assert_eq!(api.get("/log").await.1["head"], json!(total));
        let verified = api.done("/log/verify", &Value::Null).await;
        assert_eq!(verified["events"], json!(total));
    });
    assert!(conflicts.into_inner() > 0, "the clients never met");
    server.stop();
}

#[test]
fn a_sync_projection_shows_an_append_when_it_is_answered_and_refuses_what_it_cannot_take() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = &Api::new(&server);
        api.install("ledger").await;
        api.done("/projections", &json!({ "name": "sums", "plugin": "ledger", "sync": true })).await;
        api.append("account/0", "booked", json!({ "amount": 1 })).await;
        // Each reads its own write at once, whatever the others do.
        let client = async |number: u64| {
            let key = format!("sums/state/balance/account/{number}");
            for turn in 1..=5 {
                let sequence = api.append(&format!("account/{number}"), "booked", json!({ "amount": 100 })).await;
                let (balance, checkpoint) = api.number(&key).await;
                assert!(balance == turn * 100 && checkpoint >= sequence, "{balance} at {checkpoint}, not {sequence}");
            }
        };
        join_all((1..=4).map(client)).await;
        let (total, head) = api.number("sums/state/total").await;
        assert_eq!((total, head), (2_001, 21));
        let events = json!([
            { "stream": "account/1", "type": "booked", "data": { "amount": 7 } },
            { "stream": "account/2", "type": "booked", "data": { "amount": 13 } },
        ]);
        let (status, problem) = api.post("/events", &events).await;
        assert_eq!((status, &problem["code"]), (422, &json!("refused-by-projection")), "{problem}");
        assert_eq!(problem["sequence"], json!(23), "{problem}");
        assert_eq!(api.get("/log").await.1["head"], json!(21), "nothing is left of it");
        assert_eq!(api.number("sums/state/total").await, (2_001, 21));
        assert_eq!(api.get("/streams/account/1").await.1["version"], json!(5));
        // And it is refused nothing else.
        api.append("account/1", "booked", json!({ "amount": 14 })).await;
        assert_eq!(api.number("sums/state/total").await, (2_015, 22));
    });
    server.stop();
}

#[test]
fn a_full_disk_refuses_appends_while_everything_else_goes_on_until_there_is_room() {
    let Some(disk) = Disk::mount(64) else { return };
    let environment = Environment::new();
    let data = disk.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::symlink(crate::guests::shared_cache(), data.join("cache")).unwrap();
    let server = Server::start(&environment, &["--data-dir", data.to_str().unwrap()]);
    block_on(async {
        let api = &Api::new(&server);
        api.install("event-counts").await;
        api.done("/projections", &json!({ "name": "event-counts" })).await;
        let mut random = fastrand::Rng::with_seed(1);
        let mut large = || {
            let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(100_000).collect();
            json!({ "stream": "order/1", "type": "placed", "data": text })
        };
        for round in 1..=2 {
            api.done("/events", &large()).await;
            disk.fill();
            for _ in 0..3 {
                let (status, problem) = api.post("/events", &large()).await;
                assert_eq!((status, &problem["code"]), (507, &json!("disk-full")), "{problem}");
                let (_, page) = api.get("/events?limit=10").await;
                assert_eq!(page["events"].as_array().unwrap().len(), round);
                let state = api.get(&format!("/projections/event-counts/state/type/placed?min_sequence={round}")).await;
                assert_eq!(state.0, 200, "{}", state.1);
            }
            assert_eq!(api.get("/healthz").await.0, 200);
            disk.make_room();
        }
        api.done("/events", &large()).await;
        let state = api.get("/projections/event-counts/state/type/placed?min_sequence=3").await.1;
        assert_eq!(state["value"]["count"], json!(3));
    });
    server.stop();
}
