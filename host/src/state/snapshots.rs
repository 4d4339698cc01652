//! Snapshots of states: the trees over their entries, node by node under their digests, so that snapshots share what did
//! not change between them.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `format`, `log-id` | the format, 4 bytes: 1; the log that the states were made from, 16 bytes |
//! | `nodes` | the digest of a node of a state's tree | what the node says; see chunk.rs |
//! | `snapshots` | identity, sequence | what a snapshot is; see manifest.rs |
//!
//! Wherever a node is, all nodes below it are: they are written before it, and removed with it. FORMAT.md says more.

mod chunk;
mod copy;
mod manifest;
mod remove;
mod spill;
mod take;
mod view;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition};

pub use copy::SnapshotsCopy;
pub use manifest::{Manifest, Occasion, Taken, Why};
pub use remove::Damaged;
pub use view::View;

use super::Error;
use super::storage::{Open, Storage};
use super::store::guarded;
use crate::event::{Digest, Sequence};

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const NODES: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("nodes");
const SNAPSHOTS: TableDefinition<(&[u8; 32], u64), &[u8]> = TableDefinition::new("snapshots");

const FORMAT: u32 = 1;

/// 8 MiB of pages kept in memory: snapshots are written once and read seldom.
const CACHE_BYTES: usize = 8 << 20;

/// Identity and sequence.
type Key = (Digest, Sequence);

/// The snapshots of one projection's states, in one file.
#[derive(Debug)]
pub struct Snapshots {
    db: Arc<Storage>,
    path: PathBuf,
    log_id: [u8; 16],
    /// Nothing is removed while a snapshot is taken, which counts on what is there.
    writing: Mutex<()>,
}

impl Snapshots {
    /// Opens the file of snapshots at `path`, or makes it.
    ///
    /// # Errors
    /// [`Error::Snapshots`] if it is damaged, is no file of snapshots, or belongs to another log.
    pub fn open(path: &Path, log_id: [u8; 16]) -> Result<Self, Error> {
        let again = path.to_owned();
        let open = Box::new(move || Ok(builder().create(&again)?));
        Self::over(log_id, path, open)
    }

    /// The same in that storage.
    pub fn open_with_backend<B>(backend: B, log_id: [u8; 16]) -> Result<Self, Error>
    where
        B: redb::StorageBackend + Clone + Sync,
    {
        let open = Box::new(move || Ok(builder().create_with_backend(backend.clone())?));
        Self::over(log_id, Path::new("the snapshots"), open)
    }

    fn over(log_id: [u8; 16], path: &Path, open: Open) -> Result<Self, Error> {
        let prepared = guarded(path, || {
            let database = open()?;
            Ok(prepare(&database, log_id)?.map_or(Ok(database), Err))
        });
        let database = match prepared.map_err(Error::of_snapshots)? {
            Ok(database) => database,
            Err(problem) => return Err(Error::Snapshots { path: path.to_owned(), problem: problem.to_owned() }),
        };
        let (db, path) = (Arc::new(Storage::new(database, open)), path.to_owned());
        Ok(Self { db, path, log_id, writing: Mutex::default() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All snapshots, by identity and sequence. What is damaged of them is not among them.
    pub fn list(&self) -> Result<Vec<Taken>, Error> {
        let manifests = self.manifests()?;
        Ok(manifests.into_iter().filter_map(|(_, manifest)| Some(manifest?.taken())).collect())
    }

    /// How many bytes the file has.
    pub fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// A snapshot to read; none if there is none of that identity at that sequence.
    pub fn view(&self, identity: Digest, sequence: Sequence) -> Result<Option<View>, Error> {
        let read = self.guarded(|| {
            let transaction = self.db.begin_read()?;
            let row =
                transaction.open_table(SNAPSHOTS)?.get((&identity.0, sequence.0))?.map(|row| row.value().to_vec());
            row.map(|row| Ok((row, transaction.open_table(NODES)?))).transpose()
        })?;
        let Some((row, nodes)) = read else { return Ok(None) };
        let manifest = Manifest::decode(&row, self.log_id, (identity, sequence));
        let manifest = manifest.ok_or_else(|| self.damaged(&format!("the snapshot at sequence {sequence}")))?;
        Ok(Some(View::new(manifest, nodes, (self.path.clone(), Arc::clone(&self.db)))))
    }

    /// Each with its key; none where it cannot be what it says.
    fn manifests(&self) -> Result<Vec<(Key, Option<Manifest>)>, Error> {
        let rows = self.guarded(|| {
            let mut rows = Vec::new();
            for row in self.db.begin_read()?.open_table(SNAPSHOTS)?.iter()? {
                let (key, row) = row?;
                let (identity, sequence) = key.value();
                rows.push(((Digest(*identity), Sequence(sequence)), row.value().to_vec()));
            }
            Ok(rows)
        })?;
        Ok(rows.into_iter().map(|(key, row)| (key, Manifest::decode(&row, self.log_id, key))).collect())
    }

    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Error> {
        guarded(&self.path, work).map_err(Error::of_snapshots)
    }

    fn damaged(&self, what: &str) -> Error {
        Error::Snapshots { path: self.path.clone(), problem: format!("{what} is damaged") }
    }

    /// A storage that failed answers nobody until it is opened anew.
    fn reopening<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err()
            && let Err(error) = self.db.reopen()
        {
            tracing::warn!("{} cannot be opened anew: {error}", self.path.display());
        }
        result
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the tables of an empty file; says what is wrong with any other.
fn prepare(database: &Database, log_id: [u8; 16]) -> Result<Option<&'static str>, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let value = |name: &str| -> Result<Option<Vec<u8>>, redb::Error> {
            Ok(meta.get(name)?.map(|row| row.value().to_vec()))
        };
        match (value("format")?, value("log-id")?) {
            (Some(format), _) if format != FORMAT.to_le_bytes() => {
                return Ok(Some("it is written in a format that this version does not know"));
            }
            (Some(_), Some(found)) if found == log_id => return Ok(None),
            (Some(_), _) => return Ok(Some("it was made from another log")),
            (None, _) => {}
        }
        if !meta.is_empty()? {
            return Ok(Some("it is no file of snapshots"));
        }
        meta.insert("format", FORMAT.to_le_bytes().as_slice())?;
        meta.insert("log-id", log_id.as_slice())?;
        transaction.open_table(NODES)?;
        transaction.open_table(SNAPSHOTS)?;
    }
    transaction.commit()?;
    Ok(None)
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
