//! A file of a backup on its way to the disk, and its content on the way back.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::BackupError;
use super::syncing::Syncing;
use crate::event::Digest;

/// What goes to the disk at once.
const BUFFER_BYTES: usize = 1 << 20;
/// What is written before the disk is told to begin: it is busy with that while the next is digested.
const SYNC_BYTES: usize = 8 << 20;

/// A file that is being written. Dropped, it leaves nothing.
#[derive(Debug)]
pub(in crate::engine::backup) struct Unfinished {
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    pub(super) start: u64,
    /// Those on their way to the disk; `buffer` has more.
    pub(super) bytes: u64,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    is_own_file: bool,
    pub(super) is_whole: bool,
    /// What syncs the file beside the writing, once there is enough of it.
    syncing: Option<Syncing>,
    /// How much was written since it was last told.
    unsynced: usize,
}

impl Unfinished {
    /// A file of its own, or a part of one that begins there.
    pub(super) fn new(file: Arc<File>, path: PathBuf, start: u64, is_own_file: bool) -> Self {
        let (hasher, buffer) = (blake3::Hasher::new(), Vec::with_capacity(BUFFER_BYTES));
        let (is_whole, syncing) = (false, None);
        Self { file, path, start, bytes: 0, hasher, buffer, is_own_file, is_whole, syncing, unsynced: 0 }
    }

    pub(in crate::engine::backup) fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// All that was written so far.
    pub(in crate::engine::backup) fn len(&self) -> u64 {
        self.bytes + self.buffer.len() as u64
    }

    /// Its digest, once all of it is durable.
    pub(super) fn sync(&mut self) -> Result<Digest, BackupError> {
        self.flush()?;
        let synced = self.syncing.take().map_or(Ok(()), Syncing::finish).and_then(|()| self.file.sync_all());
        synced.map_err(BackupError::file(&self.path))?;
        Ok(Digest(*self.hasher.finalize().as_bytes()))
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        self.hasher.update(&self.buffer);
        let written = self.file.write_all_at(&self.buffer, self.start + self.bytes);
        written.map_err(BackupError::file(&self.path))?;
        self.bytes += self.buffer.len() as u64;
        self.unsynced += self.buffer.len();
        self.buffer.clear();
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.syncing.get_or_insert_with(|| Syncing::begin(&self.file)).go_on();
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    /// A full disk gets its room back. That it cannot be removed is no news: the next run tries again.
    fn drop(&mut self) {
        if self.is_own_file && !self.is_whole {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// A file's content.
#[derive(Debug)]
pub(in crate::engine::backup) struct Content {
    pub(super) file: Arc<File>,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Content {
    pub(in crate::engine::backup) fn bytes_left(&self) -> u64 {
        self.end - self.at
    }
}

impl Read for Content {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = (out.len() as u64).min(self.bytes_left()) as usize;
        let read = self.file.read_at(&mut out[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
