//! Walking blocks in order: of each event all is recomputed that its bytes can tell.

use super::block::{self, Body, Entry, Header};
use super::error::Error;
use super::fold::Fold;
use super::index::Key;
use super::reader::Folded;
use super::record::Record;
use super::tables::{DroppedCounts, Head};
use super::writer::chain;
use crate::event::{Envelope, Sequence, Stored, Version, category_of};

/// An event's keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indexed {
    pub(super) id: Key,
    pub(super) stream: Key,
    pub(super) version: Version,
    pub(super) sequence: Sequence,
}

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct BlockWalk {
    /// The event walked last.
    pub(super) last: Head,
    /// What it found to be dropped.
    pub(super) dropped: DroppedCounts,
    /// The runs of folded events.
    pub(super) folded: Vec<Folded>,
    link: Vec<u8>,
}

impl BlockWalk {
    /// A walk that goes on behind that event.
    pub(super) fn behind(last: Head) -> Self {
        Self { last, dropped: DroppedCounts::default(), folded: Vec::new(), link: Vec::new() }
    }

    /// Walks a block, which must follow, and hands over each of its events, but for those that are folded. The error names the block and the event.
    pub(super) fn block(
        &mut self,
        first: Sequence,
        bytes: &[u8],
        found: &mut impl FnMut(Indexed),
    ) -> Result<Header, Error> {
        let damaged = |why: &dyn std::fmt::Display| Error::damaged(format!("block {first}"), why);
        if first != self.last.sequence.next() {
            return Err(damaged(&format!("the block before it ends at sequence {}", self.last.sequence)));
        }
        let opened = block::open(bytes).map_err(|why| damaged(&why))?;
        let body = opened.body().map_err(|why| damaged(&why))?;
        let header = &opened.header;
        if header.first != first || header.chain_before != self.last.chain {
            return Err(damaged(&"it does not follow the block before it"));
        }
        self.entries(header, &body, body.records, found)?;
        if header.chain_after != self.last.chain || header.last_recorded_at != self.last.recorded_at {
            return Err(damaged(&"its chain or time is not that of its last event"));
        }
        Ok(opened.header)
    }

    /// Walks the first so many records of a block.
    pub(super) fn entries(
        &mut self,
        header: &Header,
        body: &Body,
        count: usize,
        found: &mut impl FnMut(Indexed),
    ) -> Result<(), Error> {
        for index in 0..count {
            let entry = body.entry(index).map_err(|why| {
                let place = format!("the event at sequence {} (block {})", self.last.sequence.next(), header.first);
                Error::damaged(place, why)
            })?;
            match entry {
                Entry::Event(_, record) => found(self.event(header, body, &record)?),
                Entry::Folded(fold) => self.fold(header, &fold)?,
            }
        }
        Ok(())
    }

    /// Takes the word of a run for what its events led to: the next event's chain hangs on it.
    fn fold(&mut self, header: &Header, fold: &Fold) -> Result<(), Error> {
        let damaged = |why: &str| {
            Error::damaged(format!("the run of {} to {} (block {})", fold.first, fold.last, header.first), why)
        };
        if fold.first != self.last.sequence.next() {
            return Err(damaged("it does not follow the event before it"));
        }
        if fold.recorded_at < self.last.recorded_at {
            return Err(damaged("it was recorded before the event before it"));
        }
        self.last = Head { sequence: fold.last, recorded_at: fold.recorded_at, chain: fold.chain };
        self.folded.push(Folded { first: fold.first, last: fold.last });
        self.dropped.folded += fold.count();
        self.dropped.bytes += fold.dropped_bytes;
        Ok(())
    }

    fn event(&mut self, header: &Header, body: &Body, record: &Record) -> Result<Indexed, Error> {
        let sequence = self.last.sequence.next();
        let damaged = |why: &dyn std::fmt::Display| {
            Error::damaged(format!("the event at sequence {sequence} (block {})", header.first), why)
        };
        let bytes = &body.bytes[record.envelope.clone()];
        let envelope = Envelope::decode(bytes).map_err(|why| damaged(&why))?;
        let head = envelope.head;
        if head.sequence != sequence {
            return Err(damaged(&format!("it says that it is at sequence {}", head.sequence)));
        }
        if head.recorded_at < self.last.recorded_at {
            return Err(damaged(&"it was recorded before the event before it"));
        }
        if !header.lists(head.event_type, category_of(head.stream)) {
            return Err(damaged(&"its block does not list its type or category"));
        }
        let payload = record.payload_of(&body.bytes);
        if let Stored::Dropped(dropped) = payload {
            self.dropped.stubs += 1;
            self.dropped.bytes += u64::from(dropped.bytes);
        }
        let chain = chain(&mut self.link, self.last.chain, payload.digest(), bytes);
        self.last = Head { sequence, recorded_at: head.recorded_at, chain };
        let (id, stream) = (Key::of(envelope.id), Key::of(head.stream));
        Ok(Indexed { id, stream, version: head.version, sequence })
    }
}
