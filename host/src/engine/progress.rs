//! How far a projection's worker is, for whoever asks.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use event_listener::{Event, EventListener, Listener as _};

use super::feed::Fed;
use crate::event::{Sequence, Timestamp};
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
    /// Used what it may; rests until it may use more.
    OverQuota {
        reason: String,
        /// Whether time alone helps.
        goes_on: bool,
    },
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
            Self::OverQuota { reason, .. } => write!(f, "over quota: {reason}"),
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
    /// The most memory that an instance had, all its memories together.
    pub memory_bytes_peak: u64,
    /// Batches that were folded once more under other conditions and came out alike, since the worker began.
    pub probed: u64,
    /// How long the plugin took for the last batch.
    pub batch_seconds: f64,
    /// What last held it up, over by now or not.
    pub last_error: Option<String>,
    /// When it last got on.
    pub last_progress_at: Option<Timestamp>,
}

impl Progress {
    /// Of a state that no worker runs.
    pub(super) fn resting(phase: Phase, sequence: Sequence) -> Self {
        Self {
            phase,
            sequence,
            visible: sequence,
            events_per_second: 0.0,
            memory_bytes_peak: 0,
            probed: 0,
            batch_seconds: 0.0,
            last_error: None,
            last_progress_at: None,
        }
    }

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
            Phase::OverQuota { goes_on, .. } => !goes_on,
            Phase::Halted(_) | Phase::Paused { .. } | Phase::Failed { .. } | Phase::Stopped => true,
        }
    }
}

/// Shared between a worker, which writes, and everyone else, who reads.
#[derive(Debug)]
pub(super) struct Meter {
    reading: Mutex<Reading>,
    changed: Event,
}

#[derive(Debug)]
struct Reading {
    progress: Progress,
    started: (Instant, Sequence),
}

impl Meter {
    pub(super) fn new(sequence: Sequence) -> Self {
        let progress = Progress::resting(Phase::Stopped, sequence);
        Self { reading: Mutex::new(Reading { progress, started: (Instant::now(), sequence) }), changed: Event::new() }
    }

    pub(super) fn read(&self) -> Progress {
        self.reading().progress.clone()
    }

    pub(super) fn is_live(&self) -> bool {
        self.reading().progress.phase == Phase::Live
    }

    pub(super) fn visible_sequence(&self) -> Sequence {
        self.reading().progress.visible
    }

    /// Wakes with the next change; look after listening and before waiting.
    pub(super) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    /// Waits until `enough` says so, calling `watch` with every change it sees, or every tenth of a second.
    pub(super) fn wait(&self, enough: impl Fn(&Progress) -> bool, mut watch: impl FnMut(&Progress)) -> Progress {
        const TICK: Duration = Duration::from_millis(100);
        loop {
            let changed = self.listen();
            let progress = self.read();
            watch(&progress);
            if enough(&progress) {
                return progress;
            }
            changed.wait_timeout(TICK);
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut reading = self.reading();
        match &phase {
            Phase::Replaying => reading.started = (Instant::now(), reading.progress.sequence),
            Phase::Halted(_) | Phase::Paused { .. } | Phase::OverQuota { .. } | Phase::Failed { .. } => {
                reading.progress.last_error = Some(phase.to_string());
            }
            Phase::Live | Phase::Stopped => {}
        }
        reading.progress.phase = phase;
        drop(reading);
        self.changed.notify(usize::MAX);
    }

    /// Remembers what went wrong beside the worker.
    pub(super) fn note(&self, error: String) {
        self.reading().progress.last_error = Some(error);
    }

    /// Everything up to there was folded.
    pub(super) fn passed(&self, sequence: Sequence, fed: &Fed) {
        let mut reading = self.reading();
        let (since, from) = reading.started;
        let progress = &mut reading.progress;
        progress.memory_bytes_peak = progress.memory_bytes_peak.max(fed.memory_bytes as u64);
        progress.probed += fed.probed;
        if fed.folded > 0 {
            progress.batch_seconds = fed.call_took.as_secs_f64();
        }
        if sequence > progress.sequence {
            progress.last_progress_at = Some(Timestamp::now());
        }
        progress.sequence = sequence;
        if progress.phase == Phase::Replaying {
            let seconds = since.elapsed().as_secs_f64();
            let events = (sequence.0 - from.0) as f64;
            progress.events_per_second = if seconds > 0.0 { events / seconds } else { 0.0 };
        }
        drop(reading);
        self.changed.notify(usize::MAX);
    }

    /// Readers see everything up to there.
    pub(super) fn visible(&self, sequence: Sequence) {
        self.reading().progress.visible = sequence;
        self.changed.notify(usize::MAX);
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().expect("no thread panics while it holds the meter")
    }
}
