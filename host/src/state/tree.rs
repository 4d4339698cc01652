//! The Merkle tree over a state's entries, whose root is the state's digest. FORMAT.md has it byte by byte.
//!
//! Entries are grouped into nodes, in key order; the nodes of a level are the items of the next, up to the level that is
//! one node. Where a level is cut depends on its keys alone ([`cut`]), so the tree is a function of the entries, whatever
//! the order of changes and commits, and whoever has only some nodes can check an entry against the root ([`proof`]).

mod build;
mod check;
mod cut;
mod node;
mod proof;
mod read;
mod rows;
mod update;

#[cfg(test)]
mod tests;

pub use check::Disagreement;
pub use node::Totals;
pub use proof::{EntryProof, InvalidProof, PROOF_BYTES_MAX, ValueDigest};

pub(super) use build::{Builder, build};
pub(super) use node::{Item, Node};
pub(super) use rows::{TREE, Tree};
pub(super) use update::{Net, update};

/// 32 levels: to bring about one more than chance does, somebody who chooses the keys has to find a number of them that
/// grows with a power as high as the level, and more than 2^160 for the last.
const LEVELS_MAX: usize = 32;
