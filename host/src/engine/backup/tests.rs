//! Backups of real directories, written, broken off, damaged and restored.

mod damage;
mod folded;
mod retention;
mod runs;

use std::path::{Path, PathBuf};

use super::*;
use crate::cbor;
use crate::engine::{Append, Engine, Error, FaultPolicy, NewProjection, Options, Quota, guests};
use crate::event::{EventId, EventType, NewEvent, PluginName, Sequence, StreamName, Timestamp};

/// A data directory and a folder for its backups.
struct Test {
    dir: tempfile::TempDir,
    files: tempfile::TempDir,
    random: fastrand::Rng,
    ids: u64,
}

impl Test {
    fn new() -> Self {
        let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(guests::shared_cache(), dir.path().join("cache")).unwrap();
        Self { dir, files: tempfile::tempdir().unwrap(), random: fastrand::Rng::with_seed(seed), ids: 0 }
    }

    fn engine(&self) -> Engine {
        Engine::open(self.dir.path(), &Options::default()).unwrap()
    }

    /// A projection with entries and a fault, an upcaster, a key, tokens and a trust file.
    fn furnish(&self, engine: &Engine) {
        for guest in ["returns_error", "renames"] {
            engine.install(&guests::bytes(guest)).unwrap();
        }
        engine.host_key().unwrap();
        std::fs::write(self.dir.path().join("tokens.json"), "[]").unwrap();
        std::fs::write(self.dir.path().join("trust.toml"), "require_signature = false\n").unwrap();
        let new = NewProjection {
            name: PluginName::new("counts").unwrap(),
            plugin: "returns-error".to_owned(),
            parameters: "{}".to_owned(),
            on_fault: FaultPolicy::Skip,
            fuel_per_event: None,
            memory_bytes: None,
            sync: false,
            quota: Quota::default(),
            keep: crate::engine::Keep::default(),
            dropped: crate::engine::DroppedPolicy::default(),
        };
        engine.create(&new).unwrap();
    }

    /// Lets the projection catch up.
    fn settle(engine: &Engine) {
        engine.start("counts").unwrap();
        engine.wait("counts", |_| {}).unwrap();
    }

    /// Appends so many events of some kilobyte that do not compress.
    fn append(&mut self, engine: &Engine, events: usize) {
        let mut event = || {
            self.ids += 1;
            let text: String = std::iter::repeat_with(|| self.random.alphanumeric()).take(1000).collect();
            let (stream, id) = (format!("a/{}", self.random.u8(..9)), self.ids.to_string());
            let (stream, id) = (StreamName::new(stream).unwrap(), EventId::new(id).unwrap());
            let payload =
                cbor::from_json(&format!("{{\"bad\":{},\"text\":\"{text}\"}}", self.ids.is_multiple_of(50))).unwrap();
            NewEvent::new(stream, EventType::new("t").unwrap(), id, payload)
        };
        let events = (0..events).map(|_| event()).collect();
        engine.append(Append { events, expectations: Vec::new() }).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

/// Segments of a few blocks, so that there are many.
fn open(path: &Path, shape: Shape) -> Result<BackupWriter, BackupError> {
    let mut writer = BackupWriter::open(path, shape)?;
    writer.segment_bytes = 100_000;
    Ok(writer)
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

/// What the host sends, in its pieces.
fn sent(engine: &Engine, request: &BackupRequest) -> Result<Vec<Vec<u8>>, Error> {
    engine.check_backup(request)?;
    let mut pieces = Vec::new();
    engine.send_backup(request, HostKeyToo::Yes, &mut |piece| {
        pieces.push(piece);
        true
    })?;
    Ok(pieces)
}

/// A whole run.
fn backup(engine: &Engine, path: &Path, shape: Shape, keep: Keep, now: Timestamp) -> Result<Made, BackupError> {
    let mut writer = open(path, shape)?;
    let pieces = sent(engine, &writer.request(true)).map_err(|error| BackupError::Problem(error.to_string()))?;
    pieces.iter().try_for_each(|piece| writer.take(piece))?;
    writer.finish(keep, now)
}

fn sound(path: &Path) -> VerifiedBackup {
    let verified = verify_backup(path, &mut |_, _| {}).unwrap();
    assert_eq!(verified.damaged, Vec::<String>::new());
    verified
}

fn restore(backup: &Path, dir: &Path, until: Until, generation: Option<u64>) -> Result<Restored, BackupError> {
    Restore { backup, dir, until, generation }.run(&mut |_, _| {})
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
