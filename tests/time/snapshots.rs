//! Snapshots through the engine: taken by themselves and by hand, used for the past, and never used when they are not sound.

use std::path::PathBuf;

use polyfold::engine::{Append, Keep, NewProjection, Occasion, Origin, Phase, VerifyOptions};
use polyfold::event::Sequence;
use redb::ReadableTable as _;

use super::past::{as_of, shown};
use crate::host::{Dir, Host, event, projection};

fn journal(dir: &Dir, keep: Keep) -> Host {
    let host = dir.open();
    host.guest("journal");
    host.create(&NewProjection { keep, ..projection("it", "journal") }).unwrap();
    host
}

/// So many events over five streams.
fn append(host: &Host, count: u64) {
    let from = host.head().sequence().0 + 1;
    let numbers = from..from + count;
    let events = numbers.map(|number| event(&format!("a/{}", number % 5), "t", &number.to_string(), "{}"));
    host.append(Append { events: events.collect(), expectations: Vec::new() }).unwrap();
    assert_eq!(host.settle("it"), Phase::Live);
}

/// The journal's entries behind an event.
fn entries(sequence: u64) -> String {
    let list = |numbers: Vec<u64>| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let mut text = String::new();
    if sequence > 0 {
        text += &format!("all = [{}]\n", list((1..=sequence).collect()));
    }
    for stream in 0..5 {
        let numbers: Vec<u64> = (1..=sequence).filter(|number| number % 5 == stream).collect();
        if !numbers.is_empty() {
            text += &format!("stream/a/{stream} = [{}]\n", list(numbers));
        }
    }
    text
}

fn places(host: &Host) -> Vec<u64> {
    host.snapshots("it").unwrap().iter().map(|snapshot| snapshot.sequence.0).collect()
}

/// Waits until all that is being taken is taken: closing does.
fn reopened(dir: &Dir, host: Host) -> Host {
    drop(host);
    dir.open()
}

#[test]
fn snapshots_are_taken_as_a_projection_goes_and_start_what_is_made_of_the_past() {
    let dir = Dir::new();
    let mut host = journal(&dir, Keep { snapshot_every: Some(100), history: Some(0), ..Keep::default() });
    for _ in 0..20 {
        append(&host, 30);
        while host.snapshots("it").unwrap().is_empty() && host.head().sequence().0 >= 120 {
            std::thread::yield_now();
        }
    }
    host = reopened(&dir, host);
    let taken = places(&host);
    assert!(taken.len() >= 2 && taken.windows(2).all(|pair| pair[1] - pair[0] >= 100), "{taken:?}");
    for at in [0, 1, 99, taken[0] - 1, taken[0], taken[0] + 1, 333, 600] {
        let past = host.look_back("it", &as_of(at)).unwrap();
        assert_eq!(shown(&past), entries(at), "{at}");
        let nearest = taken.iter().rev().find(|place| **place <= at).copied();
        match nearest {
            Some(place) if at < 600 => assert!((place..=at).contains(&past.from.0), "{at} from {}", past.from),
            Some(_) | None => assert_ne!(past.origin, Origin::Snapshot, "{at}"),
        }
    }
    // Off from the next commit on, and by hand whenever somebody likes.
    host.set_keep("it", Keep { snapshot_every: Some(0), history: Some(0), ..Keep::default() }).unwrap();
    append(&host, 300);
    let by_hand = host.take_snapshot("it").unwrap();
    assert_eq!((by_hand.sequence.0, by_hand.occasion), (900, Occasion::Hand));
    assert_eq!(by_hand.digest.to_string(), host.digest("it"));
    host = reopened(&dir, host);
    assert_eq!(places(&host), [&taken[..], &[900]].concat());
    assert_eq!(host.remove_snapshot("it", Sequence(900)).unwrap(), 1);
    assert!(host.remove_snapshot("it", Sequence(900)).is_err());
}

#[test]
fn snapshots_are_taken_by_bytes_where_few_events_have_many() {
    let dir = Dir::new();
    let host = journal(&dir, Keep { snapshot_bytes: Some(50_000), history: Some(0), ..Keep::default() });
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(10_000));
    for number in 1..=20 {
        let events = vec![event("a/1", "t", &number.to_string(), &long)];
        host.append(Append { events, expectations: Vec::new() }).unwrap();
        assert_eq!(host.settle("it"), Phase::Live);
        while number == 6 && host.snapshots("it").unwrap().is_empty() {
            std::thread::yield_now();
        }
    }
    let host = reopened(&dir, host);
    let taken = places(&host);
    assert!(taken.len() >= 2 && taken.windows(2).all(|pair| pair[1] - pair[0] >= 5), "{taken:?}");
    let past = host.look_back("it", &as_of(taken[1])).unwrap();
    assert_eq!((past.origin, past.from.0), (Origin::Snapshot, taken[1]));
    // What was taken is counted on from.
    let fed: Vec<u64> = host.snapshots("it").unwrap().iter().map(|it| it.fed_bytes / 10_000).collect();
    assert!(fed.iter().zip(&taken).all(|(fed, place)| fed >= place), "{fed:?} {taken:?}");
}

#[test]
fn a_lost_or_damaged_state_goes_on_from_its_latest_sound_snapshot() {
    let dir = Dir::new();
    let mut host = journal(&dir, Keep::default());
    append(&host, 50);
    host.take_snapshot("it").unwrap();
    append(&host, 50);
    let digest = host.digest("it");
    let file = dir.path().join(format!("projections/it/{}.redb", host.identity("it")));
    drop(host);
    std::fs::remove_file(&file).unwrap();
    host = dir.open();
    // What was folded anew is only what lies behind the snapshot.
    assert_eq!(host.settle("it"), Phase::Live);
    assert_eq!((host.digest("it"), host.entries("it")), (digest.clone(), entries(100)));
    assert_eq!(host.status("it").unwrap().readable.checkpoint.events, 100);
    assert_eq!(host.verify("it", |_| {}).unwrap().difference, None);
    // A damaged file is set aside, and so are snapshots that are.
    drop(host);
    std::fs::write(&file, vec![7; 5_000]).unwrap();
    let snapshots = dir.path().join("projections/it/snapshots.redb");
    std::fs::write(&snapshots, vec![7; 5_000]).unwrap();
    host = dir.open();
    assert_eq!(host.settle("it"), Phase::Live);
    assert_eq!((host.digest("it"), places(&host)), (digest, Vec::new()));
    assert!(PathBuf::from(format!("{}.damaged", snapshots.display())).exists());
}

#[test]
fn snapshots_of_another_log_are_not_used() {
    let (one, other) = (Dir::new(), Dir::new());
    let keep = Keep { snapshot_every: Some(0), history: Some(0), ..Keep::default() };
    let host = journal(&one, keep);
    append(&host, 40);
    host.take_snapshot("it").unwrap();
    drop(host);
    let host = journal(&other, keep);
    append(&host, 60);
    drop(host);
    std::fs::copy(one.path().join("projections/it/snapshots.redb"), other.path().join("projections/it/snapshots.redb"))
        .unwrap();
    let host = other.open();
    assert_eq!(places(&host), Vec::<u64>::new());
    let past = host.look_back("it", &as_of(45)).unwrap();
    assert_eq!((past.origin, shown(&past)), (Origin::Nothing, entries(45)));
}

#[test]
fn a_snapshot_that_is_damaged_inside_is_passed_over_and_that_is_said() {
    let dir = Dir::new();
    let mut host = journal(&dir, Keep { snapshot_every: Some(0), history: Some(0), ..Keep::default() });
    for _ in 0..3 {
        append(&host, 40);
        host.take_snapshot("it").unwrap();
    }
    append(&host, 40);
    drop(host);
    // Each node gets another's place: the file is sound, and what it says is not.
    {
        let nodes = redb::TableDefinition::<&[u8; 32], &[u8]>::new("nodes");
        let file = redb::Database::open(dir.path().join("projections/it/snapshots.redb")).unwrap();
        let transaction = file.begin_write().unwrap();
        {
            let mut table = transaction.open_table(nodes).unwrap();
            let rows = table.iter().unwrap().map(|row| row.unwrap());
            let rows: Vec<([u8; 32], Vec<u8>)> = rows.map(|(key, row)| (*key.value(), row.value().to_vec())).collect();
            for (at, (key, _)) in rows.iter().enumerate() {
                table.insert(key, rows[(at + 1) % rows.len()].1.as_slice()).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    host = dir.open();
    let past = host.look_back("it", &as_of(130)).unwrap();
    assert_eq!(shown(&past), entries(130));
    assert_eq!(past.origin, Origin::Nothing);
    assert!(past.unused.iter().any(|why| why.contains("damaged")), "{:?}", past.unused);
    assert_eq!(places(&host), Vec::<u64>::new(), "none of them is sound");
}

#[test]
fn verifications_start_from_what_was_verified() {
    let dir = Dir::new();
    let host = journal(&dir, Keep::default());
    append(&host, 50);
    host.take_snapshot("it").unwrap();
    let keep = VerifyOptions { keep_snapshot: true, ..VerifyOptions::default() };
    let start = VerifyOptions { from_snapshot: true, ..VerifyOptions::default() };
    let none = host.verify_as("it", &start, |_| {}).unwrap();
    assert_eq!((none.from.0, none.snapshot_unused.as_deref()), (0, Some("none is kept; --keep-snapshot keeps one")));
    append(&host, 10);
    assert_eq!(host.verify_as("it", &keep, |_| {}).unwrap().kept.unwrap().sequence.0, 60);
    append(&host, 10);
    let found = host.verify_as("it", &start, |_| {}).unwrap();
    assert_eq!((found.from.0, found.snapshot_unused, found.difference), (60, None, None));
    assert_eq!(host.verify_as("it", &keep, |_| {}).unwrap().kept.unwrap().sequence.0, 70);
    assert_eq!(places(&host), [50, 70], "one verified, and what was taken by hand");
}
