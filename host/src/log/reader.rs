//! Reading: a snapshot of the log, by sequence, by stream, by id and by time.

mod blocks;

use std::collections::BTreeSet;
use std::sync::Arc;

use redb::ReadOnlyTable;

pub(super) use self::blocks::{Blocks, Found, Item};
use super::archive::Archives;
use super::block::{Body, Entry};
use super::error::Error;
use super::fold::Fold;
use super::index::Key;
use super::index::run::Tables;
use super::index::snapshot::Snapshot;
use super::record::Record;
use super::state::State;
use super::storage::{Failing, Held, Reading};
use super::tables::{BLOCKS, DroppedCounts, FILTERS, Head, LogId, PAGES};
use super::writer;
use crate::event::{self, Batch, Digest, EventId, Filter, Sequence, StreamName, Timestamp, Version};

/// Blocks that one read decodes at most: 16 MiB, whether it finds events in them or not.
const BLOCKS_DECODED_MAX: usize = 256;
/// Blocks that one read skips at most, some 10 ms, so that a caller can report where it is.
const BLOCKS_SKIPPED_MAX: usize = 4096;

/// What to read.
#[derive(Clone, Debug)]
pub struct Query {
    pub from: Sequence,
    /// The last sequence wanted; to the end when there is none.
    pub to: Option<Sequence>,
    pub filter: Filter,
}

/// What one read found.
#[derive(Clone, Debug)]
pub struct Page {
    pub batch: Batch,
    /// Where to go on; after the head, or after the query's end, when all is read.
    pub next: Sequence,
    /// Runs of compacted events that were passed and of which the log has nothing but digests, in order. Events that the
    /// query wants may have been among them.
    pub folded: Vec<Folded>,
}

/// A run of compacted events, or what of it lies within a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    pub first: Sequence,
    pub last: Sequence,
}

/// The log as of one head.
pub struct Reader {
    pub(super) id: LogId,
    head: Head,
    pub(super) dropped: DroppedCounts,
    blocks: ReadOnlyTable<u64, &'static [u8]>,
    pub(super) index: Snapshot,
    pub(super) failing: Failing,
    archives: Option<Arc<Archives>>,
    /// Open as long as this reads from it, also when the log goes on in another file. Let go of last.
    _held: Arc<Held>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("head", &self.head).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(reading: &Reading, state: &State, failing: Failing) -> Result<Self, Error> {
        let noted = failing.clone();
        noted.noting(Self::open(reading, state, failing))
    }

    fn open(Reading { transaction, held }: &Reading, state: &State, failing: Failing) -> Result<Self, Error> {
        let head = state.meta.head;
        let tables = Tables { pages: transaction.open_table(PAGES)?, filters: transaction.open_table(FILTERS)? };
        let (memtable, runs) = (state.memtable.clone(), state.runs.clone());
        let index = Snapshot { head: head.sequence, memtable, runs, tables };
        let dropped = state.meta.dropped;
        Ok(Self {
            id: state.meta.id,
            head,
            dropped,
            blocks: transaction.open_table(BLOCKS)?,
            index,
            failing,
            archives: None,
            _held: Arc::clone(held),
        })
    }

    /// The same view with what archives hold of compacted events: they are read as they were, also by stream, and chain heads
    /// are known within runs that were folded.
    #[must_use]
    pub fn with_archives(self, archives: Arc<Archives>) -> Self {
        Self { archives: Some(archives), ..self }
    }

    pub fn head(&self) -> Head {
        self.head
    }

    /// Reads events in order of sequence, at least one if there is any.
    ///
    /// Ends after `events_max` events, `bytes_max` bytes of payloads, or a bounded number of blocks that held nothing
    /// wanted; the page says where to go on.
    pub fn read(&self, query: &Query, events_max: usize, bytes_max: usize) -> Result<Page, Error> {
        let end = query.to.unwrap_or(self.head.sequence).min(self.head.sequence);
        let from = query.from.max(Sequence::FIRST);
        let mut page = Page { batch: Batch::new(), next: from, folded: Vec::new() };
        let (mut decoded, mut skipped) = (0, 0);
        let mut blocks = self.blocks();
        while page.next <= end && decoded < BLOCKS_DECODED_MAX && skipped < BLOCKS_SKIPPED_MAX {
            match blocks.wanted(page.next, &query.filter)? {
                Found::Skipped(last) => {
                    page.next = last.next();
                    skipped += 1;
                }
                Found::Body(body) => {
                    decoded += 1;
                    if !take(&mut page, body, &query.filter, end, events_max, bytes_max)? {
                        break;
                    }
                }
            }
        }
        page.next = page.next.max(from);
        Ok(page)
    }

    /// Reads a stream's events from a version on, at least one if there is any. Folded events are left out.
    pub fn read_stream(
        &self,
        stream: &StreamName,
        from: Version,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<Batch, Error> {
        let (mut from, events_max) = (from.max(Version::FIRST), events_max.max(1));
        let mut batch = Batch::new();
        loop {
            let sequences = self.stream_sequences(stream, from, events_max)?;
            let found = sequences.len();
            from = Version(from.0 + found as u64);
            let has_room = self.take_stream(stream, sequences, &mut batch, (events_max, bytes_max))?;
            // Folded events took places; else what was found is all that is wanted.
            if !has_room || found < events_max {
                return Ok(batch);
            }
        }
    }

    /// Where a stream's events from a version on are, folded ones included.
    pub fn stream_sequences(&self, stream: &StreamName, from: Version, max: usize) -> Result<Vec<Sequence>, Error> {
        let sequences = self.index.stream(Key::of(stream.as_str()), from.max(Version::FIRST), max);
        self.failing.noting(sequences)
    }

    /// Adds these events of a stream to the batch, and says whether there is room for more.
    fn take_stream(
        &self,
        stream: &StreamName,
        sequences: Vec<Sequence>,
        batch: &mut Batch,
        (events_max, bytes_max): (usize, usize),
    ) -> Result<bool, Error> {
        let mut blocks = self.blocks();
        let mut buffer = None;
        let mut decoded = 0;
        for sequence in sequences {
            if !blocks.has(sequence) {
                if decoded >= BLOCKS_DECODED_MAX && !batch.is_empty() {
                    return Ok(false);
                }
                decoded += 1;
                buffer = None;
            }
            let body = blocks.body(sequence)?;
            // Of a folded event there is nothing to show.
            let Some(record) = record_of(body, sequence)? else { continue };
            if !batch.is_empty() && batch.payload_bytes() + record.payload_bytes() > bytes_max {
                return Ok(false);
            }
            let buffer = *buffer.get_or_insert_with(|| batch.add_buffer(body.bytes.clone()));
            // Another stream's event can only come from two names with one key, which nobody has seen.
            batch
                .push_stored(buffer, record.envelope, record.payload, |head| head.stream == stream.as_str())
                .map_err(|why| at(sequence, why))?;
            if batch.len() >= events_max {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The chain head behind that event, which must not lie beyond the head; for 0 that of the empty log.
    ///
    /// # Errors
    /// [`Error::InFolded`] within a run of folded events.
    pub fn chain_at(&self, sequence: Sequence) -> Result<Digest, Error> {
        if sequence == Sequence::ZERO {
            return Ok(Head::first(self.id).chain);
        }
        let mut blocks = self.blocks();
        let header = blocks.header(sequence)?;
        if header.last() == sequence {
            return Ok(header.chain_after);
        }
        let (mut chain, mut link) = (header.chain_before, Vec::new());
        let mut next = header.first;
        while next <= sequence {
            next = match blocks.item(next)? {
                Item::Event(envelope, payload) => {
                    chain = writer::chain(&mut link, chain, payload.digest(), envelope);
                    next.next()
                }
                Item::Folded(fold) if fold.is_within(sequence) => return Err(in_folded(sequence, &fold)),
                Item::Folded(fold) => {
                    chain = fold.chain;
                    fold.last.next()
                }
            };
        }
        Ok(chain)
    }

    /// The stream's last version; 0 when it has no events.
    pub fn stream_version(&self, stream: &StreamName) -> Result<Version, Error> {
        let key = Key::of(stream.as_str());
        Ok(self.failing.noting(self.index.versions(&[key]))?.get(&key).copied().unwrap_or(Version::ZERO))
    }

    /// The last versions of streams, in the order in which they are given; 0 for one that has no events.
    pub fn stream_versions(&self, streams: &[&str]) -> Result<Vec<Version>, Error> {
        let keys: Vec<Key> = streams.iter().map(|stream| Key::of(stream)).collect();
        let rising: Vec<Key> = keys.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let versions = self.failing.noting(self.index.versions(&rising))?;
        Ok(keys.iter().map(|key| versions.get(key).copied().unwrap_or(Version::ZERO)).collect())
    }

    /// Where the event with that id is.
    pub fn find(&self, id: &EventId) -> Result<Option<Sequence>, Error> {
        let mut found = None;
        let searched = self.index.find_ids(&[Key::of(id.as_str())], |_, sequence| found = Some(sequence));
        self.failing.noting(searched)?;
        Ok(found)
    }

    /// The first event recorded at that time or after; one past the head when there is none. Of folded events only the
    /// last one's time is known: where the first lies among them, it is their last.
    pub fn sequence_at(&self, time: Timestamp) -> Result<Sequence, Error> {
        // Bisects for the first sequence whose event is not before the time.
        let (mut low, mut high) = (Sequence::FIRST, self.head.sequence.next());
        let mut blocks = self.blocks();
        while low < high {
            let middle = Sequence(low.0 + (high.0 - low.0) / 2);
            let header = blocks.header(middle)?;
            if header.last_recorded_at < time {
                low = header.last().next();
            } else if header.first_recorded_at >= time {
                high = header.first;
            } else {
                return blocks.first_at(middle, time);
            }
        }
        Ok(low.min(self.head.sequence.next()))
    }

    pub(super) fn blocks(&self) -> Blocks<'_> {
        Blocks { table: &self.blocks, failing: &self.failing, archives: self.archives.as_deref(), body: None }
    }

    pub(super) fn blocks_table(&self) -> &ReadOnlyTable<u64, &'static [u8]> {
        &self.blocks
    }
}

/// Adds what is wanted of a block to the page; says whether there is room for more.
fn take(
    page: &mut Page,
    body: &Body,
    filter: &Filter,
    end: Sequence,
    events_max: usize,
    bytes_max: usize,
) -> Result<bool, Error> {
    let all = filter.is_all();
    let mut buffer = None;
    for index in body.index_of(page.next).map_err(|why| in_block(body.first, why))?..body.records {
        if page.next > end {
            return Ok(false);
        }
        let (sequence, record) = match body.entry(index).map_err(|why| in_block(body.first, why))? {
            Entry::Event(sequence, record) => (sequence, record),
            Entry::Folded(fold) => {
                page.pass(&fold, end);
                continue;
            }
        };
        // A block without any event wanted must not stay in memory with the batch.
        if buffer.is_none() && !all {
            let head = event::Head::decode(&body.bytes[record.envelope.clone()]).map_err(|why| at(sequence, why))?;
            if !filter.wants(head.event_type, head.stream) {
                page.next = sequence.next();
                continue;
            }
        }
        if page.batch.len() >= events_max.max(1)
            || (!page.batch.is_empty() && page.batch.payload_bytes() + record.payload_bytes() > bytes_max)
        {
            return Ok(false);
        }
        let buffer = *buffer.get_or_insert_with(|| page.batch.add_buffer(body.bytes.clone()));
        let wants = |head: &event::Head<'_>| all || filter.wants(head.event_type, head.stream);
        page.batch.push_stored(buffer, record.envelope, record.payload, wants).map_err(|why| at(sequence, why))?;
        page.next = sequence.next();
    }
    Ok(page.batch.len() < events_max)
}

fn in_block(first: Sequence, why: impl std::fmt::Display) -> Error {
    Error::damaged(format!("block {first}"), why)
}

fn at(sequence: Sequence, why: impl std::fmt::Display) -> Error {
    Error::damaged(format!("the event at sequence {sequence}"), why)
}

impl Page {
    /// Notes that a run was passed, up to the query's end.
    fn pass(&mut self, fold: &Fold, end: Sequence) {
        let (first, last) = (fold.first.max(self.next), fold.last.min(end));
        match self.folded.last_mut() {
            Some(before) if before.last.next() == first => before.last = last,
            Some(_) | None => self.folded.push(Folded { first, last }),
        }
        self.next = last.next();
    }
}

/// The record of an event in its block; none if it is folded.
fn record_of(body: &Body, sequence: Sequence) -> Result<Option<Record>, Error> {
    let entry = body.index_of(sequence).and_then(|index| body.entry(index));
    Ok(match entry.map_err(|why| in_block(body.first, why))? {
        Entry::Event(_, record) => Some(record),
        Entry::Folded(_) => None,
    })
}

pub(super) fn in_folded(at: Sequence, fold: &Fold) -> Error {
    Error::InFolded { at, first: fold.first, last: fold.last }
}
