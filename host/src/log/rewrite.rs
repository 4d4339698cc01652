//! Rewriting: a log without some of its payloads, in a new file that takes the old one's place.
//!
//! Never in place: the new file is made beside the log while appends go on, then takes what was appended meanwhile, is
//! synced and renamed over the log. So a crash leaves the old log or the new one, and nothing that was dropped stays in free
//! pages. Who reads the old file goes on reading it.

mod copy;
pub(super) mod cutter;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use self::copy::Copy;
use super::Log;
use super::archive::Archives;
use super::error::Error;
use super::file::{self, beside, guarded, guarded_open, remove_if_there, storage};
use super::reader::Reader;
use super::stats;
use crate::event::{EventRef, Sequence, Why};

/// Appends of so many events are waited for once more before the writer has to wait: it then waits some 10 ms.
const LEFT_FOR_THE_WRITER: u64 = 2_048;
/// How often. A writer that is faster than this waits longer.
const ROUNDS_MAX: usize = 8;
/// Room beside the log's own bytes: trees of the new file.
const ROOM_BYTES: u64 = 4 << 20;

/// What a log is to be without.
pub struct Rewrite<'a> {
    /// Asked of each event with a payload that was there at the beginning, in order: why the payload goes, if it does.
    /// [`Why::Forgotten`] is taken for redacted.
    pub drop: &'a mut dyn FnMut(&EventRef<'_>) -> Option<Why>,
    /// Whether compacted events that follow each other become one record.
    pub fold: bool,
    /// No run goes on behind such a sequence, so that chain and event root can be computed there.
    pub boundaries: &'a BTreeSet<Sequence>,
}

impl std::fmt::Debug for Rewrite<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rewrite").field("fold", &self.fold).finish_non_exhaustive()
    }
}

/// What rewriting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Payloads that were dropped, and their bytes.
    pub events_dropped: u64,
    pub bytes_dropped: u64,
    /// Events of which digests alone are left now.
    pub events_folded: u64,
    /// What the file took of the disk.
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// The last event that was looked at.
    pub head: Sequence,
}

impl Log {
    /// Writes the log anew without payloads that are not wanted. Appends go on meanwhile and wait only at the end.
    ///
    /// Takes as much disk again as the log. Calls `progress` with the last sequence copied, every block. A second caller
    /// waits for the first.
    ///
    /// # Errors
    /// [`Error::NoRoom`], [`Error::NoFile`], before anything is written. On any error the log goes on as it was.
    pub fn rewrite(&self, rewrite: Rewrite<'_>, progress: &mut dyn FnMut(Sequence)) -> Result<Rewritten, Error> {
        let _one = self.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.as_deref().ok_or(Error::NoFile)?;
        let bytes_before = stats::file_bytes(self)?;
        check_room(bytes_before + ROOM_BYTES, free_bytes(path))?;
        let new = New(beside(path));
        remove_if_there(&new.0).map_err(storage)?;
        guarded(&self.name, || {
            let database = guarded_open(&self.name, || file::builder(&self.options).create(&new.0))?;
            let (copy, head) = self.copied(database, rewrite, progress)?;
            let (events_dropped, bytes_dropped) = (copy.events_dropped, copy.bytes_dropped);
            let events_folded = self.take_over(copy, &new, path)?;
            let bytes_after = stats::file_bytes(self)?;
            Ok(Rewritten { events_dropped, bytes_dropped, events_folded, bytes_before, bytes_after, head })
        })
    }

    /// Writes the log anew with the payloads of compacted events, as an archive has them.
    ///
    /// # Errors
    /// As [`Log::rewrite`]; [`Error::NotArchived`] if events are folded that the archive lacks.
    pub fn refill(&self, archives: &Arc<Archives>, progress: &mut dyn FnMut(Sequence)) -> Result<Rewritten, Error> {
        let _one = self.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.as_deref().ok_or(Error::NoFile)?;
        let bytes_before = stats::file_bytes(self)?;
        let archived: u64 = archives.list().iter().map(|file| file.bytes).sum();
        check_room(bytes_before + archived + ROOM_BYTES, free_bytes(path))?;
        let new = New(beside(path));
        remove_if_there(&new.0).map_err(storage)?;
        guarded(&self.name, || {
            let database = guarded_open(&self.name, || file::builder(&self.options).create(&new.0))?;
            let (reading, state) = self.snapshot()?;
            let reader = Reader::new(&reading, &state, self.storage.failing())?.with_archives(Arc::clone(archives));
            let boundaries = BTreeSet::new();
            let mut copy = Copy::begin(database, &reader, false, &boundaries)?;
            copy.events(&reader, progress)?;
            copy.runs(&reading.transaction)?;
            let events_folded = self.take_over(copy, &new, path)?;
            let (head, bytes_after) = (state.meta.head.sequence, stats::file_bytes(self)?);
            Ok(Rewritten { events_dropped: 0, bytes_dropped: 0, events_folded, bytes_before, bytes_after, head })
        })
    }

    /// Copies all but what is appended in the last moment, and says where the log ended at first.
    fn copied<'a>(
        &self,
        database: redb::Database,
        rewrite: Rewrite<'a>,
        progress: &mut dyn FnMut(Sequence),
    ) -> Result<(Copy<'a>, Sequence), Error> {
        let (reading, state) = self.snapshot()?;
        let reader = Reader::new(&reading, &state, self.storage.failing())?;
        let mut copy = Copy::begin(database, &reader, rewrite.fold, rewrite.boundaries)?;
        copy.blocks(&reader, rewrite.drop, progress)?;
        copy.runs(&reading.transaction)?;
        for _ in 0..ROUNDS_MAX {
            let reader = self.reader()?;
            if reader.head().sequence.0 - copy.reached().0 <= LEFT_FOR_THE_WRITER {
                break;
            }
            copy.blocks(&reader, &mut |_| None, progress)?;
        }
        Ok((copy, state.meta.head.sequence))
    }

    /// Takes what is left while nobody appends, and goes on in the new file.
    fn take_over(&self, mut copy: Copy<'_>, new: &New, path: &Path) -> Result<u64, Error> {
        let mut writer = self.lock_writer();
        let (reading, state) = self.snapshot_of_writer(&mut writer)?;
        let reader = Reader::new(&reading, &state, self.storage.failing())?;
        copy.blocks(&reader, &mut |_| None, &mut |_| {})?;
        copy.runs(&reading.transaction)?;
        let (database, state, tail, folded) = copy.finish(&state)?;
        fs::rename(&new.0, path).map_err(storage)?;
        // From here on the log is the new file, whatever happens.
        let synced = file::sync_folder(path).or_else(|_| file::sync_folder(path));
        self.shared.exchange(|_| {
            self.storage.exchange(database);
            Ok(state)
        })?;
        writer.go_on_behind(tail);
        synced.map_err(storage)?;
        Ok(folded)
    }
}

/// The new file, removed unless it has taken the log's place.
struct New(PathBuf);

impl Drop for New {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(&self.0) {
            tracing::warn!("{} is left over and can be removed: {error}", self.0.display());
        }
    }
}

fn check_room(needed_bytes: u64, free_bytes: Option<u64>) -> Result<(), Error> {
    match free_bytes {
        Some(free_bytes) if free_bytes < needed_bytes => Err(Error::NoRoom { needed_bytes, free_bytes }),
        Some(_) | None => Ok(()),
    }
}

/// The room on the disk of that file, if the disk says it.
fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_refused_with_the_bytes_that_it_takes() {
        assert!(check_room(100, Some(100)).is_ok() && check_room(100, None).is_ok());
        let refused = check_room(101, Some(100)).unwrap_err().to_string();
        assert_eq!(refused, "rewriting the log takes 101 bytes of disk and 100 are free; make room");
    }
}
