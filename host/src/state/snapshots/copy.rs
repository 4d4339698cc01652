//! Copies of all snapshots of a projection, as one run of bytes that a file of snapshots can be made of again.
//!
//! ```text
//! copy   `pfN1`, log id 16, then rows, then the end
//! row    kind u8 (1 node, 2 snapshot), length of the key u32, of the value u32, key, value
//! end    0 u8, number of rows u64
//! ```
//! Numbers are little-endian; keys and values are as in the file, whose format FORMAT.md has. Nodes come first; the key of a
//! snapshot is its identity, 32 bytes, and its sequence, u64.

use std::io::Read;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::{Durability, ReadOnlyTable, ReadableTable as _};

use super::{NODES, SNAPSHOTS, Snapshots};
use crate::event::Digest;
use crate::state::Error;
use crate::state::copy::{END, Input, PIECE_BYTES, Row, put_row};

const MAGIC: &[u8; 4] = b"pfN1";
const NODE_ROW: u8 = 1;
const SNAPSHOT_ROW: u8 = 2;
/// The largest node holds 32 entries of 1 MiB.
const FIELD_BYTES_MAX: usize = 64 << 20;
const COMMIT_BYTES: usize = 16 << 20;

/// A copy that is being made of what a file of snapshots has now.
pub struct SnapshotsCopy {
    /// Of the snapshots: two files with the same have the same in them.
    pub version: Digest,
    snapshots: Arc<Snapshots>,
    nodes: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    /// What comes before the nodes, until it is handed out.
    head: Vec<u8>,
    manifests: Vec<([u8; 40], Vec<u8>)>,
    /// The node that was handed out last.
    last: Option<[u8; 32]>,
    rows: u64,
    is_over: bool,
}

impl std::fmt::Debug for SnapshotsCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotsCopy")
            .field("version", &self.version)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl SnapshotsCopy {
    /// Begins a copy; none if there is no snapshot.
    pub fn of(snapshots: &Arc<Snapshots>) -> Result<Option<Self>, Error> {
        let (manifests, nodes) = snapshots.guarded(|| {
            let transaction = snapshots.db.begin_read()?;
            let mut manifests = Vec::new();
            for row in transaction.open_table(SNAPSHOTS)?.iter()? {
                let (key, row) = row?;
                let (identity, sequence) = key.value();
                let mut key = [0; 40];
                key[..32].copy_from_slice(identity);
                key[32..].copy_from_slice(&sequence.to_le_bytes());
                manifests.push((key, row.value().to_vec()));
            }
            Ok((manifests, transaction.open_table(NODES)?))
        })?;
        if manifests.is_empty() {
            return Ok(None);
        }
        let mut hasher = blake3::Hasher::new();
        for (key, manifest) in &manifests {
            hasher.update(key).update(&(manifest.len() as u64).to_le_bytes()).update(manifest);
        }
        let head = [MAGIC.as_slice(), &snapshots.log_id].concat();
        let (version, snapshots) = (Digest(*hasher.finalize().as_bytes()), Arc::clone(snapshots));
        Ok(Some(Self { version, snapshots, nodes, head, manifests, last: None, rows: 0, is_over: false }))
    }

    /// The next piece; none when all was handed out.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let mut piece = std::mem::take(&mut self.head);
        let Self { nodes, last, rows, .. } = self;
        let is_end = self.snapshots.guarded(|| {
            let after = last.map_or(Bound::Unbounded, Bound::Excluded);
            let after = (after.as_ref(), Bound::Unbounded);
            for row in nodes.range::<&[u8; 32]>(after)? {
                let (digest, node) = row?;
                put_row(&mut piece, NODE_ROW, digest.value(), node.value());
                (*last, *rows) = (Some(*digest.value()), *rows + 1);
                if piece.len() >= PIECE_BYTES {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        if is_end {
            for (key, manifest) in &self.manifests {
                put_row(&mut piece, SNAPSHOT_ROW, key, manifest);
            }
            piece.push(END);
            piece.extend_from_slice(&(self.rows + self.manifests.len() as u64).to_le_bytes());
            self.is_over = true;
        }
        Ok(Some(piece))
    }
}

impl Snapshots {
    /// Makes a file of snapshots of a copy, where there is none. What is damaged of them is found when it is used.
    ///
    /// # Errors
    /// [`Error::Snapshots`] if the copy is none, or one of another log.
    pub fn of_copy(path: &Path, log_id: [u8; 16], copy: &mut dyn Read) -> Result<Self, Error> {
        let snapshots = Self::open(path, log_id)?;
        let damaged = |problem: &str| Error::Snapshots {
            path: path.to_owned(),
            problem: format!("the copy of them is damaged: {problem}"),
        };
        let mut copy = Input(copy);
        let head: [u8; 20] = copy.array().map_err(|why| damaged(&why))?;
        if head != *[MAGIC.as_slice(), &log_id].concat() {
            return Err(damaged("it is none, or one of another log"));
        }
        let (mut rows, mut is_over) = (0_u64, false);
        while !is_over {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while bytes < COMMIT_BYTES && !is_over {
                match copy.row(FIELD_BYTES_MAX).map_err(|why| damaged(&why))? {
                    Some(row) => {
                        bytes += row.key.len() + row.value.len() + 32;
                        batch.push(row);
                    }
                    None => is_over = true,
                }
            }
            rows += batch.len() as u64;
            if !snapshots.insert(&batch)? {
                return Err(damaged("a row of a kind that a newer polyfold wrote"));
            }
        }
        let stated = u64::from_le_bytes(copy.array().map_err(|why| damaged(&why))?);
        if stated != rows || copy.0.read(&mut [0]).map_err(|error| damaged(&error.to_string()))? > 0 {
            return Err(damaged("it has another number of rows than it says"));
        }
        Ok(snapshots)
    }

    /// Writes rows, the last lazily too: whoever removes what does not fit, or settles, makes them durable. Says whether all
    /// are of a known kind.
    fn insert(&self, rows: &[Row]) -> Result<bool, Error> {
        self.guarded(|| {
            let mut transaction = self.db.begin_write()?;
            transaction.set_durability(Durability::None).expect("nobody makes savepoints");
            {
                let (mut nodes, mut snapshots) = (transaction.open_table(NODES)?, transaction.open_table(SNAPSHOTS)?);
                for Row { table, key, value } in rows {
                    match (*table, key.as_array(), key.split_first_chunk()) {
                        (NODE_ROW, Some(digest), _) => drop(nodes.insert(digest, value.as_slice())?),
                        (SNAPSHOT_ROW, _, Some((identity, sequence))) => {
                            let Some(sequence) = sequence.as_array() else { return Ok(false) };
                            drop(snapshots.insert((identity, u64::from_le_bytes(*sequence)), value.as_slice())?);
                        }
                        _ => return Ok(false),
                    }
                }
            }
            transaction.commit()?;
            Ok(true)
        })
    }

    /// Makes durable what was written lazily.
    pub fn settle(&self) -> Result<(), Error> {
        self.guarded(|| Ok(self.db.begin_write()?.commit()?))
    }
}
