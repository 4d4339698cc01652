//! Room on the disk: an append is refused while there is too little, before anything is written.

use std::path::Path;

use super::Error;

/// What a commit may write beside the events themselves, at most: a merge of the log's index writes a million entries
/// twice, some 50 MB, and the states of projections get the rest.
const RESERVE_BYTES_MAX: u64 = 64 << 20;

/// What a commit may write beside the events themselves, at least: pages of trees, and the file's bookkeeping.
const RESERVE_BYTES_MIN: u64 = 1 << 20;

/// Events are written as they are, and again when their block is full.
const WRITTEN_TIMES: u64 = 2;

/// How much room there was, and how much of it is spoken for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    free_bytes: u64,
    needed_bytes: u64,
}

impl Space {
    /// Looks at the disk that has the file. A log without a file, or a disk that does not say, has all the room there is.
    pub(super) fn beside(file: Option<&Path>) -> Self {
        let found = file.and_then(|file| Some((free_bytes(file)?, std::fs::metadata(file).ok()?.len())));
        let Some((free_bytes, file_bytes)) = found else { return Self { free_bytes: u64::MAX, needed_bytes: 0 } };
        // An index cannot be larger than the log that it is part of.
        let needed_bytes = file_bytes.clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX);
        Self { free_bytes, needed_bytes }
    }

    /// Speaks for the room that an append takes.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Error> {
        let needed_bytes = self.needed_bytes + bytes * WRITTEN_TIMES;
        if needed_bytes > self.free_bytes {
            return Err(Error::DiskFull { free_bytes: self.free_bytes, needed_bytes });
        }
        self.needed_bytes = needed_bytes;
        Ok(())
    }

    /// What is said when the disk turned out to be full all the same: it is asked again, for others fill it, too.
    pub(super) fn found_full(self, file: Option<&Path>) -> (u64, u64) {
        (file.and_then(free_bytes).unwrap_or(0), self.needed_bytes)
    }
}

/// How much room the disk has that holds this file; none if it does not say.
pub(super) fn free_bytes(file: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(file).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_takes_room_until_none_is_left() {
        let mut space = Space { free_bytes: 1_000, needed_bytes: 100 };
        space.take(200).unwrap();
        space.take(200).unwrap();
        let refused = space.take(200).unwrap_err();
        assert!(matches!(refused, Error::DiskFull { free_bytes: 1_000, needed_bytes: 1_300 }));
        space.take(50).unwrap();
        assert!(Space::beside(None).take(u64::MAX / 4).is_ok());
        let file = tempfile::NamedTempFile::new().unwrap();
        let found = Space::beside(Some(file.path()));
        assert!(found.free_bytes > 0 && found.needed_bytes == RESERVE_BYTES_MIN);
    }
}
