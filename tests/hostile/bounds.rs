//! A projection that does its work beside several that are still at doing none.

use serde_json::{Value, json};

use crate::program::Environment;
use crate::service::client::Api;
use crate::service::server::{Server, block_on};

/// More than a call can use up before its deadline: each of these is at it for ten seconds.
const FUEL_WITHOUT_END: u64 = 1_000_000_000_000;

/// As many as this has processors twice.
const LOOPING: usize = 4;

#[test]
fn a_projection_gets_on_while_others_loop() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = Api::new(&server);
        api.install("event-counts").await;
        api.install("loops_in_apply").await;
        api.done("/projections", &json!({ "name": "good", "plugin": "event-counts" })).await;
        api.append("order/1", "order.placed", json!({ "bad": true })).await;
        for number in 0..LOOPING {
            let name = format!("looping-{number}");
            let new = json!({ "name": name, "plugin": "loops-in-apply", "fuel_per_event": FUEL_WITHOUT_END });
            api.done("/projections", &new).await;
        }
        for round in 0..20 {
            let sequence = api.append("order/2", "order.placed", json!({ "round": round })).await;
            let key = format!("good/state/type/order.placed?min_sequence={sequence}&timeout=60");
            let (status, entry) = api.get(&format!("/projections/{key}")).await;
            assert_eq!((status, &entry["value"]["count"]), (200, &json!(sequence)), "{entry}");
        }
        // None of them has got anywhere, and none has been told off: they are still in their first call.
        for number in 0..LOOPING {
            let (_, looping): (u16, Value) = api.get(&format!("/projections/looping-{number}")).await;
            let state = &looping["readable"];
            assert_eq!((&state["phase"], &state["checkpoint"]), (&json!("replaying"), &json!(0)), "{looping}");
        }
    });
    // Not asked to end, which would wait for the calls: what a host leaves that is killed is another test's matter.
    drop(server);
}
