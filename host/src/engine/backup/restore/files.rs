//! Small files on their way back: each is held to the digest that is its name.

use std::fs::OpenOptions;
use std::io::{Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::engine::backup::BackupError;
use crate::engine::backup::manifest::{FILES, Generation};
use crate::engine::backup::place::{Place, make_folder, parent_of, sync_folder};
use crate::engine::catalogue::Returning;
use crate::event::Digest;
use crate::log::{Archives, Head};

pub(super) const CATALOGUE: &str = "catalogue.json";
/// Small files are read whole.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The catalogue, as it is after a restore.
pub(super) fn returning(place: &Place, digest: &str, text: &[u8]) -> Result<Returning, BackupError> {
    Returning::of(text).map_err(|why| BackupError::damaged(place.shown(&format!("{FILES}/{digest}")), why))
}

pub(super) fn whole(place: &Place, digest: &str) -> Result<Vec<u8>, BackupError> {
    let name = format!("{FILES}/{digest}");
    let bytes = place.read(&name, FILE_BYTES_MAX)?;
    check(place, &name, digest, Digest::of(&bytes))?;
    Ok(bytes)
}

fn check(place: &Place, name: &str, digest: &str, found: Digest) -> Result<(), BackupError> {
    match found.to_string() == digest {
        true => Ok(()),
        false => Err(BackupError::damaged(place.shown(name), format!("its digest is {found}"))),
    }
}

/// Copies a file whose digest must be its name.
pub(super) fn copy(place: &Place, folder: &str, digest: &str, path: &Path) -> Result<(), BackupError> {
    let name = format!("{folder}/{digest}");
    let mut bytes = Vec::new();
    place.open(&name)?.read_to_end(&mut bytes).map_err(BackupError::file(place.path()))?;
    check(place, &name, digest, Digest::of(&bytes))?;
    write(path, &bytes)
}

/// Restores the files of the archive, as far as they are of the log that was restored: up to its head.
pub(super) fn archives(place: &Place, generation: &Generation, dir: &Path, head: Head) -> Result<(), BackupError> {
    if generation.archives.is_empty() {
        return Ok(());
    }
    let folder = dir.join("archive");
    make_folder(&folder)?;
    for archive in &generation.archives {
        let (name, path) = (format!("{FILES}/{}", archive.digest), folder.join(&archive.name));
        let mut content = Digested { content: place.open(&name)?, hasher: blake3::Hasher::new() };
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = opened.map_err(BackupError::file(&path))?;
        let copied = std::io::copy(&mut content, &mut file).and_then(|_| file.sync_all());
        copied.map_err(BackupError::file(&path))?;
        check(place, &name, &archive.digest, Digest(*content.hasher.finalize().as_bytes()))?;
    }
    let id = generation.log.log_id().expect("it was checked when it was read");
    Archives::open(&folder, id)?.cut_behind(head.sequence)?;
    sync_folder(&folder)
}

/// Writes a file for its owner only; durable on return but for its name.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    make_folder(parent_of(path))?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(BackupError::file(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(BackupError::file(path))
}

/// What is read through it goes into a digest.
pub(super) struct Digested<R> {
    pub(super) content: R,
    pub(super) hasher: blake3::Hasher,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.content.read(out)?;
        self.hasher.update(&out[..read]);
        Ok(read)
    }
}
