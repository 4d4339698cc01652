//! A run of compacted events folded into one record: their chain and their place in the event tree are left.
//!
//! `2 ‖ count varint ‖ last recorded-at varint ‖ chain head behind it 32 ‖ dropped payload bytes varint ‖ number of nodes u8 ‖
//! nodes 32 each`. Nodes are the roots of the largest subtrees of the event tree that together are just these events.

use std::ops::Range;

use super::bytes::{Input, Malformed, put_varint};
use super::tree::subtree::{Subtree, subtrees_of};
use crate::event::{Digest, Sequence, Timestamp};

const FOLDED: u8 = 2;

/// A run of events of which only digests are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    /// When its last event was.
    pub(super) recorded_at: Timestamp,
    /// The chain head behind its last event.
    pub(super) chain: Digest,
    /// What the payloads of its events took.
    pub(super) dropped_bytes: u64,
    pub(super) nodes: Vec<Digest>,
}

impl Fold {
    pub(super) fn count(&self) -> u64 {
        self.last.0 - self.first.0 + 1
    }

    /// Whether the run goes on behind that sequence, which is in it.
    pub(super) fn is_within(&self, sequence: Sequence) -> bool {
        self.first <= sequence && sequence < self.last
    }

    /// Its part of the event tree.
    pub(super) fn subtrees(&self) -> impl Iterator<Item = Subtree> {
        let places = subtrees_of(self.first.0.saturating_sub(1)..self.last.0);
        places.zip(&self.nodes).map(|((level, index), root)| Subtree { level, index, root: *root })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(FOLDED);
        put_varint(out, self.count());
        put_varint(out, self.recorded_at.micros().cast_unsigned());
        out.extend_from_slice(&self.chain.0);
        put_varint(out, self.dropped_bytes);
        // No run has more than two subtrees of each of 64 sizes.
        out.push(self.nodes.len() as u8);
        self.nodes.iter().for_each(|node| out.extend_from_slice(&node.0));
    }

    /// The run that fills `range` of `body` and begins with that event; none if the record there is of another kind.
    pub(super) fn at(body: &[u8], range: Range<usize>, first: Sequence) -> Result<Option<Self>, Malformed> {
        let mut input = Input(body.get(range).ok_or(Malformed("a record lies outside its block"))?);
        if input.u8()? != FOLDED {
            return Ok(None);
        }
        let count = input.varint()?;
        let last = count.checked_sub(1).and_then(|more| first.0.checked_add(more));
        let last = Sequence(last.ok_or(Malformed("a run has no events, or too many"))?);
        let recorded_at = Timestamp::from_micros(input.varint()?.cast_signed());
        let recorded_at = recorded_at.ok_or(Malformed("a time is out of range"))?;
        let (chain, dropped_bytes) = (Digest(input.array()?), input.varint()?);
        let nodes = (0..input.u8()?).map(|_| input.array().map(Digest)).collect::<Result<Vec<_>, _>>()?;
        input.end()?;
        if nodes.len() != subtrees_of(first.0.saturating_sub(1)..last.0).count() {
            return Err(Malformed("a run has another number of tree nodes than its place wants"));
        }
        Ok(Some(Self { first, last, recorded_at, chain, dropped_bytes, nodes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(first: u64, last: u64) -> Fold {
        let nodes = subtrees_of(first - 1..last).map(|(level, index)| Digest([level ^ index as u8; 32])).collect();
        let (first, last) = (Sequence(first), Sequence(last));
        let recorded_at = Timestamp::from_micros(300).unwrap();
        Fold { first, last, recorded_at, chain: Digest([9; 32]), dropped_bytes: 7, nodes }
    }

    #[test]
    fn a_run_reads_back_and_no_other_number_of_nodes_does() {
        for (first, last) in [(1, 2), (1, 1024), (2, 4), (7, 5_000), (1, (1 << 31) + 17)] {
            let mut bytes = Vec::new();
            let fold = fold(first, last);
            fold.put(&mut bytes);
            let read = |bytes: &[u8], first| Fold::at(bytes, 0..bytes.len(), Sequence(first));
            assert_eq!(read(&bytes, first), Ok(Some(fold.clone())));
            let mut fewer = Vec::new();
            Fold { nodes: fold.nodes[1..].to_vec(), ..fold }.put(&mut fewer);
            assert!(read(&fewer, first).is_err() && read(&bytes[..bytes.len() - 1], first).is_err());
        }
        assert_eq!(Fold::at(b"\x01x", 0..2, Sequence(1)), Ok(None));
        assert!(Fold::at(b"\x02\x00\x00", 0..3, Sequence(1)).is_err());
    }
}
