//! What the proof of one event among the year takes, signature included. Section `tree` has entries of a state.

use std::time::{Duration, Instant};

use polyfold::engine::{Engine, check_document, event_from_json};
use polyfold::event::{Digest, EventId, Sequence, Timestamp};
use polyfold::log::Append;

use crate::data::{Year, open};
use crate::report::quantile;

const PROOFS: u64 = 500;

pub(crate) fn run(year: &Year) {
    let dir = year.with(&[]);
    let engine = open(&dir);
    let head = engine.head().sequence();
    let whole = root_of(&engine);
    let (mut made, mut checked, mut bytes) = (Vec::new(), Vec::new(), 0);
    for turn in 0..PROOFS {
        let mut document = None;
        let sequence = Sequence(turn * 7_919 % head.0 + 1);
        made.push(micros(timed(|| document = Some(engine.prove_event(sequence, true, Timestamp::EPOCH).unwrap()))));
        let document = document.unwrap();
        bytes += document.to_json().len();
        checked.push(micros(timed(|| assert!(check_document(document, None).unwrap().refusal.is_none()))));
    }
    let mut after_append = Vec::new();
    for line in year.ndjson.lines().take(100) {
        let mut event = event_from_json(line).unwrap();
        event.id = EventId::new(format!("again {}", event.id)).unwrap();
        engine.append(Append { events: vec![event], expectations: vec![] }).unwrap();
        after_append.push(micros(root_of(&engine)));
    }
    let bytes = bytes / PROOFS as usize;
    println!("\n### Proofs of events among {head}, documents of {bytes} bytes on average\n");
    println!("The first root of all: {:.0} ms.\n", whole.as_secs_f64() * 1e3);
    println!("| | median, µs | 99 % below | most |\n|---|---:|---:|---:|");
    for (what, times) in [
        ("make, with its signed receipt", &mut made),
        ("check, with the signature", &mut checked),
        ("the root after one more append", &mut after_append),
    ] {
        let [median, most_of_them] = [0.5, 0.99].map(|share| quantile(times, share));
        println!("| {what} | {median:.0} | {most_of_them:.0} | {:.0} |", times[times.len() - 1]);
    }
}

/// How long it takes to make the root of all events.
fn root_of(engine: &Engine) -> Duration {
    let head = engine.head().sequence();
    timed(|| assert_ne!(engine.log().event_root(head).unwrap(), Digest::ZERO))
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}
