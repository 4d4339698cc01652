//! Random appends and reads against a list in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::crash::{CrashingDisk, Unsynced};
use crate::event::{EventRef, Why};

/// Small enough that runs are written and merged many times.
fn small() -> Options {
    Options { memtable_events: 8, ..Options::default() }
}

/// What the log should hold.
#[derive(Default)]
struct Model {
    events: Vec<(NewEvent, Version, Timestamp)>,
    versions: BTreeMap<String, u64>,
    /// What became of payloads, by sequence.
    dropped: BTreeMap<u64, Gone>,
    chains: Vec<(Sequence, Digest, Digest)>,
}

/// What is left of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Stub(Why),
    Folded,
}

impl Model {
    fn expected(&self, new: &Append) -> Result<Vec<(u64, u64, bool)>, ()> {
        let known = |event: &NewEvent| self.events.iter().position(|(known, ..)| known.id == event.id);
        let mut versions = self.versions.clone();
        let mut fresh: Vec<(NewEvent, u64, u64)> = Vec::new();
        let mut places = Vec::new();
        for event in &new.events {
            let earlier = fresh.iter().find(|(earlier, ..)| earlier.id == event.id);
            if let Some(index) = known(event) {
                let (found, is_folded) = (&self.events[index].0, self.is_folded(index as u64 + 1));
                // Of a folded event only its stream is known.
                if if is_folded { found.stream != event.stream } else { found != event } {
                    return Err(());
                }
                places.push((index as u64 + 1, self.events[index].1.0, true));
            } else if let Some((earlier, sequence, version)) = earlier {
                if earlier != event {
                    return Err(());
                }
                places.push((*sequence, *version, true));
            } else {
                let version = versions.entry(event.stream.as_str().to_owned()).or_default();
                *version += 1;
                let sequence = (self.events.len() + fresh.len()) as u64 + 1;
                places.push((sequence, *version, false));
                fresh.push((event.clone(), sequence, *version));
            }
        }
        let retry = !places.is_empty() && fresh.is_empty();
        let holds = |(stream, expected): &(StreamName, Expectation)| {
            expected.holds(Version(self.versions.get(stream.as_str()).copied().unwrap_or(0)))
        };
        if retry || new.expectations.iter().all(holds) { Ok(places) } else { Err(()) }
    }

    fn is_folded(&self, sequence: u64) -> bool {
        self.dropped.get(&sequence) == Some(&Gone::Folded)
    }

    fn take(&mut self, new: &Append, places: &[(u64, u64, bool)], now: Timestamp) {
        let recorded_at = self.events.last().map_or(now, |(_, _, last)| now.max(*last));
        for (event, (_, version, duplicate)) in new.events.iter().zip(places) {
            if !duplicate {
                self.events.push((event.clone(), Version(*version), recorded_at));
                self.versions.insert(event.stream.as_str().to_owned(), *version);
            }
        }
    }
}

struct Test {
    random: fastrand::Rng,
    model: Model,
    next_id: u64,
}

impl Test {
    fn new_event(&mut self) -> NewEvent {
        let old = self.random.u8(..10) == 0 && !self.model.events.is_empty();
        if old {
            let index = self.random.usize(..self.model.events.len());
            let mut event = self.model.events[index].0.clone();
            if self.random.u8(..20) == 0 {
                event.payload = Payload::from_canonical(b"another".to_vec());
            }
            return event;
        }
        self.next_id += 1;
        let stream = format!("c{}/{}", self.random.u8(..4), self.random.u8(..30));
        let large = self.random.u8(..50) == 0;
        let payload =
            vec![self.random.u8(..); if large { self.random.usize(..200_000) } else { self.random.usize(..300) }];
        let mut event = event(&stream, &format!("t{}", self.random.u8(..5)), &format!("id {}", self.next_id), &payload);
        if self.random.bool() {
            event.actor = Some("somebody".to_owned());
        }
        event
    }

    fn new_append(&mut self) -> Append {
        let mut events: Vec<_> = (0..self.random.usize(..12)).map(|_| self.new_event()).collect();
        if self.random.u8(..10) == 0 && !events.is_empty() {
            events.push(events[0].clone());
        }
        let streams: Vec<_> = events.iter().take(2).map(|event| event.stream.clone()).collect();
        let expectations = streams.into_iter().map(|stream| {
            let right = self.model.versions.get(stream.as_str()).copied().unwrap_or(0);
            let expectation = match self.random.u8(..6) {
                0 => Expectation::NoStream,
                1 => Expectation::Version(Version(right + 1)),
                2 | 3 => Expectation::Version(Version(right)),
                _ => Expectation::Any,
            };
            (stream, expectation)
        });
        let expectations = expectations.collect();
        Append { events, expectations }
    }

    /// One transaction of a few appends.
    fn write(&mut self, log: &Log) {
        let mut transaction = log.begin().unwrap();
        for _ in 0..self.random.usize(1..4) {
            let (new, now) = (self.new_append(), time(self.random.i64(0..1000) + 3 * self.model.events.len() as i64));
            let expected = self.model.expected(&new);
            let found = transaction.plan(Prepared::new(new.clone()).unwrap(), now);
            match (&expected, found) {
                (Ok(places), Ok(found)) => {
                    let found: Vec<_> = found.events.iter().map(|p| (p.sequence.0, p.version.0, p.duplicate)).collect();
                    assert_eq!(&found, places);
                    let fresh = places.iter().filter(|(.., duplicate)| !duplicate).map(|(sequence, ..)| *sequence);
                    let planned = transaction.planned();
                    assert_eq!(
                        planned.iter().map(|event| event.sequence.0).collect::<Vec<_>>(),
                        fresh.collect::<Vec<_>>()
                    );
                    assert!(planned.iter().all(|found| new.events.iter().any(|event| {
                        found.payload() == Some(event.payload.as_bytes())
                            && found.envelope().unwrap().same_content(event)
                    })));
                    if self.random.u8(..10) == 0 {
                        transaction.unplan();
                        assert!(transaction.planned().is_empty());
                    } else {
                        self.model.take(&new, places, now);
                    }
                }
                // A refused plan has nothing to take back.
                (Err(()), Err(PlanError::Refused(_))) => transaction.unplan(),
                (expected, found) => panic!("expected {expected:?}, found {found:?}"),
            }
        }
        assert_eq!(transaction.commit().unwrap().sequence.0, self.model.events.len() as u64);
    }

    fn check(&mut self, reader: &Reader) {
        let events = &self.model.events;
        let from = self.random.usize(..events.len() + 2);
        let filter = Filter {
            event_types: (0..self.random.u8(..3)).map(|_| format!("t{}", self.random.u8(..6))).collect(),
            categories: (0..self.random.u8(..3)).map(|_| format!("c{}", self.random.u8(..5))).collect(),
        };
        let wanted = |event: &NewEvent| filter.wants(event.event_type.as_str(), event.stream.as_str());
        let numbered =
            events.iter().zip(1..).filter(|((event, ..), sequence)| *sequence >= from as u64 && wanted(event));
        let there = |sequence: &u64| !self.model.is_folded(*sequence);
        let expected: Vec<u64> = numbered.map(|(_, sequence)| sequence).filter(there).collect();
        assert_eq!(read_all(reader, Sequence(from as u64), &filter), expected);

        let stream = StreamName::new(format!("c{}/{}", self.random.u8(..4), self.random.u8(..31))).unwrap();
        let from = Version(self.random.u64(..20));
        let of_stream =
            events.iter().zip(1..).filter(|((event, version, _), _)| event.stream == stream && *version >= from);
        let expected: Vec<u64> = of_stream.map(|(_, sequence)| sequence).filter(there).take(7).collect();
        let found = reader.read_stream(&stream, from, 7, usize::MAX).unwrap();
        assert_eq!(found.iter().map(|event| event.sequence.0).collect::<Vec<_>>(), expected);
        let version = self.model.versions.get(stream.as_str()).copied().unwrap_or(0);
        assert_eq!(reader.stream_version(&stream).unwrap(), Version(version));

        let at = time(self.random.i64(0..1200 + 3 * events.len() as i64));
        let expected = events.iter().position(|(_, _, recorded_at)| *recorded_at >= at).unwrap_or(events.len());
        let exact = Sequence(expected as u64 + 1);
        let mut expected = exact.0;
        // Within a run the last event's time is known, and the first one's only where a block begins with it.
        while self.model.is_folded(expected) && reader.chain_at(Sequence(expected)).is_err() {
            expected += 1;
        }
        let found = reader.sequence_at(at).unwrap();
        assert!(found == Sequence(expected) || found == exact, "{found}, not {exact} or {expected}");

        let number = self.random.u64(..self.next_id + 2);
        let id = EventId::new(format!("id {number}")).unwrap();
        let expected = events.iter().position(|(event, ..)| event.id == id).map(|index| Sequence(index as u64 + 1));
        assert_eq!(reader.find(&id).unwrap(), expected);

        if !events.is_empty() {
            let index = self.random.usize(..events.len());
            let query = Query { from: Sequence(index as u64 + 1), to: None, filter: Filter::all() };
            let page = reader.read(&query, 1, 0).unwrap();
            let sequence = index as u64 + 1;
            let Some(found) = page.batch.iter().next().filter(|found| found.sequence.0 == sequence) else {
                assert!(self.model.is_folded(sequence) && page.folded[0].first.0 == sequence, "{page:?}");
                return;
            };
            let (event, version, recorded_at) = &events[index];
            match self.model.dropped.get(&sequence) {
                None => assert_eq!(found.payload(), Some(event.payload.as_bytes())),
                Some(gone) => {
                    let dropped = found.payload.dropped().unwrap();
                    assert_eq!(Gone::Stub(dropped.why), *gone);
                    assert_eq!(dropped.digest, Digest::of(event.payload.as_bytes()));
                    assert_eq!(dropped.bytes as usize, event.payload.as_bytes().len());
                }
            }
            assert_eq!((found.version, found.recorded_at), (*version, *recorded_at));
            assert!(found.envelope().unwrap().same_content(event));
        }
        for (at, chain, root) in &self.model.chains {
            match reader.chain_at(*at) {
                Ok(found) => assert_eq!(found, *chain),
                Err(Error::InFolded { first, last, .. }) => assert!(first <= *at && *at < last),
                Err(error) => panic!("{error}"),
            }
            assert_ne!(root, chain);
        }
    }

    /// Drops payloads by a random rule, and folds or not.
    fn rewrite(&mut self, log: &Log) {
        let (rule, fold) = (self.random.u8(..5), self.random.bool());
        let cut = self.random.u64(..=self.model.events.len() as u64);
        let boundaries: BTreeSet<Sequence> =
            (0..self.random.u8(..4)).map(|_| Sequence(self.random.u64(..=cut))).collect();
        let mut seen = 0;
        let seed = self.random.u64(..);
        let decide = |sequence: u64| {
            let chance = blake3::hash(&[seed.to_le_bytes(), sequence.to_le_bytes()].concat()).as_bytes()[0] % 10;
            let why = if chance == 9 { Why::Redacted } else { Why::Compacted };
            (sequence <= cut && chance > 2 * rule).then_some(why)
        };
        let mut dropped = |event: &EventRef<'_>| {
            assert!(event.sequence.0 > seen && event.payload().is_some());
            seen = event.sequence.0;
            decide(seen)
        };
        let head = log.head();
        let rewrite = Rewrite { drop: &mut dropped, fold, boundaries: &boundaries };
        let rewritten = log.rewrite(rewrite, &mut |_| {}).unwrap();
        assert_eq!((log.head(), rewritten.head), (head, head.sequence));
        let gone = self.model.dropped.iter().filter(|(_, gone)| **gone == Gone::Folded);
        let before: BTreeSet<u64> = gone.map(|(sequence, _)| *sequence).collect();
        let mut count = 0;
        for sequence in 1..=self.model.events.len() as u64 {
            if let Some(why) = decide(sequence).filter(|_| !self.model.dropped.contains_key(&sequence)) {
                self.model.dropped.insert(sequence, Gone::Stub(why));
                count += 1;
            }
        }
        assert_eq!(rewritten.events_dropped, count);
        if fold {
            let is_compacted = |sequence: u64| {
                matches!(self.model.dropped.get(&sequence), Some(Gone::Folded | Gone::Stub(Why::Compacted)))
            };
            let is_cut = |sequence: u64| boundaries.contains(&Sequence(sequence));
            let joined = |left: u64| is_compacted(left) && is_compacted(left + 1) && !is_cut(left);
            let folded = (1..=self.model.events.len() as u64).filter(|at| joined(*at) || joined(*at - 1));
            let folded: Vec<u64> = folded.collect();
            self.model.dropped.extend(folded.into_iter().map(|at| (at, Gone::Folded)));
            let reader = log.reader().unwrap();
            let is_new = |at: &&Sequence| at.0 <= self.model.events.len() as u64 && !before.contains(&at.0);
            boundaries.iter().filter(is_new).for_each(|at| assert!(reader.chain_at(*at).is_ok()));
        }
        self.check_tree(log);
    }

    /// What chain and tree were is what they are, at each place that is not within a run.
    fn check_tree(&self, log: &Log) {
        let verified = verify(log).unwrap();
        let folded = self.model.dropped.values().filter(|gone| **gone == Gone::Folded).count();
        assert_eq!((verified.folded, verified.stubs), (folded as u64, (self.model.dropped.len() - folded) as u64));
        let anew = log.recompute(log.head().sequence, &mut |_| {}).unwrap();
        assert_eq!((anew.chain, anew.root), (log.head().chain, log.event_root(log.head().sequence).unwrap()));
        for (at, chain, root) in &self.model.chains {
            match log.event_root(*at) {
                Ok(found) => {
                    let anew = log.recompute(*at, &mut |_| {}).unwrap();
                    assert_eq!((found, anew.root, anew.chain), (*root, *root, *chain), "at {at}");
                }
                Err(Error::InFolded { first, last, .. }) => assert!(first <= *at && *at < last),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn the_log_does_what_a_list_does() {
    for seed in [fastrand::u64(..), 1, 2] {
        println!("seed {seed}");
        let mut test = Test { random: fastrand::Rng::with_seed(seed), model: Model::default(), next_id: 0 };
        let mut disk = CrashingDisk::default();
        let mut log = Log::open_with_backend(disk.clone(), &small()).unwrap();
        let mut kept: Option<(Reader, u64)> = None;
        for step in 0..400 {
            test.write(&log);
            test.check(&log.reader().unwrap());
            if let Some((reader, length)) = &kept {
                assert_eq!(read_all(reader, Sequence::FIRST, &Filter::all()), (1..=*length).collect::<Vec<_>>());
                let events = &test.model.events[..*length as usize];
                let index = test.random.usize(..events.len());
                let (event, version, _) = &events[index];
                assert_eq!(reader.find(&event.id).unwrap(), Some(Sequence(index as u64 + 1)));
                let last = events.iter().filter(|(other, ..)| other.stream == event.stream).count() as u64;
                assert_eq!(reader.stream_version(&event.stream).unwrap(), Version(last));
                let found = reader.read_stream(&event.stream, *version, 1, 0).unwrap();
                assert_eq!(found.event(0).sequence.0, index as u64 + 1);
            }
            match test.random.u8(..30) {
                0..3 if !test.model.events.is_empty() => {
                    kept = Some((log.reader().unwrap(), test.model.events.len() as u64));
                }
                3 => kept = None,
                4 => {
                    kept = None;
                    let head = log.head();
                    drop(log);
                    disk = CrashingDisk::holding(disk.after_power_loss(Unsynced::Lost));
                    log = Log::open_with_backend(disk.clone(), &small()).unwrap();
                    assert_eq!(log.head(), head, "step {step}");
                }
                5 => assert_eq!(verify(&log).unwrap().events, test.model.events.len() as u64),
                _ => {}
            }
        }
        verify(&log).unwrap();
        let stats = log.stats().unwrap();
        assert!(stats.runs > 4 && log.shared.current().runs.ids[0].info.level == 2, "{stats:?}");
    }
}

#[test]
fn a_log_that_is_rewritten_does_what_a_list_does() {
    for seed in [fastrand::u64(..), 1, 2] {
        println!("seed {seed}");
        let mut test = Test { random: fastrand::Rng::with_seed(seed), model: Model::default(), next_id: 0 };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.redb");
        let mut log = Log::open(&path, &small()).unwrap();
        let mut kept: Option<(Reader, Vec<u64>)> = None;
        for _ in 0..150 {
            test.write(&log);
            test.check(&log.reader().unwrap());
            if let Some((reader, sequences)) = &kept {
                assert_eq!(read_all(reader, Sequence::FIRST, &Filter::all()), *sequences);
            }
            match test.random.u8(..12) {
                0 if !test.model.events.is_empty() => {
                    let head = log.head();
                    let root = log.event_root(head.sequence).unwrap();
                    test.model.chains.push((head.sequence, head.chain, root));
                }
                1 | 2 => test.rewrite(&log),
                3 => {
                    let there = (1..=test.model.events.len() as u64).filter(|at| !test.model.is_folded(*at));
                    kept = Some((log.reader().unwrap(), there.collect()));
                }
                4 => {
                    kept = None;
                    drop(log);
                    log = Log::open(&path, &small()).unwrap();
                    test.check_tree(&log);
                }
                5 => std::fs::remove_file(path.with_extension("tree")).unwrap_or_default(),
                _ => {}
            }
        }
        test.rewrite(&log);
        test.write(&log);
        test.check_tree(&log);
    }
}
