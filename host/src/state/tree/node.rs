//! A node of the tree: its items, its encoding, and the digest of that.

use std::sync::LazyLock;

use crate::event::Digest;

/// 32 items at most: a node of short keys has about 2 KiB, and a million entries are five levels.
pub(super) const ITEMS_MAX: usize = 32;

/// What a node's digest is derived with, so that it is no digest of anything else.
pub(super) const CONTEXT: &str = "polyfold 2026-11-21 state tree node 1";

/// What entries come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub entries: u64,
    /// The length of all keys and values.
    pub bytes: u64,
}

/// What a node holds of an entry, or of a node of the level below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::state) struct Item {
    /// The entry's key, or the first one below.
    pub key: String,
    /// The value's digest, or the node's.
    pub digest: Digest,
    pub totals: Totals,
}

/// Neighbouring items of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::state) struct Node {
    /// 0 for a node of entries.
    pub level: u8,
    /// In key order, no key twice; only the node of an empty state has none.
    pub items: Vec<Item>,
}

impl Totals {
    /// None where that is more than anything can be.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let entries = self.entries.checked_add(other.entries)?;
        Some(Self { entries, bytes: self.bytes.checked_add(other.bytes)? })
    }
}

impl Item {
    pub(in crate::state) fn of_entry(key: &str, value: &[u8]) -> Self {
        let bytes = (key.len() + value.len()) as u64;
        Self { key: key.to_owned(), digest: Digest::of(value), totals: Totals { entries: 1, bytes } }
    }
}

impl Node {
    /// See the constant of that name.
    pub(in crate::state) const ITEMS_MAX: usize = ITEMS_MAX;

    /// What an empty state has.
    pub(super) const EMPTY: Self = Self { level: 0, items: Vec::new() };

    /// Empty for the node of an empty state.
    pub(in crate::state) fn first_key(&self) -> &str {
        self.items.first().map_or("", |item| &item.key)
    }

    /// What is below; none where the sums are more than anything can be.
    pub(in crate::state) fn totals(&self) -> Option<Totals> {
        self.items.iter().try_fold(Totals::default(), |sum, item| sum.plus(item.totals))
    }

    /// The item where a key is, or under which it would be.
    pub(in crate::state) fn position(&self, key: &str) -> usize {
        self.items.partition_point(|item| item.key.as_str() <= key).saturating_sub(1)
    }

    /// The item with exactly that key.
    pub(super) fn find(&self, key: &str) -> Option<&Item> {
        self.items.get(self.position(key)).filter(|item| item.key == key)
    }

    pub(in crate::state) fn encode(&self) -> Vec<u8> {
        let size = self.items.iter().map(|item| ITEM_BYTES + item.key.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + size);
        bytes.push(self.level);
        bytes.push(u8::try_from(self.items.len()).expect("a node has 32 items at most"));
        for Item { key, digest, totals } in &self.items {
            bytes.extend_from_slice(&u32::try_from(key.len()).expect("a key is no 4 GiB long").to_le_bytes());
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(&digest.0);
            bytes.extend_from_slice(&totals.entries.to_le_bytes());
            bytes.extend_from_slice(&totals.bytes.to_le_bytes());
        }
        bytes
    }

    /// None for what no node is encoded as: each node has one encoding.
    pub(in crate::state) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[level, count], mut rest) = bytes.split_first_chunk()?;
        if usize::from(count) > ITEMS_MAX || usize::from(level) >= super::LEVELS_MAX || (count == 0 && level > 0) {
            return None;
        }
        let mut items: Vec<Item> = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let length = u32::from_le_bytes(take(&mut rest)?);
            let (key, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = behind;
            let key = std::str::from_utf8(key).ok()?.to_owned();
            let digest = Digest(take(&mut rest)?);
            let [entries, bytes] = [u64::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?)];
            let is_entry = entries == 1 && bytes >= key.len() as u64;
            if (level == 0 && !is_entry) || items.last().is_some_and(|last| last.key >= key) {
                return None;
            }
            items.push(Item { key, digest, totals: Totals { entries, bytes } });
        }
        let node = Self { level, items };
        (rest.is_empty() && node.totals().is_some()).then_some(node)
    }

    /// What the level above has of it, whose encoding is this.
    pub(in crate::state) fn summary(&self, encoding: &[u8]) -> Item {
        let totals = self.totals().expect("a state has less than 2^64 bytes");
        Item { key: self.first_key().to_owned(), digest: digest(encoding), totals }
    }
}

/// The digest of the node with that encoding.
pub(super) fn digest(encoding: &[u8]) -> Digest {
    // Cloned, because to derive with a context takes longer than to digest a small node.
    static DERIVING: LazyLock<blake3::Hasher> = LazyLock::new(|| blake3::Hasher::new_derive_key(CONTEXT));
    Digest(*DERIVING.clone().update(encoding).finalize().as_bytes())
}

const HEADER_BYTES: usize = 2;
const ITEM_BYTES: usize = 4 + 32 + 8 + 8;

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(what: &str, bytes: &[u8]) {
        assert_eq!(Node::decode(bytes), None, "{what}");
    }

    #[test]
    fn what_is_no_node_is_refused() {
        let node = Node { level: 0, items: vec![Item::of_entry("a", b"1"), Item::of_entry("b", b"")] };
        let bytes = node.encode();
        assert_eq!(Node::decode(&bytes), Some(node.clone()));
        (0..bytes.len()).for_each(|end| check("cut off", &bytes[..end]));
        check("longer", &[&bytes[..], &[0]].concat());
        let reversed = Node { items: node.items.iter().rev().cloned().collect(), ..node.clone() };
        check("out of order", &reversed.encode());
        let twice = Node { items: vec![node.items[0].clone(); 2], ..node.clone() };
        check("twice", &twice.encode());
        check("a level of no items", &[1, 0]);
        check("too high", &Node { level: 32, ..node.clone() }.encode());
        let too_many: Vec<Item> = (0..33).map(|at| Item::of_entry(&format!("{at:02}"), b"")).collect();
        check("too many", &Node { level: 0, items: too_many }.encode());
        let with = |totals| Node { level: 1, items: vec![Item { totals, ..node.items[0].clone() }; 1] };
        check("an entry of none", &Node { level: 0, ..with(Totals { entries: 0, bytes: 1 }) }.encode());
        check("shorter than its key", &Node { level: 0, ..with(Totals { entries: 1, bytes: 0 }) }.encode());
        let mut overflowing = with(Totals { entries: u64::MAX, bytes: 0 });
        overflowing.items.push(Item { key: "b".to_owned(), ..overflowing.items[0].clone() });
        check("more than can be", &overflowing.encode());
        assert_eq!(Node::decode(&Node::EMPTY.encode()), Some(Node::EMPTY));
    }

    #[test]
    fn a_key_is_found_or_where_it_would_be() {
        let node = Node { level: 0, items: ["b", "d", "f"].map(|key| Item::of_entry(key, b"")).into() };
        assert_eq!(["a", "b", "c", "d", "e", "f", "g"].map(|key| node.position(key)), [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!(node.find("d").map(|item| item.key.as_str()), Some("d"));
        assert_eq!(node.find("c"), None);
    }
}
