//! What people see of faulty events: quarantine, one event under watch, verification and the prober, by the program.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use crate::program::Environment;
use crate::service::server::Server;

fn check(environment: &Environment, commands: &[&[&str]], expected: Expect) {
    let mut transcript = String::new();
    for command in commands {
        write!(transcript, "$ {}\n{}", command.join(" "), environment.run(command)).unwrap();
    }
    expected.assert_eq(&transcript);
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
        expect![[""]],
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
        expect![[""]],
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
        expect![[""]],
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
            &["projection", "verify", "journal", "--keep-snapshot"],
            &["projection", "verify", "journal", "--sample", "100"],
            &["projection", "verify", "journal", "--sample", "0"],
        ],
        expect![[""]],
    );
    let status = environment.ok(&["projection", "status", "journal"]);
    assert!(status.contains("snapshot    verified and kept at sequence 5"), "{status}");
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
    let metrics = server.raw(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(metrics.contains("polyfold_projection_probed_batches_total{"), "{metrics}");
    assert!(metrics.contains("polyfold_projection_set_aside_events_total{"), "{metrics}");
    let faults = environment.run(&["projection", "faults", "remembers-calls"]);
    assert!(
        faults.starts_with("sequence 1  order/1  order.placed v1  nondeterminism: folded once more in memory"),
        "{faults}"
    );
    drop(server);
}
