//! The thread of one state: replays what it missed, then follows the log's end until it is told to stop.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::feed::Stopped;
use super::hub::Hub;
use super::outlet::Outlet;
use super::progress::{Meter, Phase};
use super::quota::OverQuota;
use super::replay::{End, Replay};
use super::sync::NotAttached;
use super::{DroppedPolicy, Error, HeadWatch};
use crate::event::{Digest, Sequence};
use crate::plugin::ProjectionManifest;
use crate::state::{self, Fault, Reader, Store};

/// How often an idle worker looks whether its checkpoint should move; see `COMMIT_EVERY` in replay.
const IDLE: Duration = Duration::from_secs(1);

/// Waiting times between two tries at what is no verdict: doubled from the first up to the last.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// How long to rest over a quota that only somebody can raise; it is looked at in vain after that, which costs nothing.
const REST_MAX: Duration = Duration::from_secs(3_600);

/// A running state.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) identity: Digest,
    pub(super) manifest: Arc<ProjectionManifest>,
    pub(super) meter: Arc<Meter>,
    pub(super) outlet: Arc<Outlet>,
    pub(super) store: Arc<Store>,
    signals: Arc<Signals>,
    head: Arc<HeadWatch>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What others ask of a worker's thread.
#[derive(Debug)]
struct Signals {
    stop: Arc<AtomicBool>,
    /// As soon as it has caught up, its state shall serve.
    take_over: AtomicBool,
    /// The writer has taken it along: it is applied within each append, and has no thread.
    rides: AtomicBool,
}

/// What a worker's thread does besides replaying.
pub(super) struct Duty {
    pub(super) hub: Arc<Hub>,
    pub(super) name: String,
    pub(super) identity: Digest,
    /// Whether the projection is applied within each append, once this state serves.
    pub(super) sync: bool,
    /// Whether it builds a state anew that another worker serves meanwhile.
    pub(super) is_rebuild: bool,
    /// Whether its state shall serve as soon as it has caught up.
    pub(super) takes_over: bool,
}

/// A worker's thread.
struct Follower {
    duty: Duty,
    signals: Arc<Signals>,
    head: Arc<HeadWatch>,
    /// Whether its state still waits to take the place of another one of the same identity.
    is_rebuild: Cell<bool>,
    /// Whether its state's file was damaged and has been emptied. Damage that comes back is the disk's, and the operator's.
    is_anew: Cell<bool>,
}

impl Worker {
    pub(super) fn start(mut replay: Replay, manifest: Arc<ProjectionManifest>, duty: Duty) -> Self {
        let head = duty.hub.writer.head_watch();
        // Its own: a worker that had the replay before may be stopped later.
        replay.stop = Arc::default();
        replay.feed.stop = Arc::clone(&replay.stop);
        let stop = Arc::clone(&replay.stop);
        let (take_over, rides) = (AtomicBool::new(duty.takes_over), AtomicBool::new(false));
        let signals = Arc::new(Signals { stop, take_over, rides });
        let store = Arc::clone(&replay.store);
        let (meter, outlet, identity) = (Arc::clone(&replay.meter), Arc::clone(&replay.outlet), duty.identity);
        meter.enter(Phase::Replaying);
        let name = format!("projection-{}", duty.name);
        let is_rebuild = Cell::new(duty.is_rebuild);
        let is_anew = Cell::new(false);
        let follower = Follower { duty, signals: Arc::clone(&signals), head: Arc::clone(&head), is_rebuild, is_anew };
        let thread = std::thread::Builder::new().name(name).spawn(move || follower.run(replay));
        let thread = Mutex::new(Some(thread.expect("a thread can be started")));
        Self { identity, manifest, meter, outlet, store, signals, head, thread }
    }

    /// How far readers see it.
    pub(super) fn reached(&self) -> Result<Sequence, Error> {
        Ok(self.store.checkpoint()?.sequence.max(self.meter.visible_sequence()))
    }

    /// Takes that back.
    pub(super) fn ask_to_stay_beside(&self) {
        self.signals.take_over.store(false, Ordering::Relaxed);
    }

    /// Asks that the state serve as soon as it has caught up.
    pub(super) fn ask_to_take_over(&self) {
        self.signals.take_over.store(true, Ordering::Relaxed);
        self.head.wake();
    }

    /// Whether the writer has taken it along.
    pub(super) fn rides(&self) -> bool {
        self.signals.rides.load(Ordering::Acquire)
    }

    /// Ends its thread: waits until the call in hand is done and what it made is committed.
    pub(super) fn stop(&self) {
        self.signals.stop.store(true, Ordering::Relaxed);
        self.head.wake();
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        // The thread itself may be the last to hold its worker.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            drop(thread.join());
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Follower {
    fn run(self, replay: Replay) {
        let meter = Arc::clone(&replay.meter);
        // Whoever waits for the projection must hear of a panic too.
        let followed = std::panic::catch_unwind(AssertUnwindSafe(|| self.follow(replay)));
        let phase = match followed {
            Ok(Ok(phase)) => phase,
            Ok(Err(error)) => Phase::Failed { reason: error.to_string() },
            Err(_) => Phase::Failed { reason: "its worker panicked; this is a bug of polyfold".to_owned() },
        };
        let Duty { hub, name, identity, .. } = &self.duty;
        match &phase {
            Phase::Halted(_) | Phase::Failed { .. } => {
                tracing::error!(projection = name, state = identity.short(), "{phase}");
                if self.must_ride() {
                    hub.block(name, &phase.to_string());
                }
            }
            Phase::Replaying | Phase::Live | Phase::Paused { .. } | Phase::OverQuota { .. } | Phase::Stopped => {}
        }
        meter.enter(phase);
    }

    /// Follows the log until it is told to stop, or cannot go on.
    fn follow(&self, mut replay: Replay) -> Result<Phase, Error> {
        let standing = replay.store.reader().map_err(Error::from);
        match standing.and_then(|reader| standing_fault(&reader)) {
            Ok(Some(fault)) => return Ok(Phase::Halted(Box::new(fault))),
            Ok(None) => {}
            Err(Error::State(error)) if error.is_damage() => self.begin_anew(&mut replay, error)?,
            Err(error) => return Err(error),
        }
        let mut back_off = BACK_OFF_FIRST;
        let (mut needs_reset, mut is_suspect) = (false, false);
        while !self.is_asked_to_stop() {
            needs_reset |= replay.store.is_failing();
            if needs_reset && replay.store.reopen().is_ok() && replay.reset().is_ok() {
                needs_reset = false;
            }
            let head = self.head.sequence();
            let reason = match self.step(&mut replay, head) {
                Ok(Stepped::On) => {
                    (back_off, is_suspect) = (BACK_OFF_FIRST, false);
                    self.head.wait_beyond(head, IDLE, || self.has_signal());
                    continue;
                }
                Ok(Stepped::Ride) => match self.ride(replay) {
                    Ok(()) => return Ok(Phase::Live),
                    Err(NotAttached { replay: Some(unchanged), error }) => {
                        replay = *unchanged;
                        error.to_string()
                    }
                    Err(NotAttached { replay: None, error }) => return Err(error),
                },
                Ok(Stepped::Halted(fault)) => return Ok(Phase::Halted(fault)),
                Ok(Stepped::Asked) => break,
                Ok(Stepped::Rest(over)) => {
                    self.rest(&replay, &over);
                    continue;
                }
                Ok(Stepped::Pause(reason)) => reason,
                // Somebody may bring it.
                Err(error @ Error::KeyMissing { .. }) => error.to_string(),
                // The disk, not the state: it may have room again.
                Err(Error::State(error @ state::Error::Storage { .. })) => {
                    needs_reset = true;
                    error.to_string()
                }
                // The file, not what made it: the log has all of it. But one operation that fails can look like damage.
                Err(Error::State(error)) if error.is_damage() => {
                    let is_sound = !is_suspect && replay.store.reopen().is_ok() && replay.reset().is_ok();
                    if !is_sound {
                        self.begin_anew(&mut replay, error)?;
                    }
                    is_suspect = is_sound;
                    continue;
                }
                Err(gone @ Error::Compacted { last, .. }) => {
                    self.go_around(&mut replay, last, gone)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.pause(&replay, reason, back_off);
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
        replay.commit(true)?;
        Ok(Phase::Stopped)
    }

    /// Empties a state whose file is damaged, to be made from the log again.
    fn begin_anew(&self, replay: &mut Replay, error: state::Error) -> Result<(), Error> {
        let Duty { hub, name, identity, .. } = &self.duty;
        if self.is_rebuild.get() || self.is_anew.replace(true) {
            return Err(error.into());
        }
        let anew = hub.states.empty(name, &replay.store, *identity, &error.what())?;
        replay.reset()?;
        replay.meter.visible(replay.reached().sequence);
        replay.meter.enter(Phase::Replaying);
        replay.meter.note(anew.why);
        Ok(())
    }

    /// Goes on behind events that cannot be had any more: from a snapshot, or without them where the projection accepts that.
    fn go_around(&self, replay: &mut Replay, last: Sequence, gone: Error) -> Result<(), Error> {
        let Duty { hub, name, identity, .. } = &self.duty;
        let begun = hub.states.begin_behind(name, &replay.store, *identity, last)?;
        if begun > Sequence::ZERO {
            replay.reset()?;
            replay.meter.visible(replay.reached().sequence);
            replay.meter.note(format!("it begins at the snapshot at sequence {begun}, because {gone}"));
            return Ok(());
        }
        if hub.catalogue.projection(name)?.dropped == DroppedPolicy::Accept && replay.source.accepts_dropped() {
            replay.reset()?;
            return Ok(());
        }
        Err(gone)
    }

    /// Feeds up to `head`, and lets the state serve if that is due.
    fn step(&self, replay: &mut Replay, head: Sequence) -> Result<Stepped, Error> {
        match replay.run_to(head)? {
            End::Reached => {}
            End::Stopped(Stopped::Fault(fault)) => {
                replay.commit(true)?;
                replay.store.build_tree()?;
                // What is built anew comes to the same fault as what was there, and may be sound where that was damaged.
                if self.is_rebuild.get() {
                    self.take_over(replay)?;
                }
                return Ok(Stepped::Halted(fault));
            }
            End::Stopped(Stopped::Pause { reason, .. }) => {
                replay.commit(true)?;
                return Ok(Stepped::Pause(reason));
            }
            End::Stopped(Stopped::OverQuota { over, .. }) => {
                replay.commit(true)?;
                return Ok(Stepped::Rest(over));
            }
            End::Asked => return Ok(Stepped::Asked),
        }
        replay.commit(false)?;
        // What a long way here left behind; usually there is nothing.
        replay.store.build_tree()?;
        if !replay.meter.is_live() {
            replay.commit(true)?;
            replay.meter.enter(Phase::Live);
        }
        let takes_over = self.signals.take_over.load(Ordering::Relaxed);
        if self.duty.sync && (takes_over || self.must_ride()) {
            return Ok(Stepped::Ride);
        }
        if takes_over {
            match self.take_over(replay) {
                // The catalogue cannot be written; both states go on as they are until it can.
                Err(error @ Error::File { .. }) => return Ok(Stepped::Pause(error.to_string())),
                taken => taken?,
            }
        }
        Ok(Stepped::On)
    }

    /// Whether its state is one that serves and that every append has to reach.
    fn must_ride(&self) -> bool {
        let Duty { hub, name, identity, sync, .. } = &self.duty;
        *sync && hub.serves(name, *identity)
    }

    /// Hands the state to the writer, which applies it within each append from now on.
    fn ride(&self, replay: Replay) -> Result<(), NotAttached> {
        let Duty { hub, name, identity, .. } = &self.duty;
        let meter = Arc::clone(&replay.meter);
        match self.is_rebuild.get() {
            true => hub.ride_anew(name, *identity, replay)?,
            false => hub.ride(name, *identity, replay)?,
        }
        self.signals.take_over.store(false, Ordering::Relaxed);
        self.signals.rides.store(true, Ordering::Release);
        meter.enter(Phase::Live);
        Ok(())
    }

    /// Lets the state serve, which has caught up; or take the place of the one that it was built anew for.
    fn take_over(&self, replay: &mut Replay) -> Result<(), Error> {
        let Duty { hub, name, identity, .. } = &self.duty;
        if self.is_rebuild.get() {
            hub.replace(name, *identity, replay)?;
            self.is_rebuild.set(false);
            self.signals.take_over.store(hub.serves_when_built(name, *identity), Ordering::Relaxed);
        } else if let End::Reached = hub.take_over(name, *identity, replay)? {
            self.signals.take_over.store(false, Ordering::Relaxed);
        }
        // Otherwise the next step comes upon the same again and deals with it. Who waits looks when the meter moves.
        replay.meter.visible(replay.reached().sequence);
        Ok(())
    }

    fn pause(&self, replay: &Replay, reason: String, back_off: Duration) {
        tracing::warn!(projection = self.duty.name, "paused, trying again in {back_off:?}: {reason}");
        replay.meter.enter(Phase::Paused { reason });
        self.head.wait_beyond(Sequence(u64::MAX), back_off, || self.is_asked_to_stop());
    }

    /// Waits until the quota has room, by itself or because it was changed.
    fn rest(&self, replay: &Replay, over: &OverQuota) {
        let phase = over.phase();
        tracing::info!(projection = self.duty.name, "{phase}");
        replay.meter.enter(phase);
        let gauge = replay.feed.budget.gauge();
        let is_over = || self.is_asked_to_stop() || over.is_outdated(gauge);
        self.head.wait_beyond(Sequence(u64::MAX), over.again.unwrap_or(REST_MAX), is_over);
        replay.meter.enter(Phase::Replaying);
    }

    fn is_asked_to_stop(&self) -> bool {
        self.signals.stop.load(Ordering::Relaxed)
    }

    fn has_signal(&self) -> bool {
        self.is_asked_to_stop() || self.signals.take_over.load(Ordering::Relaxed)
    }
}

/// What became of one step.
enum Stepped {
    On,
    /// It has caught up and belongs with the writer.
    Ride,
    Halted(Box<Fault>),
    Pause(String),
    Rest(OverQuota),
    Asked,
}

/// The fault at which the state halted before: the same identity would only fail there again. It stands right behind the
/// checkpoint, where no policy leaves the fault of an event that it passed over.
pub(super) fn standing_fault(reader: &Reader) -> Result<Option<Fault>, Error> {
    Ok(reader.fault(reader.checkpoint().sequence.next())?)
}
