//! Writing a backup: takes what a host sends, checks it, and makes files and a generation of it.

mod blocks;

use std::collections::HashMap;
use std::path::Path;

use blocks::LogWriter;

use super::BackupError;
use super::base::Base;
use super::frame::{self, BackupRequest, Begin, End, Frame, Frames, LogBegins, Sent, Whole};
use super::manifest::{
    FILES, FORMAT, FORMAT_WITHOUT_SNAPSHOTS, Generation, MARK, Mark, PLUGINS, STATES, SavedArchive, SavedFile,
    SavedLog, SavedPlugin, SavedSnapshots, SavedState, seal,
};
use super::place::{Place, Shape, Unfinished};
use super::retain::{self, Keep};
use crate::event::{Sequence, Timestamp};
use crate::log::LogId;

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
    snapshots: Vec<SavedSnapshots>,
    archives: Vec<SavedArchive>,
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
            snapshots: Vec::new(),
            archives: Vec::new(),
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
        if begin.format > frame::FORMAT {
            return Err(BackupError::BrokenOff("the host is newer than this program".to_owned()));
        }
        let log_id = begin.log_id.parse::<LogId>();
        let log_id = log_id.map_err(|error| BackupError::BrokenOff(error.to_string()))?;
        match self.base.log_id {
            None => {
                let mark = Mark { format: FORMAT_WITHOUT_SNAPSHOTS, log_id: log_id.to_string() };
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
            Sent::File { .. } | Sent::Archive { .. } => FILES,
            Sent::Plugin { .. } => PLUGINS,
            Sent::State { .. } | Sent::Snapshots { .. } => STATES,
        };
        let is_new = |place: &Place| !place.has(&format!("{folder}/{}", whole.digest));
        let new_bytes = if is_new(&self.place) { unfinished.len() } else { 0 };
        let (digest, bytes) = self.place.finish(unfinished, folder)?;
        self.new_bytes += new_bytes;
        let is_named = match &sent {
            Sent::Plugin { digest: named } => *named == whole.digest,
            Sent::File { .. } | Sent::State { .. } | Sent::Snapshots { .. } | Sent::Archive { .. } => true,
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
            Sent::Snapshots { projection, version } => {
                self.snapshots.push(SavedSnapshots { projection, version, digest, bytes });
            }
            Sent::Archive { name, version } => self.archives.push(SavedArchive { name, version, digest, bytes }),
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
            Sent::Snapshots { projection, version } => {
                let mut known = self.base.snapshots.iter();
                let known = known.find(|it| it.projection == *projection && it.version == *version);
                known.map(|it| (it.digest.clone(), it.bytes))
            }
            Sent::Archive { name, version } => {
                let known = self.base.archives.iter().find(|it| it.name == *name && it.version == *version);
                known.map(|it| (it.digest.clone(), it.bytes))
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
        let format =
            if self.snapshots.is_empty() && self.archives.is_empty() { FORMAT_WITHOUT_SNAPSHOTS } else { FORMAT };
        let mut generation = Generation {
            format,
            generation: self.base.number + 1,
            made_at: now.to_string(),
            made_by: begun.made_by,
            log: SavedLog { id, sequence, recorded_at, chain_head, rewrites, last_block: log.last_block },
            segments: log.parts,
            files: self.files,
            plugins: self.plugins,
            states: self.states,
            snapshots: self.snapshots,
            archives: self.archives,
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
