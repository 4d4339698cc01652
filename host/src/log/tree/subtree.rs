//! Subtrees of the event tree: full ones, of a power of two of leaves, so that a tree can be put together from parts.

use std::ops::Range;

use super::{left_of, node, root};
use crate::event::Digest;

/// The root of 2^level leaves, of which the first is index × 2^level, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log) struct Subtree {
    pub(in crate::log) level: u8,
    pub(in crate::log) index: u64,
    pub(in crate::log) root: Digest,
}

impl Subtree {
    pub(in crate::log) fn leaf(index: u64, root: Digest) -> Self {
        Self { level: 0, index, root }
    }

    /// Its leaves, counted from 0.
    pub(in crate::log) fn leaves(&self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }
}

/// The levels and indexes of the largest subtrees that together are just these leaves, from left to right.
pub(in crate::log) fn subtrees_of(leaves: Range<u64>) -> impl Iterator<Item = (u8, u64)> {
    let Range { mut start, end } = leaves;
    std::iter::from_fn(move || {
        let left = end.checked_sub(start).filter(|left| *left > 0)?;
        let level = left.ilog2().min(start.trailing_zeros());
        let found = (level as u8, start >> level);
        start = start.saturating_add(1 << level);
        Some(found)
    })
}

/// Subtrees that follow each other, as large as they get: two halves become one.
#[derive(Clone, Debug, Default)]
pub(in crate::log) struct Subtrees(Vec<Subtree>);

impl Subtrees {
    /// Adds the next one.
    pub(in crate::log) fn push(&mut self, next: Subtree) {
        let mut right = next;
        // A left half waits for its right one.
        while right.index & 1 == 1
            && let Some(left) = self.0.last()
            && (left.level, left.index) == (right.level, right.index - 1)
        {
            right = Subtree { level: right.level + 1, index: right.index / 2, root: node(left.root, right.root) };
            self.0.pop();
        }
        self.0.push(right);
    }

    /// The root over all leaves, if the first is the log's first.
    pub(in crate::log) fn root(&self) -> Digest {
        let Some((last, larger)) = self.0.split_last() else { return root(&[]) };
        larger.iter().rev().fold(last.root, |right, left| node(left.root, right))
    }

    /// The one that all of them are, if they are one.
    pub(in crate::log) fn into_only(self) -> Option<Subtree> {
        match self.0[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(in crate::log) fn into_roots(self) -> Vec<Digest> {
        self.0.into_iter().map(|subtree| subtree.root).collect()
    }
}

/// The root over these leaves, from subtrees that are just them; none where one of them is cut by a part of the tree.
fn root_of(subtrees: &[Subtree], leaves: Range<u64>) -> Option<Digest> {
    if let [only] = subtrees
        && only.leaves() == leaves
    {
        return Some(only.root);
    }
    let (left, right) = halves(subtrees, &leaves)?;
    Some(node(root_of(left.0, left.1)?, root_of(right.0, right.1)?))
}

/// The digests beside the way from a leaf to the root over `leaves`, the lowest first; none where a subtree hides one.
pub(super) fn path_in(subtrees: &[Subtree], leaves: Range<u64>, leaf: u64, out: &mut Vec<Digest>) -> Option<()> {
    if leaves.end - leaves.start < 2 {
        return Some(());
    }
    let (left, right) = halves(subtrees, &leaves)?;
    let (way, beside) = if left.1.contains(&leaf) { (left, right) } else { (right, left) };
    path_in(way.0, way.1, leaf, out)?;
    out.push(root_of(beside.0, beside.1)?);
    Some(())
}

type Part<'a> = (&'a [Subtree], Range<u64>);

/// The left and the right side of a tree of two or more leaves.
fn halves<'a>(subtrees: &'a [Subtree], leaves: &Range<u64>) -> Option<(Part<'a>, Part<'a>)> {
    let count = leaves.end.checked_sub(leaves.start).filter(|count| *count > 1)?;
    let middle = leaves.start + left_of(usize::try_from(count).ok()?) as u64;
    let at = subtrees.partition_point(|subtree| subtree.leaves().start < middle);
    let (left, right) = subtrees.split_at(at);
    if left.last()?.leaves().end > middle {
        return None;
    }
    Some(((left, leaves.start..middle), (right, middle..leaves.end)))
}

#[cfg(test)]
mod tests {
    use super::super::path;
    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|number| Digest::of(&number.to_le_bytes())).collect()
    }

    fn single(leaves: &[Digest]) -> Vec<Subtree> {
        leaves.iter().zip(0..).map(|(root, index)| Subtree::leaf(index, *root)).collect()
    }

    #[test]
    fn leaf_by_leaf_the_root_is_the_same() {
        let leaves = leaves(130);
        let mut subtrees = Subtrees::default();
        for (count, leaf) in leaves.iter().enumerate() {
            assert_eq!(subtrees.root(), root(&leaves[..count]), "{count} leaves");
            subtrees.push(Subtree::leaf(count as u64, *leaf));
        }
    }

    #[test]
    fn any_part_of_the_leaves_can_be_folded() {
        let leaves = leaves(70);
        for start in 0..70 {
            for end in start + 1..=70 {
                let mut part = Subtrees::default();
                single(&leaves)[start..end].iter().for_each(|leaf| part.push(*leaf));
                let places = part.0.iter().map(|subtree| (subtree.level, subtree.index));
                assert!(places.eq(subtrees_of(start as u64..end as u64)), "{start} to {end}");
                let mut whole = Subtrees::default();
                single(&leaves[..start]).into_iter().for_each(|leaf| whole.push(leaf));
                part.0.into_iter().for_each(|subtree| whole.push(subtree));
                single(&leaves)[end..].iter().for_each(|leaf| whole.push(*leaf));
                assert_eq!(whole.root(), root(&leaves), "{start} to {end}");
            }
        }
    }

    #[test]
    fn a_path_beside_folded_leaves_is_that_of_the_leaves() {
        let leaves = leaves(70);
        for (start, end, at) in [(0, 32, 70), (3, 61, 70), (8, 16, 17), (1, 3, 5), (64, 70, 70)] {
            let mut part = Subtrees::default();
            single(&leaves)[start..end].iter().for_each(|leaf| part.push(*leaf));
            let alone = single(&leaves);
            let subtrees = [&alone[..start], &part.0, &alone[end.min(at)..at]].concat();
            for leaf in (0..at).filter(|leaf| !(start..end).contains(leaf)) {
                let (mut expected, mut found) = (Vec::new(), Vec::new());
                path(&leaves[..at], leaf, &mut expected);
                assert_eq!(path_in(&subtrees, 0..at as u64, leaf as u64, &mut found), Some(()));
                assert_eq!(found, expected, "leaf {leaf} of {at}");
            }
        }
        let hidden = [Subtree { level: 1, index: 0, root: leaves[0] }, Subtree::leaf(2, leaves[2])];
        assert_eq!(path_in(&hidden, 0..3, 0, &mut Vec::new()), None);
    }
}
