//! Proofs: the nodes on the way from the root to one entry, or to where it would be.
//!
//! A root stands for one answer to each key: the way down is decided by the nodes, each of which the one above names by
//! its digest. So nobody can prove two values of one key, or a value and its absence, against the same root, not even
//! who made the root. That the root is that of the right state is another question, which only building it answers.

use super::LEVELS_MAX;
use super::node::{self, Node, Totals};
use crate::event::Digest;

/// 1 MiB: a few KiB are usual; keys of 1 KiB each that are chosen for it come to some 35 KiB a level.
pub const PROOF_BYTES_MAX: usize = 1 << 20;

/// What a state has, or has not, under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProof {
    /// From the root down to level 0.
    nodes: Vec<Node>,
}

/// A value as a proof knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueDigest {
    /// BLAKE3 of the value.
    pub digest: Digest,
    /// Its length in bytes.
    pub length: u64,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    #[error("the proof has {0} bytes, and none has more than {PROOF_BYTES_MAX}")]
    TooLarge(usize),
    #[error("the proof is malformed: {0}")]
    Malformed(&'static str),
    #[error("the proof begins with another root than the state's digest: {found}, not {expected}")]
    OtherRoot { expected: Digest, found: Digest },
    #[error("the proof's node at level {level} is not the one that the node above it names")]
    OtherNode { level: u8 },
}

impl ValueDigest {
    pub fn of(value: &[u8]) -> Self {
        Self { digest: Digest::of(value), length: value.len() as u64 }
    }
}

impl EntryProof {
    /// Puts together the nodes from the root down.
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self { nodes }
    }

    /// Checks it against a state's digest. What the state has under the key is returned; none is proof that it has nothing.
    pub fn check(&self, root: Digest, key: &str) -> Result<Option<ValueDigest>, InvalidProof> {
        let (top, below) = self.nodes.split_first().ok_or(InvalidProof::Malformed(NO_NODES))?;
        let found = node::digest(&top.encode());
        if found != root {
            return Err(InvalidProof::OtherRoot { expected: root, found });
        }
        let (mut node, mut end) = (top, None);
        for child in below {
            let at = node.position(key);
            end = node.items.get(at + 1).map(|next| next.key.as_str()).or(end);
            let reaches_over = end.is_some_and(|end| child.items.last().is_some_and(|last| last.key.as_str() >= end));
            if child.summary(&child.encode()) != node.items[at] || reaches_over {
                return Err(InvalidProof::OtherNode { level: child.level });
            }
            node = child;
        }
        let length = |bytes: u64| bytes - key.len() as u64;
        Ok(node.find(key).map(|item| ValueDigest { digest: item.digest, length: length(item.totals.bytes) }))
    }

    /// How much the whole state has: as true as the root that the proof was checked against.
    pub fn totals(&self) -> Totals {
        self.nodes.first().and_then(Node::totals).unwrap_or_default()
    }

    /// A byte that counts the nodes, then each node behind its length as 4 bytes little-endian, the root first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(self.nodes.len()).expect("a tree has 32 levels at most")];
        for node in self.nodes.iter().map(Node::encode) {
            bytes.extend_from_slice(&u32::try_from(node.len()).expect("a node has no 4 GiB").to_le_bytes());
            bytes.extend_from_slice(&node);
        }
        bytes
    }

    /// Reads what anybody may have sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidProof> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(InvalidProof::TooLarge(bytes.len()));
        }
        let malformed = InvalidProof::Malformed;
        let (count, mut rest) = bytes.split_first().ok_or(malformed(NO_NODES))?;
        let count = usize::from(*count);
        if count == 0 || count > LEVELS_MAX {
            return Err(malformed(NO_NODES));
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(count);
        for _ in 0..count {
            let (length, behind) = rest.split_first_chunk().ok_or(malformed(CUT_OFF))?;
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| malformed(CUT_OFF))?;
            let (node, behind) = behind.split_at_checked(length).ok_or(malformed(CUT_OFF))?;
            nodes.push(Node::decode(node).ok_or(malformed("what it has as a node is none"))?);
            rest = behind;
        }
        let is_path = nodes.iter().rev().enumerate().all(|(level, node)| usize::from(node.level) == level);
        // Only the state's root may be empty, and then there is nothing below.
        let is_whole = rest.is_empty() && (count == 1 || nodes.iter().all(|node| !node.items.is_empty()));
        if is_path && is_whole { Ok(Self { nodes }) } else { Err(malformed("its nodes are no way down")) }
    }
}

const NO_NODES: &str = "it has no nodes, or more than a tree has levels";
const CUT_OFF: &str = "it is cut off";
