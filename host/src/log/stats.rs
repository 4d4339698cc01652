//! What the log takes of its file.

use redb::{ReadableTable, ReadableTableMetadata};

use super::Log;
use super::block;
use super::error::Error;
use super::tables::{BLOCKS, FILTERS, PAGES};

/// Sizes and counts, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub events: u64,
    /// Events whose index is in memory only, to be written when there are enough.
    pub events_unindexed: u64,
    pub blocks: u64,
    /// Blocks as stored.
    pub block_bytes: u64,
    /// The bodies of a sample of blocks, decompressed, scaled up to all of them.
    pub raw_bytes_estimate: u64,
    pub runs: u64,
    pub index_bytes: u64,
    /// What the file takes of the disk, free pages included. Its length may be twice that: it grows by doubling, in holes.
    pub file_bytes: u64,
    /// What of it holds no data: free pages and the rests of pages that are not full.
    pub slack_bytes: u64,
    /// How often the log was rewritten.
    pub rewrites: u64,
    /// Events that have no payload any more.
    pub stubs: u64,
    /// Events of which there are digests only.
    pub folded: u64,
    /// Bytes of payloads that are not there any more.
    pub dropped_bytes: u64,
}

/// Blocks read to estimate how well they compress.
const BLOCKS_SAMPLED: usize = 64;

pub(super) fn collect(log: &Log) -> Result<Stats, Error> {
    let (reading, state) = log.snapshot()?;
    let transaction = &reading.transaction;
    let blocks = transaction.open_table(BLOCKS)?;
    let (mut stored, mut raw) = (0u64, 0u64);
    for row in blocks.iter()?.take(BLOCKS_SAMPLED) {
        let (first, bytes) = row?;
        let opened = block::open(bytes.value());
        let opened = opened.map_err(|why| Error::damaged(format!("block {}", first.value()), why))?;
        stored += bytes.value().len() as u64;
        raw += opened.raw_bytes() as u64;
    }
    let block_stats = blocks.stats()?;
    let index_stats = [transaction.open_table(PAGES)?.stats()?, transaction.open_table(FILTERS)?.stats()?];
    let tables = index_stats.iter().chain([&block_stats]);
    let used = tables.map(|table| table.stored_bytes()).sum::<u64>();
    let file_bytes = file_bytes(log)?;
    let dropped = state.meta.dropped;
    Ok(Stats {
        events: state.meta.head.sequence.0,
        events_unindexed: state.meta.head.sequence.0 - state.meta.indexed.0,
        blocks: blocks.len()?,
        block_bytes: block_stats.stored_bytes(),
        raw_bytes_estimate: raw.checked_mul(block_stats.stored_bytes()).map_or(0, |scaled| scaled / stored.max(1)),
        runs: (state.runs.ids.len() + state.runs.streams.len()) as u64,
        index_bytes: index_stats.iter().map(redb::TableStats::stored_bytes).sum(),
        file_bytes,
        slack_bytes: file_bytes.saturating_sub(used),
        rewrites: dropped.rewrites,
        stubs: dropped.stubs,
        folded: dropped.folded,
        dropped_bytes: dropped.bytes,
    })
}

/// What the file takes of the disk, its holes left out; 0 for a storage that is no file.
pub(super) fn file_bytes(log: &Log) -> Result<u64, Error> {
    let Some(path) = &log.path else { return Ok(0) };
    let metadata = std::fs::metadata(path).map_err(|error| Error::Storage(Box::new(redb::Error::Io(error))))?;
    Ok(allocated(&metadata))
}

#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}
