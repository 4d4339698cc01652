//! Commits of a state: entries, tree, faults and checkpoint change together, so that a crash keeps all of them or none.

use std::path::PathBuf;
use std::sync::Arc;

use redb::{Durability, ReadableTable as _, ReadableTableMetadata, WriteTransaction};

use super::storage::Storage;
use super::store::{BEHIND, CURRENT, Checkpoint, ENTRIES, FAULTS, META, Store, guarded, has_tree};
use super::tree::{self, Net, TREE};
use super::{Changes, Error, Marks, ablation, history, quarantine};

/// A commit that is written but not decided. Dropped, it leaves no trace. Others wait to begin theirs meanwhile.
pub struct Prepared {
    transaction: WriteTransaction,
    path: PathBuf,
    db: Arc<Storage>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({})", self.path.display())
    }
}

impl Store {
    /// Makes changes, checkpoint and marks durable together.
    pub fn commit(&self, changes: &Changes, checkpoint: Checkpoint, marks: &Marks) -> Result<(), Error> {
        self.prepare([changes].into_iter(), marks)?.commit(checkpoint)
    }

    /// The same for changes that more follow at once: may leave the tree behind, for [`Store::build_tree`].
    pub fn commit_on_the_way(&self, changes: &Changes, checkpoint: Checkpoint, marks: &Marks) -> Result<(), Error> {
        self.write([changes].into_iter(), marks, Upkeep::Later)?.commit(checkpoint)
    }

    /// Writes changes, the later ones last, and marks, and leaves it open what becomes of them: what can fail of a commit
    /// most likely fails here.
    pub fn prepare<'a>(&self, changes: impl Iterator<Item = &'a Changes>, marks: &Marks) -> Result<Prepared, Error> {
        self.write(changes, marks, Upkeep::Now)
    }

    fn write<'a>(
        &self,
        changes: impl Iterator<Item = &'a Changes>,
        marks: &Marks,
        upkeep: Upkeep,
    ) -> Result<Prepared, Error> {
        let write = || -> Result<WriteTransaction, redb::Error> {
            let net: Net<'_> = changes.flat_map(Changes::iter).collect();
            let transaction = self.db.begin_write()?;
            {
                let mut entries = transaction.open_table(ENTRIES)?;
                keep_tree(&transaction, &net, upkeep, entries.len()?)?;
                let before = before(&transaction)?;
                let recorder = marks.history.map(|commit| history::Recorder::begin(&transaction, commit, before));
                let mut recorder = recorder.transpose()?;
                for (key, value) in net {
                    let old = match value {
                        Some(value) => entries.insert(key, value)?,
                        None => entries.remove(key)?,
                    };
                    let old = old.as_ref().map(|old| old.value());
                    if let Some(recorder) = recorder.as_mut().filter(|_| old != value) {
                        recorder.changed(key, old)?;
                    }
                }
                match recorder {
                    Some(recorder) => recorder.finish()?,
                    None => history::clear(&transaction)?,
                }
                let mut rows = transaction.open_table(FAULTS)?;
                for fault in &marks.faults {
                    let json = serde_json::to_vec(fault).expect("a fault is plain data");
                    rows.insert(fault.sequence, json.as_slice())?;
                }
                if let Some(costs) = &marks.costs {
                    transaction.open_table(META)?.insert("costs", costs.to_bytes().as_slice())?;
                }
                if let Some(missing) = marks.missing.filter(|missing| !missing.is_none()) {
                    transaction.open_table(META)?.insert("missing", missing.to_bytes().as_slice())?;
                }
            }
            quarantine::write(&transaction, marks)?;
            Ok(transaction)
        };
        let transaction = guarded(self.path(), write).inspect_err(|error| reopen_after(error, &self.db))?;
        Ok(Prepared { transaction, path: self.path().to_owned(), db: Arc::clone(&self.db) })
    }

    /// Builds the tree, if it was left behind, in one pass over the entries.
    pub fn build_tree(&self) -> Result<(), Error> {
        let build = || -> Result<(), redb::Error> {
            if has_tree(&self.db.begin_read()?.open_table(META)?)? || !ablation::keeps_tree() {
                return Ok(());
            }
            let transaction = self.db.begin_write()?;
            tree::build(&transaction.open_table(ENTRIES)?, &mut transaction.open_table(TREE)?)?;
            transaction.open_table(META)?.insert("tree", CURRENT)?;
            Ok(transaction.commit()?)
        };
        guarded(self.path(), build).inspect_err(|error| reopen_after(error, &self.db))
    }

    /// Makes durable what was committed lazily. On an error that may be gone.
    pub fn settle(&self) -> Result<(), Error> {
        let settled = guarded(self.path(), || Ok(self.db.begin_write()?.commit()?));
        settled.inspect_err(|error| reopen_after(error, &self.db))
    }
}

/// When the tree is brought up to a commit's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upkeep {
    /// With the commit, unless it was left behind before.
    Now,
    /// With the commit if that is less work than to build it later.
    Later,
}

/// To build a tree takes about as long for 32 entries as to update it by one change somewhere among them.
const ENTRIES_PER_CHANGE: u64 = 32;

/// Brings the tree up to the changes, or notes that it was left behind. Of the entries, only how many there were counts.
fn keep_tree(transaction: &WriteTransaction, net: &Net<'_>, upkeep: Upkeep, entries: u64) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    if net.is_empty() || !has_tree(&meta)? {
        return Ok(());
    }
    let is_kept = match upkeep {
        Upkeep::Now => true,
        Upkeep::Later => (net.len() as u64).saturating_mul(ENTRIES_PER_CHANGE) <= entries,
    };
    if is_kept {
        tree::update(&mut transaction.open_table(TREE)?, net)
    } else {
        meta.insert("tree", BEHIND)?;
        Ok(())
    }
}

/// The checkpoint that the commit comes behind.
fn before(transaction: &WriteTransaction) -> Result<Checkpoint, redb::Error> {
    let meta = transaction.open_table(META)?;
    let row = meta.get("checkpoint")?;
    Ok(row.and_then(|row| Checkpoint::from_bytes(row.value())).unwrap_or_default())
}

impl Prepared {
    /// Decides for it; durable on return.
    pub fn commit(self, checkpoint: Checkpoint) -> Result<(), Error> {
        self.decide(Durability::Immediate, checkpoint)
    }

    /// Decides for it; readers see it on return, and a crash may undo it until [`Store::settle`].
    pub fn commit_lazily(self, checkpoint: Checkpoint) -> Result<(), Error> {
        self.decide(Durability::None, checkpoint)
    }

    fn decide(self, durability: Durability, checkpoint: Checkpoint) -> Result<(), Error> {
        let Self { mut transaction, path, db } = self;
        let decided = guarded(&path, move || {
            transaction.set_durability(durability).expect("nobody makes savepoints");
            transaction.open_table(META)?.insert("checkpoint", checkpoint.to_bytes().as_slice())?;
            Ok(transaction.commit()?)
        });
        decided.inspect_err(|error| reopen_after(error, &db))
    }
}

/// A storage that failed answers nobody until it is opened anew. It then has what was synced last: whoever committed
/// lazily looks at its checkpoint again.
fn reopen_after(error: &Error, db: &Storage) {
    // One operation that fails can look like damage, or end in a panic that leaves the storage of no use.
    let may_be_gone = match error {
        Error::Storage { .. } => true,
        Error::Unusable { .. } | Error::Snapshots { .. } => error.is_damage(),
    };
    if may_be_gone && let Err(again) = db.reopen() {
        tracing::error!("a state failed ({error}) and cannot be opened anew: {again}");
    }
}
