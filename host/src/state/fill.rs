//! Makes the file of a state in one piece, from entries that are at hand: a crash leaves all of it or an empty state.

use redb::ReadableTableMetadata;

use super::store::{CURRENT, Checkpoint, ENTRIES, FAULTS, META, Store, guarded};
use super::tree::{Builder, Item, Node, TREE};
use super::{Entry, Error, Marks, quarantine};
use crate::event::Digest;

impl Store {
    /// Fills an empty state with entries in key order, their tree, and what else belongs to a checkpoint. Returns the
    /// digest.
    ///
    /// # Errors
    /// If `expected` is another digest: then the state stays empty.
    pub fn fill(
        &self,
        entries: impl Iterator<Item = Result<Entry, Error>>,
        checkpoint: Checkpoint,
        marks: &Marks,
        expected: Option<Digest>,
    ) -> Result<Digest, Error> {
        let mut failed = None;
        let filled = guarded(self.path(), || {
            let transaction = self.db.begin_write()?;
            let root = {
                let mut table = transaction.open_table(ENTRIES)?;
                assert!(table.is_empty()?, "what is filled is empty");
                let mut nodes = transaction.open_table(TREE)?;
                let mut store = |node: &Node, encoding: &[u8]| -> Result<(), redb::Error> {
                    nodes.insert((node.level, node.first_key()), encoding)?;
                    Ok(())
                };
                let mut builder = Builder::default();
                for entry in entries {
                    match entry {
                        Ok((key, value)) => {
                            table.insert(key.as_str(), value.as_slice())?;
                            builder.add(Item::of_entry(&key, &value), &mut store)?;
                        }
                        Err(error) => {
                            failed = Some(error);
                            return Ok(None);
                        }
                    }
                }
                builder.finish(&mut store)?
            };
            if expected.is_some_and(|expected| expected != root.digest) {
                return Ok(Some(root.digest));
            }
            {
                let mut rows = transaction.open_table(FAULTS)?;
                for fault in &marks.faults {
                    let json = serde_json::to_vec(fault).expect("a fault is plain data");
                    rows.insert(fault.sequence, json.as_slice())?;
                }
                let mut meta = transaction.open_table(META)?;
                if let Some(costs) = &marks.costs {
                    meta.insert("costs", costs.to_bytes().as_slice())?;
                }
                if let Some(missing) = marks.missing.filter(|missing| !missing.is_none()) {
                    meta.insert("missing", missing.to_bytes().as_slice())?;
                }
                meta.insert("tree", CURRENT)?;
                meta.insert("checkpoint", checkpoint.to_bytes().as_slice())?;
            }
            quarantine::write(&transaction, marks)?;
            transaction.commit()?;
            Ok(Some(root.digest))
        })?;
        match (failed, filled) {
            (Some(error), _) => Err(error),
            (None, Some(digest)) if expected.is_none_or(|expected| expected == digest) => Ok(digest),
            (None, Some(digest)) => {
                let expected = expected.unwrap_or(digest);
                Err(self.unusable(&format!("its entries come to {digest}, not to {expected}")))
            }
            (None, None) => unreachable!("nothing is filled only where an entry failed"),
        }
    }
}
