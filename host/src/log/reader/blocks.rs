//! Finding the block of a sequence, in the log or in its archives.

use redb::ReadOnlyTable;

use super::{at, in_block};
use crate::event::{self, Filter, Sequence, Stored, Timestamp};
use crate::log::archive::Archives;
use crate::log::block::{self, Body, Entry, Header};
use crate::log::bytes::Malformed;
use crate::log::error::Error;
use crate::log::file;
use crate::log::fold::Fold;
use crate::log::storage::Failing;

/// What the log has at a place.
pub(in crate::log) enum Item<'a> {
    /// An envelope, and the payload or what is left of it.
    Event(&'a [u8], Stored<&'a [u8]>),
    Folded(Fold),
}

/// What a filter finds at a place.
pub(in crate::log) enum Found<'a> {
    /// Nothing up to that sequence.
    Skipped(Sequence),
    Body(&'a Body),
}

/// The blocks of a snapshot; the one decoded last is kept.
pub(in crate::log) struct Blocks<'a> {
    pub(super) table: &'a ReadOnlyTable<u64, &'static [u8]>,
    pub(super) failing: &'a Failing,
    pub(super) archives: Option<&'a Archives>,
    pub(super) body: Option<Body>,
}

impl Blocks<'_> {
    /// Whether the block in hand has that sequence.
    pub(in crate::log) fn has(&self, sequence: Sequence) -> bool {
        self.body.as_ref().is_some_and(|body| body.holds(sequence))
    }

    /// The block that has that sequence.
    pub(in crate::log) fn body(&mut self, sequence: Sequence) -> Result<&Body, Error> {
        if !self.has(sequence) {
            self.body = Some(self.open(sequence, |opened| opened.body())?);
        }
        Ok(self.body.as_ref().expect("it was read just now"))
    }

    /// The block that has that sequence, unless its skip lists say that nothing in it is wanted.
    pub(in crate::log) fn wanted(&mut self, sequence: Sequence, filter: &Filter) -> Result<Found<'_>, Error> {
        enum Read {
            Skipped(Sequence),
            Body(Body),
        }
        let read = self.open(sequence, |opened| {
            if opened.header.may_hold(filter) {
                opened.body().map(Read::Body)
            } else {
                Ok(Read::Skipped(opened.header.last()))
            }
        })?;
        Ok(match read {
            Read::Skipped(last) => Found::Skipped(last),
            Read::Body(body) => Found::Body(self.body.insert(body)),
        })
    }

    pub(in crate::log) fn header(&self, sequence: Sequence) -> Result<Header, Error> {
        self.open(sequence, |opened| Ok(opened.header.clone()))
    }

    /// The event with that sequence, or the run that it is folded into.
    pub(in crate::log) fn item(&mut self, sequence: Sequence) -> Result<Item<'_>, Error> {
        let body = self.body(sequence)?;
        let entry = body.index_of(sequence).and_then(|index| body.entry(index));
        Ok(match entry.map_err(|why| at(sequence, why))? {
            Entry::Event(_, record) => {
                Item::Event(&body.bytes[record.envelope.clone()], record.payload_of(&body.bytes))
            }
            Entry::Folded(fold) => Item::Folded(fold),
        })
    }

    /// The first event of the block with `inside` that is recorded at that time or after.
    pub(super) fn first_at(&mut self, inside: Sequence, time: Timestamp) -> Result<Sequence, Error> {
        let mut next = self.body(inside)?.first;
        loop {
            let (last, recorded_at) = match self.item(next)? {
                Item::Event(envelope, _) => {
                    (next, event::Head::decode(envelope).map_err(|why| at(next, why))?.recorded_at)
                }
                Item::Folded(fold) => (fold.last, fold.recorded_at),
            };
            if recorded_at >= time {
                return Ok(last);
            }
            next = last.next();
        }
    }

    fn open<T>(
        &self,
        sequence: Sequence,
        read: impl FnOnce(&block::Opened<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        // Every read comes through here, and redb panics on some damage.
        let read = file::guarded(&format!("the log around sequence {sequence}"), || {
            let row = self.table.range(..=sequence.0)?.next_back().transpose()?;
            let (first, stored) = row.ok_or_else(|| at(sequence, "its block is missing"))?;
            let first = Sequence(first.value());
            let opened = block::open(stored.value()).map_err(|why| in_block(first, why))?;
            if opened.header.first != first || opened.header.last() < sequence {
                return Err(in_block(first, format!("it does not hold sequence {sequence}")));
            }
            if opened.header.is_compacted
                && let Some(archives) = self.archives
                && let Some(archived) = archives.block_of(sequence, &opened)?
            {
                let opened = block::open(&archived).map_err(|why| in_block(first, why))?;
                return read(&opened).map_err(|why| in_block(opened.header.first, why));
            }
            read(&opened).map_err(|why| in_block(first, why))
        });
        self.failing.noting(read)
    }
}
