//! Which events a request reads, and how they should look.

use std::sync::Arc;

use crate::engine::{self, Engine, Moment, Query};
use crate::event::{EventRef, Filter, Sequence, StreamName, Timestamp, Version};
use crate::server::access::Access;
use crate::server::model::FoldedEvents;
use crate::server::params::Params;
use crate::server::problem::Problem;

/// The query of every route that selects events.
pub(super) const NAMES: [&str; 10] =
    ["since", "to", "stream", "category", "type", "recorded_since", "recorded_until", "as_of", "upcast", "archived"];

#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) since: Sequence,
    pub(super) to: Option<Sequence>,
    stream: Option<StreamName>,
    /// With `upcast`, of the types that events end up with.
    filter: Filter,
    recorded_since: Option<Timestamp>,
    recorded_until: Option<Timestamp>,
    as_of: Option<Moment>,
    upcast: bool,
    /// Whether compacted events are read from the archive.
    archived: bool,
}

/// How far a page looked.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    pub(super) next: Sequence,
    pub(super) head: Sequence,
    /// Whether nothing that comes later can be wanted.
    pub(super) is_over: bool,
    /// What was passed of which there are only digests.
    pub(super) folded: Vec<FoldedEvents>,
}

/// How much is looked at for one page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

/// Takes each event of a page.
type Take<'a> = &'a mut dyn FnMut(EventRef<'_>) -> Result<(), Problem>;

impl Selection {
    pub(super) fn new(params: &Params, access: &Access) -> Result<Self, Problem> {
        let stream: Option<StreamName> = params.parsed("stream")?;
        if let Some(stream) = &stream {
            access.may_read_stream(stream.as_str())?;
        }
        let asked = Filter { event_types: params.all("type"), categories: params.all("category") };
        Ok(Self {
            since: Sequence(params.parsed("since")?.unwrap_or(0)),
            to: params.parsed("to")?.map(Sequence),
            stream,
            filter: access.filter(asked)?,
            recorded_since: params.parsed("recorded_since")?,
            recorded_until: params.parsed("recorded_until")?,
            as_of: params.parsed("as_of")?,
            upcast: params.flag("upcast", false)?,
            archived: params.flag("archived", false)?,
        })
    }

    /// Hands out what is selected behind `since`, at most `bounds.events` of it.
    pub(super) fn page(
        &self,
        engine: &Engine,
        since: Sequence,
        bounds: Bounds,
        take: Take<'_>,
    ) -> Result<Looked, Problem> {
        let reader = if self.archived { engine.archived_reader()? } else { engine.read_log()? };
        let head = reader.head().sequence;
        let first = self.recorded_since.map(|time| reader.sequence_at(time)).transpose()?;
        let before = self.recorded_until.map(|time| reader.sequence_at(time)).transpose()?;
        let as_of = self.as_of.map(|moment| engine.sequence_as_of(moment)).transpose()?;
        let ends = [Some(head), before.map(Sequence::previous), self.to, as_of];
        let end = ends.into_iter().flatten().min().unwrap_or(head);
        let is_closed = end < head || self.to == Some(end) || as_of.is_some();
        let chains = if self.upcast { engine.chains()? } else { Arc::default() };
        let mut from = Sequence(since.0.saturating_add(1)).max(first.unwrap_or(Sequence::FIRST));
        let (mut events, mut bytes, mut folded) = (0, 0, Vec::new());
        while from <= end && events < bounds.events && bytes < bounds.bytes {
            let (batch, next) = match &self.stream {
                Some(stream) => self.of_stream(&reader, stream, from, end, bounds.events - events)?,
                None => {
                    let query = Query { from, to: Some(end), filter: chains.sources(&self.filter) };
                    let page = reader.read(&query, bounds.events - events, bounds.bytes)?;
                    folded.extend(page.folded.iter().map(|it| FoldedEvents { first: it.first.0, last: it.last.0 }));
                    (page.batch, page.next)
                }
            };
            from = next;
            bytes += batch.payload_bytes();
            let lifted = chains.lift(batch);
            for event in lifted.batch.iter().filter(|event| self.filter.wants(event.event_type, event.stream)) {
                events += 1;
                take(event)?;
            }
            if let Some(failed) = lifted.failed {
                let (sequence, upcaster, message) = (failed.sequence, failed.name, failed.failure.to_string());
                return Err(engine::Error::Upcast { sequence, upcaster, message }.into());
            }
        }
        let next = from.previous().max(since);
        Ok(Looked { next, head, is_over: is_closed && next >= end, folded })
    }

    /// A stream's events from a sequence on: its versions are in the order of sequences.
    fn of_stream(
        &self,
        reader: &engine::LogReader,
        stream: &StreamName,
        from: Sequence,
        end: Sequence,
        events_max: usize,
    ) -> Result<(crate::event::Batch, Sequence), Problem> {
        let low = first_behind(reader, stream, from.previous())?;
        let batch = reader.read_stream(stream, low, events_max, 4 << 20)?;
        let next = match batch.rows().last() {
            Some(last) if last.sequence <= end => last.sequence.next(),
            Some(_) | None => end.next(),
        };
        Ok((batch.filtered(|event| event.sequence <= end), next))
    }
}

/// The version of a stream's first event behind a sequence; one past its last where there is none.
pub(super) fn first_behind(
    reader: &engine::LogReader,
    stream: &StreamName,
    sequence: Sequence,
) -> Result<Version, Problem> {
    let (mut low, mut high) = (1, reader.stream_version(stream)?.0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = reader.stream_sequences(stream, Version(middle), 1)?;
        let is_before = found.first().is_some_and(|found| *found <= sequence);
        if is_before { low = middle + 1 } else { high = middle }
    }
    Ok(Version(low))
}
