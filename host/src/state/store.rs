//! The file of one state: `projections/<name>/<identity>.redb`.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `format` | the format's version, 4 bytes little-endian: 2; files of format 1 have no tree |
//! | | `identity`, `log-id` | the identity (32 bytes) and the log (16 bytes) that the state was made from |
//! | | `checkpoint` | sequence, events applied, fuel used: 3 × 8 bytes little-endian; the chain head there: 32 bytes |
//! | | `costs` | what the calls cost: how many, the latest, at most 32 costliest; see costs.rs |
//! | | `missing` | how many events it was made without; see missing.rs; absent where there are none |
//! | | `tree` | a byte: 1 if the tree is that of the entries; otherwise, or without the row, it was left behind |
//! | `entries` | key | value |
//! | `faults` | sequence | a fault as JSON |
//! | `tree` | level and first key | a node of the tree over the entries |
//! | `history`, `undone` | | what the newest commits changed; see history.rs; absent where none is kept |
//! | `quarantine` | stream | first sequence set aside, events set aside, last sequence: 3 × 8 bytes little-endian; absent while there is none |
//!
//! A commit changes all of them in one transaction; see commit.rs. FORMAT.md says more, for who reads a state without this
//! program.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};

use super::storage::{Open, Storage};
use super::tree::TREE;
use super::{Costs, Error, Missing, Reader, quarantine};
use crate::event::{Digest, Sequence};

pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
pub(super) const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("entries");
pub(super) const FAULTS: TableDefinition<u64, &[u8]> = TableDefinition::new("faults");

/// What the row `tree` of `meta` says.
pub(super) const CURRENT: &[u8] = &[1];
pub(super) const BEHIND: &[u8] = &[0];

/// How far a state has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Every event up to this one is in the state.
    pub sequence: Sequence,
    /// How many events the plugin was handed and folded.
    pub events: u64,
    /// How much fuel the calls that were kept used; depends on where batches were cut.
    pub fuel: u64,
    /// The log's chain head at that sequence: tells whether the log is still the one that the state was made from.
    pub chain: Digest,
}

/// A plugin's deterministic failure on one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub sequence: u64,
    pub stream: String,
    pub event_type: String,
    pub schema_version: u32,
    /// The digest of the plugin that failed: the projection's own or an upcaster's.
    pub plugin: String,
    /// The digests of the upcasters in force for the projection. Absent in what older versions recorded.
    #[serde(default)]
    pub upcasters: Vec<String>,
    /// What kind of failure, for example `out-of-fuel`.
    pub kind: String,
    pub message: String,
    /// Where in the plugin it happened, if that is known.
    pub backtrace: Option<String>,
    /// The fuel that the failed call on this one event used. 0 in what older versions recorded.
    #[serde(default)]
    pub fuel: u64,
    /// What the plugin logged and printed during the call.
    pub output: String,
}

/// How large a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub entries: u64,
    pub file_bytes: u64,
}

/// A state's file, open for one writer and any number of readers.
#[derive(Debug)]
pub struct Store {
    pub(super) db: Arc<Storage>,
    path: PathBuf,
}

impl Store {
    pub(super) fn over(db: Database, path: &Path, open: Open) -> Self {
        Self { db: Arc::new(Storage::new(db, open)), path: path.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, Error> {
        Ok(self.reader()?.checkpoint)
    }

    pub fn reader(&self) -> Result<Reader, Error> {
        let transaction = guarded(&self.path, || self.db.begin_read())?;
        self.reader_in(&transaction)
    }

    pub(super) fn reader_in(&self, transaction: &ReadTransaction) -> Result<Reader, Error> {
        let read = || -> Result<_, redb::Error> {
            let meta = transaction.open_table(META)?;
            let checkpoint = meta.get("checkpoint")?.map(|bytes| bytes.value().to_vec());
            let tables = (transaction.open_table(ENTRIES)?, transaction.open_table(FAULTS)?);
            let tree = (transaction.open_table(TREE)?, has_tree(&meta)?);
            Ok((checkpoint, tables, tree, quarantine::open(transaction)?))
        };
        let (checkpoint, (entries, faults), (nodes, has_tree), quarantine) = guarded(&self.path, read)?;
        let checkpoint = match checkpoint {
            None => Checkpoint::default(),
            Some(bytes) => Checkpoint::from_bytes(&bytes).ok_or_else(|| self.unusable("its checkpoint is damaged"))?,
        };
        let (path, db) = (self.path.clone(), Arc::clone(&self.db));
        Ok(Reader { entries, faults, nodes, has_tree, quarantine, checkpoint, path, db })
    }

    pub fn size(&self) -> Result<Size, Error> {
        let read = || -> Result<_, redb::Error> { Ok(self.db.begin_read()?.open_table(ENTRIES)?.len()?) };
        let file_bytes = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        Ok(Size { entries: guarded(&self.path, read)?, file_bytes })
    }

    /// All faults in order of sequence.
    pub fn faults(&self) -> Result<Vec<Fault>, Error> {
        self.reader()?.faults()
    }

    /// What the calls cost that made it. A file from before they were counted has none.
    pub fn costs(&self) -> Result<Costs, Error> {
        let read = || -> Result<_, redb::Error> {
            Ok(self.db.begin_read()?.open_table(META)?.get("costs")?.map(|bytes| bytes.value().to_vec()))
        };
        match guarded(&self.path, read)? {
            None => Ok(Costs::default()),
            Some(bytes) => Costs::from_bytes(&bytes).ok_or_else(|| self.unusable("its costs are damaged")),
        }
    }

    /// How many events it was made without, because their payloads were gone.
    pub fn missing(&self) -> Result<Missing, Error> {
        let read = || -> Result<_, redb::Error> {
            Ok(self.db.begin_read()?.open_table(META)?.get("missing")?.map(|bytes| bytes.value().to_vec()))
        };
        match guarded(&self.path, read)? {
            None => Ok(Missing::default()),
            Some(bytes) => Missing::from_bytes(&bytes).ok_or_else(|| self.unusable("what it misses is damaged")),
        }
    }

    pub(super) fn unusable(&self, problem: &str) -> Error {
        Error::Unusable { path: self.path.clone(), problem: problem.to_owned() }
    }
}

/// Whether the tree is that of the entries.
pub(super) fn has_tree(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<bool, redb::Error> {
    Ok(meta.get("tree")?.is_some_and(|row| row.value() == CURRENT))
}

/// Does something with the file at `path`. redb finds some damage only by a failed assertion: that is an error here.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Error> {
    let unusable = |problem: String| Error::Unusable { path: path.to_owned(), problem };
    match std::panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(redb::Error::DatabaseAlreadyOpen)) => Err(unusable(super::IN_USE.to_owned())),
        Ok(Err(redb::Error::Io(error))) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(unusable("it is no projection's state".to_owned()))
        }
        Ok(Err(redb::Error::Io(error))) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(unusable("it is cut short".to_owned()))
        }
        Ok(Err(redb::Error::Io(error))) if error.kind() == std::io::ErrorKind::IsADirectory => {
            Err(unusable("it is a directory".to_owned()))
        }
        Ok(Err(
            error @ (redb::Error::Corrupted(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableIsNotMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_)),
        )) => Err(unusable(format!("it is damaged ({error})"))),
        Ok(Err(error)) => Err(Error::Storage { path: path.to_owned(), source: Box::new(error) }),
        Err(_) => Err(unusable("it is damaged inside".to_owned())),
    }
}

impl Checkpoint {
    pub(super) fn to_bytes(self) -> [u8; 56] {
        let mut bytes = [0; 56];
        for (at, number) in [self.sequence.0, self.events, self.fuel].into_iter().enumerate() {
            bytes[at * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
        bytes[24..].copy_from_slice(&self.chain.0);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 56] = bytes.try_into().ok()?;
        let number = |at: usize| u64::from_le_bytes(bytes[at * 8..][..8].try_into().expect("8 of 56 bytes"));
        let chain = Digest(bytes[24..].try_into().expect("32 of 56 bytes"));
        Some(Self { sequence: Sequence(number(0)), events: number(1), fuel: number(2), chain })
    }
}
