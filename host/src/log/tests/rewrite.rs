//! Rewriting: what leaves the log leaves its file, what stays is as before, and a crash leaves one log or the other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::event::{EventRef, Stored, Why};

const WORDS: &str = "a secret that nobody may find again";

fn small() -> Options {
    Options { memtable_events: 100, ..Options::default() }
}

/// A log of so many events of ten streams, with small payloads.
fn log_of(events: usize) -> (tempfile::TempDir, std::path::PathBuf, Log) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let log = Log::open(&path, &small()).unwrap();
    grow(&log, 0..events);
    (folder, path, log)
}

fn one(number: usize) -> NewEvent {
    let payload = if number == 777 { WORDS.to_owned() } else { format!("payload {number}") };
    event(&format!("a/{}", number % 10), ["t", "u"][number % 2], &format!("event {number}"), payload.as_bytes())
}

fn grow(log: &Log, numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for part in numbers.chunks(90) {
        let events = part.iter().map(|number| one(*number)).collect();
        append(log, Append { events, expectations: vec![] }, time(part[0] as i64)).unwrap();
    }
}

fn rewrite(log: &Log, fold: bool, why: impl Fn(u64) -> Option<Why>) -> Result<Rewritten, Error> {
    let mut drop = |event: &EventRef<'_>| why(event.sequence.0);
    log.rewrite(Rewrite { drop: &mut drop, fold, boundaries: &BTreeSet::new() }, &mut |_| {})
}

fn compact_to(last: u64) -> impl Fn(u64) -> Option<Why> {
    move |sequence| (sequence <= last).then_some(Why::Compacted)
}

fn holds(path: &Path, words: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

#[test]
fn a_redacted_payload_leaves_the_file_and_its_digest_stays() {
    let (folder, path, log) = log_of(778);
    // The last block is not compressed, so the words would be seen.
    assert!(holds(&path, WORDS));
    let head = log.head();
    let rewritten = rewrite(&log, false, |sequence| (sequence == 778).then_some(Why::Redacted)).unwrap();
    assert_eq!((rewritten.events_dropped, rewritten.bytes_dropped), (1, WORDS.len() as u64));
    assert!(!holds(&path, WORDS));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside it");
    assert_eq!(log.head(), head);
    let query = Query { from: Sequence(778), to: None, filter: Filter::all() };
    let page = log.reader().unwrap().read(&query, 1, 0).unwrap();
    let Stored::Dropped(dropped) = page.batch.event(0).payload else { panic!("it is there") };
    assert_eq!((dropped.why, dropped.bytes as usize), (Why::Redacted, WORDS.len()));
    assert_eq!(dropped.digest, Digest::of(WORDS.as_bytes()));
    let again = |number: usize| append(&log, Append { events: vec![one(number)], expectations: vec![] }, time(9_999));
    assert!(again(777).unwrap().events[0].duplicate, "it is known by its digest");
    let mut other = one(777);
    other.payload = Payload::from_canonical(b"another".to_vec());
    let refused = append(&log, Append { events: vec![other], expectations: vec![] }, time(9_999)).unwrap_err();
    assert!(refused.to_string().contains("is taken by another event at sequence 778"), "{refused}");
    verify(&log).unwrap();
}

#[test]
fn folding_small_events_shrinks_the_file_and_keeps_what_was_known_of_them() {
    let (_folder, path, log) = log_of(30_000);
    let (head, root) = (log.head(), log.event_root(log.head().sequence).unwrap());
    let proof = log.prove_event(Sequence(29_900), head.sequence).unwrap();
    let rewritten = rewrite(&log, true, compact_to(29_000)).unwrap();
    assert_eq!((rewritten.events_dropped, rewritten.events_folded), (29_000, 29_000));
    let stats = log.stats().unwrap();
    println!("{rewritten:?} {stats:?}");
    assert!(rewritten.bytes_after < rewritten.bytes_before, "{rewritten:?}");
    assert_eq!((stats.rewrites, stats.stubs, stats.folded), (1, 0, 29_000));
    let mut log = Some(log);
    for is_new in [true, false] {
        let log = if is_new { log.take().unwrap() } else { Log::open(&path, &small()).unwrap() };
        assert_eq!((log.head(), log.event_root(head.sequence).unwrap()), (head, root));
        assert_eq!(log.prove_event(Sequence(29_900), head.sequence).unwrap(), proof);
        let within = log.reader().unwrap().chain_at(Sequence(5)).unwrap_err().to_string();
        assert!(within.contains("sequence 5 lies within the events 1 to 29000"), "{within}");
        let found = append(&log, Append { events: vec![one(17)], expectations: vec![] }, time(0)).unwrap();
        assert_eq!(found.events[0], Placed { sequence: Sequence(18), version: Version(2), duplicate: true });
        let verified = verify(&log).unwrap();
        assert_eq!((verified.folded, verified.events), (29_000, 30_000));
    }
    let log = Log::open(&path, &small()).unwrap();
    grow(&log, 30_000..31_000);
    assert_eq!(log.reader().unwrap().stream_version(&StreamName::new("a/3").unwrap()).unwrap(), Version(3_100));
    verify(&log).unwrap();
}

#[test]
fn appends_and_readers_go_on_while_a_log_is_rewritten() {
    let (_folder, _, log) = log_of(5_000);
    let before = log.reader().unwrap();
    let is_done = AtomicBool::new(false);
    let appended = std::thread::scope(|scope| {
        let appending = scope.spawn(|| {
            let mut next = 5_000;
            while !is_done.load(Ordering::Relaxed) || next == 5_000 {
                grow(&log, next..next + 50);
                next += 50;
            }
            next
        });
        for round in 1..4 {
            rewrite(&log, round % 2 == 0, compact_to(round * 1_000)).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        appending.join().unwrap()
    });
    assert_eq!(read_all(&before, Sequence::FIRST, &Filter::all()).len(), 5_000);
    let query = Query { from: Sequence::FIRST, to: None, filter: Filter::all() };
    assert_eq!(before.read(&query, 1, 0).unwrap().batch.event(0).payload(), Some(b"payload 0".as_slice()));
    assert_eq!(log.head().sequence.0, appended as u64);
    verify(&log).unwrap();
    grow(&log, appended..appended + 500);
    verify(&log).unwrap();
}

/// What a crash leaves at any moment is the log as it was, for the new one takes its place only when it is whole.
#[test]
fn a_crash_while_the_log_is_rewritten_leaves_the_old_log() {
    let (folder, path, log) = log_of(6_000);
    let head = log.head();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut copies = 0;
    let mut drop_some = |event: &EventRef<'_>| event.sequence.0.is_multiple_of(2).then_some(Why::Compacted);
    let drop: &mut dyn FnMut(&EventRef<'_>) -> Option<Why> = &mut drop_some;
    log.rewrite(Rewrite { drop, fold: true, boundaries: &BTreeSet::new() }, &mut |_| {
        let copy = elsewhere.path().join(copies.to_string());
        fs::create_dir(&copy).unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        copies += 1;
    })
    .unwrap();
    assert!(copies > 2);
    for copy in 0..copies {
        let copy = elsewhere.path().join(copy.to_string());
        assert!(copy.join("log.redb.new").exists());
        let left = Log::open(&copy.join("log.redb"), &small()).unwrap();
        assert_eq!((left.head(), verify(&left).unwrap().stubs), (head, 0));
        assert_eq!(fs::read_dir(&copy).unwrap().count(), 1, "what was left over is gone");
    }
    std::mem::drop(log);
    let log = Log::open(&path, &small()).unwrap();
    assert_eq!((log.head(), verify(&log).unwrap().stubs), (head, 3_000));
}

#[test]
fn a_caller_that_panics_leaves_the_old_log() {
    let (folder, _, log) = log_of(500);
    let failed =
        rewrite(&log, true, |sequence| if sequence == 400 { panic!("on purpose") } else { Some(Why::Compacted) });
    assert!(failed.is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(verify(&log).unwrap().stubs, 0);
    grow(&log, 500..600);
    rewrite(&log, true, compact_to(300)).unwrap();
    assert_eq!(verify(&log).unwrap().folded, 300);
}

#[test]
fn a_log_in_no_file_is_not_rewritten() {
    let log = Log::open_with_backend(redb::backends::InMemoryBackend::new(), &small()).unwrap();
    assert!(matches!(rewrite(&log, true, compact_to(1)), Err(Error::NoFile)));
}

#[test]
fn a_flipped_bit_in_a_block_with_runs_is_found() {
    let (_folder, path, log) = log_of(3_000);
    rewrite(&log, true, |sequence| {
        (sequence % 50 > 10).then_some(if sequence % 50 == 30 { Why::Redacted } else { Why::Compacted })
    })
    .unwrap();
    let blocks: Vec<Vec<u8>> =
        log.reader().unwrap().raw_blocks(Sequence::FIRST).unwrap().map(|block| block.unwrap().bytes).collect();
    drop(log);
    assert!(blocks.iter().any(|block| block.starts_with(b"pfB2")));
    let bytes = fs::read(&path).unwrap();
    for stored in &blocks {
        let at = bytes.windows(stored.len()).position(|window| window == stored).unwrap();
        for offset in [5, 60, 112, stored.len() / 2, stored.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at + offset] ^= 0x10;
            let disk = crate::crash::CrashingDisk::holding(damaged);
            let outcome = Log::open_with_backend(disk, &small()).and_then(|log| verify(&log));
            assert!(matches!(outcome, Err(Error::Damaged { .. })), "{outcome:?}");
        }
    }
}

/// What rewriting takes, for people: POLYFOLD_MEASURE=1 says it.
#[test]
fn rewriting_takes_so_long_an_event() {
    if std::env::var_os("POLYFOLD_MEASURE").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log.redb"), &Options::default()).unwrap();
    grow(&log, 0..300_000);
    for (what, last) in [("copied", 0), ("dropped and folded", 300_000)] {
        let start = std::time::Instant::now();
        let rewritten = rewrite(&log, true, compact_to(last)).unwrap();
        println!("{what}: {:?} an event, {rewritten:?}", start.elapsed() / 300_000);
    }
}
