//! Archives: plain files with the original blocks of events that were compacted, read in place of what the log has left.

mod file;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use self::file::{ArchiveFile, ArchiveWriter, damaged};
use super::block::{self, Codec, Entry, Opened};
use super::blocks::BlockInfo;
use super::error::Error;
use super::file::{beside, remove_if_there, storage};
use super::reader::Reader;
use super::rebuild::{Cut, cut};
use super::rewrite::cutter::Cutter;
use super::tables::{Head, LogId};
use crate::event::{self, Batch, Digest, Dropped, EventRef, Sequence, Stored, Why};

/// The archives of one log: a folder of files `FIRST-LAST.blocks`.
#[derive(Debug)]
pub struct Archives {
    dir: PathBuf,
    id: LogId,
    files: RwLock<Vec<Arc<ArchiveFile>>>,
}

/// What is in a file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveInfo {
    pub path: PathBuf,
    pub first: Sequence,
    pub last: Sequence,
    pub blocks: u64,
    /// Events in its blocks; between blocks there may be others.
    pub events: u64,
    pub bytes: u64,
    /// The digest at its end, of all before it.
    pub digest: Digest,
}

impl ArchiveInfo {
    fn of(file: &ArchiveFile) -> Self {
        let (first, last) = (file.blocks.first(), file.blocks.last());
        Self {
            path: file.path.clone(),
            first: first.map_or(Sequence::ZERO, |block| block.first),
            last: last.map_or(Sequence::ZERO, |block| block.last),
            blocks: file.blocks.len() as u64,
            events: file.blocks.iter().map(|block| block.last.0 - block.first.0 + 1).sum(),
            bytes: file.bytes,
            digest: file.digest,
        }
    }
}

impl Archives {
    /// Opens the archives in that folder, which is made when there is none, and removes what a crash left over.
    ///
    /// # Errors
    /// [`Error::Archive`] names a file that is damaged or of another log.
    pub fn open(dir: &Path, id: LogId) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(storage)?;
        remove_if_there(&beside(&dir.join("archive"))).map_err(storage)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(storage)? {
            let path = entry.map_err(storage)?.path();
            if path.extension().is_some_and(|extension| extension == "blocks") {
                files.push(Arc::new(ArchiveFile::open(&path, id)?));
            }
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(Self { dir: dir.to_owned(), id, files: RwLock::new(files) })
    }

    pub fn list(&self) -> Vec<ArchiveInfo> {
        self.files().iter().map(|file| ArchiveInfo::of(file)).collect()
    }

    /// Whether the event with that sequence is in a file.
    pub fn holds(&self, sequence: Sequence) -> bool {
        self.files().iter().any(|file| file.find(sequence).is_some())
    }

    /// Writes the blocks of a log that hold an event which is wanted into a file of its own, and reads it back; none if no
    /// event is wanted. Events that are whole in a file already are not asked for.
    ///
    /// Calls `progress` with the last sequence looked at, every block.
    pub fn add(
        &self,
        reader: &Reader,
        wanted: &mut dyn FnMut(&EventRef<'_>) -> bool,
        progress: &mut dyn FnMut(Sequence),
    ) -> Result<Option<ArchiveInfo>, Error> {
        let mut writer = ArchiveWriter::begin(&self.dir, self.id)?;
        let (mut first, mut last) = (Sequence::ZERO, Sequence::ZERO);
        for raw in reader.raw_blocks(Sequence::FIRST)? {
            let raw = raw?;
            let mut is_wanted = false;
            let batch =
                events_of(&raw.bytes).map_err(|why| Error::damaged(format!("block {}", raw.info.first), why))?;
            for event in batch.iter() {
                is_wanted |= event.payload().is_some() && !self.holds(event.sequence) && wanted(&event);
            }
            if is_wanted {
                writer.put(&raw.bytes)?;
                first = if first == Sequence::ZERO { raw.info.first } else { first };
                last = raw.info.last;
            }
            progress(raw.info.last);
        }
        if writer.is_empty() {
            return Ok(None);
        }
        let file = Arc::new(writer.finish(&self.path_for(first, last), self.id)?);
        let info = ArchiveInfo::of(&file);
        self.files.write().unwrap_or_else(PoisonError::into_inner).push(file);
        Ok(Some(info))
    }

    /// Reads every file: its digest, every digest in its blocks, and that they are events of that log wherever the log still
    /// knows its chain. The error names the file.
    pub fn verify(&self, reader: &Reader, progress: &mut dyn FnMut(&ArchiveInfo)) -> Result<(), Error> {
        for file in self.files() {
            file.verify()?;
            for block in &file.blocks {
                let ends = [(block.first.previous(), block.chain_before), (block.last, block.chain_after)];
                for (sequence, chain) in ends {
                    match reader.chain_at(sequence) {
                        Ok(found) if found == chain => {}
                        Err(Error::InFolded { .. }) => {}
                        Ok(_) => {
                            return Err(damaged(&file.path, format!("block {} is of another history", block.first)));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            progress(&ArchiveInfo::of(&file));
        }
        Ok(())
    }

    /// Reads every file that has any of these events, to its last digest. The error names the file.
    pub fn verify_those_with(&self, sequences: &BTreeSet<Sequence>) -> Result<(), Error> {
        let files = self.files();
        let mut concerned = files.iter().filter(|file| sequences.iter().any(|sequence| file.find(*sequence).is_some()));
        concerned.try_for_each(|file| file.verify())
    }

    /// Takes the payloads of these events out of every file that has them, and says how many there were. A file is written
    /// anew beside its place, so a crash leaves the old one or the new one.
    pub fn redact(&self, sequences: &BTreeSet<Sequence>) -> Result<u64, Error> {
        let mut redacted = 0;
        for file in self.files() {
            let is_in = |sequence: &Sequence| file.find(*sequence).is_some();
            if !sequences.iter().any(is_in) {
                continue;
            }
            let (mut writer, mut found) = (ArchiveWriter::begin(&self.dir, self.id)?, 0);
            for place in &file.blocks {
                let bytes = file.read(place)?;
                if sequences.range(place.first..=place.last).next().is_none() {
                    writer.put(&bytes)?;
                    continue;
                }
                let (blocks, count) = without(&bytes, sequences).map_err(|why| damaged(&file.path, why))?;
                found += count;
                blocks.iter().try_for_each(|block| writer.put(block))?;
            }
            if found == 0 {
                continue;
            }
            let new = Arc::new(writer.finish(&file.path, self.id)?);
            let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
            files.iter_mut().filter(|known| known.path == new.path).for_each(|known| *known = Arc::clone(&new));
            redacted += found;
        }
        Ok(redacted)
    }

    /// Lets go of all events behind that one, as a log does that goes on from there with others. A file is written anew
    /// beside its place.
    pub fn cut_behind(&self, last: Sequence) -> Result<(), Error> {
        for file in self.files() {
            let Some(end) = file.blocks.last().filter(|block| block.last > last) else { continue };
            let mut writer = ArchiveWriter::begin(&self.dir, self.id)?;
            for place in file.blocks.iter().filter(|place| place.first <= last) {
                let bytes = file.read(place)?;
                let is_whole = place.last <= last;
                let info = BlockInfo::of(&bytes).map_err(|why| damaged(&file.path, why))?;
                writer.put(&if is_whole { bytes } else { cut(&info, &bytes, Cut::Behind(last))? })?;
            }
            tracing::info!("{} ends at sequence {last} now, not at {}", file.path.display(), end.last);
            let new = match writer.is_empty() {
                true => None,
                false => {
                    let path = self.path_for(file.blocks[0].first, last);
                    Some(Arc::new(writer.finish(&path, self.id)?))
                }
            };
            fs::remove_file(&file.path).map_err(storage)?;
            let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
            files.retain(|known| known.path != file.path);
            files.extend(new);
        }
        Ok(())
    }

    /// The events of a block that has that one; none if no file has it.
    pub(super) fn around(&self, sequence: Sequence) -> Result<Option<Batch>, Error> {
        for file in self.files() {
            let Some(place) = file.find(sequence) else { continue };
            let batch = events_of(&file.read(place)?).map_err(|why| damaged(&file.path, why))?;
            if batch.find(sequence).is_some() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// An event as the archive has it, alone in its batch: whole if any file has it so. None if no file has it.
    pub fn event(&self, sequence: Sequence) -> Result<Option<Batch>, Error> {
        let mut found = None;
        for file in self.files() {
            let Some(place) = file.find(sequence) else { continue };
            let batch = events_of(&file.read(place)?).map_err(|why| damaged(&file.path, why))?;
            let event = batch.filtered(|event| event.sequence == sequence);
            if !event.is_empty() {
                let is_whole = event.is_whole();
                found = Some(event);
                if is_whole {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// The archived block in which the event is whole, or says that it was redacted, in place of the log's own, with which it
    /// must agree: on the chain where both begin or end, and on the digest of the event if the log has that.
    pub(super) fn block_of(&self, sequence: Sequence, own: &Opened<'_>) -> Result<Option<Vec<u8>>, Error> {
        let mut redacted = None;
        for file in self.files() {
            let Some(place) = file.find(sequence) else { continue };
            let bytes = file.read(place)?;
            let other_history = || damaged(&file.path, format!("block {} is of another history", place.first));
            let header = &own.header;
            if (place.first == header.first && place.chain_before != header.chain_before)
                || (place.last == header.last() && place.chain_after != header.chain_after)
            {
                return Err(other_history());
            }
            let archived = digest_of(&block::open(&bytes).map_err(|why| damaged(&file.path, why))?, sequence);
            let Some((digest, why)) = archived.map_err(|why| damaged(&file.path, why))? else { continue };
            let known =
                digest_of(own, sequence).map_err(|why| Error::damaged(format!("block {}", header.first), why))?;
            if known.is_some_and(|(known, _)| known != digest) {
                return Err(other_history());
            }
            // What the log knows to be redacted stays so, whatever a file that was brought back has.
            if why.is_none() && known.is_some_and(|(_, why)| why == Some(Why::Redacted)) {
                continue;
            }
            match why {
                None => return Ok(Some(bytes)),
                Some(Why::Redacted) => redacted = Some(bytes),
                Some(Why::Compacted | Why::Forgotten) => {}
            }
        }
        Ok(redacted)
    }

    fn files(&self) -> Vec<Arc<ArchiveFile>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A name that no file has.
    fn path_for(&self, first: Sequence, last: Sequence) -> PathBuf {
        let names = std::iter::once(String::new()).chain((2u64..).map(|number| format!(".{number}")));
        let mut paths = names.map(|number| self.dir.join(format!("{:012}-{:012}{number}.blocks", first.0, last.0)));
        paths.find(|path| !path.exists()).expect("some number is free")
    }
}

/// The digest of an event's payload in a block, and why the payload is not there, if so; none if the event is folded.
fn digest_of(
    opened: &Opened<'_>,
    sequence: Sequence,
) -> Result<Option<(Digest, Option<Why>)>, super::bytes::Malformed> {
    let body = opened.body()?;
    Ok(match body.entry(body.index_of(sequence)?)? {
        Entry::Event(_, record) => {
            let payload = record.payload_of(&body.bytes);
            let why = match payload {
                Stored::Whole(_) => None,
                Stored::Dropped(dropped) => Some(dropped.why),
            };
            Some((payload.digest(), why))
        }
        Entry::Folded(_) => None,
    })
}

/// The events of a block that are not folded.
fn events_of(bytes: &[u8]) -> Result<Batch, String> {
    let body = block::open(bytes).and_then(|opened| opened.body()).map_err(|why| why.to_string())?;
    let mut batch = Batch::new();
    let buffer = batch.add_buffer(body.bytes.clone());
    for index in 0..body.records {
        if let Entry::Event(_, record) = body.entry(index).map_err(|why| why.to_string())? {
            batch.push_stored(buffer, record.envelope, record.payload, |_| true).map_err(|why| why.to_string())?;
        }
    }
    Ok(batch)
}

/// A block without the payloads of these events, as one block or several, and how many went.
fn without(bytes: &[u8], sequences: &BTreeSet<Sequence>) -> Result<(Vec<Vec<u8>>, u64), String> {
    let malformed = |why: super::bytes::Malformed| why.to_string();
    let opened = block::open(bytes).map_err(malformed)?;
    let (body, header) = (opened.body().map_err(malformed)?, &opened.header);
    let before =
        Head { sequence: header.first.previous(), recorded_at: header.first_recorded_at, chain: header.chain_before };
    let (boundaries, mut count) = (BTreeSet::new(), 0);
    let mut cutter = Cutter::new(before, false, &boundaries);
    for index in 0..body.records {
        match body.entry(index).map_err(malformed)? {
            Entry::Event(sequence, record) => {
                let envelope = &body.bytes[record.envelope.clone()];
                let recorded_at = event::Head::decode(envelope).map_err(|why| why.to_string())?.recorded_at;
                let mut payload = record.payload_of(&body.bytes);
                if let Stored::Whole(whole) = payload
                    && sequences.contains(&sequence)
                {
                    count += 1;
                    let (bytes, digest) = (whole.len() as u32, Digest::of(whole));
                    payload = Stored::Dropped(Dropped { why: Why::Redacted, bytes, digest });
                }
                cutter.event(envelope, recorded_at, payload);
            }
            Entry::Folded(fold) => cutter.folded(&fold, header),
        }
    }
    if cutter.head.chain != header.chain_after {
        return Err(format!("the chain of block {} is not that of its events", header.first));
    }
    let tail = cutter.finish().map(|tail| tail.encode(Codec::Zstd));
    Ok((cutter.full.into_iter().chain(tail).map(|block| block.bytes).collect(), count))
}
