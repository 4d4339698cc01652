//! Chain head and event root from nothing but the events' bytes: what nobody's word is taken for.

use super::{event_leaf, node, root};
use crate::event::{Digest, Sequence};
use crate::log::error::Error;
use crate::log::reader::Reader;
use crate::log::tables::Head;
use crate::log::writer::chain;

/// What the first events of a log lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recomputed {
    pub chain: Digest,
    pub root: Digest,
}

/// Events between two words about the way.
const PROGRESS_EVENTS: u64 = 8_192;

/// Walks the first `at` events, which must not lie beyond the head.
///
/// # Errors
/// A block whose own chain heads are not those of its events is named.
pub(in crate::log) fn recompute(
    reader: &Reader,
    at: Sequence,
    progress: &mut dyn FnMut(Sequence),
) -> Result<Recomputed, Error> {
    let (mut head, mut frontier, mut link) = (Head::first(reader.id).chain, Frontier::default(), Vec::new());
    let mut blocks = reader.blocks();
    let mut next = Sequence::FIRST;
    while next <= at {
        let header = blocks.header(next)?;
        let differs = |what: &str| Error::damaged(format!("block {}", header.first), what);
        if header.first != next || header.chain_before != head {
            return Err(differs("it does not follow the block before it"));
        }
        for sequence in next.0..=header.last().min(at).0 {
            let (envelope, payload) = blocks.event(Sequence(sequence))?;
            let payload = payload.digest();
            head = chain(&mut link, head, payload, envelope);
            frontier.push(event_leaf(payload, envelope));
            if sequence.is_multiple_of(PROGRESS_EVENTS) {
                progress(Sequence(sequence));
            }
        }
        if header.last() <= at && header.chain_after != head {
            return Err(differs("its chain head is not that of its last event"));
        }
        next = header.last().next();
    }
    progress(at);
    Ok(Recomputed { chain: head, root: frontier.root() })
}

/// The roots of the full subtrees so far, the largest first: as many as the count of leaves has bits set.
#[derive(Default)]
struct Frontier {
    leaves: u64,
    roots: Vec<Digest>,
}

impl Frontier {
    fn push(&mut self, leaf: Digest) {
        let mut right = leaf;
        // Each trailing one of the count is a subtree that this leaf completes.
        for _ in 0..self.leaves.trailing_ones() {
            right = node(self.roots.pop().expect("a subtree for every bit"), right);
        }
        self.roots.push(right);
        self.leaves += 1;
    }

    fn root(&self) -> Digest {
        let Some((last, larger)) = self.roots.split_last() else { return root(&[]) };
        larger.iter().rev().fold(*last, |right, left| node(*left, right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_by_leaf_the_root_is_the_same() {
        let leaves: Vec<Digest> = (0..130u64).map(|number| Digest::of(&number.to_le_bytes())).collect();
        let mut frontier = Frontier::default();
        for (count, leaf) in leaves.iter().enumerate() {
            assert_eq!(frontier.root(), root(&leaves[..count]), "{count} leaves");
            frontier.push(*leaf);
        }
    }
}
