//! The same log makes the same state wherever batches are cut, and a plugin for which it does not is found.

use polyfold::engine::{Difference, Phase};

use crate::host::{Dir, Host, projection};

/// More than one batch of the largest size would hold is not needed: 64 events are cut differently already.
const SIZES: [usize; 4] = [1, 7, 64, 8_192];

/// Builds the projection's state in batches of each size; all must be the state that the live feed made.
fn check(host: &Host, plugin: &str) {
    host.guest(plugin);
    let name = plugin.replace('_', "-");
    host.create(&projection(&name, &name)).unwrap();
    assert_eq!(host.settle(&name), Phase::Live, "{name}");
    let live = host.digest(&name);
    assert!(host.status(&name).unwrap().readable.size.entries > 0, "{name} made something");
    for size in SIZES {
        let verification = host.verify_with(&name, &[size], |_| {}).unwrap();
        assert_eq!(verification.difference, None, "{name} in batches of {size}");
        assert_eq!(verification.rebuilt.to_string(), live, "{name} in batches of {size}");
    }
    assert_eq!(host.verify(&name, |_| {}).unwrap().difference, None, "{name} in mixed batches");
}

#[test]
fn where_flights_are_cut_does_not_matter() {
    let dir = Dir::new();
    let host = dir.open();
    assert_eq!(host.import_flights(3_000).appended, 3_000);
    host.guest("flights-v2");
    check(&host, "on-time");
    check(&host, "counts_json");
    check(&host, "event-counts");
}

/// What these read of the log: sequences, envelopes, their own pages. The clock stands still, so that it holds for it
/// too; the order of a hash map is seeded anew in each instance, always alike.
#[test]
fn where_other_events_are_cut_does_not_matter() {
    let dir = Dir::new();
    let host = dir.open();
    host.import_flights(150);
    check(&host, "count_and_sum");
    check(&host, "reads_context");
    check(&host, "scans");
}

#[test]
fn a_plugin_that_remembers_is_found_with_the_key() {
    let dir = Dir::new();
    let host = dir.open();
    host.import_flights(200);
    host.guest("keeps_global");
    host.create(&projection("keeps-global", "keeps-global")).unwrap();
    assert_eq!(host.settle("keeps-global"), Phase::Live);
    let found = host.verify("keeps-global", |_| {}).unwrap();
    assert_ne!(found.live, found.rebuilt);
    let Some(Difference::Entry { key, live, rebuilt }) = found.difference else { panic!("{found:?}") };
    assert_eq!(key, "seen/flight.arrived");
    assert_ne!(live, rebuilt);
}

/// A hash map's seed comes from the instance's generator, so two events of one call differ from two of two calls: what
/// such a plugin makes depends on the cut, and that is said. In the same batches it makes the same.
#[test]
fn clocks_and_random_numbers_are_the_same_in_every_run() {
    let digest = || {
        let dir = Dir::new();
        let host = dir.open();
        host.import_flights(50);
        host.guest("uses_clock_and_random");
        host.create(&projection("random", "uses-clock-and-random")).unwrap();
        assert_eq!(host.settle("random"), Phase::Live);
        assert!(host.entries("random").contains("clock/000050 = 0\n"), "the wall clock stands still at 1970");
        host.digest("random")
    };
    assert_eq!(digest(), digest());
}
