//! The power fails at every sync in turn: what was acknowledged is there afterwards, and the log is whole.

use super::*;
use crate::crash::{CrashingDisk, Unsynced};

const COMMITS: usize = 24;

fn small() -> Options {
    Options { memtable_events: 2, ..Options::default() }
}

fn commit_of(number: usize) -> Append {
    let event = |index| {
        event(&format!("a/{}", (number + index) % 7), "t", &format!("{number} {index}"), &vec![number as u8; 3000])
    };
    Append { events: (0..3).map(event).collect(), expectations: vec![] }
}

/// Appends until the power fails; says how far it was acknowledged.
fn run(disk: &CrashingDisk) -> Option<Head> {
    let log = Log::open_with_backend(disk.clone(), &small()).ok()?;
    let mut acknowledged = log.head();
    for number in 0..COMMITS {
        if append(&log, commit_of(number), time(number as i64)).is_err() {
            assert_eq!(log.head(), acknowledged, "a failed commit leaves the log as it was");
            break;
        }
        acknowledged = log.head();
    }
    Some(acknowledged)
}

#[test]
fn a_power_failure_at_any_sync_loses_nothing_that_was_acknowledged() {
    let whole = CrashingDisk::default();
    let heads = run(&whole).unwrap();
    assert_eq!(heads.sequence.0, COMMITS as u64 * 3);
    let seed = fastrand::u64(..);
    println!("seed {seed}, {} syncs", whole.syncs());
    for sync in 1..=whole.syncs() {
        let disk = CrashingDisk::default();
        disk.cut_at(sync);
        let acknowledged = run(&disk);
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(seed + sync as u64)] {
            check(sync, unsynced, &disk, acknowledged);
        }
    }
}

fn check(sync: usize, unsynced: Unsynced, disk: &CrashingDisk, acknowledged: Option<Head>) {
    let disk = CrashingDisk::holding(disk.after_power_loss(unsynced));
    let log = match (Log::open_with_backend(disk, &small()), acknowledged) {
        (Ok(log), _) => log,
        // Nobody was told yet that there is a log; a log in a file is made beside its place.
        (Err(_), None) => return,
        (Err(error), Some(_)) => panic!("sync {sync}, {unsynced:?}: {error}"),
    };
    let found = verify(&log).unwrap_or_else(|error| panic!("sync {sync}, {unsynced:?}: {error}"));
    let acknowledged = acknowledged.map_or(0, |head| head.sequence.0);
    // A commit whose sync failed may be there after all, whole or not at all.
    assert!(found.events == acknowledged || found.events == acknowledged + 3, "sync {sync}, {unsynced:?}: {found:?}");
    let next = found.events as usize / 3;
    let appended = append(&log, commit_of(next), time(1000)).unwrap();
    assert_eq!(appended.events[0].sequence.0, found.events + 1);
    verify(&log).unwrap();
}
