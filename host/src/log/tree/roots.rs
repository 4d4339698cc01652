//! The roots of full runs of 1,024 events, so that a root or a proof reads one run of the log and not all of it.
//!
//! They are derived from the blocks, and extended when somebody asks: appends know nothing of them. Where events are folded
//! there may be none of a run, but one of several. Beside a log `log.redb` lies `log.tree`, which may be deleted at any
//! time: `pfT2 ‖ log id 16`, then 88 bytes a subtree: `last event u64, little endian ‖ root 32 ‖ chain head behind it 32 ‖
//! checksum 16`, the first bytes of BLAKE3(log id ‖ last event before it u64 ‖ the 72 bytes before the checksum). The chain head is zeros within a run of folded
//! events. What does not fit the log is cut off there and made anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

use super::subtree::{Subtree, Subtrees, path_in};
use super::{EventProof, event_leaf};
use crate::event::{Digest, Sequence};
use crate::log::bytes::CHECKSUM_BYTES;
use crate::log::error::Error;
use crate::log::reader::{Blocks, Item, Reader, in_folded};
use crate::log::tables::LogId;

/// A run is proved by ten digests and read in a millisecond or two; its 88 bytes are next to nothing beside its events.
const RUN_EVENTS: u64 = 1024;
const MAGIC: [u8; 4] = *b"pfT2";
const HEADER_BYTES: usize = 20;
const RECORD_BYTES: usize = 88;

/// The roots of the log's first runs, and of larger subtrees where runs are folded.
#[derive(Debug)]
pub(in crate::log) struct Roots {
    id: LogId,
    path: Option<PathBuf>,
    /// Whether the file was looked at.
    is_loaded: bool,
    roots: Vec<Subtree>,
    /// How many of them the file has.
    written: usize,
}

impl Roots {
    /// Kept beside a log's file, or in memory for a log that is in none.
    pub(in crate::log) fn new(id: LogId, log: Option<&std::path::Path>) -> Self {
        let path = log.map(|log| log.with_extension("tree"));
        Self { id, path, is_loaded: false, roots: Vec::new(), written: 0 }
    }

    /// The root over the first `at` events, which must not lie beyond the head.
    ///
    /// # Errors
    /// [`Error::InFolded`] within a run of folded events.
    pub(in crate::log) fn root(&mut self, reader: &Reader, at: Sequence) -> Result<Digest, Error> {
        let kept = self.kept(reader, at)?;
        let mut subtrees = Subtrees::default();
        self.roots[..kept].iter().for_each(|kept| subtrees.push(*kept));
        parts(reader, end_of(&self.roots[..kept])..at.0)?.into_iter().for_each(|part| subtrees.push(part));
        Ok(subtrees.root())
    }

    /// The path of an event in the tree of the first `at` events; neither must lie beyond the head, nor the event beyond `at`.
    ///
    /// # Errors
    /// [`Error::InFolded`] if either lies in a run of folded events.
    pub(in crate::log) fn prove(
        &mut self,
        reader: &Reader,
        sequence: Sequence,
        at: Sequence,
    ) -> Result<EventProof, Error> {
        if let Item::Folded(fold) = reader.blocks().item(sequence)? {
            return Err(in_folded(sequence, &fold));
        }
        let kept = self.kept(reader, at)?;
        let (leaf, mut subtrees) = (sequence.0 - 1, Vec::with_capacity(kept + RUN_EVENTS as usize));
        for kept in &self.roots[..kept] {
            match kept.leaves() {
                leaves if leaves.contains(&leaf) => subtrees.extend(parts(reader, leaves)?),
                _ => subtrees.push(*kept),
            }
        }
        subtrees.extend(parts(reader, end_of(&self.roots[..kept])..at.0)?);
        let mut path = Vec::new();
        let found = path_in(&subtrees, 0..at.0, leaf, &mut path);
        // No run of folded events hides what lies beside an event that is none of them.
        found.ok_or_else(|| Error::damaged("the event tree", format!("it has no path to sequence {sequence}")))?;
        Ok(EventProof { sequence, at, path })
    }

    /// How many of the subtrees that are kept lie within the first `at` events, once there are all.
    fn kept(&mut self, reader: &Reader, at: Sequence) -> Result<usize, Error> {
        if at > Sequence::ZERO
            && let Item::Folded(fold) = reader.blocks().item(at)?
            && fold.is_within(at)
        {
            return Err(in_folded(at, &fold));
        }
        self.extend(reader, at.0 / RUN_EVENTS * RUN_EVENTS)?;
        Ok(self.roots.partition_point(|kept| kept.leaves().end <= at.0))
    }

    /// Makes what lacks of the first `leaves` leaves, a multiple of a run.
    fn extend(&mut self, reader: &Reader, leaves: u64) -> Result<(), Error> {
        if !std::mem::replace(&mut self.is_loaded, true) {
            self.load(reader)?;
        }
        while end_of(&self.roots) < leaves {
            let start = end_of(&self.roots);
            let mut run = Subtrees::default();
            parts(reader, start..start + RUN_EVENTS)?.into_iter().for_each(|part| run.push(part));
            let next = run.into_only().expect("a run of leaves is one subtree, or lies in one");
            // One of folded events may begin before what is kept ends.
            self.roots.truncate(self.roots.partition_point(|kept| kept.leaves().end <= next.leaves().start));
            self.written = self.written.min(self.roots.len());
            self.roots.push(next);
        }
        if self.written < self.roots.len()
            && let Err(error) = self.write(reader)?
        {
            tracing::warn!("the event tree is not kept, and will be made again: {error}");
        }
        Ok(())
    }

    /// Takes from the file what fits the log.
    fn load(&mut self, reader: &Reader) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let head = reader.head().sequence.0;
        let bytes = match read(path, bytes_of((head / RUN_EVENTS) as usize)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                tracing::warn!("{} cannot be read, and is made again: {error}", path.display());
                return Ok(());
            }
        };
        let records = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.strip_prefix(&self.id.0)).unwrap_or_default();
        let mut sound: Vec<(Subtree, Digest)> = Vec::new();
        for record in records.chunks_exact(RECORD_BYTES) {
            let start = sound.last().map_or(0, |(before, _)| before.leaves().end);
            let Some(next) = self.sound(start, record).filter(|(next, _)| next.leaves().end <= head) else { break };
            sound.push(next);
        }
        // Events are in the chain one behind the other, so the last one that fits speaks for all before it. Within a run of
        // folded events nothing is known of the chain.
        while let Some((last, chain)) = sound.last() {
            match reader.chain_at(Sequence(last.leaves().end)) {
                Ok(found) if found == *chain => break,
                Ok(_) => sound.clear(),
                Err(Error::InFolded { .. }) => drop(sound.pop()),
                Err(error) => return Err(error),
            }
        }
        self.roots = sound.into_iter().map(|(root, _)| root).collect();
        self.written = self.roots.len();
        if bytes.len() != bytes_of(self.written) {
            let end = end_of(&self.roots);
            tracing::warn!("{} does not fit the log behind sequence {end}; it is made again", path.display());
            let cut =
                OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(bytes_of(self.written) as u64));
            cut.unwrap_or_else(|error| tracing::warn!("{}: {error}", path.display()));
        }
        Ok(())
    }

    /// The subtree that begins with that leaf and the chain head behind it, if the record is of one.
    fn sound(&self, start: u64, record: &[u8]) -> Option<(Subtree, Digest)> {
        let (content, checksum) = record.split_at_checked(RECORD_BYTES - CHECKSUM_BYTES)?;
        if self.checksum(start, content) != *checksum {
            return None;
        }
        let (end, digests) = content.split_first_chunk()?;
        let (root, chain) = digests.split_at_checked(32)?;
        let (root, chain) = (Digest(root.try_into().ok()?), Digest(chain.try_into().ok()?));
        let leaves = u64::from_le_bytes(*end).checked_sub(start)?;
        let is_subtree = leaves.is_power_of_two() && leaves >= RUN_EVENTS && start.is_multiple_of(leaves);
        let level = leaves.trailing_zeros();
        is_subtree.then(|| (Subtree { level: level as u8, index: start >> level, root }, chain))
    }

    fn checksum(&self, start: u64, content: &[u8]) -> [u8; CHECKSUM_BYTES] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.id.0).update(&start.to_le_bytes()).update(content);
        *hasher.finalize().as_bytes().first_chunk().expect("a digest is longer than its first half")
    }

    /// Adds to the file what it lacks; that this goes wrong is no failure of the log. Nothing is synced: a record that was
    /// written in part shows it.
    fn write(&mut self, reader: &Reader) -> Result<io::Result<()>, Error> {
        let Some(path) = &self.path else { return Ok(Ok(())) };
        let mut bytes = Vec::new();
        if self.written == 0 {
            bytes.extend_from_slice(&MAGIC);
            bytes.extend_from_slice(&self.id.0);
        }
        for kept in &self.roots[self.written..] {
            let end = kept.leaves().end;
            let chain = match reader.chain_at(Sequence(end)) {
                Ok(chain) => chain,
                Err(Error::InFolded { .. }) => Digest::ZERO,
                Err(error) => return Err(error),
            };
            let content = [&end.to_le_bytes()[..], &kept.root.0, &chain.0].concat();
            bytes.extend_from_slice(&content);
            bytes.extend_from_slice(&self.checksum(kept.leaves().start, &content));
        }
        let start = bytes_of(self.written);
        let put = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            file.set_len(start as u64)?;
            file.seek(SeekFrom::Start(start as u64))?;
            file.write_all(&bytes)
        };
        let put = put();
        if put.is_ok() {
            self.written = self.roots.len();
        }
        Ok(put)
    }
}

/// The bytes of a file of so many subtrees; one of none is empty.
fn bytes_of(subtrees: usize) -> usize {
    if subtrees == 0 { 0 } else { HEADER_BYTES + subtrees * RECORD_BYTES }
}

/// How many leaves these have, which are the first.
fn end_of(subtrees: &[Subtree]) -> u64 {
    subtrees.last().map_or(0, |last| last.leaves().end)
}

/// At most so many bytes of a file and one more, which tells that there are too many.
fn read(path: &std::path::Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The leaves of a part of the tree, and subtrees of folded events; one that reaches beyond the part comes whole.
fn parts(reader: &Reader, leaves: Range<u64>) -> Result<Vec<Subtree>, Error> {
    let mut blocks: Blocks<'_> = reader.blocks();
    let (mut next, mut parts) = (leaves.start, Vec::new());
    while next < leaves.end {
        match blocks.item(Sequence(next + 1))? {
            Item::Event(envelope, payload) => {
                parts.push(Subtree::leaf(next, event_leaf(payload.digest(), envelope)));
                next += 1;
            }
            Item::Folded(fold) => {
                let within = fold.subtrees().filter(|part| part.leaves().end > leaves.start);
                parts.extend(within.take_while(|part| part.leaves().start < leaves.end));
                next = fold.last.0;
            }
        }
    }
    Ok(parts)
}
