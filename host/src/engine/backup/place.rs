//! Where a backup's files lie: a directory, or an archive that is one file.
//!
//! Both hold the same files under the same names. A file is written where nothing looks for it, made durable, and only then
//! gets its name; so whatever has a name is whole.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::BackupError;
use super::manifest::{FOLDERS, GENERATIONS, MARK};
use super::tar;
use crate::event::Digest;

/// What goes to the disk at once.
const BUFFER_BYTES: usize = 1 << 20;
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

#[derive(Debug)]
struct Archive {
    file: Arc<File>,
    /// Where it lies: beside its place while it is written.
    path: PathBuf,
    /// Where each file's content begins, and its bytes.
    files: BTreeMap<String, (u64, u64)>,
    /// Where the next header goes.
    end: u64,
}

/// What a backup that does not exist yet shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A directory to which each run adds what is new.
    Directory,
    /// One file with all of it.
    File,
}

/// Who else may have the backup meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Alone,
    WithReaders,
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
        let archive = Archive { file: Arc::new(file), path: part, files: BTreeMap::new(), end: 0 };
        let (mut archive, is_ours) = archive.scanned().map_err(BackupError::file(path))?;
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
        let file = Arc::new(File::open(path).map_err(BackupError::file(path))?);
        let length = file.metadata().map_err(BackupError::file(path))?.len();
        let archive = Archive { file, path: path.to_owned(), files: BTreeMap::new(), end: 0 };
        let (archive, is_padded) = archive.scanned().map_err(BackupError::file(path))?;
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
        let is_own_file = self.is_directory();
        let (hasher, buffer) = (blake3::Hasher::new(), Vec::with_capacity(BUFFER_BYTES));
        Ok(Unfinished { file, path, start, bytes: 0, hasher, buffer, is_own_file, is_whole: false })
    }

    /// Makes a file durable and names it by its digest.
    pub(super) fn finish(&mut self, mut unfinished: Unfinished, folder: &str) -> Result<(Digest, u64), BackupError> {
        unfinished.flush()?;
        let digest = Digest(*unfinished.hasher.finalize().as_bytes());
        let bytes = unfinished.bytes;
        self.name(unfinished, &format!("{folder}/{digest}"))?;
        Ok((digest, bytes))
    }

    /// Writes a small file under a name, in place of another that had it in a directory.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let mut unfinished = self.begin()?;
        unfinished.write(bytes)?;
        unfinished.flush()?;
        self.name(unfinished, name)
    }

    fn name(&mut self, mut unfinished: Unfinished, name: &str) -> Result<(), BackupError> {
        let bytes = unfinished.bytes;
        match &mut self.form {
            Form::Directory { .. } => {
                let path = self.path.join(name);
                unfinished.file.sync_all().map_err(BackupError::file(&path))?;
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
                archive.file.sync_data().map_err(failed())?;
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

impl Archive {
    /// Finds the files of it; also says whether all that should be zero is.
    fn scanned(mut self) -> io::Result<(Self, bool)> {
        let length = self.file.metadata()?.len();
        let mut header = [0; tar::BLOCK];
        while self.end + tar::BLOCK as u64 <= length {
            self.file.read_exact_at(&mut header, self.end)?;
            let Some((name, bytes)) = tar::parse(&header) else { break };
            let start = self.end + tar::BLOCK as u64;
            let padding = tar::padding(bytes);
            let Some(end) = start.checked_add(bytes).and_then(|end| end.checked_add(padding)) else { break };
            if end > length || !self.is_zero(start + bytes, padding as usize)? {
                break;
            }
            self.files.insert(name, (start, bytes));
            self.end = end;
        }
        let rest = length.saturating_sub(self.end).min(tar::END.len() as u64);
        let is_padded = self.is_zero(self.end, rest as usize)?;
        Ok((self, is_padded))
    }

    fn is_zero(&self, at: u64, bytes: usize) -> io::Result<bool> {
        let mut found = vec![0; bytes];
        self.file.read_exact_at(&mut found, at)?;
        Ok(found.iter().all(|byte| *byte == 0))
    }

    /// Drops what stands behind the last whole file.
    fn truncate(&mut self) -> Result<(), BackupError> {
        self.file.set_len(self.end).map_err(BackupError::file(&self.path))
    }
}

/// A file that is being written. Dropped, it leaves nothing.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: Arc<File>,
    path: PathBuf,
    start: u64,
    /// Those on their way to the disk; `buffer` has more.
    bytes: u64,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    is_own_file: bool,
    is_whole: bool,
}

impl Unfinished {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// All that was written so far.
    pub(super) fn len(&self) -> u64 {
        self.bytes + self.buffer.len() as u64
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        self.hasher.update(&self.buffer);
        let written = self.file.write_all_at(&self.buffer, self.start + self.bytes);
        written.map_err(BackupError::file(&self.path))?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for Unfinished {
    /// A full disk gets its room back. That it cannot be removed is no news: the next run tries again.
    fn drop(&mut self) {
        if self.is_own_file && !self.is_whole {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// A file's content.
#[derive(Debug)]
pub(super) struct Content {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Content {
    pub(super) fn bytes_left(&self) -> u64 {
        self.end - self.at
    }
}

impl Read for Content {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = (out.len() as u64).min(self.bytes_left()) as usize;
        let read = self.file.read_at(&mut out[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn lock_of(dir: &Path, hold: Hold) -> Result<Option<File>, BackupError> {
    let file = File::open(dir).map_err(BackupError::file(dir))?;
    lock(&file, dir, hold)?;
    Ok(Some(file))
}

fn lock(file: &File, path: &Path, hold: Hold) -> Result<(), BackupError> {
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
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(BackupError::file(path))?;
    sync_folder(parent_of(path))
}

pub(super) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new name is durable only once its folder is.
pub(super) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(BackupError::file(path))
}

fn remove_if_there(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BackupError::file(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
