//! Net changes to a state: the last word on each key.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

/// For each key that changed its new value, or `None` where it was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    by_key: BTreeMap<String, Option<Vec<u8>>>,
    bytes: usize,
}

impl Changes {
    /// What one changed key costs in memory beside its bytes: a tree's node and two allocations, roughly.
    const ENTRY_BYTES: usize = 96;

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// About how much memory the changes take.
    pub fn bytes(&self) -> usize {
        self.bytes + self.by_key.len() * Self::ENTRY_BYTES
    }

    /// The change to a key: `None` if it did not change, `Some(None)` if it was deleted.
    pub fn get(&self, key: &str) -> Option<Option<&[u8]>> {
        self.by_key.get(key).map(Option::as_deref)
    }

    pub fn set(&mut self, key: String, value: Option<Vec<u8>>) {
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        self.bytes += key.len() + size(&value);
        let key_bytes = key.len();
        if let Some(old) = self.by_key.insert(key, value) {
            self.bytes -= key_bytes + size(&old);
        }
    }

    /// Takes over all changes of `later`, which came after these.
    pub fn merge(&mut self, later: Self) {
        if self.is_empty() {
            *self = later;
            return;
        }
        for (key, value) in later.by_key {
            self.set(key, value);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.by_key.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// The changes behind a key in key order.
    pub(super) fn range_from(&self, start: Bound<&str>) -> Range<'_, String, Option<Vec<u8>>> {
        self.by_key.range::<str, _>((start, Bound::Unbounded))
    }
}
