//! Tests of the floor as a whole.

mod append;
mod archive;
mod crash;
mod damage;
mod faulty;
mod fixture;
mod full;
mod model;
mod rebuild;
mod rewrite;
mod tree;

use super::*;
use crate::event::{EventId, EventType, Filter, NewEvent, Payload, Sequence, StreamName, Timestamp, Version};

/// An event of that stream with that id.
pub(super) fn event(stream: &str, event_type: &str, id: &str, payload: &[u8]) -> NewEvent {
    let (stream, event_type) = (StreamName::new(stream).unwrap(), EventType::new(event_type).unwrap());
    NewEvent::new(stream, event_type, EventId::new(id).unwrap(), Payload::from_canonical(payload.to_vec()))
}

pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// Appends in a transaction of its own.
pub(super) fn append(log: &Log, append: Append, now: Timestamp) -> Result<Appended, PlanError> {
    let mut transaction = log.begin()?;
    let appended = transaction.plan(Prepared::new(append)?, now)?;
    transaction.commit()?;
    Ok(appended)
}

/// Everything from a sequence on, page by page.
pub(super) fn read_all(reader: &Reader, from: Sequence, filter: &Filter) -> Vec<u64> {
    let mut query = Query { from, to: None, filter: filter.clone() };
    let mut found = Vec::new();
    while query.from <= reader.head().sequence {
        let page = reader.read(&query, 100, 1 << 20).unwrap();
        assert!(page.next > query.from);
        found.extend(page.batch.iter().map(|event| event.sequence.0));
        query.from = page.next;
    }
    found
}

pub(super) fn verify(log: &Log) -> Result<Verified, Error> {
    log.verify(&mut |_| {})
}
