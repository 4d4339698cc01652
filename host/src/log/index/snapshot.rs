//! Looking up ids and streams as of one head.

use std::sync::{Arc, RwLock};

use super::memtable::{Memtable, StreamEntry};
use super::page::Page;
use super::run::{Cursor, Run, Tables};
use super::{Key, KeyMap};
use crate::event::{Sequence, Version};
use crate::log::error::Error;

/// The runs of a log, each list from old to new.
#[derive(Clone, Debug, Default)]
pub(in crate::log) struct Runs {
    pub(in crate::log) ids: Vec<Arc<Run>>,
    pub(in crate::log) streams: Vec<Arc<Run>>,
}

/// The index as of one head.
pub(in crate::log) struct Snapshot {
    pub(in crate::log) head: Sequence,
    pub(in crate::log) memtable: Arc<RwLock<Memtable>>,
    pub(in crate::log) runs: Arc<Runs>,
    pub(in crate::log) tables: Tables,
}

impl Snapshot {
    /// Calls `found` for each of the keys, in rising order, that is an id in the log, with where it is.
    pub(in crate::log) fn find_ids(&self, keys: &[Key], mut found: impl FnMut(Key, Sequence)) -> Result<(), Error> {
        self.with_memtable(|memtable| {
            let known = keys.iter().filter_map(|key| Some((*key, memtable.find(*key, self.head)?)));
            known.for_each(|(key, sequence)| found(key, sequence));
        });
        for run in &self.runs.ids {
            let mut cursor = Cursor::new(run, &self.tables);
            for key in keys {
                if !run.may_hold(*key, &self.tables)? {
                    continue;
                }
                let Some(page) = cursor.seek(*key, Version(u64::MAX))? else { continue };
                let matches = entries_of(page, *key);
                for value in matches {
                    found(*key, run.sequence_of(value)?);
                }
            }
        }
        Ok(())
    }

    /// The last versions of those of these streams, in rising order of key, that have events.
    pub(in crate::log) fn versions(&self, keys: &[Key]) -> Result<KeyMap<Version>, Error> {
        let mut versions = KeyMap::default();
        self.with_memtable(|memtable| {
            let known = keys.iter().filter_map(|key| Some((*key, memtable.version(*key, self.head)?)));
            versions.extend(known);
        });
        let mut missing: Vec<Key> = keys.iter().copied().filter(|key| !versions.contains_key(key)).collect();
        for run in self.runs.streams.iter().rev() {
            let before = versions.len();
            let mut cursor = Cursor::new(run, &self.tables);
            for key in &missing {
                if !run.may_hold(*key, &self.tables)? {
                    continue;
                }
                let Some(page) = cursor.seek(*key, Version(u64::MAX))? else { continue };
                if let Some(value) = entries_of(page, *key).last() {
                    versions.insert(*key, run.stream_of(value)?.last_version());
                }
            }
            if versions.len() > before {
                missing.retain(|key| !versions.contains_key(key));
            }
        }
        Ok(versions)
    }

    /// At most `max` events of a stream from a version on, oldest first.
    pub(in crate::log) fn stream(&self, key: Key, from: Version, max: usize) -> Result<Vec<Sequence>, Error> {
        let mut sequences = Vec::new();
        let mut take = |entry: StreamEntry| {
            let skipped = from.0.saturating_sub(entry.first_version.0).min(entry.sequences.len() as u64) as usize;
            let room = max - sequences.len();
            sequences.extend(entry.sequences[skipped..].iter().take(room));
            sequences.len() < max
        };
        for run in &self.runs.streams {
            if run.may_hold(key, &self.tables)? && !scan_stream(run, &self.tables, key, from, &mut take)? {
                return Ok(sequences);
            }
        }
        let newest = self.with_memtable(|memtable| memtable.stream(key, from, self.head));
        newest.map(take);
        Ok(sequences)
    }

    /// Where a stream's version is, for many at once, in rising order of key.
    pub(in crate::log) fn locate(&self, wanted: &[(Key, Version)]) -> Result<Vec<Option<Sequence>>, Error> {
        let mut places = vec![None; wanted.len()];
        self.with_memtable(|memtable| {
            for ((key, version), place) in wanted.iter().zip(&mut places) {
                let entry = memtable.stream(*key, *version, self.head);
                *place = entry.filter(|entry| entry.first_version == *version).map(|entry| entry.sequences[0]);
            }
        });
        for run in &self.runs.streams {
            let mut cursor = Cursor::new(run, &self.tables);
            for ((key, version), place) in wanted.iter().zip(&mut places) {
                if place.is_none() && run.may_hold(*key, &self.tables)? {
                    *place = locate_in(run, &mut cursor, *key, *version)?;
                }
            }
        }
        Ok(places)
    }

    /// Which version of that stream the event with that sequence is; none if it is of another stream.
    pub(in crate::log) fn version_at(&self, stream: Key, sequence: Sequence) -> Result<Option<Version>, Error> {
        let version_in = |entry: StreamEntry| {
            let index = entry.sequences.binary_search(&sequence).ok()?;
            Some(Version(entry.first_version.0 + index as u64))
        };
        let mut found = None;
        for run in self.runs.streams.iter().filter(|run| (run.info.first..=run.info.last).contains(&sequence)) {
            scan_stream(run, &self.tables, stream, Version::FIRST, &mut |entry| {
                found = found.or(version_in(entry));
                found.is_none()
            })?;
        }
        let newest = || self.with_memtable(|memtable| memtable.stream(stream, Version::FIRST, self.head));
        Ok(found.or_else(|| newest().and_then(version_in)))
    }

    fn with_memtable<T>(&self, read: impl FnOnce(&Memtable) -> T) -> T {
        read(&self.memtable.read().expect("nobody panics with the memtable"))
    }
}

fn entries_of(page: &Page, key: Key) -> impl Iterator<Item = &[u8]> {
    let entries = (page.lower_bound(key)..page.len()).map(|index| page.entry(index));
    entries.take_while(move |(found, _)| *found == key).map(|(_, value)| value)
}

/// Hands over a stream's entries from the one that holds `from`; says whether more is wanted.
fn scan_stream(
    run: &Run,
    tables: &Tables,
    key: Key,
    from: Version,
    take: &mut impl FnMut(StreamEntry) -> bool,
) -> Result<bool, Error> {
    for page in Cursor::new(run, tables).pages(key, from)? {
        let page = page?;
        for value in entries_of(&page, key) {
            if run.stream_of(value)?.last_version() >= from && !take(run.stream_entry(key, value)?) {
                return Ok(false);
            }
        }
        if page.last() > key {
            break;
        }
    }
    Ok(true)
}

fn locate_in(run: &Run, cursor: &mut Cursor<'_>, key: Key, version: Version) -> Result<Option<Sequence>, Error> {
    let place = |entry: &StreamEntry| {
        let index = version.0.checked_sub(entry.first_version.0)?;
        entry.sequences.get(usize::try_from(index).ok()?).copied()
    };
    // A stream's versions are asked for one after the other: an entry is decoded once for all of them.
    if let Some(found) = cursor.entry.as_ref().filter(|entry| entry.key == key).and_then(place) {
        return Ok(Some(found));
    }
    let Some(page) = cursor.seek(key, version)? else { return Ok(None) };
    let mut found = None;
    for value in entries_of(page, key) {
        let part = run.stream_of(value)?;
        if (part.first_version..=part.last_version()).contains(&version) {
            found = Some(run.stream_entry(key, value)?);
        }
    }
    let place = found.as_ref().and_then(place);
    cursor.entry = found;
    Ok(place)
}
