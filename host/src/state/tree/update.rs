//! Brings the stored tree up to a commit's changes: node by node, level by level, neighbours only where cuts may move.

use std::collections::BTreeMap;

use super::cut::{Cutter, rank};
use super::node::{ITEMS_MAX, Item, Node};
use super::rows::{NodeTable, Tree, behind, decode};

/// A commit's changes: for each key its new value, or none where it is deleted.
pub(in crate::state) type Net<'a> = BTreeMap<&'a str, Option<&'a [u8]>>;

/// A level's changes: for each key the new item, or none where it is gone.
type Changes = BTreeMap<String, Option<Item>>;

/// Updates the tree, which was that of the state before the changes.
pub(in crate::state) fn update(nodes: &mut NodeTable<'_>, changes: &Net<'_>) -> Result<(), redb::Error> {
    let item = |key: &str, value: &[u8]| Item::of_entry(key, value);
    let changes = changes.iter().map(|(key, value)| ((*key).to_owned(), value.map(|value| item(key, value))));
    let mut changes: Changes = changes.collect();
    for level in 0.. {
        changes = update_level(nodes, level, changes)?;
        if !Tree(nodes).needs_level_above(level)? {
            return remove_from(nodes, level + 1);
        }
        if !Tree(nodes).has_level(level + 1)? {
            changes = all_of(nodes, level)?;
        }
        if changes.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Updates one level; returns what that changes in the next.
fn update_level(nodes: &mut NodeTable<'_>, level: u8, changes: Changes) -> Result<Changes, redb::Error> {
    let mut above = Changes::new();
    let mut changes = changes.into_iter().peekable();
    while let Some((key, _)) = changes.peek() {
        let node = Tree(nodes).holding(level, key)?;
        let end = match &node {
            Some(node) => Tree(nodes).key_behind(level, node.first_key())?,
            None => None,
        };
        let mut group = Changes::new();
        while let Some((key, item)) = changes.next_if(|(key, _)| end.as_ref().is_none_or(|end| key < end)) {
            group.insert(key, item);
        }
        let node = node.unwrap_or(Node { level, items: Vec::new() });
        let (old, new) = match replaced(&node, &group) {
            Some(new) => (vec![node], vec![new]),
            None => recut(nodes, node, group)?,
        };
        write(nodes, &old, &new, &mut above)?;
    }
    Ok(above)
}

/// The node with new items under keys that it has; none if a key comes or goes, which may move cuts.
fn replaced(node: &Node, group: &Changes) -> Option<Node> {
    let mut new = node.clone();
    for (key, item) in group {
        match (item, node.find(key)) {
            (Some(item), Some(_)) => new.items[node.position(key)] = item.clone(),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
    Some(new)
}

/// Cuts anew around changes that fall in one node. Returns the nodes before, which is a run of neighbours, and those that
/// take their place.
fn recut(nodes: &NodeTable<'_>, node: Node, group: Changes) -> Result<(Vec<Node>, Vec<Node>), redb::Error> {
    let (tree, level) = (Tree(nodes), node.level);
    let mut old = vec![node];
    let is_start = extend_left(&tree, &mut old, &group)?;
    let mut cutter = Cutter::new(level, is_start);
    let last_key = old[old.len() - 1].first_key().to_owned();
    let before = old.iter().flat_map(|node| &node.items).cloned();
    let mut new: Vec<Node> = merged(before, group).filter_map(|item| cutter.push(item)).collect();
    // All changes are in. From the first cut on that was one before, all others are where they were: what ranks below
    // it has its run, and more, and is cut; and what ranks above it sees nothing beyond it.
    let mut right: Vec<Node> = Vec::new();
    let mut next = match old.iter().all(|node| node.items.is_empty()) {
        true => None,
        false => tree.behind(level, Some(&last_key))?,
    };
    while let Some(node) = next {
        next = tree.behind(level, Some(node.first_key()))?;
        right.push(node.clone());
        for item in node.items {
            let Some(whole) = cutter.push(item) else { continue };
            new.push(whole);
            let again = right.iter().position(|node| Some(node.first_key()) == cutter.first_key());
            if let Some(again) = again {
                right.truncate(again);
                old.append(&mut right);
                return Ok((old, new));
            }
        }
    }
    new.extend(cutter.finish());
    old.append(&mut right);
    Ok((old, new))
}

/// Puts nodes before the first as far as the changes may have undone its cut. Returns whether that is the level's start.
fn extend_left<T>(tree: &Tree<'_, T>, old: &mut Vec<Node>, group: &Changes) -> Result<bool, redb::Error>
where
    T: redb::ReadableTable<(u8, &'static str), &'static [u8]>,
{
    let level = old[0].level;
    // An item that comes into a run, above its lowest, makes it longer.
    let first = rank(level, old[0].first_key());
    let lengthens = |(key, item): (&String, &Option<Item>)| {
        item.is_some() && (old[0].find(key).is_some() || rank(level, key) > first && key.as_str() > old[0].first_key())
    };
    let mut keeps_cut = group.iter().all(lengthens);
    let changed = group.keys().next().map_or("", String::as_str);
    let mut unchanged = old[0].items.partition_point(|item| item.key.as_str() < changed);
    while let Some(before) = tree.before(level, old[0].first_key())? {
        // A run that comes to the changes from here is long enough without them.
        keeps_cut |= unchanged >= ITEMS_MAX;
        if keeps_cut {
            return Ok(false);
        }
        unchanged += before.items.len();
        old.insert(0, before);
    }
    Ok(true)
}

/// Items with changes applied, both in key order.
fn merged(items: impl Iterator<Item = Item>, changes: Changes) -> impl Iterator<Item = Item> {
    let (mut items, mut changes) = (items.peekable(), changes.into_iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let is_kept = match (items.peek(), changes.peek()) {
                (Some(item), Some((key, _))) => item.key < *key,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if is_kept {
                return items.next();
            }
            let (key, change) = changes.next()?;
            items.next_if(|item| item.key == key);
            if change.is_some() {
                return change;
            }
        }
    })
}

/// Lets nodes take the place of others, and notes what that is to the level above.
fn write<'a>(
    nodes: &mut NodeTable<'_>,
    old: &'a [Node],
    new: &'a [Node],
    above: &mut Changes,
) -> Result<(), redb::Error> {
    let by_key = |nodes: &'a [Node]| -> BTreeMap<&'a str, &'a Node> {
        nodes.iter().filter(|node| !node.items.is_empty()).map(|node| (node.first_key(), node)).collect()
    };
    let (old, new) = (by_key(old), by_key(new));
    for (key, node) in &old {
        if !new.contains_key(key) {
            nodes.remove((node.level, *key))?;
            above.insert((*key).to_owned(), None);
        }
    }
    for (key, node) in new {
        if old.get(key).is_none_or(|old| *old != node) {
            let encoding = node.encode();
            nodes.insert((node.level, key), encoding.as_slice())?;
            above.insert(key.to_owned(), Some(node.summary(&encoding)));
        }
    }
    Ok(())
}

/// All nodes of a level, as they are the items of the next, which is new.
fn all_of(nodes: &NodeTable<'_>, level: u8) -> Result<Changes, redb::Error> {
    use redb::ReadableTable as _;
    let mut all = Changes::new();
    for row in nodes.range::<(u8, &str)>(behind(level, None))? {
        let (key, row) = row?;
        all.insert(key.value().1.to_owned(), Some(decode(row.value())?.summary(row.value())));
    }
    Ok(all)
}

/// Removes a level and all above: the one below is one node.
fn remove_from(nodes: &mut NodeTable<'_>, level: u8) -> Result<(), redb::Error> {
    nodes.retain_in::<(u8, &str), _>((level, "").., |_, _| false)?;
    Ok(())
}
