//! Writing the log's blocks of a backup: into segments, past all that it has already.

use std::collections::HashMap;

use crate::engine::backup::BackupError;
use crate::engine::backup::base::{Base, cut};
use crate::engine::backup::frame::LogBegins;
use crate::engine::backup::manifest::{BLOCKS, LastBlock, Part};
use crate::engine::backup::place::Place;
use crate::engine::backup::segment::{SegmentReader, SegmentWriter, last_block};
use crate::log::{BlockInfo, Head, LogId};

/// Parts smaller than this are written together anew when there are so many of them at the end: a generation's list of
/// parts stays short however often one is made.
const SMALL_PART_BYTES: u64 = 4 << 20;
const SMALL_PARTS_MAX: usize = 16;

/// The log's blocks on their way into segments.
#[derive(Debug)]
pub(super) struct LogWriter {
    log_id: LogId,
    segment_bytes: u64,
    pub(super) begins: LogBegins,
    pub(super) parts: Vec<Part>,
    segment: Option<SegmentWriter>,
    /// The blocks that the backup has and that may come again, by first sequence.
    known: HashMap<u64, (LastBlock, Part)>,
    /// Where the log ends so far, once a block came.
    pub(super) end: Option<Head>,
    /// What a block that comes again must go on from.
    chain_before: Option<(u64, String)>,
    pub(super) last_block: Option<LastBlock>,
    pub(super) blocks: u64,
}

impl LogWriter {
    pub(super) fn begin(
        place: &mut Place,
        base: &Base,
        (log_id, segment_bytes): (LogId, u64),
        begins: LogBegins,
        new_bytes: &mut u64,
    ) -> Result<Self, BackupError> {
        let mut log = Self {
            log_id,
            segment_bytes,
            parts: Vec::new(),
            segment: None,
            known: HashMap::new(),
            end: None,
            chain_before: None,
            last_block: None,
            blocks: 0,
            begins,
        };
        let Some(blocks) = &base.blocks else {
            let broken = || BackupError::BrokenOff("the host leaves out blocks that are not here".to_owned());
            return if log.begins.from <= 1 { Ok(log) } else { Err(broken()) };
        };
        if log.begins.from > 1 {
            let LastBlock { first, chain_before, .. } = &blocks.last_block;
            if log.begins.from != *first {
                return Err(BackupError::BrokenOff(format!("the host begins at {}, not {first}", log.begins.from)));
            }
            let last = blocks.parts.last().expect("there is a block").clone();
            log.known.insert(*first, (blocks.last_block.clone(), last));
            log.chain_before = Some((*first, chain_before.clone()));
            log.parts.clone_from(&blocks.parts);
            cut(&mut log.parts, *first);
            log.gather_small(place, new_bytes)?;
        } else {
            // The log was written anew: what did not change stays where it is.
            for part in &blocks.parts {
                each_block(place, part, |info, _| {
                    log.known.insert(info.first.0, (last_block(&info), part.clone()));
                    Ok(())
                })?;
            }
        }
        Ok(log)
    }

    /// Writes many small parts at the end together anew.
    fn gather_small(&mut self, place: &mut Place, new_bytes: &mut u64) -> Result<(), BackupError> {
        let small = self.parts.iter().rev().take_while(|part| part.bytes < SMALL_PART_BYTES).count();
        if small < SMALL_PARTS_MAX {
            return Ok(());
        }
        for part in self.parts.split_off(self.parts.len() - small) {
            let mut blocks = Vec::new();
            each_block(place, &part, |info, block| {
                blocks.push((info, block));
                Ok(())
            })?;
            for (info, block) in blocks {
                self.write(place, &info, &block, new_bytes)?;
            }
        }
        Ok(())
    }

    pub(super) fn block(&mut self, place: &mut Place, block: &[u8], new_bytes: &mut u64) -> Result<(), BackupError> {
        let broken =
            |why: &dyn std::fmt::Display| BackupError::BrokenOff(format!("a block that came is damaged: {why}"));
        let info = BlockInfo::of(block).map_err(|why| broken(&why))?;
        match (&self.end, &self.chain_before) {
            (Some(end), _) => info.follows(end).map_err(|why| broken(&why))?,
            (None, Some((first, chain))) if info.first.0 == *first && info.chain_before.to_string() == *chain => {}
            (None, Some(_)) => return Err(broken(&"it does not go on where the backup ends")),
            (None, None) => info.follows(&Head::empty(self.log_id)).map_err(|why| broken(&why))?,
        }
        (self.end, self.last_block) = (Some(info.end()), Some(last_block(&info)));
        self.blocks += 1;
        match self.known.get(&info.first.0) {
            Some((known, part)) if *known == last_block(&info) => {
                let part = Part { first: info.first.0, last: info.last.0, ..part.clone() };
                self.end_segment(place, new_bytes)?;
                self.add_part(part);
                Ok(())
            }
            Some(_) | None => self.write(place, &info, block, new_bytes),
        }
    }

    fn write(
        &mut self,
        place: &mut Place,
        info: &BlockInfo,
        block: &[u8],
        new_bytes: &mut u64,
    ) -> Result<(), BackupError> {
        if self.segment.as_ref().is_some_and(|segment| segment.bytes() >= self.segment_bytes) {
            self.end_segment(place, new_bytes)?;
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(SegmentWriter::begin(place, self.log_id, self.begins.rewrites)?),
        };
        segment.put(info, block)
    }

    /// Names the segment in hand, so that a run that goes on from here has it.
    pub(super) fn end_segment(&mut self, place: &mut Place, new_bytes: &mut u64) -> Result<(), BackupError> {
        let Some(segment) = self.segment.take() else { return Ok(()) };
        if let Some(part) = segment.finish(place)? {
            *new_bytes += part.bytes;
            self.add_part(part);
        }
        Ok(())
    }

    fn add_part(&mut self, part: Part) {
        match self.parts.last_mut() {
            Some(last) if last.digest == part.digest && last.last + 1 == part.first => last.last = part.last,
            _ => self.parts.push(part),
        }
    }
}

/// Reads the blocks of a part, and sees that they are those that it says.
fn each_block(
    place: &Place,
    part: &Part,
    mut take: impl FnMut(BlockInfo, Vec<u8>) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut segment = SegmentReader::open(place, &part.digest)?;
    let name = place.shown(&format!("{BLOCKS}/{}", part.digest));
    while let Some(block) = segment.next_block()? {
        let info = BlockInfo::of(&block).map_err(|why| BackupError::damaged(&name, why))?;
        if (part.first..=part.last).contains(&info.first.0) {
            take(info, block)?;
        }
    }
    Ok(())
}
