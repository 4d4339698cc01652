//! What the indexes have of folded events: nothing else of a log tells it, so copies of the log take it along.

use redb::ReadableTable;

use super::block::{self, Entry};
use super::error::Error;
use super::file::guarded;
use super::index::Key;
use super::index::run::{Cursor, Run};
use super::reader::{Folded, Reader};
use super::walk::Indexed;
use crate::event::{Sequence, Version};

/// What the indexes have of a folded event. The keys are the first 16 bytes of the BLAKE3 digests of its id and of its
/// stream's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldedEvent {
    pub sequence: Sequence,
    pub id: [u8; 16],
    pub stream: [u8; 16],
    pub version: Version,
}

impl FoldedEvent {
    pub const BYTES: usize = 48;

    /// `sequence u64 ‖ id 16 ‖ stream 16 ‖ version u64`, numbers little endian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.sequence.0.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.id);
        bytes[24..40].copy_from_slice(&self.stream);
        bytes[40..].copy_from_slice(&self.version.0.to_le_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let key = |at: usize| bytes[at..at + 16].try_into().expect("16 bytes");
        Self { sequence: Sequence(number(0)), id: key(8), stream: key(24), version: Version(number(40)) }
    }

    pub(super) fn indexed(&self) -> Indexed {
        let (id, stream) = (Key::of_bytes(self.id), Key::of_bytes(self.stream));
        Indexed { id, stream, version: self.version, sequence: self.sequence }
    }
}

impl Reader {
    /// The runs of folded events, in order.
    pub fn folded(&self) -> Result<Vec<Folded>, Error> {
        let mut found = Vec::new();
        if self.dropped.folded == 0 {
            return Ok(found);
        }
        let read = guarded("the log", || {
            for row in self.blocks_table().iter()? {
                let (first, bytes) = row?;
                let damaged = |why: super::bytes::Malformed| Error::damaged(format!("block {}", first.value()), why);
                let opened = block::open(bytes.value()).map_err(damaged)?;
                if !opened.header.is_compacted {
                    continue;
                }
                let body = opened.body().map_err(damaged)?;
                for index in 0..body.records {
                    if let Entry::Folded(fold) = body.entry(index).map_err(damaged)? {
                        found.push(Folded { first: fold.first, last: fold.last });
                    }
                }
            }
            Ok(found)
        });
        self.failing.noting(read)
    }

    /// Hands over what the indexes have of each folded event, in order of sequence. Of each run of the index that holds some,
    /// these are in memory: 48 bytes for each of a million events at most.
    pub fn folded_events<E: From<Error>>(&self, found: &mut impl FnMut(FoldedEvent) -> Result<(), E>) -> Result<(), E> {
        let folded = self.folded()?;
        for run in &self.index.runs.ids {
            let events = guarded("the index", || self.folded_in(run, &folded));
            self.failing.noting(events)?.into_iter().try_for_each(&mut *found)?;
        }
        Ok(())
    }

    /// What is folded of a run's events. Events of a run are folded only when they are in one of streams, too.
    fn folded_in(&self, run: &Run, folded: &[Folded]) -> Result<Vec<FoldedEvent>, Error> {
        let is_folded = |sequence: Sequence| {
            let at = folded.partition_point(|run| run.last < sequence);
            folded.get(at).is_some_and(|run| run.first <= sequence)
        };
        let (first, last) = (run.info.first, run.info.last);
        let mut ids = Vec::new();
        if !folded.iter().any(|run| run.first <= last && run.last >= first) {
            return Ok(Vec::new());
        }
        let tables = &self.index.tables;
        for page in Cursor::new(run, tables).pages(Key(0), Version::ZERO)? {
            let page = page?;
            for (key, value) in (0..page.len()).map(|index| page.entry(index)) {
                let sequence = run.sequence_of(value)?;
                if is_folded(sequence) {
                    ids.push((sequence, key));
                }
            }
        }
        ids.sort_unstable();
        let mut streams = Vec::with_capacity(ids.len());
        let overlap = |other: &&std::sync::Arc<Run>| other.info.first <= last && other.info.last >= first;
        for run in self.index.runs.streams.iter().filter(overlap) {
            for page in Cursor::new(run, tables).pages(Key(0), Version::ZERO)? {
                let page = page?;
                for (key, value) in (0..page.len()).map(|index| page.entry(index)) {
                    let entry = run.stream_entry(key, value)?;
                    let numbered = entry.sequences.iter().zip(entry.first_version.0..);
                    let wanted =
                        numbered.filter(|(sequence, _)| (first..=last).contains(*sequence) && is_folded(**sequence));
                    streams.extend(wanted.map(|(sequence, version)| (*sequence, key, Version(version))));
                }
            }
        }
        streams.sort_unstable();
        if !ids.iter().map(|(sequence, _)| sequence).eq(streams.iter().map(|(sequence, ..)| sequence)) {
            return Err(Error::damaged("the index", "its ids and its streams are of different folded events"));
        }
        let joined = ids.into_iter().zip(streams);
        Ok(joined
            .map(|((sequence, id), (_, stream, version))| FoldedEvent {
                sequence,
                id: id.bytes(),
                stream: stream.bytes(),
                version,
            })
            .collect())
    }
}
