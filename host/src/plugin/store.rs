//! The plugin files that were installed, each under the digest of its bytes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::event::Digest;

/// A directory of plugin files, `<digest>.wasm`. What is in it never changes.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// What goes wrong with the files of this floor: plugins and compiled code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("there is no plugin with the digest {digest}: install it again")]
    Missing { digest: Digest },
    #[error(
        "{} holds other bytes than its name says (their digest is {found}): \
         delete that file and install the plugin again",
        path.display()
    )]
    Damaged { path: PathBuf, found: Digest },
    #[error("the plugin has {bytes} bytes, at most {max} are allowed")]
    TooLarge { bytes: usize, max: usize },
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
}

impl Store {
    /// 64 MiB: a component with the whole of Python in it has some 20 MiB.
    pub const PLUGIN_BYTES_MAX: usize = 64 << 20;

    /// Opens the directory, which is made if it is missing.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The same to read from alone: the directory stays as it is, and need not be there.
    pub fn reading(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Stores a plugin's bytes and returns their digest. They are on the disk when this returns.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, Error> {
        Self::check_size(bytes)?;
        let digest = Digest::of(bytes);
        // A damaged file of that name is replaced, a sound one is left alone.
        if self.read(digest).is_err() {
            write_whole(&self.path(digest), bytes)?;
        }
        Ok(digest)
    }

    /// Refuses what is larger than a plugin may be.
    pub fn check_size(bytes: &[u8]) -> Result<(), Error> {
        match bytes.len() {
            bytes if bytes > Self::PLUGIN_BYTES_MAX => Err(Error::TooLarge { bytes, max: Self::PLUGIN_BYTES_MAX }),
            _ => Ok(()),
        }
    }

    /// Reads a plugin's bytes and verifies their digest.
    pub fn read(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::Missing { digest }),
            Err(source) => return Err(Error::Io { what: "read", path, source }),
        };
        match Digest::of(&bytes) {
            found if found == digest => Ok(bytes),
            found => Err(Error::Damaged { path, found }),
        }
    }

    /// Removes a plugin; nothing happens if there is none.
    pub fn remove(&self, digest: Digest) -> Result<(), Error> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether a file of that name is there; only reading tells whether it is sound.
    pub fn contains(&self, digest: Digest) -> bool {
        self.path(digest).is_file()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.wasm"))
    }
}

pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { what, path, source }
}

/// Writes a file so that its name stands for all of its bytes or for none: temporary file, fsync, rename.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // The name is unique in this process by its counter and on this machine by the process's id.
    static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{count}.tmp", std::process::id()));
    let written = write_private(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // It may not even exist; what matters is the first error.
        let _ = fs::remove_file(&temporary);
        return Err(io_error("write", path)(error));
    }
    #[cfg(unix)]
    if let Some(dir) = path.parent() {
        // Without it the rename itself may be lost in a crash.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("write", dir))?;
    }
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("plugins")).unwrap();
        (dir, store)
    }

    #[test]
    fn what_was_put_is_read_until_it_is_removed() {
        let (_dir, store) = open();
        let digest = store.put(b"some plugin").unwrap();
        assert_eq!(digest, Digest::of(b"some plugin"));
        assert_eq!(store.put(b"some plugin").unwrap(), digest);
        assert_eq!(store.read(digest).unwrap(), b"some plugin");
        assert!(store.contains(digest));
        assert_eq!(fs::read_dir(&store.dir).unwrap().count(), 1, "no temporary file is left");
        store.remove(digest).unwrap();
        store.remove(digest).unwrap();
        assert!(matches!(store.read(digest), Err(Error::Missing { .. })));
    }

    #[test]
    fn a_damaged_file_is_named_and_replaced_by_the_next_put() {
        let (_dir, store) = open();
        let digest = store.put(b"some plugin").unwrap();
        fs::write(store.path(digest), b"other bytes").unwrap();
        let error = store.read(digest).unwrap_err().to_string();
        assert!(error.contains(&format!("{digest}.wasm")) && error.contains("install the plugin again"), "{error}");
        store.put(b"some plugin").unwrap();
        assert_eq!(store.read(digest).unwrap(), b"some plugin");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let (_dir, store) = open();
        let error = store.put(&vec![0; Store::PLUGIN_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "the plugin has 67108865 bytes, at most 67108864 are allowed");
    }
}
