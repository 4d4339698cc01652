//! Upcasters in force: whom they touch, how they fit together, and what happens when one fails.

use expect_test::expect;
use polyfold::engine::{FaultPolicy, NewProjection, Phase};

use crate::guests;
use crate::host::{Dir, Host, projection, refusal};

const ORDERS: [(&str, &str); 4] =
    [("order.placed", "{}"), ("order.paid", "{}"), ("order.placed", "{\"bad\":true}"), ("order.placed", "{}")];

fn create(host: &Host, plugin: &str, on_fault: FaultPolicy) -> String {
    host.guest(plugin);
    let name = plugin.replace('_', "-");
    host.create(&NewProjection { on_fault, ..projection(&name, &name) }).unwrap();
    host.settle(&name);
    name
}

#[test]
fn an_upcaster_rebuilds_what_it_touches_and_nothing_else() {
    let dir = Dir::new();
    let host = dir.open();
    host.import_flights(300);
    host.append_all("order/1", &[("order.placed", "{}"), ("order.paid", "{}")]);
    // Wants every type, so that it is touched, and one that wants flights alone, so that it is not.
    let all = create(&host, "event-counts", FaultPolicy::Halt);
    let flights = create(&host, "count_and_sum", FaultPolicy::Halt);
    let before = (host.identity(&all), host.identity(&flights), host.digest(&all), dir.states(&flights));
    let file = std::fs::metadata(&before.3[0]).unwrap().modified().unwrap();

    let installed = host.guest("renames");
    assert_eq!(installed.rebuilt, [all.as_str()]);
    assert_eq!(host.settle(&all), Phase::Live);
    assert_ne!(host.identity(&all), before.0);
    assert!(host.entries(&all).contains("type/order.created = {\"count\":1,"), "{}", host.entries(&all));
    assert!(!host.entries(&all).contains("type/order.placed"));
    assert_eq!(host.identity(&flights), before.1);
    assert_eq!(dir.states(&flights), before.3);
    assert_eq!(std::fs::metadata(&before.3[0]).unwrap().modified().unwrap(), file, "its file was not written");

    let (_, rebuilt) = host.remove_plugin("renames").unwrap();
    assert_eq!(rebuilt, [all.as_str()]);
    host.settle(&all);
    assert_eq!((host.identity(&all), host.digest(&all)), (before.0, before.2), "what was there before serves again");
}

#[test]
fn a_doubled_step_is_refused_and_changes_nothing() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("renames");
    let refused = refusal(host.install(&guests::bytes("returns_wrong_count")));
    expect!["upcasters renames@0.1.0 and returns-wrong-count@0.1.0 both lift order.placed from schema version 1; remove one of them"].assert_eq(&refused);
    assert_eq!(host.installed_plugins().len(), 1);
    drop(host);
    assert_eq!(dir.open().installed_plugins().len(), 1);
}

#[test]
fn flights_become_version_2_while_the_log_stays_as_it_is() {
    let dir = Dir::new();
    let host = dir.open();
    host.import_flights(1);
    host.guest("flights-v2");
    let batch = host.log().reader().unwrap();
    let all = polyfold::engine::Query {
        from: polyfold::event::Sequence::FIRST,
        to: None,
        filter: polyfold::event::Filter::all(),
    };
    let batch = batch.read(&all, 10, 1 << 20).unwrap().batch;
    let data = |batch: &polyfold::event::Batch| {
        let event = batch.event(0);
        format!("v{} {}", event.schema_version, polyfold::cbor::to_json(event.payload().unwrap()).unwrap())
    };
    expect![[r#"v1 {"dest":"IAH","flight":1545,"origin":"EWR","carrier":"UA","tailnum":"N14228","dep_time":517,"dep_delay":2,"sched_dep_time":515}"#]].assert_eq(&data(&batch));
    let lifted = host.chains().unwrap().lift(batch);
    assert!(lifted.failed.is_none());
    expect![[r#"v2 {"dest":"IAH","delay":{"departure":2},"flight":1545,"origin":"EWR","carrier":"UA","tailnum":"N14228","departed":317,"scheduled":315}"#]].assert_eq(&data(&lifted.batch));
}

#[test]
fn an_upcaster_that_fails_halts_before_the_event_or_passes_it_over() {
    let run = |upcaster: &str, on_fault| {
        let dir = Dir::new();
        let host = dir.open();
        host.append_all("order/1", &ORDERS);
        host.guest(upcaster);
        let name = create(&host, "event-counts", on_fault);
        host.report(&name)
    };
    expect![[r#"
        halted at sequence 3 (order.placed): error: upcaster renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad at 2 of 4
        category/order = {"count":2,"first_sequence":1,"last_sequence":2}
        type/order.created = {"count":1,"first_sequence":1,"last_sequence":1}
        type/order.paid = {"count":1,"first_sequence":2,"last_sequence":2}
        fault at 3: error: upcaster renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad
    "#]].assert_eq(&run("renames", FaultPolicy::Halt));
    expect![[r#"
        live at 4 of 4
        category/order = {"count":3,"first_sequence":1,"last_sequence":4}
        type/order.created = {"count":2,"first_sequence":1,"last_sequence":4}
        type/order.paid = {"count":1,"first_sequence":2,"last_sequence":2}
        fault at 3: error: upcaster renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad
    "#]].assert_eq(&run("renames", FaultPolicy::Skip));
    expect![[r#"
        halted at sequence 3 (order.placed): wrong-answer: upcaster returns-wrong-count@0.1.0: it returned 0 payloads for 1 events at 2 of 4
        category/order = {"count":2,"first_sequence":1,"last_sequence":2}
        type/order.paid = {"count":1,"first_sequence":2,"last_sequence":2}
        type/order.placed = {"count":1,"first_sequence":1,"last_sequence":1}
        fault at 3: wrong-answer: upcaster returns-wrong-count@0.1.0: it returned 0 payloads for 1 events
    "#]].assert_eq(&run("returns_wrong_count", FaultPolicy::Halt));
    expect![[r#"
        live at 4 of 4
        category/order = {"count":3,"first_sequence":1,"last_sequence":4}
        type/order.paid = {"count":1,"first_sequence":2,"last_sequence":2}
        type/order.placed = {"count":2,"first_sequence":1,"last_sequence":4}
        fault at 3: wrong-answer: upcaster returns-wrong-count@0.1.0: it returned 0 payloads for 1 events
    "#]]
    .assert_eq(&run("returns_wrong_count", FaultPolicy::Skip));
}
