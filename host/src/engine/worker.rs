//! The thread of one projection: replays what it missed, then follows the log's end until it is told to stop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::append::HeadWatch;
use super::catalogue::Catalogue;
use super::feed::Stopped;
use super::progress::{Meter, Phase};
use super::replay::{End, Replay};
use super::{Error, FaultPolicy};
use crate::event::{Digest, Sequence};
use crate::state::{Fault, Store};

/// How often an idle worker looks whether its checkpoint should move; see `COMMIT_EVERY` in replay.
const IDLE: Duration = Duration::from_secs(1);

/// Waiting times between two tries at what is no verdict: doubled from the first up to the last.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// A running projection.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) identity: Digest,
    pub(super) store: Arc<Store>,
    pub(super) meter: Arc<Meter>,
    stop: Arc<AtomicBool>,
    head: Arc<HeadWatch>,
    thread: Option<JoinHandle<()>>,
}

/// What a worker does besides replaying.
pub(super) struct Duty {
    pub(super) name: String,
    pub(super) identity: Digest,
    pub(super) policy: FaultPolicy,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) head: Arc<HeadWatch>,
}

impl Worker {
    pub(super) fn start(replay: Replay, duty: Duty) -> Self {
        let (identity, head) = (duty.identity, Arc::clone(&duty.head));
        let store = Arc::clone(&replay.store);
        let (meter, stop) = (Arc::clone(&replay.meter), Arc::clone(&replay.stop));
        meter.enter(Phase::Replaying);
        let name = format!("projection-{}", duty.name);
        let thread = std::thread::Builder::new().name(name).spawn(move || run(replay, &duty));
        Self { identity, store, meter, stop, head, thread: Some(thread.expect("a thread can be started")) }
    }
}

impl Drop for Worker {
    /// Waits until the call in hand is done and what it made is committed.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.head.wake();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(mut replay: Replay, duty: &Duty) {
    // Whoever waits for the projection must hear of a panic too.
    let followed = std::panic::catch_unwind(AssertUnwindSafe(|| follow(&mut replay, duty)));
    let phase = match followed {
        Ok(Ok(phase)) => phase,
        Ok(Err(error)) => Phase::Failed { reason: error.to_string() },
        Err(_) => Phase::Failed { reason: "its worker panicked; this is a bug of polyfold".to_owned() },
    };
    match &phase {
        Phase::Halted(_) | Phase::Failed { .. } => tracing::error!(projection = duty.name, "{phase}"),
        Phase::Replaying | Phase::Live | Phase::Paused { .. } | Phase::Stopped => {}
    }
    replay.meter.enter(phase);
}

/// Follows the log until it is told to stop, or cannot go on.
fn follow(replay: &mut Replay, duty: &Duty) -> Result<Phase, Error> {
    if let Some(fault) = standing_fault(&replay.store, duty.policy)? {
        return Ok(Phase::Halted(Box::new(fault)));
    }
    let mut back_off = BACK_OFF_FIRST;
    while !replay.stop.load(Ordering::Relaxed) {
        let head = duty.head.sequence();
        match replay.run_to(head)? {
            End::Reached => {
                back_off = BACK_OFF_FIRST;
                replay.commit(false)?;
                idle(replay, duty, head)?;
            }
            End::Stopped(Stopped::Fault(fault)) => {
                replay.commit(true)?;
                return Ok(Phase::Halted(fault));
            }
            End::Stopped(Stopped::Pause(reason)) => {
                replay.commit(true)?;
                tracing::warn!(projection = duty.name, "paused, trying again in {back_off:?}: {reason}");
                replay.meter.enter(Phase::Paused { reason });
                let is_over = || replay.stop.load(Ordering::Relaxed);
                duty.head.wait_beyond(Sequence(u64::MAX), back_off, is_over);
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
            End::Asked => break,
        }
    }
    replay.commit(true)?;
    Ok(Phase::Stopped)
}

/// At the end of the log: lets the state serve if it does not yet, and waits for more.
fn idle(replay: &mut Replay, duty: &Duty, head: Sequence) -> Result<(), Error> {
    if replay.meter.read().phase != Phase::Live {
        replay.commit(true)?;
        duty.catalogue.promote(&duty.name, duty.identity)?;
        replay.meter.enter(Phase::Live);
    }
    duty.head.wait_beyond(head, IDLE, || replay.stop.load(Ordering::Relaxed));
    Ok(())
}

/// The fault at which the state halted before, if it stands right behind the checkpoint: the same identity would only
/// fail there again.
pub(super) fn standing_fault(store: &Store, policy: FaultPolicy) -> Result<Option<Fault>, Error> {
    match policy {
        FaultPolicy::Skip => Ok(None),
        FaultPolicy::Halt => {
            let next = store.checkpoint()?.sequence.next();
            Ok(store.faults()?.into_iter().find(|fault| fault.sequence == next.0))
        }
    }
}
