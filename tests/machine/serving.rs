//! A host in a copy of the data directory, and plain requests to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{ChildStdout, Command};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::origin::{Copy, Process};

pub(super) struct Serving {
    process: Process,
    // Kept open, so that the host can go on writing.
    _stdout: BufReader<ChildStdout>,
    address: String,
}

impl Serving {
    /// Returns when it listens, or with what it said if it ended before.
    pub(super) fn spawn(copy: &Copy, mut command: Command) -> Result<Self, String> {
        command.stderr(std::fs::File::create(copy.beside("said")).unwrap());
        let mut process = Process(command.spawn().unwrap());
        let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
        let mut line = String::new();
        while stdout.read_line(&mut line).unwrap() > 0 {
            if let Some(address) = line.trim_end().strip_prefix("listening on http://") {
                return Ok(Self { process, address: address.to_owned(), _stdout: stdout });
            }
            line.clear();
        }
        let status = process.0.wait().unwrap();
        assert!(!status.success(), "a host that does not listen has failed");
        Err(std::fs::read_to_string(copy.beside("said")).unwrap())
    }

    /// The answer's status and body; none if the connection broke.
    pub(super) fn request(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, "application/json", body.as_bytes())
    }

    pub(super) fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let length = body.len();
        let fields =
            format!("host: localhost\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}");
        stream.write_all(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes()).ok()?;
        // A host may answer before it has read all.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().unwrap();
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// Tells it to stop, and waits until it has.
    pub(super) fn stop(mut self) {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).unwrap();
        self.process.0.wait().unwrap();
    }
}
