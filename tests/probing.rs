//! The prober: what depends on more than events and state is halted before it is committed, and stays so.

use polyfold::engine::{Engine, FaultPolicy, NewProjection, Options, Phase, Share};

use crate::host::{Dir, Host, projection, refusal};

fn open(dir: &Dir) -> Host {
    Host(Engine::open(dir.path(), &Options { probe: Some(Share::ALL), ..Options::default() }).unwrap())
}

fn probed(host: &Host, name: &str) -> u64 {
    host.status(name).unwrap().readable.probed
}

#[test]
fn batches_of_a_sound_plugin_come_out_alike_and_are_counted() {
    let dir = Dir::new();
    let host = open(&dir);
    host.guest("flights-v2");
    for guest in ["on-time", "event-counts", "count_and_sum", "scans", "reads_context"] {
        host.guest(guest);
        let name = guest.replace('_', "-");
        host.create(&projection(&name, &name)).unwrap();
    }
    host.import_flights(200);
    for name in ["on-time", "event-counts", "count-and-sum", "scans", "reads-context"] {
        assert_eq!(host.settle(name), Phase::Live, "{name}");
        assert!(probed(&host, name) > 0, "{name}");
        let state = host.status(name).unwrap().readable;
        assert!(state.costs.calls > 0, "{name}: what it costs is counted once");
        assert_eq!(host.verify_with(name, &[64], |_| {}).unwrap().difference, None, "{name}");
    }
}

/// Probes 60 events on a projection that skips faults; the fault at which it halts, and again after a restart.
fn found(guest: &str) -> String {
    let dir = Dir::new();
    let host = open(&dir);
    host.guest(guest);
    let name = guest.replace('_', "-");
    host.create(&NewProjection { on_fault: FaultPolicy::Skip, ..projection("it", &name) }).unwrap();
    host.append_all("order/1", &[("order.placed", "1"); 60]);
    assert!(matches!(host.settle("it"), Phase::Halted(_)));
    let report = host.report("it");
    drop(host);
    let host = dir.open();
    assert!(matches!(host.settle("it"), Phase::Halted(_)), "without a prober too");
    assert_eq!(host.report("it"), report);
    report
}

#[test]
fn a_plugin_that_depends_on_batch_cuts_is_halted_at_the_first_event_that_shows_it() {
    let report = found("counts_calls");
    expect_test::expect![[r#"
        halted at sequence 2 (order.placed): nondeterminism: folded once more cut elsewhere into calls, key "calls/order.placed" is 2 and not 1 at 1 of 60
        calls/order.placed = 1
        seen/order/1 = 1
        fault at 2: nondeterminism: folded once more cut elsewhere into calls, key "calls/order.placed" is 2 and not 1
    "#]].assert_eq(&report);
}

#[test]
fn a_plugin_that_depends_on_used_memory_is_halted_at_the_first_event() {
    let report = found("remembers_calls");
    expect_test::expect![[r#"
        halted at sequence 1 (order.placed): nondeterminism: folded once more in memory that was used before, key "before/order.placed" is 1 and not 0 at 0 of 60
        fault at 1: nondeterminism: folded once more in memory that was used before, key "before/order.placed" is 1 and not 0
    "#]].assert_eq(&report);
}

#[test]
fn within_an_append_what_is_found_refuses_it() {
    let dir = Dir::new();
    let host = open(&dir);
    host.guest("remembers_calls");
    host.create(&NewProjection { sync: true, ..projection("it", "remembers-calls") }).unwrap();
    assert_eq!(host.settle("it"), Phase::Live);
    let event = crate::host::event("order/1", "order.placed", "1", "1");
    let refused = host.append(polyfold::engine::Append { events: vec![event], expectations: Vec::new() });
    let said = refusal(refused);
    assert!(said.contains("at sequence 1: nondeterminism: folded once more in memory that was used before"), "{said}");
    assert_eq!(host.head().sequence().0, 0);
}

#[test]
fn faults_are_the_same_under_other_conditions() {
    let dir = Dir::new();
    let host = open(&dir);
    host.guest("traps");
    host.guest("journal");
    host.create(&NewProjection { on_fault: FaultPolicy::Skip, ..projection("traps", "traps") }).unwrap();
    host.create(&NewProjection { on_fault: FaultPolicy::Quarantine, ..projection("journal", "journal") }).unwrap();
    let bad = ("order.placed", "{\"bad\":true}");
    let good = ("order.placed", "1");
    host.append_all("order/1", &[good, bad, good, bad, bad]);
    host.append_all("order/2", &[good, good, good]);
    assert_eq!(host.settle("traps"), Phase::Live);
    assert_eq!(host.settle("journal"), Phase::Live);
    assert_eq!(host.faults("traps").unwrap().len(), 3);
    assert_eq!(host.faults("journal").unwrap().len(), 1);
    assert!(probed(&host, "traps") > 0 && probed(&host, "journal") > 0);
}
