//! How fast the past answers, and what keeping it costs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use polyfold::engine::{Append, AsOf, Engine, Keep, Moment, Waiting};
use polyfold::event::{Digest, Sequence, Timestamp};
use polyfold::state::{Changes, Checkpoint, Marks, Occasion, Snapshots, Store, Why};

use crate::data::{Year, open, temporary};
use crate::report::{Contestant, Lap, compare, quantile, size};

const NEAR: u64 = 500;
const FAR_TIMES: u64 = 21;
const ENTRIES: usize = 1_000_000;
const OFF: Keep = Keep { snapshot_every: Some(0), snapshot_bytes: Some(0), history: Some(0) };

pub(crate) fn run(year: &Year) {
    let dir = year.with(&["flights_v2", "on_time"]);
    let engine = open(&dir);
    costs(&engine, "on-time", year);
    far(&engine, "on-time");
    near(&engine, "on-time", year);
    drop(engine);
    let dir = year.with(&["count_and_sum"]);
    let engine = open(&dir);
    costs(&engine, "count-and-sum", year);
    far(&engine, "count-and-sum");
    snapshot_of_many();
}

/// What keeping costs a rebuild, each kind switched off and on in turns.
fn costs(engine: &Engine, name: &str, year: &Year) {
    engine.start(name).unwrap();
    engine.wait(name, |_| ()).unwrap();
    let lap = |keep: Keep| {
        engine.set_keep(name, keep).unwrap();
        remove_all(engine, name);
        Lap::of(year.events, || drop(engine.rebuild(name, |_| ()).unwrap()))
    };
    let kinds = [
        ("nothing kept", OFF),
        ("history", Keep { history: None, ..OFF }),
        ("snapshots", Keep { snapshot_every: None, ..OFF }),
        ("both, as usual", Keep::default()),
    ];
    let contestants = kinds.map(|(what, keep)| Contestant::new(what, move || lap(keep)));
    compare(&format!("Rebuild of {name}, and what is kept of the past"), "events", 5, contestants.into());
    // What follows looks at what the usual way keeps.
    let _: Lap = lap(Keep::default());
    let snapshots = engine.snapshots(name).unwrap();
    let places: Vec<u64> = snapshots.iter().map(|snapshot| snapshot.sequence.0).collect();
    println!("\nSnapshots at {places:?}, file {}.", size(engine.snapshots_bytes(name)));
}

fn remove_all(engine: &Engine, name: &str) {
    for snapshot in engine.snapshots(name).unwrap() {
        // Another one may be of the same event.
        drop(engine.remove_snapshot(name, snapshot.sequence));
    }
}

fn look(engine: &Engine, name: &str, sequence: u64) -> (Duration, &'static str, u64) {
    let as_of = AsOf { at: Some(Moment::Sequence(Sequence(sequence))), ..AsOf::default() };
    let began = Instant::now();
    let past = engine.past(name, &as_of, &mut Waiting { stop: Arc::default(), watch: &mut |_| () }).unwrap();
    past.get("carrier/UA").unwrap();
    (began.elapsed(), past.origin.as_str(), sequence - past.from.0)
}

/// As of events far back: the year has no million, so from its end to its start.
fn far(engine: &Engine, name: &str) {
    let head = engine.head().sequence().0;
    println!(
        "\n### {name} as of an event far back, of {head} in all\n\n| events back | ms | made from | folded |\n|---:|---:|---|---:|"
    );
    let mut all = Vec::new();
    for at in (1..=FAR_TIMES).rev() {
        // No two near each other, so that what was asked for before is of no help.
        let (took, from, folded) = look(engine, name, head * at / (FAR_TIMES + 1));
        all.push(took.as_secs_f64() * 1e3);
        if at % 4 == 1 {
            let back = head - head * at / (FAR_TIMES + 1);
            println!("| {back} | {:.0} | {from} | {folded} |", took.as_secs_f64() * 1e3);
        }
    }
    let median = quantile(&mut all, 0.5);
    println!("\nMedian {median:.0} ms, at most {:.0} ms.", all[all.len() - 1]);
}

/// As of events near the end, which came one by one.
fn near(engine: &Engine, name: &str, year: &Year) {
    for (number, mut event) in year.events(NEAR as usize).into_iter().enumerate() {
        event.id = polyfold::event::EventId::new(format!("again-{number}")).unwrap();
        engine.append(Append { events: vec![event], expectations: Vec::new() }).unwrap();
        engine.wait(name, |_| ()).unwrap();
    }
    let head = engine.head().sequence().0;
    let mut took: Vec<f64> = (1..NEAR).map(|back| look(engine, name, head - back).0.as_secs_f64() * 1e3).collect();
    let [median, most] = [0.5, 0.99].map(|share| quantile(&mut took, share));
    let (_, from, folded) = look(engine, name, head - NEAR / 2);
    println!(
        "\n### {name} as of an event up to {NEAR} back\n\nMedian {median:.3} ms, 99 % below {most:.3} ms, at most {:.3} ms; made from {from}, {folded} events folded.",
        took[took.len() - 1]
    );
}

/// A snapshot of many entries, and how long the commits of a state wait meanwhile.
fn snapshot_of_many() {
    let dir = temporary();
    let store = filled(&dir.path().join("state.redb"));
    let snapshots = Snapshots::open(&dir.path().join("snapshots.redb"), [0; 16]).unwrap();
    println!(
        "\n### A snapshot of {ENTRIES} entries\n\n| | s | commits meanwhile | median ms | 99 % below | at most |\n|---|---:|---:|---:|---:|---:|"
    );
    let mut round = 0;
    let row = |what: &str, work: &mut (dyn FnMut() + Send)| {
        let over = AtomicBool::new(false);
        let began = Instant::now();
        let (mut took, seconds) = std::thread::scope(|scope| {
            let committing = scope.spawn(|| commits(&store, &over));
            work();
            let seconds = began.elapsed().as_secs_f64();
            over.store(true, Ordering::Relaxed);
            (committing.join().unwrap(), seconds)
        });
        let [median, most] = [0.5, 0.99].map(|share| quantile(&mut took, share));
        println!("| {what} | {seconds:.2} | {} | {median:.2} | {most:.2} | {:.2} |", took.len(), took[took.len() - 1]);
    };
    let mut take = || {
        round += 1;
        let why = Why { occasion: Occasion::Hand, taken_at: Timestamp::EPOCH, fed_bytes: 0 };
        // Each under an identity of its own: nothing else is shared but the nodes.
        let identity = Digest([round; 32]);
        snapshots.take(identity, store.reader().unwrap(), Marks::default(), why, &AtomicBool::new(false)).unwrap();
    };
    row("nothing but commits", &mut || std::thread::sleep(Duration::from_secs(3)));
    row("the first snapshot", &mut take);
    row("the next, some thousand entries later", &mut take);
    println!("\nFile of snapshots: {}.", size(snapshots.file_bytes()));
}

fn key(at: usize) -> String {
    format!("customer/{at:08}/total")
}

fn filled(path: &Path) -> Store {
    let store = Store::open(path, Digest::ZERO, [0; 16]).unwrap();
    let mut changes = Changes::default();
    (0..ENTRIES).for_each(|at| changes.set(key(at), Some((at as u64).to_le_bytes().repeat(5))));
    store.commit_on_the_way(&changes, Checkpoint::default(), &Marks::default()).unwrap();
    store.build_tree().unwrap();
    store
}

/// Commits of four changes each, as events that come one by one make, until it is over; how long each took in ms.
fn commits(store: &Store, over: &AtomicBool) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let mut changes = Changes::default();
        (0..4).for_each(|_| changes.set(key(random.usize(0..ENTRIES)), Some(random.u64(..).to_le_bytes().repeat(5))));
        let began = Instant::now();
        store.commit(&changes, Checkpoint::default(), &Marks::default()).unwrap();
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    took
}
