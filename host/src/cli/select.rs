//! Which events a command reads: the flags that `read`, `tail` and `export` share.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;

use super::error::Error;
use crate::cbor;
use crate::engine::{self, Chains, Engine, Query};
use crate::event::{Batch, EventRef, Filter, Sequence, StreamName, Timestamp, Version};

/// Events read at once: what a page of blocks holds several times over.
const PAGE_EVENTS: usize = 4_096;
const PAGE_BYTES: usize = 4 << 20;

/// Which events, and how they should look.
#[derive(Clone, Debug, Args)]
pub(super) struct Selection {
    /// Start at this sequence (or, with --stream, at this version of the stream).
    #[arg(long, value_name = "SEQUENCE")]
    pub(super) from: Option<u64>,
    /// End with this sequence.
    #[arg(long, value_name = "SEQUENCE")]
    pub(super) to: Option<u64>,
    /// Only this stream.
    #[arg(long)]
    pub(super) stream: Option<StreamName>,
    /// Only this event type; may be given several times.
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) event_types: Vec<String>,
    /// Only this category; may be given several times.
    #[arg(long = "category", value_name = "CATEGORY")]
    pub(super) categories: Vec<String>,
    /// Only events recorded at this time or later, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<Timestamp>,
    /// Only events recorded before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<Timestamp>,
    /// Lift old events by the installed upcasters; --type then means the type they end up with.
    #[arg(long)]
    pub(super) upcast: bool,
}

/// Takes events one by one until it says no.
type Take<'a> = &'a mut dyn FnMut(EventRef<'_>) -> Result<bool, Error>;

impl Selection {
    /// Hands each selected event to `take` until it says no; returns whether it did.
    pub(super) fn each(&self, engine: &Engine, take: Take<'_>) -> Result<bool, Error> {
        let chains = if self.upcast { engine.chains()? } else { Arc::default() };
        match &self.stream {
            Some(stream) => self.each_of_stream(engine, &chains, stream, take),
            None => self.each_in_order(engine, &chains, take),
        }
    }

    fn each_in_order(&self, engine: &Engine, chains: &Chains, take: Take<'_>) -> Result<bool, Error> {
        let reader = engine.log().reader()?;
        let since = self.since.map(|time| reader.sequence_at(time)).transpose()?;
        let from = since.unwrap_or(Sequence::FIRST).max(Sequence(self.from.unwrap_or(1)));
        let before = self.until.map(|time| reader.sequence_at(time)).transpose()?;
        let ends = [Some(reader.head().sequence), before.map(Sequence::previous), self.to.map(Sequence)];
        let to = ends.into_iter().flatten().min().expect("the head is one of them");
        let mut query = Query { from, to: Some(to), filter: chains.sources(&self.filter()) };
        while query.from <= to {
            let page = reader.read(&query, PAGE_EVENTS, PAGE_BYTES)?;
            query.from = page.next;
            if self.hand_out(chains, page.batch, take)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn each_of_stream(
        &self,
        engine: &Engine,
        chains: &Chains,
        stream: &StreamName,
        take: Take<'_>,
    ) -> Result<bool, Error> {
        let reader = engine.log().reader()?;
        let mut from = Version(self.from.unwrap_or(1).max(1));
        loop {
            let batch = reader.read_stream(stream, from, PAGE_EVENTS, PAGE_BYTES)?;
            let Some(last) = batch.rows().last() else { return Ok(false) };
            from = last.version.next();
            let batch = batch.filtered(|event| {
                self.since.is_none_or(|since| event.recorded_at >= since)
                    && self.until.is_none_or(|until| event.recorded_at < until)
                    && self.to.is_none_or(|to| event.sequence.0 <= to)
            });
            if self.hand_out(chains, batch, take)? {
                return Ok(true);
            }
        }
    }

    fn hand_out(&self, chains: &Chains, batch: Batch, take: Take<'_>) -> Result<bool, Error> {
        let lifted = chains.lift(batch);
        let wanted = self.filter();
        for event in lifted.batch.iter().filter(|event| wanted.wants(event.event_type, event.stream)) {
            if !take(event)? {
                return Ok(true);
            }
        }
        match lifted.failed {
            None => Ok(false),
            Some(failed) => Err(Error::Engine(engine::Error::Upcast {
                sequence: failed.sequence,
                upcaster: failed.name,
                message: failed.failure.to_string(),
            })),
        }
    }

    fn filter(&self) -> Filter {
        let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        Filter { event_types: set(&self.event_types), categories: set(&self.categories) }
    }
}

/// An event as one line for people.
pub(super) fn readable(event: EventRef<'_>) -> Result<String, Error> {
    let data = cbor::to_json(event.payload).map_err(engine::Error::from)?;
    let EventRef { sequence, recorded_at, stream, version, event_type, schema_version, .. } = event;
    Ok(format!("{sequence}  {recorded_at}  {stream}@{version}  {event_type} v{schema_version}  {data}"))
}
