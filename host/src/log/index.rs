//! Where an id and a stream's events lie: sorted runs on disk for what is old, a table in memory for what is new.
//!
//! A B-tree row an event would cost a random insert each, more the longer the log is. Here an event costs its share
//! of a sorted run and of three merges, at any length.

pub(super) mod filter;
pub(super) mod memtable;
pub(super) mod merge;
pub(super) mod page;
pub(super) mod run;
pub(super) mod snapshot;

use std::hash::{BuildHasherDefault, Hasher};

/// The first 16 bytes of the BLAKE3 digest of an id or a stream's name, ordered as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub(super) u128);

impl Key {
    pub(super) fn of(name: &str) -> Self {
        let digest = blake3::hash(name.as_bytes());
        Self::of_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
    }

    pub(super) fn of_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    pub(super) fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

/// Keys are digests already: their own low bits serve as the hash.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// A map by key.
pub(super) type KeyMap<T> = std::collections::HashMap<Key, T, BuildHasherDefault<KeyHasher>>;
