//! What an append promises.

use super::*;

fn log() -> Log {
    Log::open_with_backend(redb::backends::InMemoryBackend::new(), &Options::default()).unwrap()
}

fn one(new: NewEvent) -> Append {
    Append { events: vec![new], expectations: vec![] }
}

fn places(appended: &Appended) -> Vec<(u64, u64, bool)> {
    appended.events.iter().map(|placed| (placed.sequence.0, placed.version.0, placed.duplicate)).collect()
}

#[test]
fn events_get_the_next_sequences_and_versions() {
    let log = log();
    let events = vec![event("a/1", "t", "1", b"x"), event("a/2", "t", "2", b"y"), event("a/1", "t", "3", b"z")];
    let appended = append(&log, Append { events, expectations: vec![] }, time(5)).unwrap();
    assert_eq!(places(&appended), [(1, 1, false), (2, 1, false), (3, 2, false)]);
    assert_eq!(log.head().sequence, Sequence(3));
    let reader = log.reader().unwrap();
    assert_eq!(read_all(&reader, Sequence::FIRST, &Filter::all()), [1, 2, 3]);
    let stream = reader.read_stream(&StreamName::new("a/1").unwrap(), Version(1), 10, 1000).unwrap();
    let payloads: Vec<&[u8]> = stream.iter().map(|event| event.payload().unwrap()).collect();
    assert_eq!(payloads, [b"x", b"z"]);
    assert_eq!(verify(&log).unwrap().events, 3);
}

#[test]
fn an_id_seen_before_writes_nothing_or_is_refused() {
    let log = log();
    append(&log, one(event("a/1", "t", "1", b"x")), time(5)).unwrap();
    let head = log.head();
    let stale = vec![(StreamName::new("a/1").unwrap(), Expectation::NoStream)];
    let again = Append { events: vec![event("a/1", "t", "1", b"x")], expectations: stale.clone() };
    assert_eq!(places(&append(&log, again, time(9)).unwrap()), [(1, 1, true)]);
    assert_eq!(log.head(), head);
    let refused = append(&log, one(event("a/1", "t", "1", b"other")), time(9)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "event id \"1\" is taken by another event at sequence 1; a new event needs a new id"
    );
    let mixed =
        Append { events: vec![event("a/1", "t", "1", b"x"), event("a/1", "t", "2", b"y")], expectations: stale };
    let refused = append(&log, mixed, time(9)).unwrap_err();
    let text = "stream \"a/1\" is at version 1, the append expects no stream; read it again and decide anew";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn plans_of_one_transaction_see_each_other_and_a_refused_one_leaves_no_trace() {
    let log = log();
    let mut transaction = log.begin().unwrap();
    let mut plan = |new: Append, micros| transaction.plan(Prepared::new(new).unwrap(), time(micros));
    assert_eq!(places(&plan(one(event("a/1", "t", "1", b"x")), 7).unwrap()), [(1, 1, false)]);
    let stream = StreamName::new("a/1").unwrap();
    let stale = Append {
        events: vec![event("a/1", "t", "2", b"x")],
        expectations: vec![(stream.clone(), Expectation::Version(Version(4)))],
    };
    assert!(matches!(plan(stale, 8), Err(PlanError::Refused(Refused::Conflict { found: Version(1), .. }))));
    assert_eq!(places(&plan(one(event("a/1", "t", "1", b"x")), 8).unwrap()), [(1, 1, true)]);
    assert!(plan(one(event("a/1", "t", "1", b"y")), 8).is_err());
    let twice = vec![event("a/1", "t", "3", b"x"), event("a/1", "t", "3", b"x"), event("a/2", "t", "4", b"x")];
    let expectations = vec![(stream, Expectation::Version(Version(1)))];
    // The clock went back: time in the log does not.
    let appended = plan(Append { events: twice, expectations }, 3).unwrap();
    assert_eq!(places(&appended), [(2, 2, false), (2, 2, true), (3, 1, false)]);
    assert_eq!(transaction.planned().iter().map(|event| event.sequence.0).collect::<Vec<_>>(), [2, 3]);
    let head = transaction.commit().unwrap();
    assert_eq!((head.sequence, head.recorded_at), (Sequence(3), time(7)));
    verify(&log).unwrap();
}

#[test]
fn the_same_id_twice_in_an_append_with_two_contents_is_refused() {
    let log = log();
    let events = vec![event("a/1", "t", "0", b"x"), event("a/1", "t", "1", b"x"), event("a/1", "t", "1", b"y")];
    let refused = append(&log, Append { events, expectations: vec![] }, time(1)).unwrap_err();
    assert!(matches!(refused, PlanError::Refused(Refused::IdTaken { sequence: Sequence(2), .. })), "{refused}");
    assert_eq!(log.head().sequence, Sequence::ZERO);
}

#[test]
fn a_dropped_transaction_leaves_no_trace() {
    let log = log();
    let mut transaction = log.begin().unwrap();
    transaction.plan(Prepared::new(one(event("a/1", "t", "1", b"x"))).unwrap(), time(1)).unwrap();
    drop(transaction);
    assert_eq!(log.head().sequence, Sequence::ZERO);
    assert_eq!(places(&append(&log, one(event("a/1", "t", "1", b"y")), time(1)).unwrap()), [(1, 1, false)]);
}

#[test]
fn what_is_too_much_is_refused_before_it_reaches_the_log() {
    let many = (0..=Append::EVENTS_MAX).map(|n| event("a/1", "t", &n.to_string(), b"")).collect();
    let refused = Prepared::new(Append { events: many, expectations: vec![] }).unwrap_err();
    assert_eq!(refused, Refused::TooManyEvents { found: 10_001 });
    let large = (0..17).map(|n| event("a/1", "t", &n.to_string(), &vec![0; 1 << 20])).collect();
    let refused = Prepared::new(Append { events: large, expectations: vec![] }).unwrap_err();
    assert!(matches!(refused, Refused::TooLarge { .. }));
    let refused = Prepared::new(one(event("a/1", "t", "1", &vec![0; (1 << 20) + 1]))).unwrap_err();
    assert!(matches!(refused, Refused::Invalid { index: 0, .. }));
}

#[test]
fn a_reader_keeps_its_view() {
    let log = log();
    append(&log, one(event("a/1", "t", "1", b"x")), time(1)).unwrap();
    let reader = log.reader().unwrap();
    append(&log, one(event("a/1", "t", "2", b"x")), time(2)).unwrap();
    let stream = StreamName::new("a/1").unwrap();
    assert_eq!(reader.stream_version(&stream).unwrap(), Version(1));
    assert_eq!(reader.find(&EventId::new("2").unwrap()).unwrap(), None);
    assert_eq!(read_all(&reader, Sequence::FIRST, &Filter::all()), [1]);
    assert_eq!(reader.sequence_at(time(2)).unwrap(), Sequence(2));
    assert_eq!(log.reader().unwrap().stream_version(&stream).unwrap(), Version(2));
}
