//! What is answered about the past, through every door: the engine, the API, the command line.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use polyfold::engine::{Append, AsOf, Engine, Keep, Moment, NewProjection, Options, Origin, Phase, Upgrade, Waiting};
use polyfold::event::{Sequence, Timestamp};

use super::past::{as_of, shown};
use crate::host::{Dir, Host, event, projection, refusal};
use crate::program::Environment;

/// Counts of so many events of two types, appended in one piece.
fn counted(dir: &Dir, options: &Options, events: u64) -> Host {
    let host = Host(Engine::open(dir.path(), options).unwrap());
    for from in (1..=events).step_by(10_000) {
        let numbers = from..(from + 10_000).min(events + 1);
        let events = numbers.map(|number| event("a/1", kind(number), &number.to_string(), "1"));
        host.append(Append { events: events.collect(), expectations: Vec::new() }).unwrap();
    }
    host.guest("event-counts");
    host.create(&projection("it", "event-counts")).unwrap();
    assert_eq!(host.settle("it"), Phase::Live);
    host
}

fn kind(number: u64) -> &'static str {
    if number.is_multiple_of(3) { "third" } else { "other" }
}

/// What the counts are behind an event.
fn counts(sequence: u64) -> String {
    let count = |key: &str, wanted: &dyn Fn(u64) -> bool| {
        let mut all = (1..=sequence).filter(|number| wanted(*number));
        let (first, count) = (all.next(), all.clone().count() + 1);
        let row = |first| {
            let last = all.next_back().unwrap_or(first);
            format!("{key} = {{\"count\":{count},\"first_sequence\":{first},\"last_sequence\":{last}}}\n")
        };
        first.map(row).unwrap_or_default()
    };
    [
        count("category/a", &|_| true),
        count("type/other", &|number| kind(number) == "other"),
        count("type/third", &|number| kind(number) == "third"),
    ]
    .concat()
}

#[test]
fn a_state_is_exact_between_any_two_cuts_of_large_batches() {
    let dir = Dir::new();
    let host = counted(&dir, &Options::default(), 30_000);
    for at in [0, 1, 2, 63, 64, 8_191, 8_192, 8_193, 10_000, 20_001, 29_999, 30_000] {
        let past = host.look_back("it", &as_of(at)).unwrap();
        assert_eq!(shown(&past), counts(at), "{at}");
        assert_eq!((past.sequence.0, past.reached.0), (at, at));
    }
    let now = host.look_back("it", &as_of(30_000)).unwrap();
    assert_eq!((now.origin, now.from.0), (Origin::Live, 30_000), "it is at hand");
    assert_eq!(now.digest().unwrap().to_string(), host.digest("it"));
    assert_eq!(now.totals().unwrap(), host.reader("it").unwrap().totals().unwrap());
    assert_eq!(
        refusal(host.look_back("it", &as_of(30_001))),
        "there is no state as of sequence 30001: the log ends at 30000"
    );
}

#[test]
fn what_is_too_much_for_memory_is_made_in_a_file_that_goes_with_the_answer() {
    let dir = Dir::new();
    let host = dir.open();
    let events = (1..=3_000).map(|number| event(&format!("a/{number}"), "t", &number.to_string(), "{}"));
    host.append(Append { events: events.collect(), expectations: Vec::new() }).unwrap();
    drop(host);
    let small = Options { as_of_bytes_max: 20_000, ..Options::default() };
    let host = Host(Engine::open(dir.path(), &small).unwrap());
    host.guest("journal");
    let keep = Keep { history: Some(0), ..Keep::default() };
    host.create(&NewProjection { keep, ..projection("it", "journal") }).unwrap();
    host.settle("it");
    let past = host.look_back("it", &as_of(2_500)).unwrap();
    let expected: Vec<String> = (1..=2_500).map(|number| number.to_string()).collect();
    assert!(shown(&past).starts_with(&format!("all = [{}]\n", expected.join(","))));
    assert_eq!(past.totals().unwrap().entries, 2_501);
    assert_eq!(dir.states("it").len(), 2, "the state, and the file");
    let again = host.look_back("it", &as_of(2_500)).unwrap();
    assert!(Arc::ptr_eq(&past, &again), "it is not made twice");
    drop((past, again));
    host.delete("it").unwrap();
    assert!(!dir.path().join("projections/it").exists());
}

#[test]
fn a_state_halts_where_it_halted_and_nobody_waits_in_vain() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("traps");
    let bad = "{\"bad\":true}";
    host.append_all("a/1", &[("t", "1"), ("t", "1"), ("t", bad), ("t", "1")]);
    host.create(&projection("it", "traps")).unwrap();
    host.settle("it");
    let past = host.look_back("it", &as_of(4)).unwrap();
    assert_eq!((past.reached, past.halted.as_ref().unwrap().sequence), (Sequence(2), 3));
    assert_eq!(shown(&past), "type/t = 2\n");
    assert!(host.look_back("it", &as_of(2)).unwrap().halted.is_none());
    let stop = Arc::new(AtomicBool::new(true));
    let cancelled = host.past("it", &as_of(1), &mut Waiting { stop, watch: &mut |_| {} });
    assert_eq!(
        refusal(cancelled),
        "nobody waits for the state of projection \"it\" any more; its making was stopped at sequence 0"
    );
}

#[test]
fn what_ran_before_still_answers_although_its_plugin_was_removed() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("ledger");
    host.create(&projection("it", "ledger")).unwrap();
    let book = |amounts: &[u64]| {
        let data: Vec<String> = amounts.iter().map(|amount| format!("{{\"amount\":{amount}}}")).collect();
        let events: Vec<(&str, &str)> = data.iter().map(|data| ("booked", data.as_str())).collect();
        host.append_all("account/1", &events);
    };
    book(&[1, 30]);
    host.settle("it");
    let first = host.identity("it");
    host.guest("ledger_v2");
    host.upgrade("it", &Upgrade { auto_promote: true, ..Upgrade::default() }).unwrap();
    host.settle("it");
    host.abandon("it", polyfold::engine::Beside::Previous).unwrap();
    host.remove_plugin("ledger@0.1.0").unwrap();
    book(&[40]);
    host.settle("it");
    let of = |identity: &str| AsOf { identity: Some(identity.to_owned()), ..AsOf::default() };
    let total = |as_of: &AsOf| host.entries_as_of("it", as_of).lines().last().unwrap().to_owned();
    assert_eq!(total(&of(&first)), "total = 71");
    assert_eq!(total(&AsOf { identity: Some(first[..8].to_owned()), ..as_of(1) }), "total = 1");
    let ran = host.ran(&host.projection("it").unwrap());
    let ran: Vec<String> = ran.iter().map(|(identity, _)| identity.to_string()).collect();
    assert_eq!(ran.join(" "), first);
    let said = refusal(host.look_back("it", &of("0123456789")));
    assert!(
        said.starts_with("projection \"it\" has run nothing whose identity begins with \"0123456789\"; it has run ")
    );
    // With the projection goes the need for it.
    let file = dir.path().join("plugins");
    let files = || std::fs::read_dir(&file).unwrap().count();
    let before = files();
    host.delete("it").unwrap();
    host.remove_plugin("ledger").unwrap();
    assert_eq!(files(), before - 2);
}

#[test]
fn what_has_served_stays_known_when_it_is_built_again_and_given_up() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("journal");
    host.guest("journal_v2");
    host.create(&projection("it", "journal@0.1.0")).unwrap();
    host.settle("it");
    let first = host.identity("it");
    let upgrade = |plugin: &str| {
        let plugin = Some(plugin.to_owned());
        host.upgrade("it", &Upgrade { plugin, auto_promote: true, ..Upgrade::default() }).unwrap();
        host.settle("it");
    };
    upgrade("journal@0.2.0");
    host.abandon("it", polyfold::engine::Beside::Previous).unwrap();
    host.append_all("a/1", &[("t", "{\"bad\":false}"), ("t", "{\"bad\":true}")]);
    host.settle("it");
    // It halts, so it does not take over, and is given up.
    upgrade("journal@0.1.0");
    assert_eq!(host.identity("it"), first);
    assert_eq!(host.ran(&host.projection("it").unwrap()), [], "it is run now");
    host.abandon("it", polyfold::engine::Beside::Building).unwrap();
    let past = host.look_back("it", &AsOf { identity: Some(first), ..AsOf::default() }).unwrap();
    assert_eq!((past.reached, past.halted.is_some()), (Sequence(1), true));
}

#[test]
fn a_time_means_the_last_event_recorded_by_then() {
    let dir = Dir::new();
    let host = dir.open();
    host.append_all("a/1", &[("t", "1"), ("t", "1")]);
    let reader = host.log().reader().unwrap();
    let query = polyfold::engine::Query { from: Sequence(1), to: None, filter: polyfold::event::Filter::all() };
    let recorded = reader.read(&query, 10, 1_000).unwrap().batch.event(1).recorded_at;
    let at = |micros: i64| host.sequence_as_of(Moment::Time(Timestamp::from_micros(micros).unwrap())).unwrap();
    assert_eq!(at(recorded.micros()), Sequence(2));
    assert_eq!(at(recorded.micros() + 1_000_000), Sequence(2), "the end");
    assert_eq!(at(0), Sequence(0));
    assert_eq!("12".parse(), Ok(Moment::Sequence(Sequence(12))));
    assert!("1970-01-01".parse::<Moment>().is_err());
}

#[test]
fn the_command_line_reads_states_and_events_as_they_were() {
    let environment = Environment::new();
    environment.install(&["event-counts"]);
    for (id, occurred) in [("a", "2013-01-01T00:00:00Z"), ("b", "2013-01-03T00:00:00Z"), ("c", "2013-01-02T00:00:00Z")]
    {
        environment.ok(&["append", "a/1", "t", "1", "--id", id, "--occurred-at", occurred]);
    }
    environment.ok(&["projection", "create", "event-counts"]);
    let run = |arguments: &[&str]| environment.run(&[&["projection"], arguments].concat());
    expect_test::expect![[r#"
        {"count":2,"first_sequence":1,"last_sequence":2}
        ! as of sequence 2
        exit 0
    "#]]
    .assert_eq(&run(&["get", "event-counts", "type/t", "--as-of", "2"]));
    expect_test::expect![[r#"
        {"count":2,"first_sequence":1,"last_sequence":3}
        ! as of sequence 3
        exit 0
    "#]]
    .assert_eq(&run(&["get", "event-counts", "type/t", "--as-of-occurred", "2013-01-02T12:00:00Z"]));
    expect_test::expect![[r#"
        {"count":1,"first_sequence":1,"last_sequence":1}
        ! as of sequence 2
        exit 0
    "#]]
    .assert_eq(&run(&["get", "event-counts", "type/t", "--as-of-occurred", "2013-01-02T12:00:00Z", "--as-of", "2"]));
    expect_test::expect![[r#"
        category/a	{"count":1,"first_sequence":1,"last_sequence":1}
        type/t	{"count":1,"first_sequence":1,"last_sequence":1}
        ! as of sequence 1
        exit 0
    "#]]
    .assert_eq(&run(&["scan", "event-counts", "--as-of", "1"]));
    expect_test::expect![[r#"
        ! error: projection "event-counts" has no entry "type/t" as of sequence 0
        exit 3
    "#]]
    .assert_eq(&run(&["get", "event-counts", "type/t", "--as-of", "2013-01-01T00:00:00Z"]));
    expect_test::expect![[r#"
        ! error: there is no state as of sequence 4: the log ends at 3
        exit 3
    "#]]
    .assert_eq(&run(&["get", "event-counts", "type/t", "--as-of", "4"]));
    expect_test::expect![[r#"
        1  TIME  a/1@1  t v1  1
        2  TIME  a/1@2  t v1  1
        exit 0
    "#]]
    .assert_eq(&environment.run(&["read", "--as-of", "2"]));
    expect_test::expect![[r#"
        2  TIME  a/1@2  t v1  1
        exit 0
    "#]]
    .assert_eq(&environment.run(&["read", "--stream", "a/1", "--since", "1", "--as-of", "2"]));
    expect_test::expect![[r#"
        ! error: there is no state as of sequence 9: the log ends at 3
        exit 3
    "#]]
    .assert_eq(&environment.run(&["read", "--as-of", "9"]));
}
