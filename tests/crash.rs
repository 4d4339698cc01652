//! The real program is killed in the middle of its work; what is left is whole, and the work can be finished.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::guests;
use crate::host::flights;
use crate::program::Environment;

const KILLS: usize = 10;
const EVENTS: usize = 12_000;

fn random() -> fastrand::Rng {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

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

fn json(text: &str, field: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    value[field].to_string()
}

fn install(environment: &Environment) {
    for plugin in ["flights-v2", "on-time"] {
        environment.ok(&["plugin", "install", guests::path(plugin).to_str().unwrap()]);
    }
}

/// What both ways must lead to: the number of events, and the digest of the state.
fn finish(environment: &Environment) -> (String, String) {
    let log = environment.ok(&["--json", "log", "verify"]);
    let state = environment.ok(&["--json", "projection", "verify", "on-time"]);
    (json(&log, "events"), json(&state, "digest"))
}

#[test]
fn killed_at_any_moment_of_an_import_and_of_a_rebuild() {
    let mut random = random();
    let calm = Environment::new();
    let file = calm.file("flights.ndjson", flights(EVENTS).as_bytes());
    let import = ["import", "--no-wait", file.to_str().unwrap()];
    install(&calm);
    let began = Instant::now();
    calm.ok(&import);
    let import_takes = began.elapsed();
    calm.ok(&["projection", "create", "on-time"]);
    let began = Instant::now();
    calm.ok(&["projection", "rebuild", "on-time"]);
    let rebuild_takes = began.elapsed();
    let expected = finish(&calm);
    assert_eq!(expected.0, EVENTS.to_string());

    let killed = Environment::new();
    install(&killed);
    let mut at_work = 0;
    for _ in 0..KILLS / 2 {
        at_work += usize::from(kill(&killed, &import, import_takes.mul_f64(random.f64())));
        killed.ok(&["log", "verify"]);
    }
    killed.ok(&import);
    killed.ok(&["projection", "create", "on-time"]);
    for _ in 0..KILLS / 2 {
        let rebuild = ["projection", "rebuild", "on-time"];
        at_work += usize::from(kill(&killed, &rebuild, rebuild_takes.mul_f64(random.f64())));
        killed.ok(&["projection", "get", "on-time", "carrier/UA"]);
    }
    println!("{at_work} of {KILLS} were at work");
    assert!(at_work > 0, "no kill came in time");
    assert_eq!(finish(&killed), expected);
}
