//! The folder of shards: reading, adding to and rewriting its files, so that a crash leaves the old keys or the new ones.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::shard::{self, Place, Shard, Standing};
use crate::engine::catalogue::sync_parent;
use crate::engine::{Error, make_private};
use crate::log::LogId;

/// What a rewritten shard's file is called until it has its place, and the one before until it is wiped.
const NEW: &str = "new";
const OLD: &str = "old";
/// What is overwritten at once.
const PIECE_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    log: LogId,
}

impl Folder {
    pub(super) fn new(dir: PathBuf, log: LogId) -> Self {
        Self { dir, log }
    }

    pub(super) fn log(&self) -> LogId {
        self.log
    }

    /// Finishes what a crash broke off: files that a rewrite left behind are wiped.
    pub(super) fn finish(&self) -> Result<(), Error> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(Error::File { path: self.dir.clone(), source }),
        };
        for entry in entries {
            let path = entry.map_err(Error::file(&self.dir))?.path();
            let is_left = path.extension().is_some_and(|extension| extension == NEW || extension == OLD);
            if is_left {
                wipe(&path).map_err(Error::file(&path))?;
            }
        }
        Ok(())
    }

    pub(super) fn read(&self, number: u8) -> Result<Shard, Error> {
        let path = self.path(number);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Shard::default()),
            Err(source) => return Err(Error::File { path, source }),
        };
        let mode = file.metadata().map_err(Error::file(&path))?.mode();
        let problem = |problem: String| Error::Keys { path: path.clone(), problem };
        if mode & 0o077 != 0 {
            let others = format!("others than its owner can reach it (mode {:03o})", mode & 0o777);
            return Err(problem(format!("{others}; if nobody has read it, `chmod 600` it")));
        }
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes).map_err(Error::file(&path))?;
        Shard::parse(self.place(number), &bytes).map_err(|why| {
            problem(format!(
                "{why}; restore the file from a copy, or move it away and `polyfold keys import` what was exported: \
                 until then what its keys encrypted cannot be read"
            ))
        })
    }

    /// Adds records to a shard's file, durable on return.
    pub(super) fn append(&self, number: u8, shard: &mut Shard, new: &[(String, Standing)]) -> Result<(), Error> {
        let path = self.path(number);
        if shard.bytes == 0 {
            self.make(&path, number).map_err(Error::file(&path))?;
            shard.bytes = shard::HEADER_BYTES as u64;
        }
        let records = new.iter().map(|(stream, standing)| (stream.as_str(), standing));
        let frame = shard::encode_frame(self.place(number), shard.bytes, records);
        let write = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            // What a crash left of a frame that nobody needs.
            file.set_len(shard.bytes)?;
            file.seek(SeekFrom::Start(shard.bytes))?;
            file.write_all(&frame)?;
            file.sync_data()
        };
        write().map_err(Error::file(&path))?;
        shard.bytes += frame.len() as u64;
        Ok(())
    }

    /// Writes a shard's file anew and wipes the one before.
    pub(super) fn rewrite(&self, number: u8, shard: &mut Shard) -> Result<(), Error> {
        let path = self.path(number);
        make_private(&self.dir)?;
        let bytes = shard.encode(self.place(number));
        let (new, old) = (path.with_extension(NEW), path.with_extension(OLD));
        let exchange = || {
            create(&new, &bytes)?;
            match std::fs::hard_link(&path, &old) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            std::fs::rename(&new, &path)?;
            sync_parent(&path)?;
            wipe(&old)
        };
        exchange().map_err(Error::file(&path))?;
        shard.bytes = bytes.len() as u64;
        Ok(())
    }

    fn make(&self, path: &Path, number: u8) -> std::io::Result<()> {
        make_private(&self.dir).map_err(std::io::Error::other)?;
        let new = path.with_extension(NEW);
        create(&new, &shard::header(self.place(number)))?;
        std::fs::rename(&new, path)?;
        sync_parent(path)?;
        sync_parent(&self.dir)
    }

    fn path(&self, number: u8) -> PathBuf {
        self.dir.join(format!("{number:02x}"))
    }

    fn place(&self, number: u8) -> Place {
        Place { log: self.log, number }
    }
}

/// Lets a file have this content, whole or not at all.
pub(in crate::engine) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension(NEW);
    create(&new, bytes)?;
    std::fs::rename(&new, path)?;
    sync_parent(path)
}

/// A new file for its owner only, durable but for its name.
pub(super) fn create(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Overwrites a file's bytes and removes it. One that is another name of a shard in use only loses that name.
fn wipe(path: &Path) -> std::io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if metadata.nlink() == 1 {
        let zeros = [0; PIECE_BYTES];
        let mut left = metadata.len();
        while left > 0 {
            let piece = left.min(PIECE_BYTES as u64);
            file.write_all(&zeros[..piece as usize])?;
            left -= piece;
        }
        file.sync_all()?;
    }
    std::fs::remove_file(path)?;
    sync_parent(path)
}
