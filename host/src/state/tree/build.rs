//! Builds the tree in one pass over the entries, in the memory of a node for each level.

use redb::ReadableTable;

use super::LEVELS_MAX;
use super::cut::Cutter;
use super::node::{Item, Node};
use super::rows::NodeTable;

/// The levels as far as the entries have come.
#[derive(Clone, Debug, Default)]
pub(in crate::state) struct Builder {
    levels: Vec<Level>,
}

#[derive(Clone, Debug)]
struct Level {
    cutter: Cutter,
    /// Its first node: if it stays the only one it is the root, and there is no level above.
    first: Option<Item>,
    has_more: bool,
}

impl Builder {
    /// Takes the next entry in key order. Each node goes to `sink` as soon as it is whole, with its encoding, those of a
    /// level in key order.
    pub(in crate::state) fn add<E>(
        &mut self,
        entry: Item,
        sink: &mut impl FnMut(&Node, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.push(0, entry, sink)
    }

    /// The root: its digest and what is below. An empty state has one too, which does not go to `sink`.
    pub(in crate::state) fn finish<E>(
        mut self,
        sink: &mut impl FnMut(&Node, &[u8]) -> Result<(), E>,
    ) -> Result<Item, E> {
        for at in 0..LEVELS_MAX {
            let Some(level) = self.levels.get_mut(at) else { break };
            let cutter = std::mem::replace(&mut level.cutter, Cutter::new(0, true));
            if let Some(node) = cutter.finish() {
                self.emit(&node, sink)?;
            }
            if let Level { first: Some(root), has_more: false, .. } = &self.levels[at] {
                return Ok(root.clone());
            }
        }
        Ok(Node::EMPTY.summary(&Node::EMPTY.encode()))
    }

    fn push<E>(
        &mut self,
        at: usize,
        item: Item,
        sink: &mut impl FnMut(&Node, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.levels.len() == at {
            assert!(at < LEVELS_MAX, "nobody finds the keys for so many levels");
            let cutter = Cutter::new(u8::try_from(at).expect("there are 32 levels at most"), true);
            self.levels.push(Level { cutter, first: None, has_more: false });
        }
        match self.levels[at].cutter.push(item) {
            Some(node) => self.emit(&node, sink),
            None => Ok(()),
        }
    }

    fn emit<E>(&mut self, node: &Node, sink: &mut impl FnMut(&Node, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let encoding = node.encode();
        sink(node, &encoding)?;
        let (at, item) = (usize::from(node.level), node.summary(&encoding));
        let level = &mut self.levels[at];
        let Some(first) = &level.first else {
            level.first = Some(item);
            return Ok(());
        };
        if !level.has_more {
            level.has_more = true;
            let first = first.clone();
            self.push(at + 1, first, sink)?;
        }
        self.push(at + 1, item, sink)
    }
}

/// Builds the stored tree anew.
pub(in crate::state) fn build(
    entries: &impl ReadableTable<&'static str, &'static [u8]>,
    nodes: &mut NodeTable<'_>,
) -> Result<(), redb::Error> {
    nodes.retain(|_, _| false)?;
    let mut store = |node: &Node, encoding: &[u8]| -> Result<(), redb::Error> {
        nodes.insert((node.level, node.first_key()), encoding)?;
        Ok(())
    };
    let mut builder = Builder::default();
    for entry in entries.iter()? {
        let (key, value) = entry?;
        builder.add(Item::of_entry(key.value(), value.value()), &mut store)?;
    }
    builder.finish(&mut store)?;
    Ok(())
}
