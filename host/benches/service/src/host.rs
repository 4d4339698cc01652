//! A polyfold host in a directory of its own, and what its clients do.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Address, Connection};
use crate::process::{Server, free_port, target, temporary};
use crate::work::Part;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) server: Server,
    dir: TempDir,
    port: u16,
}

impl Host {
    pub(crate) async fn start() -> Self {
        let dir = temporary();
        let port = free_port();
        let mut command = Command::new(program());
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).env("POLYFOLD_DATA_DIR", dir.path());
        let socket = Address::Unix(dir.path().join("socket"));
        let ready = || async {
            let Ok(mut connection) = Connection::open(&socket).await else { return false };
            let answer = connection.request(Method::GET, "/readyz", "", Bytes::new()).await;
            answer.is_ok_and(|answer| answer.status == StatusCode::OK)
        };
        let log = dir.path().join("host.log");
        let server = Server::start(command, log, ready).await.unwrap_or_else(|why| panic!("polyfold: {why}"));
        Self { server, dir, port }
    }

    pub(crate) fn tcp(&self) -> Address {
        Address::Tcp(([127, 0, 0, 1], self.port).into())
    }

    pub(crate) fn unix(&self) -> Address {
        Address::Unix(self.dir.path().join("socket"))
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(&self.unix()).await.unwrap()
    }

    /// A host with these events and the projection `on-time`, caught up.
    pub(crate) async fn with_on_time(lines: String) -> Self {
        let host = Self::start().await;
        let mut connection = host.connect().await;
        for plugin in ["flights_v2", "on_time"] {
            connection.post_as("/plugins", "application/wasm", component(plugin)).await;
        }
        if !lines.is_empty() {
            connection.post_as("/events", "application/x-ndjson", lines).await;
        }
        connection.post("/projections", json!({ "name": "on-time" }).to_string()).await;
        host.caught_up(&mut connection).await;
        host
    }

    /// Waits until `on-time` has seen all that is in the log.
    pub(crate) async fn caught_up(&self, connection: &mut Connection) {
        let head = connection.json("/log").await["head"].as_u64().unwrap();
        connection.get(&format!("/projections/on-time?min_sequence={head}&timeout=60")).await;
    }
}

/// The release build that POLYFOLD names, or that lies in the tree.
fn program() -> PathBuf {
    std::env::var_os("POLYFOLD").map_or_else(|| target().join("release/polyfold"), PathBuf::from)
}

fn component(name: &str) -> Vec<u8> {
    let folder = target().join("wasm32-wasip2/plugin");
    let folder = std::env::var_os("POLYFOLD_PLUGINS").map_or(folder, PathBuf::from);
    let path = folder.join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Appends if every stream is at the version that its part says.
pub(crate) async fn append(connection: &mut Connection, parts: Vec<Part>) {
    let event = |stream: &str, event: &crate::work::NewEvent| {
        format!(r#"{{"id":"{}","stream":"{stream}","type":"{}","data":{}}}"#, event.id, event.event_type, event.data)
    };
    let (path, body) = match parts.as_slice() {
        [Part { stream, version, events }] if events.len() == 1 => {
            (format!("/events?expect={}", expected(*version)), event(stream, &events[0]))
        }
        parts => {
            let events = parts.iter().flat_map(|part| part.events.iter().map(|one| event(&part.stream, one)));
            let events = events.collect::<Vec<_>>().join(",");
            let expectations: Vec<Value> =
                parts.iter().map(|part| json!({ "stream": part.stream, "version": expected(part.version) })).collect();
            let expectations = serde_json::to_string(&expectations).unwrap();
            ("/events".to_owned(), format!(r#"{{"events":[{events}],"expectations":{expectations}}}"#))
        }
    };
    connection.post(&path, body).await;
}

fn expected(version: usize) -> String {
    if version == 0 { "none".to_owned() } else { version.to_string() }
}

/// Sleeps until that moment; says by how much it is late.
pub(crate) async fn until(moment: tokio::time::Instant) -> Duration {
    tokio::time::sleep_until(moment).await;
    moment.elapsed()
}
