//! Folders, names and locks: what makes them durable, and who has them.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::super::BackupError;

/// Who else may have the backup meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Alone,
    WithReaders,
}

pub(super) fn lock_of(dir: &Path, hold: Hold) -> Result<Option<File>, BackupError> {
    let file = File::open(dir).map_err(BackupError::file(dir))?;
    lock(&file, dir, hold)?;
    Ok(Some(file))
}

pub(super) fn lock(file: &File, path: &Path, hold: Hold) -> Result<(), BackupError> {
    let locked = match hold {
        Hold::Alone => file.try_lock(),
        Hold::WithReaders => file.try_lock_shared(),
    };
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(BackupError::InUse { path: path.to_owned() }),
        // Some network file systems lock no directories: then nobody is kept apart.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(source)) => Err(BackupError::File { path: path.to_owned(), source }),
    }
}

/// Makes a folder for its owner only, and those above it.
pub(in crate::engine::backup) fn make_folder(path: &Path) -> Result<(), BackupError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(BackupError::file(path))?;
    sync_folder(parent_of(path))
}

pub(in crate::engine::backup) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new name is durable only once its folder is.
pub(in crate::engine::backup) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(BackupError::file(path))
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BackupError::file(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
