//! Where a level is cut into nodes: by its keys alone, and never into more than 32 items, whatever the keys are.
//!
//! Each item has a rank, taken from the digest of level and key; of two equal ranks the first item's is the lower. Between
//! two neighbours lies a place to cut, which has the rank of the item behind it. A run of places is cut at its lowest as
//! long as it is 32 places long or longer, and so are both parts.
//!
//! So a place is cut exactly if the longest run around it in which it is the lowest has 32 places or more: whoever cut
//! the runs above it came to that run. That depends on the 31 neighbours on either side at most, so a change of the level
//! moves no cut further away. A plugin that chooses its keys can make nodes small, with an effort that grows with the
//! square of their number, but never large; rules that cut where a digest has enough zero bits can be starved of cuts.

use super::node::{ITEMS_MAX, Item, Node};

/// Cuts a level as its items arrive.
///
/// Of the items since the last cut, all rank above the first: the next one that does not is the end of their run.
#[derive(Clone, Debug)]
pub(super) struct Cutter {
    level: u8,
    /// Since the last cut, with their ranks: at most 32.
    items: Vec<(u64, Item)>,
    /// Whether the first of them is the level's, before which there is no place to cut.
    is_start: bool,
}

impl Cutter {
    /// Begins at the level's first item, or at one that a node begins with.
    pub(super) fn new(level: u8, is_start: bool) -> Self {
        Self { level, items: Vec::with_capacity(ITEMS_MAX + 1), is_start }
    }

    /// Takes the next item; returns a node if it is found to be whole.
    pub(super) fn push(&mut self, item: Item) -> Option<Node> {
        let rank = rank(self.level, &item.key);
        let ends_run = !self.is_start && self.items.first().is_some_and(|(first, _)| rank < *first);
        self.items.push((rank, item));
        if ends_run {
            return Some(self.cut(self.items.len() - 1));
        }
        // 32 places, none of them lower than the first item: whatever follows, the lowest of them is cut.
        if self.items.len() > ITEMS_MAX { Some(self.cut(self.lowest())) } else { None }
    }

    /// The node that the level ends with.
    pub(super) fn finish(mut self) -> Option<Node> {
        let end = self.items.len();
        if end == 0 { None } else { Some(self.cut(end)) }
    }

    /// What the node in hand begins with.
    pub(super) fn first_key(&self) -> Option<&str> {
        self.items.first().map(|(_, item)| item.key.as_str())
    }

    fn lowest(&self) -> usize {
        let places = self.items.iter().enumerate().skip(1);
        places.min_by_key(|(at, (rank, _))| (*rank, *at)).map_or(0, |(at, _)| at)
    }

    fn cut(&mut self, end: usize) -> Node {
        self.is_start = false;
        let items = self.items.drain(..end).map(|(_, item)| item).collect();
        Node { level: self.level, items }
    }
}

/// The first 8 bytes, little-endian, of BLAKE3 over the level's byte and the key.
pub(super) fn rank(level: u8, key: &str) -> u64 {
    /// One block of BLAKE3, which is digested fastest in one piece.
    const BLOCK: usize = 64;
    let digest = if key.len() < BLOCK {
        let mut block = [0; BLOCK];
        block[0] = level;
        block[1..=key.len()].copy_from_slice(key.as_bytes());
        blake3::hash(&block[..=key.len()])
    } else {
        blake3::Hasher::new().update(&[level]).update(key.as_bytes()).finalize()
    };
    u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A key, `at` in key order, whose rank is the `wanted`-th of so many.
    pub(in super::super) fn ranking(at: u64, wanted: u64, of: u64) -> String {
        let wanted = u64::MAX / of * wanted..u64::MAX / of * (wanted + 1);
        let mut keys = (0_u64..).map(|nonce| format!("{at:04}/{nonce}"));
        keys.find(|key| wanted.contains(&rank(0, key))).unwrap()
    }

    /// Where the rule cuts, said as it is written above and with nothing else in mind.
    fn cuts(ranks: &[u64]) -> Vec<usize> {
        fn cut(ranks: &[u64], places: std::ops::Range<usize>, cuts: &mut Vec<usize>) {
            if places.len() >= ITEMS_MAX {
                let lowest = places.clone().min_by_key(|place| (ranks[*place], *place)).unwrap();
                cut(ranks, places.start..lowest, cuts);
                cuts.push(lowest);
                cut(ranks, lowest + 1..places.end, cuts);
            }
        }
        let mut found = Vec::new();
        cut(ranks, 1..ranks.len().max(1), &mut found);
        found
    }

    fn item(at: usize) -> Item {
        Item::of_entry(&format!("{at:08}"), b"")
    }

    fn check(what: &str, keys: impl Iterator<Item = String>) -> usize {
        let items: Vec<Item> = keys.map(|key| Item::of_entry(&key, b"")).collect();
        let ranks: Vec<u64> = items.iter().map(|item| rank(0, &item.key)).collect();
        let mut cutter = Cutter::new(0, true);
        let mut nodes: Vec<Node> = items.iter().filter_map(|item| cutter.push(item.clone())).collect();
        nodes.extend(cutter.finish());
        assert!(nodes.iter().all(|node| (1..=ITEMS_MAX).contains(&node.items.len())), "{what}");
        let ends = nodes.iter().scan(0, |end, node| {
            *end += node.items.len();
            Some(*end)
        });
        let mut ends: Vec<usize> = ends.collect();
        assert_eq!(ends.pop().unwrap_or_default(), items.len(), "{what}: nothing is lost");
        assert_eq!(ends, cuts(&ranks), "{what}");
        nodes.len()
    }

    #[test]
    fn cutting_in_one_pass_follows_the_rule() {
        for count in 0..200 {
            check("few", (0..count).map(|at| item(at).key));
        }
        let nodes = check("many", (0..20_000).map(|at| item(at).key));
        assert!((1_000..1_500).contains(&nodes), "two nodes for each 33 items, or about so: {nodes}");
    }

    /// Keys whose ranks rise or fall all along, as a plugin would look for them that wants the worst.
    #[test]
    fn keys_chosen_for_their_ranks_make_no_large_node() {
        let rising: Vec<String> = (0..300).map(|at| ranking(at, at, 300)).collect();
        assert!(rising.is_sorted_by_key(|key| rank(0, key)));
        check("rising", rising.into_iter());
        let falling: Vec<String> = (0..300).map(|at| ranking(at, 299 - at, 300)).collect();
        assert!(falling.is_sorted_by_key(|key| std::cmp::Reverse(rank(0, key))));
        check("falling", falling.into_iter());
    }

    #[test]
    fn a_rank_is_the_same_however_long_the_key_is() {
        for length in [0, 1, 62, 63, 64, 65, 1_024] {
            let key = "k".repeat(length);
            let digest = blake3::hash(&[&[3], key.as_bytes()].concat());
            assert_eq!(rank(3, &key).to_le_bytes(), digest.as_bytes()[..8], "{length}");
        }
    }
}
