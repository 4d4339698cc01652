//! The conformance events in a real host's log, appended and folded by processes that are killed again and again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use polyfold::engine::{Engine, Options, Phase};
use polyfold::log::{Append, Log, Prepared};
use polyfold::state::Reader;

use super::events::Events;
use super::probes::probes;
use super::{PARAMETERS, committed};
use crate::guests;
use crate::host::{Dir, Host, projection};

/// Tells this test's own program that it is the one to be killed, and where to work.
const CHILD: &str = "POLYFOLD_TEST_CHILD";

const KILLS: usize = 8;

/// Does all the work that is left: appends the events that the log lacks, each by itself and at its own time, then folds
/// those that the state lacks.
fn work(dir: &Path) {
    let events = probes();
    let log = Log::open(&dir.join("log.redb"), &polyfold::log::Options::default()).unwrap();
    let appended = usize::try_from(log.head().sequence.0).unwrap();
    for (index, event) in events.0.into_iter().enumerate().skip(appended) {
        let append = Append { events: vec![event], expectations: Vec::new() };
        let mut transaction = log.begin().unwrap();
        transaction.plan(Prepared::new(append).unwrap(), Events::recorded_at(index)).unwrap();
        transaction.commit().unwrap();
    }
    drop(log);
    let host = Host(Engine::open(dir, &Options::default()).unwrap());
    if host.installed_plugins().is_empty() {
        host.guest("conformance");
    }
    if host.projections().is_empty() {
        let new = projection("conformance", "conformance");
        let on_fault = polyfold::engine::FaultPolicy::Skip;
        let parameters = PARAMETERS.to_owned();
        host.create(&polyfold::engine::NewProjection { parameters, on_fault, ..new }).unwrap();
    }
    assert_eq!(host.settle("conformance"), Phase::Live);
}

/// Not a test, but the child of the one below: without its directory it does nothing.
#[test]
fn the_child_that_is_killed() {
    if let Some(dir) = std::env::var_os(CHILD) {
        work(Path::new(&dir));
    }
}

fn child(dir: &Path) -> Child {
    let name = "conformance::killed::the_child_that_is_killed";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name]).env(CHILD, dir).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Kills a child after a while; says whether it was still at work.
fn kill(mut child: Child, after: Duration) -> bool {
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

fn digest(dir: &Dir) -> (u64, String) {
    let host = dir.open();
    let reader: Reader = host.reader("conformance").unwrap();
    (host.head().sequence().0, reader.digest().unwrap().to_string())
}

#[test]
fn a_log_that_was_killed_again_and_again_ends_in_the_same_state() {
    // Built before anything is timed.
    guests::path("conformance");
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let trace = committed("projection");
    let expected = (trace.events.len() as u64, trace.made.digest().to_string());

    let calm = Dir::new();
    let began = Instant::now();
    assert!(child(calm.path()).wait().unwrap().success());
    let takes = began.elapsed();
    assert_eq!(digest(&calm), expected, "without a kill");

    let killed = Dir::new();
    let mut at_work = 0;
    for _ in 0..KILLS {
        // The rest gets shorter with every try, and a kill in the first half is one that comes in time.
        at_work += usize::from(kill(child(killed.path()), takes.mul_f64(random.f64() / 2.0)));
    }
    println!("{at_work} of {KILLS} were at work");
    assert!(at_work > 0, "no kill came in time");
    assert!(child(killed.path()).wait().unwrap().success());
    assert_eq!(digest(&killed), expected, "after {at_work} kills");
}
