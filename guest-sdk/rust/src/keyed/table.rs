//! A batch's distinct keys, each with its place, in the order in which they first come.

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

#[derive(Default)]
pub(super) struct Table {
    pub(super) keys: Vec<String>,
    index: HashTable<(u32, u32)>,
}

impl Table {
    /// Returns the key's place, a new one if it has none.
    #[inline]
    pub(super) fn place(&mut self, key: &str) -> u32 {
        let hash = hash(key);
        let found =
            self.index.find(u64::from(hash), |(other, place)| *other == hash && self.keys[*place as usize] == key);
        if let Some((_, place)) = found {
            return *place;
        }
        let place = self.keys.len() as u32;
        self.keys.push(key.to_owned());
        self.index.insert_unique(u64::from(hash), (hash, place), |(hash, _)| u64::from(*hash));
        place
    }
}

/// Hashes by a fixed function: the order of the keys never follows it, but the fuel used does.
#[inline]
fn hash(key: &str) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(key.as_bytes());
    hasher.finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_place_in_order_of_first_sight() {
        let mut table = Table::default();
        let names: Vec<String> = (0..5000).map(|i| format!("key/{}", i % 1000)).collect();
        for (i, name) in names.iter().enumerate() {
            assert_eq!(table.place(name), i as u32 % 1000);
        }
        assert_eq!(table.keys, names[..1000]);
    }
}
