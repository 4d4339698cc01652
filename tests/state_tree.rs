//! The tree over a state's entries, as projections that run keep it.

use polyfold::engine::{Engine, NewProjection, Phase};
use polyfold::event::Digest;
use polyfold::state::{Changes, Checkpoint, Marks, Reader, Store, ValueDigest};

use crate::host::{Dir, Host, event, projection};

const NAME: &str = "event-counts";

/// A directory with a projection over some flights, which ran to the end of the log.
fn with_projection(sync: bool) -> (Dir, Host) {
    let dir = Dir::new();
    let host = dir.open();
    host.import_flights(300);
    host.guest(NAME);
    host.create(&NewProjection { sync, ..projection(NAME, NAME) }).unwrap();
    assert_eq!(host.settle(NAME), Phase::Live);
    (dir, host)
}

/// Commits to a state that nobody runs what it already has, as on the way through a long history.
fn leave_behind(dir: &Dir, host: Host) {
    let (identity, log_id) = (host.identity(NAME).parse::<Digest>().unwrap(), host.log().id().0);
    drop(host);
    let [path] = dir.states(NAME).try_into().unwrap();
    let store = Store::open(&path, identity, log_id).unwrap();
    let (mut changes, checkpoint): (_, Checkpoint) = (Changes::default(), store.checkpoint().unwrap());
    for entry in store.reader().unwrap().entries().unwrap() {
        let (key, value) = entry.unwrap();
        changes.set(key, Some(value));
    }
    store.commit_on_the_way(&changes, checkpoint, &Marks::default()).unwrap();
    assert!(!store.reader().unwrap().has_tree());
}

fn is_current(reader: &Reader) {
    assert!(reader.has_tree());
    assert_eq!(reader.check_tree().unwrap(), None);
    for entry in reader.entries().unwrap() {
        let (key, value) = entry.unwrap();
        let proof = reader.prove(&key).unwrap();
        assert_eq!(proof.check(reader.digest().unwrap(), &key), Ok(Some(ValueDigest::of(&value))));
    }
}

fn append(engine: &Engine, id: &str) {
    let event = event("a/1", "thing.happened", id, "1");
    engine.append(polyfold::engine::Append { events: vec![event], expectations: Vec::new() }).unwrap();
}

#[test]
fn a_tree_left_behind_is_built_when_the_projection_has_caught_up_and_kept_from_then_on() {
    for sync in [false, true] {
        let (dir, host) = with_projection(sync);
        is_current(&host.reader(NAME).unwrap());
        let digest = host.digest(NAME);
        leave_behind(&dir, host);
        let host = dir.open();
        assert_eq!(host.digest(NAME), digest, "the same from the entries alone");
        assert_eq!(host.settle(NAME), Phase::Live);
        is_current(&host.reader(NAME).unwrap());
        assert_eq!(host.digest(NAME), digest);
        append(&host, "later");
        assert_eq!(host.settle(NAME), Phase::Live);
        is_current(&host.reader(NAME).unwrap());
        assert_ne!(host.digest(NAME), digest);
        assert_eq!(host.verify(NAME, |_| {}).unwrap().difference, None);
    }
}
