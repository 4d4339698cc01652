//! Writing runs: the full memtable becomes one, and eight of a size become the next size.

use redb::{Table, WriteTransaction};

use super::Key;
use super::memtable::{Memtable, StreamEntry};
use super::page::Page;
use super::run::{Cursor, Info, Kind, Pages, Run, RunWriter, Tables, remove};
use crate::event::{Sequence, Version};
use crate::log::error::Error;
use crate::log::tables::{FILTERS, PAGES, RUNS};

/// Runs are merged so many at a time, so a log has at most this many of each small size to ask.
pub(in crate::log) const FAN_IN: usize = 8;
/// Runs of this level stay: 16,384 × 8 × 8, about a million entries, merge in a fraction of a second.
const LEVEL_MAX: u8 = 2;

/// The tables that runs are written to.
pub(in crate::log) struct Target<'t> {
    runs: Table<'t, u64, &'static [u8]>,
    pages: Table<'t, [u8; 32], &'static [u8]>,
    filters: Table<'t, [u8; 12], &'static [u8]>,
    /// The number of the next run.
    pub(in crate::log) next: u64,
}

impl<'t> Target<'t> {
    pub(in crate::log) fn open(transaction: &'t WriteTransaction, next: u64) -> Result<Self, Error> {
        let runs = transaction.open_table(RUNS)?;
        Ok(Self { runs, pages: transaction.open_table(PAGES)?, filters: transaction.open_table(FILTERS)?, next })
    }

    /// Writes a memtable's runs: its ids and its streams.
    pub(in crate::log) fn write(
        &mut self,
        memtable: &Memtable,
        range: (Sequence, Sequence),
    ) -> Result<[Info; 2], Error> {
        let streams = memtable.sorted_streams();
        self.write_sorted(0, range, &memtable.sorted_ids(), (streams.len(), streams.into_iter()))
    }

    /// Writes the two runs of a range of events: its ids by key, and its streams by key, of which there are so many.
    pub(in crate::log) fn write_sorted(
        &mut self,
        level: u8,
        range: (Sequence, Sequence),
        ids: &[(Key, Sequence)],
        (streams_max, streams): (usize, impl Iterator<Item = StreamEntry>),
    ) -> Result<[Info; 2], Error> {
        let mut writer = self.writer(Kind::Ids, level, range, ids.len() as u64);
        for (key, sequence) in ids {
            writer.push_id(*key, *sequence)?;
        }
        let ids = writer.finish()?;
        self.add(&ids)?;
        let mut writer = self.writer(Kind::Streams, level, range, streams_max as u64);
        for entry in streams {
            writer.push_stream(&entry)?;
        }
        let streams = writer.finish()?;
        self.add(&streams)?;
        Ok([ids, streams])
    }

    /// Merges runs of one level that follow each other into one of the next.
    pub(in crate::log) fn merge(&mut self, runs: &[&Run], tables: &Tables) -> Result<Info, Error> {
        let (oldest, newest) = (runs[0].info, runs[runs.len() - 1].info);
        let entries = runs.iter().map(|run| run.info.entries).sum();
        let mut sources = runs.iter().map(|run| Source::open(run, tables)).collect::<Result<Vec<_>, _>>()?;
        let mut writer = self.writer(oldest.kind, oldest.level + 1, (oldest.first, newest.last), entries);
        match oldest.kind {
            Kind::Ids => merge_ids(&mut sources, &mut writer)?,
            Kind::Streams => merge_streams(&mut sources, &mut writer)?,
        }
        let merged = writer.finish()?;
        for run in runs {
            self.runs.remove(run.info.number)?;
            remove(&mut self.pages, &mut self.filters, &run.info)?;
        }
        self.add(&merged)?;
        Ok(merged)
    }

    fn writer(&mut self, kind: Kind, level: u8, range: (Sequence, Sequence), keys_max: u64) -> RunWriter<'_, 't> {
        let number = self.next;
        self.next += 1;
        let (first, last) = range;
        let info = Info { number, kind, level, first, last, entries: 0, filter_blocks: 0, bytes: 0 };
        RunWriter::new(&mut self.pages, &mut self.filters, info, keys_max)
    }

    fn add(&mut self, info: &Info) -> Result<(), Error> {
        self.runs.insert(info.number, info.encode().as_slice())?;
        Ok(())
    }
}

/// The oldest runs of the largest level that has enough of them to merge; `runs` go from old to new.
pub(in crate::log) fn due(runs: &[std::sync::Arc<Run>]) -> Option<std::ops::Range<usize>> {
    (0..LEVEL_MAX).rev().find_map(|level| {
        let start = runs.iter().position(|run| run.info.level == level)?;
        let count = runs[start..].iter().take_while(|run| run.info.level == level).count();
        (count >= FAN_IN).then_some(start..start + FAN_IN)
    })
}

fn merge_ids(sources: &mut [Source<'_>], writer: &mut RunWriter<'_, '_>) -> Result<(), Error> {
    while let Some((index, key)) = smallest(sources) {
        let sequence = sources[index].run.sequence_of(sources[index].value())?;
        writer.push_id(key, sequence)?;
        sources[index].advance()?;
    }
    Ok(())
}

fn merge_streams(sources: &mut [Source<'_>], writer: &mut RunWriter<'_, '_>) -> Result<(), Error> {
    while let Some((_, key)) = smallest(sources) {
        let mut merged: Option<StreamEntry> = None;
        // Sources go from old to new, so versions rise.
        for source in sources.iter_mut() {
            while source.key() == Some(key) {
                let entry = source.run.stream_entry(key, source.value())?;
                match &mut merged {
                    None => merged = Some(entry),
                    Some(merged) => merged.sequences.extend(entry.sequences),
                }
                source.advance()?;
            }
        }
        writer.push_stream(&merged.expect("a source has the key"))?;
    }
    Ok(())
}

/// The source with the smallest key; of equals the oldest.
fn smallest(sources: &[Source<'_>]) -> Option<(usize, Key)> {
    let keys = sources.iter().enumerate().filter_map(|(index, source)| Some((index, source.key()?)));
    keys.min_by_key(|(_, key)| *key)
}

/// The entries of a run, one after the other.
struct Source<'a> {
    run: &'a Run,
    pages: Pages<'a>,
    page: Option<Page>,
    index: usize,
    /// The key of the entry in hand.
    key: Option<Key>,
}

impl<'a> Source<'a> {
    fn open(run: &'a Run, tables: &'a Tables) -> Result<Self, Error> {
        let pages = Cursor::new(run, tables).pages(Key(0), Version(0))?;
        let mut source = Self { run, pages, page: None, index: 0, key: None };
        source.next_page()?;
        Ok(source)
    }

    fn key(&self) -> Option<Key> {
        self.key
    }

    fn value(&self) -> &[u8] {
        self.page.as_ref().expect("there is a key").entry(self.index).1
    }

    fn advance(&mut self) -> Result<(), Error> {
        self.index += 1;
        match &self.page {
            Some(page) if self.index < page.len() => self.key = Some(page.key(self.index)),
            Some(_) | None => self.next_page()?,
        }
        Ok(())
    }

    fn next_page(&mut self) -> Result<(), Error> {
        self.page = self.pages.next().transpose()?;
        self.index = 0;
        self.key = self.page.as_ref().map(Page::first);
        Ok(())
    }
}
