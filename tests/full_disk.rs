//! A disk that is really full: what is refused, what goes on, and that all heals when there is room.

use std::path::Path;
use std::process::Command;

use polyfold::engine::{Append, Engine, Error, Options, Phase, Query};
use polyfold::event::{Filter, NewEvent, Sequence};

use crate::guests;
use crate::host::{event, projection};

/// A small disk in memory, which goes with the test.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    /// None where the test may not mount one, which it says.
    pub(crate) fn mount(megabytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(dir));
        }
        println!("SKIPPED: only root can mount a small disk; no full disk was tested");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file until nothing more fits.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("ballast")).unwrap();
        for size in [1 << 20, 4096, 1] {
            while std::io::Write::write_all(&mut file, &vec![1; size]).is_ok() {}
        }
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).output());
    }
}

/// An event of that many bytes that do not compress.
fn large(number: usize, bytes: usize) -> NewEvent {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(bytes).collect();
    event("order/1", "order.placed", &number.to_string(), &format!("\"{text}\""))
}

fn append(engine: &Engine, number: usize) -> Result<(), Error> {
    let events = vec![large(number, 100_000)];
    engine.append(Append { events, expectations: Vec::new() }).map(drop)
}

fn check(engine: &Engine, events: usize) {
    assert_eq!(engine.head().sequence(), Sequence(events as u64));
    assert_eq!(engine.log().verify(&mut |_| {}).unwrap().events, events as u64);
    let query = Query { from: Sequence(events as u64), to: None, filter: Filter::all() };
    let page = engine.log().reader().unwrap().read(&query, 1, 0).unwrap();
    assert_eq!(page.batch.event(0).payload(), Some(large(events - 1, 100_000).payload.as_bytes()));
}

fn open(disk: &Disk) -> Engine {
    let dir = disk.path().join("data");
    std::fs::create_dir_all(&dir).unwrap();
    if !dir.join("cache").exists() {
        std::os::unix::fs::symlink(guests::shared_cache(), dir.join("cache")).unwrap();
    }
    Engine::open(&dir, &Options::default()).unwrap()
}

#[test]
fn a_full_disk_refuses_appends_while_reads_go_on_until_there_is_room() {
    let Some(disk) = Disk::mount(64) else { return };
    let engine = open(&disk);
    let mut events = 0;
    for round in 0..3 {
        (0..10).for_each(|_| {
            append(&engine, events).unwrap();
            events += 1;
        });
        disk.fill();
        for _ in 0..3 {
            let refused = append(&engine, events).unwrap_err();
            assert!(matches!(refused, Error::DiskFull { .. }), "round {round}: {refused}");
            check(&engine, events);
        }
        disk.make_room();
        append(&engine, events).unwrap();
        events += 1;
        check(&engine, events);
    }
    drop(engine);
    check(&open(&disk), events);
}

#[test]
fn a_log_that_fills_the_disk_itself_stops_in_time() {
    let Some(disk) = Disk::mount(48) else { return };
    let engine = open(&disk);
    let events = (0..).take_while(|number| append(&engine, *number).is_ok()).count();
    assert!(events > 50, "{events} events of 100 KB on a disk of 48 MiB");
    check(&engine, events);
    drop(engine);
    let engine = open(&disk);
    check(&engine, events);
    assert!(append(&engine, events).unwrap_err().is_disk_full());
}

#[test]
fn plugins_and_projections_say_that_the_disk_is_full_and_lose_nothing() {
    let Some(disk) = Disk::mount(64) else { return };
    let engine = open(&disk);
    (0..10).for_each(|number| append(&engine, number).unwrap());
    disk.fill();
    let refused = engine.install(&guests::bytes("event-counts")).unwrap_err().to_string();
    assert!(refused.contains("No space left on device"), "{refused}");
    assert_eq!(engine.installed_plugins(), []);
    disk.make_room();
    engine.install(&guests::bytes("event-counts")).unwrap();
    disk.fill();
    let created = engine.create(&projection("event-counts", "event-counts")).map(drop);
    let started = created.and_then(|()| engine.start("event-counts"));
    let refused = started.unwrap_err().to_string();
    assert!(refused.contains("No space left on device"), "{refused}");
    disk.make_room();
    if engine.projections().is_empty() {
        engine.create(&projection("event-counts", "event-counts")).unwrap();
    }
    engine.start("event-counts").unwrap();
    assert_eq!(engine.wait("event-counts", |_| {}).unwrap().phase, Phase::Live);
    assert_eq!(engine.status("event-counts").unwrap().readable.checkpoint.sequence, Sequence(10));
    check(&engine, 10);
}
