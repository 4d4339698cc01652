//! What a host that serves knows beside its engine: who may come in, how busy it is, and whether it is about to stop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::metrics::Traffic;
use super::tokens::{TokenError, Tokens};

#[derive(Debug)]
pub struct Service {
    tokens: Tokens,
    traffic: Traffic,
    /// Whether the projections have started.
    is_ready: AtomicBool,
    /// Projections that could not start with the host, and why.
    failures: OnceLock<BTreeMap<String, String>>,
    closing: CancellationToken,
    requests: TaskTracker,
}

impl Service {
    pub fn open(dir: &Path) -> Result<Self, TokenError> {
        Ok(Self {
            tokens: Tokens::open(dir)?,
            traffic: Traffic::new(),
            is_ready: AtomicBool::new(false),
            failures: OnceLock::new(),
            closing: CancellationToken::new(),
            requests: TaskTracker::new(),
        })
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// All projections have started but these.
    pub(super) fn set_ready(&self, failures: BTreeMap<String, String>) {
        // A host starts once.
        let _ = self.failures.set(failures);
        self.is_ready.store(true, Ordering::Relaxed);
    }

    /// Why a projection could not start with the host. It may run by now.
    pub(super) fn failure(&self, projection: &str) -> Option<String> {
        self.failures.get()?.get(projection).cloned()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed) && !self.is_closing()
    }

    /// Over when the host is to stop: who waits for something ends then.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Takes no request more.
    pub(super) fn close(&self) {
        self.closing.cancel();
        self.requests.close();
    }

    /// Lets a request in, unless the host is about to stop. It is at work until the token is dropped.
    pub(super) fn enter(&self) -> Option<TaskTrackerToken> {
        // Counted first: who closes then either sees it at work, or it sees that it came too late.
        let token = self.requests.token();
        (!self.is_closing()).then_some(token)
    }

    pub(super) fn requests_open(&self) -> usize {
        self.requests.len()
    }

    /// Waits until no request is at work.
    pub(super) async fn all_answered(&self) {
        self.requests.wait().await;
    }
}
