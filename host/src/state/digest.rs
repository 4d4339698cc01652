//! The digest of a state: two states have the same one if all their entries are the same.

use crate::event::Digest;

/// BLAKE3 over all entries in key order, key and value each behind its length as 8 bytes little-endian.
#[derive(Clone, Debug, Default)]
pub struct StateDigest(blake3::Hasher);

impl StateDigest {
    /// Takes the next entry in key order.
    pub fn add(&mut self, key: &str, value: &[u8]) {
        for part in [key.as_bytes(), value] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}
