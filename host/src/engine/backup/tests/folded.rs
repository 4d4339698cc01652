//! A log that was compacted is backed up and restored: what its index knew of events that are gone is there again.

use super::*;
use crate::event::{EventRef, Why};
use crate::log::Rewrite;

#[test]
fn what_is_known_of_folded_events_comes_back() {
    let mut test = Test::new();
    let engine = test.engine();
    (0..6).for_each(|_| test.append(&engine, 100));
    let backups = test.path("backups");
    backup(&engine, &backups, Shape::Directory, Keep::default(), time(1)).unwrap();
    let mut drop = |event: &EventRef<'_>| (event.sequence.0 <= 450).then_some(Why::Compacted);
    let boundaries = [Sequence(200)].into();
    engine.log().rewrite(Rewrite { drop: &mut drop, fold: true, boundaries: &boundaries }, &mut |_| {}).unwrap();
    test.append(&engine, 20);
    backup(&engine, &backups, Shape::Directory, Keep::default(), time(2)).unwrap();
    sound(&backups);
    for (until, head) in
        [(Until::End, 620), (Until::Sequence(Sequence(450)), 450), (Until::Sequence(Sequence(200)), 200)]
    {
        let dir = test.path(&format!("restored {head}"));
        restore(&backups, &dir, until, Some(2)).unwrap();
        assert!(!dir.join("folded-events").exists());
        let log = crate::log::Log::open(&dir.join("log.redb"), &crate::log::Options::default()).unwrap();
        let verified = log.verify(&mut |_| {}).unwrap();
        assert_eq!((verified.events, verified.folded), (head, head.min(450)));
        let reader = log.reader().unwrap();
        assert_eq!(
            reader.chain_at(Sequence(head)).unwrap(),
            engine.log().reader().unwrap().chain_at(Sequence(head)).unwrap()
        );
        for id in ["1", "77", "200"] {
            let id = EventId::new(id).unwrap();
            assert_eq!(reader.find(&id).unwrap(), engine.log().reader().unwrap().find(&id).unwrap());
        }
        for stream in (0..9).map(|stream| StreamName::new(format!("a/{stream}")).unwrap()) {
            let sequences = engine.log().reader().unwrap().stream_sequences(&stream, crate::event::Version(1), 1_000);
            let expected = sequences.unwrap().into_iter().filter(|sequence| sequence.0 <= head).count() as u64;
            assert_eq!(reader.stream_version(&stream).unwrap().0, expected);
        }
    }
    let within = restore(&backups, &test.path("within"), Until::Sequence(Sequence(100)), Some(2)).unwrap_err();
    assert!(within.to_string().contains("restore to sequence 0 or 200"), "{within}");
}
