//! What becomes of plugins that misbehave: each kind of failure, under both policies, and that nothing else is harmed.

use expect_test::{Expect, expect};
use polyfold::engine::{FaultPolicy, NewProjection, Phase};

use crate::guests;
use crate::host::{Dir, Host, projection, refusal};

/// The bad event is the fourth of six, so that it fails in a batch with others.
const EVENTS: [(&str, &str); 6] = [
    ("order.placed", "{}"),
    ("order.paid", "{\"bad\":false}"),
    ("order.placed", "null"),
    ("order.placed", "{\"bad\":true}"),
    ("order.paid", "[]"),
    ("order.placed", "1"),
];

/// A projection of a guest under that policy, with less fuel than usual, so that a loop ends soon.
fn of(guest: &str, on_fault: FaultPolicy) -> NewProjection {
    let name = guest.replace('_', "-");
    NewProjection { on_fault, fuel_per_event: Some(20_000_000), ..projection(&name, &name) }
}

/// Runs the guest over the events and reports, before and after the directory was closed.
fn run(guest: &str, on_fault: FaultPolicy) -> String {
    let dir = Dir::new();
    let new = of(guest, on_fault);
    let name = new.name.to_string();
    let host = dir.open();
    host.append_all("order/1", &EVENTS);
    host.guest(guest);
    host.create(&new).unwrap();
    host.settle(&name);
    let report = host.report(&name);
    drop(host);
    let host = dir.open();
    assert_eq!(host.report(&name), report.replace("live", "stopped"), "the same after reopening");
    host.settle(&name);
    assert_eq!(host.report(&name), report, "the same when it runs again");
    report
}

/// What both policies make of a guest that fails on the bad event.
fn check(guest: &str, halt: Expect, skip: Expect) {
    halt.assert_eq(&run(guest, FaultPolicy::Halt));
    skip.assert_eq(&run(guest, FaultPolicy::Skip));
}

#[test]
fn a_plugin_that_returns_an_error() {
    check(
        "returns_error",
        expect![[r#"
        halted at sequence 4 (order.placed): error: it says: order.placed, schema version 1: the payload says that it is bad at 3 of 6
        type/order.paid = 1
        type/order.placed = 2
        fault at 4: error: it says: order.placed, schema version 1: the payload says that it is bad
    "#]],
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 3
        fault at 4: error: it says: order.placed, schema version 1: the payload says that it is bad
    "#]],
    );
}

#[test]
fn a_plugin_that_traps() {
    check(
        "traps",
        expect![[r#"
        halted at sequence 4 (order.placed): trap: it trapped: wasm `unreachable` instruction executed at 3 of 6
        type/order.paid = 1
        type/order.placed = 2
        fault at 4: trap: it trapped: wasm `unreachable` instruction executed
    "#]],
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 3
        fault at 4: trap: it trapped: wasm `unreachable` instruction executed
    "#]],
    );
}

#[test]
fn a_plugin_that_loops() {
    check(
        "loops_in_apply",
        expect![[r#"
        halted at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 20000000 at 3 of 6
        type/order.paid = 1
        type/order.placed = 2
        fault at 4: out-of-fuel: it used up its fuel of 20000000
    "#]],
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 3
        fault at 4: out-of-fuel: it used up its fuel of 20000000
    "#]],
    );
}

#[test]
fn a_plugin_that_eats_memory() {
    check(
        "eats_memory",
        expect![[r#"
        halted at sequence 4 (order.placed): out-of-memory: it needs more than its 268435456 bytes of memory at 3 of 6
        type/order.paid = 1
        type/order.placed = 2
        fault at 4: out-of-memory: it needs more than its 268435456 bytes of memory
    "#]],
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 3
        fault at 4: out-of-memory: it needs more than its 268435456 bytes of memory
    "#]],
    );
}

#[test]
fn a_plugin_that_writes_too_large_a_value() {
    check(
        "writes_too_large_value",
        expect![[r#"
        halted at sequence 4 (order.placed): limit: the value of key "large" has 1,048,577 bytes, at most 1,048,576 are allowed at 3 of 6
        type/order.paid = 1
        type/order.placed = 2
        fault at 4: limit: the value of key "large" has 1,048,577 bytes, at most 1,048,576 are allowed
    "#]],
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 3
        fault at 4: limit: the value of key "large" has 1,048,577 bytes, at most 1,048,576 are allowed
    "#]],
    );
}

#[test]
fn a_plugin_that_writes_too_long_a_key() {
    check(
        "writes_too_long_key",
        expect![[r#"
        halted at sequence 4 (order.placed): limit: key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"… has 1,025 bytes, at most 1,024 are allowed at 3 of 6
        type/order.paid = 1
        type/order.placed = 2
        fault at 4: limit: key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"… has 1,025 bytes, at most 1,024 are allowed
    "#]],
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 3
        fault at 4: limit: key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"… has 1,025 bytes, at most 1,024 are allowed
    "#]],
    );
}

#[test]
fn a_plugin_that_logs_too_much_is_cut_short_and_goes_on() {
    check(
        "logs_a_lot",
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 4
    "#]],
        expect![[r#"
        live at 6 of 6
        type/order.paid = 2
        type/order.placed = 4
    "#]],
    );
}

/// How deep a call can go is the compiler's matter, so it is tried again and never becomes a verdict.
#[test]
fn a_plugin_that_overflows_the_stack_pauses() {
    let paused = |on_fault| {
        let dir = Dir::new();
        let host = dir.open();
        host.append_all("order/1", &EVENTS);
        host.guest("overflows_stack");
        host.create(&of("overflows_stack", on_fault)).unwrap();
        assert!(matches!(host.settle("overflows-stack"), Phase::Paused { .. }));
        assert_eq!(host.faults("overflows-stack").unwrap(), []);
        host.report("overflows-stack")
    };
    let report = paused(FaultPolicy::Halt);
    expect![[r#"
        paused, trying again: it recursed too deeply: the call stack is exhausted at 3 of 6
        type/order.paid = 1
        type/order.placed = 2
    "#]]
    .assert_eq(&report);
    assert_eq!(paused(FaultPolicy::Skip), report);
}

#[test]
fn a_plugin_that_cannot_be_installed_leaves_nothing_behind() {
    let dir = Dir::new();
    let host = dir.open();
    let install = |name: &str| refusal(host.install(&guests::bytes(name)));
    expect!["it imports what this host does not offer: test:outside/network@0.1.0 (not known here: satisfy it inside the component, with `wac plug` or `wasm-tools compose`)"].assert_eq(&install("imports_refused"));
    expect!["the plugin cannot describe itself: it used up its fuel of 1000000000"]
        .assert_eq(&install("loops_in_describe"));
    assert_eq!(host.installed_plugins(), []);
    assert_eq!(std::fs::read_dir(dir.path().join("plugins")).unwrap().count(), 0);
}

#[test]
fn what_a_plugin_said_is_kept_with_its_fault() {
    let dir = Dir::new();
    let host = dir.open();
    host.append_all("order/1", &EVENTS);
    host.guest("traps");
    host.create(&of("traps", FaultPolicy::Halt)).unwrap();
    host.settle("traps");
    let [fault] = &host.faults("traps").unwrap()[..] else { panic!("one fault") };
    assert!(fault.output.contains("no way to go on at sequence 4"), "{}", fault.output);
    let backtrace = fault.backtrace.as_deref().unwrap();
    assert!(backtrace.contains("apply"), "{backtrace}");
}

#[test]
fn a_halted_projection_serves_while_others_go_on() {
    let dir = Dir::new();
    let host: Host = dir.open();
    host.append_all("order/1", &EVENTS);
    host.guest("traps");
    host.guest("event-counts");
    host.create(&of("traps", FaultPolicy::Halt)).unwrap();
    host.create(&projection("event-counts", "event-counts")).unwrap();
    assert!(host.start_all().is_empty());
    assert!(matches!(host.wait("traps", |_| {}).unwrap().phase, Phase::Halted(_)));
    host.append_all("order/2", &[("order.placed", "{}")]);
    assert_eq!(host.settle("event-counts"), Phase::Live);
    assert_eq!(host.status("event-counts").unwrap().readable.checkpoint.sequence.0, 7);
    assert!(matches!(host.settle("traps"), Phase::Halted(_)));
    assert_eq!(host.status("traps").unwrap().readable.checkpoint.sequence.0, 3);
    assert_eq!(host.entries("traps"), "type/order.paid = 1\ntype/order.placed = 2\n");
}
