//! Holds the stored tree to the entries, and the entries to the tree.

use redb::ReadableTable;

use super::build::Builder;
use super::node::{Item, Node};
use super::proof::EntryProof;
use super::rows::Tree;

/// The first place at which entries and tree disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// An entry that the tree knows otherwise, or not at all, or that only the tree knows.
    Entry { key: String },
    /// A node that is not what the nodes below it come to.
    Node { level: u8, key: String },
    /// Nodes that belong to no entry.
    Surplus { nodes: u64 },
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry { key } => write!(f, "the entry {key:?} is not as its digest in the tree says"),
            Self::Node { level, key } => write!(f, "the tree's node at level {level} from key {key:?} on is wrong"),
            Self::Surplus { nodes } => write!(f, "the tree has {nodes} nodes that belong to no entry"),
        }
    }
}

/// Walks all entries and compares what they come to with each node that is stored.
pub(super) fn check(
    entries: &impl ReadableTable<&'static str, &'static [u8]>,
    nodes: &impl ReadableTable<(u8, &'static str), &'static [u8]>,
) -> Result<Option<Disagreement>, redb::Error> {
    let (mut count, mut first) = (0, None);
    let mut compare = |node: &Node, encoding: &[u8]| -> Result<(), redb::Error> {
        count += 1;
        if first.is_none() {
            let stored = nodes.get((node.level, node.first_key()))?;
            let stored = stored.as_ref().map(|row| row.value());
            first = (stored != Some(encoding)).then(|| disagreement(node, stored.and_then(Node::decode)));
        }
        Ok(())
    };
    let mut builder = Builder::default();
    for entry in entries.iter()? {
        let (key, value) = entry?;
        builder.add(Item::of_entry(key.value(), value.value()), &mut compare)?;
    }
    builder.finish(&mut compare)?;
    let surplus = nodes.len()?.saturating_sub(count);
    Ok(first.or_else(|| (surplus > 0).then_some(Disagreement::Surplus { nodes: surplus })))
}

fn disagreement(expected: &Node, stored: Option<Node>) -> Disagreement {
    let Node { level, items } = expected;
    let differing = match &stored {
        Some(stored) if *level == 0 => {
            let pairs = items.len().max(stored.items.len());
            let at = (0..pairs).find(|at| items.get(*at) != stored.items.get(*at));
            at.and_then(|at| [items.get(at), stored.items.get(at)].into_iter().flatten().map(|item| &item.key).min())
        }
        Some(_) | None => None,
    };
    match differing {
        Some(key) => Disagreement::Entry { key: key.clone() },
        None => Disagreement::Node { level: *level, key: expected.first_key().to_owned() },
    }
}

/// A proof from stored nodes.
pub(super) fn prove(
    nodes: &impl ReadableTable<(u8, &'static str), &'static [u8]>,
    key: &str,
) -> Result<EntryProof, redb::Error> {
    let mut path = vec![Tree(nodes).root()?];
    while let Some(node) = path.last().filter(|node| node.level > 0) {
        let child = Tree(nodes).at(node.level - 1, &node.items[node.position(key)].key)?;
        path.push(child);
    }
    Ok(EntryProof::new(path))
}

/// A proof from the entries alone, by building the tree and keeping what is on the way.
pub(super) fn prove_from_entries(
    entries: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Result<EntryProof, redb::Error> {
    let mut path: Vec<Node> = Vec::new();
    let mut keep = |node: &Node, _: &[u8]| -> Result<(), redb::Error> {
        match path.get_mut(usize::from(node.level)) {
            None => path.push(node.clone()),
            Some(kept) if node.first_key() <= key => *kept = node.clone(),
            Some(_) => {}
        }
        Ok(())
    };
    let mut builder = Builder::default();
    for entry in entries.iter()? {
        let (key, value) = entry?;
        builder.add(Item::of_entry(key.value(), value.value()), &mut keep)?;
    }
    builder.finish(&mut keep)?;
    if path.is_empty() {
        path.push(Node::EMPTY);
    }
    path.reverse();
    Ok(EntryProof::new(path))
}
