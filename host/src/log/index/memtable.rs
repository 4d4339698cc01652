//! The index of the newest events, in memory: rebuilt on opening, written as a run when it is full.
//!
//! It only grows, so readers of an older head share it and leave out what is newer; a full one is replaced, never cleared.

use super::{Key, KeyMap};
use crate::event::{Sequence, Version};

/// Ends a stream's list of events.
const NONE: u32 = u32::MAX;

/// An event of the memtable; its index is its sequence less the memtable's first.
#[derive(Clone, Copy, Debug)]
struct Event {
    id: Key,
    stream: Key,
    version: Version,
    /// The stream's event before it in this memtable.
    previous: u32,
}

/// Ids and streams of contiguous events.
#[derive(Debug)]
pub(in crate::log) struct Memtable {
    first: Sequence,
    events: Vec<Event>,
    ids: KeyMap<u32>,
    streams: KeyMap<u32>,
}

/// A stream's events in one run or memtable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::log) struct StreamEntry {
    pub(in crate::log) key: Key,
    pub(in crate::log) first_version: Version,
    pub(in crate::log) sequences: Vec<Sequence>,
}

impl Memtable {
    /// An empty one; its first event will be `first`.
    pub(in crate::log) fn new(first: Sequence) -> Self {
        Self { first, events: Vec::new(), ids: KeyMap::default(), streams: KeyMap::default() }
    }

    pub(in crate::log) fn len(&self) -> usize {
        self.events.len()
    }

    /// The events that are not after `head`.
    pub(in crate::log) fn len_at(&self, head: Sequence) -> usize {
        self.events.len().min((head.0 + 1).saturating_sub(self.first.0) as usize)
    }

    /// Adds the next event.
    pub(in crate::log) fn push(&mut self, id: Key, stream: Key, version: Version) {
        let index = self.events.len() as u32;
        let previous = self.streams.insert(stream, index).unwrap_or(NONE);
        self.events.push(Event { id, stream, version, previous });
        self.ids.insert(id, index);
    }

    /// Takes back all but the first `len` events: their commit failed.
    pub(in crate::log) fn truncate(&mut self, len: usize) {
        let mut kept = Self::new(self.first);
        self.events[..len].iter().for_each(|event| kept.push(event.id, event.stream, event.version));
        *self = kept;
    }

    /// Where the id is, if that is not after `head`.
    pub(in crate::log) fn find(&self, id: Key, head: Sequence) -> Option<Sequence> {
        self.ids.get(&id).map(|index| self.sequence(*index)).filter(|sequence| *sequence <= head)
    }

    /// The stream's last version not after `head`.
    pub(in crate::log) fn version(&self, stream: Key, head: Sequence) -> Option<Version> {
        self.events_of(stream, head).next().map(|index| self.events[index as usize].version)
    }

    /// The stream's events from a version on that are not after `head`, oldest first.
    pub(in crate::log) fn stream(&self, key: Key, from: Version, head: Sequence) -> Option<StreamEntry> {
        let newest_first = self.events_of(key, head).take_while(|index| self.events[*index as usize].version >= from);
        let mut indexes: Vec<u32> = newest_first.collect();
        indexes.reverse();
        let first_version = self.events[*indexes.first()? as usize].version;
        let sequences = indexes.into_iter().map(|index| self.sequence(index)).collect();
        Some(StreamEntry { key, first_version, sequences })
    }

    /// A stream's events that are not after `head`, newest first.
    fn events_of(&self, stream: Key, head: Sequence) -> impl Iterator<Item = u32> {
        let before = |index: &u32| Some(self.events[*index as usize].previous).filter(|index| *index != NONE);
        let all = std::iter::successors(self.streams.get(&stream).copied(), before);
        all.skip_while(move |index| self.sequence(*index) > head)
    }

    /// All ids, in order of key.
    pub(in crate::log) fn sorted_ids(&self) -> Vec<(Key, Sequence)> {
        let numbered = self.events.iter().enumerate();
        let mut ids: Vec<_> = numbered.map(|(index, event)| (event.id, self.sequence(index as u32))).collect();
        ids.sort_unstable();
        ids
    }

    /// All streams, in order of key.
    pub(in crate::log) fn sorted_streams(&self) -> Vec<StreamEntry> {
        let mut numbered: Vec<(Key, u32)> =
            self.events.iter().enumerate().map(|(index, event)| (event.stream, index as u32)).collect();
        numbered.sort_unstable();
        numbered
            .chunk_by(|(left, _), (right, _)| left == right)
            .map(|events| {
                let key = events[0].0;
                let sequences: Vec<_> = events.iter().map(|(_, index)| self.sequence(*index)).collect();
                StreamEntry { key, first_version: self.events[events[0].1 as usize].version, sequences }
            })
            .collect()
    }

    fn sequence(&self, index: u32) -> Sequence {
        Sequence(self.first.0 + u64::from(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_of_an_older_head_sees_only_what_was_there() {
        let mut memtable = Memtable::new(Sequence(10));
        memtable.push(Key(1), Key(100), Version(5));
        memtable.push(Key(2), Key(200), Version(1));
        memtable.push(Key(3), Key(100), Version(6));
        assert_eq!(memtable.find(Key(3), Sequence(12)), Some(Sequence(12)));
        assert_eq!(memtable.find(Key(3), Sequence(11)), None);
        assert_eq!(memtable.version(Key(100), Sequence(12)), Some(Version(6)));
        assert_eq!(memtable.version(Key(100), Sequence(11)), Some(Version(5)));
        assert_eq!(memtable.version(Key(100), Sequence(9)), None);
        let entry = |first, sequences: &[u64]| {
            let sequences = sequences.iter().copied().map(Sequence).collect();
            Some(StreamEntry { key: Key(100), first_version: Version(first), sequences })
        };
        assert_eq!(memtable.stream(Key(100), Version(1), Sequence(12)), entry(5, &[10, 12]));
        assert_eq!(memtable.stream(Key(100), Version(6), Sequence(12)), entry(6, &[12]));
        assert_eq!(memtable.stream(Key(100), Version(1), Sequence(11)), entry(5, &[10]));
        assert_eq!(memtable.sorted_streams()[0], entry(5, &[10, 12]).unwrap());
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let mut memtable = Memtable::new(Sequence(1));
        memtable.push(Key(1), Key(100), Version(1));
        memtable.push(Key(2), Key(100), Version(2));
        memtable.push(Key(3), Key(200), Version(1));
        memtable.truncate(1);
        assert_eq!((memtable.len(), memtable.find(Key(2), Sequence(9))), (1, None));
        assert_eq!(memtable.version(Key(100), Sequence(9)), Some(Version(1)));
        assert_eq!(memtable.version(Key(200), Sequence(9)), None);
    }
}
