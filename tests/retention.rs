//! Retention: what the policy does not keep goes, what it keeps stays true, and whoever misses something is told.

mod cycles;
mod killed;
mod modes;
mod shown;

use std::collections::BTreeSet;

use polyfold::engine::{
    Append, DroppedPolicy, Engine, LastRun, NewProjection, Options, Phase, Policy, Query, VerifyOptions,
};
use polyfold::event::{Filter, Sequence};

use crate::host::{Dir, Host, event, projection};

/// A host with a policy, as it stands in a file.
fn open(dir: &Dir, policy: &str) -> Host {
    let retention: Policy = toml::from_str(policy).unwrap();
    Host(Engine::open(dir.path(), &Options { retention, ..Options::default() }).unwrap())
}

impl Host {
    /// Appends events of one stream with ids that say which they are; `is_critical` says whose type is critical.
    fn update(&self, stream: &str, numbers: std::ops::Range<u64>, is_critical: impl Fn(u64) -> bool) {
        for from in numbers.clone().step_by(1_000) {
            let numbers = from..numbers.end.min(from + 1_000);
            let events = numbers.map(|number| {
                let event_type = if is_critical(number) { "diverted" } else { "position" };
                event(stream, event_type, &format!("{stream}:{number}"), &data(number))
            });
            self.append(Append { events: events.collect(), expectations: Vec::new() }).unwrap();
        }
    }

    fn retain(&self) -> LastRun {
        self.run_retention(&mut |_, _| {}).unwrap()
    }

    /// The sequences of events whose payload the log has.
    fn whole(&self, filter: &Filter) -> BTreeSet<u64> {
        let reader = self.log().reader().unwrap();
        let mut query = Query { from: Sequence::FIRST, to: None, filter: filter.clone() };
        let mut whole = BTreeSet::new();
        while query.from <= reader.head().sequence {
            let page = reader.read(&query, 1_000, 1 << 20).unwrap();
            whole.extend(page.batch.iter().filter(|it| it.payload().is_some()).map(|it| it.sequence.0));
            query.from = page.next;
        }
        whole
    }

    fn make(&self, name: &str, plugin: &str, dropped: DroppedPolicy) -> Phase {
        self.create(&NewProjection { dropped, ..projection(name, plugin) }).unwrap();
        self.settle(name)
    }

    /// Verifies by the projection's own code, from the beginning if that can be. Returns where it began.
    fn verified_from(&self, name: &str) -> u64 {
        let options = VerifyOptions { compile_anew: false, ..VerifyOptions::default() };
        let verified = self.verify_as(name, &options, |_| {}).unwrap();
        assert!(verified.difference.is_none(), "{name}: {:?}", verified.difference);
        verified.from.0
    }
}

/// A payload that no compression makes small: some 300 bytes that are never the same.
fn data(number: u64) -> String {
    let text: String = (0..5).map(|part| blake3_hex(number * 5 + part)).collect();
    format!("{{\"number\":{number},\"text\":\"{text}\"}}")
}

fn blake3_hex(number: u64) -> String {
    polyfold::event::Digest::of(&number.to_le_bytes()).to_string()
}

fn of_type(event_type: &str) -> Filter {
    Filter { event_types: BTreeSet::from([event_type.to_owned()]), ..Filter::all() }
}

#[test]
fn ten_thousand_updates_of_one_stream_become_small_and_every_critical_event_stays() {
    const POLICY: &str = "critical = [\"diverted\"]\n[category.flight]\nlast = 1";
    let dir = Dir::new();
    let host = open(&dir, POLICY);
    host.guest("event-counts");
    assert_eq!(host.make("counts", "event-counts", DroppedPolicy::Archive), Phase::Live);
    let is_critical = |number: u64| number.is_multiple_of(100);
    host.update("flight/UA1", 1..10_001, is_critical);
    host.settle("counts");
    let (before, head, root) =
        (host.digest("counts"), host.log().head(), host.log().event_root(Sequence(10_000)).unwrap());
    let planned = host.plan_retention(&mut |_| {}).unwrap();
    let total = planned.plan.total();
    // The last of the stream is critical too, and would stay without that.
    assert_eq!((total.events, total.kept, total.critical), (9_900, 1, 99));
    let run = host.retain();
    assert_eq!((run.events, run.payload_bytes), (total.events, total.bytes), "plan and run agree");
    assert_eq!((run.critical_before, run.critical_after), (100, 100));
    println!(
        "{} bytes before, {} after, {} planned",
        run.file_bytes_before, run.file_bytes_after, planned.plan.file_bytes_after
    );
    assert!(run.file_bytes_after * 2 < run.file_bytes_before, "{run:?}");
    let critical: BTreeSet<u64> = (1..=10_000).filter(|number| is_critical(*number)).collect();
    assert_eq!(host.whole(&of_type("diverted")), critical);
    assert_eq!(host.whole(&Filter::all()), critical);
    // What stays is as true as before.
    assert_eq!((host.log().head(), host.log().event_root(Sequence(10_000)).unwrap()), (head, root));
    assert_eq!(host.log().verify(&mut |_| {}).unwrap().chain, head.chain);
    assert_eq!((host.digest("counts"), host.verified_from("counts")), (before.clone(), 0));
    // Nothing is left to be done, and an event that is sent again is known.
    assert_eq!(host.retain().events, 0);
    for number in [1, 2, 100, 5_555, 9_999, 10_000] {
        let again = data(number);
        let event_type = if is_critical(number) { "diverted" } else { "position" };
        let again = event("flight/UA1", event_type, &format!("flight/UA1:{number}"), &again);
        let appended = host.append(Append { events: vec![again], expectations: Vec::new() }).unwrap();
        assert!(appended.events[0].duplicate && appended.events[0].sequence == Sequence(number), "{number}");
    }
    drop(host);
    let host = open(&dir, POLICY);
    assert_eq!((host.settle("counts"), host.digest("counts")), (Phase::Live, before));
    assert_eq!(host.retention_counts().runs, 1);
}

#[test]
fn nothing_goes_as_long_as_a_state_has_not_seen_it() {
    let dir = Dir::new();
    let host = open(&dir, "[category.a]\nlast = 1");
    host.guest("journal");
    host.create(&projection("it", "journal")).unwrap();
    host.append_all("a/1", &[("t", "{}"), ("t", "{}"), ("t", "{\"bad\":true}"), ("t", "{}")]);
    let Phase::Halted(fault) = host.settle("it") else { panic!("it refuses a bad event") };
    assert_eq!(fault.sequence, 3);
    let planned = host.plan_retention(&mut |_| {}).unwrap();
    assert_eq!((planned.plan.total().events, planned.blocked.len()), (3, 1));
    let refused = host.run_retention(&mut |_, _| {}).unwrap_err().to_string();
    assert!(refused.starts_with("nothing is dropped, because projection \"it\": its state "), "{refused}");
    assert!(refused.contains(" is at sequence 2 and halted "), "{refused}");
    assert_eq!(host.whole(&Filter::all()).len(), 4);
    host.delete("it").unwrap();
    assert_eq!(host.retain().events, 3);
    assert_eq!(host.whole(&Filter::all()), BTreeSet::from([4]));
}
