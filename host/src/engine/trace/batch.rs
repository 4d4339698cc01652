//! Puts events together to a batch, as if they were read from a log.

use std::ops::Range;

use crate::event::{Batch, DecodeError, Envelope, EventRef, Head, Stored};

/// As large as a read of the log: each buffer of a batch holds about so much.
const BUFFER_BYTES: usize = 4 << 20;

/// A batch that grows event by event.
#[derive(Debug, Default)]
pub struct TraceBatch {
    batch: Batch,
    buffer: Vec<u8>,
    /// Where envelope and payload of each event lie in the buffer.
    places: Vec<(Range<usize>, Range<usize>)>,
    bytes: usize,
    events: usize,
}

impl TraceBatch {
    /// How many events it has.
    pub fn len(&self) -> usize {
        self.events
    }

    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// The size of all envelopes and payloads.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an event behind those that are there.
    pub fn push(&mut self, envelope: &Envelope<'_>, payload: &[u8]) {
        let start = self.buffer.len();
        envelope.encode(&mut self.buffer);
        let middle = self.buffer.len();
        self.buffer.extend_from_slice(payload);
        self.places.push((start..middle, middle..self.buffer.len()));
        self.bytes += self.buffer.len() - start;
        self.events += 1;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Adds an event of another batch, in the shape that upcasters gave it.
    pub(super) fn push_event(&mut self, event: EventRef<'_>) -> Result<(), DecodeError> {
        let head = Head {
            sequence: event.sequence,
            version: event.version,
            schema_version: event.schema_version,
            recorded_at: event.recorded_at,
            stream: event.stream,
            event_type: event.event_type,
            is_encrypted: event.is_encrypted,
        };
        let payload = event.payload().expect("a projection is handed whole events only");
        self.push(&Envelope { head, ..event.envelope()? }, payload);
        Ok(())
    }

    pub fn finish(mut self) -> Batch {
        self.flush();
        self.batch
    }

    fn flush(&mut self) {
        let buffer = self.batch.add_buffer(std::mem::take(&mut self.buffer).into());
        for (envelope, payload) in self.places.drain(..) {
            let pushed = self.batch.push_stored(buffer, envelope, Stored::Whole(payload), |_| true);
            pushed.expect("what was encoded can be decoded");
        }
    }
}
