//! Which generations are kept; and that no file stays that none of them needs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::BackupError;
use super::base::generations;
use super::manifest::{FOLDERS, Generation};
use super::place::Place;
use crate::event::Timestamp;

/// Which generations a run leaves. Without either all are kept; with both those that either wants. The newest always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest.
    pub last: Option<usize>,
    /// Those that are no older.
    pub within: Option<Duration>,
}

impl Keep {
    fn is_all(&self) -> bool {
        self.last.is_none() && self.within.is_none()
    }

    /// Whether one stays that so many newer ones follow.
    fn keeps(&self, generation: &Generation, newer: usize, now: Timestamp) -> bool {
        let is_counted = self.last.is_some_and(|last| newer < last);
        let made_at = generation.made_at.parse::<Timestamp>().unwrap_or(now);
        let age_micros = now.micros().saturating_sub(made_at.micros());
        let is_young = self.within.is_some_and(|within| age_micros as i128 <= within.as_micros() as i128);
        newer == 0 || self.is_all() || is_counted || is_young
    }
}

/// Drops what is not to be kept, and every file that no generation needs. Only directories have more than one.
pub(super) fn retain(place: &Place, keep: Keep, now: Timestamp) -> Result<Vec<u64>, BackupError> {
    if !place.is_directory() {
        return Ok(Vec::new());
    }
    let generations = generations(place)?;
    let newest_first = generations.iter().rev().enumerate();
    let mut dropped: Vec<u64> = newest_first
        .filter(|(newer, (_, generation))| !keep.keeps(generation, *newer, now))
        .map(|(_, (number, _))| *number)
        .collect();
    dropped.sort_unstable();
    for number in &dropped {
        place.remove(&Generation::file_name(*number))?;
    }
    // A generation is gone for good before the first of its files is.
    place.sync_folders()?;
    let kept = generations.iter().filter(|(number, _)| !dropped.contains(number));
    let needed: BTreeSet<String> = kept.flat_map(|(_, it)| it.needs()).map(|(name, _)| name).collect();
    for folder in FOLDERS {
        for name in place.names(folder)?.into_keys() {
            let name = format!("{folder}/{name}");
            if !needed.contains(&name) {
                place.remove(&name)?;
            }
        }
    }
    Ok(dropped)
}
