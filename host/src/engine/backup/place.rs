//! Where a backup's files lie: a directory, or an archive that is one file.
//!
//! Both hold the same files under the same names. A file is written where nothing looks for it, made durable, and only then
//! gets its name; so whatever has a name is whole.

mod archive;
mod disk;
mod syncing;
mod unfinished;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::Archive;
use disk::{Hold, lock, lock_of, remove_if_there};
pub(super) use disk::{make_folder, parent_of, sync_folder};
pub(super) use syncing::Syncing;
pub(super) use unfinished::{Content, Unfinished};

use super::BackupError;
use super::manifest::{FOLDERS, GENERATIONS, MARK};
use super::tar;
use crate::event::Digest;

/// Where a file lies in a directory until it is whole. One is written at a time.
const UNFINISHED: &str = "unfinished.part";
/// What the root of a file system may hold beside a backup.
const LOST_AND_FOUND: &str = "lost+found";

/// A backup's files, held against other processes as long as it lives.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The lock is that of the directory itself.
    Directory {
        _lock: Option<File>,
    },
    Archive(Archive),
}

/// What a backup that does not exist yet shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A directory to which each run adds what is new.
    Directory,
    /// One file with all of it.
    File,
}

impl Place {
    /// Opens a backup to add to it, or begins one.
    pub(super) fn to_write(path: &Path, shape: Shape) -> Result<Self, BackupError> {
        match shape {
            Shape::Directory => Self::directory_to_write(path),
            Shape::File => Self::archive_to_write(path),
        }
    }

    fn directory_to_write(path: &Path) -> Result<Self, BackupError> {
        if path.is_file() {
            return Err(BackupError::Exists { path: path.to_owned() });
        }
        make_folder(path)?;
        let lock = lock_of(path, Hold::Alone)?;
        let place = Self { path: path.to_owned(), form: Form::Directory { _lock: lock } };
        if !path.join(MARK).exists() {
            let files = std::fs::read_dir(path).map_err(BackupError::file(path))?;
            for file in files {
                let name = file.map_err(BackupError::file(path))?.file_name();
                if name != UNFINISHED && name != LOST_AND_FOUND {
                    return Err(BackupError::OtherFiles { path: path.to_owned() });
                }
            }
        }
        remove_if_there(&path.join(UNFINISHED))?;
        Ok(place)
    }

    fn archive_to_write(path: &Path) -> Result<Self, BackupError> {
        if path.exists() {
            return Err(BackupError::Exists { path: path.to_owned() });
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&part);
        let file = opened.map_err(BackupError::file(&part))?;
        lock(&file, path, Hold::Alone)?;
        // Of a run that was broken off, what is whole stays.
        let (mut archive, is_ours) = Archive::of(file, &part).scanned().map_err(BackupError::file(path))?;
        if archive.files.is_empty() && !is_ours {
            return Err(BackupError::Exists { path: archive.path });
        }
        archive.truncate()?;
        Ok(Self { path: path.to_owned(), form: Form::Archive(archive) })
    }

    /// Opens a backup that is only read.
    pub(super) fn to_read(path: &Path) -> Result<Self, BackupError> {
        let metadata = std::fs::metadata(path).map_err(BackupError::file(path))?;
        if metadata.is_dir() {
            if !path.join(MARK).exists() {
                let why = format!("it has no {MARK}");
                return Err(BackupError::NotABackup { path: path.to_owned(), why });
            }
            let lock = lock_of(path, Hold::WithReaders)?;
            return Ok(Self { path: path.to_owned(), form: Form::Directory { _lock: lock } });
        }
        let file = File::open(path).map_err(BackupError::file(path))?;
        let length = file.metadata().map_err(BackupError::file(path))?.len();
        let (archive, is_padded) = Archive::of(file, path).scanned().map_err(BackupError::file(path))?;
        if archive.files.is_empty() {
            let why = "it is no archive that `polyfold backup` wrote".to_owned();
            return Err(BackupError::NotABackup { path: path.to_owned(), why });
        }
        if !is_padded || length != archive.end + tar::END.len() as u64 {
            let why = format!("what stands at byte {} is not of the archive", archive.end);
            return Err(BackupError::damaged(path.display().to_string(), why));
        }
        Ok(Self { path: path.to_owned(), form: Form::Archive(archive) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.form, Form::Directory { .. })
    }

    /// What an error calls a file.
    pub(super) fn shown(&self, name: &str) -> String {
        match self.form {
            Form::Directory { .. } => self.path.join(name).display().to_string(),
            Form::Archive(_) => format!("{} in {}", name, self.path.display()),
        }
    }

    /// The names in a folder, rising, and the bytes of each file.
    pub(super) fn names(&self, folder: &str) -> Result<BTreeMap<String, u64>, BackupError> {
        match &self.form {
            Form::Directory { .. } => {
                let folder = self.path.join(folder);
                let files = match std::fs::read_dir(&folder) {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
                    files => files.map_err(BackupError::file(&folder))?,
                };
                let mut names = BTreeMap::new();
                for file in files {
                    let file = file.map_err(BackupError::file(&folder))?;
                    let bytes = file.metadata().map_err(BackupError::file(file.path()))?.len();
                    names.extend(file.file_name().into_string().ok().map(|name| (name, bytes)));
                }
                Ok(names)
            }
            Form::Archive(archive) => {
                let inside = |name: &str| name.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
                let files = archive.files.iter();
                Ok(files.filter_map(|(name, (_, bytes))| Some((inside(name)?, *bytes))).collect())
            }
        }
    }

    /// Whether a file is there under its name, and so whole when it was written.
    pub(super) fn has(&self, name: &str) -> bool {
        match &self.form {
            Form::Directory { .. } => self.path.join(name).is_file(),
            Form::Archive(archive) => archive.files.contains_key(name),
        }
    }

    pub(super) fn open(&self, name: &str) -> Result<Content, BackupError> {
        let missing = || BackupError::damaged(self.shown(name), "it is missing");
        match &self.form {
            Form::Directory { .. } => {
                let path = self.path.join(name);
                let file = match File::open(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
                    file => file.map_err(BackupError::file(&path))?,
                };
                let end = file.metadata().map_err(BackupError::file(&path))?.len();
                Ok(Content { file: Arc::new(file), at: 0, end })
            }
            Form::Archive(archive) => {
                let (at, bytes) = *archive.files.get(name).ok_or_else(missing)?;
                Ok(Content { file: Arc::clone(&archive.file), at, end: at + bytes })
            }
        }
    }

    /// Reads a file that is small.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, BackupError> {
        let mut content = self.open(name)?;
        if content.bytes_left() > bytes_max {
            return Err(BackupError::damaged(self.shown(name), "it is larger than any such file"));
        }
        let mut bytes = Vec::with_capacity(content.bytes_left() as usize);
        content.read_to_end(&mut bytes).map_err(BackupError::file(&self.path))?;
        Ok(bytes)
    }

    /// Begins a file that has no name yet.
    pub(super) fn begin(&self) -> Result<Unfinished, BackupError> {
        let (file, path, start) = match &self.form {
            Form::Directory { .. } => {
                let path = self.path.join(UNFINISHED);
                let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
                (Arc::new(opened.map_err(BackupError::file(&path))?), path, 0)
            }
            Form::Archive(archive) => {
                (Arc::clone(&archive.file), archive.path.clone(), archive.end + tar::BLOCK as u64)
            }
        };
        Ok(Unfinished::new(file, path, start, self.is_directory()))
    }

    /// Makes a file durable and names it by its digest.
    pub(super) fn finish(&mut self, mut unfinished: Unfinished, folder: &str) -> Result<(Digest, u64), BackupError> {
        let (digest, bytes) = (unfinished.sync()?, unfinished.bytes);
        self.name(unfinished, &format!("{folder}/{digest}"))?;
        Ok((digest, bytes))
    }

    /// Writes a small file under a name, in place of another that had it in a directory.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let mut unfinished = self.begin()?;
        unfinished.write(bytes)?;
        unfinished.sync()?;
        self.name(unfinished, name)
    }

    /// Gives a name to what is durable.
    fn name(&mut self, mut unfinished: Unfinished, name: &str) -> Result<(), BackupError> {
        let bytes = unfinished.bytes;
        match &mut self.form {
            Form::Directory { .. } => {
                let path = self.path.join(name);
                let folder = path.parent().expect("it lies in the backup");
                make_folder(folder)?;
                std::fs::rename(&unfinished.path, &path).map_err(BackupError::file(&path))?;
                unfinished.is_whole = true;
                sync_folder(folder)
            }
            Form::Archive(archive) => {
                if archive.files.contains_key(name) {
                    return archive.truncate();
                }
                let padding = vec![0; tar::padding(bytes) as usize];
                let failed = || BackupError::file(&archive.path);
                archive.file.write_all_at(&padding, unfinished.start + bytes).map_err(failed())?;
                // Until this is there, the archive ends before it.
                let header = tar::header(name, bytes);
                archive.file.write_all_at(&header, archive.end).map_err(failed())?;
                archive.files.insert(name.to_owned(), (unfinished.start, bytes));
                archive.end = unfinished.start + bytes + padding.len() as u64;
                Ok(())
            }
        }
    }

    /// Ends what is written: an archive gets its end and its place.
    pub(super) fn close(self) -> Result<(), BackupError> {
        let Form::Archive(archive) = self.form else { return Ok(()) };
        let failed = || BackupError::file(&archive.path);
        archive.file.write_all_at(&tar::END, archive.end).map_err(failed())?;
        archive.file.sync_all().map_err(failed())?;
        std::fs::rename(&archive.path, &self.path).map_err(BackupError::file(&self.path))?;
        sync_folder(parent_of(&self.path))
    }

    /// Removes a file of a directory; nothing happens if it is not there.
    pub(super) fn remove(&self, name: &str) -> Result<(), BackupError> {
        match self.form {
            Form::Directory { .. } => remove_if_there(&self.path.join(name)),
            Form::Archive(_) => Ok(()),
        }
    }

    /// Makes removals durable.
    pub(super) fn sync_folders(&self) -> Result<(), BackupError> {
        if !self.is_directory() {
            return Ok(());
        }
        let folders = FOLDERS.iter().chain([&GENERATIONS]).map(|folder| self.path.join(folder));
        folders.filter(|folder| folder.is_dir()).try_for_each(|folder| sync_folder(&folder))
    }
}
