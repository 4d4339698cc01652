//! Segments: files of up to some 64 MiB that hold the log's blocks one behind the other, as the log stores them.
//!
//! ```text
//! segment  `pfS1`, log id 16, rewrites u64, then blocks
//! block    bytes u32, the block
//! ```
//! Numbers are little-endian. *Rewrites* says how often the log had written blocks other than its last anew.

use std::io::{ErrorKind, Read};

use super::BackupError;
use super::manifest::{BLOCKS, LastBlock, Part};
use super::place::{Content, Place, Unfinished};
use crate::log::{BLOCK_BYTES_MAX, BlockInfo, Head, LogId};

const MAGIC: &[u8; 4] = b"pfS1";
const HEADER_BYTES: usize = 28;

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    unfinished: Unfinished,
    /// The first sequence in it and the last, once there is a block.
    range: Option<(u64, u64)>,
}

impl SegmentWriter {
    pub(super) fn begin(place: &Place, log_id: LogId, rewrites: u64) -> Result<Self, BackupError> {
        let mut unfinished = place.begin()?;
        unfinished.write(&[MAGIC.as_slice(), &log_id.0, &rewrites.to_le_bytes()].concat())?;
        Ok(Self { unfinished, range: None })
    }

    /// Adds a block, which follows the one before or begins the segment.
    pub(super) fn put(&mut self, info: &BlockInfo, block: &[u8]) -> Result<(), BackupError> {
        self.unfinished.write(&(block.len() as u32).to_le_bytes())?;
        self.unfinished.write(block)?;
        let first = self.range.map_or(info.first.0, |(first, _)| first);
        self.range = Some((first, info.last.0));
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.unfinished.len()
    }

    /// Names it; none if there is no block in it.
    pub(super) fn finish(self, place: &mut Place) -> Result<Option<Part>, BackupError> {
        let Some((first, last)) = self.range else { return Ok(None) };
        let (digest, bytes) = place.finish(self.unfinished, BLOCKS)?;
        Ok(Some(Part { digest: digest.to_string(), bytes, first, last }))
    }
}

/// A segment that is read block by block; its digest is known at the end.
#[derive(Debug)]
pub(super) struct SegmentReader {
    content: Hashed,
    file: String,
    digest: String,
    pub(super) log_id: LogId,
    pub(super) rewrites: u64,
}

impl SegmentReader {
    pub(super) fn open(place: &Place, digest: &str) -> Result<Self, BackupError> {
        let name = format!("{BLOCKS}/{digest}");
        let file = place.shown(&name);
        let mut content = Hashed {
            content: std::io::BufReader::with_capacity(1 << 20, place.open(&name)?),
            hasher: blake3::Hasher::new(),
        };
        let mut header = [0; HEADER_BYTES];
        content.fill(&file, &mut header)?;
        let Some(header) = header.strip_prefix(MAGIC) else {
            return Err(BackupError::damaged(file, "it is no segment of blocks"));
        };
        let (log_id, rewrites) = header.split_first_chunk().expect("24 bytes have 16");
        let rewrites = u64::from_le_bytes(rewrites.try_into().expect("24 bytes less 16 are 8"));
        Ok(Self { content, file, digest: digest.to_owned(), log_id: LogId(*log_id), rewrites })
    }

    /// What an error calls it.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The next block; none at the end, where the digest must be the segment's name.
    pub(super) fn next_block(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        if self.content.is_over().map_err(BackupError::file(&self.file))? {
            let found = self.content.hasher.finalize().to_hex();
            if found.as_str() != self.digest {
                return Err(BackupError::damaged(&self.file, format!("its digest is {found}")));
            }
            return Ok(None);
        }
        let mut length = [0; 4];
        self.content.fill(&self.file, &mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > BLOCK_BYTES_MAX {
            return Err(BackupError::damaged(&self.file, "a block is larger than any"));
        }
        let mut block = vec![0; length];
        self.content.fill(&self.file, &mut block)?;
        Ok(Some(block))
    }
}

/// Bytes that are digested as they are read.
#[derive(Debug)]
struct Hashed {
    content: std::io::BufReader<Content>,
    hasher: blake3::Hasher,
}

impl Hashed {
    fn fill(&mut self, file: &str, out: &mut [u8]) -> Result<(), BackupError> {
        self.content.read_exact(out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BackupError::damaged(file, "it ends early"),
            _ => BackupError::file(file)(error),
        })?;
        self.hasher.update(out);
        Ok(())
    }

    fn is_over(&mut self) -> std::io::Result<bool> {
        use std::io::BufRead as _;
        Ok(self.content.fill_buf()?.is_empty())
    }
}

/// What a segment that was read whole holds.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) part: Part,
    pub(super) rewrites: u64,
    pub(super) first: BlockInfo,
    pub(super) end: Head,
    pub(super) last_block: LastBlock,
}

/// Reads a whole segment, and sees that its blocks follow each other.
pub(super) fn summarise(place: &Place, digest: &str, bytes: u64, log_id: LogId) -> Result<Summary, BackupError> {
    let mut segment = SegmentReader::open(place, digest)?;
    let damaged = |why: &dyn std::fmt::Display| BackupError::damaged(place.shown(&format!("{BLOCKS}/{digest}")), why);
    if segment.log_id != log_id {
        return Err(damaged(&"it is of another log"));
    }
    let mut found: Option<(BlockInfo, BlockInfo)> = None;
    while let Some(block) = segment.next_block()? {
        let info = BlockInfo::of(&block).map_err(|why| damaged(&why))?;
        if let Some((_, last)) = &found {
            info.follows(&last.end()).map_err(|why| damaged(&why))?;
        }
        found = Some((found.map_or(info, |(first, _)| first), info));
    }
    let (first, last) = found.ok_or_else(|| damaged(&"it has no blocks"))?;
    let part = Part { digest: digest.to_owned(), bytes, first: first.first.0, last: last.last.0 };
    Ok(Summary { part, rewrites: segment.rewrites, first, end: last.end(), last_block: last_block(&last) })
}

pub(super) fn last_block(info: &BlockInfo) -> LastBlock {
    let checksum = info.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
    LastBlock { first: info.first.0, checksum, chain_before: info.chain_before.to_string() }
}
