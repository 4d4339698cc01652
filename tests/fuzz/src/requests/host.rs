//! A host with a plugin, a projection and a few events: the same one before every input.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use polyfold::engine::{Engine, Options};
use polyfold::server::{Host, router};
use tower::ServiceExt as _;

/// The host that answers, and the directory that is its own.
pub(crate) struct TestHost {
    router: Option<Router>,
    dir: PathBuf,
}

impl TestHost {
    /// One for all inputs, but renewed behind each that changed it.
    pub(super) fn get() -> MutexGuard<'static, Self> {
        static HOST: LazyLock<Mutex<TestHost>> = LazyLock::new(|| Mutex::new(TestHost::open()));
        HOST.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone().expect("it is open until its end")
    }

    pub(super) fn renew(&mut self) {
        self.router = None;
        // A request that was given up may still hold the old engine, which then closes in its own time.
        let _ = std::fs::remove_dir_all(&self.dir);
        *self = Self::open();
    }

    /// Leaves nothing behind, and answers no more.
    pub(super) fn end(&mut self) {
        self.router = None;
        let _ = std::fs::remove_dir_all(all_folders());
    }

    /// An engine over a directory of its own.
    pub(crate) fn engine() -> Engine {
        Self::started().0
    }

    fn started() -> (Engine, PathBuf) {
        let dir = folder();
        copy(&MODEL, &dir);
        let engine = engine(&dir);
        assert!(engine.start_all().is_empty());
        (engine, dir)
    }

    fn open() -> Self {
        let (engine, dir) = Self::started();
        let host = Host::open(Arc::new(engine)).expect("a host opens");
        Self { router: Some(router(Arc::new(host))), dir }
    }
}

/// The directory that the others are copies of.
static MODEL: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = folder();
    std::fs::create_dir_all(&dir).expect("memory takes a folder");
    std::os::unix::fs::symlink(crate::code(), dir.join("cache")).expect("it is new");
    let host = Host::open(Arc::new(engine(&dir))).expect("a host opens");
    let router = router(Arc::new(host));
    let plugin = std::fs::read(crate::guests().join("event_counts.wasm")).expect("the guests are built");
    for (path, kind, body) in [
        ("/plugins", "application/wasm", plugin),
        ("/projections", "application/json", br#"{"name":"event-counts"}"#.to_vec()),
        ("/events", "application/x-ndjson", include_bytes!("events.ndjson").to_vec()),
    ] {
        let request = Request::post(path).header("content-type", kind).body(Body::from(body)).expect("a request");
        let answer = router.clone().oneshot(request);
        let status = super::RUNTIME.block_on(answer).expect("routes answer").status();
        assert!(status.is_success(), "{path}: {status}");
    }
    dir
});

fn engine(dir: &Path) -> Engine {
    Engine::open(dir, &Options::default()).expect("what was made opens")
}

/// A new folder for each host that there is one after the other.
fn folder() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    all_folders().join(COUNT.fetch_add(1, Ordering::Relaxed).to_string())
}

fn all_folders() -> PathBuf {
    std::env::temp_dir().join(format!("polyfold-fuzz-requests-{}", std::process::id()))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("memory takes a folder");
    for entry in std::fs::read_dir(from).expect("the model is there") {
        let from = entry.expect("it can be read").path();
        let to = to.join(from.file_name().expect("it has a name"));
        if from.is_symlink() {
            let target = std::fs::read_link(&from).expect("a link");
            std::os::unix::fs::symlink(target, to).expect("it is new");
        } else if from.is_dir() {
            copy(&from, &to);
        } else if from.is_file() {
            std::fs::copy(&from, &to).expect("memory takes a file");
        }
    }
}
