//! What the tree over a state's entries costs its commits and a rebuild, and what a proof takes.

use std::path::Path;
use std::time::{Duration, Instant};

use polyfold::event::Digest;
use polyfold::state::{Changes, Checkpoint, EntryProof, Marks, StateDigest, Store};

use crate::data::{Year, open, temporary};
use crate::report::{Contestant, Lap, compare, count, quantile};

const ENTRIES: [usize; 2] = [10_000, 1_000_000];
const CHANGES: [usize; 3] = [1, 100, 10_000];
const ROUNDS: usize = 7;
const PROOFS: usize = 2_000;

pub(crate) fn run(year: &Year) {
    let dir = temporary();
    for entries in ENTRIES {
        let (off, on) = (filled(&dir.path().join(format!("off-{entries}")), entries), {
            let store = filled(&dir.path().join(format!("on-{entries}")), entries);
            build(&store, entries);
            store
        });
        for changes in CHANGES {
            for (what, is_new) in [("new values", false), ("new keys, the old ones deleted", true)] {
                commits(
                    &format!("Commits of {changes} {what} among {entries} entries"),
                    &off,
                    &on,
                    entries,
                    changes,
                    is_new,
                );
            }
        }
        proofs(&on, entries);
    }
    for guests in [&["count_and_sum"][..], &["flights_v2", "on_time"]] {
        share(year, guests);
    }
}

fn key(at: usize) -> String {
    format!("customer/{at:08}/total")
}

/// A state of so many entries, whose tree was left behind.
fn filled(path: &Path, entries: usize) -> Store {
    let store = Store::open(path, Digest::ZERO, [0; 16]).unwrap();
    let mut changes = Changes::default();
    (0..entries).for_each(|at| changes.set(key(at), Some(vec![at as u8; 40])));
    store.commit_on_the_way(&changes, Checkpoint::default(), &Marks::default()).unwrap();
    store
}

fn build(store: &Store, entries: usize) {
    let reader = store.reader().unwrap();
    let began = Instant::now();
    let digest = reader.digest().unwrap();
    let pass = began.elapsed();
    drop(reader);
    let began = Instant::now();
    store.build_tree().unwrap();
    let built = began.elapsed();
    assert_eq!(store.reader().unwrap().digest().unwrap(), digest);
    let rate = |took: Duration| count(entries as f64 / took.as_secs_f64());
    println!("\nTree of {entries} entries: digest alone {} entries/s, stored {} entries/s.", rate(pass), rate(built));
}

fn commits(title: &str, off: &Store, on: &Store, entries: usize, changes: usize, is_new: bool) {
    let mut round = 0;
    let mut commit = |store: &Store| {
        round += 1;
        let mut random = fastrand::Rng::with_seed(round / 2);
        let mut all = Changes::default();
        for _ in 0..changes {
            let key = key(random.usize(0..entries));
            if is_new {
                all.set(format!("{key}/{round}"), Some(vec![1; 40]));
                all.set(key, None);
            } else {
                all.set(key, Some(random.u64(..).to_le_bytes().repeat(5)));
            }
        }
        Lap::of(1, || store.commit(&all, Checkpoint::default(), &Marks::default()).unwrap())
    };
    let commit = std::cell::RefCell::new(&mut commit);
    let contestants = vec![
        Contestant::new("without the tree", || (commit.borrow_mut())(off)),
        Contestant::new("with it", || (commit.borrow_mut())(on)),
    ];
    compare(title, "commits", ROUNDS, contestants);
}

fn proofs(store: &Store, entries: usize) {
    let reader = store.reader().unwrap();
    let root = reader.digest().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let (mut made, mut checked, mut read, mut verified, mut bytes) = (vec![], vec![], vec![], vec![], 0);
    for _ in 0..PROOFS {
        let key = key(random.usize(0..entries));
        let timed = |times: &mut Vec<f64>, work: &mut dyn FnMut()| {
            let began = Instant::now();
            work();
            times.push(began.elapsed().as_secs_f64() * 1e6);
        };
        let mut proof = Vec::new();
        timed(&mut made, &mut || proof = reader.prove(&key).unwrap().to_bytes());
        timed(&mut checked, &mut || {
            EntryProof::from_bytes(&proof).unwrap().check(root, &key).unwrap();
        });
        timed(&mut read, &mut || drop(reader.get(&key).unwrap()));
        timed(&mut verified, &mut || drop(reader.get_verified(&key).unwrap()));
        bytes += proof.len();
    }
    println!("\n### Proofs among {entries} entries, {} bytes on average\n", bytes / PROOFS);
    println!("| | median, µs | 99 % below | most |\n|---|---:|---:|---:|");
    for (what, times) in
        [("make", &mut made), ("check", &mut checked), ("read a value", &mut read), ("read it verified", &mut verified)]
    {
        let [median, most_of_them] = [0.5, 0.99].map(|share| quantile(times, share));
        println!("| {what} | {median:.1} | {most_of_them:.1} | {:.1} |", times[times.len() - 1]);
    }
}

/// How much of a rebuild is the tree.
fn share(year: &Year, guests: &[&str]) {
    let dir = year.with(guests);
    let engine = open(&dir);
    let name = guests[guests.len() - 1].replace('_', "-");
    let mut shares = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        drop(engine.rebuild(&name, |_| ()).unwrap());
        let whole = began.elapsed();
        let scratch = temporary();
        let store = Store::open(&scratch.path().join("state.redb"), Digest::ZERO, [0; 16]).unwrap();
        let (mut changes, mut digest) = (Changes::default(), StateDigest::default());
        for entry in engine.reader(&name).unwrap().entries().unwrap() {
            let (key, value) = entry.unwrap();
            digest.add(&key, &value);
            changes.set(key, Some(value));
        }
        store.commit_on_the_way(&changes, Checkpoint::default(), &Marks::default()).unwrap();
        let began = Instant::now();
        store.build_tree().unwrap();
        let tree = began.elapsed();
        assert_eq!(store.reader().unwrap().digest().unwrap(), digest.finish());
        shares.push(100.0 * tree.as_secs_f64() / whole.as_secs_f64());
    }
    println!("\nThe tree is {:.1} % of a rebuild of {name}.", quantile(&mut shares, 0.5));
}
