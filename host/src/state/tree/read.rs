//! What the tree tells a reader of the state: digest, totals, proofs, and whether a value is the one that was written.

use super::build::Builder;
use super::check::{self, Disagreement};
use super::node::{Item, Node, Totals};
use super::proof::EntryProof;
use super::rows::Tree;
use crate::event::Digest;
use crate::state::{Error, Reader};

impl Reader {
    /// The digest of all entries. It is at hand, unless the tree was left behind: then it takes a pass over them.
    pub fn digest(&self) -> Result<Digest, Error> {
        Ok(self.root()?.digest)
    }

    /// How much the state holds; at hand like the digest.
    pub fn totals(&self) -> Result<Totals, Error> {
        Ok(self.root()?.totals)
    }

    /// Whether digest, totals and proofs are at hand.
    pub fn has_tree(&self) -> bool {
        self.has_tree
    }

    /// Proves to who knows the digest what the state has under a key, or that it has nothing.
    pub fn prove(&self, key: &str) -> Result<EntryProof, Error> {
        self.guarded(|| match self.has_tree {
            true => check::prove(&self.nodes, key),
            false => check::prove_from_entries(&self.entries, key),
        })
    }

    /// Reads a value and holds it to the digest that the tree has of it, if there is a tree: that finds a bit which changed
    /// on the disk.
    pub fn get_verified(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let value = self.get(key)?;
        if self.has_tree {
            let node = self.guarded(|| Tree(&self.nodes).holding(0, key))?;
            let found = value.as_ref().map(|value| Item::of_entry(key, value));
            if node.as_ref().and_then(|node| node.find(key)) != found.as_ref() {
                let problem = Disagreement::Entry { key: key.to_owned() }.to_string();
                return Err(Error::Unusable { path: self.path.clone(), problem });
            }
        }
        Ok(value)
    }

    /// Walks all entries and all nodes; returns the first that disagree. Without a tree there is nothing to disagree.
    pub fn check_tree(&self) -> Result<Option<Disagreement>, Error> {
        self.guarded(|| match self.has_tree {
            true => check::check(&self.entries, &self.nodes),
            false => Ok(None),
        })
    }

    fn root(&self) -> Result<Item, Error> {
        if self.has_tree {
            let root = self.guarded(|| Tree(&self.nodes).root())?;
            return Ok(root.summary(&root.encode()));
        }
        let mut builder = Builder::default();
        let mut drop_node = |_: &Node, _: &[u8]| Ok::<(), Error>(());
        for entry in self.entries()? {
            let (key, value) = entry?;
            builder.add(Item::of_entry(&key, &value), &mut drop_node)?;
        }
        builder.finish(&mut drop_node)
    }
}
