//! Upgrades while everybody goes on appending and reading.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use super::client::Api;
use super::server::{Server, block_on};
use crate::program::Environment;

const TOTAL: &str = "sums/state/total";

/// Ends the load when it is dropped.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Every booking is 1, so the total says how many were folded: it must match the checkpoint at any time.
async fn watch(api: &Api, is_over: &AtomicBool, reads: &AtomicU64) {
    let mut last = 0;
    while !is_over.load(Ordering::Relaxed) {
        let (total, checkpoint) = api.number(TOTAL).await;
        assert!(checkpoint >= last, "a reader went back from {last} to {checkpoint}");
        assert_eq!(total, checkpoint, "each event once");
        last = checkpoint;
        reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// What changes say, from the first event to `to`, is what the state becomes.
async fn follow(api: &Api, to: u64) -> u64 {
    let mut feed = api.follow("/projections/sums/changes?since=0", None).await;
    let (mut total, mut resets) = (0, 0);
    loop {
        let sent = feed.next().await.unwrap();
        let checkpoint = sent.data["checkpoint"].as_u64().unwrap();
        if sent.event == "reset" {
            resets += 1;
            let read = api.number(&format!("{TOTAL}?min_sequence={checkpoint}")).await;
            assert!(read.1 >= checkpoint);
            // What comes next is behind the reset's place, and may be in what was read already.
            total = total.max(read.0);
        } else {
            let changes = sent.data["changes"].as_array().unwrap();
            let changed = changes.iter().find(|change| change["key"] == "total").unwrap();
            assert_eq!(changed["value"], json!(checkpoint));
            total = total.max(checkpoint);
        }
        if total >= to {
            return resets;
        }
    }
}

#[test]
fn the_sum_is_right_at_any_time_while_states_are_built_compared_and_switched() {
    const SWITCHES: u64 = 6;
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = &Api::new(&server);
        api.install("ledger").await;
        api.done("/projections", &json!({ "name": "sums", "plugin": "ledger" })).await;
        let first = api.append("account/1", "booked", json!({ "amount": 1 })).await;
        api.number(&format!("{TOTAL}?min_sequence={first}")).await;
        let (is_over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
        let load = async {
            while !is_over.load(Ordering::Relaxed) {
                api.append("account/1", "booked", json!({ "amount": 1 })).await;
            }
        };
        let steps = async {
            // Set whatever happens, so that a failure is not a test that hangs.
            let _ended = Ended(&is_over);
            api.install("ledger_v2").await;
            api.done("/projections/sums/upgrade", &json!({})).await;
            let building = |status: &Value| status["building"]["phase"] == "live";
            while !building(&api.get("/projections/sums").await.1) {}
            let compared = api.done("/projections/sums/compare", &Value::Null).await;
            let counts = ["added", "removed", "changed"].map(|name| compared[name].as_u64().unwrap());
            assert_eq!((counts, &compared["role"]), ([1, 0, 0], &json!("building")), "{compared}");
            assert_eq!(compared["first_difference"]["key"], json!("count"));
            for turn in 0..SWITCHES {
                let step = if turn % 2 == 0 { "promote" } else { "rollback" };
                // A promotion that did not catch up in time may be tried again.
                while api.post(&format!("/projections/sums/{step}"), &Value::Null).await.0 != 200 {
                    api.done("/projections/sums/upgrade", &json!({ "plugin": "ledger@0.2.0" })).await;
                }
                api.append("account/1", "booked", json!({ "amount": 1 })).await;
                if turn % 2 == 1 {
                    api.done("/projections/sums/upgrade", &json!({ "plugin": "ledger@0.2.0" })).await;
                }
            }
        };
        let steps = async {
            let _ended = Ended(&is_over);
            steps.await;
        };
        tokio::join!(load, watch(api, &is_over, &reads), steps);
        assert!(reads.into_inner() > SWITCHES);
        let head = api.get("/log").await.1["head"].as_u64().unwrap();
        assert_eq!(api.number(&format!("{TOTAL}?min_sequence={head}")).await, (head, head));
        let verified = api.done("/projections/sums/verify", &Value::Null).await;
        assert_eq!(verified["same"], json!(true), "{verified}");
    });
    server.stop();
}

#[test]
fn a_change_feed_leads_to_the_same_state_across_switches() {
    const BOOKINGS: u64 = 60;
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = &Api::new(&server);
        api.install("ledger").await;
        api.install("ledger_v2").await;
        api.done("/projections", &json!({ "name": "sums", "plugin": "ledger@0.1.0" })).await;
        let load = async {
            for number in 1..=BOOKINGS {
                if number == BOOKINGS / 3 {
                    api.done("/projections/sums/upgrade", &json!({ "auto_promote": true })).await;
                    while api.get("/projections/sums").await.1["previous"].is_null() {}
                }
                if number == BOOKINGS / 2 {
                    api.done("/projections/sums/rollback", &Value::Null).await;
                }
                api.append("account/1", "booked", json!({ "amount": 1 })).await;
            }
        };
        let ((), resets) = tokio::join!(load, follow(api, BOOKINGS));
        assert!((2..=3).contains(&resets), "{resets} resets at two switches, and one at the beginning at most");
    });
    server.stop();
}
