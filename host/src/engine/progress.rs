//! How far a projection's worker is, for whoever asks.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::event::Sequence;
use crate::state::Fault;

/// What a worker is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading history.
    Replaying,
    /// At the end of the log, waiting for more.
    Live,
    /// Stopped before an event on which the plugin failed.
    Halted(Box<Fault>),
    /// Failed in a way that says nothing of the event; tries again by itself.
    Paused { reason: String },
    /// Failed for a reason of the host's own; needs the operator.
    Failed { reason: String },
    /// Not running.
    Stopped,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Replaying => f.write_str("replaying"),
            Self::Live => f.write_str("live"),
            Self::Halted(fault) => {
                write!(
                    f,
                    "halted at sequence {} ({}): {}: {}",
                    fault.sequence, fault.event_type, fault.kind, fault.message
                )
            }
            Self::Paused { reason } => write!(f, "paused, trying again: {reason}"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// A worker's place and speed.
#[derive(Clone, Debug)]
pub struct Progress {
    pub phase: Phase,
    /// Everything up to here was folded.
    pub sequence: Sequence,
    /// Everything up to here is durable, and readers see it.
    pub visible: Sequence,
    /// Events of the log passed per second since the worker last started to replay.
    pub events_per_second: f64,
}

impl Progress {
    /// How long the rest takes at the present speed.
    pub fn remaining(&self, head: Sequence) -> Option<Duration> {
        let events = head.0.saturating_sub(self.sequence.0) as f64;
        (self.events_per_second > 0.0).then(|| Duration::from_secs_f64((events / self.events_per_second).min(1e9)))
    }

    /// Whether nothing more will happen without something new.
    pub fn is_settled(&self, head: Sequence) -> bool {
        match self.phase {
            Phase::Replaying => false,
            Phase::Live => self.visible >= head,
            Phase::Halted(_) | Phase::Paused { .. } | Phase::Failed { .. } | Phase::Stopped => true,
        }
    }
}

/// Shared between a worker, which writes, and everyone else, who reads.
#[derive(Debug)]
pub(super) struct Meter {
    reading: Mutex<Reading>,
    changed: Condvar,
}

#[derive(Debug)]
struct Reading {
    phase: Phase,
    sequence: Sequence,
    visible: Sequence,
    started: (Instant, Sequence),
    passed: (Instant, Sequence),
}

impl Meter {
    pub(super) fn new(sequence: Sequence) -> Self {
        let place = (Instant::now(), sequence);
        let (phase, visible) = (Phase::Stopped, sequence);
        let reading = Mutex::new(Reading { phase, sequence, visible, started: place, passed: place });
        Self { reading, changed: Condvar::new() }
    }

    pub(super) fn read(&self) -> Progress {
        self.reading().progress()
    }

    /// Waits until `enough` says so, calling `watch` with every change it sees, or every tenth of a second.
    pub(super) fn wait(&self, enough: impl Fn(&Progress) -> bool, mut watch: impl FnMut(&Progress)) -> Progress {
        const TICK: Duration = Duration::from_millis(100);
        let mut reading = self.reading();
        loop {
            let progress = reading.progress();
            watch(&progress);
            if enough(&progress) {
                return progress;
            }
            reading = self.changed.wait_timeout(reading, TICK).expect("no thread panics while it holds the meter").0;
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut reading = self.reading();
        if phase == Phase::Replaying {
            reading.started = (Instant::now(), reading.sequence);
            reading.passed = reading.started;
        }
        reading.phase = phase;
        self.changed.notify_all();
    }

    pub(super) fn passed(&self, sequence: Sequence) {
        let mut reading = self.reading();
        reading.sequence = sequence;
        if reading.phase == Phase::Replaying {
            reading.passed = (Instant::now(), sequence);
        }
        self.changed.notify_all();
    }

    pub(super) fn visible(&self, sequence: Sequence) {
        self.reading().visible = sequence;
        self.changed.notify_all();
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().expect("no thread panics while it holds the meter")
    }
}

impl Reading {
    fn progress(&self) -> Progress {
        let seconds = (self.passed.0 - self.started.0).as_secs_f64();
        let events = (self.passed.1.0 - self.started.1.0) as f64;
        let events_per_second = if seconds > 0.0 { events / seconds } else { 0.0 };
        Progress { phase: self.phase.clone(), sequence: self.sequence, visible: self.visible, events_per_second }
    }
}
