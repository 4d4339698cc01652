//! A log made anew from blocks of it: the blocks go in as they are, what else the file has is made from them.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use redb::{Database, Durability, WriteTransaction};

use super::block::Entry;
use super::blocks::{BadBlock, BlockInfo, walk_behind};
use super::error::Error;
use super::file::{builder, guarded, guarded_open, initialise_as, storage};
use super::folded::FoldedEvent;
use super::index::Key;
use super::index::memtable::StreamEntry;
use super::index::merge::Target;
use super::reader::Folded;
use super::tables::{BLOCKS, DroppedCounts, Head, LogId, META, META_KEY, Meta};
use super::walk::Indexed;
use super::writer::settling;
use super::{Options, block};
use crate::event::{self, Sequence, Timestamp, Version};

/// Full memtables in one run of the highest level, as merging makes them: a million events, of which some 100 MB are in memory
/// until it is written.
const MEMTABLES_A_RUN: usize = 64;
/// The level of such a run, which is never merged; that of a larger one than the writer makes, and of any other.
const LEVELS: [u8; 3] = [2, 1, 0];
/// What a run that the writer makes holds at most.
const WRITTEN_EVENTS_MAX: usize = 46_383;
/// Bytes of blocks between two commits, which the storage keeps in memory. None but the last is synced.
const COMMIT_BYTES: usize = 64 << 20;

/// Where a log that is made anew ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// With the last block.
    Nowhere,
    /// With that event.
    Behind(Sequence),
    /// With the last event that was recorded then or before.
    After(Timestamp),
}

/// A block, verified to its last byte, with what the index has of it.
#[derive(Debug)]
pub struct Ready {
    pub info: BlockInfo,
    bytes: Vec<u8>,
    /// In no order.
    events: Vec<Indexed>,
    dropped: DroppedCounts,
    folded: Vec<Folded>,
}

/// Blocks that follow each other.
#[derive(Debug)]
pub struct Batch {
    pub blocks: Vec<Ready>,
    /// Whether a cut fell within them: no block behind them belongs to the log.
    pub is_last: bool,
}

impl Batch {
    /// Verifies blocks on all processors: checksums, every digest, the chain through each; and cuts them.
    pub fn verified(blocks: Vec<Vec<u8>>, cut: Cut) -> Result<Self, BadBlock> {
        let count = blocks.len();
        let ready: Result<Vec<_>, _> = blocks.into_par_iter().map(|bytes| Ready::of(bytes, cut)).collect();
        let mut is_cut = false;
        let kept = ready?.into_iter().flatten().inspect(|(_, is_whole)| is_cut |= !is_whole);
        let blocks: Vec<Ready> = kept.map(|(ready, _)| ready).collect();
        Ok(Self { is_last: is_cut || blocks.len() < count, blocks })
    }
}

impl Ready {
    /// What of a block lies before the cut, if anything does, and whether that is all of it.
    fn of(bytes: Vec<u8>, cut: Cut) -> Result<Option<(Self, bool)>, BadBlock> {
        let info = BlockInfo::of(&bytes)?;
        let (is_behind, is_whole) = match cut {
            Cut::Nowhere => (false, true),
            Cut::Behind(last) => (info.first > last, info.last <= last),
            Cut::After(time) => (info.first_recorded_at > time, info.last_recorded_at <= time),
        };
        if is_behind {
            return Ok(None);
        }
        if !is_whole {
            let bytes = self::cut(&info, &bytes, cut).map_err(|error| BadBlock::of_error(&error))?;
            return Ok(Self::of(bytes, Cut::Nowhere)?.map(|(ready, _)| (ready, false)));
        }
        let mut events = Vec::new();
        let mut walk = walk_behind(&info);
        let walked = walk.block(info.first, &bytes, &mut |event| events.push(event));
        walked.map_err(|error| BadBlock::of_error(&error))?;
        let (dropped, folded) = (walk.dropped, walk.folded);
        Ok(Some((Self { info, bytes, events, dropped, folded }, true)))
    }

    /// Adds what the index has of the folded events, of which the block tells nothing.
    fn complete<E: From<Error>>(&mut self, next: &mut impl FnMut() -> Result<Option<FoldedEvent>, E>) -> Result<(), E> {
        for Folded { first, last } in std::mem::take(&mut self.folded) {
            for sequence in (first.0..=last.0).map(Sequence) {
                let event = next()?.filter(|event| event.sequence == sequence);
                let lacks =
                    || Error::damaged("the index of folded events", format!("sequence {sequence} is not in it"));
                self.events.push(event.ok_or_else(lacks)?.indexed());
            }
        }
        Ok(())
    }
}

/// The same block up to the cut, which lies within it: one that is not full yet.
pub(super) fn cut(info: &BlockInfo, bytes: &[u8], cut: Cut) -> Result<Vec<u8>, Error> {
    let damaged = |why: &dyn std::fmt::Display| Error::damaged(format!("block {}", info.first), why);
    let opened = block::open(bytes).map_err(|why| damaged(&why))?;
    let body = opened.body().map_err(|why| damaged(&why))?;
    let names = (block::Names::default(), block::Names::default());
    let mut header = block::Header { event_types: names.0, categories: names.1, ..opened.header.clone() };
    let mut records = 0;
    // Of a block that begins before the cut at least one event stays.
    while records < body.records {
        let (sequence, recorded_at) = match body.entry(records).map_err(|why| damaged(&why))? {
            Entry::Event(_, record) => {
                let head = event::Head::decode(&body.bytes[record.envelope]).map_err(|why| damaged(&why))?;
                if is_before(cut, head.sequence, head.recorded_at) {
                    header.add_names(head.event_type, head.stream);
                }
                (head.sequence, head.recorded_at)
            }
            Entry::Folded(fold) if is_before(cut, fold.last, fold.recorded_at) => {
                // Which of the block's names are those of a run is not known.
                header.event_types.add_all(&opened.header.event_types);
                header.categories.add_all(&opened.header.categories);
                (fold.last, fold.recorded_at)
            }
            Entry::Folded(fold) if matches!(cut, Cut::Behind(last) if last < fold.first) => break,
            Entry::Folded(fold) => {
                return Err(Error::InFolded { at: fold.first, first: fold.first, last: fold.last });
            }
        };
        if !is_before(cut, sequence, recorded_at) {
            break;
        }
        records += 1;
    }
    let mut walk = walk_behind(info);
    walk.entries(&opened.header, &body, records, &mut |_| {})?;
    header.count = (walk.last.sequence.0 - info.first.0 + 1) as u32;
    (header.last_recorded_at, header.chain_after) = (walk.last.recorded_at, walk.last.chain);
    let mut parts = body.parts().map_err(|why| damaged(&why))?;
    parts.firsts.truncate(records);
    parts.ends.truncate(records);
    parts.records.truncate(parts.ends.last().map_or(0, |end| *end as usize));
    Ok(block::encode(&header, &parts, block::Codec::None))
}

fn is_before(cut: Cut, sequence: Sequence, recorded_at: Timestamp) -> bool {
    match cut {
        Cut::Nowhere => true,
        Cut::Behind(last) => sequence <= last,
        Cut::After(time) => recorded_at <= time,
    }
}

/// A log's file that is being made from blocks. Dropped before its end, it leaves a file that is no log.
pub struct Rebuild {
    database: Database,
    name: String,
    path: PathBuf,
    head: Head,
    /// First sequence of the last block.
    tail: Sequence,
    /// Events up to here are in runs.
    indexed: Sequence,
    next_run: u64,
    pending: Vec<Indexed>,
    /// Events of a full run.
    run_events: usize,
    id: LogId,
    dropped: DroppedCounts,
}

impl std::fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rebuild").field("name", &self.name).field("head", &self.head).finish_non_exhaustive()
    }
}

impl Rebuild {
    /// Makes a file, which must not exist, for the log of that id, which had been rewritten so often.
    pub fn begin(path: &Path, id: LogId, rewrites: u64, options: &Options) -> Result<Self, Error> {
        let dropped = DroppedCounts { rewrites, ..DroppedCounts::default() };
        let name = format!("\"{}\"", path.display());
        std::fs::File::create_new(path).map_err(storage)?;
        let database = guarded_open(&name, || builder(options).create(path))?;
        guarded(&name, || initialise_as(&database, id))?;
        let path = path.to_owned();
        let head = Head::first(id);
        let (tail, indexed) = (Sequence::ZERO, Sequence::ZERO);
        let (pending, run_events) = (Vec::new(), options.memtable_events * MEMTABLES_A_RUN);
        Ok(Self { database, name, path, head, tail, indexed, next_run: 1, pending, run_events, id, dropped })
    }

    /// Where the log ends so far.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Adds blocks, each of which must go on where the one before ended. `folded` is asked for what the index has of each
    /// folded event in them, in order of sequence.
    pub fn add<E: From<Error>>(
        &mut self,
        mut blocks: Vec<Ready>,
        folded: &mut impl FnMut() -> Result<Option<FoldedEvent>, E>,
    ) -> Result<(), E> {
        for block in &mut blocks {
            block.complete(folded)?;
        }
        let mut blocks = blocks.into_iter().peekable();
        while blocks.peek().is_some() {
            let name = self.name.clone();
            guarded(&name, || self.commit(&mut blocks))?;
        }
        Ok(())
    }

    fn commit(&mut self, blocks: &mut impl Iterator<Item = Ready>) -> Result<(), Error> {
        let mut transaction = self.database.begin_write()?;
        // What is lost with the power is made anew from the same blocks.
        transaction.set_durability(Durability::None).expect("nobody makes savepoints");
        {
            let mut table = transaction.open_table(BLOCKS)?;
            let mut bytes = 0;
            while bytes < COMMIT_BYTES && self.pending.len() < self.run_events {
                let Some(block) = blocks.next() else { break };
                let follows = block.info.follows(&self.head);
                follows.map_err(|why| Error::damaged(format!("block {}", block.info.first), why))?;
                table.insert(block.info.first.0, block.bytes.as_slice())?;
                bytes += block.bytes.len();
                (self.head, self.tail) = (block.info.end(), block.info.first);
                self.dropped.add(block.dropped);
                self.pending.extend(block.events);
            }
        }
        if self.pending.len() >= self.run_events {
            self.write_runs(&transaction)?;
        }
        Ok(transaction.commit()?)
    }

    /// Writes the runs of all events that have none.
    fn write_runs(&mut self, transaction: &WriteTransaction) -> Result<(), Error> {
        let mut events = std::mem::take(&mut self.pending);
        let mut target = Target::open(transaction, self.next_run)?;
        let range = (self.indexed.next(), self.head.sequence);
        let level = match events.len() {
            many if many >= self.run_events => LEVELS[0],
            many if many > WRITTEN_EVENTS_MAX => LEVELS[1],
            _ => LEVELS[2],
        };
        let mut ids: Vec<(Key, Sequence)> = events.par_iter().map(|event| (event.id, event.sequence)).collect();
        ids.par_sort_unstable();
        events.par_sort_unstable_by_key(|event| (event.stream, event.sequence));
        let streams = events.chunk_by(|left, right| left.stream == right.stream);
        let count = streams.clone().count();
        target.write_sorted(level, range, &ids, (count, streams.map(entry)))?;
        (self.indexed, self.next_run) = (self.head.sequence, target.next);
        Ok(())
    }

    /// Writes what is left; the log is durable on return, in a folder that the caller makes durable.
    pub fn finish(mut self) -> Result<Head, Error> {
        let name = self.name.clone();
        guarded(&name, || {
            let transaction = self.database.begin_write()?;
            if !self.pending.is_empty() {
                self.write_runs(&transaction)?;
            }
            let Self { id, head, tail, indexed, next_run, dropped, .. } = self;
            let meta = Meta { id, head, tail, indexed, next_run, dropped };
            transaction.open_table(META)?.insert(META_KEY, meta.encode().as_slice())?;
            transaction.commit()?;
            settling(self.database.begin_write()?).commit()?;
            drop(self.database);
            Ok(head)
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What a run says of a stream, whose events go from old to new.
fn entry(events: &[Indexed]) -> StreamEntry {
    let first_version: Version = events[0].version;
    let sequences = events.iter().map(|event| event.sequence).collect();
    StreamEntry { key: events[0].stream, first_version, sequences }
}
