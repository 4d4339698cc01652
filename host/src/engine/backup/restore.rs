//! Making a data directory of a backup: beside its place, verified on the way, and renamed when it is whole.

mod blocks;
mod files;
mod folded;
mod states;
mod work;

use std::path::Path;

use files::{CATALOGUE, copy, returning, whole, write};
use work::{Work, check_empty};

use super::BackupError;
use super::base::{generation, generations, log_id};
use super::manifest::{FILES, FOLDED, Generation, PLUGINS};
use super::place::Place;
use crate::event::{Sequence, Timestamp};
use crate::log::Cut;

/// Up to where a log is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// All that the backup has.
    End,
    Sequence(Sequence),
    /// The last event that was recorded then or before.
    Time(Timestamp),
}

/// What is to be restored, and where.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    pub backup: &'a Path,
    /// A data directory that is empty or does not exist.
    pub dir: &'a Path,
    pub until: Until,
    /// If left out the newest; for a sequence or a time the oldest that reaches beyond it, for things to be as they were then.
    pub generation: Option<u64>,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub generation: u64,
    pub made_at: String,
    pub log_id: String,
    pub sequence: u64,
    /// Of the last event; absent in an empty log.
    pub recorded_at: Option<String>,
    pub chain_head: String,
    pub plugins: u64,
    pub states: u64,
    /// States that lie beyond the end, or that no projection has any more.
    pub states_left_out: u64,
    /// Snapshots of states, of all projections together.
    pub snapshots: u64,
    /// Whether the host key was in the backup; without it a new one is made, which signs under another name.
    pub has_host_key: bool,
    /// Whether events are encrypted, whose keys are in no backup.
    pub is_encrypted: bool,
}

impl Restore<'_> {
    /// Calls `watch` with the last event restored, and the last to come. What fails leaves nothing behind.
    pub fn run(&self, watch: &mut dyn FnMut(u64, u64)) -> Result<Restored, BackupError> {
        self.restore(watch).map_err(|error| match error {
            BackupError::Log(error) if error.is_disk_full() => BackupError::DiskFull { path: self.dir.to_owned() },
            BackupError::State(error) if error.is_disk_full() => BackupError::DiskFull { path: self.dir.to_owned() },
            other => other,
        })
    }

    fn restore(&self, watch: &mut dyn FnMut(u64, u64)) -> Result<Restored, BackupError> {
        let place = Place::to_read(self.backup)?;
        let marked = log_id(&place)?;
        let generation = self.choose(&place)?;
        if marked != generation.log.log_id() {
            let name = place.shown(&Generation::file_name(generation.generation));
            return Err(BackupError::damaged(name, format!("it is of log {}", generation.log.id)));
        }
        check_empty(self.dir)?;
        let work = Work::begin(self.dir)?;
        let cut = match self.until {
            Until::End => Cut::Nowhere,
            Until::Sequence(last) => Cut::Behind(last),
            Until::Time(time) => Cut::After(time),
        };
        let last = self.last(&generation);
        let watch = &mut |reached| watch(reached, last);
        let head = blocks::restore(&place, &generation, (&work.inner, cut), watch)?;
        for file in generation.files.iter().filter(|file| file.name != FOLDED) {
            self.file(&place, &file.name, &file.digest, &work.inner)?;
        }
        for plugin in &generation.plugins {
            copy(&place, PLUGINS, &plugin.digest, &work.inner.join("plugins").join(format!("{}.wasm", plugin.digest)))?;
        }
        files::archives(&place, &generation, &work.inner, head)?;
        let back = states::states(&place, &generation, &work.inner)?;
        work.finish(self.dir)?;
        Ok(Restored {
            generation: generation.generation,
            made_at: generation.made_at,
            log_id: generation.log.id,
            sequence: head.sequence.0,
            recorded_at: (head.sequence > Sequence::ZERO).then(|| head.recorded_at.to_string()),
            chain_head: head.chain.to_string(),
            plugins: generation.plugins.len() as u64,
            states: back.states,
            states_left_out: generation.states.len() as u64 - back.states,
            snapshots: back.snapshots,
            has_host_key: generation.files.iter().any(|file| file.name == "host-key"),
            is_encrypted: generation.files.iter().any(|file| file.name == "encryption.json"),
        })
    }

    fn choose(&self, place: &Place) -> Result<Generation, BackupError> {
        if let Some(number) = self.generation {
            return self.reaching(generation(place, number)?);
        }
        let mut all = generations(place)?;
        let reaches = |generation: &Generation| match self.until {
            Until::End => false,
            Until::Sequence(wanted) => generation.log.sequence >= wanted.0,
            // Nothing that was recorded up to then can come behind a later event.
            Until::Time(time) => generation.log.head().is_some_and(|head| head.recorded_at > time),
        };
        let first = all.iter().find(|(_, generation)| reaches(generation)).map(|(number, _)| *number);
        let chosen = match first {
            Some(number) => all.remove(&number),
            None => all.pop_last().map(|(_, newest)| newest),
        };
        self.reaching(chosen.ok_or_else(|| BackupError::Empty { path: self.backup.to_owned() })?)
    }

    fn reaching(&self, generation: Generation) -> Result<Generation, BackupError> {
        match self.until {
            Until::Sequence(wanted) if wanted.0 > generation.log.sequence => {
                Err(BackupError::EndsBefore { end: Sequence(generation.log.sequence), wanted })
            }
            Until::End | Until::Sequence(_) | Until::Time(_) => Ok(generation),
        }
    }

    /// The last event to come, as far as that is known before.
    fn last(&self, generation: &Generation) -> u64 {
        match self.until {
            Until::Sequence(last) => last.0,
            Until::End | Until::Time(_) => generation.log.sequence,
        }
    }

    fn file(&self, place: &Place, name: &str, digest: &str, dir: &Path) -> Result<(), BackupError> {
        let path = dir.join(name);
        if name != CATALOGUE {
            return copy(place, FILES, digest, &path);
        }
        let text = whole(place, digest)?;
        let returning = returning(place, digest, &text)?;
        write(&path, &returning.text)
    }
}
