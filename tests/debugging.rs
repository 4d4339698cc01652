//! One event once more under watch, and snapshots that verifications start from.

use polyfold::engine::{Access, Before, FaultPolicy, Found, NewProjection, Phase, Ran, Share, Value, VerifyOptions};
use polyfold::event::Sequence;

use crate::host::{Dir, Host, projection, refusal};

const EVENTS: [(&str, &str); 4] =
    [("order.placed", "{}"), ("order.paid", "1"), ("order.placed", "{\"bad\":true}"), ("order.placed", "2")];

fn host(dir: &Dir, guest: &str, on_fault: FaultPolicy) -> Host {
    let host = dir.open();
    host.append_all("order/1", &EVENTS);
    host.guest(guest);
    let name = guest.replace('_', "-");
    host.create(&NewProjection { on_fault, ..projection("it", &name) }).unwrap();
    host.settle("it");
    host
}

fn debug(host: &Host, at: u64) -> Found {
    host.debug("it", Sequence(at), |_| {}).unwrap().found
}

fn ran(host: &Host, at: u64) -> Ran {
    let Found::Ran(ran) = debug(host, at) else { panic!("event {at} was run") };
    *ran
}

fn count(key: &str, count: Option<u8>) -> Access {
    let value = count.map(|count| Value { bytes: 1, shown: Some(vec![count]) });
    Access::Read { key: key.to_owned(), value }
}

#[test]
fn what_a_plugin_does_on_one_event_is_told_and_changes_nothing() {
    let dir = Dir::new();
    let host = host(&dir, "returns_error", FaultPolicy::Skip);
    let report = host.report("it");
    let run = ran(&host, 4);
    assert_eq!((run.event.stream.as_str(), run.before), ("order/1", Before::Replayed));
    let wrote = Access::Wrote { key: "type/order.placed".to_owned(), value: Value { bytes: 1, shown: Some(vec![2]) } };
    assert_eq!(run.accesses, [count("type/order.placed", Some(1)), wrote]);
    assert_eq!(run.failed, None);
    assert!(run.fuel > 0 && run.memory_bytes > 0);
    let first = ran(&host, 1);
    assert_eq!(first.accesses[0], count("type/order.placed", None), "over an empty state");
    assert_eq!(host.report("it"), report);
    assert_eq!(refusal(host.debug("it", Sequence(5), |_| {})), "the log has no event 5; it ends at 4");
}

#[test]
fn a_halted_projection_is_debugged_over_the_state_that_it_has() {
    let dir = Dir::new();
    let host = host(&dir, "traps", FaultPolicy::Halt);
    let run = ran(&host, 3);
    assert_eq!((run.before, run.accesses.len()), (Before::Live, 0));
    let failed = run.failed.unwrap();
    assert_eq!((failed.is_verdict, failed.kind.as_str()), (true, "trap"));
    assert!(failed.backtrace.unwrap().contains("apply"));
    assert!(run.output.contains("no way to go on at sequence 3"), "{}", run.output);
    // What lies behind it no state comes to.
    let said = refusal(host.debug("it", Sequence(4), |_| {}));
    assert!(
        said.starts_with("the state of projection \"it\" does not come to event 4, only to 2: halted at"),
        "{said}"
    );
}

#[test]
fn a_mishap_is_told_apart_and_what_is_not_run_says_why() {
    let dir = Dir::new();
    let deep = host(&dir, "overflows_stack", FaultPolicy::Halt);
    let failed = ran(&deep, 3).failed.unwrap();
    assert_eq!((failed.is_verdict, failed.kind.as_str()), (false, "stack-overflow"));

    let dir = Dir::new();
    let aside = host(&dir, "returns_error", FaultPolicy::Quarantine);
    assert!(matches!(debug(&aside, 4), Found::SetAside { since: Sequence(3), .. }));
    assert!(ran(&aside, 3).failed.is_some(), "the event that failed is run");

    let dir = Dir::new();
    let unwanted = dir.open();
    unwanted.append_all("order/1", &EVENTS);
    unwanted.guest("ledger");
    unwanted.create(&projection("it", "ledger")).unwrap();
    unwanted.settle("it");
    assert!(matches!(debug(&unwanted, 1), Found::NotWanted));

    let dir = Dir::new();
    let lifted = dir.open();
    lifted.append_all("order/1", &EVENTS);
    lifted.guest("renames");
    lifted.guest("event-counts");
    lifted.create(&NewProjection { on_fault: FaultPolicy::Skip, ..projection("it", "event-counts") }).unwrap();
    lifted.settle("it");
    let Found::NotLifted { failed, .. } = debug(&lifted, 3) else { panic!("the upcaster refuses it") };
    assert!(failed.message.starts_with("upcaster renames@0.1.0: it says: "), "{}", failed.message);
    assert_eq!(ran(&lifted, 1).event.event_type, "order.created", "as it was lifted");
}

#[test]
fn a_rebuild_by_code_compiled_anew_compares_fuel_where_calls_are_alike() {
    let dir = Dir::new();
    let host = dir.open();
    host.import_flights(400);
    host.guest("count_and_sum");
    host.create(&projection("it", "count-and-sum")).unwrap();
    assert_eq!(host.settle("it"), Phase::Live);
    let whole = host.verify("it", |_| {}).unwrap();
    assert_eq!((whole.difference, whole.from), (None, Sequence::ZERO));
    let sample = VerifyOptions { sample: Some(Share::ALL), ..VerifyOptions::default() };
    let sampled = host.verify_as("it", &sample, |_| {}).unwrap();
    assert_eq!(sampled.difference, None);
    assert!(sampled.batches_twice > 0);
}

#[test]
fn a_sample_finds_a_plugin_that_depends_on_batch_cuts() {
    let dir = Dir::new();
    let host = dir.open();
    host.append_all("order/1", &[("order.placed", "1"); 40]);
    host.guest("counts_calls");
    host.create(&projection("it", "counts-calls")).unwrap();
    assert_eq!(host.settle("it"), Phase::Live);
    let sample = VerifyOptions { sample: Some(Share::ALL), ..VerifyOptions::default() };
    let found = format!("{:?}", host.verify_as("it", &sample, |_| {}).unwrap().difference);
    assert!(found.contains("nondeterminism: folded once more cut elsewhere into calls, key"), "{found}");
    assert!(found.contains("calls/order.placed"), "{found}");
}
