//! A log's file that is only read: what the storage writes when it opens and closes a file stays in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{File, TryLockError};
use std::io::{Error, Result};
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// Small against the file, so that a byte that is written takes little memory.
const PAGE_BYTES: usize = 4096;

type Page = [u8; PAGE_BYTES];

/// The file's bytes, and over them those that were written.
#[derive(Debug)]
pub(super) struct Frozen {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    length: u64,
    /// How much of the file still counts: the rest was cut off, and is zeros where the storage grew again.
    of_file: u64,
    pages: BTreeMap<u64, Box<Page>>,
}

impl Frozen {
    /// Takes the file for as long as this lives, together with others who only read it; false if somebody writes it.
    pub(super) fn of(file: File) -> Result<Option<Self>> {
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let length = file.metadata()?.len();
        let written = Written { length, of_file: length, pages: BTreeMap::new() };
        Ok(Some(Self { file, written: Mutex::new(written) }))
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the file has, and zeros behind it.
    fn read_file(&self, of_file: u64, offset: u64, out: &mut [u8]) -> Result<()> {
        let there = usize::try_from(of_file.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (there, behind) = out.split_at_mut(there);
        behind.fill(0);
        self.file.read_exact_at(there, offset)
    }
}

impl StorageBackend for Frozen {
    fn len(&self) -> Result<u64> {
        Ok(self.written().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let written = self.written();
        let end = offset + out.len() as u64;
        if end > written.length {
            return Err(Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        self.read_file(written.of_file, offset, out)?;
        let pages = offset / PAGE_BYTES as u64..end.div_ceil(PAGE_BYTES as u64);
        for (number, page) in written.pages.range(pages) {
            let begin = number * PAGE_BYTES as u64;
            let (from, to) = (begin.max(offset), (begin + PAGE_BYTES as u64).min(end));
            out[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&page[(from - begin) as usize..(to - begin) as usize]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        let mut written = self.written();
        if length < written.length {
            written.pages.split_off(&length.div_ceil(PAGE_BYTES as u64));
            let begin = length / PAGE_BYTES as u64;
            if let Some(page) = written.pages.get_mut(&begin) {
                page[(length % PAGE_BYTES as u64) as usize..].fill(0);
            }
        }
        written.of_file = written.of_file.min(length);
        written.length = length;
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut written = self.written();
        let of_file = written.of_file;
        let mut at = offset;
        let mut data = data;
        while !data.is_empty() {
            let (number, within) = (at / PAGE_BYTES as u64, (at % PAGE_BYTES as u64) as usize);
            let (now, rest) = data.split_at(data.len().min(PAGE_BYTES - within));
            let page = match written.pages.entry(number) {
                Entry::Occupied(page) => page.into_mut(),
                Entry::Vacant(place) => {
                    let mut page = Box::new([0; PAGE_BYTES]);
                    self.read_file(of_file, number * PAGE_BYTES as u64, &mut *page)?;
                    place.insert(page)
                }
            };
            page[within..within + now.len()].copy_from_slice(now);
            (at, data) = (at + now.len() as u64, rest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random writes, cuts and reads against a plain list of bytes, over a file that stays as it is.
    #[test]
    fn it_reads_as_it_was_written_and_the_file_stays() {
        use std::io::Write as _;
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut model: Vec<u8> = (0..20_000).map(|_| random.u8(..)).collect();
        let before = model.clone();
        file.write_all(&model).unwrap();
        let frozen = Frozen::of(File::open(file.path()).unwrap()).unwrap().unwrap();
        for _ in 0..2_000 {
            match random.u8(..10) {
                0 => {
                    model.resize(random.usize(..40_000), 0);
                    frozen.set_len(model.len() as u64).unwrap();
                }
                1..5 => {
                    let from = random.usize(..=model.len());
                    let bytes: Vec<u8> =
                        (0..random.usize(..9_000).min(model.len() - from)).map(|_| random.u8(..)).collect();
                    model[from..from + bytes.len()].copy_from_slice(&bytes);
                    frozen.write(from as u64, &bytes).unwrap();
                }
                _ => {
                    let from = random.usize(..=model.len());
                    let mut out = vec![7; random.usize(..9_000).min(model.len() - from)];
                    frozen.read(from as u64, &mut out).unwrap();
                    assert!(out == model[from..from + out.len()], "seed {seed}");
                }
            }
        }
        assert!(frozen.read(model.len() as u64, &mut [0]).is_err());
        assert!(std::fs::read(file.path()).unwrap() == before);
    }
}
