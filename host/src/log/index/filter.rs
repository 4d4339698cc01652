//! A run's Bloom filter: says of most keys that are not in the run that they are not.
//!
//! Blocks of 64 bytes, one cache line a key, chosen by the key's high bits: keys probed in order walk through the
//! filter from front to back. It is stored in pieces, each of which fits a page of 16 KiB.

use super::Key;

const BLOCK_BYTES: usize = 64;
/// 12 bits a key and 6 probes: about 0.6 % of the keys that are not there are looked up for nothing.
const BITS_PER_KEY: u64 = 12;
const PROBES: u32 = 6;
/// Blocks a piece: with its checksum a piece fits 16 KiB of storage.
const PIECE_BLOCKS: u64 = 254;
/// The bytes of a whole piece; the last one may be shorter.
pub(in crate::log) const PIECE_BYTES: usize = PIECE_BLOCKS as usize * BLOCK_BYTES;

/// The blocks of a filter for that many keys.
fn blocks_for(keys: u64) -> u64 {
    (keys * BITS_PER_KEY).div_ceil(8 * BLOCK_BYTES as u64).max(1)
}

/// A filter that is being filled.
#[derive(Debug)]
pub(in crate::log) struct Filter {
    blocks: u64,
    bytes: Vec<u8>,
}

impl Filter {
    /// A filter for at most that many keys.
    pub(in crate::log) fn new(keys_max: u64) -> Self {
        let blocks = blocks_for(keys_max);
        Self { blocks, bytes: vec![0; blocks as usize * BLOCK_BYTES] }
    }

    pub(in crate::log) fn add(&mut self, key: Key) {
        let start = block_of(key, self.blocks) as usize * BLOCK_BYTES;
        for bit in bits_of(key) {
            self.bytes[start + bit / 8] |= 1 << (bit % 8);
        }
    }

    pub(in crate::log) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The pieces to store, in order.
    pub(in crate::log) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(PIECE_BYTES)
    }
}

/// The number of pieces of a filter with that many blocks.
pub(in crate::log) fn pieces_of(blocks: u64) -> usize {
    blocks.div_ceil(PIECE_BLOCKS) as usize
}

/// The piece that says whether a key may be there, and the key's block in it.
pub(in crate::log) fn place_of(key: Key, blocks: u64) -> (usize, usize) {
    let block = block_of(key, blocks);
    ((block / PIECE_BLOCKS) as usize, (block % PIECE_BLOCKS) as usize)
}

/// Whether a piece says that the key may be there.
pub(in crate::log) fn may_hold(piece: &[u8], block: usize, key: Key) -> bool {
    // A piece that is too short cannot rule anything out.
    piece
        .get(block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES)
        .is_none_or(|block| bits_of(key).all(|bit| block[bit / 8] & (1 << (bit % 8)) != 0))
}

fn block_of(key: Key, blocks: u64) -> u64 {
    ((u128::from((key.0 >> 64) as u64) * u128::from(blocks)) >> 64) as u64
}

fn bits_of(key: Key) -> impl Iterator<Item = usize> {
    let low = key.0 as u64;
    (0..PROBES).map(move |probe| ((low >> (9 * probe)) & 511) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_were_added_are_found_and_few_others() {
        let mut filter = Filter::new(20_000);
        let keys: Vec<Key> = (0..40_000).map(|n| Key::of(&format!("key {n}"))).collect();
        keys[..20_000].iter().for_each(|key| filter.add(*key));
        let pieces: Vec<&[u8]> = filter.pieces().collect();
        assert_eq!(pieces.len(), pieces_of(filter.blocks()));
        let found = |key: &&Key| {
            let (piece, block) = place_of(**key, filter.blocks());
            may_hold(pieces[piece], block, **key)
        };
        assert_eq!(keys[..20_000].iter().filter(found).count(), 20_000);
        let wrong = keys[20_000..].iter().filter(found).count();
        assert!(wrong < 300, "{wrong} of 20,000 found for nothing");
    }
}
