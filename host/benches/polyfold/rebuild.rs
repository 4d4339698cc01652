//! Rebuilding a state from the year's history: by a plugin, natively, and by SQLite.

use std::collections::HashMap;

use polyfold::event::{Digest, Filter, Sequence};
use polyfold::log::{Log, Query};
use polyfold::state::{Changes, Checkpoint, Marks, Store};
use serde::{Deserialize, Serialize};

use crate::data::{Year, open, temporary};
use crate::report::{Contestant, Lap, compare};
use crate::sqlite;

const ROUNDS: usize = 5;

#[derive(Deserialize)]
pub(crate) struct Arrival<'a> {
    pub(crate) tailnum: Option<&'a str>,
    pub(crate) air_time: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Total {
    count: u64,
    sum: u64,
}

pub(crate) fn run(year: &Year) {
    let dir = year.with(&["count_and_sum"]);
    let engine = open(&dir);
    let log = engine.log();
    let mut table = sqlite::Events::of(log);
    let contestants = vec![
        Contestant::new("polyfold: a Rust plugin, all guards on, commits included", || {
            Lap::of(year.events, || drop(engine.rebuild("count-and-sum", |_| ()).unwrap()))
        }),
        Contestant::new("the same fold natively, same reader, HashMap, one commit", || {
            Lap::of(year.events, || behind_others(|| native(log)))
        }),
        Contestant::new("SQLite (WAL, FULL): native consumer, upsert per event, 1,000 a transaction", || {
            Lap::of(year.events, || behind_others(|| table.fold()))
        }),
    ];
    compare("Rebuild of count and sum by aircraft", "events", ROUNDS, contestants);
    drop(table);
    drop(engine);

    let dir = year.with(&["flights_v2", "on_time"]);
    let engine = open(&dir);
    let medians = compare(
        "Rebuild of on-time (four keys an event)",
        "events",
        3,
        vec![Contestant::new("flights-v2 lifts every event, on-time folds it", || {
            Lap::of(year.events, || drop(engine.rebuild("on-time", |_| ()).unwrap()))
        })],
    );
    let lifting = compare(
        "Of that, lifting alone",
        "events",
        3,
        vec![Contestant::new("read and flights-v2", || {
            let chains = engine.chains().unwrap();
            Lap::of(year.events, || {
                pages(engine.log(), &Filter::default(), |batch| assert!(chains.lift(batch).failed.is_none()))
            })
        })],
    );
    println!("\nLifting on its own would take {:.0} % of the time.", 100.0 * medians[0] / lifting[0]);
}

/// Does it on a thread that steps back behind others, as a replay's threads do: what else the machine is doing then takes from all
/// contestants alike.
fn behind_others(work: impl FnOnce() + Send) {
    let stepping_back = || {
        polyfold::plugin::lower_priority();
        work();
    };
    std::thread::scope(|scope| scope.spawn(stepping_back).join().unwrap());
}

/// Hands over the log page by page, in pages as large as the engine's own.
pub(crate) fn pages(log: &Log, filter: &Filter, mut take: impl FnMut(polyfold::event::Batch)) {
    let reader = log.reader().unwrap();
    let mut query = Query { from: Sequence::FIRST, to: None, filter: filter.clone() };
    while query.from <= reader.head().sequence {
        let page = reader.read(&query, 8_192, 4 << 20).unwrap();
        query.from = page.next;
        take(page.batch);
    }
}

pub(crate) fn arrivals() -> Filter {
    Filter { event_types: ["flight.arrived".to_owned()].into(), ..Filter::default() }
}

/// The fold of count-and-sum without a plugin, committed at its end.
pub(crate) fn native(log: &Log) {
    let dir = temporary();
    let mut totals: HashMap<String, Total> = HashMap::new();
    pages(log, &arrivals(), |batch| {
        for event in batch.iter() {
            let arrival: Arrival = polyfold_guest::cbor::from_slice(event.payload().unwrap()).unwrap();
            let Some(tail) = arrival.tailnum else { continue };
            if !totals.contains_key(tail) {
                totals.insert(tail.to_owned(), Total::default());
            }
            let total = totals.get_mut(tail).unwrap();
            total.count += 1;
            total.sum += arrival.air_time;
        }
    });
    let mut changes = Changes::default();
    for (tail, total) in totals {
        changes.set(tail, Some(polyfold_guest::cbor::to_vec(&total).unwrap()));
    }
    let store = Store::open(&dir.path().join("state.redb"), Digest::ZERO, [0; 16]).unwrap();
    let checkpoint = Checkpoint { sequence: log.head().sequence, ..Checkpoint::default() };
    store.commit(&changes, checkpoint, &Marks::default()).unwrap();
}
