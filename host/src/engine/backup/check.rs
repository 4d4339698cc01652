//! Verifying a backup without a host: every file's digest, and of every event the digest and the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use rayon::prelude::*;

use super::BackupError;
use super::base::{generation, log_id, numbers};
use super::manifest::{BLOCKS, FILES, Generation, PLUGINS, Part, STATES};
use super::place::Place;
use super::segment::SegmentReader;
use crate::log::{BlockInfo, Head, LogId, check_events};

/// Blocks that are checked together, on all processors.
const BATCH_BYTES: u64 = 16 << 20;
const READ_BYTES: usize = 1 << 20;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub generations: Vec<u64>,
    pub files: u64,
    pub bytes: u64,
    /// Where the newest generation's log ends.
    pub sequence: u64,
    pub chain_head: String,
    /// What is damaged or missing, a line each; each names the file.
    pub damaged: Vec<String>,
}

/// Reads every file of a backup and recomputes all that can be. Calls `watch` with bytes read and bytes in all.
///
/// # Errors
/// If it cannot be read at all; what is damaged is in the answer.
pub fn verify(path: &Path, watch: &mut dyn FnMut(u64, u64)) -> Result<Verified, BackupError> {
    let place = Place::to_read(path)?;
    let mut check =
        Check { place: &place, watch, verified: Verified::default(), done: 0, all: 0, segments: BTreeMap::new() };
    check.run()?;
    Ok(check.verified)
}

/// A block's place in the chain.
type Link = BlockInfo;

struct Check<'a> {
    place: &'a Place,
    watch: &'a mut dyn FnMut(u64, u64),
    verified: Verified,
    done: u64,
    all: u64,
    /// The blocks of every segment that is sound, in order.
    segments: BTreeMap<String, Vec<Link>>,
}

impl Check<'_> {
    fn run(&mut self) -> Result<(), BackupError> {
        let marked = self.noting(log_id(self.place))?;
        if marked.is_none() {
            self.verified.damaged.push(format!("{} does not say whose backup it is", self.place.shown("backup.json")));
        }
        let mut generations = Vec::new();
        for number in numbers(self.place)? {
            generations.extend(self.noting(generation(self.place, number))?);
            self.verified.files += 1;
        }
        if generations.is_empty() && self.verified.damaged.is_empty() {
            return Err(BackupError::Empty { path: self.place.path().to_owned() });
        }
        let wanted: BTreeSet<(String, u64)> = generations.iter().flat_map(Generation::needs).collect();
        // What a run that was broken off had finished is checked with the rest.
        let mut files = BTreeSet::new();
        for folder in [BLOCKS, FILES, PLUGINS, STATES] {
            files
                .extend(self.place.names(folder)?.into_iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes)));
        }
        self.all = files.iter().map(|(_, bytes)| bytes).sum();
        for (name, bytes) in &files {
            self.verified.files += 1;
            let checked = self.file(name);
            self.noting(checked)?;
            self.verified.bytes += bytes;
        }
        for (name, bytes) in wanted.difference(&files) {
            let found = files.iter().find(|(found, _)| found == name);
            let what =
                found.map_or("it is missing".to_owned(), |(_, found)| format!("it has {found} bytes, not {bytes}"));
            self.verified.damaged.push(format!("{}: {what}", self.place.shown(name)));
        }
        for generation in &generations {
            let chained = self.chain(generation);
            self.noting(chained.and_then(|()| self.of_log(generation, marked.flatten())))?;
        }
        self.verified.generations = generations.iter().map(|generation| generation.generation).collect();
        if let Some(newest) = generations.last() {
            self.verified.sequence = newest.log.sequence;
            self.verified.chain_head.clone_from(&newest.log.chain_head);
        }
        Ok(())
    }

    /// Takes damage down and goes on; anything else ends the verification.
    fn noting<T>(&mut self, result: Result<T, BackupError>) -> Result<Option<T>, BackupError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(BackupError::Damaged { file, why }) => {
                self.verified.damaged.push(format!("{file}: {why}"));
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn of_log(&self, generation: &Generation, log_id: Option<LogId>) -> Result<(), BackupError> {
        if log_id.is_some() && generation.log.log_id() != log_id {
            let name = self.place.shown(&Generation::file_name(generation.generation));
            return Err(BackupError::damaged(name, format!("it is of log {}", generation.log.id)));
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> Result<(), BackupError> {
        let (folder, digest) = name.split_once('/').expect("it lies in a folder");
        if folder == BLOCKS {
            return self.segment(digest);
        }
        let mut content = self.place.open(name)?;
        let (mut hasher, mut bytes) = (blake3::Hasher::new(), vec![0; READ_BYTES]);
        loop {
            let read = content.read(&mut bytes).map_err(BackupError::file(self.place.shown(name)))?;
            if read == 0 {
                break;
            }
            hasher.update(&bytes[..read]);
            self.advance(read as u64);
        }
        let found = hasher.finalize().to_hex();
        match found.as_str() == digest {
            true => Ok(()),
            false => Err(BackupError::damaged(self.place.shown(name), format!("its digest is {found}"))),
        }
    }

    fn segment(&mut self, digest: &str) -> Result<(), BackupError> {
        let mut segment = SegmentReader::open(self.place, digest)?;
        let mut links: Vec<Link> = Vec::new();
        loop {
            let (mut blocks, mut bytes) = (Vec::new(), 0);
            while bytes < BATCH_BYTES {
                let Some(block) = segment.next_block()? else { break };
                bytes += block.len() as u64 + 4;
                blocks.push(block);
            }
            if blocks.is_empty() {
                break;
            }
            let damaged = |why| BackupError::damaged(segment.file(), why);
            let checked: Result<Vec<Link>, _> = blocks.par_iter().map(|block| check_events(block)).collect();
            for link in checked.map_err(|why| damaged(why.to_string()))? {
                if let Some(before) = links.last() {
                    link.follows(&before.end()).map_err(|why| damaged(why.to_string()))?;
                }
                links.push(link);
            }
            self.advance(bytes);
        }
        self.segments.insert(digest.to_owned(), links);
        Ok(())
    }

    /// Sees that a generation's blocks follow each other from the first to where its log ends.
    fn chain(&self, generation: &Generation) -> Result<(), BackupError> {
        let name = self.place.shown(&Generation::file_name(generation.generation));
        let damaged = |why: String| BackupError::damaged(&name, why);
        let log_id = generation.log.log_id().ok_or_else(|| damaged("it names no log".to_owned()))?;
        let mut end = Head::empty(log_id);
        for Part { digest, first, last, .. } in &generation.segments {
            // One that is damaged is named already.
            let Some(links) = self.segments.get(digest) else { return Ok(()) };
            for link in links.iter().filter(|link| (*first..=*last).contains(&link.first.0)) {
                link.follows(&end).map_err(|why| damaged(why.to_string()))?;
                end = link.end();
            }
            if end.sequence.0 != *last {
                return Err(damaged(format!("segment {digest} ends at sequence {}, not {last}", end.sequence)));
            }
        }
        match generation.log.head() {
            Some(head) if head == end => Ok(()),
            _ => Err(damaged("its blocks do not end where it says that the log does".to_owned())),
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        (self.watch)(self.done.min(self.all), self.all);
    }
}
