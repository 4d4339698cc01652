//! Holds a projection to its promise while it runs: folds a share of its batches once more under other conditions.
//!
//! What a batch makes may depend on the events and on the state before it, and on nothing else. So it is folded a second
//! time over the same state, cut elsewhere, in memory that was used before, by code that was compiled anew; and what comes
//! out is compared before it is kept.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::feed::{Fed, Feed, Stopped};
use super::quarantine::Quarantine;
use super::sizing::EVENTS_MAX;
use super::{Share, Sizing};
use crate::cbor;
use crate::event::{Batch, Digest, EventRef, Sequence};
use crate::plugin::{Projection, StateEncoding, VerdictKind};
use crate::state::{Changes, Fault};

/// Sizes that cut a batch elsewhere than it was: single events, odd numbers, and large ones.
pub(super) const SIZES: [usize; 5] = [1, 7, 64, 501, 8_192];

/// The kind of fault that is recorded of a batch that came out otherwise.
pub(super) const KIND: &str = "nondeterminism";

/// So much of a value is said in a fault.
const VALUE_CHARS_MAX: usize = 100;

/// What is other the second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Where the batch is cut into calls.
    Cuts,
    /// The instance has described itself and folded the events before.
    Memory,
    /// The code was compiled anew.
    Code,
}

impl Condition {
    fn phrase(self) -> &'static str {
        match self {
            Self::Cuts => "cut elsewhere into calls",
            Self::Memory => "in memory that was used before",
            Self::Code => "by code that was compiled anew",
        }
    }
}

/// Code that may still be compiled; none if that failed.
pub(super) type OtherCode = Arc<OnceLock<Option<Arc<Projection>>>>;

/// Which batches are folded once more, and how.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) share: Share,
    /// Each is tried by itself, with all of its conditions at once.
    pub(super) ways: &'static [&'static [Condition]],
    pub(super) code: OtherCode,
}

/// What came out of a batch.
struct Made {
    changes: Changes,
    faults: Vec<Fault>,
    /// Where it ended before its end, if it did; none of the plugin's doing if that is no fault.
    stopped: Option<Stopped>,
    fuel: u64,
}

/// The first thing that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Unlike {
    Key { key: String, live: Option<Vec<u8>>, other: Option<Vec<u8>> },
    Fault { sequence: Sequence, live: Option<String>, other: Option<String> },
    Fuel { live: u64, other: u64 },
}

/// What came of folding a batch twice.
enum Compared {
    Alike,
    Unlike(Unlike),
    /// One of the two ended for a reason that says nothing of the events, or there is no second way.
    NotComparable,
}

impl Feed {
    /// Feeds these rows, and once more if they are among those that are probed. What differs is not kept.
    pub(super) fn feed_probed(&mut self, batch: &Arc<Batch>, range: Range<usize>, fed: &mut Fed) {
        let first = batch.event(range.start).sequence;
        let Some(probe) = self.probe.clone().filter(|probe| probe.share.takes(first)) else {
            return self.feed_range(batch, range, fed);
        };
        let batch = Arc::new(batch.slice(range));
        let before = self.quarantine.clone();
        self.overlay().begin();
        let mut live = Fed::default();
        self.feed_range(&batch, 0..batch.len(), &mut live);
        let changes = self.overlay().take();
        let made = Made::of(changes, &live);
        let mut is_comparable = true;
        for way in probe.ways.iter().map(|way| probe.possible(way)) {
            match self.compare(&batch, &made, &before, &probe, &way) {
                Compared::Alike => {}
                Compared::NotComparable => is_comparable = false,
                Compared::Unlike(unlike) => {
                    self.quarantine = before;
                    return self.narrow(&batch, &probe, &way, unlike, fed);
                }
            }
        }
        live.probed = u64::from(is_comparable);
        self.overlay().add(made.changes);
        fed.add(live);
    }

    /// Finds the first event after which the batch comes out otherwise, keeps what lies before it, and stops there.
    fn narrow(&mut self, batch: &Arc<Batch>, probe: &Probe, way: &[Condition], unlike: Unlike, fed: &mut Fed) {
        let (mut same, mut differs, mut unlike) = (0, batch.len(), unlike);
        while differs - same > 1 {
            let middle = same + (differs - same) / 2;
            match self.prefix_unlike(batch, middle, probe, way) {
                Some(found) => (differs, unlike) = (middle, found),
                None => same = middle,
            }
        }
        let alone = way.iter().find(|one| self.prefix_unlike(batch, differs, probe, &[**one]).is_some());
        let phrases = match alone {
            Some(one) => one.phrase().to_owned(),
            None => way.iter().map(|one| one.phrase()).collect::<Vec<_>>().join(" and "),
        };
        if same > 0 {
            self.feed_range(batch, 0..same, fed);
        }
        if fed.stopped.is_some() {
            return;
        }
        let event = batch.event(differs - 1);
        let message = format!("folded once more {phrases}, {}", unlike.text(self.projection.manifest().state_encoding));
        fed.stopped = Some(Stopped::Fault(Box::new(self.nondeterminism(event, message))));
    }

    fn nondeterminism(&self, event: EventRef<'_>, message: String) -> Fault {
        Fault {
            sequence: event.sequence.0,
            stream: event.stream.to_owned(),
            event_type: event.event_type.to_owned(),
            schema_version: event.schema_version.0,
            plugin: self.projection.digest().to_string(),
            upcasters: self.upcasters.clone(),
            kind: KIND.to_owned(),
            message,
            backtrace: None,
            fuel: 0,
            output: String::new(),
        }
    }

    /// What is unlike when the first so many events of a batch are folded in both ways.
    fn prefix_unlike(&self, batch: &Batch, events: usize, probe: &Probe, way: &[Condition]) -> Option<Unlike> {
        let prefix = Arc::new(batch.slice(0..events));
        let live = self.fold_again(&prefix, &self.quarantine, probe, &[]);
        match self.compare(&prefix, &live, &self.quarantine, probe, way) {
            Compared::Unlike(unlike) => Some(unlike),
            Compared::Alike | Compared::NotComparable => None,
        }
    }

    fn compare(
        &self,
        batch: &Arc<Batch>,
        live: &Made,
        before: &Quarantine,
        probe: &Probe,
        way: &[Condition],
    ) -> Compared {
        if way.is_empty() || live.is_mishap() {
            return Compared::NotComparable;
        }
        let other = self.fold_again(batch, before, probe, way);
        // What is left in memory that was used may be too little, which is no promise broken.
        if other.is_mishap() || way.contains(&Condition::Memory) && other.is_exhausted() {
            return Compared::NotComparable;
        }
        let is_same_cut = !way.contains(&Condition::Cuts) && !way.contains(&Condition::Memory);
        let fuel =
            (is_same_cut && live.fuel != other.fuel).then_some(Unlike::Fuel { live: live.fuel, other: other.fuel });
        live.unlike(&other, self).or(fuel).map_or(Compared::Alike, Compared::Unlike)
    }

    /// Folds a batch over the state as it is, and takes back what that changed.
    fn fold_again(&self, batch: &Arc<Batch>, before: &Quarantine, probe: &Probe, way: &[Condition]) -> Made {
        let sizes: &[usize] = if way.contains(&Condition::Cuts) { &SIZES } else { &[EVENTS_MAX] };
        let mut feed = self.beside(Sizing::cycle(sizes), before.clone());
        if way.contains(&Condition::Code)
            && let Some(code) = probe.code.get().cloned().flatten()
        {
            feed.projection = code;
        }
        feed.uses_memory = way.contains(&Condition::Memory);
        feed.overlay().begin();
        let fed = feed.feed(batch);
        let changes = feed.overlay().take();
        Made::of(changes, &fed)
    }
}

impl Probe {
    /// Without code that is not there yet.
    fn possible(&self, way: &[Condition]) -> Vec<Condition> {
        let has_code = self.code.get().is_some_and(Option::is_some);
        way.iter().copied().filter(|one| *one != Condition::Code || has_code).collect()
    }
}

impl Made {
    fn of(changes: Changes, fed: &Fed) -> Self {
        Self { changes, faults: fed.skipped.clone(), stopped: fed.stopped.clone(), fuel: fed.fuel }
    }

    /// Whether it ended for a reason that says nothing of the events.
    fn is_mishap(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| !stopped.is_fault())
    }

    fn is_exhausted(&self) -> bool {
        let kinds = [VerdictKind::OutOfFuel, VerdictKind::OutOfMemory].map(VerdictKind::as_str);
        self.failures().iter().any(|fault| kinds.contains(&fault.kind.as_str()))
    }

    fn unlike(&self, other: &Self, feed: &Feed) -> Option<Unlike> {
        self.unlike_key(other, feed).or_else(|| self.unlike_fault(other))
    }

    fn unlike_key(&self, other: &Self, feed: &Feed) -> Option<Unlike> {
        if self.changes == other.changes {
            return None;
        }
        let keys: BTreeSet<&str> = self.changes.iter().chain(other.changes.iter()).map(|(key, _)| key).collect();
        let overlay = feed.overlay();
        keys.into_iter().find_map(|key| {
            // To delete what is not there, or to write what is there already, is no change.
            let after = |changes: &Changes| match changes.get(key) {
                Some(change) => Some(change.map(<[u8]>::to_vec)),
                None => overlay.get(key).ok(),
            };
            let (live, other) = (after(&self.changes)?, after(&other.changes)?);
            (live != other).then(|| Unlike::Key { key: key.to_owned(), live, other })
        })
    }

    fn unlike_fault(&self, other: &Self) -> Option<Unlike> {
        let (live, other) = (self.failures(), other.failures());
        let sequences: BTreeSet<u64> = live.iter().chain(&other).map(|fault| fault.sequence).collect();
        let of = |faults: &[&Fault], sequence| {
            let fault = faults.iter().find(|fault| fault.sequence == sequence);
            fault.map(|fault| format!("{}: {}", fault.kind, fault.message))
        };
        sequences.into_iter().find_map(|sequence| {
            let (live, other) = (of(&live, sequence), of(&other, sequence));
            (live != other).then_some(Unlike::Fault { sequence: Sequence(sequence), live, other })
        })
    }

    fn failures(&self) -> Vec<&Fault> {
        let stopped = self.stopped.iter().filter_map(|stopped| match stopped {
            Stopped::Fault(fault) => Some(&**fault),
            Stopped::Pause { .. } | Stopped::OverQuota { .. } => None,
        });
        self.faults.iter().chain(stopped).collect()
    }
}

impl Unlike {
    fn text(&self, encoding: StateEncoding) -> String {
        let value = |value: &Option<Vec<u8>>| value.as_deref().map_or("nothing".to_owned(), |it| shown(it, encoding));
        let said = |said: &Option<String>| said.clone().unwrap_or_else(|| "none".to_owned());
        match self {
            Self::Key { key, live, other } => format!("key {key:?} is {} and not {}", value(other), value(live)),
            Self::Fault { sequence, live, other } => {
                format!("the failure on event {sequence} is {} and not {}", said(other), said(live))
            }
            Self::Fuel { live, other } => format!("it uses {other} fuel and not {live}"),
        }
    }
}

/// A value on one line, as far as people read it.
fn shown(value: &[u8], encoding: StateEncoding) -> String {
    let text = match encoding {
        StateEncoding::Cbor => cbor::to_json(value).ok(),
        StateEncoding::Json | StateEncoding::Text => String::from_utf8(value.to_vec()).ok(),
        StateEncoding::Bytes => None,
    };
    match text {
        Some(text) if text.chars().count() <= VALUE_CHARS_MAX => text,
        Some(text) => format!("{}…", text.chars().take(VALUE_CHARS_MAX).collect::<String>()),
        None => format!("{} bytes ({})", value.len(), Digest::of(value).short()),
    }
}
