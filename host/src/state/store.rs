//! The file of one state: `projections/<name>/<identity>.redb`.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `format` | the format's version, 4 bytes little-endian: 1 |
//! | | `identity`, `log-id` | the identity (32 bytes) and the log (16 bytes) that the state was made from |
//! | | `checkpoint` | sequence, events applied, fuel used: 3 × 8 bytes little-endian; the chain head there: 32 bytes |
//! | `entries` | key | value |
//! | `faults` | sequence | a fault as JSON |
//!
//! A commit changes all three in one transaction; see commit.rs.

use std::ops::Bound;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};

use super::storage::{Open, Storage};
use super::{Entry, Error, StateDigest};
use crate::event::{Digest, Sequence};

pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
pub(super) const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("entries");
pub(super) const FAULTS: TableDefinition<u64, &[u8]> = TableDefinition::new("faults");

const FORMAT: u32 = 1;

/// 32 MiB of pages kept in memory: the hot part of a state, small beside the plugin's own limit.
const CACHE_BYTES: usize = 32 << 20;

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

/// A snapshot of a state: entries, faults and checkpoint as one commit left them.
pub struct Reader {
    entries: ReadOnlyTable<&'static str, &'static [u8]>,
    faults: ReadOnlyTable<u64, &'static [u8]>,
    checkpoint: Checkpoint,
    path: PathBuf,
    /// Without its database a table cannot be read.
    _db: Arc<Storage>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({})", self.path.display())
    }
}

impl Store {
    /// Opens the state at `path` or makes an empty one.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the file is damaged, is no state, or belongs to another identity or log.
    pub fn open(path: &Path, identity: Digest, log_id: [u8; 16]) -> Result<Self, Error> {
        if !path.exists() {
            return Self::create(path, identity, log_id);
        }
        let store = Self::over(guarded(path, || open(path))?, path, opener(path));
        store.check(identity, log_id)?;
        Ok(store)
    }

    /// Makes a state under another name first, so that under its own there is never half a file.
    fn create(path: &Path, identity: Digest, log_id: [u8; 16]) -> Result<Self, Error> {
        let beside = path.with_extension("new");
        let failed = |source: std::io::Error| Error::Storage { path: path.to_owned(), source: Box::new(source.into()) };
        if beside.exists() {
            std::fs::remove_file(&beside).map_err(failed)?;
        }
        let made = guarded(path, || {
            let db = builder().create(&beside)?;
            initialise(&db, identity, log_id)?;
            Ok(db)
        });
        let renamed = made.and_then(|db| std::fs::rename(&beside, path).map(|()| db).map_err(failed));
        if renamed.is_err() {
            // What is left of it is of no use; that it cannot be removed either is not the news.
            drop(std::fs::remove_file(&beside));
        }
        let parent = path.parent().expect("a state's file has a parent");
        std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
        Ok(Self::over(renamed?, path, opener(path)))
    }

    fn over(db: Database, path: &Path, open: Open) -> Self {
        Self { db: Arc::new(Storage::new(db, open)), path: path.to_owned() }
    }

    /// Opens the state in that storage, now and again after it failed; makes an empty one when the storage is empty.
    pub fn open_with_backend<B: redb::StorageBackend + Clone + Sync>(
        backend: B,
        identity: Digest,
        log_id: [u8; 16],
    ) -> Result<Self, Error> {
        let path = PathBuf::from("the state");
        let again = backend.clone();
        let store = guarded(&path, || {
            let is_empty = backend.len()? == 0;
            let db = builder().create_with_backend(backend)?;
            if is_empty {
                initialise(&db, identity, log_id)?;
            }
            Ok(db)
        });
        let open = Box::new(move || Ok(builder().create_with_backend(again.clone())?));
        let store = Self::over(store?, &path, open);
        store.check(identity, log_id)?;
        Ok(store)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, Error> {
        Ok(self.reader()?.checkpoint)
    }

    pub fn reader(&self) -> Result<Reader, Error> {
        let read = || -> Result<_, redb::Error> {
            let transaction = self.db.begin_read()?;
            let checkpoint = transaction.open_table(META)?.get("checkpoint")?.map(|bytes| bytes.value().to_vec());
            Ok((checkpoint, transaction.open_table(ENTRIES)?, transaction.open_table(FAULTS)?))
        };
        let (checkpoint, entries, faults) = guarded(&self.path, read)?;
        let checkpoint = match checkpoint {
            None => Checkpoint::default(),
            Some(bytes) => Checkpoint::from_bytes(&bytes).ok_or_else(|| self.unusable("its checkpoint is damaged"))?,
        };
        Ok(Reader { entries, faults, checkpoint, path: self.path.clone(), _db: Arc::clone(&self.db) })
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

    fn check(&self, identity: Digest, log_id: [u8; 16]) -> Result<(), Error> {
        let read = || -> Result<_, redb::Error> {
            let transaction = self.db.begin_read()?;
            match transaction.open_table(META) {
                Ok(meta) => {
                    let value = |name: &str| -> Result<Vec<u8>, redb::Error> {
                        Ok(meta.get(name)?.map(|bytes| bytes.value().to_vec()).unwrap_or_default())
                    };
                    Ok(Some((value("format")?, value("identity")?, value("log-id")?)))
                }
                Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        match guarded(&self.path, read)? {
            None => Err(self.unusable("it is no projection's state")),
            Some((format, _, _)) if format != FORMAT.to_le_bytes() => {
                Err(self.unusable("written in a format that this version does not know"))
            }
            Some((_, found, _)) if found != identity.0 => Err(self.unusable("it belongs to another identity")),
            Some((_, _, found)) if found != log_id => Err(self.unusable("it was made from another log")),
            Some(_) => Ok(()),
        }
    }

    fn unusable(&self, problem: &str) -> Error {
        Error::Unusable { path: self.path.clone(), problem: problem.to_owned() }
    }
}

fn open(path: &Path) -> Result<Database, redb::Error> {
    Ok(builder().open(path)?)
}

fn opener(path: &Path) -> Open {
    let path = path.to_owned();
    Box::new(move || open(&path))
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn initialise(db: &Database, identity: Digest, log_id: [u8; 16]) -> Result<(), redb::Error> {
    let transaction = db.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", FORMAT.to_le_bytes().as_slice())?;
        meta.insert("identity", identity.0.as_slice())?;
        meta.insert("log-id", log_id.as_slice())?;
        transaction.open_table(ENTRIES)?;
        transaction.open_table(FAULTS)?;
    }
    transaction.commit()?;
    Ok(())
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
        Ok(Err(error @ redb::Error::Corrupted(_))) => Err(unusable(format!("it is damaged ({error})"))),
        Ok(Err(error)) => Err(Error::Storage { path: path.to_owned(), source: Box::new(error) }),
        Err(_) => Err(unusable("it is damaged inside".to_owned())),
    }
}

impl Reader {
    /// How far this snapshot is.
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// How many entries this snapshot has.
    pub fn len(&self) -> Result<u64, Error> {
        guarded(&self.path, || Ok(self.entries.len()?))
    }

    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    pub fn fault_count(&self) -> Result<u64, Error> {
        guarded(&self.path, || Ok(self.faults.len()?))
    }

    /// The fault of that event, if it has one.
    pub fn fault(&self, sequence: Sequence) -> Result<Option<Fault>, Error> {
        let row = guarded(&self.path, || Ok(self.faults.get(sequence.0)?.map(|row| row.value().to_vec())))?;
        row.map(|row| self.fault_of(&row)).transpose()
    }

    /// All faults in order of sequence.
    pub fn faults(&self) -> Result<Vec<Fault>, Error> {
        let rows = guarded(&self.path, || {
            let mut rows = Vec::new();
            for row in self.faults.iter()? {
                rows.push(row?.1.value().to_vec());
            }
            Ok(rows)
        })?;
        rows.iter().map(|row| self.fault_of(row)).collect()
    }

    fn fault_of(&self, row: &[u8]) -> Result<Fault, Error> {
        let problem = || "a fault is damaged".to_owned();
        serde_json::from_slice(row).map_err(|_| Error::Unusable { path: self.path.clone(), problem: problem() })
    }

    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        guarded(&self.path, || Ok(self.entries.get(key)?.map(|value| value.value().to_vec())))
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

    /// The digest of all entries.
    pub fn digest(&self) -> Result<Digest, Error> {
        let mut digest = StateDigest::default();
        for entry in self.entries()? {
            let (key, value) = entry?;
            digest.add(&key, &value);
        }
        Ok(digest.finish())
    }

    pub(super) fn range_from(&self, start: Bound<&str>) -> Result<impl Iterator<Item = Result<Entry, Error>>, Error> {
        let mut range = guarded(&self.path, || Ok(self.entries.range::<&str>((start, Bound::Unbounded))?))?;
        let path = self.path.clone();
        Ok(std::iter::from_fn(move || {
            let next = || {
                let row = range.next().transpose()?;
                Ok(row.map(|(key, value)| (key.value().to_owned(), value.value().to_vec())))
            };
            guarded(&path, next).transpose()
        }))
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

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 56] = bytes.try_into().ok()?;
        let number = |at: usize| u64::from_le_bytes(bytes[at * 8..][..8].try_into().expect("8 of 56 bytes"));
        let chain = Digest(bytes[24..].try_into().expect("32 of 56 bytes"));
        Some(Self { sequence: Sequence(number(0)), events: number(1), fuel: number(2), chain })
    }
}
