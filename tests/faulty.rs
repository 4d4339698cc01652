//! What people see of faulty events: quarantine, one event under watch, verification and the prober, by the program.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use crate::program::Environment;
use crate::service::server::Server;

fn check(environment: &Environment, commands: &[&[&str]], expected: Expect) {
    let mut transcript = String::new();
    for command in commands {
        write!(transcript, "$ {}\n{}", command.join(" "), without_fuel(&environment.run(command))).unwrap();
    }
    expected.assert_eq(&transcript);
}

/// What a call costs is for other tests to say.
fn without_fuel(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .map(|line| if line.starts_with("fuel ") { "fuel        FUEL\n".to_owned() } else { without_number(line) })
        .collect()
}

fn without_number(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let is_fuel = |at: usize| {
        let is_number = words[at].starts_with(|c: char| c.is_ascii_digit());
        is_number
            && (words.get(at + 1).is_some_and(|next| next.starts_with("fuel")) || at > 0 && words[at - 1] == "fuel:")
    };
    let shown = |at: usize| match is_fuel(at) {
        true => format!("FUEL{}", words[at].trim_start_matches(|c: char| c.is_ascii_digit() || c == ',')),
        false => words[at].to_owned(),
    };
    (0..words.len()).map(shown).collect::<Vec<_>>().join(" ")
}

fn environment() -> Environment {
    let environment = Environment::new();
    environment.install(&["journal"]);
    let bad = "{\"bad\":true}";
    for (stream, data) in [("order/1", "1"), ("order/2", bad), ("order/1", "2"), ("order/2", "3"), ("order/3", "4")] {
        environment.ok(&["append", stream, "order.placed", data, "--quiet"]);
    }
    environment
}

#[test]
fn a_stream_in_quarantine_is_shown_and_redriven_by_an_upgrade() {
    let environment = environment();
    check(
        &environment,
        &[
            &["projection", "create", "journal", "--on-fault", "quarantine"],
            &["projection", "status", "journal"],
            &["projection", "faults", "journal"],
            &["projection", "quarantine", "journal"],
            &["projection", "quarantine", "journal", "--limit", "1", "--json"],
            &["projection", "get", "journal", "all"],
        ],
        expect![[r#"
            $ projection create journal --on-fault quarantine
            projection journal: 3 entries at sequence 5, live; 1 fault, see `polyfold projection faults journal`; 1 stream, 2 events set aside
            exit 0
            $ projection status journal
            projection  journal
            plugin      journal@0.1.0, unsigned
            identity    DIGEST
            building    -
            previous    -
            parameters  {}
            state       caught up
            checkpoint  5 of 5, 0 behind
            events      3 folded in 2 calls
            fuel
            quota       -
            faults      1, on fault quarantine
            entries     3, 40 B, file 64.00 KiB
            past        history from sequence 0 on
            quarantine  1 stream, 2 events set aside
            exit 0
            $ projection faults journal
            sequence 2  order/2  order.placed v1  error: it says: order.placed, schema version 1: this event is refused
              plugin: DIGEST
              fuel:
            ! 1 stream, 2 events set aside; `polyfold projection quarantine journal` lists them
            exit 0
            $ projection quarantine journal
            order/2  2 events set aside, from sequence 2 to 4
            exit 0
            $ projection quarantine journal --limit 1 --json
            {"stream":"order/2","first":2,"events":2,"last":4}
            exit 0
            $ projection get journal all
            [1,3,5]
            exit 0
        "#]],
    );
    environment.install(&["journal_v2"]);
    check(
        &environment,
        &[
            &["projection", "upgrade", "journal", "--auto-promote"],
            &["projection", "get", "journal", "all"],
            &["projection", "quarantine", "journal", "--state", "previous"],
            &["projection", "quarantine", "journal"],
        ],
        expect![[r#"
            $ projection upgrade journal --auto-promote
            projection journal: 4 entries at sequence 5, live
            ! folded 2 events that the state before had set aside, in order
            exit 0
            $ projection get journal all
            [1,2,3,4,5]
            exit 0
            $ projection quarantine journal --state previous
            order/2  2 events set aside, from sequence 2 to 4
            exit 0
            $ projection quarantine journal
            ! projection "journal" has no stream in quarantine
            exit 0
        "#]],
    );
}

#[test]
fn one_event_is_debugged() {
    let environment = environment();
    environment.run(&["projection", "create", "journal", "--on-fault", "quarantine"]);
    check(
        &environment,
        &[
            &["projection", "debug", "journal", "--at", "3"],
            &["projection", "debug", "journal", "--at", "2"],
            &["projection", "debug", "journal", "--at", "4"],
            &["projection", "debug", "journal", "--at", "6"],
        ],
        expect![[r#"
            $ projection debug journal --at 3
            sequence 3  order/1  order.placed v1
              data: 2
              over the state at sequence 2, built from the log for this
              read stream/order/1 = [1]
              wrote stream/order/1 = [1,3]
              read all = [1]
              wrote all = [1,3]
              folded: FUEL fuel, 1.06 MiB
            exit 0
            $ projection debug journal --at 2
            sequence 2  order/2  order.placed v1
              data: {"bad":true}
              over the state at sequence 1, built from the log for this
              failed: error: it says: order.placed, schema version 1: this event is refused: FUEL fuel, 1.06 MiB
            exit 0
            $ projection debug journal --at 4
            sequence 4
              set aside: its stream is in quarantine since sequence 2; `--at 2` shows why
            exit 0
            $ projection debug journal --at 6
            ! error: the log has no event 6; it ends at 5
            exit 3
        "#]],
    );
    let json = environment.ok(&["projection", "debug", "journal", "--at", "3", "--json"]);
    let debugged: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&debugged["outcome"], &debugged["accesses"][0]["action"]), (&"folded".into(), &"read".into()));
    assert_eq!(debugged["accesses"][3]["value"], serde_json::json!([1, 3]));
}

#[test]
fn a_state_is_verified_by_samples_and_from_a_kept_snapshot() {
    let environment = environment();
    environment.run(&["projection", "create", "journal", "--on-fault", "skip"]);
    check(
        &environment,
        &[
            &["projection", "verify", "journal", "--from-snapshot"],
            &["projection", "verify", "journal", "--sample", "100", "--keep-snapshot"],
            &["append", "order/1", "order.placed", "5"],
            &["projection", "verify", "journal", "--sample", "100"],
            &["projection", "verify", "journal", "--from-snapshot"],
            &["projection", "verify", "journal", "--sample", "0"],
        ],
        expect![[r#"
            $ projection verify journal --from-snapshot
            projection "journal" is sound: 4 entries at sequence 5, rebuilt with other batch sizes, by code compiled anew, to the same digest DIGEST; 1 batch folded by both compilations, with the same fuel
            ! warning: the kept snapshot was not used: none is kept; --keep-snapshot keeps one
            exit 0
            $ projection verify journal --sample 100 --keep-snapshot
            projection "journal" is sound: 4 entries at sequence 5, replayed in large batches to the same digest DIGEST; 1 batch folded once more, cut elsewhere and by code compiled anew, with the same fuel where they were cut alike
            ! a snapshot at sequence 5 is kept
            exit 0
            $ append order/1 order.placed 5
            sequence 6, order/1 version 3, id UUID
            exit 0
            $ projection verify journal --sample 100
            projection "journal" is sound: 4 entries at sequence 6, replayed from the kept snapshot at sequence 5 in large batches to the same digest DIGEST; 1 batch folded once more, cut elsewhere and by code compiled anew, with the same fuel where they were cut alike
            exit 0
            $ projection verify journal --from-snapshot
            projection "journal" is sound: 4 entries at sequence 6, rebuilt from the kept snapshot at sequence 5 with other batch sizes, by code compiled anew, to the same digest DIGEST; 0 batches folded by both compilations, with the same fuel
            exit 0
            $ projection verify journal --sample 0
            ! error: invalid value '0' for '--sample <PERCENT>': "0" is no share; give a percentage that is more than 0 and at most 100
            !
            ! For more information, try '--help'.
            exit 2
        "#]],
    );
    let status = environment.ok(&["projection", "status", "journal"]);
    assert!(status.contains("1 snapshot at 5, verified at 5"), "{status}");
}

#[test]
fn a_host_with_a_prober_counts_batches_and_halts_what_breaks_its_promise() {
    let environment = Environment::new();
    environment.install(&["event-counts", "remembers_calls"]);
    let server = Server::start(&environment, &["--probe", "100"]);
    for name in ["event-counts", "remembers-calls"] {
        environment.ok(&["projection", "create", name]);
    }
    environment.run(&["append", "order/1", "order.placed", "{}"]);
    let status = environment.ok(&["projection", "status", "event-counts"]);
    assert!(status.contains("probed      1 batch, all alike"), "{status}");
    let metrics = server.raw(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    assert!(metrics.contains("polyfold_projection_probed_batches_total{"), "{metrics}");
    assert!(metrics.contains("polyfold_projection_set_aside_events_total{"), "{metrics}");
    let faults = environment.run(&["projection", "faults", "remembers-calls"]);
    assert!(
        faults.starts_with("sequence 1  order/1  order.placed v1  nondeterminism: folded once more in memory"),
        "{faults}"
    );
    drop(server);
}
