//! Backups while a host takes appends, and point in time.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::text;
use crate::program::Environment;
use crate::service::client::Api;
use crate::service::server::{Server, block_on};

#[test]
fn a_host_that_takes_appends_is_backed_up_lost_and_restored() {
    let made = Environment::with_flights(3_000);
    let server = Server::start(&made, &[]);
    let api = Api::new(&server);
    let is_over = AtomicBool::new(false);
    let appended = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            block_on(async {
                let mut last = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let events: Vec<_> = (0..50)
                        .map(|number| json!({ "stream": format!("order/{number}"), "type": "order.placed", "data": { "n": last } }))
                        .collect();
                    let answer = api.done("/events", &json!({ "events": events })).await;
                    last = answer["events"][49]["sequence"].as_u64().unwrap();
                }
                last
            })
        });
        for generation in 1..=4 {
            let made = made.json(&["backup", "safe", "--states"]);
            assert_eq!(made["generation"], generation);
        }
        is_over.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    let receipt = made.path("receipt.json");
    made.ok(&["projection", "receipt", "on-time", "--output", text(&receipt)]);
    let last = made.json(&["backup", "safe", "--states"]);
    assert_eq!(last["sequence"], appended);
    made.ok(&["backup", "verify", "safe"]);
    let generations = made.ok(&["--json", "backup", "list", "safe"]);
    let generations: Vec<serde_json::Value> =
        generations.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sequences: Vec<u64> = generations.iter().map(|it| it["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.windows(2).all(|two| two[0] <= two[1]) && sequences[0] < sequences[4], "{sequences:?}");
    server.stop();

    // Every generation is a moment of the log, and each comes back.
    let reader = made.dir.open();
    let log = reader.log().reader().unwrap();
    for generation in &generations {
        let sequence = generation["sequence"].as_u64().unwrap();
        assert_eq!(generation["chain_head"], log.chain_at(polyfold::event::Sequence(sequence)).unwrap().to_string());
    }
    let middle = sequences[2] - 7;
    let of_middle = log.chain_at(polyfold::event::Sequence(middle)).unwrap().to_string();
    let time = {
        let query = polyfold::engine::Query {
            from: polyfold::event::Sequence(middle),
            to: None,
            filter: polyfold::event::Filter::all(),
        };
        log.read(&query, 1, 0).unwrap().batch.event(0).recorded_at
    };
    let behind = log.sequence_at(polyfold::event::Timestamp::from_micros(time.micros() + 1).unwrap()).unwrap();
    drop(log);
    drop(reader);
    let state = made.json(&["projection", "verify", "on-time"]);
    for (name, more, wanted) in [
        ("all", vec![], appended),
        ("event", vec!["--to-sequence".to_owned(), middle.to_string()], middle),
        ("time", vec!["--to-time".to_owned(), time.to_string()], behind.0 - 1),
    ] {
        let dir = made.path(name);
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let restored = made.json(&[&["--data-dir", text(&dir), "restore", "safe"], &more[..]].concat());
        assert_eq!(restored["sequence"], wanted, "{name}");
        std::os::unix::fs::symlink(crate::guests::shared_cache(), dir.join("cache")).unwrap();
        let verified = made.json(&["--data-dir", text(&dir), "log", "verify"]);
        assert_eq!((&verified["events"], &verified["chain_head"]), (&json!(wanted), &restored["chain_head"]), "{name}");
        let anew = made.json(&["--data-dir", text(&dir), "projection", "verify", "on-time"]);
        match name {
            "all" => {
                assert_eq!((&restored["states"], &restored["states_left_out"]), (&json!(1), &json!(0)));
                assert_eq!(anew["digest"], state["digest"]);
                let checked = made.run(&["--data-dir", text(&dir), "receipt", "check", text(&receipt)]);
                assert!(checked.contains("plugin, replay, state digest, entries, faults"), "{checked}");
            }
            "event" => assert_eq!(restored["chain_head"], json!(of_middle)),
            _ => {}
        }
    }
}
