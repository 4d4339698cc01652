//! Backups and restores that are killed at any moment: nothing half passes for whole, and doing it again finishes it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::text;
use crate::program::Environment;

const KILLS: usize = 6;
const EVENTS: usize = 12_000;

/// Runs a command and kills it after a while; says whether it was still at work.
fn kill(environment: &Environment, arguments: &[&str], after: Duration) -> bool {
    let mut command = environment.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
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
fn a_backup_and_a_restore_are_killed_at_any_moment() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let made = Environment::with_flights(EVENTS);
    let began = Instant::now();
    made.ok(&["backup", "calm", "--states"]);
    let backup_takes = began.elapsed();
    let mut at_work = 0;
    for round in 0..KILLS {
        at_work += usize::from(kill(&made, &["backup", "safe", "--states"], backup_takes.mul_f64(random.f64())));
        if round % 3 == 2 {
            made.ok(&["backup", "safe", "--states"]);
        }
        let verified = made.run(&["backup", "verify", "safe"]);
        // Before the first is whole, there is none; a damaged one would be exit code 5.
        assert!(!verified.ends_with("exit 5\n"), "{verified}");
        made.ok(&["append", "order/1", "order.placed", "{}"]);
    }
    made.ok(&["backup", "safe", "--states"]);
    made.ok(&["backup", "verify", "safe"]);
    let dir = made.path("restored");
    let restore = ["--data-dir", text(&dir), "restore", "safe"];
    let began = Instant::now();
    made.ok(&restore);
    let restore_takes = began.elapsed();
    for _ in 0..KILLS {
        std::fs::remove_dir_all(&dir).unwrap();
        at_work += usize::from(kill(&made, &restore, restore_takes.mul_f64(random.f64())));
        if !dir.exists() {
            made.ok(&restore);
        }
        // It is there whole or not at all.
        let of = |dir: &std::path::Path| made.json(&["--data-dir", text(dir), "log", "verify"]);
        assert_eq!(of(&dir), of(made.dir.path()));
    }
    println!("{at_work} of {} were at work", 2 * KILLS);
    assert!(at_work > 0, "no kill came in time");
    assert!(!made.path("restored.restoring").exists());
}
