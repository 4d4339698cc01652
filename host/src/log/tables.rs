//! The tables of the log's file, and the one row of `meta` that every commit rewrites.

use std::fmt;

use redb::TableDefinition;

use super::bytes::{Input, Malformed, seal, unseal};
use crate::event::{Digest, Sequence, Timestamp};

/// First sequence -> block.
pub(super) const BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("blocks");
/// The key [`META_KEY`] -> [`Meta`].
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Run number -> what the run is.
pub(super) const RUNS: TableDefinition<u64, &[u8]> = TableDefinition::new("runs");
/// Run number, first key, first version -> a page of the run.
pub(super) const PAGES: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("pages");
/// Run number, piece -> a piece of the run's Bloom filter.
pub(super) const FILTERS: TableDefinition<[u8; 12], &[u8]> = TableDefinition::new("filters");

pub(super) const META_KEY: &str = "log";

/// The storage gives a value pages of 4 KiB by powers of two; this much of them it keeps for itself, with a margin.
pub(super) const STORAGE_OVERHEAD_BYTES: usize = 64;

/// The format that this file writes. A reader takes every earlier one; see FORMAT.md.
pub(super) const FORMAT: u32 = 2;

/// The log's own id: a UUIDv7, made when the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

/// A text that is no log's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a log")]
pub struct ParseLogIdError(String);

impl std::str::FromStr for LogId {
    type Err = ParseLogIdError;

    fn from_str(text: &str) -> Result<Self, ParseLogIdError> {
        let id = uuid::Uuid::parse_str(text).map_err(|_| ParseLogIdError(text.to_owned()))?;
        Ok(Self(*id.as_bytes()))
    }
}

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last event's; 0 in an empty log.
    pub sequence: Sequence,
    /// The last event's; the epoch in an empty log.
    pub recorded_at: Timestamp,
    /// The digest over every event so far, in order.
    pub chain: Digest,
}

impl Head {
    /// The head of an empty log.
    pub(super) fn first(id: LogId) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"polyfold log chain v1\0").update(&id.0);
        Self { sequence: Sequence::ZERO, recorded_at: Timestamp::EPOCH, chain: Digest(*hasher.finalize().as_bytes()) }
    }
}

/// The row of `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) id: LogId,
    pub(super) head: Head,
    /// The first sequence of the last block, which may still grow; 0 in an empty log.
    pub(super) tail: Sequence,
    /// The runs hold all up to here; what follows is read from the blocks on opening.
    pub(super) indexed: Sequence,
    pub(super) next_run: u64,
    pub(super) dropped: DroppedCounts,
}

/// What rewriting took out of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DroppedCounts {
    /// How often the log was rewritten.
    pub(super) rewrites: u64,
    /// Events that have an envelope and no payload.
    pub(super) stubs: u64,
    /// Events of which there are digests only.
    pub(super) folded: u64,
    /// Payload bytes that are not there any more.
    pub(super) bytes: u64,
}

impl DroppedCounts {
    /// Adds what a block lacks.
    pub(super) fn add(&mut self, more: Self) {
        self.stubs += more.stubs;
        self.folded += more.folded;
        self.bytes += more.bytes;
    }
}

impl Meta {
    /// What is said of a log without events.
    pub(super) fn empty(id: LogId) -> Self {
        Self {
            id,
            head: Head::first(id),
            tail: Sequence::ZERO,
            indexed: Sequence::ZERO,
            next_run: 1,
            dropped: DroppedCounts::default(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.head.sequence.0.to_le_bytes());
        out.extend_from_slice(&self.head.recorded_at.micros().to_le_bytes());
        out.extend_from_slice(&self.head.chain.0);
        out.extend_from_slice(&self.tail.0.to_le_bytes());
        out.extend_from_slice(&self.indexed.0.to_le_bytes());
        let DroppedCounts { rewrites, stubs, folded, bytes } = self.dropped;
        for number in [self.next_run, rewrites, stubs, folded, bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        seal(&mut out);
        out
    }

    /// The format that the row says, which tells how to read the rest.
    pub(super) fn format(bytes: &[u8]) -> Result<u32, Malformed> {
        Input(bytes).u32()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(unseal(bytes)?);
        let format = input.u32()?;
        let id = LogId(input.array()?);
        let sequence = Sequence(input.u64()?);
        let recorded_at = Timestamp::from_micros(input.u64()?.cast_signed());
        let meta = Self {
            id,
            head: Head {
                sequence,
                recorded_at: recorded_at.ok_or(Malformed("its time is out of range"))?,
                chain: Digest(input.array()?),
            },
            tail: Sequence(input.u64()?),
            indexed: Sequence(input.u64()?),
            next_run: input.u64()?,
            dropped: match format {
                0..=1 => DroppedCounts::default(),
                _ => DroppedCounts {
                    rewrites: input.u64()?,
                    stubs: input.u64()?,
                    folded: input.u64()?,
                    bytes: input.u64()?,
                },
            },
        };
        input.end()?;
        Ok(meta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_reads_back_and_a_flipped_bit_is_found() {
        let id = LogId([7; 16]);
        let dropped = DroppedCounts { rewrites: 4, stubs: 5, folded: 6, bytes: 7 };
        let meta = Meta { tail: Sequence(3), indexed: Sequence(2), dropped, ..Meta::empty(id) };
        let mut bytes = meta.encode();
        assert_eq!(bytes.len(), 4 + 16 + 8 + 8 + 32 + 56 + 16);
        assert_eq!(Meta::decode(&bytes), Ok(meta));
        bytes[50] ^= 1;
        assert_eq!(Meta::decode(&bytes), Err(Malformed("its checksum differs")));
    }
}
