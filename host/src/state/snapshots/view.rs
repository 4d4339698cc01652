//! Reading a snapshot: down its tree, each node held to its digest.

use std::collections::HashMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::ReadOnlyTable;

use super::{Manifest, chunk};
use crate::event::Digest;
use crate::state::storage::Storage;
use crate::state::store::guarded;
use crate::state::tree::Node;
use crate::state::{Entry, Error};

/// 64 MiB of nodes stay unpacked, for a replay that reads here and there.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// A snapshot that is read.
pub struct View {
    manifest: Manifest,
    nodes: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    unpacked: Mutex<Unpacked>,
    /// What was found damaged, if anything was.
    damage: Mutex<Option<String>>,
    path: PathBuf,
    /// Without its database a table cannot be read.
    _db: Arc<Storage>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({} at {})", self.path.display(), self.manifest.checkpoint.sequence)
    }
}

#[derive(Default)]
struct Unpacked {
    leaves: HashMap<Digest, Arc<Vec<Entry>>>,
    nodes: HashMap<Digest, Arc<Node>>,
    bytes: usize,
}

/// A place in the tree: the nodes down to the entries, each with the item to go on with.
struct Walk<'a> {
    view: &'a View,
    path: Vec<(Arc<Node>, usize)>,
    leaf: Option<(Arc<Vec<Entry>>, usize)>,
}

impl View {
    pub(super) fn new(
        manifest: Manifest,
        nodes: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
        (path, db): (PathBuf, Arc<Storage>),
    ) -> Self {
        Self { manifest, nodes, unpacked: Mutex::default(), damage: Mutex::default(), path, _db: db }
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What was found damaged while it was read.
    pub fn damage(&self) -> Option<String> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let walk = self.walk(key)?;
        let Some((leaf, _)) = walk.leaf else { return Ok(None) };
        let found = leaf.binary_search_by(|(found, _)| found.as_str().cmp(key));
        Ok(found.ok().map(|at| leaf[at].1.clone()))
    }

    /// All entries in key order.
    pub fn entries(&self) -> Result<impl Iterator<Item = Result<Entry, Error>>, Error> {
        self.range_from(Bound::Unbounded)
    }

    pub(in crate::state) fn range_from<'a>(
        &'a self,
        start: Bound<&str>,
    ) -> Result<impl Iterator<Item = Result<Entry, Error>> + use<'a>, Error> {
        let key = match start {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => "",
        };
        let mut walk = self.walk(key)?;
        if let Some((leaf, at)) = &mut walk.leaf {
            let is_behind = |(found, _): &Entry| match start {
                Bound::Included(start) => found.as_str() < start,
                Bound::Excluded(start) => found.as_str() <= start,
                Bound::Unbounded => false,
            };
            *at = leaf.partition_point(is_behind);
        }
        Ok(std::iter::from_fn(move || walk.next().transpose()))
    }

    /// Reads all of it once.
    pub fn check(&self) -> Result<(), Error> {
        let mut count = 0;
        for entry in self.entries()? {
            entry?;
            count += 1;
        }
        if count == self.manifest.totals.entries { Ok(()) } else { Err(self.note("the number of its entries")) }
    }

    /// Goes down to where a key is, or would be.
    fn walk(&self, key: &str) -> Result<Walk<'_>, Error> {
        let mut walk = Walk { view: self, path: Vec::new(), leaf: None };
        if self.manifest.totals.entries > 0 {
            let (mut digest, mut level) = (self.manifest.digest, self.manifest.level);
            while level > 0 {
                let node = self.node(digest, level)?;
                let at = node.position(key);
                (digest, level) = (node.items[at].digest, level - 1);
                walk.path.push((node, at));
            }
            walk.leaf = Some((self.leaf(digest)?, 0));
        }
        Ok(walk)
    }

    pub(super) fn node(&self, digest: Digest, level: u8) -> Result<Arc<Node>, Error> {
        if let Some(known) = self.unpacked().nodes.get(&digest) {
            return Ok(Arc::clone(known));
        }
        let stored = self.stored(digest)?;
        let node = stored.as_deref().and_then(|stored| chunk::node(stored, level, digest));
        let node = Arc::new(node.ok_or_else(|| self.note(&format!("node {digest}")))?);
        let bytes = stored.map_or(0, |stored| stored.len());
        self.keep(bytes, |unpacked| drop(unpacked.nodes.insert(digest, Arc::clone(&node))));
        Ok(node)
    }

    fn leaf(&self, digest: Digest) -> Result<Arc<Vec<Entry>>, Error> {
        if let Some(known) = self.unpacked().leaves.get(&digest) {
            return Ok(Arc::clone(known));
        }
        let stored = self.stored(digest)?;
        let entries = stored.as_deref().and_then(|stored| chunk::entries(stored, digest));
        let entries = Arc::new(entries.ok_or_else(|| self.note(&format!("node {digest}")))?);
        let bytes = entries.iter().map(|(key, value)| key.len() + value.len() + size_of::<Entry>()).sum();
        self.keep(bytes, |unpacked| drop(unpacked.leaves.insert(digest, Arc::clone(&entries))));
        Ok(entries)
    }

    fn stored(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        let read = guarded(&self.path, || Ok(self.nodes.get(&digest.0)?.map(|row| row.value().to_vec())));
        read.map_err(|error| {
            let error = Error::of_snapshots(error);
            self.note(&error.what());
            error
        })
    }

    fn keep(&self, bytes: usize, keep: impl FnOnce(&mut Unpacked)) {
        let mut unpacked = self.unpacked();
        if unpacked.bytes + bytes > UNPACKED_BYTES_MAX {
            *unpacked = Unpacked::default();
        }
        unpacked.bytes += bytes;
        keep(&mut unpacked);
    }

    fn note(&self, what: &str) -> Error {
        let sequence = self.manifest.checkpoint.sequence;
        let problem = format!("the snapshot at sequence {sequence} is damaged: {what} is not what it should be");
        *self.damage.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.clone());
        Error::Snapshots { path: self.path.clone(), problem }
    }

    fn unpacked(&self) -> MutexGuard<'_, Unpacked> {
        self.unpacked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Walk<'_> {
    fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            let Some((leaf, at)) = &mut self.leaf else { return Ok(None) };
            if let Some(entry) = leaf.get(*at) {
                *at += 1;
                return Ok(Some(entry.clone()));
            }
            // An error ends the walk.
            self.leaf = None;
            self.leaf = self.next_leaf()?.map(|leaf| (leaf, 0));
        }
    }

    fn next_leaf(&mut self) -> Result<Option<Arc<Vec<Entry>>>, Error> {
        while let Some((node, at)) = self.path.last_mut() {
            *at += 1;
            let Some(item) = node.items.get(*at) else {
                self.path.pop();
                continue;
            };
            let (mut digest, mut level) = (item.digest, node.level - 1);
            while level > 0 {
                let node = self.view.node(digest, level)?;
                (digest, level) = (node.items[0].digest, level - 1);
                self.path.push((node, 0));
            }
            return self.view.leaf(digest).map(Some);
        }
        Ok(None)
    }
}
