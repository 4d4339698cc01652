//! Writing a backup: takes what a host sends, checks it, and makes files and a generation of it.

use std::collections::HashMap;
use std::path::Path;

use super::BackupError;
use super::base::{Base, cut};
use super::frame::{BackupRequest, Begin, End, Frame, Frames, LogBegins, Sent, Whole};
use super::manifest::{
    BLOCKS, FILES, FORMAT, Generation, LastBlock, MARK, Mark, PLUGINS, Part, STATES, SavedFile, SavedLog, SavedPlugin,
    SavedState, seal,
};
use super::place::{Place, Shape, Unfinished};
use super::retain::{self, Keep};
use super::segment::{SegmentReader, SegmentWriter, last_block};
use crate::event::{Sequence, Timestamp};
use crate::log::{BlockInfo, Head, LogId};

/// Parts smaller than this are written together anew when there are so many of them at the end: a generation's list of
/// parts stays short however often one is made.
const SMALL_PART_BYTES: u64 = 4 << 20;
const SMALL_PARTS_MAX: usize = 16;
/// A segment ends behind the block that fills it: a run that is killed has to write no more than that again.
const SEGMENT_BYTES: u64 = 64 << 20;

/// A backup that is being written. Dropped before its end, it leaves what the next run goes on with.
#[derive(Debug)]
pub struct BackupWriter {
    place: Place,
    base: Base,
    frames: Frames,
    begun: Option<Begin>,
    log_id: Option<LogId>,
    file: Option<(Sent, Unfinished)>,
    files: Vec<SavedFile>,
    plugins: Vec<SavedPlugin>,
    states: Vec<SavedState>,
    log: Option<LogWriter>,
    end: Option<End>,
    new_bytes: u64,
    pub(super) segment_bytes: u64,
}

/// What a run made.
#[derive(Clone, Debug)]
pub struct Made {
    pub generation: Generation,
    /// The generations that were dropped, as was asked for.
    pub dropped: Vec<u64>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The last event that was taken.
    pub sequence: Sequence,
    /// Where the log ends; 0 before that is known.
    pub head: Sequence,
}

impl BackupWriter {
    /// Opens a backup, or begins one; nobody else may write it meanwhile, nor read it.
    pub fn open(path: &Path, shape: Shape) -> Result<Self, BackupError> {
        let place = Place::to_write(path, shape)?;
        let base = Base::of(&place)?;
        Ok(Self {
            place,
            base,
            frames: Frames::default(),
            begun: None,
            log_id: None,
            file: None,
            files: Vec::new(),
            plugins: Vec::new(),
            states: Vec::new(),
            log: None,
            end: None,
            new_bytes: 0,
            segment_bytes: SEGMENT_BYTES,
        })
    }

    /// What the host is to send.
    pub fn request(&self, with_states: bool) -> BackupRequest {
        self.base.request(with_states)
    }

    pub fn reached(&self) -> Reached {
        self.log.as_ref().map_or_else(Reached::default, |log| Reached {
            sequence: log.end.map_or(Sequence(log.begins.from - 1), |end| end.sequence),
            head: Sequence(log.begins.sequence),
        })
    }

    /// Takes what came from the host, in pieces of any size.
    ///
    /// # Errors
    /// [`BackupError::Problem`] is what the host says itself.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.frames.push(bytes);
        while let Some(frame) = self.frames.next()? {
            self.frame(frame)?;
        }
        Ok(())
    }

    fn frame(&mut self, frame: Frame) -> Result<(), BackupError> {
        let broken = |what: &str| Err(BackupError::BrokenOff(what.to_owned()));
        match frame {
            Frame::Problem(problem) => Err(BackupError::Problem(problem)),
            Frame::Begin(begin) => self.begin(begin),
            _ if self.begun.is_none() || self.end.is_some() => broken("the host sends what does not belong there"),
            Frame::File(sent) => {
                self.file = Some((sent, self.place.begin()?));
                Ok(())
            }
            Frame::Piece(bytes) => match &mut self.file {
                Some((_, unfinished)) => unfinished.write(&bytes),
                None => broken("the host sends a piece of no file"),
            },
            Frame::Whole(whole) => self.whole(&whole),
            Frame::Kept(sent) => self.kept(&sent),
            Frame::Log(begins) => self.begin_log(begins),
            Frame::Block(block) => match &mut self.log {
                Some(log) => log.block(&mut self.place, &block, &mut self.new_bytes),
                None => broken("the host sends a block before it says of which log"),
            },
            Frame::End(end) => self.end(end),
        }
    }

    fn begin(&mut self, begin: Begin) -> Result<(), BackupError> {
        if begin.format > FORMAT {
            return Err(BackupError::BrokenOff("the host is newer than this program".to_owned()));
        }
        let log_id = begin.log_id.parse::<LogId>();
        let log_id = log_id.map_err(|error| BackupError::BrokenOff(error.to_string()))?;
        match self.base.log_id {
            None => {
                let mark = Mark { format: FORMAT, log_id: log_id.to_string() };
                self.place.put(MARK, &seal(&mark))?;
                if self.place.is_directory() {
                    super::place::sync_folder(self.place.path())?;
                }
            }
            Some(found) if found != log_id => {
                let (path, found) = (self.place.path().to_owned(), found.to_string());
                return Err(BackupError::OtherLog { path, found, wanted: log_id.to_string() });
            }
            Some(_) => {}
        }
        (self.log_id, self.begun) = (Some(log_id), Some(begin));
        Ok(())
    }

    fn whole(&mut self, whole: &Whole) -> Result<(), BackupError> {
        let Some((sent, unfinished)) = self.file.take() else {
            return Err(BackupError::BrokenOff("the host ends a file that it did not begin".to_owned()));
        };
        let folder = match &sent {
            Sent::File { .. } => FILES,
            Sent::Plugin { .. } => PLUGINS,
            Sent::State { .. } => STATES,
        };
        let is_new = |place: &Place| !place.has(&format!("{folder}/{}", whole.digest));
        let new_bytes = if is_new(&self.place) { unfinished.len() } else { 0 };
        let (digest, bytes) = self.place.finish(unfinished, folder)?;
        self.new_bytes += new_bytes;
        let is_named = match &sent {
            Sent::Plugin { digest: named } => *named == whole.digest,
            Sent::File { .. } | Sent::State { .. } => true,
        };
        if digest.to_string() != whole.digest || bytes != whole.bytes || !is_named {
            return Err(BackupError::BrokenOff(format!("a file came with the digest {digest}, not {}", whole.digest)));
        }
        self.save(sent, whole.digest.clone(), bytes);
        Ok(())
    }

    fn save(&mut self, sent: Sent, digest: String, bytes: u64) {
        match sent {
            Sent::File { name } => self.files.push(SavedFile { name, digest, bytes }),
            Sent::Plugin { .. } => self.plugins.push(SavedPlugin { digest, bytes }),
            Sent::State { projection, identity, sequence, chain_head } => {
                self.states.push(SavedState { projection, identity, sequence, chain_head, digest, bytes });
            }
        }
    }

    fn kept(&mut self, sent: &Sent) -> Result<(), BackupError> {
        let known = match sent {
            Sent::File { .. } => None,
            Sent::Plugin { digest } => self.base.plugins.get(digest).map(|bytes| (digest.clone(), *bytes)),
            Sent::State { identity, sequence, .. } => {
                let mut states = self.base.states.iter();
                let state = states.find(|state| state.identity == *identity && state.sequence == *sequence);
                state.map(|state| (state.digest.clone(), state.bytes))
            }
        };
        let Some((digest, bytes)) = known else {
            return Err(BackupError::BrokenOff("the host leaves out a file that is not here".to_owned()));
        };
        self.save(sent.clone(), digest, bytes);
        Ok(())
    }

    fn begin_log(&mut self, begins: LogBegins) -> Result<(), BackupError> {
        let log_id = self.log_id.expect("it was said at the beginning");
        self.log = Some(LogWriter::begin(
            &mut self.place,
            &self.base,
            (log_id, self.segment_bytes),
            begins,
            &mut self.new_bytes,
        )?);
        Ok(())
    }

    fn end(&mut self, end: End) -> Result<(), BackupError> {
        let Some(log) = &mut self.log else {
            return Err(BackupError::BrokenOff("the host sent no log".to_owned()));
        };
        log.end_segment(&mut self.place, &mut self.new_bytes)?;
        let at = log.end.map_or_else(String::new, |end| end.chain.to_string());
        if log.blocks != end.blocks || (log.begins.sequence > 0 && at != log.begins.chain_head) {
            let why = "the blocks that came do not end where the host says that its log does";
            return Err(BackupError::BrokenOff(why.to_owned()));
        }
        self.end = Some(end);
        Ok(())
    }

    /// Makes a generation of what came, which must be all; drops those that are no longer to be kept.
    pub fn finish(mut self, keep: Keep, now: Timestamp) -> Result<Made, BackupError> {
        let (Some(_), Some(log), Some(begun)) = (self.end, self.log, self.begun) else {
            return Err(BackupError::BrokenOff("the host's answer ended too soon".to_owned()));
        };
        let LogBegins { sequence, recorded_at, chain_head, rewrites, .. } = log.begins;
        let id = begun.log_id;
        let mut generation = Generation {
            format: FORMAT,
            generation: self.base.number + 1,
            made_at: now.to_string(),
            made_by: begun.made_by,
            log: SavedLog { id, sequence, recorded_at, chain_head, rewrites, last_block: log.last_block },
            segments: log.parts,
            files: self.files,
            plugins: self.plugins,
            states: self.states,
            bytes: 0,
            new_bytes: self.new_bytes,
        };
        let needs: HashMap<String, u64> = generation.needs().collect();
        generation.bytes = needs.values().sum();
        let name = Generation::file_name(generation.generation);
        // What was written must read back: else the next run could not go on from it.
        Generation::parse(&name, &seal(&generation))?;
        self.place.put(&name, &seal(&generation))?;
        let dropped = retain::retain(&self.place, keep, now)?;
        self.place.close()?;
        Ok(Made { generation, dropped })
    }
}

/// The log's blocks on their way into segments.
#[derive(Debug)]
struct LogWriter {
    log_id: LogId,
    segment_bytes: u64,
    begins: LogBegins,
    parts: Vec<Part>,
    segment: Option<SegmentWriter>,
    /// The blocks that the backup has and that may come again, by first sequence.
    known: HashMap<u64, (LastBlock, Part)>,
    /// Where the log ends so far, once a block came.
    end: Option<Head>,
    /// What a block that comes again must go on from.
    chain_before: Option<(u64, String)>,
    last_block: Option<LastBlock>,
    blocks: u64,
}

impl LogWriter {
    fn begin(
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

    fn block(&mut self, place: &mut Place, block: &[u8], new_bytes: &mut u64) -> Result<(), BackupError> {
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
    fn end_segment(&mut self, place: &mut Place, new_bytes: &mut u64) -> Result<(), BackupError> {
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
