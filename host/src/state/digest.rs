//! The digest of a state: two states have the same one if all their entries are the same.

use std::convert::Infallible;

use super::tree::{Builder, Item};
use crate::event::Digest;

/// The root of the tree over entries that lie in no file. FORMAT.md says what that is, byte by byte.
#[derive(Clone, Debug, Default)]
pub struct StateDigest(Builder);

impl StateDigest {
    /// Takes the next entry in key order.
    pub fn add(&mut self, key: &str, value: &[u8]) {
        let Ok(()) = self.0.add::<Infallible>(Item::of_entry(key, value), &mut |_, _| Ok(()));
    }

    pub fn finish(&self) -> Digest {
        let Ok(root) = self.0.clone().finish::<Infallible>(&mut |_, _| Ok(()));
        root.digest
    }
}
