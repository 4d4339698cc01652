//! What encryption takes of appends and reads.

use std::collections::VecDeque;

use polyfold::engine::{Engine, Options, Query};
use polyfold::event::{Filter, NewEvent, Sequence};
use polyfold::log::Append;

use crate::data::{Year, temporary};
use crate::report::{Contestant, Lap, compare};

const BATCH: usize = 10_000;
const BATCHES: usize = 10;
const ROUNDS: usize = 3;
/// As the engine reads for projections.
const PAGE_EVENTS: usize = 8_192;
const PAGE_BYTES: usize = 4 << 20;

pub(crate) fn run(year: &Year) {
    let events = year.events(BATCH * BATCHES * (ROUNDS + 1));
    let categories: Vec<String> = events.iter().take(1).map(|event| event.stream.category().to_owned()).collect();
    let dirs = [temporary(), temporary()];
    let [plain, encrypted] = [0, 1].map(|at| Engine::open(dirs[at].path(), &Options::default()).unwrap());
    encrypted.encrypt(&categories).unwrap();
    let batches: VecDeque<Vec<NewEvent>> = events.chunks(BATCH).map(<[_]>::to_vec).collect();
    drop(events);
    let appends = [("plain", &plain), ("encrypted, keys for new streams made", &encrypted)].map(|(name, engine)| {
        let mut left = batches.clone();
        Contestant::new(name, move || {
            let taken: Vec<Vec<NewEvent>> = left.drain(..BATCHES).collect();
            Lap::of(BATCH * BATCHES, || {
                for events in taken {
                    engine.append(Append { events, expectations: Vec::new() }).unwrap();
                }
            })
        })
    });
    compare("Durable appends in batches of 10,000, plain and encrypted", "events", ROUNDS, appends.into());
    let reads = [("plain", &plain), ("encrypted", &encrypted)].map(|(name, engine)| {
        let count = engine.head().sequence().0 as usize;
        Contestant::new(name, move || Lap::of(count, || assert_eq!(read(engine), count)))
    });
    compare("Reading all of them, plain and encrypted", "events", ROUNDS, reads.into());
}

fn read(engine: &Engine) -> usize {
    let reader = engine.read_log().unwrap();
    let mut query = Query { from: Sequence(1), to: None, filter: Filter::all() };
    let mut events = 0;
    while query.from <= reader.head().sequence {
        let page = reader.read(&query, PAGE_EVENTS, PAGE_BYTES).unwrap();
        events += page.batch.iter().filter(|event| event.payload().is_some()).count();
        query.from = page.next;
    }
    events
}
