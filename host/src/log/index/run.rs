//! A run: the index of a contiguous range of events, sorted by key, written once.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use redb::{ReadOnlyTable, Table};

use super::Key;
use super::filter::{self, Filter};
use super::memtable::StreamEntry;
use super::page::{Page, PageBuilder, VALUE_BYTES_MAX};
use crate::event::{Sequence, Version};
use crate::log::bytes::{Input, Malformed, put_varint, seal, unseal, varint_bytes};
use crate::log::error::Error;

/// Sequences an entry: so many are decoded to find one.
const SEQUENCES_MAX: usize = 4096;

/// Ten billion keys. Memory is taken for what a run says before a piece of its filter is read.
const FILTER_BLOCKS_MAX: u64 = 1 << 28;

/// What a run's keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log) enum Kind {
    Ids,
    Streams,
}

/// What the `runs` table says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log) struct Info {
    pub(in crate::log) number: u64,
    pub(in crate::log) kind: Kind,
    /// How many times its entries were merged.
    pub(in crate::log) level: u8,
    pub(in crate::log) first: Sequence,
    pub(in crate::log) last: Sequence,
    pub(in crate::log) entries: u64,
    pub(in crate::log) filter_blocks: u64,
    /// Pages and filter together.
    pub(in crate::log) bytes: u64,
}

impl Info {
    pub(in crate::log) fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Ids => 0,
            Kind::Streams => 1,
        };
        let mut out = vec![kind, self.level];
        for number in [self.first.0, self.last.0, self.entries, self.filter_blocks, self.bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        seal(&mut out);
        out
    }

    pub(in crate::log) fn decode(number: u64, bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(unseal(bytes)?);
        let kind = match input.u8()? {
            0 => Kind::Ids,
            1 => Kind::Streams,
            _ => return Err(Malformed("a kind of run that a newer polyfold wrote")),
        };
        let info = Self {
            number,
            kind,
            level: input.u8()?,
            first: Sequence(input.u64()?),
            last: Sequence(input.u64()?),
            entries: input.u64()?,
            filter_blocks: input.u64()?,
            bytes: input.u64()?,
        };
        input.end()?;
        if info.filter_blocks > FILTER_BLOCKS_MAX {
            return Err(Malformed("its filter is larger than any"));
        }
        Ok(info)
    }

    /// The key of the page that starts with that entry.
    pub(in crate::log) fn page_key(&self, key: Key, version: Version) -> [u8; 32] {
        page_key(self.number, key, version)
    }

    /// The keys that its pages can have.
    pub(in crate::log) fn pages(&self) -> RangeInclusive<[u8; 32]> {
        self.page_key(Key(0), Version(0))..=self.page_key(Key(u128::MAX), Version(u64::MAX))
    }

    /// The keys that the pieces of its filter can have.
    pub(in crate::log) fn pieces(&self) -> RangeInclusive<[u8; 12]> {
        piece_key(self.number, 0)..=piece_key(self.number, u32::MAX as usize)
    }
}

fn page_key(run: u64, key: Key, version: Version) -> [u8; 32] {
    let mut out = [0; 32];
    out[..8].copy_from_slice(&run.to_be_bytes());
    out[8..24].copy_from_slice(&key.bytes());
    out[24..].copy_from_slice(&version.0.to_be_bytes());
    out
}

fn piece_key(run: u64, piece: usize) -> [u8; 12] {
    let mut out = [0; 12];
    out[..8].copy_from_slice(&run.to_be_bytes());
    out[8..].copy_from_slice(&(piece as u32).to_be_bytes());
    out
}

/// A run that is in the file, with the pieces of its filter that were needed so far.
#[derive(Debug)]
pub(in crate::log) struct Run {
    pub(in crate::log) info: Info,
    pieces: Box<[OnceLock<Box<[u8]>>]>,
}

/// Pages and filters, as of one snapshot.
pub(in crate::log) struct Tables {
    pub(in crate::log) pages: ReadOnlyTable<[u8; 32], &'static [u8]>,
    pub(in crate::log) filters: ReadOnlyTable<[u8; 12], &'static [u8]>,
}

impl Run {
    pub(in crate::log) fn new(info: Info) -> Self {
        let pieces = (0..filter::pieces_of(info.filter_blocks)).map(|_| OnceLock::new()).collect();
        Self { info, pieces }
    }

    /// What an error calls it.
    pub(in crate::log) fn name(&self) -> String {
        let kind = match self.info.kind {
            Kind::Ids => "id",
            Kind::Streams => "stream",
        };
        format!("{kind} index run {} (sequences {} to {})", self.info.number, self.info.first, self.info.last)
    }

    pub(in crate::log) fn damaged(&self, why: impl std::fmt::Display) -> Error {
        Error::damaged(self.name(), why)
    }

    /// Whether the filter leaves open that the key is there.
    pub(in crate::log) fn may_hold(&self, key: Key, tables: &Tables) -> Result<bool, Error> {
        let (piece, block) = filter::place_of(key, self.info.filter_blocks);
        let Some(slot) = self.pieces.get(piece) else { return Ok(true) };
        if let Some(piece) = slot.get() {
            return Ok(filter::may_hold(piece, block, key));
        }
        let loaded = self.load_piece(piece, tables)?;
        Ok(filter::may_hold(slot.get_or_init(|| loaded), block, key))
    }

    pub(in crate::log) fn load_piece(&self, piece: usize, tables: &Tables) -> Result<Box<[u8]>, Error> {
        let stored = tables.filters.get(piece_key(self.info.number, piece))?;
        let stored = stored.ok_or_else(|| self.damaged(format!("piece {piece} of its filter is missing")))?;
        let content =
            unseal(stored.value()).map_err(|why| self.damaged(format!("piece {piece} of its filter: {why}")))?;
        Ok(content.into())
    }

    pub(in crate::log) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    pub(in crate::log) fn sequence_of(&self, value: &[u8]) -> Result<Sequence, Error> {
        let relative = Input(value).varint().map_err(|why| self.damaged(why))?;
        Ok(Sequence(self.info.first.0.saturating_add(relative)))
    }

    pub(in crate::log) fn stream_of(&self, value: &[u8]) -> Result<StreamValue, Error> {
        StreamValue::read(value).map_err(|why| self.damaged(why))
    }

    /// All the sequences of a stream's entry, with the version of the first.
    pub(in crate::log) fn stream_entry(&self, key: Key, value: &[u8]) -> Result<StreamEntry, Error> {
        let mut input = Input(value);
        let mut read = || -> Result<StreamEntry, Malformed> {
            let StreamValue { first_version, count } = StreamValue::begin(&mut input)?;
            let mut sequence = self.info.first.0;
            let mut sequences = Vec::with_capacity(count.min(SEQUENCES_MAX as u64) as usize);
            for _ in 0..count {
                sequence = sequence.checked_add(input.varint()?).ok_or(Malformed("a sequence is too large"))?;
                sequences.push(Sequence(sequence));
            }
            input.end()?;
            Ok(StreamEntry { key, first_version, sequences })
        };
        read().map_err(|why| self.damaged(why))
    }
}

/// The first numbers of a stream's entry: all that the latest version takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::log) struct StreamValue {
    pub(in crate::log) first_version: Version,
    pub(in crate::log) count: u64,
}

impl StreamValue {
    fn read(value: &[u8]) -> Result<Self, Malformed> {
        Self::begin(&mut Input(value))
    }

    fn begin(input: &mut Input<'_>) -> Result<Self, Malformed> {
        let (first_version, count) = (Version(input.varint()?), input.varint()?);
        // Who looks for a version takes the first sequence.
        if count == 0 {
            return Err(Malformed("an entry of a stream has no sequences"));
        }
        Ok(Self { first_version, count })
    }

    pub(in crate::log) fn last_version(&self) -> Version {
        Version(self.first_version.0.saturating_add(self.count).saturating_sub(1))
    }
}

/// Looks keys up in one run; in order of key it reads each page once.
pub(in crate::log) struct Cursor<'a> {
    pub(in crate::log) run: &'a Run,
    tables: &'a Tables,
    page: Option<Page>,
    /// The stream's entry decoded last.
    pub(in crate::log) entry: Option<StreamEntry>,
}

impl<'a> Cursor<'a> {
    pub(in crate::log) fn new(run: &'a Run, tables: &'a Tables) -> Self {
        Self { run, tables, page: None, entry: None }
    }

    /// The last page that starts at or before that key and version.
    pub(in crate::log) fn seek(&mut self, key: Key, version: Version) -> Result<Option<&Page>, Error> {
        if !self.page.as_ref().is_some_and(|page| page.first() < key && key < page.last()) {
            let info = &self.run.info;
            let range = info.page_key(Key(0), Version(0))..=info.page_key(key, version);
            self.page = match self.tables.pages.range(range)?.next_back() {
                Some(found) => Some(self.open(found?.1.value())?),
                None => None,
            };
        }
        Ok(self.page.as_ref())
    }

    /// Every page from that key and version on.
    pub(in crate::log) fn pages(&self, key: Key, version: Version) -> Result<Pages<'a>, Error> {
        let info = &self.run.info;
        let mut start = self.tables.pages.range(info.page_key(Key(0), Version(0))..=info.page_key(key, version))?;
        let start = start.next_back().transpose()?.map(|(first, _)| first.value());
        let start = start.unwrap_or_else(|| info.page_key(Key(0), Version(0)));
        let range = self.tables.pages.range(start..=info.page_key(Key(u128::MAX), Version(u64::MAX)))?;
        Ok(Pages { run: self.run, range })
    }

    fn open(&self, bytes: &[u8]) -> Result<Page, Error> {
        Page::open(bytes).map_err(|why| self.run.damaged(why))
    }
}

/// Pages of a run, in order.
pub(in crate::log) struct Pages<'a> {
    run: &'a Run,
    range: redb::Range<'a, [u8; 32], &'static [u8]>,
}

impl Iterator for Pages<'_> {
    type Item = Result<Page, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.range.next().map(|found| Page::open(found?.1.value()).map_err(|why| self.run.damaged(why)))
    }
}

/// Writes a run; entries come in order of key and version.
pub(in crate::log) struct RunWriter<'a, 't> {
    pages: &'a mut Table<'t, [u8; 32], &'static [u8]>,
    filters: &'a mut Table<'t, [u8; 12], &'static [u8]>,
    info: Info,
    filter: Filter,
    builder: PageBuilder,
    page_key: [u8; 32],
    value: Vec<u8>,
}

impl<'a, 't> RunWriter<'a, 't> {
    /// `info` says number, kind, level and range; `keys_max` bounds its distinct keys.
    pub(in crate::log) fn new(
        pages: &'a mut Table<'t, [u8; 32], &'static [u8]>,
        filters: &'a mut Table<'t, [u8; 12], &'static [u8]>,
        info: Info,
        keys_max: u64,
    ) -> Self {
        let filter = Filter::new(keys_max);
        let info = Info { filter_blocks: filter.blocks(), entries: 0, bytes: 0, ..info };
        Self { pages, filters, info, filter, builder: PageBuilder::default(), page_key: [0; 32], value: Vec::new() }
    }

    pub(in crate::log) fn push_id(&mut self, key: Key, sequence: Sequence) -> Result<(), Error> {
        self.filter.add(key);
        self.value.clear();
        put_varint(&mut self.value, sequence.0 - self.info.first.0);
        self.push(key, Version::ZERO)
    }

    pub(in crate::log) fn push_stream(&mut self, entry: &StreamEntry) -> Result<(), Error> {
        self.filter.add(entry.key);
        let (mut version, mut rest) = (entry.first_version, entry.sequences.as_slice());
        while !rest.is_empty() {
            let count = self.pack(version, rest);
            self.push(entry.key, version)?;
            version = Version(version.0 + count as u64);
            rest = &rest[count..];
        }
        Ok(())
    }

    /// Fills `value` with as many sequences as one entry takes, and says how many.
    fn pack(&mut self, version: Version, sequences: &[Sequence]) -> usize {
        let mut deltas = Vec::new();
        let (mut before, mut count) = (self.info.first.0, 0);
        for sequence in &sequences[..sequences.len().min(SEQUENCES_MAX)] {
            let delta = sequence.0 - before;
            if deltas.len() + varint_bytes(delta) > VALUE_BYTES_MAX - 20 {
                break;
            }
            put_varint(&mut deltas, delta);
            (before, count) = (sequence.0, count + 1);
        }
        self.value.clear();
        put_varint(&mut self.value, version.0);
        put_varint(&mut self.value, count as u64);
        self.value.append(&mut deltas);
        count
    }

    fn push(&mut self, key: Key, version: Version) -> Result<(), Error> {
        if !self.builder.fits(self.value.len()) {
            self.flush()?;
        }
        if self.builder.is_empty() {
            self.page_key = self.info.page_key(key, version);
        }
        self.builder.push(key, &self.value);
        self.info.entries += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let page = self.builder.finish();
        self.info.bytes += page.len() as u64;
        self.pages.insert(self.page_key, page.as_slice())?;
        Ok(())
    }

    /// Writes what is left and the filter, and says what the run has become.
    pub(in crate::log) fn finish(mut self) -> Result<Info, Error> {
        if !self.builder.is_empty() {
            self.flush()?;
        }
        for (piece, bytes) in self.filter.pieces().enumerate() {
            let mut sealed = bytes.to_vec();
            seal(&mut sealed);
            self.info.bytes += sealed.len() as u64;
            self.filters.insert(piece_key(self.info.number, piece), sealed.as_slice())?;
        }
        Ok(self.info)
    }
}

/// Removes a run's pages and filter.
pub(in crate::log) fn remove(
    pages: &mut Table<'_, [u8; 32], &'static [u8]>,
    filters: &mut Table<'_, [u8; 12], &'static [u8]>,
    info: &Info,
) -> Result<(), Error> {
    pages.retain_in(info.pages(), |_, _| false)?;
    filters.retain_in(info.pieces(), |_, _| false)?;
    Ok(())
}
