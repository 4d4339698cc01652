//! The roots of full runs of 1,024 events, so that a root or a proof reads one run of the log and not all of it.
//!
//! They are derived from the blocks, and extended when somebody asks: appends know nothing of them. Beside a log `log.redb`
//! lies `log.tree`, which may be deleted at any time: `pfT1 ‖ log id 16`, then 80 bytes a run: `root 32 ‖ chain head behind
//! its last event 32 ‖ checksum 16`, the first bytes of BLAKE3(log id ‖ number of the run from 0, u64 little endian ‖ root ‖
//! chain head). What does not fit the log is cut off there and made anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::{EventProof, event_leaf, path, root};
use crate::event::{Digest, Sequence};
use crate::log::bytes::CHECKSUM_BYTES;
use crate::log::error::Error;
use crate::log::reader::{Blocks, Reader};
use crate::log::tables::LogId;

/// A run is proved by ten digests and read in a millisecond or two; its 80 bytes are next to nothing beside its events.
const RUN_EVENTS: u64 = 1024;
const MAGIC: [u8; 4] = *b"pfT1";
const HEADER_BYTES: usize = 20;
const RECORD_BYTES: usize = 80;

/// The roots of the log's first runs.
#[derive(Debug)]
pub(in crate::log) struct Roots {
    id: LogId,
    path: Option<PathBuf>,
    /// Whether the file was looked at.
    is_loaded: bool,
    roots: Vec<Digest>,
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
    pub(in crate::log) fn root(&mut self, reader: &Reader, at: Sequence) -> Result<Digest, Error> {
        Ok(root(&self.subtrees(reader, at)?))
    }

    /// The path of an event in the tree of the first `at` events; neither must lie beyond the head, nor the event beyond `at`.
    pub(in crate::log) fn prove(
        &mut self,
        reader: &Reader,
        sequence: Sequence,
        at: Sequence,
    ) -> Result<EventProof, Error> {
        let subtrees = self.subtrees(reader, at)?;
        let (run, index) = ((sequence.0 - 1) / RUN_EVENTS, (sequence.0 - 1) % RUN_EVENTS);
        let mut found = Vec::new();
        path(&leaves(reader, run, at)?, index as usize, &mut found);
        path(&subtrees, run as usize, &mut found);
        Ok(EventProof { sequence, at, path: found })
    }

    /// The roots of all full runs among the first `at` events, and of the rest.
    fn subtrees(&mut self, reader: &Reader, at: Sequence) -> Result<Vec<Digest>, Error> {
        let full = at.0 / RUN_EVENTS;
        self.extend(reader, full)?;
        let mut subtrees = self.roots[..full as usize].to_vec();
        if !at.0.is_multiple_of(RUN_EVENTS) {
            subtrees.push(root(&leaves(reader, full, at)?));
        }
        Ok(subtrees)
    }

    fn extend(&mut self, reader: &Reader, runs: u64) -> Result<(), Error> {
        if !std::mem::replace(&mut self.is_loaded, true) {
            self.load(reader)?;
        }
        for run in self.roots.len() as u64..runs {
            self.roots.push(root(&leaves(reader, run, Sequence(u64::MAX))?));
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
        let runs = (reader.head().sequence.0 / RUN_EVENTS) as usize;
        let bytes = match read(path, bytes_of(runs)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                tracing::warn!("{} cannot be read, and is made again: {error}", path.display());
                return Ok(());
            }
        };
        let records = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.strip_prefix(&self.id.0)).unwrap_or_default();
        let records = records.chunks_exact(RECORD_BYTES).enumerate();
        let sound: Vec<(Digest, Digest)> = records.map_while(|(run, record)| self.sound(run as u64, record)).collect();
        // Events are in the chain one behind the other, so the last run that fits speaks for all before it.
        if let Some((_, chain)) = sound.last()
            && reader.chain_at(end_of(sound.len() as u64))? == *chain
        {
            self.roots = sound.into_iter().map(|(root, _)| root).collect();
        }
        self.written = self.roots.len();
        if bytes.len() != bytes_of(self.written) {
            tracing::warn!("{} does not fit the log behind run {}; it is made again", path.display(), self.written);
            let cut =
                OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(bytes_of(self.written) as u64));
            cut.unwrap_or_else(|error| tracing::warn!("{}: {error}", path.display()));
        }
        Ok(())
    }

    fn sound(&self, run: u64, record: &[u8]) -> Option<(Digest, Digest)> {
        let (content, checksum) = record.split_at_checked(RECORD_BYTES - CHECKSUM_BYTES)?;
        let (root, chain) = content.split_at_checked(32)?;
        let (root, chain) = (Digest(root.try_into().ok()?), Digest(chain.try_into().ok()?));
        (self.checksum(run, root, chain) == *checksum).then_some((root, chain))
    }

    fn checksum(&self, run: u64, root: Digest, chain: Digest) -> [u8; CHECKSUM_BYTES] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.id.0).update(&run.to_le_bytes()).update(&root.0).update(&chain.0);
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
        for run in self.written..self.roots.len() {
            let (root, chain) = (self.roots[run], reader.chain_at(end_of(run as u64 + 1))?);
            bytes.extend_from_slice(&root.0);
            bytes.extend_from_slice(&chain.0);
            bytes.extend_from_slice(&self.checksum(run as u64, root, chain));
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

/// The bytes of a file of so many runs; one of none is empty.
fn bytes_of(runs: usize) -> usize {
    if runs == 0 { 0 } else { HEADER_BYTES + runs * RECORD_BYTES }
}

/// The last event of the first so many runs.
fn end_of(runs: u64) -> Sequence {
    Sequence(runs * RUN_EVENTS)
}

/// At most so many bytes of a file and one more, which tells that there are too many.
fn read(path: &std::path::Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The leaves of a run, up to `at`.
fn leaves(reader: &Reader, run: u64, at: Sequence) -> Result<Vec<Digest>, Error> {
    let mut blocks: Blocks<'_> = reader.blocks();
    let mut leaves = Vec::with_capacity(RUN_EVENTS as usize);
    for sequence in run * RUN_EVENTS + 1..=end_of(run + 1).min(at).0 {
        let (envelope, payload) = blocks.event(Sequence(sequence))?;
        leaves.push(event_leaf(payload.digest(), envelope));
    }
    Ok(leaves)
}
