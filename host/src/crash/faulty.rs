//! A storage that fails once, at any of its operations, and is well again afterwards.
//!
//! ```text
//! live ──sync──► durable
//!   ▲              │ a sync that fails drops what was written since the last one, as Linux does: the pages count as
//!   └── closing ───┘ clean, read as they were written until they leave the cache, and no later sync writes them
//! ```

use std::io::{self, Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A read gives EIO.
    Read,
    /// A read ends early.
    ShortRead,
    /// A write gives EIO, half of it written.
    Write,
    /// A write, or a longer file, finds no room.
    Full,
    /// A sync gives EIO, and what it should have written is lost. Until the cache is let go, it shows it.
    Sync,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [Self::Read, Self::ShortRead, Self::Write, Self::Full, Self::Sync];
}

#[derive(Debug, Default)]
struct Disk {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Write>,
    /// What fails, and in how many operations of its kind.
    planned: Option<(Fault, usize)>,
    has_failed: bool,
}

#[derive(Debug)]
enum Write {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

/// A disk that two owners share: what writes it, and the test that lets it fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyDisk(Arc<Mutex<Disk>>);

impl FaultyDisk {
    /// Fails once, at the n-th operation of that kind from now, counted from 1.
    pub(crate) fn fail_at(&self, fault: Fault, operation: usize) {
        self.disk().planned = Some((fault, operation));
    }

    /// Fails at nothing any more.
    pub(crate) fn heal(&self) {
        self.disk().planned = None;
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.disk().has_failed
    }

    /// The power goes: what no sync wrote is gone.
    pub(crate) fn after_power_loss(&self) -> Self {
        let durable = self.disk().durable.clone();
        Self(Arc::new(Mutex::new(Disk { live: durable.clone(), durable, ..Disk::default() })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
}

impl Disk {
    /// Counts an operation that any of these can happen to; says which does.
    fn fault(&mut self, possible: &[Fault]) -> Option<Fault> {
        let (fault, left) = self.planned.as_mut().filter(|(fault, _)| possible.contains(fault))?;
        *left -= 1;
        let fault = *fault;
        if *left > 0 {
            return None;
        }
        self.planned = None;
        self.has_failed = true;
        Some(fault)
    }

    fn write(&mut self, write: Write) {
        write.apply(&mut self.live);
        self.unsynced.push(write);
    }
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Bytes(offset, written) => {
                let end = offset + written.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(written);
            }
        }
    }
}

/// EIO.
fn broken() -> Error {
    Error::from_raw_os_error(5)
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut disk = self.disk();
        match disk.fault(&[Fault::Read, Fault::ShortRead]) {
            Some(Fault::ShortRead) => return Err(ErrorKind::UnexpectedEof.into()),
            Some(_) => return Err(broken()),
            None => {}
        }
        let found = disk.live.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(found.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut disk = self.disk();
        match disk.fault(&[Fault::Write, Fault::Full]) {
            Some(Fault::Full) => return Err(ErrorKind::StorageFull.into()),
            Some(_) => return Err(broken()),
            None => {}
        }
        disk.write(Write::Length(length as usize));
        Ok(())
    }

    /// Lets the cache go, as who opens a file anew after a failure does: what no sync has failed at stays.
    fn close(&self) -> io::Result<()> {
        let mut disk = self.disk();
        let mut bytes = disk.durable.clone();
        disk.unsynced.iter().for_each(|write| write.apply(&mut bytes));
        disk.live = bytes;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk();
        let unsynced = std::mem::take(&mut disk.unsynced);
        if disk.fault(&[Fault::Sync]).is_some() {
            return Err(broken());
        }
        unsynced.iter().for_each(|write| write.apply(&mut disk.durable));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let fault = disk.fault(&[Fault::Write, Fault::Full]);
        let written = if fault.is_some() { data.len() / 2 } else { data.len() };
        disk.write(Write::Bytes(offset as usize, data[..written].to_vec()));
        match fault {
            Some(Fault::Full) => Err(ErrorKind::StorageFull.into()),
            Some(_) => Err(broken()),
            None => Ok(()),
        }
    }
}
