//! History near the end of the log: states as they were without a replay, and the values that a key had.

use std::sync::Arc;

use polyfold::engine::{Append, FaultPolicy, Keep, KeyValues, NewProjection, Origin, Phase, Waiting};
use polyfold::event::Sequence;

use super::past::{as_of, shown};
use crate::host::{Dir, Host, event, projection};

fn append(host: &Host, count: u64) {
    let from = host.head().sequence().0 + 1;
    let numbers = from..from + count;
    let events = numbers.map(|number| event(&format!("a/{}", number % 3), "t", &number.to_string(), "{}"));
    host.append(Append { events: events.collect(), expectations: Vec::new() }).unwrap();
    assert_eq!(host.settle("it"), Phase::Live);
}

fn host(dir: &Dir, keep: Keep, sync: bool) -> Host {
    let host = dir.open();
    host.guest("journal");
    host.create(&NewProjection { keep, sync, ..projection("it", "journal") }).unwrap();
    host.settle("it");
    host
}

fn entries(sequence: u64) -> String {
    let list = |stream: Option<u64>| {
        let numbers = (1..=sequence).filter(|number| stream.is_none_or(|stream| number % 3 == stream));
        numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
    };
    let line = |key: String, list: String| if list.is_empty() { list } else { format!("{key} = [{list}]\n") };
    let streams = (0..3).map(|stream| line(format!("stream/a/{stream}"), list(Some(stream))));
    [line("all".to_owned(), list(None))].into_iter().chain(streams).collect()
}

#[test]
fn near_the_end_a_state_as_it_was_takes_no_replay() {
    for sync in [false, true] {
        let dir = Dir::new();
        let mut host = host(&dir, Keep { history: Some(20), snapshot_every: Some(0), ..Keep::default() }, sync);
        (0..60).for_each(|_| append(&host, 1));
        for reopened in [false, true] {
            if reopened {
                drop(host);
                host = dir.open();
                host.settle("it");
            }
            for at in 45..60 {
                let past = host.look_back("it", &as_of(at)).unwrap();
                assert_eq!((past.origin, past.from.0, shown(&past)), (Origin::History, at, entries(at)), "{sync} {at}");
                assert_eq!(past.totals().unwrap().entries, 4);
            }
            let far = host.look_back("it", &as_of(20)).unwrap();
            assert_eq!((far.origin, shown(&far)), (Origin::Nothing, entries(20)), "beyond the horizon");
            let from = host.history_from("it").unwrap().unwrap().0;
            assert!((35..=40).contains(&from), "{from}");
        }
        // Off, all of it goes with the next commit; on again, it begins there.
        host.set_keep("it", Keep { history: Some(0), snapshot_every: Some(0), ..Keep::default() }).unwrap();
        append(&host, 1);
        assert_eq!(host.history_from("it").unwrap(), None);
        host.set_keep("it", Keep { history: Some(5), snapshot_every: Some(0), ..Keep::default() }).unwrap();
        append(&host, 1);
        assert_eq!(host.history_from("it").unwrap(), Some(Sequence(61)));
        assert_eq!(shown(&host.look_back("it", &as_of(61)).unwrap()), entries(61));
    }
}

#[test]
fn a_rebuild_keeps_history_for_its_last_stretch_alone() {
    let dir = Dir::new();
    let host = host(&dir, Keep::default(), false);
    (0..3).for_each(|_| append(&host, 400));
    host.set_keep("it", Keep { history: Some(100), snapshot_every: None, ..Keep::default() }).unwrap();
    host.rebuild("it", |_| {}).unwrap();
    let from = host.history_from("it").unwrap();
    assert!(from.is_none_or(|from| from.0 >= 1_000), "{from:?}");
    for at in [0, 399, 1_150, 1_199] {
        assert_eq!(shown(&host.look_back("it", &as_of(at)).unwrap()), entries(at), "{at}");
    }
}

fn values(host: &Host, key: &str, before: Option<u64>, limit: usize) -> KeyValues {
    let mut waiting = Waiting { stop: Arc::default(), watch: &mut |_| {} };
    host.key_values("it", key, (before.map(Sequence), limit), &mut waiting).unwrap()
}

#[test]
fn each_value_of_a_key_comes_with_the_event_that_made_it() {
    for history in [0, 15, 1_000] {
        let dir = Dir::new();
        let host = host(&dir, Keep { history: Some(history), snapshot_every: Some(0), ..Keep::default() }, false);
        append(&host, 30);
        (0..30).for_each(|_| append(&host, 1));
        let check = |before: Option<u64>, limit: usize| {
            let found = values(&host, "stream/a/1", before, limit);
            let expected = (1..before.unwrap_or(61)).rev().filter(|number| number % 3 == 1).take(limit);
            let found: Vec<u64> = found.values.iter().map(|value| value.sequence.0).collect();
            assert_eq!(found, expected.collect::<Vec<_>>(), "{history} {before:?} {limit}");
        };
        check(None, 3);
        check(None, 100);
        check(Some(50), 4);
        check(Some(2), 4);
        let found = values(&host, "stream/a/1", None, 2);
        assert_eq!(found.next, Some(Sequence(55)));
        let list = polyfold::cbor::to_json(found.values[1].value.as_ref().unwrap()).unwrap();
        assert!(list.ends_with("52,55]"), "{list}");
        assert_eq!((found.values[0].stream.as_str(), found.values[0].event_type.as_str()), ("a/1", "t"));
        let none = values(&host, "nothing", None, 2);
        assert_eq!((none.values.len(), none.next), (0, None));
    }
}

#[test]
fn history_knows_what_was_set_aside_and_what_was_not_yet() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("journal");
    let new = NewProjection { on_fault: FaultPolicy::Quarantine, ..projection("it", "journal") };
    host.create(&new).unwrap();
    host.settle("it");
    for data in ["{}", "{\"bad\":true}", "{}"] {
        host.append_all("a/1", &[("t", data)]);
        host.settle("it");
        host.append_all("a/2", &[("t", "{}")]);
        host.settle("it");
    }
    let all = |at: u64| shown(&host.look_back("it", &as_of(at)).unwrap()).lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        [1, 2, 3, 4, 5, 6].map(all),
        ["all = [1]", "all = [1,2]", "all = [1,2]", "all = [1,2,4]", "all = [1,2,4]", "all = [1,2,4,6]"]
    );
    let past = host.look_back("it", &as_of(3)).unwrap();
    assert_eq!((past.faults().len(), past.origin), (1, Origin::History));
    assert_eq!(host.look_back("it", &as_of(2)).unwrap().faults().len(), 0);
}
