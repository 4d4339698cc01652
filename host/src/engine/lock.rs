//! One process at a time owns a data directory. The lock is the operating system's, so it goes with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Error;

/// Between two tries: short for a person, long for a processor.
const RETRY: Duration = Duration::from_millis(20);

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    dir: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock of `dir`, waiting for another process at most `wait`. Whoever waits for this one is told `holder`.
    pub(super) fn acquire(dir: &Path, wait: Duration, holder: &str) -> Result<Self, Error> {
        let path = dir.join("lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(Error::file(&path))?;
        let give_up = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => std::thread::park_timeout(RETRY),
                Err(TryLockError::WouldBlock) => {
                    let mut process = String::new();
                    file.read_to_string(&mut process).map_err(Error::file(&path))?;
                    return Err(Error::InUse { dir: dir.to_owned(), process: process.trim().to_owned() });
                }
                Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
            }
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            let id = std::process::id();
            if holder.is_empty() { writeln!(file, "{id}") } else { writeln!(file, "{id} ({holder})") }
        };
        // The number is for people; on a full disk the lock holds without it.
        if let Err(error) = write(&mut file) {
            tracing::warn!("{}: {error}", path.display());
        }
        Ok(Self { dir: dir.to_owned(), _file: file })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_ask_is_told_who_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let held = Lock::acquire(dir.path(), Duration::ZERO, "polyfold serve").unwrap();
        let error = Lock::acquire(dir.path(), Duration::from_millis(30), "").unwrap_err();
        let told = format!("in use by process {} (polyfold serve)", std::process::id());
        assert!(error.to_string().contains(&told), "{error}");
        drop(held);
        Lock::acquire(dir.path(), Duration::ZERO, "").unwrap();
    }
}
