//! The tree as it is stored: a row for each node, under its level and first key.

use std::ops::{Bound, RangeBounds};

use redb::{ReadableTable, Table, TableDefinition};

use super::node::Node;

/// Level and first key; the node's encoding. The last row is the root; an empty state has none.
pub(in crate::state) const TREE: TableDefinition<(u8, &str), &[u8]> = TableDefinition::new("tree");

pub(in crate::state) type NodeTable<'a> = Table<'a, (u8, &'static str), &'static [u8]>;

/// A table of nodes.
#[derive(Debug)]
pub(in crate::state) struct Tree<'a, T>(pub &'a T);

impl<T: ReadableTable<(u8, &'static str), &'static [u8]>> Tree<'_, T> {
    /// That of an empty state where there is none.
    pub(in crate::state) fn root(&self) -> Result<Node, redb::Error> {
        self.0.last()?.map_or(Ok(Node::EMPTY), |(_, row)| decode(row.value()))
    }

    /// The node that begins with that key.
    pub(in crate::state) fn at(&self, level: u8, key: &str) -> Result<Node, redb::Error> {
        let row = self.0.get((level, key))?.ok_or_else(damaged)?;
        decode(row.value())
    }

    /// The node of a level that has a key, or would have it; none where the level has no nodes.
    pub(super) fn holding(&self, level: u8, key: &str) -> Result<Option<Node>, redb::Error> {
        let upto = self.0.range::<(u8, &str)>((level, "")..=(level, key))?.next_back();
        match upto {
            Some(row) => Ok(Some(decode(row?.1.value())?)),
            None => self.behind(level, None),
        }
    }

    /// The node before that which begins with a key.
    pub(super) fn before(&self, level: u8, key: &str) -> Result<Option<Node>, redb::Error> {
        let row = self.0.range::<(u8, &str)>((level, "")..(level, key))?.next_back().transpose()?;
        row.map(|(_, row)| decode(row.value())).transpose()
    }

    /// The node behind that which begins with a key, or the level's first.
    pub(super) fn behind(&self, level: u8, key: Option<&str>) -> Result<Option<Node>, redb::Error> {
        let row = self.0.range::<(u8, &str)>(behind(level, key))?.next().transpose()?;
        row.map(|(_, row)| decode(row.value())).transpose()
    }

    /// The key that the node behind begins with.
    pub(super) fn key_behind(&self, level: u8, key: &str) -> Result<Option<String>, redb::Error> {
        let row = self.0.range::<(u8, &str)>(behind(level, Some(key)))?.next().transpose()?;
        Ok(row.map(|(key, _)| key.value().1.to_owned()))
    }

    /// Whether a level has two nodes or more, so that one above is needed.
    pub(super) fn needs_level_above(&self, level: u8) -> Result<bool, redb::Error> {
        let mut rows = self.0.range::<(u8, &str)>(behind(level, None))?;
        Ok(rows.next().transpose()?.is_some() && rows.next().transpose()?.is_some())
    }

    pub(super) fn has_level(&self, level: u8) -> Result<bool, redb::Error> {
        Ok(self.0.range::<(u8, &str)>(behind(level, None))?.next().transpose()?.is_some())
    }
}

/// The rows of a level behind a key, or all.
pub(super) fn behind(level: u8, key: Option<&str>) -> impl RangeBounds<(u8, &str)> {
    let start = key.map_or(Bound::Included((level, "")), |key| Bound::Excluded((level, key)));
    (start, Bound::Excluded((level + 1, "")))
}

/// A row as a node.
pub(super) fn decode(row: &[u8]) -> Result<Node, redb::Error> {
    Node::decode(row).ok_or_else(damaged)
}

fn damaged() -> redb::Error {
    redb::Error::Corrupted("a node of its tree".to_owned())
}
