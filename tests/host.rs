//! A data directory with an engine, and what tests do with it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use polyfold::cbor;
use polyfold::engine::{
    Append, BadLine, Engine, Error, FaultPolicy, Imported, Installed, Keep, NewProjection, Options, Phase, Quota, Watch,
};
use polyfold::event::{EventId, EventType, NewEvent, PluginName, StreamName};

use crate::guests;

/// A data directory that goes with the test.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    /// An empty one that shares compiled code with every other.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(guests::shared_cache(), dir.path().join("cache")).unwrap();
        Self(dir)
    }

    /// One that `restore` fills.
    pub(crate) fn restored(restore: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        restore(dir.path());
        std::os::unix::fs::symlink(guests::shared_cache(), dir.path().join("cache")).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn open(&self) -> Host {
        Host(Engine::open(self.path(), &Options::default()).unwrap())
    }

    /// The files of a projection's states, by name.
    pub(crate) fn states(&self, projection: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("projections").join(projection)).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

/// An engine with short words for what tests do.
pub(crate) struct Host(pub(crate) Engine);

impl std::ops::Deref for Host {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

/// A projection of that plugin under its own name, with the usual limits.
pub(crate) fn projection(name: &str, plugin: &str) -> NewProjection {
    NewProjection {
        name: PluginName::new(name).unwrap(),
        plugin: plugin.to_owned(),
        parameters: "{}".to_owned(),
        on_fault: FaultPolicy::Halt,
        fuel_per_event: None,
        memory_bytes: None,
        sync: false,
        quota: Quota::default(),
        keep: Keep::default(),
        dropped: Default::default(),
    }
}

pub(crate) fn event(stream: &str, event_type: &str, id: &str, data: &str) -> NewEvent {
    let (stream, event_type) = (StreamName::new(stream).unwrap(), EventType::new(event_type).unwrap());
    NewEvent::new(stream, event_type, EventId::new(id).unwrap(), cbor::from_json(data).unwrap())
}

impl Host {
    pub(crate) fn guest(&self, name: &str) -> Installed {
        self.install(&guests::bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Appends events of one stream, given as type and payload.
    pub(crate) fn append_all(&self, stream: &str, events: &[(&str, &str)]) {
        let head = self.head().sequence().0;
        let numbered = events.iter().zip(head + 1..);
        let events = numbered.map(|((event_type, data), number)| event(stream, event_type, &number.to_string(), data));
        self.append(Append { events: events.collect(), expectations: Vec::new() }).unwrap();
    }

    /// Lets a projection run until nothing more happens by itself.
    pub(crate) fn settle(&self, name: &str) -> Phase {
        self.start(name).unwrap();
        self.wait(name, |_| {}).unwrap().phase
    }

    pub(crate) fn identity(&self, name: &str) -> String {
        self.projection(name).unwrap().wanted().identity().to_string()
    }

    pub(crate) fn digest(&self, name: &str) -> String {
        self.reader(name).unwrap().digest().unwrap().to_string()
    }

    /// A state's entries as JSON, a line each.
    pub(crate) fn entries(&self, name: &str) -> String {
        self.reader(name).unwrap().entries().unwrap().fold(String::new(), |mut text, entry| {
            let (key, value) = entry.unwrap();
            let value = cbor::to_json(&value).unwrap_or_else(|_| format!("{} bytes", value.len()));
            writeln!(text, "{key} = {value}").unwrap();
            text
        })
    }

    /// All that a projection shows of itself: how far it is, its state and its faults.
    pub(crate) fn report(&self, name: &str) -> String {
        let status = self.status(name).unwrap();
        let mut text =
            format!("{} at {} of {}\n", status.readable.phase, status.readable.checkpoint.sequence, status.head);
        text += &self.entries(name);
        for fault in self.faults(name).unwrap() {
            writeln!(text, "fault at {}: {}: {}", fault.sequence, fault.kind, fault.message).unwrap();
        }
        text
    }

    /// Imports real flights: the first so many lines of the month.
    pub(crate) fn import_flights(&self, lines: usize) -> Imported {
        let text = flights(lines);
        self.import_checked(&mut text.as_bytes(), &mut Silent).unwrap()
    }
}

/// The first so many flights of the example, as lines of JSON.
pub(crate) fn flights(lines: usize) -> Arc<str> {
    let packed = std::fs::File::open(flights_path()).unwrap();
    let mut text = String::new();
    for line in BufReader::new(GzDecoder::new(packed)).lines().take(lines) {
        text += &line.unwrap();
        text.push('\n');
    }
    text.into()
}

pub(crate) fn flights_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flights/flights-2013-01.ndjson.gz")
}

/// Watches nothing.
pub(crate) struct Silent;

impl Watch for Silent {
    fn passed(&mut self) {}

    fn skipped(&mut self, line: BadLine) {
        panic!("line {}: {}", line.number, line.why);
    }
}

/// What an engine says when it refuses.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}
