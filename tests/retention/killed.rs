//! Runs that are killed at any moment: the log is whole, and running again finishes it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::program::Environment;

const KILLS: usize = 4;
const EVENTS: usize = 4_000;

/// Runs a command and kills it after a while; says whether it was still at work.
fn kill(environment: &Environment, arguments: &[&str], after: Duration) -> bool {
    let mut child = environment.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // There is nothing to wait for but time: the moment is what is tried.
    let end = Instant::now() + after;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
    let was_at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_at_work
}

#[test]
fn a_run_is_killed_at_any_moment() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let made = Environment::new();
    std::fs::write(made.dir.path().join("polyfold.toml"), "[retention.category.flight]\nlast = 1\n").unwrap();
    made.install(&["event-counts"]);
    made.ok(&["projection", "create", "event-counts"]);
    let lines = |from: usize| -> String {
        let line = |number: usize| {
            format!(
                "{{\"stream\":\"flight/{}\",\"type\":\"t\",\"id\":\"{number}\",\"data\":{{\"n\":{number}}}}}\n",
                number % 97
            )
        };
        (from..from + EVENTS).map(line).collect()
    };
    let (mut at_work, mut takes) = (0, Duration::ZERO);
    for round in 0..=KILLS {
        let file = made.file("events.ndjson", lines(round * EVENTS));
        made.ok(&["import", file.to_str().unwrap()]);
        let state = made.ok(&["projection", "scan", "event-counts"]);
        let sound = made.ok(&["log", "verify"]);
        if round == 0 {
            let began = Instant::now();
            made.ok(&["retention", "run"]);
            takes = began.elapsed();
            continue;
        }
        at_work += usize::from(kill(&made, &["retention", "run"], takes.mul_f64(random.f64())));
        // What it says of blocks may have changed, but not of events and chain.
        let chain = |said: &str| said.rsplit(' ').next().unwrap_or_default().to_owned();
        assert_eq!(chain(&made.ok(&["log", "verify"])), chain(&sound));
        assert_eq!(made.ok(&["projection", "scan", "event-counts"]), state);
        made.ok(&["retention", "run"]);
        assert_eq!(chain(&made.ok(&["log", "verify"])), chain(&sound));
        assert!(made.ok(&["projection", "verify", "event-counts"]).contains("same"), "round {round}");
        let left = made.ok(&["retention", "plan"]);
        assert!(left.contains("0 payloads of 0 B would go"), "{left}");
    }
    println!("{at_work} of {KILLS} were at work");
    assert!(at_work > 0, "no kill came in time");
    let files: Vec<_> = std::fs::read_dir(made.dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{files:?}");
}
