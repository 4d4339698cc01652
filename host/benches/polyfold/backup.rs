//! Backup and restore by the program, beside a plain sequential write of as many bytes, synced.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use polyfold::cbor;
use polyfold::engine::{Append, Engine};
use polyfold::event::{EventId, EventType, NewEvent, StreamName};

use crate::data::{Year, open, temporary};
use crate::report::{Contestant, Lap, compare, millis, size};

const ROUNDS: usize = 5;
/// Enough that starting a program counts for little on a fast disk.
const LARGE_BYTES: usize = 512 << 20;
const LARGE_EVENT_BYTES: usize = 16 << 10;

pub(crate) fn run(year: &Year) {
    let large = temporary();
    fill(&open(&large));
    throughput("the year, 89 bytes an event", year.dir.path());
    throughput("events of 16 KiB that do not compress", large.path());
    increments(year);
}

fn fill(engine: &Engine) {
    let mut random = fastrand::Rng::with_seed(1);
    let events = LARGE_BYTES / LARGE_EVENT_BYTES;
    for first in (0..events).step_by(500) {
        let event = |number: usize| {
            let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(LARGE_EVENT_BYTES).collect();
            let stream = StreamName::new(format!("large/{}", number % 1000)).unwrap();
            let payload = cbor::from_json(&format!("\"{text}\"")).unwrap();
            NewEvent::new(stream, EventType::new("large").unwrap(), EventId::new(number.to_string()).unwrap(), payload)
        };
        let events = (first..(first + 500).min(events)).map(event).collect();
        engine.append(Append { events, expectations: Vec::new() }).unwrap();
    }
}

fn throughput(what: &str, dir: &Path) {
    let safe = temporary();
    let (kept, file) = (safe.path().join("kept"), safe.path().join("once"));
    polyfold(dir, &["backup", text(&kept)]);
    let bytes: u64 =
        std::fs::read_dir(kept.join("blocks")).unwrap().map(|it| it.unwrap().metadata().unwrap().len()).sum();
    let content: Vec<u8> = {
        let mut segments = std::fs::read_dir(kept.join("blocks")).unwrap();
        let mut content = std::fs::read(segments.next().unwrap().unwrap().path()).unwrap();
        segments.for_each(|segment| content.extend(std::fs::read(segment.unwrap().path()).unwrap()));
        content
    };
    let mib = (bytes >> 20) as usize;
    let clear = |path: &Path| drop(std::fs::remove_dir_all(path).or_else(|_| std::fs::remove_file(path)));
    let (fresh, archive, restored) =
        (safe.path().join("fresh"), safe.path().join("all.polyfold"), safe.path().join("restored"));
    let contestants = vec![
        Contestant::new("write and sync of the same bytes", || {
            clear(&file);
            Lap::of(mib, || {
                let mut file = std::fs::File::create(&file).unwrap();
                content.chunks(1 << 20).for_each(|piece| file.write_all(piece).unwrap());
                file.sync_all().unwrap();
            })
        }),
        Contestant::new("backup into a directory", || {
            clear(&fresh);
            Lap::of(mib, || drop(polyfold(dir, &["backup", text(&fresh)])))
        }),
        Contestant::new("backup into one file", || {
            clear(&archive);
            Lap::of(mib, || drop(polyfold(dir, &["backup", text(&archive)])))
        }),
        Contestant::new("backup verify", || Lap::of(mib, || drop(polyfold(dir, &["backup", "verify", text(&kept)])))),
        Contestant::new("restore", || {
            clear(&restored);
            Lap::of(mib, || drop(polyfold(&restored, &["restore", text(&kept)])))
        }),
    ];
    compare(&format!("Backup of {what}, {}", size(bytes)), "MiB", ROUNDS, contestants);
}

fn increments(year: &Year) {
    let (dir, safe) = (year.with(&[]), temporary());
    let kept = safe.path().join("kept");
    polyfold(dir.path(), &["backup", text(&kept)]);
    println!("\n### A backup of what is new\n\n| events since the last | time | new bytes |\n|---:|---:|---:|");
    for events in [0, 1, 1_000, 10_000] {
        let mut new = Vec::new();
        let took = millis(ROUNDS, || {
            if events > 0 {
                append(&open(&dir), events);
            }
            let began = Instant::now();
            let said = polyfold(dir.path(), &["--json", "backup", text(&kept)]);
            let took = began.elapsed();
            let said: serde_json::Value = serde_json::from_str(&said).unwrap();
            new.push(said["new_bytes"].as_u64().unwrap());
            took
        });
        new.sort_unstable();
        println!("| {events} | {took} | {} |", size(new[new.len() / 2]));
    }
}

fn append(engine: &Engine, events: usize) {
    let head = engine.head().sequence().0;
    let event = |number: u64| {
        let payload = cbor::from_json(&format!("{{\"number\":{number},\"text\":\"as long as a flight is\"}}")).unwrap();
        let id = EventId::new(format!("more {number}")).unwrap();
        NewEvent::new(StreamName::new("more/1").unwrap(), EventType::new("more").unwrap(), id, payload)
    };
    let events = (head + 1..=head + events as u64).map(event).collect();
    engine.append(Append { events, expectations: Vec::new() }).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn polyfold(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polyfold"));
    command.arg("--data-dir").arg(dir).arg("--quiet").args(arguments);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
