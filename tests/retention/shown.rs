//! What the program and the service say of retention, and the runs that a host starts by itself.

use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::Value;

use crate::program::Environment;
use crate::service::server::Server;

fn with_policy(policy: &str) -> Environment {
    let made = Environment::new();
    std::fs::write(made.dir.path().join("polyfold.toml"), policy).unwrap();
    let lines: String = (1..=60)
        .map(|number| {
            let event_type = if number % 20 == 0 { "diverted" } else { "position" };
            format!("{{\"stream\":\"flight/{}\",\"type\":\"{event_type}\",\"data\":{{\"n\":{number}}}}}\n", number % 2)
        })
        .collect();
    let file = made.file("events.ndjson", lines);
    made.ok(&["import", file.to_str().unwrap()]);
    made
}

/// What a command says without the sizes of files, which differ from run to run.
fn without_files(said: &str) -> String {
    let is_size = |word: &str| ["B", "KiB", "MiB"].contains(&word.trim_end_matches([';', ',']));
    let mut words: Vec<&str> = Vec::new();
    let mut of_file = false;
    for word in said.split(' ') {
        of_file |= word == "file";
        if of_file && is_size(word) {
            words.pop();
            words.push("SIZE");
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}

#[test]
fn plan_run_and_status_say_what_goes_and_what_went() {
    let made =
        with_policy("[retention]\ncritical = [\"diverted\"]\n[retention.category.flight]\nlast = 1\nfor = \"0s\"\n");
    let said = [
        made.run(&["retention", "status"]),
        made.run(&["retention", "plan"]),
        made.run(&["retention", "run"]),
        made.run(&["retention", "run"]),
        made.run(&["retention", "status"]),
    ];
    expect![[r#"
        keeps       category flight: the last 1 of each stream and for 0s
        critical    diverted
        runs        0 runs, 0 payloads of 0 B dropped
        exit 0
        category  type      would go  payloads  kept  critical
        flight    diverted         0       0 B     1         2
        flight    position        56     258 B     1         0
        56 payloads of 258 B would go, up to sequence 60; 2 events stay because they are critical
        the log's file has SIZE and would have about 56.43 KiB
        exit 0
        56 payloads of SIZE dropped up to sequence 60, of 56 events only digests are left; the log's file had SIZE and has SIZE critical events: 3 before, 3 after
        exit 0
        nothing is to be dropped, up to sequence 60
        exit 0
        keeps       category flight: the last 1 of each stream and for 0s
        critical    diverted
        runs        1 run, 56 payloads of SIZE dropped; the last, TIME: 56 payloads of SIZE dropped up to sequence 60, of 56 events only digests are left; the log's file had SIZE and has SIZE critical events: 3 before, 3 after
        exit 0
    "#]].assert_eq(&without_files(&said.concat()));
    let refused = with_policy("");
    let said = [refused.run(&["retention", "plan"]), refused.run(&["retention", "run"])];
    expect![[r#"
        0 payloads of 0 B would go, up to sequence 60
        the log's file has SIZE and would have about 64.00 KiB
        ! there is no rule, so everything stays; [retention] in polyfold.toml can say what goes
        exit 0
        nothing is to be dropped, up to sequence 60
        exit 0
    "#]]
    .assert_eq(&without_files(&said.concat()));
}

#[test]
fn a_policy_that_says_nothing_sound_is_refused_by_line() {
    let made = Environment::new();
    std::fs::write(made.dir.path().join("polyfold.toml"), "[retention]\n[retention.category.flight]\nlast = 0\n")
        .unwrap();
    expect![[r#"
        ! error: DATA/polyfold.toml:2: last is 0; it must be 1 at least, so that of each stream something stays
        exit 2
    "#]]
    .assert_eq(&made.run(&["retention", "plan"]));
}

#[test]
fn a_host_starts_a_run_in_a_quiet_time() {
    let made = with_policy("[retention]\nquiet = \"1s\"\nwhen_events = 50\n[retention.category.flight]\nlast = 1\n");
    let server = Server::start(&made, &[]);
    let status = || -> Value { serde_json::from_str(&made.ok(&["--json", "retention", "status"])).unwrap() };
    let give_up = Instant::now() + Duration::from_secs(60);
    while status()["runs"] == 0 {
        assert!(Instant::now() < give_up, "no run was started: {}", status());
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(status()["events_dropped"], 58);
    let metrics = server.raw(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(metrics.contains("\npolyfold_retention_runs_total 1\n"), "{metrics}");
    assert!(metrics.contains("\npolyfold_retention_critical_events{when=\"after\"} 0\n"), "{metrics}");
    server.stop();
}

#[test]
fn the_archive_is_shown_read_and_put_back() {
    let made = with_policy("[retention.category.flight]\nlast = 1\n");
    let before = made.ok(&["export"]);
    made.ok(&["retention", "run"]);
    let said = [
        made.run(&["archive", "list"]),
        made.run(&["archive", "verify"]),
        made.run(&["read", "--limit", "1"]),
        made.run(&["read", "--limit", "1", "--archived"]),
        made.run(&["log", "status"]),
    ];
    expect![[r#"
        000000000001-000000000060.blocks  sequence 1 to 60  60 events in 1 block  4.86 KiB
        exit 0
        the archive is sound: 1 file, 4.86 KiB
        exit 0
        1 to 58  compacted: only digests are left
        59  TIME  flight/1@30  position v1  {"n":59}
        ! there are more; --limit says how many to print (now 1)
        exit 0
        1  TIME  flight/1@1  position v1  {"n":1}
        ! there are more; --limit says how many to print (now 1)
        exit 0
        log         UUID
        head        60
        recorded at TIME
        chain head  DIGEST
        blocks      1, 513 B
        indexes     2 runs, 1.55 KiB
        file        68.00 KiB
        dropped     58 payloads of 267 B; of 58 events only digests are left
        retention   1 run, 58 payloads of 267 B dropped; the last, TIME: 58 payloads of 267 B dropped up to sequence 60, of 58 events only digests are left; the log's file had SIZE and has SIZE critical events: 0 before, 0 after
        exit 0
    "#]].assert_eq(&without_files(&said.concat()));
    assert_eq!(made.ok(&["archive", "read"]), before);
    assert_eq!(made.ok(&["export"]).lines().count(), 3, "a range and two events");
    made.ok(&["archive", "restore"]);
    assert_eq!(made.ok(&["export"]), before);
    made.ok(&["log", "verify"]);
}
