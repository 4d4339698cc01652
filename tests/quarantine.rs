//! The policy quarantine: a faulty stream is set aside wherever batches are cut, and a newer state folds it in its place.

use expect_test::expect;
use polyfold::engine::{FaultPolicy, NewProjection, Options, Phase, SetAside, Upgrade, Which};
use polyfold::event::Sequence;

use crate::host::{Dir, Host, event, projection, refusal};

fn of(name: &str, plugin: &str) -> NewProjection {
    NewProjection { on_fault: FaultPolicy::Quarantine, ..projection(name, plugin) }
}

/// Events as `stream` or `!stream`, the latter bad, in one append.
fn append(host: &Host, streams: &str) {
    let head = host.head().sequence().0;
    let events = streams.split_whitespace().zip(head + 1..).map(|(word, number)| {
        let (stream, bad) = word.strip_prefix('!').map_or((word, false), |stream| (stream, true));
        event(&format!("order/{stream}"), "order.placed", &number.to_string(), &format!("{{\"bad\":{bad}}}"))
    });
    host.append(polyfold::engine::Append { events: events.collect(), expectations: Vec::new() }).unwrap();
}

fn set_aside(host: &Host, name: &str) -> String {
    let streams = host.set_aside(name, Which::Readable, None, 100).unwrap();
    let text = |(stream, SetAside { first, events, last }): (String, SetAside)| {
        format!("{stream}: {events} from {first} to {last}\n")
    };
    streams.into_iter().map(text).collect()
}

fn value(host: &Host, name: &str, key: &str) -> String {
    let value = host.snapshot(name).unwrap().reader.get(key).unwrap();
    value.map_or("nothing".to_owned(), |value| polyfold::cbor::to_json(&value).unwrap())
}

#[test]
fn a_faulty_stream_is_set_aside_and_all_others_go_on() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("journal");
    host.create(&of("journal", "journal")).unwrap();
    append(&host, "a b !a a c b !c a !a b");
    assert_eq!(host.settle("journal"), Phase::Live);
    let expected = expect![[r#"
        live at 10 of 10
        all = [1,2,5,6,10]
        stream/order/a = [1]
        stream/order/b = [2,6,10]
        stream/order/c = [5]
        fault at 3: error: it says: order.placed, schema version 1: this event is refused
        fault at 7: error: it says: order.placed, schema version 1: this event is refused
    "#]];
    expected.assert_eq(&host.report("journal"));
    let aside = "order/a: 4 from 3 to 9\norder/c: 1 from 7 to 7\n";
    assert_eq!(set_aside(&host, "journal"), aside);
    let totals = host.status("journal").unwrap().readable.set_aside;
    assert_eq!((totals.streams, totals.events), (2, 5));

    // It is in the file, and goes on from there.
    drop(host);
    let host = dir.open();
    assert_eq!(set_aside(&host, "journal"), aside);
    append(&host, "c a b");
    assert_eq!(host.settle("journal"), Phase::Live);
    assert_eq!(value(&host, "journal", "all"), "[1,2,5,6,10,13]");
    assert_eq!(set_aside(&host, "journal"), "order/a: 5 from 3 to 12\norder/c: 2 from 7 to 11\n");
    let page = host.set_aside("journal", Which::Readable, Some("order/a"), 1).unwrap();
    assert_eq!(page[0].0, "order/c");
}

/// Random streams and bad events: cut anywhere, the same is folded and the same set aside, which is what the rule says.
#[test]
fn what_is_set_aside_does_not_depend_on_where_batches_are_cut() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = Dir::new();
    let host = dir.open();
    host.guest("journal");
    host.create(&of("journal", "journal")).unwrap();
    let (mut bad_since, mut folded, mut sequence) = (std::collections::BTreeMap::new(), Vec::new(), 0_u64);
    for _ in 0..6 {
        let mut words = Vec::new();
        for _ in 0..random.usize(1..120) {
            sequence += 1;
            let (stream, is_bad) = (random.u8(0..12), random.u8(0..25) == 0);
            if is_bad {
                bad_since.entry(stream).or_insert(sequence);
            }
            if !bad_since.contains_key(&stream) {
                folded.push(sequence);
            }
            words.push(format!("{}{stream}", if is_bad { "!" } else { "" }));
        }
        append(&host, &words.join(" "));
        assert_eq!(host.settle("journal"), Phase::Live);
    }
    let expected = polyfold::cbor::from_json(&format!("{folded:?}")).unwrap();
    let all = host.snapshot("journal").unwrap().reader.get("all").unwrap();
    assert_eq!(all.unwrap_or_else(|| expected.as_bytes().to_vec()), expected.as_bytes());
    let aside = host.set_aside("journal", Which::Readable, None, 100).unwrap();
    let first = aside.iter().map(|(stream, it)| (stream.trim_start_matches("order/").parse().unwrap(), it.first.0));
    assert_eq!(first.collect::<std::collections::BTreeMap<u8, u64>>(), bad_since);
    let events: u64 = aside.iter().map(|(_, it)| it.events).sum();
    assert_eq!(events + folded.len() as u64, sequence);
    for size in [1, 3, 64, 8_192] {
        assert_eq!(host.verify_with("journal", &[size], |_| {}).unwrap().difference, None, "in batches of {size}");
    }
}

#[test]
fn an_upcasters_verdict_sets_the_stream_aside_likewise() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("renames");
    host.guest("journal");
    host.create(&of("journal", "journal")).unwrap();
    // The second bad event of a stream cannot be lifted either, and is no fault any more.
    append(&host, "a b !a a !a b");
    assert_eq!(host.settle("journal"), Phase::Live);
    expect![[r#"
        live at 6 of 6
        all = [1,2,6]
        stream/order/a = [1]
        stream/order/b = [2,6]
        fault at 3: error: upcaster renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad
    "#]]
    .assert_eq(&host.report("journal"));
    assert_eq!(set_aside(&host, "journal"), "order/a: 3 from 3 to 5\n");
    assert_eq!(host.verify_with("journal", &[1, 2], |_| {}).unwrap().difference, None);
}

#[test]
fn an_upgrade_folds_what_was_set_aside_in_its_place() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("journal");
    host.create(&of("journal", "journal")).unwrap();
    append(&host, "a b !a a c b !c a !a b");
    assert_eq!(host.settle("journal"), Phase::Live);
    host.guest("journal_v2");
    host.upgrade("journal", &Upgrade { auto_promote: true, ..Upgrade::default() }).unwrap();
    host.wait("journal", |_| {}).unwrap();
    // In order of the log, not behind what was folded before.
    assert_eq!(value(&host, "journal", "all"), "[1,2,3,4,5,6,7,8,9,10]");
    assert_eq!(value(&host, "journal", "stream/order/a"), "[1,3,4,8,9]");
    let status = host.status("journal").unwrap();
    assert_eq!((status.readable.set_aside.events, status.readable.redriven), (0, Some(5)));
    assert_eq!(status.previous.unwrap().set_aside.events, 5);
    assert_eq!(host.set_aside("journal", Which::Previous, None, 100).unwrap().len(), 2);
    assert_eq!(
        refusal(host.set_aside("journal", Which::Building, None, 100)).split(';').next().unwrap(),
        "projection \"journal\" has no building state"
    );
}

#[test]
fn within_appends_a_fault_refuses_and_what_is_set_aside_is_passed_over() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("journal");
    append(&host, "a !a b");
    host.create(&NewProjection { sync: true, ..of("journal", "journal") }).unwrap();
    assert_eq!(host.settle("journal"), Phase::Live);
    assert_eq!(set_aside(&host, "journal"), "order/a: 1 from 2 to 2\n");
    append(&host, "a b !a");
    assert_eq!(set_aside(&host, "journal"), "order/a: 3 from 2 to 6\n");
    assert_eq!(value(&host, "journal", "all"), "[1,3,5]");
    let bad = event("order/b", "order.placed", "bad", "{\"bad\":true}");
    let refused = host.append(polyfold::engine::Append { events: vec![bad], expectations: Vec::new() });
    assert!(refusal(refused).starts_with("projection \"journal\" refuses the event that would be at sequence 7"));
    append(&host, "a b");
    assert_eq!(set_aside(&host, "journal"), "order/a: 4 from 2 to 7\n");
    assert_eq!(value(&host, "journal", "all"), "[1,3,5,8]");
    drop(host);
    let host = Host(polyfold::engine::Engine::open(dir.path(), &Options::default()).unwrap());
    assert_eq!(set_aside(&host, "journal"), "order/a: 4 from 2 to 7\n");
    assert_eq!(host.verify_with("journal", &[1, 7], |_| {}).unwrap().difference, None);
    assert_eq!(host.head().sequence(), Sequence(8));
}
