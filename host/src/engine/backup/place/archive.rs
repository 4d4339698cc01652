//! An archive: one file with all of a backup's, each behind a header of tar.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::{BackupError, tar};

#[derive(Debug)]
pub(super) struct Archive {
    pub(super) file: Arc<File>,
    /// Where it lies: beside its place while it is written.
    pub(super) path: PathBuf,
    /// Where each file's content begins, and its bytes.
    pub(super) files: BTreeMap<String, (u64, u64)>,
    /// Where the next header goes.
    pub(super) end: u64,
}

impl Archive {
    pub(super) fn of(file: File, path: &Path) -> Self {
        Self { file: Arc::new(file), path: path.to_owned(), files: BTreeMap::new(), end: 0 }
    }

    /// Finds the files of it; also says whether all that should be zero is.
    pub(super) fn scanned(mut self) -> io::Result<(Self, bool)> {
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
    pub(super) fn truncate(&mut self) -> Result<(), BackupError> {
        self.file.set_len(self.end).map_err(BackupError::file(&self.path))
    }
}
