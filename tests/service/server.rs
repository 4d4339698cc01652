//! A host that serves a directory over real sockets, and clients for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::Environment;

/// A host and the TCP address where it listens.
pub(crate) struct Server {
    child: Child,
    // Kept open, so that the host can go on writing.
    stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
    pub(crate) url: String,
}

impl Server {
    /// Starts a host with a TCP address, and returns when it says that it listens there.
    pub(crate) fn start(environment: &Environment, flags: &[&str]) -> Self {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0"];
        arguments.extend(flags);
        Self::spawn(&mut environment.command(&arguments))
    }

    fn spawn(command: &mut Command) -> Self {
        // No client is made without it; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (BufReader::new(child.stdout.take().unwrap()), child.stderr.take().unwrap());
        let mut server = Self { child, stdout, stderr, url: String::new() };
        while server.url.is_empty() {
            let mut line = String::new();
            if server.stdout.read_line(&mut line).unwrap() == 0 {
                let (status, said) = server.wait();
                panic!("the host ended with {status}: {said}");
            }
            server.url.extend(line.trim_end().strip_prefix("listening on ").filter(|url| url.starts_with("http")));
        }
        server
    }

    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// The most memory that the host has had so far.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the host's end, and returns what it logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }

    /// Tells the host to stop, and returns what it logged.
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::TERM);
        let (status, said) = self.wait();
        assert!(status.success(), "{status}: {said}");
        said
    }

    /// Sends bytes as they are, and returns all that comes back until the host closes the connection.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        // The host may have closed before all of it was sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    /// A test that failed leaves no host behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a client's work.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

pub(crate) async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}
