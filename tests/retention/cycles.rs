//! Runs again and again, with old events sent again and the directory backed up in between.

use polyfold::engine::{Append, DroppedPolicy, Phase};
use polyfold::event::{Filter, Sequence};

use super::open;
use crate::host::{Dir, event};
use crate::program::Environment;

#[test]
fn cycles_of_runs_leave_states_chain_and_duplicates_as_if_nothing_had_gone() {
    const CYCLES: u64 = 6;
    const EVENTS: u64 = 400;
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (dir, whole_dir) = (Dir::new(), Dir::new());
    let (host, whole) = (open(&dir, "[category.a]\nlast = 2"), open(&whole_dir, ""));
    for host in [&host, &whole] {
        host.guest("event-counts");
        host.make("counts", "event-counts", DroppedPolicy::Archive);
    }
    let mut streams = Vec::new();
    for cycle in 1..=CYCLES {
        for _ in 0..EVENTS {
            let number = streams.len() as u64 + 1;
            let stream = format!("{}/{}", ["a", "b"][usize::from(random.u8(..4) == 0)], random.u8(..30));
            let new = event(&stream, "t", &number.to_string(), &format!("{{\"number\":{number}}}"));
            for host in [&host, &whole] {
                host.append(Append { events: vec![new.clone()], expectations: Vec::new() }).unwrap();
            }
            streams.push(stream);
        }
        let run = host.retain();
        assert!(run.events > 0, "cycle {cycle}");
        // An event from long ago comes again: it is where it was.
        for _ in 0..20 {
            let number = random.u64(1..=streams.len() as u64);
            let stream = &streams[number as usize - 1];
            let again = event(stream, "t", &number.to_string(), &format!("{{\"number\":{number}}}"));
            let appended = host.append(Append { events: vec![again], expectations: Vec::new() }).unwrap();
            assert!(appended.events[0].duplicate && appended.events[0].sequence == Sequence(number), "{number}");
        }
        host.log().verify(&mut |_| {}).unwrap();
        assert_eq!(host.log().head().sequence, whole.log().head().sequence);
        assert_eq!((host.settle("counts"), whole.settle("counts")), (Phase::Live, Phase::Live));
        assert_eq!(host.digest("counts"), whole.digest("counts"));
        assert_eq!(host.verified_from("counts"), 0);
        let kept = host.whole(&Filter::all());
        let of_category = |category: &str| streams.iter().filter(|stream| stream.starts_with(category)).count();
        assert!(kept.len() <= of_category("b") + 2 * 30, "cycle {cycle}: {}", kept.len());
        let all_of_b =
            (1..).zip(&streams).filter(|(_, stream)| stream.starts_with('b')).all(|(at, _)| kept.contains(&at));
        assert!(all_of_b, "no rule is about them");
    }
    assert_eq!(host.retention_counts().runs, CYCLES);
    host.make("anew", "event-counts", DroppedPolicy::Archive);
    assert_eq!(host.digest("anew"), whole.digest("counts"), "the archive has all of it");
    // Each run leaves a snapshot, and takes the place of the one before.
    assert_eq!(host.snapshots("counts").unwrap().len(), 1);
}

#[test]
fn what_was_dropped_stays_dropped_through_backup_and_restore_and_streams_go_on() {
    let made = Environment::new();
    std::fs::write(made.dir.path().join("polyfold.toml"), "[retention.category.a]\nlast = 1\n").unwrap();
    made.install(&["event-counts"]);
    made.ok(&["projection", "create", "event-counts"]);
    let lines: String = (1..=300)
        .map(|number| {
            format!(
                "{{\"stream\":\"a/{}\",\"type\":\"t\",\"id\":\"{number}\",\"data\":{{\"n\":{number}}}}}\n",
                number % 3
            )
        })
        .collect();
    let file = made.file("events.ndjson", &lines);
    made.ok(&["import", file.to_str().unwrap()]);
    made.ok(&["backup", "safe"]);
    made.ok(&["retention", "run"]);
    made.ok(&["backup", "safe"]);
    made.ok(&["backup", "verify", "safe"]);
    let dir = made.files.path().join("restored");
    let dir = dir.to_str().unwrap();
    made.ok(&["--data-dir", dir, "restore", "safe"]);
    let status = |arguments: &[&str]| made.ok(&[arguments, &["log", "verify"]].concat());
    assert_eq!(status(&[]), status(&["--data-dir", dir]));
    let again = made.ok(&["--json", "--data-dir", dir, "import", file.to_str().unwrap()]);
    assert!(again.contains("\"appended\":0") && again.contains("\"duplicates\":300"), "{again}");
    let placed = made.ok(&["--data-dir", dir, "--json", "append", "a/1", "t", "{}"]);
    assert!(placed.contains("\"version\":101"), "{placed}");
}
