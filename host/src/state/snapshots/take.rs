//! Taking a snapshot: the nodes of a state's tree that are not there yet, the lower before the higher, and then the manifest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redb::{ReadOnlyTable, ReadableTable as _, WriteTransaction};

use super::{Manifest, NODES, Occasion, SNAPSHOTS, Snapshots, Taken, Why, chunk};
use crate::event::Digest;
use crate::state::tree::{Builder, Item, Node, Tree};
use crate::state::{Entry, Error, Marks, Reader};

/// 256 KiB are made durable at once, which lie all over the file: what a projection commits meanwhile waits for no more than that
/// on the same disk.
const COMMIT_BYTES: usize = 256 << 10;

/// Behind each commit the disk is left to others for as long as it took, but no longer than this.
const PAUSE_MAX: Duration = Duration::from_millis(50);

impl Snapshots {
    /// Keeps what a reader has of a state, with what calls cost up to there. What is kept of earlier snapshots is neither
    /// read nor written again, if the state's tree is at hand.
    pub fn take(
        &self,
        identity: Digest,
        reader: &Reader,
        marks: Marks,
        why: Why,
        stop: &AtomicBool,
    ) -> Result<Taken, Error> {
        let _writing = self.writing();
        let known = self.guarded(|| Ok(self.db.begin_read()?.open_table(NODES)?))?;
        let mut writer = Writer { snapshots: self, transaction: None, bytes: 0, known, stop };
        let root = match reader.has_tree() {
            true => writer.walk(reader),
            false => writer.build(reader),
        };
        let taken = root.and_then(|(root, level)| {
            let manifest = Manifest::new(identity, &root, level, (reader.checkpoint(), marks, why));
            writer.finish(&manifest)?;
            Ok(manifest.taken())
        });
        self.reopening(taken)
    }
}

struct Writer<'a> {
    snapshots: &'a Snapshots,
    transaction: Option<WriteTransaction>,
    /// That it has written so far.
    bytes: usize,
    /// What was there when it began.
    known: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    stop: &'a AtomicBool,
}

impl Writer<'_> {
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
            return self.put(digest, &chunk::of_entries(&entries));
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
        self.put(digest, &chunk::of_node(&node.encode()))
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
            self.put(digest, &stored)
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

    fn put(&mut self, digest: Digest, stored: &[u8]) -> Result<(), Error> {
        if self.stop.load(Ordering::Relaxed) {
            let (path, problem) = (self.snapshots.path.clone(), "it was asked to stop".to_owned());
            return Err(Error::Snapshots { path, problem });
        }
        let transaction = match self.transaction.take() {
            Some(transaction) => transaction,
            None => self.snapshots.guarded(|| self.snapshots.db.begin_write())?,
        };
        self.bytes += stored.len();
        let is_full = self.bytes >= COMMIT_BYTES;
        let began = Instant::now();
        let written = self.snapshots.guarded(move || {
            transaction.open_table(NODES)?.insert(&digest.0, stored)?;
            if is_full {
                transaction.commit()?;
                return Ok(None);
            }
            Ok(Some(transaction))
        });
        self.transaction = written?;
        if is_full {
            self.bytes = 0;
            std::thread::sleep(began.elapsed().min(PAUSE_MAX));
        }
        Ok(())
    }

    fn finish(mut self, manifest: &Manifest) -> Result<(), Error> {
        let (transaction, snapshots) = (self.transaction.take(), self.snapshots);
        snapshots.guarded(|| {
            let transaction = transaction.map_or_else(|| snapshots.db.begin_write(), Ok)?;
            let key = (&manifest.identity.0, manifest.checkpoint.sequence.0);
            {
                let mut table = transaction.open_table(SNAPSHOTS)?;
                // One that somebody asked for stays theirs.
                let is_there = table.get(key)?.is_some();
                if manifest.why.occasion != Occasion::Schedule || !is_there {
                    table.insert(key, manifest.encode(snapshots.log_id).as_slice())?;
                }
            }
            Ok(transaction.commit()?)
        })
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
