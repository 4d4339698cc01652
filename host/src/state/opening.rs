//! Opens a state's file, makes one, and brings one of an earlier format up to this one.

use std::path::{Path, PathBuf};

use redb::Database;

use super::Error;
use super::storage::Open;
use super::store::{CURRENT, Checkpoint, ENTRIES, FAULTS, META, Store, guarded};
use super::tree::TREE;
use crate::event::Digest;

/// Format 1 had no tree.
const FORMAT: u32 = 2;
const WITHOUT_TREE: u32 = 1;

/// 32 MiB of pages kept in memory: the hot part of a state, small beside the plugin's own limit.
const CACHE_BYTES: usize = 32 << 20;

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

    fn create(path: &Path, identity: Digest, log_id: [u8; 16]) -> Result<Self, Error> {
        Ok(Self::over(make(path, identity, log_id)?, path, opener(path)))
    }

    /// Opens the file anew, to see whether it is sound after all.
    pub fn reopen(&self) -> Result<Checkpoint, Error> {
        guarded(self.path(), || self.db.reopen())?;
        self.checkpoint()
    }

    /// Whether a read of the storage has failed: what is not in memory cannot be read until its owner, who then looks at
    /// the checkpoint again, opens it anew.
    pub fn is_failing(&self) -> bool {
        self.db.is_failing()
    }

    /// Begins an empty state in the place of this one, which is damaged, after `set_aside` has moved its file away. All
    /// who share this store have the empty one then; a reader of before gets an error, or what it had in memory.
    pub fn begin_anew<E: From<Error>>(
        &self,
        identity: Digest,
        log_id: [u8; 16],
        set_aside: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.db.exchange(|| {
            set_aside()?;
            Ok(make(self.path(), identity, log_id)?)
        })
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
        match guarded(self.path(), read)? {
            None => Err(self.unusable("it is no projection's state")),
            Some((format, _, _)) if ![FORMAT, WITHOUT_TREE].map(u32::to_le_bytes).iter().any(|it| *it == *format) => {
                Err(self.unusable("written in a format that this version does not know"))
            }
            Some((_, found, _)) if found != identity.0 => Err(self.unusable("it belongs to another identity")),
            Some((_, _, found)) if found != log_id => Err(self.unusable("it was made from another log")),
            Some((format, _, _)) if format == WITHOUT_TREE.to_le_bytes() => self.convert(),
            Some(_) => Ok(()),
        }
    }

    /// A file without a tree gets a place for one, which is built when the projection has caught up.
    fn convert(&self) -> Result<(), Error> {
        guarded(self.path(), || {
            let transaction = self.db.begin_write()?;
            transaction.open_table(TREE)?;
            transaction.open_table(META)?.insert("format", FORMAT.to_le_bytes().as_slice())?;
            Ok(transaction.commit()?)
        })
    }
}

/// The file of an empty state. It is made under another name first, so that under its own there is never half a file.
fn make(path: &Path, identity: Digest, log_id: [u8; 16]) -> Result<Database, Error> {
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
    renamed
}

fn open(path: &Path) -> Result<Database, redb::Error> {
    Ok(builder().open(path)?)
}

/// Opens the file anew after a failure.
fn opener(path: &Path) -> Open {
    let path = path.to_owned();
    Box::new(move || {
        forget_cache(&path)?;
        open(&path)
    })
}

/// Lets the operating system's cache of a file go. After a sync that failed Linux takes pages for clean that never came
/// to the disk: it would show them until they leave the cache, and never write them.
fn forget_cache(path: &Path) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(std::fs::File::open(path)?, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
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
        meta.insert("tree", CURRENT)?;
        transaction.open_table(ENTRIES)?;
        transaction.open_table(FAULTS)?;
        transaction.open_table(TREE)?;
    }
    transaction.commit()?;
    Ok(())
}
