//! The disk fails once, at each of its operations in turn: an error, nothing acknowledged lost, and the log goes on.

use super::*;
use crate::crash::faulty::{Fault, FaultyDisk};

const COMMITS: usize = 12;

/// Runs are written and merged often, and little is in the cache, so that reads and writes meet the disk.
fn small() -> Options {
    Options { memtable_events: 4, cache_bytes: 16 << 10, ..Options::default() }
}

fn append_of(number: usize) -> Append {
    let event = |index| {
        event(&format!("a/{}", (number + index) % 7), "t", &format!("{number} {index}"), &vec![number as u8; 2000])
    };
    Append { events: (0..3).map(event).collect(), expectations: vec![] }
}

fn open(disk: &FaultyDisk) -> Result<Log, Error> {
    let backend = disk.clone();
    Log::open_with_backends(move || backend.clone(), &small())
}

/// All appends, each tried until it is taken, and read back. Whatever fails is tried again at once.
fn run(disk: &FaultyDisk) -> Log {
    const TRIES: usize = 3;
    let mut opened = open(disk);
    for _ in 1..TRIES {
        opened = opened.or_else(|_| open(disk));
    }
    let log = opened.unwrap();
    for number in 0..COMMITS {
        let mut errors = Vec::new();
        let mut append =
            || append(&log, append_of(number), time(number as i64)).map_err(|error| errors.push(error)).ok();
        // An append that failed may be there all the same; its ids say so.
        let taken = (0..TRIES).find_map(|_| append());
        let taken = taken.unwrap_or_else(|| panic!("append {number} is not taken by a disk that is well: {errors:#?}"));
        assert_eq!(taken.events[0].sequence.0, number as u64 * 3 + 1);
        let head = log.head().sequence;
        assert_eq!(head.0, number as u64 * 3 + 3);
        // A read may fail once, too.
        let query = Query { from: head, to: None, filter: Filter::all() };
        let read = || log.reader()?.read(&query, 1, 0).map(|page| page.batch.event(0).payload().unwrap().to_vec());
        assert_eq!((0..TRIES).find_map(|_| read().ok()), Some(vec![number as u8; 2000]));
        if number % 4 == 3 {
            drop(log.settle());
        }
    }
    log
}

fn check(log: &Log, place: &str) {
    let verified = verify(log).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(verified.events, COMMITS as u64 * 3, "{place}");
    let read = read_all(&log.reader().unwrap(), Sequence::FIRST, &Filter::all());
    assert_eq!(read, (1..=COMMITS as u64 * 3).collect::<Vec<_>>(), "{place}");
}

/// Each of the first operations, then some; POLYFOLD_MACHINE=all tries all of them, behind POLYFOLD_MACHINE_FROM.
fn stride(operation: usize) -> usize {
    let tries_all = std::env::var("POLYFOLD_MACHINE").is_ok_and(|which| which == "all");
    if operation < 10 || tries_all { 1 } else { 17 }
}

#[test]
fn a_disk_that_fails_once_at_any_operation_costs_nothing_that_was_acknowledged() {
    // A log in a file is made beside its place, so only one that is whole is opened.
    let made = FaultyDisk::default();
    drop(open(&made).unwrap());
    let first = std::env::var("POLYFOLD_MACHINE_FROM").map_or(0, |from| from.parse().unwrap());
    for fault in Fault::ALL {
        let (mut operations, mut operation) = (0, first);
        loop {
            operation += stride(operation);
            println!("{fault:?} at {operation}");
            let disk = made.after_power_loss();
            disk.fail_at(fault, operation);
            let log = run(&disk);
            let has_failed = disk.has_failed();
            disk.heal();
            let place = format!("{fault:?} at {operation}");
            check(&log, &place);
            // What the power leaves is what was acknowledged, whatever a sync failed at before.
            check(&open(&disk.after_power_loss()).unwrap_or_else(|error| panic!("{place}: {error}")), &place);
            drop(log);
            check(&open(&disk).unwrap_or_else(|error| panic!("{place}: {error}")), &place);
            if !has_failed {
                break;
            }
            operations = operation;
        }
        println!("{fault:?}: up to {operations} operations");
        assert!(operations > 5 || first > 0, "{fault:?}: only {operations}");
    }
}
