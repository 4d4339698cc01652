//! Taking a snapshot: the nodes of a state's tree that are not there yet, the lower before the higher, and then the manifest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redb::{ReadOnlyTable, ReadableTable as _, WriteTransaction};

use super::spill::Spill;
use super::{Manifest, NODES, Occasion, SNAPSHOTS, Snapshots, Taken, Why, chunk};
use crate::event::Digest;
use crate::state::tree::{Builder, Item, Node, Tree};
use crate::state::{Entry, Error, Marks, Reader};

/// 512 KiB are made durable at once: what a projection commits meanwhile waits for no more than that on the same disk.
const COMMIT_BYTES: usize = 512 << 10;

/// Behind each commit the disk is left to others for as long as it took, but no longer than this.
const PAUSE_MAX: Duration = Duration::from_millis(50);

impl Snapshots {
    /// Keeps what a reader has of a state, with what calls cost up to there. What is kept of earlier snapshots is neither
    /// read nor written again, if the state's tree is at hand. The reader is held only while the state is read: as long as it
    /// is, no page that a commit frees can be used again.
    pub fn take(
        &self,
        identity: Digest,
        reader: Reader,
        marks: Marks,
        why: Why,
        stop: &AtomicBool,
    ) -> Result<Taken, Error> {
        let _writing = self.writing();
        // A place where a state can be begun is not one of the usual ones because that falls on it too.
        let there = self.view(identity, reader.checkpoint().sequence).ok().flatten();
        let is_cut = there.is_some_and(|view| view.manifest().why.occasion == Occasion::Cut);
        let why = if is_cut { Why { occasion: Occasion::Cut, ..why } } else { why };
        let known = self.guarded(|| Ok(self.db.begin_read()?.open_table(NODES)?))?;
        let mut gatherer = Gatherer { snapshots: self, nodes: Spill::beside(&self.path), known, stop };
        let root = match reader.has_tree() {
            true => gatherer.walk(&reader),
            false => gatherer.build(&reader),
        };
        let (checkpoint, nodes) = (reader.checkpoint(), gatherer.nodes);
        drop((reader, gatherer.known));
        let taken = root.and_then(|(root, level)| {
            let manifest = Manifest::new(identity, &root, level, (checkpoint, marks, why));
            self.write(nodes, &manifest, stop)?;
            Ok(manifest.taken())
        });
        self.reopening(taken)
    }

    /// Writes nodes, and then the manifest that counts on them.
    fn write(&self, nodes: Spill, manifest: &Manifest, stop: &AtomicBool) -> Result<(), Error> {
        let mut nodes = self.guarded(|| Ok(nodes.sorted()?))?;
        loop {
            self.check_not_stopped(stop)?;
            let began = Instant::now();
            let is_over = self.guarded(|| {
                let transaction = self.db.begin_write()?;
                let mut bytes = 0;
                {
                    let mut table = transaction.open_table(NODES)?;
                    while bytes < COMMIT_BYTES
                        && let Some((digest, stored)) = nodes.next()?
                    {
                        table.insert(&digest.0, stored.as_slice())?;
                        bytes += stored.len();
                    }
                }
                let is_over = bytes < COMMIT_BYTES;
                if is_over {
                    self.insert_manifest(&transaction, manifest)?;
                }
                transaction.commit()?;
                Ok(is_over)
            })?;
            if is_over {
                return Ok(());
            }
            std::thread::sleep(began.elapsed().min(PAUSE_MAX));
        }
    }

    fn insert_manifest(&self, transaction: &WriteTransaction, manifest: &Manifest) -> Result<(), redb::Error> {
        let key = (&manifest.identity.0, manifest.checkpoint.sequence.0);
        let mut table = transaction.open_table(SNAPSHOTS)?;
        // One that somebody asked for stays theirs.
        let is_there = table.get(key)?.is_some();
        if manifest.why.occasion != Occasion::Schedule || !is_there {
            table.insert(key, manifest.encode(self.log_id).as_slice())?;
        }
        Ok(())
    }

    fn check_not_stopped(&self, stop: &AtomicBool) -> Result<(), Error> {
        match stop.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Error::Snapshots { path: self.path.clone(), problem: "it was asked to stop".to_owned() }),
        }
    }
}

/// Gathers the nodes of a state that are not there yet.
struct Gatherer<'a> {
    snapshots: &'a Snapshots,
    nodes: Spill,
    /// What was there when it began.
    known: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    stop: &'a AtomicBool,
}

impl Gatherer<'_> {
    /// Goes down the stored tree, past all that is there. Returns the root and its level.
    fn walk(&mut self, reader: &Reader) -> Result<(Item, u8), Error> {
        let root = reader.guarded(|| Tree(&reader.nodes).root())?;
        let (summary, level) = (root.summary(&root.encode()), root.level);
        if !root.items.is_empty() {
            self.keep_all(reader, root, summary.digest)?;
        }
        Ok((summary, level))
    }

    fn keep_all(&mut self, reader: &Reader, node: Node, digest: Digest) -> Result<(), Error> {
        if self.is_known(digest)? {
            return Ok(());
        }
        if node.level == 0 {
            let entries = entries_of(reader, &node)?;
            return self.put(0, digest, &chunk::of_entries(&entries));
        }
        for item in &node.items {
            if !self.is_known(item.digest)? {
                let child = reader.guarded(|| Tree(&reader.nodes).at(node.level - 1, &item.key))?;
                // A tree that does not fit together would make a snapshot that is of no use.
                if child.summary(&child.encode()).digest != item.digest {
                    return Err(reader.unusable("a node of its tree is damaged"));
                }
                self.keep_all(reader, child, item.digest)?;
            }
        }
        self.put(node.level, digest, &chunk::of_node(&node.encode()))
    }

    /// Builds the tree that the state left behind, in one pass over the entries.
    fn build(&mut self, reader: &Reader) -> Result<(Item, u8), Error> {
        let (mut pending, mut level): (Vec<Entry>, u8) = (Vec::new(), 0);
        let mut builder = Builder::default();
        let mut keep = |pending: &mut Vec<Entry>, node: &Node, encoding: &[u8]| -> Result<(), Error> {
            level = level.max(node.level);
            let digest = node.summary(encoding).digest;
            let stored = match node.level {
                0 => {
                    let entries: Vec<Entry> = pending.drain(..node.items.len()).collect();
                    if self.is_known(digest)? {
                        return Ok(());
                    }
                    chunk::of_entries(&entries)
                }
                _ if self.is_known(digest)? => return Ok(()),
                _ => chunk::of_node(encoding),
            };
            self.put(node.level, digest, &stored)
        };
        for entry in reader.entries()? {
            let (key, value) = entry?;
            let item = Item::of_entry(&key, &value);
            pending.push((key, value));
            builder.add(item, &mut |node: &Node, encoding: &[u8]| keep(&mut pending, node, encoding))?;
        }
        let root = builder.finish(&mut |node: &Node, encoding: &[u8]| keep(&mut pending, node, encoding))?;
        Ok((root, level))
    }

    fn is_known(&self, digest: Digest) -> Result<bool, Error> {
        self.snapshots.guarded(|| Ok(self.known.get(&digest.0)?.is_some()))
    }

    fn put(&mut self, level: u8, digest: Digest, stored: &[u8]) -> Result<(), Error> {
        self.snapshots.check_not_stopped(self.stop)?;
        self.snapshots.guarded(|| Ok(self.nodes.put(level, digest, stored)?))
    }
}

/// The entries of a node, held to the digests that it has of them.
fn entries_of(reader: &Reader, node: &Node) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::with_capacity(node.items.len());
    for item in &node.items {
        let value = reader.get(&item.key)?.filter(|value| Item::of_entry(&item.key, value) == *item);
        let value = value.ok_or_else(|| reader.unusable(&format!("the entry {:?} is damaged", item.key)))?;
        entries.push((item.key.clone(), value));
    }
    Ok(entries)
}
