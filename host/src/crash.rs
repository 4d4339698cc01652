//! A storage that loses power or room: it keeps what is live and what is durable apart, is cut at any sync, and knows its
//! holes.

pub(crate) mod faulty;

use std::collections::BTreeSet;
use std::io::{self, Error, ErrorKind};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// What a disk had not synced when it lost power.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unsynced {
    Lost,
    Kept,
    /// Each write, cut into sectors of 512 bytes, is kept or lost by chance.
    Torn(u64),
}

#[derive(Debug, Default)]
struct Disk {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Writes since the last sync, in order.
    unsynced: Vec<Write>,
    syncs: usize,
    cut_at: Option<usize>,
    /// The blocks that were written: the others are holes.
    allocated: BTreeSet<usize>,
    /// How many blocks can still be allocated; as many as wanted when there is none.
    room: Option<usize>,
}

/// The unit in which a disk gives room.
const BLOCK_BYTES: usize = 4096;

#[derive(Debug)]
enum Write {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

/// A disk that two owners share: the log that writes it, and the test that cuts it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrashingDisk(Arc<Mutex<Disk>>);

impl CrashingDisk {
    /// A disk that holds these bytes, durable.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        let allocated = (0..bytes.len().div_ceil(BLOCK_BYTES)).collect();
        let disk = Disk { live: bytes.clone(), durable: bytes, allocated, ..Disk::default() };
        Self(Arc::new(Mutex::new(disk)))
    }

    /// Fails from that sync on, counted from 1 over the disk's life.
    pub(crate) fn cut_at(&self, sync: usize) {
        self.0.lock().unwrap().cut_at = Some(sync);
    }

    /// Leaves room for that many blocks more, or for as many as wanted.
    pub(crate) fn leave_room(&self, blocks: Option<usize>) {
        self.0.lock().unwrap().room = blocks;
    }

    pub(crate) fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }

    /// What is there when the power comes back.
    pub(crate) fn after_power_loss(&self, unsynced: Unsynced) -> Vec<u8> {
        let disk = self.0.lock().unwrap();
        let mut bytes = disk.durable.clone();
        match unsynced {
            Unsynced::Lost => {}
            Unsynced::Kept => disk.unsynced.iter().for_each(|write| write.apply(&mut bytes)),
            Unsynced::Torn(seed) => {
                let mut random = fastrand::Rng::with_seed(seed);
                disk.unsynced.iter().for_each(|write| write.apply_torn(&mut bytes, &mut random));
            }
        }
        bytes
    }
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Bytes(offset, written) => put(bytes, *offset, written),
        }
    }

    fn apply_torn(&self, bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
        match self {
            Self::Length(length) if random.bool() => bytes.resize(*length, 0),
            Self::Length(_) => {}
            Self::Bytes(offset, written) => {
                for (index, sector) in written.chunks(512).enumerate().filter(|_| random.bool()) {
                    put(bytes, offset + index * 512, sector);
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    if bytes.len() < offset + written.len() {
        bytes.resize(offset + written.len(), 0);
    }
    bytes[offset..offset + written.len()].copy_from_slice(written);
}

impl Disk {
    /// Gives room to the blocks of a write that are holes.
    fn allocate(&mut self, offset: usize, bytes: usize) -> io::Result<()> {
        let blocks = offset / BLOCK_BYTES..(offset + bytes).div_ceil(BLOCK_BYTES);
        let holes: Vec<usize> = blocks.filter(|block| !self.allocated.contains(block)).collect();
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(holes.len()).ok_or_else(|| Error::from(ErrorKind::StorageFull))?;
        }
        self.allocated.extend(holes);
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.cut_at.is_some_and(|sync| self.syncs >= sync) { Err(Error::other("the power is gone")) } else { Ok(()) }
    }
}

impl StorageBackend for CrashingDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock().unwrap();
        let found = disk.live.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(found.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.check()?;
        disk.live.resize(length as usize, 0);
        disk.allocated.split_off(&(length as usize).div_ceil(BLOCK_BYTES));
        disk.unsynced.push(Write::Length(length as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.check()?;
        disk.syncs += 1;
        // The sync that is cut never happened.
        disk.check()?;
        for write in std::mem::take(&mut disk.unsynced) {
            write.apply(&mut disk.durable);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.check()?;
        disk.allocate(offset as usize, data.len())?;
        put(&mut disk.live, offset as usize, data);
        disk.unsynced.push(Write::Bytes(offset as usize, data.to_vec()));
        Ok(())
    }
}
