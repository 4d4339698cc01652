//! The year of flights: 665,297 events, made by examples/flights/year.sh, or the month in the tree, over and over.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use polyfold::engine::{BadLine, Engine, FaultPolicy, Keep, NewProjection, Options, Quota, Watch, event_from_json};
use polyfold::event::{NewEvent, PluginName};
use tempfile::TempDir;

use crate::report::count;

const YEAR_EVENTS: usize = 665_297;

/// A data directory with the year in it, and its lines.
pub(crate) struct Year {
    pub(crate) dir: TempDir,
    pub(crate) ndjson: String,
    pub(crate) events: usize,
}

/// An import that nobody watches.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    fn passed(&mut self) {}

    fn skipped(&mut self, line: BadLine) {
        panic!("line {}: {}", line.number, line.why);
    }
}

impl Year {
    pub(crate) fn load() -> Self {
        let made = target().join("bench-data/flights-2013.ndjson");
        let ndjson = match std::fs::read_to_string(&made) {
            Ok(year) => {
                println!("Data: the year, as examples/flights/year.sh made it.");
                year
            }
            Err(_) => {
                println!("Data: January over and over under other names; examples/flights/year.sh makes the year.");
                repeated_month()
            }
        };
        let dir = temporary();
        let engine = Engine::open(dir.path(), &Options::default()).unwrap();
        let (checked, imported) = import(&engine, &ndjson);
        let events = engine.head().sequence().0 as usize;
        let rate = |took: Duration| count(events as f64 / took.as_secs_f64());
        println!(
            "Imported {events} events of {} bytes NDJSON: checked {}/s, then written {}/s, together {}/s.",
            ndjson.len(),
            rate(checked),
            rate(imported),
            rate(checked + imported)
        );
        Self { dir, ndjson, events }
    }

    /// The first `limit` events.
    pub(crate) fn events(&self, limit: usize) -> Vec<NewEvent> {
        self.ndjson.lines().take(limit).map(|line| event_from_json(line).unwrap()).collect()
    }

    /// A copy of the year with only these plugins, each upcaster in force, and a projection made of each that is one.
    pub(crate) fn with(&self, plugins: &[&str]) -> TempDir {
        let dir = temporary();
        std::fs::copy(self.dir.path().join("log.redb"), dir.path().join("log.redb")).unwrap();
        let engine = open(&dir);
        plugins.iter().for_each(|plugin| install(&engine, plugin));
        dir
    }
}

pub(crate) fn open(dir: &TempDir) -> Engine {
    Engine::open(dir.path(), &Options::default()).unwrap()
}

/// Installs a plugin and, if it is a projection, makes one of the same name.
pub(crate) fn install(engine: &Engine, plugin: &str) {
    let installed = engine.install(&component(plugin)).unwrap().plugin;
    let is_projection = engine.load_plugin(installed.digest.parse().unwrap()).unwrap();
    if let polyfold::plugin::Plugin::Projection(_) = is_projection
        && engine.projection(&installed.name).is_err()
    {
        let new = NewProjection {
            name: PluginName::new(installed.name.as_str()).unwrap(),
            plugin: installed.name.clone(),
            parameters: "{}".into(),
            on_fault: FaultPolicy::Halt,
            fuel_per_event: None,
            memory_bytes: None,
            sync: false,
            quota: Quota::default(),
            keep: Keep::default(),
            dropped: Default::default(),
        };
        engine.create(&new).unwrap();
    }
}

/// Imports as the command line does; returns how long checking and writing took.
pub(crate) fn import(engine: &Engine, ndjson: &str) -> (Duration, Duration) {
    let began = Instant::now();
    assert_eq!(engine.check_import(&mut ndjson.as_bytes(), &mut Unwatched).unwrap(), None);
    let checked = began.elapsed();
    engine.import_checked(&mut ndjson.as_bytes(), &mut Unwatched).unwrap();
    (checked, began.elapsed() - checked)
}

/// January until it is a year: ids and streams get a number, times stay.
fn repeated_month() -> String {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flights/flights-2013-01.ndjson.gz");
    let mut month = String::new();
    let file = BufReader::new(std::fs::File::open(packed).unwrap());
    flate2::bufread::GzDecoder::new(file).read_to_string(&mut month).unwrap();
    let mut year = String::new();
    let rounds = (0..).flat_map(|round| month.lines().map(move |line| (round, line)));
    for (round, line) in rounds.take(YEAR_EVENTS) {
        year += &line.replace("\"flight/2013", &format!("\"flight/{:04}", 2013 + round));
        year.push('\n');
    }
    year
}

/// Builds all plugins once and returns the file of this one.
pub(crate) fn component(name: &str) -> Vec<u8> {
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        let what = ["-p", "on-time", "-p", "flights-v2", "-p", "polyfold-test-guests", "--example", "count_and_sum"];
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--profile", "plugin", "--target", "wasm32-wasip2", "--lib"]).args(what);
        assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success(), "the plugins build");
    });
    let folder = target().join("wasm32-wasip2/plugin");
    let folder = if name == "count_and_sum" { folder.join("examples") } else { folder };
    std::fs::read(folder.join(name).with_extension("wasm")).unwrap()
}

/// A directory on the disk of the tree; /tmp may be memory, where a sync costs nothing.
pub(crate) fn temporary() -> TempDir {
    let parent = target().join("bench-data");
    std::fs::create_dir_all(&parent).unwrap();
    tempfile::tempdir_in(parent).unwrap()
}

pub(crate) fn target() -> PathBuf {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or(tree, PathBuf::from)
}

/// The number of lines.
pub(crate) fn head_of(ndjson: &str, lines: usize) -> &str {
    let mut rest = ndjson.as_bytes();
    let mut end = 0;
    for _ in 0..lines {
        end += rest.skip_until(b'\n').unwrap();
    }
    &ndjson[..end]
}
