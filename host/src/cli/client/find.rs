//! Finds who answers for a data directory: the host at its socket, or this process with an engine of its own.

use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::patient::Patient;
use super::{Client, Way};
use crate::cli::error::Error;
use crate::engine::{self, Engine, Options};
use crate::server::{self, Host};

/// Between two tries: short for a person, long for a processor.
const RETRY: Duration = Duration::from_millis(20);

pub(super) fn connect(dir: &Path, options: &Options) -> Result<Client, Error> {
    match find(dir, options, |at_once| Engine::open(dir, at_once))? {
        Found::Host(socket) => served(socket),
        Found::Engine(engine) => own(*engine, None),
    }
}

pub(super) fn connect_to_check(dir: &Path, options: &Options) -> Result<Client, Error> {
    let failed = |source| Error::File { path: std::env::temp_dir(), source };
    let beside = tempfile::Builder::new().prefix("polyfold-check-").tempdir().map_err(failed)?;
    match find(dir, options, |at_once| Engine::open_to_check(dir, beside.path(), at_once))? {
        Found::Host(socket) => served(socket),
        Found::Engine(engine) => own(*engine, Some(beside)),
    }
}

/// Who answers for a directory.
enum Found {
    Host(UnixStream),
    Engine(Box<Engine>),
}

fn find(
    dir: &Path,
    options: &Options,
    open: impl Fn(&Options) -> Result<Engine, engine::Error>,
) -> Result<Found, Error> {
    // All waiting is done here, because whoever has the directory may begin to serve it meanwhile.
    let at_once = Options { lock_wait: Duration::ZERO, ..options.clone() };
    let give_up = Instant::now() + options.lock_wait;
    loop {
        if let Some(socket) = knock(dir) {
            return Ok(Found::Host(socket));
        }
        match open(&at_once) {
            Ok(engine) => return Ok(Found::Engine(Box::new(engine))),
            Err(engine::Error::InUse { .. }) if Instant::now() < give_up => std::thread::park_timeout(RETRY),
            // A host that has just come up has the directory and its socket.
            Err(error @ engine::Error::InUse { .. }) => {
                return knock(dir).map(Found::Host).ok_or_else(|| Error::of(error));
            }
            Err(error) => return Err(Error::of(error)),
        }
    }
}

/// A connection to the directory's socket, if a host is behind it. One that nobody listens at was left by a crash.
fn knock(dir: &Path) -> Option<UnixStream> {
    let socket = dir.join("socket");
    match UnixStream::connect(&socket) {
        Ok(stream) => Some(stream),
        // A socket's address holds some 100 bytes of path; the way through an open directory is always short.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            let dir = std::fs::File::open(dir).ok()?;
            UnixStream::connect(format!("/proc/self/fd/{}/socket", dir.as_raw_fd())).ok()
        }
        Err(_) => None,
    }
}

fn served(socket: UnixStream) -> Result<Client, Error> {
    let runtime = runtime()?;
    let failed = |error: std::io::Error| Error::Broken(format!("the host's socket: {error}"));
    let connection = runtime.block_on(async {
        socket.set_nonblocking(true).map_err(failed)?;
        let socket = TokioIo::new(Patient(tokio::net::UnixStream::from_std(socket).map_err(failed)?));
        let (sender, connection) = http1::handshake::<_, Body>(socket).await.map_err(super::broken)?;
        // It ends with the sender; what goes wrong on it, each request is told.
        tokio::spawn(connection);
        Ok::<_, Error>(sender)
    })?;
    Ok(Client { way: Way::Served(connection), runtime, _beside: None })
}

fn own(engine: Engine, beside: Option<TempDir>) -> Result<Client, Error> {
    let runtime = runtime()?;
    // Within the runtime, because a host may have tasks of its own.
    let host = runtime.block_on(async { Host::open(Arc::new(engine)) });
    let host = host.map_err(|error| Error::Problem(Box::new(error.into())))?;
    let router = runtime.block_on(async { server::router(Arc::new(host)) });
    Ok(Client { way: Way::Own(router), runtime, _beside: beside })
}

/// One thread: a command waits for one answer at a time, and the engine has threads of its own.
fn runtime() -> Result<Runtime, Error> {
    let failed = |error| Error::Incomplete(format!("the operating system gives no runtime: {error}"));
    Builder::new_current_thread().enable_all().build().map_err(failed)
}
