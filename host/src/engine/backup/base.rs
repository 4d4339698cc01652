//! What a backup has when a run begins: its newest generation, and what a run that was broken off had finished.

use std::collections::{BTreeMap, BTreeSet};

use super::BackupError;
use super::frame::{BackupRequest, KnownArchive, KnownSnapshots, KnownState, Since};
use super::manifest::{
    self, BLOCKS, GENERATIONS, Generation, LastBlock, MARK, Mark, PLUGINS, Part, SavedArchive, SavedSnapshots,
    SavedState,
};
use super::place::Place;
use super::segment::{Summary, summarise};
use crate::log::{Head, LogId};

/// Far more than a generation's file has; a log of a terabyte has some 16,000 segments.
const GENERATION_BYTES_MAX: u64 = 1 << 30;
const MARK_BYTES_MAX: u64 = 1 << 16;

/// The blocks of a backup, from the log's first on.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    pub(super) end: Head,
    pub(super) rewrites: u64,
    pub(super) last_block: LastBlock,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) struct Base {
    pub(super) log_id: Option<LogId>,
    /// The number of the newest generation; 0 if there is none.
    pub(super) number: u64,
    /// None if it has no block.
    pub(super) blocks: Option<Blocks>,
    /// The plugins that it has, and their bytes.
    pub(super) plugins: BTreeMap<String, u64>,
    pub(super) states: Vec<SavedState>,
    pub(super) snapshots: Vec<SavedSnapshots>,
    pub(super) archives: Vec<SavedArchive>,
}

impl Base {
    pub(super) fn of(place: &Place) -> Result<Self, BackupError> {
        let log_id = log_id(place)?;
        let generations = generations(place)?;
        let plugins = place.names(PLUGINS)?;
        let mut base = Self {
            log_id,
            number: 0,
            blocks: None,
            plugins,
            states: Vec::new(),
            snapshots: Vec::new(),
            archives: Vec::new(),
        };
        let Some(log_id) = log_id else { return Ok(base) };
        let stored = place.names(BLOCKS)?;
        if let Some((number, newest)) = generations.last_key_value() {
            check_there(place, newest, &stored)?;
            base.number = *number;
            base.states.clone_from(&newest.states);
            base.snapshots.clone_from(&newest.snapshots);
            base.archives.clone_from(&newest.archives);
            base.blocks = newest.log.last_block.clone().map(|last_block| Blocks {
                end: newest.log.head().expect("it was checked when it was read"),
                rewrites: newest.log.rewrites,
                last_block,
                parts: newest.segments.clone(),
            });
        }
        let named: BTreeSet<&str> =
            generations.values().flat_map(|it| &it.segments).map(|part| part.digest.as_str()).collect();
        let mut left = Vec::new();
        for (digest, bytes) in stored.iter().filter(|(digest, _)| !named.contains(digest.as_str())) {
            // What is damaged is of no use, and the next sweep removes it.
            left.extend(summarise(place, digest, *bytes, log_id).ok());
        }
        while let Some(next) = left.iter().filter(|it| base.goes_on_with(it, log_id)).max_by_key(|it| it.part.last) {
            base.blocks = Some(with(base.blocks.take(), next));
        }
        Ok(base)
    }

    /// Whether a segment that no generation names goes on where the blocks end, or where the last of them began.
    fn goes_on_with(&self, segment: &Summary, log_id: LogId) -> bool {
        let Some(blocks) = &self.blocks else { return segment.first.follows(&Head::empty(log_id)).is_ok() };
        let is_again = segment.first.first.0 == blocks.last_block.first
            && segment.first.chain_before.to_string() == blocks.last_block.chain_before;
        segment.part.last > blocks.end.sequence.0
            && segment.rewrites == blocks.rewrites
            && (is_again || segment.first.follows(&blocks.end).is_ok())
    }

    /// What to ask of the host.
    pub(super) fn request(&self, with_states: bool) -> BackupRequest {
        let since = self.log_id.zip(self.blocks.as_ref()).map(|(log_id, blocks)| Since {
            log_id: log_id.to_string(),
            sequence: blocks.end.sequence.0,
            chain_head: blocks.end.chain.to_string(),
            rewrites: blocks.rewrites,
            last_block: blocks.last_block.first,
        });
        let states = self.states.iter();
        let states = states.map(|state| KnownState { identity: state.identity.clone(), sequence: state.sequence });
        let snapshots = self.snapshots.iter();
        let snapshots =
            snapshots.map(|it| KnownSnapshots { projection: it.projection.clone(), version: it.version.clone() });
        let archives = self.archives.iter();
        let archives = archives.map(|it| KnownArchive { name: it.name.clone(), version: it.version.clone() });
        BackupRequest {
            since,
            plugins: self.plugins.keys().cloned().collect(),
            with_states,
            states: states.collect(),
            with_snapshots: with_states,
            snapshots: snapshots.filter(|_| with_states).collect(),
            with_archives: true,
            archives: archives.collect(),
        }
    }
}

fn with(blocks: Option<Blocks>, segment: &Summary) -> Blocks {
    let mut parts = blocks.map(|blocks| blocks.parts).unwrap_or_default();
    cut(&mut parts, segment.part.first);
    parts.push(segment.part.clone());
    let Summary { end, rewrites, last_block, .. } = segment;
    Blocks { end: *end, rewrites: *rewrites, last_block: last_block.clone(), parts }
}

/// Leaves out the blocks from that first sequence on.
pub(super) fn cut(parts: &mut Vec<Part>, from: u64) {
    parts.retain(|part| part.first < from);
    if let Some(last) = parts.last_mut() {
        last.last = last.last.min(from - 1);
    }
}

/// Whose backup it is; none if nothing was written yet.
pub(super) fn log_id(place: &Place) -> Result<Option<LogId>, BackupError> {
    if !place.has(MARK) {
        return Ok(None);
    }
    let file = place.shown(MARK);
    let mark: Mark = manifest::parse(&file, &place.read(MARK, MARK_BYTES_MAX)?)?;
    let log_id = mark.log_id.parse();
    log_id.map(Some).map_err(|_| BackupError::damaged(file, "what it says of the log is no id"))
}

/// All generations by number, each read and checked.
pub(super) fn generations(place: &Place) -> Result<BTreeMap<u64, Generation>, BackupError> {
    let numbers = numbers(place)?;
    numbers.into_iter().map(|number| Ok((number, generation(place, number)?))).collect()
}

/// The numbers of all generations.
pub(super) fn numbers(place: &Place) -> Result<BTreeSet<u64>, BackupError> {
    let names = place.names(GENERATIONS)?.into_keys();
    Ok(names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect())
}

pub(super) fn generation(place: &Place, number: u64) -> Result<Generation, BackupError> {
    let name = Generation::file_name(number);
    if !place.has(&name) {
        return Err(BackupError::NoGeneration { path: place.path().to_owned(), generation: number });
    }
    let file = place.shown(&name);
    let found = Generation::parse(&file, &place.read(&name, GENERATION_BYTES_MAX)?)?;
    if found.generation != number {
        return Err(BackupError::damaged(file, format!("it is of generation {}", found.generation)));
    }
    Ok(found)
}

/// A generation that builds on another must not build on what is gone.
fn check_there(place: &Place, newest: &Generation, stored: &BTreeMap<String, u64>) -> Result<(), BackupError> {
    for part in &newest.segments {
        let name = format!("{BLOCKS}/{}", part.digest);
        match stored.get(&part.digest) {
            None => return Err(BackupError::damaged(place.shown(&name), "it is missing")),
            Some(bytes) if *bytes != part.bytes => {
                let why = format!("it has {bytes} bytes, not {}", part.bytes);
                return Err(BackupError::damaged(place.shown(&name), why));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
