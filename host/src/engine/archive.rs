//! The archive of a data directory: opened when it is there, made when the first run of retention needs it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Engine, Error, LogReader};
use crate::event::Sequence;
use crate::log::{ArchiveInfo, Archives, Error as LogError, LogId, Reader, Rewritten};

/// The folder `archive`.
#[derive(Debug)]
pub(super) struct Archive {
    dir: PathBuf,
    id: LogId,
    open: Mutex<Option<Arc<Archives>>>,
}

impl Archive {
    /// Opens what there is. A file that is damaged is moved away and said: without it, what it had is missing, and nothing else.
    pub(super) fn open(dir: &Path, id: LogId) -> Result<Self, Error> {
        let archive = Self { dir: dir.to_owned(), id, open: Mutex::default() };
        while dir.exists() {
            match Archives::open(dir, id) {
                Ok(open) => {
                    *archive.lock() = Some(Arc::new(open));
                    break;
                }
                Err(error @ LogError::Archive { .. }) => set_aside(error)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(archive)
    }

    pub(super) fn at_hand(&self) -> Option<Arc<Archives>> {
        self.lock().clone()
    }

    pub(super) fn or_new(&self) -> Result<Arc<Archives>, Error> {
        let mut open = self.lock();
        if let Some(open) = open.as_ref().filter(|_| self.dir.exists()) {
            return Ok(Arc::clone(open));
        }
        let made = Arc::new(Archives::open(&self.dir, self.id)?);
        *open = Some(Arc::clone(&made));
        Ok(made)
    }

    /// A reader that reads compacted events where they are.
    pub(super) fn over(&self, reader: Reader) -> Reader {
        match self.at_hand() {
            Some(archives) => reader.with_archives(archives),
            None => reader,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Archives>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves a file away that no archive can be read from.
fn set_aside(error: LogError) -> Result<(), Error> {
    let LogError::Archive { path, .. } = &error else { return Err(error.into()) };
    // Errors quote paths.
    let path = path.trim_matches('"');
    let aside = format!("{path}.damaged");
    if std::fs::rename(path, &aside).is_err() {
        return Err(error.into());
    }
    tracing::error!("{error}; it is kept as {aside}, and what it has is missing until it is mended");
    Ok(())
}

impl Engine {
    /// The files of the archive, in order; none before the first run of retention.
    pub fn archives(&self) -> Vec<ArchiveInfo> {
        self.hub.archive.at_hand().map_or_else(Vec::new, |archives| archives.list())
    }

    /// Reads every file of the archive and recomputes its digests. Calls `progress` with each that is sound.
    ///
    /// # Errors
    /// [`LogError::Archive`] names the file that is not.
    pub fn verify_archives(&self, progress: &mut dyn FnMut(&ArchiveInfo)) -> Result<Vec<ArchiveInfo>, Error> {
        let Some(archives) = self.hub.archive.at_hand() else { return Ok(Vec::new()) };
        archives.verify(&self.log().reader()?, progress)?;
        Ok(archives.list())
    }

    /// The log as it is now, and compacted events as they were, as far as the archive has them.
    pub fn archived_reader(&self) -> Result<LogReader, Error> {
        Ok(self.hub.keys.over(self.hub.archive.over(self.log().reader()?)))
    }

    /// Puts the payloads of compacted events back into the log, all that the archive has. Calls `progress` with the last
    /// sequence written.
    ///
    /// # Errors
    /// If the archive lacks events of which the log has digests only.
    pub fn restore_archives(&self, progress: &mut dyn FnMut(Sequence)) -> Result<Rewritten, Error> {
        let _turn = self.retaining()?;
        let archives = self.hub.archive.or_new()?;
        let restored = self.log().refill(&archives, progress)?;
        self.hub.recent.clear();
        Ok(restored)
    }
}
