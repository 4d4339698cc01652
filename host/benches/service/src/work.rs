//! What every contestant appends: the same events, to streams whose version each append expects.

use uuid::Uuid;

use crate::events::{Flight, flights};

/// After so many events a client goes on with another stream.
pub(crate) const STREAM_EVENTS: usize = 100;

/// Events for one stream, which must be at this version before.
pub(crate) struct Part {
    pub(crate) stream: String,
    pub(crate) version: usize,
    pub(crate) events: Vec<NewEvent>,
}

pub(crate) struct NewEvent {
    pub(crate) id: Uuid,
    pub(crate) event_type: &'static str,
    pub(crate) data: &'static str,
}

/// A client's events, without end.
pub(crate) struct Work {
    flights: &'static [Flight],
    next: usize,
    /// Nobody else writes to this client's streams.
    name: String,
    stream: usize,
    version: usize,
}

/// The payloads that are used over and over.
pub(crate) fn payloads() -> &'static [Flight] {
    Vec::leak(flights(10_000))
}

impl Work {
    pub(crate) fn new(flights: &'static [Flight], client: usize) -> Self {
        let name = format!("bench/{}", Uuid::new_v4());
        Self { flights, next: client * 101, name, stream: 0, version: 0 }
    }

    /// The next append of so many events.
    pub(crate) fn take(&mut self, mut count: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        while count > 0 {
            if self.version == STREAM_EVENTS {
                (self.stream, self.version) = (self.stream + 1, 0);
            }
            let fitting = count.min(STREAM_EVENTS - self.version);
            let events = (0..fitting).map(|_| self.event()).collect();
            parts.push(Part { stream: format!("{}-{}", self.name, self.stream), version: self.version, events });
            self.version += fitting;
            count -= fitting;
        }
        parts
    }

    fn event(&mut self) -> NewEvent {
        let flight = &self.flights[self.next % self.flights.len()];
        self.next += 1;
        NewEvent { id: Uuid::new_v4(), event_type: &flight.event_type, data: flight.data.get() }
    }
}
