//! Encryption by a key for each stream, forgetting and redacting: what must not be readable is nowhere, and what is made of the rest
//! agrees with itself.

mod commands;
mod compacted;
mod forgotten;
mod hostile;
mod keys;
mod redacted;

use std::path::Path;

use polyfold::cbor;
use polyfold::engine::{Append, Appended, Engine, Error, Motive, Query};
use polyfold::event::{Filter, Sequence, StreamName};

use crate::host::{Dir, Host, event, projection};

/// Stands in the payloads that must not be found.
const SECRET: &str = "zq-only-in-plain-7731";

impl Dir {
    /// A host that encrypts what is of category `person`.
    fn encrypting(&self) -> Host {
        let host = self.open();
        host.encrypt(&["person".to_owned()]).unwrap();
        host
    }

    /// The files in which these bytes stand, from the directory on.
    fn files_with(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        look(self.path(), text.as_bytes(), &mut found);
        let own = |path: String| path.strip_prefix(&format!("{}/", self.path().display())).unwrap().to_owned();
        found.into_iter().map(own).collect()
    }
}

fn look(dir: &Path, text: &[u8], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            look(&path, text, found);
        } else if path.is_file() && std::fs::read(&path).unwrap().windows(text.len()).any(|part| part == text) {
            found.push(path.display().to_string());
        }
    }
    found.sort();
}

impl Host {
    fn put(&self, stream: &str, event_type: &str, id: &str, data: &str) -> Result<Appended, Error> {
        self.append(Append { events: vec![event(stream, event_type, id, data)], expectations: Vec::new() })
    }

    /// The payloads of a part of the log as JSON, or why they are not there.
    fn payloads(&self, from: u64, to: u64) -> Result<Vec<String>, Error> {
        let query = Query { from: Sequence(from), to: Some(Sequence(to)), filter: Filter::all() };
        let page = self.read_log()?.read(&query, 1_000, 1 << 30)?;
        Ok(page
            .batch
            .iter()
            .map(|event| match event.payload() {
                Some(payload) => cbor::to_json(payload).unwrap(),
                None => event.payload.dropped().unwrap().why.to_string(),
            })
            .collect())
    }

    fn forget_for_test(&self, stream: &str) -> polyfold::engine::Forgotten {
        self.forget(&StreamName::new(stream).unwrap(), motive("asked by letter")).unwrap()
    }

    /// A projection that keeps the last payload of each type.
    fn keep_last(&self, name: &str, sync: bool) {
        let plugin = self.guest("counts-json").plugin.name;
        self.create(&polyfold::engine::NewProjection { sync, ..projection(name, &plugin) }).unwrap();
        self.settle(name);
    }
}

fn motive(reason: &str) -> Motive {
    Motive::new(reason, Some("the registrar")).unwrap()
}

fn secret(name: &str) -> String {
    format!("{{\"name\":\"{name} {SECRET}\"}}")
}

/// The same directory opened again, as after a restart.
fn again(host: Host, dir: &Dir) -> Host {
    drop(host);
    Host(Engine::open(dir.path(), &polyfold::engine::Options::default()).unwrap())
}
