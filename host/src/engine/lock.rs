//! One process at a time owns a data directory. The lock is the operating system's, so it goes with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Error;

/// Between two tries: short for a person, long for a processor.
const RETRY: Duration = Duration::from_millis(20);

/// How long the holder may take to write its name, once it has the lock.
const NAMED_AFTER: Duration = Duration::from_millis(500);

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    dir: PathBuf,
    _file: Option<File>,
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
                    let process = holder_of(&mut file).map_err(Error::file(&path))?;
                    return Err(Error::InUse { dir: dir.to_owned(), process });
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
        Ok(Self { dir: dir.to_owned(), _file: Some(file) })
    }

    /// Keeps those who write away from a directory that is only read, together with others who read it; what is written goes
    /// to `beside`. A directory that nobody has opened yet has no lock to take.
    pub(super) fn share(dir: &Path, beside: &Path) -> Result<Self, Error> {
        let path = dir.join("lock");
        let mut file = File::open(&path).ok();
        match file.as_ref().map_or(Ok(()), File::try_lock_shared) {
            Ok(()) => Ok(Self { dir: beside.to_owned(), _file: file }),
            Err(TryLockError::WouldBlock) => {
                let process = file.as_mut().map_or_else(|| Ok(String::new()), holder_of);
                Err(Error::InUse { dir: dir.to_owned(), process: process.map_err(Error::file(&path))? })
            }
            Err(TryLockError::Error(source)) => Err(Error::File { path, source }),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What the file says of its holder. For a moment it may say nothing yet, or name the one before, which is dead.
fn holder_of(file: &mut File) -> std::io::Result<String> {
    let give_up = Instant::now() + NAMED_AFTER;
    loop {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        if is_alive(&text) || Instant::now() >= give_up {
            return Ok(text.trim().to_owned());
        }
        std::thread::park_timeout(RETRY);
    }
}

/// Whether there is a process of that number, as far as this system tells.
fn is_alive(holder: &str) -> bool {
    let Some(Ok(number)) = holder.split_whitespace().next().map(str::parse::<u32>) else { return false };
    let processes = Path::new("/proc");
    !processes.is_dir() || processes.join(number.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_named_when_it_has_written_its_name_over_that_of_a_dead_one() {
        let dir = tempfile::tempdir().unwrap();
        let held = Lock::acquire(dir.path(), Duration::ZERO, "").unwrap();
        let path = dir.path().join("lock");
        // No process has so high a number.
        std::fs::write(&path, "4294967295 (polyfold serve)\n").unwrap();
        let told = std::thread::scope(|scope| {
            let asking = scope.spawn(|| Lock::acquire(dir.path(), Duration::ZERO, "").unwrap_err().to_string());
            std::fs::write(&path, format!("{}\n", std::process::id())).unwrap();
            asking.join().unwrap()
        });
        assert!(told.contains(&format!("by process {};", std::process::id())), "{told}");
        drop(held);
    }

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
