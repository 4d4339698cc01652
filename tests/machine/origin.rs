//! A data directory with something of everything, made once and copied for each case.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use polyfold::engine::{Engine, Options};

use crate::guests;
use crate::host::{Host, flights};
use crate::program::PROGRAM;

/// How many events it has.
pub(super) const EVENTS: u64 = 400;

/// A copy of it, which goes with the test.
pub(super) struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(origin(), &dir.path().join("data"));
        Self { dir }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A path beside it.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.dir.path());
        command.env_clear().env("POLYFOLD_DATA_DIR", self.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What a command says on both outputs, and its exit code.
    pub(super) fn run(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (said.into_owned(), output.status.code())
    }

    pub(super) fn open(&self) -> Host {
        Host(Engine::open(&self.path(), &Options::default()).unwrap())
    }

    /// Every file, but for what says who is at work.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.path()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let is_passing = path.ends_with("lock") || path.ends_with("socket");
                match path.is_dir() {
                    true => folders.push(path),
                    false if is_passing => {}
                    false => files.push(path),
                }
            }
        }
        files.sort();
        files
    }
}

/// A projection that follows, one that is applied within appends and was upgraded, a token, and real flights.
fn origin() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let output = Command::new(PROGRAM).args(arguments).env("POLYFOLD_DATA_DIR", dir.path()).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        // Its code goes into the cache, so that no case compiles.
        run(&["plugin", "install", guests::path("aircraft").to_str().unwrap()]);
        run(&["plugin", "remove", "aircraft"]);
        run(&["plugin", "install", guests::path("event-counts").to_str().unwrap()]);
        run(&["plugin", "install", guests::path("on-time").to_str().unwrap()]);
        run(&["plugin", "install", guests::path("flights-v2").to_str().unwrap()]);
        let file = dir.path().join("flights.ndjson");
        std::fs::write(&file, &*flights(EVENTS as usize)).unwrap();
        run(&["import", file.to_str().unwrap()]);
        std::fs::remove_file(file).unwrap();
        run(&["projection", "create", "on-time"]);
        run(&["projection", "create", "event-counts", "--sync"]);
        run(&["projection", "upgrade", "event-counts", "--fuel-per-event", "2000000000", "--auto-promote"]);
        run(&["token", "create", "reader", "--scope", "read"]);
        dir
    })
    .path()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else if path.is_file() {
            // With its permissions: some files are for their owner alone.
            std::fs::copy(path, to).unwrap();
        }
    }
}

/// A process that goes with the test.
pub(super) struct Process(pub(super) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An event that is told by its id, as the API takes it.
pub(super) fn order(id: &str) -> serde_json::Value {
    serde_json::json!({ "stream": "order/1", "type": "order.placed", "id": id, "data": { "n": 1 } })
}

pub(super) fn random() -> fastrand::Rng {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
