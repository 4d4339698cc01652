//! What bounds a plugin's work: prices, which a deployment keeps, and the deadline, which is never a verdict.

use std::time::Duration;

use polyfold::engine::{Engine, NewProjection, Options, Phase, Upgrade};

use crate::host::{Dir, Host, projection};

/// So few that they are one call, whose fuel is always the same.
const LINES: usize = 60;

/// What folding all events took.
fn fuel(host: &Host, name: &str) -> u64 {
    assert_eq!(host.settle(name), Phase::Live);
    host.status(name).unwrap().readable.checkpoint.fuel
}

/// The catalogue as a version without prices wrote it.
fn forget_prices(dir: &Dir) {
    let path = dir.path().join("catalogue.json");
    let mut catalogue: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let deployment = &mut catalogue["projections"]["aircraft"]["serving"];
    let limits = deployment["limits"].as_array_mut().unwrap();
    limits.retain(|limit| limit[0] != "host-call-prices");
    assert_eq!(limits.len(), 8);
    // Changed by hand, it no longer is what its checksum was made of.
    catalogue.as_object_mut().unwrap().remove("checksum");
    std::fs::write(&path, serde_json::to_vec(&catalogue).unwrap()).unwrap();
}

#[test]
fn a_deployment_from_before_there_were_prices_goes_on_without_until_it_is_upgraded() {
    let dir = Dir::new();
    let host = dir.open();
    host.import_flights(LINES);
    host.guest("flights-v2");
    host.guest("aircraft");
    host.create(&projection("aircraft", "aircraft")).unwrap();
    let (priced, digest, identity) = (fuel(&host, "aircraft"), host.digest("aircraft"), host.identity("aircraft"));
    drop(host);

    forget_prices(&dir);
    let host = dir.open();
    let (free, old) = (fuel(&host, "aircraft"), host.identity("aircraft"));
    assert_ne!(old, identity);
    assert_eq!(host.digest("aircraft"), digest);
    // Every event was handed in for 200 at least.
    let events = host.status("aircraft").unwrap().readable.checkpoint.events;
    assert!(events > 0 && priced - free > 200 * events, "{priced}, {free}, {events}");
    drop(host);

    // Neither opening the directory nor another upcaster changes it, and its state stays.
    let files = dir.states("aircraft");
    let host = dir.open();
    host.guest("renames");
    host.append_all("flight/late", &[("test.other", "1")]);
    host.settle("aircraft");
    let deployment = host.projection("aircraft").unwrap().readable().clone();
    assert!(deployment.limits.iter().all(|(name, _)| name != "host-call-prices"));
    assert_eq!((host.identity("aircraft"), dir.states("aircraft")), (old, files));

    let upgrade = Upgrade { auto_promote: true, ..Upgrade::default() };
    host.upgrade("aircraft", &upgrade).unwrap();
    host.settle("aircraft");
    let upgraded = host.projection("aircraft").unwrap();
    assert_eq!(upgraded.wanted().limits.last(), Some(&("host-call-prices".to_owned(), 1)));
}

#[test]
fn a_schedule_of_prices_that_this_version_does_not_have_is_named() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("event-counts");
    host.create(&projection("counts", "event-counts")).unwrap();
    drop(host);
    let path = dir.path().join("catalogue.json");
    let mut catalogue: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    catalogue["projections"]["counts"]["building"]["limits"][8][1] = 2.into();
    // Changed by hand, it no longer is what its checksum was made of.
    catalogue.as_object_mut().unwrap().remove("checksum");
    std::fs::write(&path, serde_json::to_vec(&catalogue).unwrap()).unwrap();
    let refused = Engine::open(dir.path(), &Options::default()).unwrap_err().to_string();
    let why = "projection \"counts\" runs under schedule 2 of host call prices, which this version does not have; \
               use the newer version that wrote it";
    assert!(refused.contains(why), "{refused}");
}

/// What a plugin does in its time depends on the machine: it is tried again, and recorded only when it is a matter of fuel.
#[test]
fn a_deadline_is_a_pause_that_ends_where_there_is_time() {
    const FUEL: u64 = 8_000_000_000;
    let dir = Dir::new();
    let open =
        |call_deadline| Host(Engine::open(dir.path(), &Options { call_deadline, ..Options::default() }).unwrap());
    let host = open(Duration::from_millis(100));
    let good = [("order.placed", "{}"); 20];
    host.append_all("order/1", &good);
    host.append_all("order/1", &[("order.placed", "{\"bad\":true}")]);
    host.append_all("order/1", &good);
    host.guest("loops_in_apply");
    // So much that the fastest machine takes longer than its time.
    let new = NewProjection { fuel_per_event: Some(FUEL), ..projection("loops", "loops-in-apply") };
    host.create(&new).unwrap();
    let settled = host.settle("loops");
    let Phase::Paused { reason } = settled else { panic!("it has too little time: {settled:?}") };
    assert_eq!(reason, "it ran longer than 0.1 seconds");
    // All before the event is there, and nothing is said of it, however often it is tried.
    let before = host.report("loops");
    assert_eq!(before, "paused, trying again: it ran longer than 0.1 seconds at 20 of 41\ntype/order.placed = 20\n");
    host.append_all("order/1", &good);
    assert!(matches!(host.settle("loops"), Phase::Paused { .. }));
    assert_eq!(host.faults("loops").unwrap(), []);
    drop(host);

    let host = open(Duration::from_secs(300));
    assert!(matches!(host.settle("loops"), Phase::Halted(_)));
    let [fault] = &host.faults("loops").unwrap()[..] else { panic!("one fault") };
    assert_eq!((fault.sequence, fault.kind.as_str(), fault.fuel), (21, "out-of-fuel", FUEL));
    assert!(fault.backtrace.as_deref().unwrap().contains("apply"), "{fault:?}");
}

#[test]
fn a_fault_says_upcasters_and_fuel() {
    let dir = Dir::new();
    let host = dir.open();
    let upcaster = host.guest("renames").plugin.digest;
    host.guest("returns_error");
    host.append_all("order/1", &[("order.placed", "{\"bad\":true}")]);
    host.create(&projection("errs", "returns-error")).unwrap();
    assert!(matches!(host.settle("errs"), Phase::Halted(_)));
    let [fault] = &host.faults("errs").unwrap()[..] else { panic!("one fault") };
    assert_eq!((&fault.plugin, &fault.upcasters[..]), (&upcaster, &[upcaster.clone()][..]));
    // The event was handed in for 200 and its bytes, and its error paid for.
    assert!(fault.fuel > 300 && fault.fuel < 1_000_000, "{}", fault.fuel);
}
