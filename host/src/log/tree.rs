//! The event tree: a Merkle tree over the log's events, in the shape of RFC 6962 (section 2.1) with BLAKE3.
//!
//! The chain can only be walked from end to end. The tree over the same bytes proves one event by some twenty digests, and
//! shows nothing of the others. `leaf = BLAKE3(0x00 ‖ payload digest ‖ envelope)`, `node = BLAKE3(0x01 ‖ left ‖ right)`; of
//! n leaves the left side has as many as the largest power of two below n. The root of no leaves is BLAKE3 of nothing.

pub(super) mod recompute;
pub(super) mod roots;
pub(super) mod subtree;

use crate::event::{Digest, Sequence};

const LEAF: u8 = 0;
const NODE: u8 = 1;

/// What stands for an event in the tree: its payload by its digest, and its envelope's canonical bytes.
pub fn event_leaf(payload: Digest, envelope: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[LEAF]).update(&payload.0).update(envelope);
    Digest(*hasher.finalize().as_bytes())
}

fn node(left: Digest, right: Digest) -> Digest {
    let mut bytes = [NODE; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Digest::of(&bytes)
}

/// The root over these leaves, or over roots of subtrees that are as large as each other, but for the last.
fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [only] => *only,
        more => {
            let (left, right) = more.split_at(left_of(more.len()));
            node(root(left), root(right))
        }
    }
}

/// The digests beside the way from a leaf to the root, the lowest first.
#[cfg(test)]
fn path(leaves: &[Digest], index: usize, out: &mut Vec<Digest>) {
    if leaves.len() < 2 {
        return;
    }
    let (left, right) = leaves.split_at(left_of(leaves.len()));
    match index.checked_sub(left.len()) {
        None => {
            path(left, index, out);
            out.push(root(right));
        }
        Some(index) => {
            path(right, index, out);
            out.push(root(left));
        }
    }
}

/// The largest power of two below `count`, which is two or more.
fn left_of(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

/// Shows that an event is among the first so many of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventProof {
    pub sequence: Sequence,
    /// How many events the tree has.
    pub at: Sequence,
    /// The digests beside the way from the event to the root, the lowest first.
    pub path: Vec<Digest>,
}

impl EventProof {
    /// The root to which the path leads from that leaf; none if the path cannot be of that place in that tree.
    pub fn root(&self, leaf: Digest) -> Option<Digest> {
        let (mut index, mut last) = (self.sequence.0.checked_sub(1)?, self.at.0.checked_sub(1)?);
        if index > last {
            return None;
        }
        let mut found = leaf;
        for beside in &self.path {
            if last == 0 {
                return None;
            }
            if index & 1 == 1 || index == last {
                found = node(*beside, found);
                // A subtree without a right neighbour goes up as it is.
                while index & 1 == 0 && index != 0 {
                    (index, last) = (index >> 1, last >> 1);
                }
            } else {
                found = node(found, *beside);
            }
            (index, last) = (index >> 1, last >> 1);
        }
        (last == 0).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|number| event_leaf(Digest::of(&number.to_le_bytes()), b"envelope")).collect()
    }

    fn proof(leaves: &[Digest], index: usize) -> EventProof {
        let mut found = Vec::new();
        path(leaves, index, &mut found);
        EventProof { sequence: Sequence(index as u64 + 1), at: Sequence(leaves.len() as u64), path: found }
    }

    /// The tree of seven leaves that RFC 6962 draws in section 2.1.3, with its names.
    #[test]
    fn seven_leaves_have_the_shape_that_the_rfc_draws() {
        let leaves = leaves(7);
        let [a, b, c, d, e, f, j] = leaves[..] else { unreachable!() };
        let (g, h, i) = (node(a, b), node(c, d), node(e, f));
        let (k, l) = (node(g, h), node(i, j));
        assert_eq!(root(&leaves), node(k, l));
        for (index, expected) in [(0, vec![b, h, l]), (3, vec![c, g, l]), (4, vec![f, j, k]), (6, vec![i, k])] {
            assert_eq!(proof(&leaves, index).path, expected, "leaf {index}");
        }
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved_and_no_other_is() {
        for count in 1..=70 {
            let leaves = leaves(count);
            let root = root(&leaves);
            for index in 0..leaves.len() {
                let proof = proof(&leaves, index);
                assert_eq!(proof.root(leaves[index]), Some(root), "leaf {index} of {count}");
                assert_ne!(proof.root(Digest::ZERO), Some(root));
                for other in 0..=count + 1 {
                    let moved = EventProof { sequence: Sequence(other), ..proof.clone() };
                    assert_eq!(
                        moved.root(leaves[index]) == Some(root),
                        other == index as u64 + 1,
                        "{index} as {other}"
                    );
                }
                let longer = EventProof { path: [&proof.path[..], &[Digest::ZERO]].concat(), ..proof.clone() };
                assert_eq!(longer.root(leaves[index]), None);
                let mut shorter = proof;
                if shorter.path.pop().is_some() {
                    assert_ne!(shorter.root(leaves[index]), Some(root));
                }
            }
        }
    }

    #[test]
    fn a_root_stays_the_same_from_release_to_release() {
        let roots: Vec<String> = [0, 1, 2, 7, 1025].map(|count| root(&leaves(count)).short()).into();
        expect_test::expect!["af1349b9f5f9 a0165d4c3c73 b6de2846b812 b28508ec11f9 3f15fee0bff2"]
            .assert_eq(&roots.join(" "));
    }

    #[test]
    fn a_path_of_any_length_ends() {
        let proof = EventProof { sequence: Sequence(1), at: Sequence(u64::MAX), path: vec![Digest::ZERO; 10_000] };
        assert_eq!(proof.root(Digest::ZERO), None);
        let nothing = EventProof { sequence: Sequence(0), at: Sequence(0), path: Vec::new() };
        assert_eq!(nothing.root(Digest::ZERO), None);
    }
}
