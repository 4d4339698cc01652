//! Archives: what was compacted is read as it was, through a log that has nothing left of it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use super::*;
use crate::event::{EventRef, Why};

fn log_of(events: usize) -> (tempfile::TempDir, Log) {
    log_from(0, events)
}

fn log_from(first: usize, events: usize) -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let log =
        Log::open(&folder.path().join("log.redb"), &Options { memtable_events: 100, ..Options::default() }).unwrap();
    for number in first..first + events {
        let one = event(
            &format!("a/{}", number % 7),
            "t",
            &format!("{number}"),
            format!("payload {number}").repeat(30).as_bytes(),
        );
        append(&log, Append { events: vec![one], expectations: vec![] }, time(number as i64)).unwrap();
    }
    (folder, log)
}

/// Archives what goes, then lets it go.
fn compact(log: &Log, archives: &Archives, goes: impl Fn(u64) -> bool) -> Option<ArchiveInfo> {
    let added = archives.add(&log.reader().unwrap(), &mut |event| goes(event.sequence.0), &mut |_| {}).unwrap();
    let mut drop = |event: &EventRef<'_>| goes(event.sequence.0).then_some(Why::Compacted);
    log.rewrite(Rewrite { drop: &mut drop, fold: true, boundaries: &BTreeSet::new() }, &mut |_| {}).unwrap();
    added
}

/// The payloads of all events, by sequence, as far as they are there.
fn payloads(reader: &Reader) -> Vec<(u64, Option<Vec<u8>>)> {
    let mut query = Query { from: Sequence::FIRST, to: None, filter: Filter::all() };
    let mut found = Vec::new();
    while query.from <= reader.head().sequence {
        let page = reader.read(&query, 100, 1 << 20).unwrap();
        found.extend(page.batch.iter().map(|event| (event.sequence.0, event.payload().map(<[u8]>::to_vec))));
        query.from = page.next;
    }
    found
}

#[test]
fn what_was_compacted_in_several_runs_is_read_as_it_was() {
    let (folder, log) = log_of(900);
    let whole = payloads(&log.reader().unwrap());
    let chains: Vec<Digest> = (0..=900).map(|at| log.reader().unwrap().chain_at(Sequence(at)).unwrap()).collect();
    let dir = folder.path().join("archive");
    let archives = Archives::open(&dir, log.id()).unwrap();
    compact(&log, &archives, |at| at <= 300 && at % 20 != 0).unwrap();
    compact(&log, &archives, |at| at <= 700).unwrap();
    assert_eq!(compact(&log, &archives, |at| at <= 700), None, "nothing is left to go");
    let bare = log.reader().unwrap();
    assert_eq!(payloads(&bare).len(), 200);
    archives.verify(&bare, &mut |_| {}).unwrap();
    let archives = Arc::new(Archives::open(&dir, log.id()).unwrap());
    assert_eq!(archives.list().len(), 2);
    let reader = log.reader().unwrap().with_archives(Arc::clone(&archives));
    assert_eq!(payloads(&reader), whole);
    let found: Vec<Digest> = (0..=900).map(|at| reader.chain_at(Sequence(at)).unwrap()).collect();
    assert_eq!(found, chains);
    let stream = StreamName::new("a/3").unwrap();
    assert_eq!(reader.read_stream(&stream, Version(2), 5, usize::MAX).unwrap().event(0).sequence, Sequence(11));
    assert_eq!(reader.sequence_at(time(123)).unwrap(), Sequence(124));

    let redacted: BTreeSet<Sequence> = [Sequence(123), Sequence(600)].into();
    assert_eq!(archives.redact(&redacted).unwrap(), 2);
    assert_eq!(archives.redact(&redacted).unwrap(), 0);
    archives.verify(&bare, &mut |_| {}).unwrap();
    for archives in [archives, Arc::new(Archives::open(&dir, log.id()).unwrap())] {
        let found = payloads(&log.reader().unwrap().with_archives(archives));
        let differ: Vec<u64> = whole.iter().filter(|event| !found.contains(event)).map(|(at, _)| *at).collect();
        assert_eq!(differ, [123, 600]);
        let secret = whole[122].1.as_ref().unwrap();
        assert!(found.iter().all(|(_, payload)| payload.as_ref() != Some(secret)));
    }
}

#[test]
fn within_folded_events_chain_and_root_are_recomputed_by_the_archive() {
    let (folder, log) = log_of(400);
    let places = [1, 17, 128, 299, 300, 301, 400].map(Sequence);
    let before = places.map(|at| log.recompute(at, &mut |_| {}).unwrap());
    let archives = Arc::new(Archives::open(&folder.path().join("archive"), log.id()).unwrap());
    compact(&log, &archives, |at| at <= 300).unwrap();
    let refused = log.recompute(Sequence(128), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, Error::InFolded { .. }), "{refused}");
    assert_eq!(places.map(|at| log.recompute_with(Some(&archives), at, &mut |_| {}).unwrap()), before);
    // Another log's events are not taken for this one's, although all digests in their blocks fit.
    let (other_folder, other) = log_from(1, 400);
    let foreign = Arc::new(Archives::open(&other_folder.path().join("archive"), other.id()).unwrap());
    compact(&other, &foreign, |at| at <= 300).unwrap();
    let refused = log.recompute_with(Some(&foreign), Sequence(128), &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("its chain is not that of the log"), "{refused}");
}

#[test]
fn an_archive_that_is_cut_ends_where_its_log_does() {
    for end in [0, 1, 150, 300, 400] {
        let (folder, log) = log_of(400);
        let whole = payloads(&log.reader().unwrap());
        let dir = folder.path().join("archive");
        let archives = Archives::open(&dir, log.id()).unwrap();
        compact(&log, &archives, |at| at <= 200 && at % 3 != 0).unwrap();
        compact(&log, &archives, |at| at <= 300);
        archives.cut_behind(Sequence(end)).unwrap();
        let archives = Arc::new(Archives::open(&dir, log.id()).unwrap());
        archives.verify(&log.reader().unwrap(), &mut |_| {}).unwrap();
        assert!(archives.list().iter().all(|file| file.last.0 <= end && file.events > 0), "{:?}", archives.list());
        let found = payloads(&log.reader().unwrap().with_archives(archives));
        let upto = |all: &[(u64, Option<Vec<u8>>)]| all.iter().filter(|it| it.0 <= end).cloned().collect::<Vec<_>>();
        assert_eq!(upto(&found), upto(&whole), "cut behind {end}");
    }
}

#[test]
fn a_file_that_is_damaged_or_of_another_log_is_named() {
    let (folder, log) = log_of(300);
    let dir = folder.path().join("archive");
    let archives = Archives::open(&dir, log.id()).unwrap();
    let info = compact(&log, &archives, |at| at <= 250).unwrap();
    assert!(Archives::open(&dir, LogId([7; 16])).unwrap_err().to_string().contains("of another log"));
    let bytes = fs::read(&info.path).unwrap();
    for at in [0, 10, 100, bytes.len() / 2, bytes.len() - 200, bytes.len() - 50, bytes.len() - 10] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&info.path, damaged).unwrap();
        let outcome = Archives::open(&dir, log.id()).and_then(|it| it.verify(&log.reader().unwrap(), &mut |_| {}));
        assert!(outcome.unwrap_err().to_string().contains(&info.path.display().to_string()), "at {at}");
    }
    fs::remove_file(&info.path).unwrap();
    let reader = log.reader().unwrap().with_archives(Arc::new(Archives::open(&dir, log.id()).unwrap()));
    assert_eq!(payloads(&reader).len(), 50);
}
