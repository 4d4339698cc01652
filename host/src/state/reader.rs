//! A snapshot of a state, to be read while commits go on.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use redb::{ReadOnlyTable, ReadableTable, ReadableTableMetadata};

use super::storage::Storage;
use super::store::{Checkpoint, Fault, guarded};
use super::{Entry, Error, quarantine};
use crate::event::Sequence;

/// A snapshot of a state: entries, faults and checkpoint as one commit left them.
pub struct Reader {
    pub(super) entries: ReadOnlyTable<&'static str, &'static [u8]>,
    pub(super) faults: ReadOnlyTable<u64, &'static [u8]>,
    pub(super) nodes: ReadOnlyTable<(u8, &'static str), &'static [u8]>,
    /// Whether the nodes are those of these entries.
    pub(super) has_tree: bool,
    pub(super) quarantine: quarantine::Table,
    pub(super) checkpoint: Checkpoint,
    pub(super) path: PathBuf,
    /// Without its database a table cannot be read.
    pub(super) db: Arc<Storage>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({})", self.path.display())
    }
}

impl Reader {
    /// How far this snapshot is.
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// The same of a later event, between which and its own nothing concerned the state.
    pub fn moved_to(self, checkpoint: Checkpoint) -> Self {
        Self { checkpoint, ..self }
    }

    /// How many entries this snapshot has.
    pub fn len(&self) -> Result<u64, Error> {
        self.guarded(|| Ok(self.entries.len()?))
    }

    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    pub fn fault_count(&self) -> Result<u64, Error> {
        self.guarded(|| Ok(self.faults.len()?))
    }

    /// The fault of that event, if it has one.
    pub fn fault(&self, sequence: Sequence) -> Result<Option<Fault>, Error> {
        let row = self.guarded(|| Ok(self.faults.get(sequence.0)?.map(|row| row.value().to_vec())))?;
        row.map(|row| self.fault_of(&row)).transpose()
    }

    /// All faults in order of sequence.
    pub fn faults(&self) -> Result<Vec<Fault>, Error> {
        let rows = self.guarded(|| {
            let mut rows = Vec::new();
            for row in self.faults.iter()? {
                rows.push(row?.1.value().to_vec());
            }
            Ok(rows)
        })?;
        rows.iter().map(|row| self.fault_of(row)).collect()
    }

    /// Reads; that the storage failed is noted for its owner, who opens it anew.
    pub(super) fn guarded<T>(&self, read: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Error> {
        self.db.noting(guarded(&self.path, read))
    }

    fn fault_of(&self, row: &[u8]) -> Result<Fault, Error> {
        serde_json::from_slice(row).map_err(|_| self.unusable("a fault is damaged"))
    }

    pub(super) fn unusable(&self, problem: &str) -> Error {
        Error::Unusable { path: self.path.clone(), problem: problem.to_owned() }
    }

    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.guarded(|| Ok(self.entries.get(key)?.map(|value| value.value().to_vec())))
    }

    /// At most `limit` entries whose key starts with `prefix` and lies behind `after`, in key order.
    pub fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, Error> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let entries = self.range_from(start)?.take(limit);
        entries.take_while(|entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(prefix))).collect()
    }

    /// All entries in key order.
    pub fn entries(&self) -> Result<impl Iterator<Item = Result<Entry, Error>>, Error> {
        self.range_from(Bound::Unbounded)
    }

    pub(super) fn range_from(
        &self,
        start: Bound<&str>,
    ) -> Result<impl Iterator<Item = Result<Entry, Error>> + use<>, Error> {
        let mut range = self.guarded(|| Ok(self.entries.range::<&str>((start, Bound::Unbounded))?))?;
        let (path, db) = (self.path.clone(), Arc::clone(&self.db));
        Ok(std::iter::from_fn(move || {
            let next = || {
                let row = range.next().transpose()?;
                Ok(row.map(|(key, value)| (key.value().to_owned(), value.value().to_vec())))
            };
            db.noting(guarded(&path, next)).transpose()
        }))
    }
}
