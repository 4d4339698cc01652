//! How long it takes until a log can be appended to.

use std::path::Path;
use std::time::{Duration, Instant};

use polyfold::engine::{Engine, Options};

use crate::child::append_and_kill;
use crate::data::{Year, head_of, import, temporary};
use crate::report::millis;

const TIMES: usize = 11;

pub(crate) fn run(year: &Year) {
    let tenth = temporary();
    let engine = Engine::open(tenth.path(), &Options::default()).unwrap();
    import(&engine, head_of(&year.ndjson, year.events / 10));
    drop(engine);
    println!("\n### Opening a data directory, ready to append\n");
    println!("| events | after a clean end | after `kill -9` at rest | after `kill -9` right behind an append |");
    println!("|---|---:|---:|---:|");
    for (events, dir) in [(year.events / 10, tenth.path()), (year.events, year.dir.path())] {
        let clean = millis(TIMES, || open(dir));
        let [resting, writing] = [500, 0].map(|rest| {
            millis(TIMES, || {
                append_and_kill(dir, Duration::from_millis(rest));
                open(dir)
            })
        });
        println!("| {events} | {clean} | {resting} | {writing} |");
    }
}

fn open(dir: &Path) -> Duration {
    let began = Instant::now();
    let engine = Engine::open(dir, &Options::default()).unwrap();
    let took = began.elapsed();
    drop(engine);
    took
}
