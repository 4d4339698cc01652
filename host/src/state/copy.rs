//! Copies of a state: all its rows but those of its tree, as one run of bytes that a state can be made of again.
//!
//! ```text
//! copy   `pfV1`, identity 32, log id 16, then rows, then the end
//! row    table u8 (1 meta, 2 entries, 3 faults, 4 quarantine), length of the key u32, of the value u32, key, value
//! end    0 u8, number of rows u64
//! ```
//! Numbers are little-endian; keys and values are as in the state's file, whose format FORMAT.md has. Of `meta` only
//! `checkpoint`, `costs` and `missing` are in it, `checkpoint` first.

use std::io::{ErrorKind, Read};
use std::ops::Bound;
use std::path::Path;

use redb::{Durability, ReadOnlyTable};

use super::Error;
use super::quarantine::{self, QUARANTINE};
use super::store::{BEHIND, Checkpoint, ENTRIES, FAULTS, META, Store, guarded};
use crate::event::Digest;

const MAGIC: &[u8; 4] = b"pfV1";
/// How much of a copy is handed out at once, and written in one commit.
pub(super) const PIECE_BYTES: usize = 256 << 10;
const COMMIT_BYTES: usize = 16 << 20;
/// The largest key or value that a state may hold is 1 MiB; a fault is larger by what it says.
const FIELD_BYTES_MAX: usize = 16 << 20;

pub(super) const END: u8 = 0;
const META_ROW: u8 = 1;
const ENTRY_ROW: u8 = 2;
const FAULT_ROW: u8 = 3;
const QUARANTINE_ROW: u8 = 4;

/// A copy that is being made of a state as one commit left it.
pub struct Copy {
    pub checkpoint: Checkpoint,
    entries: ReadOnlyTable<&'static str, &'static [u8]>,
    faults: ReadOnlyTable<u64, &'static [u8]>,
    quarantine: quarantine::Table,
    store: std::sync::Arc<Store>,
    /// What comes before the rows, until it is handed out.
    head: Vec<u8>,
    /// The table that is copied, and the last key of it.
    place: (u8, Option<Vec<u8>>),
    rows: u64,
}

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copy").field("checkpoint", &self.checkpoint).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Copy {
    /// Begins a copy of the state as it is now.
    pub fn of(store: &std::sync::Arc<Store>, identity: Digest, log_id: [u8; 16]) -> Result<Self, Error> {
        let checkpoint = store.checkpoint()?;
        let begun = guarded(store.path(), || {
            let transaction = store.db.begin_read()?;
            let meta = transaction.open_table(META)?;
            let mut head = [MAGIC.as_slice(), &identity.0, &log_id].concat();
            let mut rows = 0;
            for name in ["checkpoint", "costs", "missing"] {
                if let Some(value) = meta.get(name)? {
                    put_row(&mut head, META_ROW, name.as_bytes(), value.value());
                    rows += 1;
                }
            }
            let tables = (transaction.open_table(ENTRIES)?, transaction.open_table(FAULTS)?);
            Ok((head, rows, tables, quarantine::open(&transaction)?, checkpoint_in(&meta)?))
        });
        let (head, rows, (entries, faults), quarantine, found) = begun?;
        let checkpoint = found.unwrap_or(checkpoint);
        let store = std::sync::Arc::clone(store);
        Ok(Self { checkpoint, entries, faults, quarantine, store, head, place: (ENTRY_ROW, None), rows })
    }

    /// The next piece; none when all was handed out.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.place.0 == END {
            return Ok(None);
        }
        let mut piece = std::mem::take(&mut self.head);
        let path = self.store.path().to_owned();
        guarded(&path, || {
            while piece.len() < PIECE_BYTES && self.place.0 != END {
                let (table, after) = &self.place;
                let begun = piece.len();
                let last = match *table {
                    ENTRY_ROW => take_text(&self.entries, ENTRY_ROW, after.as_deref(), &mut piece, &mut self.rows)?,
                    FAULT_ROW => take_numbered(&self.faults, after.as_deref(), &mut piece, &mut self.rows)?,
                    _ => match &self.quarantine {
                        Some(rows) => take_text(rows, QUARANTINE_ROW, after.as_deref(), &mut piece, &mut self.rows)?,
                        None => None,
                    },
                };
                self.place = match last {
                    Some(key) if piece.len() > begun => (*table, Some(key)),
                    Some(_) | None if *table == QUARANTINE_ROW => (END, None),
                    Some(_) | None => (*table + 1, None),
                };
            }
            if self.place.0 == END {
                piece.push(END);
                piece.extend_from_slice(&self.rows.to_le_bytes());
            }
            Ok(())
        })?;
        Ok(Some(piece))
    }
}

fn checkpoint_in(meta: &ReadOnlyTable<&'static str, &'static [u8]>) -> Result<Option<Checkpoint>, redb::Error> {
    Ok(meta.get("checkpoint")?.and_then(|bytes| Checkpoint::from_bytes(bytes.value())))
}

pub(super) fn put_row(out: &mut Vec<u8>, table: u8, key: &[u8], value: &[u8]) {
    out.push(table);
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

/// Puts rows behind that key into a piece, until it is full; returns the last key, or none if there was no row.
fn take_text(
    table: &ReadOnlyTable<&'static str, &'static [u8]>,
    kind: u8,
    after: Option<&[u8]>,
    piece: &mut Vec<u8>,
    rows: &mut u64,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let after =
        after.map(|key| std::str::from_utf8(key).expect("it was a text")).map_or(Bound::Unbounded, Bound::Excluded);
    let mut last = None;
    for row in table.range::<&str>((after, Bound::Unbounded))? {
        let (key, value) = row?;
        put_row(piece, kind, key.value().as_bytes(), value.value());
        *rows += 1;
        last = Some(key.value().as_bytes().to_vec());
        if piece.len() >= PIECE_BYTES {
            break;
        }
    }
    Ok(last)
}

/// The same of faults, by sequence.
fn take_numbered(
    table: &ReadOnlyTable<u64, &'static [u8]>,
    after: Option<&[u8]>,
    piece: &mut Vec<u8>,
    rows: &mut u64,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let number = |key: &[u8]| u64::from_le_bytes(key.try_into().expect("it was a number"));
    let after = after.map_or(Bound::Unbounded, |key| Bound::Excluded(number(key)));
    let mut last = None;
    for row in table.range((after, Bound::Unbounded))? {
        let (key, value) = row?;
        let key = key.value().to_le_bytes();
        put_row(piece, FAULT_ROW, &key, value.value());
        *rows += 1;
        last = Some(key.to_vec());
        if piece.len() >= PIECE_BYTES {
            break;
        }
    }
    Ok(last)
}

impl Store {
    /// Makes a state of a copy, in a file that must not exist; its tree is built anew.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the copy is none, or one of another identity or log.
    pub fn of_copy(path: &Path, identity: Digest, log_id: [u8; 16], copy: &mut dyn Read) -> Result<Self, Error> {
        let store = Self::open(path, identity, log_id)?;
        let unusable = |problem: &str| store.unusable(&format!("the copy of it is damaged: {problem}"));
        let mut copy = Input(copy);
        let head: [u8; 52] = copy.array().map_err(|error| unusable(&error))?;
        if head != *[MAGIC.as_slice(), &identity.0, &log_id].concat() {
            return Err(unusable("it is none, or that of another state"));
        }
        let (mut rows, mut is_over) = (0_u64, false);
        while !is_over {
            let mut batch = Vec::new();
            let mut bytes = 0;
            while bytes < COMMIT_BYTES && !is_over {
                match copy.row(FIELD_BYTES_MAX).map_err(|error| unusable(&error))? {
                    Some(row) => {
                        bytes += row.key.len() + row.value.len() + 32;
                        batch.push(row);
                    }
                    None => is_over = true,
                }
            }
            rows += batch.len() as u64;
            store.insert(&batch)?;
        }
        let stated = u64::from_le_bytes(copy.array().map_err(|error| unusable(&error))?);
        if stated != rows || copy.0.read(&mut [0]).map_err(|error| unusable(&error.to_string()))? > 0 {
            return Err(unusable("it has another number of rows than it says"));
        }
        store.build_tree()?;
        Ok(store)
    }

    fn insert(&self, rows: &[Row]) -> Result<(), Error> {
        let damaged = |what: &str| redb::Error::Corrupted(format!("the copy of it: {what}"));
        guarded(self.path(), || {
            let mut transaction = self.db.begin_write()?;
            transaction.set_durability(Durability::None).expect("nobody makes savepoints");
            {
                let mut meta = transaction.open_table(META)?;
                meta.insert("tree", BEHIND)?;
                let mut entries = transaction.open_table(ENTRIES)?;
                let mut faults = transaction.open_table(FAULTS)?;
                for Row { table, key, value } in rows {
                    let text = || std::str::from_utf8(key).map_err(|_| damaged("a key is not UTF-8"));
                    match *table {
                        META_ROW => drop(meta.insert(text()?, value.as_slice())?),
                        ENTRY_ROW => drop(entries.insert(text()?, value.as_slice())?),
                        FAULT_ROW => {
                            let key = key.as_slice().try_into().map_err(|_| damaged("a fault has no sequence"))?;
                            drop(faults.insert(u64::from_le_bytes(key), value.as_slice())?);
                        }
                        QUARANTINE_ROW => {
                            drop(transaction.open_table(QUARANTINE)?.insert(text()?, value.as_slice())?);
                        }
                        _ => return Err(damaged("a row of a table that a newer polyfold wrote")),
                    }
                }
            }
            Ok(transaction.commit()?)
        })
    }
}

pub(super) struct Row {
    pub(super) table: u8,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// What is left of a copy.
pub(super) struct Input<'a>(pub(super) &'a mut dyn Read);

impl Input<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next row, no field of which is larger than that; none at the end.
    pub(super) fn row(&mut self, field_bytes_max: usize) -> Result<Option<Row>, String> {
        let [table] = self.array()?;
        if table == END {
            return Ok(None);
        }
        let [key, value] = [u32::from_le_bytes(self.array()?), u32::from_le_bytes(self.array()?)];
        let mut field = |bytes: u32| self.field(bytes as usize, field_bytes_max);
        Ok(Some(Row { table, key: field(key)?, value: field(value)? }))
    }

    fn field(&mut self, bytes: usize, bytes_max: usize) -> Result<Vec<u8>, String> {
        if bytes > bytes_max {
            return Err("a key or value is larger than any".to_owned());
        }
        let mut field = vec![0; bytes];
        self.fill(&mut field)?;
        Ok(field)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.0.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => "it ends early".to_owned(),
            _ => error.to_string(),
        })
    }
}
