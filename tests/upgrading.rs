//! Upgrades through the engine: built beside, compared, promoted and rolled back while appends go on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use event_listener::Listener as _;
use polyfold::cbor;
use polyfold::engine::{Beside, CompareOptions, Comparison, Engine, NewProjection, Phase, Reach, Upgrade};
use polyfold::event::Sequence;

use crate::host::{Dir, Host, event, projection, refusal};

/// A host with the ledger's first version over 40 bookings of 1 to 40 (without 13), and its second one installed.
fn host(dir: &Dir, sync: bool) -> Host {
    let host = dir.open();
    host.guest("ledger");
    host.create(&NewProjection { sync, ..projection("sums", "ledger") }).unwrap();
    for amount in (1..=40).filter(|amount| *amount != 13) {
        book(&host, amount % 4, amount);
    }
    assert_eq!(host.settle("sums"), Phase::Live);
    host.guest("ledger_v2");
    host
}

fn book(host: &Engine, account: u64, amount: u64) -> Sequence {
    let id = format!("{}-{amount}", host.head().sequence());
    let booked = event(&format!("account/{account}"), "booked", &id, &format!("{{\"amount\":{amount}}}"));
    let append = polyfold::engine::Append { events: vec![booked], expectations: Vec::new() };
    host.append(append).unwrap().events[0].sequence
}

/// Waits until readers see everything up to there.
fn reach(engine: &Engine, name: &str, sequence: Sequence) {
    loop {
        match engine.reach(name, sequence).unwrap() {
            Reach::Yes => return,
            Reach::NotYet(moved, _) => moved.wait(),
            Reach::Never(why) => panic!("{name}: {why}"),
        }
    }
}

/// Waits until the state that is being built is where the log ends.
fn built(host: &Host) {
    host.wait("sums", |_| {}).unwrap();
}

fn value(host: &Engine, key: &str) -> u64 {
    let value = host.snapshot("sums").unwrap().reader.get(key).unwrap();
    value.map_or(0, |value| cbor::to_json(&value).unwrap().parse().unwrap())
}

fn compare(host: &Host) -> Comparison {
    host.compare("sums", &CompareOptions { after: None, limit: 2, first_difference: true }, |_| {}).unwrap()
}

fn counts(comparison: &Comparison) -> [u64; 4] {
    [comparison.added, comparison.removed, comparison.changed, comparison.unchanged]
}

#[test]
fn an_upgrade_is_built_beside_compared_promoted_and_rolled_back() {
    let dir = Dir::new();
    let host = host(&dir, false);
    let sum = 40 * 41 / 2 - 13;
    assert_eq!(value(&host, "total"), sum);
    let first = host.identity("sums");

    let upgraded = host.upgrade("sums", &Upgrade::default()).unwrap();
    assert_eq!(upgraded.serving.as_ref().unwrap().identity().to_string(), first);
    built(&host);
    // The old one serves and follows; the new one has only its count so far.
    let comparison = compare(&host);
    assert_eq!((comparison.beside, counts(&comparison)), (Beside::Building, [1, 0, 0, 5]));
    let difference = comparison.first_difference.unwrap();
    assert_eq!((difference.sequence.0, difference.entry.key.as_str()), (1, "count"));

    let sequence = book(&host, 1, 2_000);
    reach(&host, "sums", sequence);
    assert_eq!(value(&host, "total"), sum + 2_000, "the old one serves");
    built(&host);
    let comparison = compare(&host);
    assert_eq!(counts(&comparison), [1, 0, 2, 3]);
    assert_eq!(
        comparison.examples.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(),
        ["balance/account/1", "count"]
    );
    assert_eq!(comparison.next.as_deref(), Some("count"));

    let promoted = host.promote("sums").unwrap();
    assert_ne!(promoted.serving.unwrap().identity().to_string(), first);
    assert_eq!(promoted.previous.unwrap().identity().to_string(), first);
    assert_eq!(value(&host, "total"), sum + 4_000);
    // What served before goes on following, so that a rollback is there at once.
    let sequence = book(&host, 1, 5);
    reach(&host, "sums", sequence);
    let rolled_back = host.rollback("sums").unwrap();
    assert_eq!(rolled_back.serving.unwrap().identity().to_string(), first);
    assert_eq!(value(&host, "total"), sum + 2_005);

    // The same identity again costs nothing: it is there, and it is where the log ends.
    host.upgrade("sums", &Upgrade { auto_promote: true, ..Upgrade::default() }).unwrap();
    built(&host);
    assert_eq!(value(&host, "total"), sum + 4_005);
    let same = host.upgrade("sums", &Upgrade::default()).unwrap();
    assert_eq!(same.building, None, "what serves is not built again");
    assert!(host.verify("sums", |_| {}).unwrap().difference.is_none());

    drop(host);
    let host = dir.open();
    assert!(host.start_all().is_empty());
    let head = host.head().sequence();
    reach(&host, "sums", head);
    assert_eq!(value(&host, "total"), sum + 4_005);
    host.rollback("sums").unwrap();
    assert_eq!(value(&host, "total"), sum + 2_005);
    host.abandon("sums", Beside::Previous).unwrap();
    assert_eq!(dir.states("sums").len(), 1, "what is abandoned leaves no file");
}

#[test]
fn the_first_event_after_which_two_states_differ_is_found() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("keeps_global");
    host.guest("ledger");
    host.create(&projection("sums", "ledger")).unwrap();
    // Far apart, so that it is not found in the first step.
    let bookings: Vec<_> = (0..30_000_u64).map(|number| if number == 20_500 { 1_500 } else { number % 7 }).collect();
    for chunk in bookings.chunks(10_000) {
        let events: Vec<_> = chunk.iter().map(|amount| ("booked", format!("{{\"amount\":{amount}}}"))).collect();
        let events: Vec<_> = events.iter().map(|(name, data)| (*name, data.as_str())).collect();
        host.append_all("account/1", &events);
    }
    assert_eq!(host.settle("sums"), Phase::Live);
    // The same plugin under other parameters makes another identity and the same state.
    let parameters = Some("{\"a\":1}".to_owned());
    host.upgrade("sums", &Upgrade { parameters, ..Upgrade::default() }).unwrap();
    built(&host);
    let comparison = compare(&host);
    assert_eq!((counts(&comparison), comparison.first_difference), ([0, 0, 0, 2], None));

    host.guest("ledger_doubling");
    host.upgrade("sums", &Upgrade { plugin: Some("ledger-doubling".to_owned()), ..Upgrade::default() }).unwrap();
    built(&host);
    let comparison = compare(&host);
    assert_eq!(counts(&comparison), [0, 0, 2, 0]);
    let difference = comparison.first_difference.unwrap();
    assert_eq!((difference.sequence.0, difference.stream.as_str()), (20_501, "account/1"));
    assert_eq!(difference.entry.key, "balance/account/1");
}

#[test]
fn a_new_version_that_faults_never_takes_the_old_one_down() {
    let dir = Dir::new();
    let host = host(&dir, false);
    let sequence = book(&host, 1, 666);
    host.upgrade("sums", &Upgrade { auto_promote: true, ..Upgrade::default() }).unwrap();
    assert!(matches!(host.wait("sums", |_| {}).unwrap().phase, Phase::Halted(_)));
    let sequence = book(&host, 1, 7).max(sequence);
    reach(&host, "sums", sequence);
    let status = host.status("sums").unwrap();
    assert_eq!((status.readable.phase, status.is_serving), (Phase::Live, true));
    assert!(matches!(status.building.unwrap().phase, Phase::Halted(_)));
    let refused = refusal(host.promote("sums"));
    assert!(refused.contains("is at sequence 39 of 41 and halted at sequence 40"), "{refused}");
    host.abandon("sums", Beside::Building).unwrap();
    assert_eq!(
        refusal(host.promote("sums")),
        "projection \"sums\" has no building state; `polyfold projection status sums` shows what it has"
    );
}

/// Ends the load when it is dropped.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn switches_under_load_are_between_two_events() {
    switch_under_load(false);
}

#[test]
fn switches_of_a_sync_projection_under_load_are_between_two_appends() {
    switch_under_load(true);
}

/// Promotes and rolls back under a constant load of appends: no reader goes back, none sees a gap or an event twice.
fn switch_under_load(sync: bool) {
    let dir = Dir::new();
    let host = host(&dir, sync);
    host.upgrade(
        "sums",
        &Upgrade {
            parameters: Some("{\"other\":1}".to_owned()),
            plugin: Some("ledger@0.1.0".to_owned()),
            ..Upgrade::default()
        },
    )
    .unwrap();
    let before = value(&host, "total");
    let head_before = host.head().sequence().0;
    let (over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        // Set whatever happens, so that a failure is not a test that hangs.
        let ended = Ended(&over);
        // Every booking is 1, so the total says how many were folded: it must match the checkpoint's event exactly.
        let appender = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let sequence = book(&host, 1, 1);
                if sync {
                    let checkpoint = host.snapshot("sums").unwrap().checkpoint.sequence;
                    assert!(checkpoint >= sequence, "whoever has an answer reads its own write");
                }
            }
        });
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !over.load(Ordering::Relaxed) {
                let snapshot = host.snapshot("sums").unwrap();
                let total = snapshot.reader.get("total").unwrap().unwrap();
                let total: u64 = cbor::to_json(&total).unwrap().parse().unwrap();
                let sequence = snapshot.checkpoint.sequence.0;
                assert!(sequence >= last, "a reader went back from {last} to {sequence}");
                assert_eq!(total - before, sequence - head_before, "each event once, at {sequence}");
                last = sequence;
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        built(&host);
        for _ in 0..20 {
            host.promote("sums").map(drop).unwrap_or_else(|_| drop(host.rollback("sums").unwrap()));
        }
        drop(ended);
        appender.join().unwrap();
        reader.join().unwrap();
    });
    assert!(reads.load(Ordering::Relaxed) > 0);
    let head = host.head().sequence();
    reach(&host, "sums", head);
    assert_eq!(value(&host, "total") - before, head.0 - head_before);
}

#[test]
fn a_sync_projection_shows_an_append_when_it_is_answered_and_refuses_what_it_cannot_take() {
    let dir = Dir::new();
    let host = host(&dir, true);
    let sum = value(&host, "total");
    book(&host, 2, 50);
    assert_eq!(value(&host, "total"), sum + 50);
    let head = host.head().sequence();
    let bad = event("account/1", "booked", "bad", "{\"amount\":13}");
    let good = event("account/2", "booked", "good", "{\"amount\":1}");
    let append = polyfold::engine::Append { events: vec![good, bad], expectations: Vec::new() };
    let refused = refusal(host.append(append));
    assert!(
        refused.starts_with("projection \"sums\" refuses the event that would be at sequence 42: error: "),
        "{refused}"
    );
    assert_eq!((host.head().sequence(), value(&host, "total")), (head, sum + 50), "nothing is left of it");
    drop(host);

    // Opened again it takes part in the first append, whether or not anybody started it.
    let host = dir.open();
    book(&host, 2, 1);
    assert_eq!(value(&host, "total"), sum + 51);
    assert!(host.verify("sums", |_| {}).unwrap().difference.is_none());
    assert!(host.rebuild("sums", |_| {}).is_ok());
    book(&host, 2, 1);
    assert_eq!(value(&host, "total"), sum + 52);
    host.delete("sums").unwrap();
    book(&host, 2, 13);
}

#[test]
fn a_sync_projection_that_cannot_follow_refuses_every_append_and_says_why() {
    let dir = Dir::new();
    let host = host(&dir, true);
    drop(host);
    // An older copy of the log is put in its place: the state has seen events that are not in it.
    let log = dir.path().join("log.redb");
    let older = std::fs::read(&log).unwrap();
    dir.open().append_all("account/1", &[("booked", "{\"amount\":1}")]);
    std::fs::write(&log, older).unwrap();
    let host = dir.open();
    let head = host.head().sequence();
    let booked = event("account/1", "booked", "late", "{\"amount\":1}");
    let append = || polyfold::engine::Append { events: vec![booked.clone()], expectations: Vec::new() };
    let refused = refusal(host.append(append()));
    assert!(refused.contains("projection \"sums\" is applied within each append and cannot be now"), "{refused}");
    assert!(refused.contains("projection rebuild"), "{refused}");
    assert_eq!(host.head().sequence(), head);
    assert!(host.rebuild("sums", |_| {}).is_ok());
    host.append(append()).unwrap();
    assert_eq!(host.snapshot("sums").unwrap().checkpoint.sequence, host.head().sequence());
}

/// What was made with an upcaster goes on with it, also after the host was opened again, until what replaces it serves.
#[test]
fn an_upcaster_that_is_removed_stays_with_the_states_that_it_made() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("renames");
    host.guest("returns_error");
    host.create(&projection("counts", "returns-error")).unwrap();
    host.append_all("order/1", &[("order.placed", "{}")]);
    assert_eq!(host.settle("counts"), Phase::Live);
    let made = host.entries("counts");
    // What is built without it comes upon an event that it refuses, so the old state has to go on.
    host.append_all("order/1", &[("order.placed", "{\"bad\":true}")]);
    let halted = host.settle("counts");
    assert!(matches!(halted, Phase::Halted(_)), "{halted:?}");
    host.remove_plugin("renames").unwrap();
    assert!(host.installed_plugins().iter().all(|plugin| plugin.name != "renames"));
    drop(host);
    let host = dir.open();
    assert!(host.start_all().is_empty());
    assert_eq!(host.entries("counts"), made);
    host.abandon("counts", Beside::Building).unwrap();
    host.delete("counts").unwrap();
    drop(host);
    drop(dir.open());
    let plugins = std::fs::read_dir(dir.path().join("plugins")).unwrap().count();
    assert_eq!(plugins, 1, "its file goes when no state needs it");
}
