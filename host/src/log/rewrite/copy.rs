//! A new file for a log: its blocks as they are to be, its indexes as they are.

use std::collections::BTreeSet;

use redb::{Database, Durability, ReadTransaction, ReadableTable, WriteTransaction};

use super::cutter::Cutter;
use crate::event::{Batch, Dropped, EventRef, Filter, Sequence, Stored, Why};
use crate::log::block::{self, Codec, Entry};
use crate::log::blocks::RawBlock;
use crate::log::error::Error;
use crate::log::file::{initialise_as, load_runs};
use crate::log::index::memtable::Memtable;
use crate::log::index::merge::Target;
use crate::log::index::run::{Info, remove};
use crate::log::reader::{Query, Reader};
use crate::log::state::State;
use crate::log::tables::{BLOCKS, DroppedCounts, FILTERS, Head, META, META_KEY, Meta, PAGES, RUNS};
use crate::log::tail::Tail;
use crate::log::writer::settling;

/// Bytes between two commits, which the storage keeps in memory. None but the last is synced.
const COMMIT_BYTES: usize = 32 << 20;

/// Says what becomes of an event's payload.
pub(super) type Decide<'a> = dyn FnMut(&EventRef<'_>) -> Option<Why> + 'a;

/// A log's file that is being made from another.
pub(super) struct Copy<'a> {
    database: Database,
    cutter: Cutter<'a>,
    /// Payloads that were dropped, and their bytes.
    pub(super) events_dropped: u64,
    pub(super) bytes_dropped: u64,
}

impl<'a> Copy<'a> {
    /// A copy into an empty database.
    pub(super) fn begin(
        database: Database,
        reader: &Reader,
        fold: bool,
        boundaries: &'a BTreeSet<Sequence>,
    ) -> Result<Self, Error> {
        initialise_as(&database, reader.id)?;
        let cutter = Cutter::new(Head::first(reader.id), fold, boundaries);
        Ok(Self { database, cutter, events_dropped: 0, bytes_dropped: 0 })
    }

    /// How far the copy has come.
    pub(super) fn reached(&self) -> Sequence {
        self.cutter.head.sequence
    }

    /// Takes all events that are not there yet; `decide` is asked of each that has a payload.
    pub(super) fn blocks(
        &mut self,
        reader: &Reader,
        decide: &mut Decide<'_>,
        progress: &mut dyn FnMut(Sequence),
    ) -> Result<(), Error> {
        let next = self.reached().next();
        if next > reader.head().sequence {
            return Ok(());
        }
        let mut bytes = 0;
        for raw in reader.raw_blocks(reader.block_of(next)?.first)? {
            let raw = raw?;
            let last = raw.info.last;
            bytes += raw.bytes.len();
            self.block(raw, last == reader.head().sequence, decide)?;
            if bytes >= COMMIT_BYTES {
                bytes = 0;
                self.commit()?;
            }
            progress(last);
        }
        self.commit()
    }

    /// Takes all events one by one, as a reader with archives has them.
    pub(super) fn events(&mut self, reader: &Reader, progress: &mut dyn FnMut(Sequence)) -> Result<(), Error> {
        const PAGE_EVENTS: usize = 8_192;
        let mut bytes = 0;
        while self.reached() < reader.head().sequence {
            let query = Query { from: self.reached().next(), to: None, filter: Filter::all() };
            let page = reader.read(&query, PAGE_EVENTS, COMMIT_BYTES)?;
            if let Some(folded) = page.folded.first() {
                return Err(Error::NotArchived { first: folded.first, last: folded.last });
            }
            for event in page.batch.iter() {
                self.cutter.event(event.envelope_bytes(), event.recorded_at, event.payload);
            }
            bytes += page.batch.payload_bytes();
            if bytes >= COMMIT_BYTES {
                bytes = 0;
                self.commit()?;
            }
            progress(self.reached());
        }
        if self.cutter.head.chain != reader.head().chain {
            return Err(Error::damaged("the archive", "its events are not those of the log's chain"));
        }
        self.commit()
    }

    fn block(&mut self, raw: RawBlock, is_last: bool, decide: &mut Decide<'_>) -> Result<(), Error> {
        let damaged = |why: &dyn std::fmt::Display| Error::damaged(format!("block {}", raw.info.first), why);
        let opened = block::open(&raw.bytes).map_err(|why| damaged(&why))?;
        let body = opened.body().map_err(|why| damaged(&why))?;
        let mut batch = Batch::new();
        let buffer = batch.add_buffer(body.bytes.clone());
        let (mut folds, mut dropped) = (Vec::new(), DroppedCounts::default());
        for index in 0..body.records {
            match body.entry(index).map_err(|why| damaged(&why))? {
                Entry::Event(_, record) => {
                    batch
                        .push_stored(buffer, record.envelope, record.payload, |_| true)
                        .map_err(|why| damaged(&why))?;
                }
                Entry::Folded(fold) => {
                    dropped.add(DroppedCounts { folded: fold.count(), bytes: fold.dropped_bytes, ..dropped_none() });
                    folds.push(fold);
                }
            }
        }
        let mut decided: Vec<Option<Why>> = Vec::with_capacity(batch.len());
        for event in batch.iter() {
            // What lies before is there already.
            let is_new = event.sequence > self.reached();
            decided.push(if is_new && event.payload().is_some() { decide(&event) } else { None });
            if let Stored::Dropped(gone) = event.payload {
                dropped.add(DroppedCounts { stubs: 1, bytes: gone.bytes.into(), ..dropped_none() });
            }
        }
        let stays = decided.iter().all(Option::is_none) && !(self.cutter.folds() && opened.header.is_compacted);
        let follows = opened.header.first == self.reached().next();
        if stays && follows && !is_last && self.cutter.takes_blocks() {
            let header = opened.header.clone();
            self.cutter.block(&header, raw.bytes, dropped);
            return Ok(());
        }
        let mut folds = folds.into_iter().peekable();
        for (event, why) in batch.iter().zip(decided) {
            while let Some(fold) = folds.next_if(|fold| fold.first < event.sequence) {
                if fold.first > self.reached() {
                    self.cutter.folded(&fold, &opened.header);
                }
            }
            if event.sequence > self.reached() {
                let payload = self.payload_of(&event, why);
                self.cutter.event(event.envelope_bytes(), event.recorded_at, payload);
            }
        }
        for fold in folds {
            if fold.first > self.reached() {
                self.cutter.folded(&fold, &opened.header);
            }
        }
        let end = self.cutter.head;
        if (end.sequence, end.chain) != (raw.info.last, raw.info.chain_after) {
            return Err(damaged(&"its chain is not that of its events"));
        }
        Ok(())
    }

    fn payload_of<'e>(&mut self, event: &EventRef<'e>, why: Option<Why>) -> Stored<&'e [u8]> {
        let (Some(why), Stored::Whole(payload)) = (why, event.payload) else { return event.payload };
        self.events_dropped += 1;
        self.bytes_dropped += payload.len() as u64;
        // What is forgotten need not be dropped; who drops it means that nobody may have it.
        let why = if why.is_erased() { Why::Redacted } else { Why::Compacted };
        Stored::Dropped(Dropped { why, bytes: payload.len() as u32, digest: event.payload.digest() })
    }

    /// Writes the blocks that are full.
    fn commit(&mut self) -> Result<(), Error> {
        let transaction = self.transaction()?;
        self.put_full(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// A transaction that is durable only with the last one: what is lost with the power is no log yet.
    fn transaction(&self) -> Result<WriteTransaction, Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::None).expect("nobody makes savepoints");
        Ok(transaction)
    }

    fn put_full(&mut self, transaction: &WriteTransaction) -> Result<(), Error> {
        let mut table = transaction.open_table(BLOCKS)?;
        for block in self.cutter.full.drain(..) {
            table.insert(block.first.0, block.bytes.as_slice())?;
        }
        Ok(())
    }

    /// Makes the indexes those of a snapshot: what it has of runs stays, and those that were merged go.
    pub(super) fn runs(&mut self, from: &ReadTransaction) -> Result<(), Error> {
        let transaction = self.transaction()?;
        let (mut known, mut wanted) = (BTreeSet::new(), Vec::new());
        {
            let mut runs = transaction.open_table(RUNS)?;
            let (mut pages, mut filters) = (transaction.open_table(PAGES)?, transaction.open_table(FILTERS)?);
            let source = from.open_table(RUNS)?;
            for row in source.iter()? {
                let (number, info) = row?;
                wanted.push((number.value(), info.value().to_vec()));
            }
            let mut gone = Vec::new();
            for row in runs.iter()? {
                let (number, info) = row?;
                known.insert(number.value());
                if wanted.iter().all(|(wanted, _)| *wanted != number.value()) {
                    gone.push(info_of(number.value(), info.value())?);
                }
            }
            for info in gone {
                runs.remove(info.number)?;
                remove(&mut pages, &mut filters, &info)?;
            }
        }
        transaction.commit()?;
        for (number, info) in wanted.into_iter().filter(|(number, _)| !known.contains(number)) {
            self.run(from, number, &info)?;
        }
        Ok(())
    }

    /// Copies a run, which is a few hundred kilobytes, or some 50 MB at most.
    fn run(&mut self, from: &ReadTransaction, number: u64, info: &[u8]) -> Result<(), Error> {
        let places = info_of(number, info)?;
        let transaction = self.transaction()?;
        {
            transaction.open_table(RUNS)?.insert(number, info)?;
            let (mut pages, mut filters) = (transaction.open_table(PAGES)?, transaction.open_table(FILTERS)?);
            for row in from.open_table(PAGES)?.range(places.pages())? {
                let (key, page) = row?;
                pages.insert(key.value(), page.value())?;
            }
            for row in from.open_table(FILTERS)?.range(places.pieces())? {
                let (key, piece) = row?;
                filters.insert(key.value(), piece.value())?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Writes what is left, and says how many events were folded; the file is durable on return. `state` is that of the log,
    /// all of whose blocks and runs are there.
    pub(super) fn finish(mut self, state: &State) -> Result<(Database, State, Option<Tail>, u64), Error> {
        let (meta, head) = (state.meta, state.meta.head);
        let tail = self.cutter.finish();
        let transaction = settling(self.database.begin_write()?);
        self.put_full(&transaction)?;
        if let Some(tail) = &tail {
            let bytes = tail.encode(Codec::None).bytes;
            transaction.open_table(BLOCKS)?.insert(tail.header.first.0, bytes.as_slice())?;
        }
        let mut next_run = meta.next_run;
        // An event may be folded now, and then its block does not tell what is in the index: so all of it goes to disk.
        if meta.indexed < head.sequence {
            let memtable = state.memtable.read().expect("nobody panics with the memtable");
            let mut target = Target::open(&transaction, next_run)?;
            target.write(&memtable, (meta.indexed.next(), head.sequence))?;
            next_run = target.next;
        }
        let meta = Meta {
            tail: tail.as_ref().map_or(Sequence::ZERO, |tail| tail.header.first),
            indexed: head.sequence,
            next_run,
            dropped: DroppedCounts { rewrites: meta.dropped.rewrites + 1, ..self.cutter.dropped },
            ..meta
        };
        transaction.open_table(META)?.insert(META_KEY, meta.encode().as_slice())?;
        transaction.commit()?;
        let runs = load_runs(&redb::ReadableDatabase::begin_read(&self.database)?)?;
        let memtable = std::sync::RwLock::new(Memtable::new(head.sequence.next()));
        Ok((self.database, State { meta, memtable: memtable.into(), runs: runs.into() }, tail, self.cutter.folded))
    }
}

fn info_of(number: u64, bytes: &[u8]) -> Result<Info, Error> {
    Info::decode(number, bytes).map_err(|why| Error::damaged(format!("index run {number}"), why))
}

fn dropped_none() -> DroppedCounts {
    DroppedCounts::default()
}
