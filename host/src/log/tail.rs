//! A block that is being filled, event by event: the log's last one, or one of a log that is rewritten.

use super::block::{self, Codec, Header, Names, Parts};
use super::fold::Fold;
use super::record::{put_record, put_stub};
use super::tables::Head;
use crate::event::{self, Digest, Dropped, Sequence, Timestamp, Why};

/// The last block, not full yet.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) header: Header,
    pub(super) parts: Parts,
}

/// A block as it goes into the file.
pub(super) struct Encoded {
    pub(super) first: Sequence,
    pub(super) raw_bytes: usize,
    pub(super) bytes: Vec<u8>,
}

impl Tail {
    /// An empty one, whose first event will be that one, recorded then, behind that chain head.
    pub(super) fn new(first: Sequence, recorded_at: Timestamp, chain: Digest) -> Self {
        let header = Header {
            first,
            count: 0,
            first_recorded_at: recorded_at,
            last_recorded_at: recorded_at,
            chain_before: chain,
            chain_after: chain,
            event_types: Names::default(),
            categories: Names::default(),
            is_compacted: false,
        };
        Self { header, parts: Parts::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.header.count == 0
    }

    pub(super) fn raw_bytes(&self) -> usize {
        self.parts.raw_bytes()
    }

    /// Adds the next event, behind which the log is there.
    pub(super) fn push(&mut self, envelope: &[u8], payload: &[u8], head: Head) {
        put_record(&mut self.parts.records, envelope, payload);
        self.pushed_event(envelope, head);
    }

    /// Adds the next event without its payload.
    pub(super) fn push_stub(&mut self, envelope: &[u8], dropped: Dropped, head: Head) {
        put_stub(&mut self.parts.records, envelope, dropped);
        self.header.is_compacted |= dropped.why == Why::Compacted;
        self.pushed_event(envelope, head);
    }

    /// Adds a run of events; their names are the caller's to add.
    pub(super) fn push_fold(&mut self, fold: &Fold) {
        if !self.parts.is_folded() {
            self.parts.firsts = (0..self.header.count).collect();
        }
        self.parts.firsts.push(self.header.count);
        fold.put(&mut self.parts.records);
        self.header.is_compacted = true;
        self.pushed(
            fold.count() as u32,
            Head { sequence: fold.last, recorded_at: fold.recorded_at, chain: fold.chain },
        );
    }

    fn pushed_event(&mut self, envelope: &[u8], head: Head) {
        if self.parts.is_folded() {
            self.parts.firsts.push(self.header.count);
        }
        let names = event::Head::decode(envelope).expect("it was encoded, or decoded, just now");
        self.header.add_names(names.event_type, names.stream);
        self.pushed(1, head);
    }

    fn pushed(&mut self, count: u32, head: Head) {
        self.parts.ends.push(self.parts.records.len() as u32);
        self.header.count += count;
        (self.header.last_recorded_at, self.header.chain_after) = (head.recorded_at, head.chain);
    }

    pub(super) fn encode(&self, codec: Codec) -> Encoded {
        let bytes = block::encode(&self.header, &self.parts, codec);
        Encoded { first: self.header.first, raw_bytes: self.raw_bytes(), bytes }
    }
}
