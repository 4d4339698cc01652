//! The folder in which a data directory is made, beside its place, until it is whole.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::engine::backup::BackupError;
use crate::engine::backup::place::{make_folder, parent_of, sync_folder};

/// What lies in the folder beside the data directory until it gets its name.
const INNER: &str = "data";

/// Refuses a place where something is.
pub(super) fn check_empty(dir: &Path) -> Result<(), BackupError> {
    let not_empty = || BackupError::NotEmpty { path: dir.to_owned() };
    match std::fs::read_dir(dir) {
        Ok(mut files) => match files.next() {
            None => Ok(()),
            Some(_) => Err(not_empty()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(not_empty()),
        Err(error) => Err(BackupError::file(dir)(error)),
    }
}

/// The folder beside the data directory in which it is made: `NAME.restoring/data`.
pub(super) struct Work {
    outer: PathBuf,
    pub(super) inner: PathBuf,
    /// Keeps another restore away.
    _lock: File,
}

impl Work {
    pub(super) fn begin(dir: &Path) -> Result<Self, BackupError> {
        let mut outer = dir.components().as_path().as_os_str().to_owned();
        outer.push(".restoring");
        let outer = PathBuf::from(outer);
        make_folder(&outer)?;
        let lock = File::open(&outer).map_err(BackupError::file(&outer))?;
        if lock.try_lock().is_err() {
            return Err(BackupError::InUse { path: dir.to_owned() });
        }
        let inner = outer.join(INNER);
        for file in std::fs::read_dir(&outer).map_err(BackupError::file(&outer))? {
            if file.map_err(BackupError::file(&outer))?.file_name() != INNER {
                return Err(BackupError::InTheWay { path: outer });
            }
        }
        // What a restore that was broken off had made is verified by nobody.
        match std::fs::remove_dir_all(&inner) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(BackupError::file(&inner)(error)),
            Ok(()) | Err(_) => {}
        }
        make_folder(&inner)?;
        Ok(Self { outer, inner, _lock: lock })
    }

    /// Gives the data directory its name, once all of it is durable.
    pub(super) fn finish(self, dir: &Path) -> Result<(), BackupError> {
        for folder in [&self.inner, &self.inner.join("plugins"), &self.inner.join("projections")] {
            if folder.is_dir() {
                sync_folder(folder)?;
            }
        }
        std::fs::rename(&self.inner, dir).map_err(|source| match source.kind() {
            ErrorKind::DirectoryNotEmpty => BackupError::NotEmpty { path: dir.to_owned() },
            ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => BackupError::MountPoint { path: dir.to_owned() },
            _ => BackupError::file(dir)(source),
        })?;
        sync_folder(parent_of(dir))
    }
}

impl Drop for Work {
    /// What failed takes no room; what is there under its own name is no longer in here.
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.outer) {
            tracing::warn!("{}: {error}", self.outer.display());
        }
    }
}
