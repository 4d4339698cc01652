//! Where a projection's events come from: the log, read and upcast, a portion at a time.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::archive::Archive;
use super::keys::Keys;
use super::portion::{LeftOut, Portion, Want};
use super::recent::{self, Recent};
use super::sizing::{BYTES_MAX, EVENTS_MAX};
use super::{Chains, DroppedPolicy, Error, LogReader};
use crate::event::{Batch, EventRef, Filter, Sequence, Timestamp, Why};
use crate::log::{Log, Page, Query};

/// Where a projection's events come from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) log: Arc<Log>,
    keys: Arc<Keys>,
    recent: Arc<Recent>,
    chains: Arc<Chains>,
    want: Want,
    /// The stored events from which wanted ones can come.
    pub(super) stored: Filter,
    /// Only what had occurred by then, if that is asked.
    occurred: Option<Timestamp>,
    /// What becomes of events that were compacted.
    dropped: DroppedPolicy,
    /// Where they are, if they may be read there.
    archive: Option<Arc<Archive>>,
}

impl Source {
    pub(super) fn new(log: Arc<Log>, keys: Arc<Keys>, recent: Arc<Recent>, chains: Arc<Chains>, want: Want) -> Self {
        let stored = chains.sources(&want.filter);
        let (dropped, archive) = (DroppedPolicy::default(), None);
        Self { log, keys, recent, chains, want, stored, occurred: None, dropped, archive }
    }

    /// Only the events that had occurred by then; where an event does not say, that is when it was recorded.
    pub(super) fn occurred_by(self, occurred: Option<Timestamp>) -> Self {
        Self { occurred, ..self }
    }

    /// With compacted events treated so, and read from there if that may be.
    pub(super) fn with_dropped(self, dropped: DroppedPolicy, archive: &Arc<Archive>) -> Self {
        let archive = (dropped == DroppedPolicy::Archive).then(|| Arc::clone(archive));
        Self { dropped, archive, ..self }
    }

    /// Goes on without compacted events from now on; says whether it did not before.
    pub(super) fn accepts_dropped(&mut self) -> bool {
        self.archive = None;
        std::mem::replace(&mut self.dropped, DroppedPolicy::Accept) != DroppedPolicy::Accept
    }

    /// The log as this projection may read it.
    pub(super) fn reader(&self) -> Result<LogReader, Error> {
        let reader = self.log.reader()?;
        Ok(self.keys.over(match &self.archive {
            Some(archive) => archive.over(reader),
            None => reader,
        }))
    }

    /// Reads what the projection wants from `from` on, to `to` at most, a page at most.
    pub(super) fn read(&self, from: Sequence, to: Sequence) -> Result<Portion, Error> {
        if self.occurred.is_none() && to.0 - from.0 < recent::EVENTS_MAX {
            let make = |batch: &Batch, next| {
                let stored = batch.filtered(|event| self.stored.wants(event.event_type, event.stream));
                self.portion(stored, next, to)
            };
            if let Some(portion) = self.recent.portion((&self.log, &self.keys), from, to, &self.want, make) {
                return Ok(portion);
            }
        }
        let query = Query { from, to: Some(to), filter: self.stored.clone() };
        let page = self.reader()?.read(&query, EVENTS_MAX, BYTES_MAX)?;
        self.of_page(page, to)
    }

    pub(super) fn read_all(&self, from: Sequence, to: Sequence, portions: &SyncSender<Result<Portion, Error>>) {
        let mut query = Query { from, to: Some(to), filter: self.stored.clone() };
        let reader = match self.reader() {
            Ok(reader) => reader,
            Err(error) => return drop(portions.send(Err(error))),
        };
        while query.from <= to {
            let portion = match reader.read(&query, EVENTS_MAX, BYTES_MAX) {
                Ok(page) => self.of_page(page, to),
                Err(error) => Err(error),
            };
            let next = portion.as_ref().map(|portion| portion.through.next());
            let go_on = next.is_ok();
            if let Ok(next) = next {
                query.from = next;
            }
            if portions.send(portion).is_err() || !go_on {
                return;
            }
        }
    }

    /// What the projection gets of a page.
    fn of_page(&self, page: Page, to: Sequence) -> Result<Portion, Error> {
        let is_whole = page.batch.is_whole() && page.folded.is_empty();
        if !is_whole && self.dropped != DroppedPolicy::Accept {
            self.refuse_compacted(&page)?;
        }
        let Page { batch, next, folded } = page;
        let mut portion = self.portion(batch, next, to);
        portion.dropped.add_folded(&folded);
        Ok(portion)
    }

    fn refuse_compacted(&self, page: &Page) -> Result<(), Error> {
        let is_asked = |event: &EventRef<'_>| self.occurred.is_none_or(|time| has_occurred(*event, time));
        let is_compacted = |event: &EventRef<'_>| event.payload.dropped().is_some_and(|it| it.why == Why::Compacted);
        let events = page.batch.iter().filter(|event| is_compacted(event) && is_asked(event));
        let events = events.map(|event| (event.sequence, event.sequence));
        let mut gone: Vec<_> = events.chain(page.folded.iter().map(|range| (range.first, range.last))).collect();
        gone.sort_unstable();
        let Some((first, mut last)) = gone.first().copied() else { return Ok(()) };
        for (from, to) in gone {
            if from <= last.next() {
                last = to;
            }
        }
        Err(Error::Compacted { first, last, why: self.dropped.refusal() })
    }

    pub(super) fn portion(&self, batch: Batch, next: Sequence, to: Sequence) -> Portion {
        let batch = match self.occurred {
            None => batch,
            Some(time) => batch.filtered(|event| has_occurred(event, time)),
        };
        let (batch, dropped) = LeftOut::of(batch);
        if self.chains.is_empty() {
            return Portion { batch: Arc::new(batch), through: next.previous().min(to), failed: None, dropped };
        }
        let lifted = self.chains.lift(batch);
        let through = lifted.failed.as_ref().map_or(next.previous().min(to), |failed| failed.sequence);
        let is_wanted = |event_type: &str, stream: &str| self.want.filter.wants(event_type, stream);
        let batch = lifted.batch.filtered(|event| is_wanted(event.event_type, event.stream));
        Portion { batch: Arc::new(batch), through, failed: lifted.failed, dropped }
    }
}

/// Whether an event had occurred by that time. An envelope that cannot be read is passed on, to whoever says so.
fn has_occurred(event: EventRef<'_>, time: Timestamp) -> bool {
    event.envelope().map_or(true, |envelope| envelope.occurred_at.unwrap_or(event.recorded_at) <= time)
}
