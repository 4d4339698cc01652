//! The history of a state: for its newest commits, the values that keys had before, so that the state can be read as each
//! of these commits found it.
//!
//! | table | key | value |
//! |---|---|---|
//! | `history` | key, sequence of a commit | what the key had before that commit: 0, or 1 and the value |
//! | `undone` | sequence of a commit | the checkpoint before it, 56 bytes; what all history up to this commit takes, and up to the one before it, 8 bytes each; then each key that it changed: length, 4 bytes, and the key |
//!
//! Commits follow each other without a gap, and the last one is the state's own checkpoint: a version that knows nothing of
//! history leaves a gap there, and the next commit begins anew.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use super::storage::Storage;
use super::store::{Checkpoint, META, Store, guarded};
use super::{Entry, Error, Fault, Reader, SetAside};
use crate::event::Sequence;

const HISTORY: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("history");
const UNDONE: TableDefinition<u64, &[u8]> = TableDefinition::new("undone");

/// 64 MiB: more of it would be read seldom, and be copied with the file.
const BYTES_MAX: u64 = 64 << 20;

/// What a row costs beside its bytes, roughly.
const ROW_BYTES: u64 = 32;

const HEAD_BYTES: usize = 56 + 16;

/// How a commit keeps history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Where the state is with the commit.
    pub sequence: Sequence,
    /// How many events back it reaches.
    pub horizon: u64,
}

/// A state as an earlier commit left it.
pub struct Undone {
    reader: Reader,
    history: ReadOnlyTable<(&'static str, u64), &'static [u8]>,
    /// What commits behind this one changed is undone.
    checkpoint: Checkpoint,
    path: PathBuf,
    db: Arc<Storage>,
}

impl std::fmt::Debug for Undone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Undone({} to {})", self.path.display(), self.checkpoint.sequence)
    }
}

/// The values that a key had, as far as the history reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHistory {
    /// Where the state is, and what the key has.
    pub to: Sequence,
    pub value: Option<Vec<u8>>,
    /// The latest first.
    pub changes: Vec<Changed>,
    /// From where on it is complete.
    pub from: Sequence,
}

/// A key and what it had, if it had anything.
type Old = (String, Option<Vec<u8>>);

/// One change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The commit that changed it, and where the state was before.
    pub commit: Sequence,
    pub before: Sequence,
    /// What the key had before.
    pub old: Option<Vec<u8>>,
}

/// Writes down what a commit changes, as it changes it.
pub(super) struct Recorder<'a> {
    history: Table<'a, (&'static str, u64), &'static [u8]>,
    undone: Table<'a, u64, &'static [u8]>,
    commit: History,
    before: Checkpoint,
    keys: Vec<u8>,
    /// What all of it takes since it was begun, with what was dropped of it; and up to the commit before.
    bytes: u64,
    bytes_before: u64,
}

impl<'a> Recorder<'a> {
    /// Begins a commit over the checkpoint that is there. What does not lead up to it is dropped.
    pub(super) fn begin(
        transaction: &'a WriteTransaction,
        commit: History,
        before: Checkpoint,
    ) -> Result<Self, redb::Error> {
        let mut history = transaction.open_table(HISTORY)?;
        let mut undone = transaction.open_table(UNDONE)?;
        let last = undone.last()?.map(|(commit, row)| (commit.value(), span_of(row.value()).1));
        let (last, bytes) = last.unzip();
        if last.is_some_and(|last| last != before.sequence.0) {
            history.retain(|_, _| false)?;
            undone.retain(|_, _| false)?;
        }
        let bytes = bytes.unwrap_or(0);
        Ok(Self { history, undone, commit, before, keys: Vec::new(), bytes, bytes_before: bytes })
    }

    pub(super) fn changed(&mut self, key: &str, old: Option<&[u8]>) -> Result<(), redb::Error> {
        let mut row = Vec::with_capacity(1 + old.map_or(0, <[u8]>::len));
        row.push(u8::from(old.is_some()));
        row.extend_from_slice(old.unwrap_or_default());
        self.bytes += (2 * key.len() + row.len()) as u64 + ROW_BYTES;
        self.history.insert((key, self.commit.sequence.0), row.as_slice())?;
        self.keys.extend_from_slice(&u32::try_from(key.len()).expect("a key is no 4 GiB long").to_le_bytes());
        self.keys.extend_from_slice(key.as_bytes());
        Ok(())
    }

    /// Ends the commit, and drops what lies beyond the horizon.
    pub(super) fn finish(mut self) -> Result<(), redb::Error> {
        let History { sequence, horizon } = self.commit;
        if sequence > self.before.sequence {
            let numbers = [self.bytes.to_le_bytes(), self.bytes_before.to_le_bytes()].concat();
            let row = [&self.before.to_bytes()[..], &numbers, &self.keys].concat();
            self.undone.insert(sequence.0, row.as_slice())?;
        }
        loop {
            let first = self.undone.first()?.map(|(commit, row)| (commit.value(), row.value().to_vec()));
            let Some((commit, row)) = first.filter(|(commit, _)| *commit != sequence.0) else { return Ok(()) };
            let kept = self.bytes - span_of(&row).0.min(self.bytes);
            if commit.saturating_add(horizon) >= sequence.0 && kept <= BYTES_MAX {
                return Ok(());
            }
            for key in keys_of(&row) {
                self.history.remove((key, commit))?;
            }
            self.undone.remove(commit)?;
        }
    }
}

/// Drops all history, if there is any.
pub(super) fn clear(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.delete_table(HISTORY)?;
    transaction.delete_table(UNDONE)?;
    Ok(())
}

impl Store {
    /// The state as the last commit up to an event left it; none where the history does not reach so far.
    pub fn undone(&self, upto: Sequence) -> Result<Option<Undone>, Error> {
        let found = guarded(self.path(), || {
            let transaction = self.db.begin_read()?;
            let Some((history, undone)) = tables(&transaction)? else { return Ok(None) };
            let first = undone.range(upto.0 + 1..)?.next().transpose()?;
            let before = first.and_then(|(_, row)| before_of(row.value())).filter(|before| before.sequence <= upto);
            let last = undone.last()?.map(|(commit, _)| commit.value());
            Ok(before.map(|before| (transaction, history, before, last)))
        })?;
        let Some((transaction, history, checkpoint, last)) = found else { return Ok(None) };
        let reader = self.reader_in(&transaction)?;
        if last != Some(reader.checkpoint().sequence.0) {
            return Ok(None);
        }
        let (path, db) = (self.path().to_owned(), Arc::clone(&self.db));
        Ok(Some(Undone { reader, history, checkpoint, path, db }))
    }

    /// What a key had, as far as the history reaches; none if there is no history.
    pub fn key_history(&self, key: &str) -> Result<Option<KeyHistory>, Error> {
        let transaction = guarded(self.path(), || self.db.begin_read())?;
        let Some((history, undone)) = guarded(self.path(), || tables(&transaction))? else { return Ok(None) };
        let reader = self.reader_in(&transaction)?;
        let read = guarded(self.path(), || {
            let last = undone.last()?.map(|(commit, _)| commit.value());
            let first = undone.first()?.and_then(|(_, row)| before_of(row.value()));
            let mut changes = Vec::new();
            for row in history.range::<(&str, u64)>((key, 0)..=(key, u64::MAX))?.rev() {
                let (at, row) = row?;
                let commit = at.value().1;
                let before = undone.get(commit)?.and_then(|row| before_of(row.value()));
                if let Some(before) = before {
                    let (commit, old) = (Sequence(commit), value_of(row.value()));
                    changes.push(Changed { commit, before: before.sequence, old });
                }
            }
            Ok((last, first, changes))
        })?;
        let (last, first, changes) = read;
        let to = reader.checkpoint().sequence;
        let Some(first) = first.filter(|_| last == Some(to.0)) else { return Ok(None) };
        Ok(Some(KeyHistory { to, value: reader.get(key)?, changes, from: first.sequence }))
    }

    /// From which event on the state can be read as it was; none if it has no history.
    pub fn history_from(&self) -> Result<Option<Sequence>, Error> {
        guarded(self.path(), || {
            let transaction = self.db.begin_read()?;
            let Some((_, undone)) = tables(&transaction)? else { return Ok(None) };
            let checkpoint = transaction.open_table(META)?.get("checkpoint")?.map(|row| row.value().to_vec());
            let checkpoint = checkpoint.as_deref().and_then(Checkpoint::from_bytes).unwrap_or_default();
            let last = undone.last()?.map(|(commit, _)| commit.value());
            let first = undone.first()?.and_then(|(_, row)| before_of(row.value()));
            Ok(first.filter(|_| last == Some(checkpoint.sequence.0)).map(|before| before.sequence))
        })
    }
}

impl Undone {
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let rows = (key, self.checkpoint.sequence.0 + 1)..=(key, u64::MAX);
        let old = self.guarded(|| {
            let first = self.history.range::<(&str, u64)>(rows)?.next().transpose()?;
            Ok(first.map(|(_, row)| value_of(row.value())))
        })?;
        old.map_or_else(|| self.reader.get(key), Ok)
    }

    /// The faults of events up to there.
    pub fn faults(&self) -> Result<Vec<Fault>, Error> {
        let mut faults = self.reader.faults()?;
        faults.retain(|fault| fault.sequence <= self.checkpoint.sequence.0);
        Ok(faults)
    }

    /// The streams that were set aside then. What was set aside of each is what is now.
    pub fn set_aside(&self) -> Result<Vec<(String, SetAside)>, Error> {
        let mut all = self.reader.set_aside(None, usize::MAX)?;
        all.retain(|(_, set_aside)| set_aside.first <= self.checkpoint.sequence);
        Ok(all)
    }

    pub(super) fn range_from<'a>(
        &'a self,
        start: Bound<&str>,
    ) -> Result<impl Iterator<Item = Result<Entry, Error>> + use<'a>, Error> {
        let mut stored = self.reader.range_from(start)?.peekable();
        let mut old = self.old_from(start)?.peekable();
        Ok(std::iter::from_fn(move || {
            loop {
                if let Some(failed) = stored.next_if(Result::is_err) {
                    return Some(failed);
                }
                if let Some(Err(error)) = old.next_if(Result::is_err) {
                    return Some(Err(error));
                }
                let in_file = stored.peek().and_then(|entry| entry.as_ref().ok()).map(|(key, _)| key.as_str());
                let in_history = old.peek().and_then(|row| row.as_ref().ok()).map(|(key, _)| key.as_str());
                match (in_file, in_history) {
                    (None, None) => return None,
                    (Some(file), Some(history)) if file < history => return stored.next(),
                    (Some(_), None) => return stored.next(),
                    (file, Some(history)) => {
                        if file == Some(history) {
                            stored.next();
                        }
                        // A key that was not there then is passed over.
                        if let Some(Ok((key, Some(value)))) = old.next() {
                            return Some(Ok((key, value)));
                        }
                    }
                }
            }
        }))
    }

    /// The keys that were changed since, each with what it had.
    fn old_from(&self, start: Bound<&str>) -> Result<impl Iterator<Item = Result<Old, Error>> + use<>, Error> {
        let behind = self.checkpoint.sequence.0;
        let start = match start {
            Bound::Included(key) => Bound::Included((key, 0)),
            Bound::Excluded(key) => Bound::Excluded((key, u64::MAX)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let range = (start, Bound::Unbounded);
        let mut rows = self.guarded(|| Ok(self.history.range::<(&str, u64)>(range)?))?;
        let (path, db) = (self.path.clone(), Arc::clone(&self.db));
        let mut last: Option<String> = None;
        Ok(std::iter::from_fn(move || {
            let next = || -> Result<_, redb::Error> {
                for row in rows.by_ref() {
                    let (key, row) = row?;
                    let (key, commit) = key.value();
                    if commit > behind && last.as_deref() != Some(key) {
                        last = Some(key.to_owned());
                        return Ok(Some((key.to_owned(), value_of(row.value()))));
                    }
                }
                Ok(None)
            };
            db.noting(guarded(&path, next)).transpose()
        }))
    }

    fn guarded<T>(&self, read: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Error> {
        self.db.noting(guarded(&self.path, read))
    }
}

type Tables = (ReadOnlyTable<(&'static str, u64), &'static [u8]>, ReadOnlyTable<u64, &'static [u8]>);

/// None where no history was ever kept.
fn tables(transaction: &ReadTransaction) -> Result<Option<Tables>, redb::Error> {
    match transaction.open_table(UNDONE) {
        Ok(undone) => Ok(Some((transaction.open_table(HISTORY)?, undone))),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn value_of(row: &[u8]) -> Option<Vec<u8>> {
    row.split_first().filter(|(is_there, _)| **is_there == 1).map(|(_, value)| value.to_vec())
}

fn before_of(row: &[u8]) -> Option<Checkpoint> {
    Checkpoint::from_bytes(row.get(..56)?)
}

/// What all history takes up to the commit before, and with this one.
fn span_of(row: &[u8]) -> (u64, u64) {
    let number = |at: usize| row.get(at..at + 8).and_then(|it| it.try_into().ok()).map_or(0, u64::from_le_bytes);
    (number(64), number(56))
}

fn keys_of(row: &[u8]) -> Vec<&str> {
    let mut rest = row.get(HEAD_BYTES..).unwrap_or_default();
    let mut keys = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let Some((key, behind)) = behind.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
        rest = behind;
        keys.extend(std::str::from_utf8(key).ok());
    }
    keys
}
