//! Real flights, and every rule that makes a punctual one.

use super::*;
use polyfold_guest::testing::{Harness, event, events};
use serde_json::json;
use std::io::Read;

// A component has no Rust interface: the upcaster's source is the way to it.
#[path = "../../flights-v2/src/lib.rs"]
#[expect(unreachable_pub, reason = "only the upcaster itself is used here")]
mod flights_v2;

const MONTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/flights/flights-2013-01.ndjson.gz");

/// January 2013, lifted to version 2.
fn month() -> Vec<Event> {
    let mut lines = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(MONTH).unwrap()).read_to_string(&mut lines).unwrap();
    let mut upcaster = Harness::<flights_v2::FlightsV2>::new();
    events(&lines).into_iter().map(|event| upcaster.upcast(event).unwrap()).collect()
}

#[test]
fn the_month_gives_the_figures_of_its_source() {
    let mut harness = Harness::<Keyed<OnTime>>::new();
    harness.apply(month()).unwrap();
    let carrier = |name: &str| harness.get::<Punctuality>(&format!("carrier/{name}")).unwrap();
    let arrived = ["UA", "B6", "EV", "DL"].map(|name| carrier(name).arrived);
    assert_eq!(arrived, [4590, 4413, 3964, 3655]);
    let late = ["EV", "UA", "B6", "AA"].map(|name| carrier(name).late);
    assert_eq!(late, [1593, 976, 967, 520]);

    for view in ["carrier/", "airport/", "day/", "cell/"] {
        let keys = harness.entries().keys().filter(|key| key.starts_with(view));
        let totals = keys.map(|key| harness.get::<Punctuality>(key).unwrap()).fold([0; 5], |sum, p| {
            [sum[0] + p.flights, sum[1] + p.departed, sum[2] + p.arrived, sum[3] + p.cancelled, sum[4] + p.diverted]
        });
        assert_eq!(totals, [27_004, 26_483, 26_398, 521, 85], "{view}");
    }
}

#[test]
fn where_batches_are_cut_does_not_matter() {
    let events: Vec<Event> = month().into_iter().take(5000).collect();
    let state = |size| {
        let mut harness = Harness::<Keyed<OnTime>>::new().batches_of(size);
        harness.apply(events.clone()).unwrap();
        harness.entries().clone()
    };
    assert_eq!(state(1), state(5000));
    assert_eq!(state(97), state(5000));
}

#[test]
fn mean_and_maximum_are_of_arrivals() {
    let flight = |kind: &str, delay| {
        event(kind, json!({"carrier": "UA", "origin": "EWR", "delay": delay}))
            .in_stream("flight/2013-01-01-UA1-EWR")
            .at_schema_version(2)
    };
    let mut harness = Harness::<Keyed<OnTime>>::new();
    let minutes = [-20, 15, 16];
    harness.apply([flight("flight.departed", json!({"departure": 900}))]).unwrap();
    harness.apply(minutes.map(|delay| flight("flight.arrived", json!({"arrival": delay})))).unwrap();
    let expected = Punctuality {
        flights: 1,
        departed: 1,
        arrived: 3,
        late: 1,
        delay_sum_minutes: 11,
        delay_mean_minutes: Some(11.0 / 3.0),
        delay_max_minutes: Some(16),
        ..Punctuality::default()
    };
    for key in ["carrier/UA", "airport/EWR", "day/2013-01-01", "cell/UA/EWR/2013-01-01"] {
        assert_eq!(harness.get(key), Some(expected.clone()), "{key}");
    }
}

#[test]
fn an_event_of_version_1_is_refused_with_the_way_out() {
    let old = event("flight.diverted", json!({"carrier": "UA"})).in_stream("flight/2013-01-01-UA1-EWR");
    let error = Harness::<Keyed<OnTime>>::new().apply([old]).unwrap_err().to_string();
    assert_eq!(error, "flight.diverted, schema version 1: expected schema version 2: install the upcaster flights-v2");
}

#[test]
fn a_stream_without_a_day_is_refused() {
    let odd = event("flight.diverted", json!({"carrier": "UA", "origin": "EWR"})).at_schema_version(2);
    let error = Harness::<Keyed<OnTime>>::new().apply([odd.in_stream("flight/UA1")]).unwrap_err().to_string();
    assert!(error.ends_with("no day at the start of the stream's name in \"flight/UA1\""), "{error}");
}
