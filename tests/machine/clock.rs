//! A wall clock that jumps by days, back and forth, while a host runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::origin::{Copy, EVENTS, order};
use super::serving::Serving;
use super::shim;

#[test]
fn a_clock_that_jumps_turns_no_time_back_and_ends_no_wait() {
    let copy = Copy::new();
    let mut command = copy.command(&["serve", "--listen", "127.0.0.1:0"]);
    shim::jump(&mut command);
    let host = Serving::spawn(&copy, command).unwrap_or_else(|said| panic!("{said}"));
    for number in 0..60 {
        let (status, answer) = host.request("POST", "/events", &order(&format!("jump-{number}"))).unwrap();
        assert_eq!(status, 201, "{answer}");
    }
    // An event without an id gets one of its own at any time.
    for _ in 0..20 {
        let event = json!({ "stream": "order/2", "type": "order.placed" });
        assert_eq!(host.request("POST", "/events", &event).unwrap().0, 201);
    }
    let (status, token) = host.request("POST", "/tokens", &json!({ "name": "t", "scopes": ["read"] })).unwrap();
    assert_eq!(status, 201, "{token}");

    // A wait lasts as long as it says, whatever the clock does.
    let began = Instant::now();
    let path = format!("/projections/on-time/state/carrier/UA?min_sequence={}&timeout=1", EVENTS + 1_000);
    assert_eq!(host.request("GET", &path, &Value::Null).unwrap().0, 504);
    assert!(began.elapsed() >= Duration::from_millis(900) && began.elapsed() < Duration::from_secs(20));
    let head = EVENTS + 80;
    let path = format!("/projections/on-time/state/carrier/UA?min_sequence={head}&timeout=20");
    let (status, answer) = host.request("GET", &path, &Value::Null).unwrap();
    assert_eq!(status, 200, "{answer}");
    let (_, projections) = host.request("GET", "/projections", &Value::Null).unwrap();
    for projection in projections.as_array().unwrap() {
        let lag = projection["readable"]["lag_seconds"].as_f64().unwrap();
        assert!((0.0..60.0).contains(&lag), "{projection}");
    }
    host.stop();

    let (exported, code) = copy.run(&["export", "--since", &EVENTS.to_string()]);
    assert_eq!(code, Some(0), "{exported}");
    let recorded: Vec<String> = exported
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|event| event["recorded_at"].as_str().unwrap().to_owned())
        .collect();
    assert!(recorded.len() == 80 && recorded.is_sorted(), "{recorded:?}");
    assert!(recorded.first() != recorded.last(), "the clock jumped");
    let (said, code) = copy.run(&["log", "verify"]);
    assert_eq!(code, Some(0), "{said}");
}
