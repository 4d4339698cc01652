//! This program again, as a process that can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use polyfold::engine::{Engine, Options};
use polyfold::log::Append;

pub(crate) const ROLE: &str = "append-and-hang";

/// Appends an event, says so, and stays until it is killed.
pub(crate) fn append_and_hang(dir: &Path) {
    let engine = Engine::open(dir, &Options::default()).unwrap();
    let line = r#"{"stream":"bench/killed","type":"bench.killed","data":{}}"#;
    let event = polyfold::engine::event_from_json(line).unwrap();
    engine.append(Append { events: vec![event], expectations: Vec::new() }).unwrap();
    println!("appended");
    loop {
        std::thread::park();
    }
}

/// Lets a process append to that directory, and kills it after this long.
pub(crate) fn append_and_kill(dir: &Path, after: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let mut child = child.arg(ROLE).arg(dir).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "appended\n");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}
