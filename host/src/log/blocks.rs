//! Blocks as they lie in the log, for copies of it: handed out raw, and checked wherever they come in again.

use redb::Range;

use super::block;
use super::bytes::CHECKSUM_BYTES;
use super::error::Error;
use super::file::guarded;
use super::reader::Reader;
use super::tables::{Head, LogId};
use super::walk::BlockWalk;
use crate::event::{Digest, Sequence, Timestamp};

/// The largest block: an event of the largest size, with room to spare.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;

/// What a block says of itself, after its checksum was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    pub first: Sequence,
    pub last: Sequence,
    pub first_recorded_at: Timestamp,
    pub last_recorded_at: Timestamp,
    pub chain_before: Digest,
    pub chain_after: Digest,
    /// The block's own: two blocks with the same first sequence and checksum are the same.
    pub checksum: [u8; CHECKSUM_BYTES],
}

/// A block as it is stored.
#[derive(Clone, Debug)]
pub struct RawBlock {
    pub info: BlockInfo,
    pub bytes: Vec<u8>,
}

/// Bytes that are no block, or not the one that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct BadBlock {
    why: String,
    /// The first and last of folded events within which it was to be cut, where that is all that is wrong.
    pub within: Option<(Sequence, Sequence)>,
}

impl BadBlock {
    pub(super) fn of(why: impl Into<String>) -> Self {
        Self { why: why.into(), within: None }
    }

    pub(super) fn of_error(error: &Error) -> Self {
        let within = match error {
            Error::InFolded { first, last, .. } => Some((*first, *last)),
            _ => None,
        };
        Self { why: what(error), within }
    }
}

impl BlockInfo {
    /// Verifies the checksum and reads the header.
    pub fn of(bytes: &[u8]) -> Result<Self, BadBlock> {
        let header = block::open(bytes).map_err(|why| BadBlock::of(why.to_string()))?.header;
        let checksum = bytes.last_chunk().expect("it was verified just now");
        Ok(Self {
            first: header.first,
            last: header.last(),
            first_recorded_at: header.first_recorded_at,
            last_recorded_at: header.last_recorded_at,
            chain_before: header.chain_before,
            chain_after: header.chain_after,
            checksum: *checksum,
        })
    }

    /// Where the log ends behind this block.
    pub fn end(&self) -> Head {
        Head { sequence: self.last, recorded_at: self.last_recorded_at, chain: self.chain_after }
    }

    /// Whether this block goes on where the log ended.
    pub fn follows(&self, end: &Head) -> Result<(), BadBlock> {
        if self.first != end.sequence.next() {
            let why = format!("block {} does not follow sequence {}", self.first, end.sequence);
            return Err(BadBlock::of(why));
        }
        if self.chain_before != end.chain {
            return Err(BadBlock::of(format!(
                "the chain breaks between sequences {} and {}",
                end.sequence, self.first
            )));
        }
        if self.first_recorded_at < end.recorded_at {
            return Err(BadBlock::of(format!("block {} was recorded before the one before it", self.first)));
        }
        Ok(())
    }
}

/// Recomputes every digest in a block and the chain through it, from what its header says of the chain before it.
pub fn check_events(bytes: &[u8]) -> Result<BlockInfo, BadBlock> {
    let info = BlockInfo::of(bytes)?;
    let walked = walk_behind(&info).block(info.first, bytes, &mut |_| {});
    walked.map(|_| info).map_err(|error| BadBlock::of_error(&error))
}

/// A walk that may begin with that block.
pub(super) fn walk_behind(info: &BlockInfo) -> BlockWalk {
    let sequence = Sequence(info.first.0.saturating_sub(1));
    BlockWalk::behind(Head { sequence, recorded_at: info.first_recorded_at, chain: info.chain_before })
}

/// Without the way out, which is that of a log's file.
pub(super) fn what(error: &Error) -> String {
    match error {
        Error::Damaged { place, why } => format!("{place}: {why}"),
        other => other.to_string(),
    }
}

impl Head {
    /// Where the log of that id ends while it is empty.
    pub fn empty(id: LogId) -> Self {
        Self::first(id)
    }
}

impl Reader {
    /// How often the log was rewritten. While it stays the same, so do all blocks but the last.
    pub fn rewrites(&self) -> u64 {
        self.dropped.rewrites
    }

    /// The log's blocks as they are stored, from the one that begins with that sequence; each verified to be whole and to
    /// follow the one before it, and the last to end where the log does.
    pub fn raw_blocks(&self, from: Sequence) -> Result<RawBlocks<'_>, Error> {
        let range = guarded("the log", || Ok(self.blocks_table().range(from.0..)?));
        Ok(RawBlocks { reader: self, range: self.failing.noting(range)?, end: None, is_over: false })
    }

    /// What the block with that sequence says of itself.
    pub fn block_of(&self, sequence: Sequence) -> Result<BlockInfo, Error> {
        let (first, bytes) = guarded(&format!("the log around sequence {sequence}"), || {
            let row = self.blocks_table().range(..=sequence.0)?.next_back().transpose()?;
            let (first, bytes) = row.ok_or_else(|| Error::damaged("the log", "its first block is missing"))?;
            Ok((first.value(), bytes.value().to_vec()))
        })?;
        BlockInfo::of(&bytes).map_err(|why| Error::damaged(format!("block {first}"), why))
    }
}

/// Blocks of one snapshot of the log, in order.
pub struct RawBlocks<'a> {
    reader: &'a Reader,
    range: Range<'a, u64, &'static [u8]>,
    /// Where the block before ended.
    end: Option<Head>,
    is_over: bool,
}

impl std::fmt::Debug for RawBlocks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawBlocks").field("end", &self.end).finish_non_exhaustive()
    }
}

impl Iterator for RawBlocks<'_> {
    type Item = Result<RawBlock, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = guarded("the log", || {
            let row = self.range.next().transpose()?;
            Ok(row.map(|(first, bytes)| (Sequence(first.value()), bytes.value().to_vec())))
        });
        let next = self.reader.failing.noting(read).and_then(|row| self.check(row)).transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

impl RawBlocks<'_> {
    fn check(&mut self, row: Option<(Sequence, Vec<u8>)>) -> Result<Option<RawBlock>, Error> {
        let head = self.reader.head();
        let Some((first, bytes)) = row else {
            return match self.end {
                Some(end) if end != head => Err(Error::damaged("the log", "its blocks do not end at its head")),
                Some(_) | None => Ok(None),
            };
        };
        let damaged = |why: BadBlock| Error::damaged(format!("block {first}"), why);
        let info = BlockInfo::of(&bytes).map_err(damaged)?;
        if info.first != first || info.last > head.sequence {
            return Err(damaged(BadBlock::of("it does not hold the events that its place is for".to_owned())));
        }
        if let Some(end) = &self.end {
            info.follows(end).map_err(damaged)?;
        }
        self.end = Some(info.end());
        Ok(Some(RawBlock { info, bytes }))
    }
}
