//! The host key: the Ed25519 key of a data directory, in its file `host-key`, for its owner only.
//!
//! One line: `polyfold-host-key-v1 SEED PUBLIC`, the secret seed and the public key as 64 hexadecimal digits each. The public
//! key is there so that damage shows.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ed25519_dalek::SigningKey;

use super::document::{hex, unhex};
use crate::engine::Error;
use crate::engine::catalogue::sync_parent;

const FORM: &str = "polyfold-host-key-v1";
/// Whoever has an other file of that name need not have it read into memory.
const BYTES_MAX: u64 = 1024;

/// Where the host key lies. It is read for each use, so that it never stays in memory.
#[derive(Debug)]
pub(in crate::engine) struct KeyFile {
    path: PathBuf,
    /// Two who need the first key must not make two.
    making: Mutex<()>,
}

impl KeyFile {
    pub(in crate::engine) fn new(dir: &Path) -> Self {
        Self { path: dir.join("host-key"), making: Mutex::default() }
    }

    /// Reads the key, or makes it on first use.
    pub(super) fn key(&self) -> Result<SigningKey, Error> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match File::open(&self.path) {
            Ok(file) => self.read(file),
            Err(error) if error.kind() == ErrorKind::NotFound => self.make(),
            Err(source) => Err(Error::File { path: self.path.clone(), source }),
        }
    }

    fn read(&self, file: File) -> Result<SigningKey, Error> {
        let mode = file.metadata().map_err(Error::file(&self.path))?.mode();
        if mode & 0o077 != 0 {
            let others = format!("others than its owner can reach it (mode {:03o})", mode & 0o777);
            return Err(self.problem(&others, "if nobody has read it, `chmod 600` it"));
        }
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(Error::file(&self.path))?;
        parse(&bytes).ok_or_else(|| self.problem("it is damaged, or no host key", "restore it from a copy"))
    }

    fn problem(&self, problem: &str, way_out: &str) -> Error {
        let problem =
            format!("{problem}; {way_out}, or move it away: then a new key is made, which others have to learn");
        Error::HostKey { path: self.path.clone(), problem }
    }

    fn make(&self) -> Result<SigningKey, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::File {
            path: self.path.clone(),
            source: std::io::Error::other(format!("the system gives no random numbers: {error}")),
        })?;
        let key = SigningKey::from_bytes(&seed);
        let public = hex(key.verifying_key().as_bytes());
        let line = format!("{FORM} {} {public}\n", hex(&seed));
        write(&self.path, line.as_bytes()).map_err(Error::file(&self.path))?;
        tracing::info!(key = public, "a host key was made");
        Ok(key)
    }
}

fn parse(bytes: &[u8]) -> Option<SigningKey> {
    let line = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let (seed, public) = line.strip_prefix(FORM)?.strip_prefix(' ')?.split_once(' ')?;
    let key = SigningKey::from_bytes(&unhex(seed)?);
    (hex(key.verifying_key().as_bytes()) == public).then_some(key)
}

/// Whole and for its owner only from the first moment, or not at all.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_parent(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::new(dir.path());
        let first = file.key().unwrap();
        assert_eq!(file.key().unwrap(), first);
        assert_eq!(KeyFile::new(dir.path()).key().unwrap(), first);
        assert_eq!(std::fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        assert!(!format!("{file:?}").contains(&hex(first.as_bytes())));
    }

    #[test]
    fn a_key_that_is_damaged_or_open_to_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::new(dir.path());
        let seed = file.key().unwrap().to_bytes();
        let whole = std::fs::read(&file.path).unwrap();
        let refused = |expected: &str| {
            let error = file.key().unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("host-key: "), "{error}");
            assert!(!error.contains(&hex(&seed)[..16]), "{error}");
        };
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&file.path, damaged).unwrap();
            refused("it is damaged, or no host key; restore it from a copy, or move it away");
        }
        for part in [0, 10, whole.len() - 1] {
            std::fs::write(&file.path, &whole[..part]).unwrap();
            refused("it is damaged");
        }
        std::fs::write(&file.path, &whole).unwrap();
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o640)).unwrap();
        refused("others than its owner can reach it (mode 640); if nobody has read it, `chmod 600` it");
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(file.key().unwrap().to_bytes(), seed);
    }
}
