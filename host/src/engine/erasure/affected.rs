//! What an erasure concerns: the events of a stream, and the projections whose states they may be in.

use std::collections::BTreeSet;

use crate::engine::keys::HOST_CATEGORY;
use crate::engine::{Deployment, Engine, Error};
use crate::event::{EventRef, Filter, Sequence, StreamName, Version, Why, category_of};
use crate::log::Query;

/// What is read at once.
const EVENTS_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 << 20;

/// Types and streams of what is erased: filters are asked with them. An event of which nothing is left may be of any type.
pub(super) type Erased = BTreeSet<(Option<String>, String)>;

/// What a stream has.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) events: u64,
    pub(super) erased: Erased,
    /// Events whose payloads are there and not encrypted.
    pub(super) plain: Vec<Sequence>,
}

/// What is found of some events.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) erased: Erased,
    /// How many were redacted before.
    pub(super) redacted: u64,
    /// The others.
    pub(super) left: BTreeSet<u64>,
    /// Whether any of those has a payload in the log.
    pub(super) is_any_whole: bool,
}

impl Engine {
    pub(super) fn find_stream(&self, stream: &StreamName) -> Result<Found, Error> {
        // What was compacted counts, too: an archive may have it as it was.
        let reader = self.hub.archive.over(self.log().reader()?);
        let (mut from, mut found) = (Version::FIRST, Found::default());
        let all = reader.stream_sequences(stream, Version::FIRST, usize::MAX)?.len() as u64;
        loop {
            let batch = reader.read_stream(stream, from, EVENTS_MAX, BYTES_MAX)?;
            let Some(last) = batch.rows().last() else {
                if found.events < all {
                    found.erased.insert((None, stream.to_string()));
                }
                found.events = all;
                return Ok(found);
            };
            from = last.version.next();
            for event in batch.iter() {
                found.events += 1;
                found.erased.insert(key(&event));
                if !event.is_encrypted && event.payload().is_some() {
                    found.plain.push(event.sequence);
                }
            }
        }
    }

    /// What there is of these events, which must not lie beyond the head.
    pub(super) fn find_events(&self, sequences: &BTreeSet<u64>) -> Result<Events, Error> {
        let (reader, mut found) = (self.log().reader()?, Events::default());
        let archives = self.hub.archive.at_hand();
        for sequence in sequences.iter().copied().map(Sequence) {
            let query = Query { from: sequence, to: Some(sequence), filter: Filter::all() };
            let page = reader.read(&query, 1, 1)?;
            let own = page.batch.find(sequence);
            // Of what was compacted the archive knows more.
            let is_compacted =
                own.is_none_or(|event| event.payload.dropped().is_some_and(|it| it.why == Why::Compacted));
            let archived = match archives.as_ref().filter(|_| is_compacted) {
                Some(archives) => archives.event(sequence)?,
                None => None,
            };
            let Some(event) = archived.as_ref().map(|batch| batch.event(0)).or(own) else {
                let head = reader.head().sequence;
                return Err(match page.folded.is_empty() {
                    true => Error::UnknownEvent { sequence, head },
                    false => Error::EventFolded { sequence },
                });
            };
            if category_of(event.stream) == HOST_CATEGORY {
                return Err(Error::NotErasable(format!(
                    "event {sequence} says who erased what, and stays; nothing was changed"
                )));
            }
            match event.payload.dropped().map(|dropped| dropped.why) {
                Some(Why::Redacted | Why::Forgotten) => found.redacted += 1,
                Some(Why::Compacted) | None => {
                    found.is_any_whole |= !is_compacted;
                    found.left.insert(sequence.0);
                }
            }
            found.erased.insert(key(&event));
        }
        Ok(found)
    }

    /// The projections that want any of these events, in any of their deployments. One whose plugins cannot be loaded may.
    pub(super) fn affected(&self, erased: &Erased) -> Vec<String> {
        let wants = |deployment: &Deployment| match self.code(deployment) {
            Ok(code) => {
                let stored = code.chains.sources(&code.plugin.manifest().filter);
                let of_any_type = Filter { event_types: BTreeSet::new(), ..stored.clone() };
                erased.iter().any(|(event_type, stream)| match event_type {
                    Some(event_type) => stored.wants(event_type, stream),
                    None => of_any_type.wants("", stream),
                })
            }
            Err(_) => true,
        };
        let concerned = self.projections().into_iter().filter(|projection| projection.deployments().any(wants));
        concerned.map(|projection| projection.name).collect()
    }
}

fn key(event: &EventRef<'_>) -> (Option<String>, String) {
    (Some(event.event_type.to_owned()), event.stream.to_owned())
}
