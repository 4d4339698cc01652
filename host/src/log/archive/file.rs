//! A file of an archive: blocks as they lay in the log, and at its end where each of them is.
//!
//! ```text
//! file    `pfA1`, log id 16, blocks, index, checksum 16, index at u64, BLAKE3 of all before 32
//! index   for each block: at u64, bytes u32, first sequence u64, last sequence u64, chain head before 32, chain head after 32
//! ```
//! Numbers are little endian. The checksum is the first 16 bytes of the BLAKE3 digest of the index.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::event::{Digest, Sequence};
use crate::log::blocks::{BlockInfo, check_events};
use crate::log::bytes::{CHECKSUM_BYTES, Input, Malformed};
use crate::log::error::Error;
use crate::log::file::{beside, remove_if_there, storage, sync_folder};
use crate::log::tables::LogId;

const MAGIC: &[u8; 4] = b"pfA1";
const HEADER_BYTES: u64 = 20;
const ROW_BYTES: usize = 92;
/// Checksum of the index, its place, and the digest of all.
const END_BYTES: usize = CHECKSUM_BYTES + 8 + 32;
const DIGEST_BYTES: u64 = 32;

/// Where a block is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    at: u64,
    bytes: u32,
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) chain_before: Digest,
    pub(super) chain_after: Digest,
}

/// A file whose index was read and fits its checksum.
#[derive(Debug)]
pub(super) struct ArchiveFile {
    pub(super) path: PathBuf,
    /// In order of sequence.
    pub(super) blocks: Vec<Place>,
    pub(super) bytes: u64,
    /// That of all before it.
    pub(super) digest: Digest,
}

impl ArchiveFile {
    pub(super) fn open(path: &Path, id: LogId) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(storage)?;
        let bytes = file.metadata().map_err(storage)?.len();
        let mut header = [0; HEADER_BYTES as usize];
        let mut end = [0; END_BYTES];
        if bytes < HEADER_BYTES + END_BYTES as u64 {
            return Err(damaged(path, "it ends early"));
        }
        file.read_exact(&mut header).map_err(storage)?;
        if !header.starts_with(MAGIC) {
            return Err(damaged(path, "it is no archive"));
        }
        if header[4..] != id.0 {
            return Err(damaged(path, "it is of another log"));
        }
        let index_end = bytes - END_BYTES as u64;
        file.seek(SeekFrom::Start(index_end)).map_err(storage)?;
        file.read_exact(&mut end).map_err(storage)?;
        let at = u64::from_le_bytes(end[CHECKSUM_BYTES..CHECKSUM_BYTES + 8].try_into().expect("8 bytes"));
        if at < HEADER_BYTES || at > index_end {
            return Err(damaged(path, "its index lies outside it"));
        }
        let mut index = vec![0; (index_end - at) as usize];
        file.seek(SeekFrom::Start(at)).map_err(storage)?;
        file.read_exact(&mut index).map_err(storage)?;
        if checksum(&index) != end[..CHECKSUM_BYTES] {
            return Err(damaged(path, "its index has another checksum"));
        }
        let places = index.chunks(ROW_BYTES).map(Place::read).collect::<Result<Vec<_>, _>>();
        let blocks = places.map_err(|why| damaged(path, why))?;
        let (mut next, mut behind) = (HEADER_BYTES, Sequence::ZERO);
        for block in &blocks {
            if block.at != next || block.first <= behind || block.last < block.first {
                return Err(damaged(path, "its blocks do not follow each other"));
            }
            (next, behind) = (block.at + u64::from(block.bytes), block.last);
        }
        if next != at || blocks.is_empty() {
            return Err(damaged(path, "its blocks do not end where its index begins"));
        }
        let digest = Digest(*end.last_chunk().expect("it ends with a digest"));
        Ok(Self { path: path.to_owned(), blocks, bytes, digest })
    }

    /// The block that has that sequence.
    pub(super) fn find(&self, sequence: Sequence) -> Option<&Place> {
        let at = self.blocks.partition_point(|block| block.last < sequence);
        self.blocks.get(at).filter(|block| block.first <= sequence)
    }

    /// Reads a block, and sees that it is the one that the index says.
    pub(super) fn read(&self, place: &Place) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; place.bytes as usize];
        let mut file = File::open(&self.path).map_err(storage)?;
        file.seek(SeekFrom::Start(place.at)).map_err(storage)?;
        file.read_exact(&mut bytes).map_err(storage)?;
        let info = BlockInfo::of(&bytes).map_err(|why| damaged(&self.path, format!("block {}: {why}", place.first)))?;
        let found = (info.first, info.last, info.chain_before, info.chain_after);
        if found != (place.first, place.last, place.chain_before, place.chain_after) {
            return Err(damaged(&self.path, format!("block {} is not the one that its index says", place.first)));
        }
        Ok(bytes)
    }

    /// Reads all of it: its digest, and every digest in its blocks.
    pub(super) fn verify(&self) -> Result<(), Error> {
        let mut hasher = blake3::Hasher::new();
        let mut file = File::open(&self.path).map_err(storage)?;
        hasher.update_reader((&mut file).take(self.bytes - DIGEST_BYTES)).map_err(storage)?;
        let mut said = [0; DIGEST_BYTES as usize];
        file.read_exact(&mut said).map_err(storage)?;
        if *hasher.finalize().as_bytes() != said {
            return Err(damaged(&self.path, "its digest is another"));
        }
        for place in &self.blocks {
            check_events(&self.read(place)?).map_err(|why| damaged(&self.path, why))?;
        }
        Ok(())
    }
}

impl Place {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.first.0.to_le_bytes());
        out.extend_from_slice(&self.last.0.to_le_bytes());
        out.extend_from_slice(&self.chain_before.0);
        out.extend_from_slice(&self.chain_after.0);
    }

    fn read(row: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(row);
        Ok(Self {
            at: input.u64()?,
            bytes: input.u32()?,
            first: Sequence(input.u64()?),
            last: Sequence(input.u64()?),
            chain_before: Digest(input.array()?),
            chain_after: Digest(input.array()?),
        })
    }
}

/// A file that is being written, beside its place. Dropped before its end, it is gone.
pub(super) struct ArchiveWriter {
    path: PathBuf,
    out: BufWriter<File>,
    hasher: blake3::Hasher,
    at: u64,
    index: Vec<u8>,
    is_done: bool,
}

impl ArchiveWriter {
    pub(super) fn begin(dir: &Path, id: LogId) -> Result<Self, Error> {
        let path = beside(&dir.join("archive"));
        let out = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(storage)?);
        let mut writer = Self { path, out, hasher: blake3::Hasher::new(), at: 0, index: Vec::new(), is_done: false };
        writer.write(&[&MAGIC[..], &id.0].concat())?;
        Ok(writer)
    }

    /// Adds a block, which must lie behind the one before.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let info = BlockInfo::of(bytes).map_err(|why| damaged(&self.path, why))?;
        let BlockInfo { first, last, chain_before, chain_after, .. } = info;
        let place = Place { at: self.at, bytes: bytes.len() as u32, first, last, chain_before, chain_after };
        place.put(&mut self.index);
        self.write(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Writes the index, reads all of it back, and gives the file that name; it is durable on return.
    pub(super) fn finish(mut self, path: &Path, id: LogId) -> Result<ArchiveFile, Error> {
        let (at, mut end) = (self.at, std::mem::take(&mut self.index));
        let checksum = checksum(&end);
        end.extend_from_slice(&checksum);
        end.extend_from_slice(&at.to_le_bytes());
        self.write(&end)?;
        let digest = self.hasher.finalize();
        self.write(digest.as_bytes())?;
        self.out.flush().map_err(storage)?;
        self.out.get_ref().sync_all().map_err(storage)?;
        ArchiveFile::open(&self.path, id)?.verify()?;
        fs::rename(&self.path, path).map_err(storage)?;
        self.is_done = true;
        sync_folder(path).map_err(storage)?;
        ArchiveFile::open(path, id)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(storage)?;
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        if !self.is_done
            && let Err(error) = remove_if_there(&self.path)
        {
            tracing::warn!("{} is left over and can be removed: {error}", self.path.display());
        }
    }
}

fn checksum(index: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *blake3::hash(index).as_bytes().first_chunk().expect("a digest is longer than its first half")
}

pub(super) fn damaged(path: &Path, why: impl ToString) -> Error {
    Error::Archive { path: format!("\"{}\"", path.display()), why: why.to_string() }
}
