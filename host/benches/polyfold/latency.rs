//! How long it takes from an append's answer until a projection's state shows the event.

use std::time::Instant;

use polyfold::engine::{Phase, event_from_json};
use polyfold::log::Append;

use crate::data::{Year, open};
use crate::report::quantile;

const TIMES: usize = 300;

pub(crate) fn run(year: &Year) {
    let dir = year.with(&["count_and_sum"]);
    let engine = open(&dir);
    engine.start("count-and-sum").unwrap();
    engine.wait("count-and-sum", |_| ()).unwrap();
    let mut millis = Vec::new();
    for number in 0..TIMES {
        let data = r#"{"carrier":"UA","flight":1,"tailnum":"N14228","air_time":227,"distance":1400}"#;
        let line = format!(r#"{{"stream":"bench/latency-{number}","type":"flight.arrived","data":{data}}}"#);
        engine.append(Append { events: vec![event_from_json(&line).unwrap()], expectations: Vec::new() }).unwrap();
        let began = Instant::now();
        let progress = engine.wait("count-and-sum", |_| ()).unwrap();
        assert_eq!(progress.phase, Phase::Live);
        millis.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let [middle, high] = [0.5, 0.99].map(|share| quantile(&mut millis, share));
    println!("\n### From an append's answer to the state that shows it\n\n| p50 | p99 |\n|---:|---:|");
    println!("| {middle:.2} ms | {high:.2} ms |");
}
