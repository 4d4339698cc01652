//! What calls cost, which events cost the most, and what becomes of a projection that uses more than it may.

use polyfold::engine::{Append, NewProjection, Phase, Quota};

use crate::host::{Dir, Host, event, projection, refusal};

/// Enough for several calls. In the middle of everything one event has by far the largest payload.
fn filled(dir: &Dir) -> Host {
    let host = dir.open();
    for portion in 0..10 {
        let bookings = (0..200).map(|number| {
            let note = if portion * 200 + number + 1 == HEAVY { "x".repeat(200_000) } else { String::new() };
            format!("{{\"amount\":{},\"note\":\"{note}\"}}", 100 + number)
        });
        let bookings: Vec<String> = bookings.collect();
        let events: Vec<(&str, &str)> = bookings.iter().map(|data| ("booked", data.as_str())).collect();
        host.append_all(&format!("account/{portion}"), &events);
    }
    host
}

const HEAVY: u64 = 878;

fn ledger(quota: Quota) -> NewProjection {
    NewProjection { quota, ..projection("ledger", "ledger") }
}

#[test]
fn the_costliest_event_is_found_in_the_middle_of_thousands() {
    let dir = Dir::new();
    let host = filled(&dir);
    host.guest("ledger");
    host.create(&ledger(Quota::default())).unwrap();
    host.settle("ledger");
    let status = host.status("ledger").unwrap().readable;
    assert_eq!(status.checkpoint.events, 2_000);
    assert!(status.costs.calls > 1 && status.costs.calls < 2_000, "{} calls", status.costs.calls);
    assert_eq!(status.costs.latest.last.0, 2_000);

    let explained = host.explain("ledger", 3, |_| {}).unwrap();
    let [first, second, _] = explained.costliest.as_slice() else { panic!("{explained:?}") };
    assert_eq!((first.sequence.0, first.event_type.as_str()), (HEAVY, "booked"));
    assert!(first.fuel > second.fuel + 100_000, "{explained:?}");
    assert_eq!(explained.calls_examined, status.costs.calls.min(16));

    // What was counted is in the file, and the state went on as it was.
    drop(host);
    let host = dir.open();
    assert_eq!(host.status("ledger").unwrap().readable.costs, status.costs);
}

#[test]
fn a_state_never_passes_its_quota_and_goes_on_when_that_is_raised() {
    let dir = Dir::new();
    let host = filled(&dir);
    host.guest("ledger");
    let unlimited = {
        host.create(&NewProjection { quota: Quota::default(), ..projection("free", "ledger") }).unwrap();
        host.settle("free");
        host.reader("free").unwrap().totals().unwrap()
    };
    let quota = Quota { state_bytes: Some(unlimited.bytes - 1), ..Quota::default() };
    host.create(&ledger(quota)).unwrap();
    host.settle("ledger");
    let progress = host.progress("ledger").unwrap();
    let Phase::OverQuota { reason, goes_on: false } = &progress.phase else { panic!("{:?}", progress.phase) };
    assert!(reason.contains(&format!("its quota is {}", unlimited.bytes - 1)), "{reason}");
    let reader = host.reader("ledger").unwrap();
    assert!(reader.totals().unwrap().bytes < unlimited.bytes);
    assert!(reader.checkpoint().sequence.0 > 0, "what fits is there");
    assert_eq!(host.status("ledger").unwrap().readable.identity, {
        host.set_quota("ledger", Quota::default()).unwrap();
        host.status("ledger").unwrap().readable.identity
    });
    host.settle("ledger");
    assert_eq!(host.progress("ledger").unwrap().phase, Phase::Live);
    let (made, free) = (host.reader("ledger").unwrap(), host.reader("free").unwrap());
    assert_eq!(made.digest().unwrap(), free.digest().unwrap(), "a quota decides nothing of the content");
}

#[test]
fn a_projection_rests_when_it_used_its_fuel_and_survives_that() {
    let dir = Dir::new();
    let host = filled(&dir);
    host.guest("ledger");
    host.create(&ledger(Quota { fuel_per_second: Some(1), ..Quota::default() })).unwrap();
    host.start("ledger").unwrap();
    let mut rested_at = None;
    host.wait("ledger", |progress| {
        if let Phase::OverQuota { goes_on: true, .. } = progress.phase
            && rested_at.is_none()
        {
            rested_at = Some(progress.sequence.0);
            host.set_quota("ledger", Quota::default()).unwrap();
        }
    })
    .unwrap();
    let rested_at = rested_at.expect("it rests after a call that took more than its quota");
    assert!((1..2_000).contains(&rested_at), "{rested_at}");
    assert_eq!(host.status("ledger").unwrap().readable.checkpoint.events, 2_000);
}

#[test]
fn an_append_is_refused_that_would_take_a_sync_state_over_its_quota() {
    let dir = Dir::new();
    let host = dir.open();
    host.guest("ledger");
    // The balance of one stream, and the total.
    let quota = Quota { state_entries: Some(2), ..Quota::default() };
    host.create(&NewProjection { sync: true, ..ledger(quota) }).unwrap();
    host.settle("ledger");
    let book = |stream: &str, id: &str| {
        let events = vec![event(stream, "booked", id, "{\"amount\":1}")];
        host.append(Append { events, expectations: Vec::new() })
    };
    book("account/1", "a").unwrap();
    book("account/1", "b").unwrap();
    let refused = refusal(book("account/2", "c"));
    assert!(refused.contains("its quota is 2"), "{refused}");
    assert_eq!(host.head().sequence().0, 2);
    host.set_quota("ledger", Quota::default()).unwrap();
    book("account/2", "c").unwrap();
    assert_eq!(host.entries("ledger").lines().count(), 3);
}
