//! A log made anew from its blocks is the same log, whole or cut at any event or time, and goes on as the other does.

use super::*;

/// Small enough that there are runs of every level.
fn small() -> Options {
    Options { memtable_events: 4, ..Options::default() }
}

/// Events of some hundred bytes in commits of one to twenty, two commits a microsecond, among them one of a block's size.
fn source(random: &mut fastrand::Rng) -> Log {
    let log = Log::open_with_backend(redb::backends::InMemoryBackend::new(), &small()).unwrap();
    for commit in 0..60 {
        let events = (0..random.usize(1..20)).map(|index| {
            let stream = format!("{}/{}", ["a", "b", "c"][random.usize(..3)], random.u8(..9));
            let bytes = if random.u8(..60) == 0 { 70_000 } else { random.usize(1..3000) };
            let payload: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(bytes).collect();
            event(&stream, ["t", "u"][random.usize(..2)], &format!("{commit} {index}"), &payload)
        });
        append(&log, Append { events: events.collect(), expectations: vec![] }, time(commit / 2)).unwrap();
    }
    log
}

fn blocks(log: &Log) -> Vec<Vec<u8>> {
    log.reader().unwrap().raw_blocks(Sequence::FIRST).unwrap().map(|block| block.unwrap().bytes).collect()
}

fn rebuilt(log: &Log, folder: &tempfile::TempDir, cut: Cut) -> Log {
    let path = folder.path().join(format!("{}.redb", fastrand::u64(..)));
    let mut rebuild = Rebuild::begin(&path, log.id(), 0, &small()).unwrap();
    for some in blocks(log).chunks(3) {
        let batch = BlockBatch::verified(some.to_vec(), cut).unwrap();
        rebuild.add(batch.blocks, &mut no_folded).unwrap();
        if batch.is_last {
            break;
        }
    }
    let head = rebuild.finish().unwrap();
    let log = Log::open(&path, &small()).unwrap();
    assert_eq!(log.head(), head);
    log
}

fn no_folded() -> Result<Option<FoldedEvent>, Error> {
    Ok(None)
}

#[test]
fn the_whole_log_comes_back_and_goes_on_alike() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (log, folder) = (source(&mut random), tempfile::tempdir().unwrap());
    let anew = rebuilt(&log, &folder, Cut::Nowhere);
    assert_eq!((anew.id(), anew.head(), blocks(&anew)), (log.id(), log.head(), blocks(&log)));
    assert_eq!(verify(&anew).unwrap(), verify(&log).unwrap());
    assert!(anew.stats().unwrap().runs > 2, "{:?}", anew.stats().unwrap());
    for commit in 0..40 {
        let again = format!("{} 0", random.usize(..60));
        let events = [event("a/1", "t", &format!("new {commit}"), b"x"), event("z/1", "t", &again, b"y")];
        for events in events.map(|event| vec![event]) {
            let append = |log| super::append(log, Append { events: events.clone(), expectations: vec![] }, time(100));
            assert_eq!(format!("{:?}", append(&anew)), format!("{:?}", append(&log)));
        }
    }
    assert_eq!((anew.head(), verify(&anew).unwrap()), (log.head(), verify(&log).unwrap()));
}

#[test]
fn a_log_cut_at_any_event_or_time_ends_there() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (log, folder) = (source(&mut random), tempfile::tempdir().unwrap());
    let head = log.head().sequence.0;
    let reader = log.reader().unwrap();
    let mut sequences: Vec<u64> = (0..25).map(|_| random.u64(..=head)).collect();
    sequences.extend([0, 1, head - 1, head, head + 1]);
    let by_sequence = sequences.into_iter().map(|last| (Cut::Behind(Sequence(last)), last.min(head)));
    let by_time = (-1..32).map(|micros| {
        let behind = reader.sequence_at(time(micros + 1)).unwrap();
        (Cut::After(time(micros)), behind.0 - 1)
    });
    for (cut, last) in by_sequence.chain(by_time) {
        let anew = rebuilt(&log, &folder, cut);
        assert_eq!(anew.head().sequence, Sequence(last), "{cut:?}");
        assert_eq!(anew.head().chain, reader.chain_at(Sequence(last)).unwrap(), "{cut:?}");
        let verified = verify(&anew).unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        assert_eq!(verified.events, last, "{cut:?}");
        let appended =
            append(&anew, Append { events: vec![event("a/1", "t", "new", b"x")], expectations: vec![] }, time(99));
        assert_eq!(appended.unwrap().events[0].sequence, Sequence(last + 1));
        verify(&anew).unwrap();
    }
}

#[test]
fn blocks_that_are_damaged_or_do_not_follow_are_refused() {
    let mut random = fastrand::Rng::with_seed(7);
    let (log, folder) = (source(&mut random), tempfile::tempdir().unwrap());
    let whole = blocks(&log);
    for _ in 0..200 {
        let mut flipped = whole[random.usize(..whole.len())].clone();
        let bit = random.usize(..flipped.len() * 8);
        flipped[bit / 8] ^= 1 << (bit % 8);
        BlockBatch::verified(vec![flipped], Cut::Nowhere).unwrap_err();
    }
    let mut rebuild = Rebuild::begin(&folder.path().join("log.redb"), log.id(), 0, &small()).unwrap();
    let ready = |index: usize| BlockBatch::verified(vec![whole[index].clone()], Cut::Nowhere).unwrap().blocks;
    rebuild.add(ready(0), &mut no_folded).unwrap();
    let refused = rebuild.add(ready(2), &mut no_folded).unwrap_err().to_string();
    assert!(refused.contains("does not follow sequence"), "{refused}");
    rebuild.add(ready(1), &mut no_folded).unwrap();
}
