//! Snapshots of states: taken as a projection goes or when somebody asks, thinned with age, and used wherever a state as of
//! an earlier event is needed.

mod keeping;
mod thin;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) use keeping::Keeping;

use super::states::States;
use super::{Engine, Error, Keep};
use crate::event::{Digest, Sequence, Timestamp};
use crate::state::{Damaged, Marks, Occasion, Reader, Snapshots, Store, Taken, View, Why};

/// A snapshot of one of a projection's states.
pub type SnapshotInfo = Taken;

impl Engine {
    /// The snapshots of a projection, of all that it ran, by identity and sequence.
    pub fn snapshots(&self, name: &str) -> Result<Vec<SnapshotInfo>, Error> {
        self.projection(name)?;
        match self.hub.states.snapshots(name)? {
            Some(snapshots) => Ok(snapshots.list()?),
            None => Ok(Vec::new()),
        }
    }

    /// The size of the file that holds them.
    pub fn snapshots_bytes(&self, name: &str) -> u64 {
        let snapshots = self.hub.states.snapshots(name).ok().flatten();
        snapshots.map_or(0, |snapshots| snapshots.file_bytes())
    }

    /// From which event on the readable state answers without folding more than a few; none if it has no history.
    pub fn history_from(&self, name: &str) -> Result<Option<Sequence>, Error> {
        Ok(self.store_of(name, self.projection(name)?.readable())?.history_from()?)
    }

    /// Takes a snapshot of the state that answers readers, as it is now. It stays until it is removed.
    pub fn take_snapshot(&self, name: &str) -> Result<SnapshotInfo, Error> {
        let since = self.hub.states.removals();
        let projection = self.projection(name)?;
        let deployment = projection.readable();
        let store = self.store_of(name, deployment)?;
        self.hub.states.take_snapshot((name, deployment.identity()), &store, Occasion::Hand, since)
    }

    /// Removes the snapshots at that sequence. Returns how many there were.
    ///
    /// # Errors
    /// If a state could not be begun any more behind what was dropped of the log.
    pub fn remove_snapshot(&self, name: &str, sequence: Sequence) -> Result<usize, Error> {
        let projection = self.projection(name)?;
        let all = self.snapshots(name)?;
        let is_needed = |taken: &&Taken| {
            let is_run = projection.deployments().any(|it| it.identity() == taken.identity);
            let stays = |it: &Taken| it.occasion != Occasion::Schedule && it.sequence > sequence;
            let has_later = all.iter().any(|it| it.identity == taken.identity && stays(it));
            taken.sequence == sequence && taken.occasion == Occasion::Cut && is_run && !has_later
        };
        if all.iter().any(|taken| is_needed(&taken)) {
            return Err(Error::SnapshotNeeded { name: name.to_owned(), sequence });
        }
        let removed = match self.hub.states.snapshots(name)? {
            Some(snapshots) => snapshots.remove(|snapshot| snapshot.checkpoint.sequence == sequence)?,
            None => 0,
        };
        self.hub.pasts.forget(name);
        if removed == 0 {
            return Err(Error::UnknownSnapshot { name: name.to_owned(), sequence });
        }
        Ok(removed)
    }

    /// Changes what a projection keeps of its past, from its next commit on.
    pub fn set_keep(&self, name: &str, keep: Keep) -> Result<(), Error> {
        self.hub.catalogue.change(|content| {
            content.projection_mut(name)?.keep = keep;
            Ok(())
        })?;
        self.hub.states.schedule(name, keep);
        Ok(())
    }

    /// Removes snapshots of what is known no longer. That one stays hurts nobody.
    pub(super) fn remove_unknown_snapshots(&self) {
        for projection in self.projections() {
            self.hub.states.remove_leftovers(&projection.name);
            let known: Vec<Digest> = projection.recipes().map(super::Deployment::identity).collect();
            let removed = self.hub.states.snapshots(&projection.name).and_then(|snapshots| match snapshots {
                Some(snapshots) => Ok(snapshots.remove(|snapshot| !known.contains(&snapshot.identity))?),
                None => Ok(0),
            });
            if let Err(error) = removed {
                tracing::warn!(projection = projection.name, "{error}");
            }
        }
    }
}

impl States {
    /// Takes a snapshot of what a file has now, unless something that it may hold was erased since.
    pub(super) fn take_snapshot(
        &self,
        (name, identity): (&str, Digest),
        store: &Store,
        occasion: Occasion,
        since: u64,
    ) -> Result<SnapshotInfo, Error> {
        let _unremoved = self.unless_removed(since).ok_or_else(|| Error::ErasedMeanwhile(name.to_owned()))?;
        let (reader, stop) = (store.reader()?, AtomicBool::new(false));
        let marks = marks_of(&reader, store)?;
        let snapshots = self.snapshots_or_new(name)?;
        // How much it was fed is for those that are thinned with age.
        let of = Why { occasion, taken_at: Timestamp::now(), fed_bytes: 0 };
        Ok(snapshots.take(identity, reader, marks, of, &stop)?)
    }

    /// The snapshots of a state up to an event, the latest first.
    pub(super) fn snapshots_upto(
        &self,
        name: &str,
        identity: Digest,
        upto: Sequence,
    ) -> Result<Vec<(Arc<Snapshots>, Taken)>, Error> {
        let Some(snapshots) = self.snapshots(name)? else { return Ok(Vec::new()) };
        let mut all = snapshots.list()?;
        all.retain(|taken| taken.identity == identity && taken.sequence <= upto);
        all.sort_by_key(|taken| std::cmp::Reverse(taken.sequence));
        Ok(all.into_iter().map(|taken| (Arc::clone(&snapshots), taken)).collect())
    }

    /// Whether a snapshot was taken of this log as it is now. That one was not is said.
    pub(super) fn is_of_this_log(&self, name: &str, taken: &Taken) -> Result<bool, Error> {
        let reader = self.log().reader()?;
        if taken.sequence <= reader.head().sequence && self.is_chain(taken.sequence, taken.chain)? {
            return Ok(true);
        }
        let sequence = taken.sequence;
        tracing::warn!(
            projection = name,
            "the snapshot at sequence {sequence} is not used: the events up to there are not those in the log"
        );
        Ok(false)
    }

    /// Fills an empty state from the latest snapshot that is sound. Returns how far that is; 0 if there is none.
    pub(super) fn restore(&self, name: &str, identity: Digest, store: &Store) -> Result<Sequence, Error> {
        self.restore_upto(name, identity, store, (self.log().head().sequence, |_| true))
    }

    /// The same from one of those that `is_wanted` names, up to an event.
    pub(super) fn restore_upto(
        &self,
        name: &str,
        identity: Digest,
        store: &Store,
        (upto, is_wanted): (Sequence, impl Fn(&Taken) -> bool),
    ) -> Result<Sequence, Error> {
        for (snapshots, taken) in self.snapshots_upto(name, identity, upto)? {
            if !is_wanted(&taken) || !self.is_of_this_log(name, &taken)? {
                continue;
            }
            match fill(&snapshots, &taken, store) {
                Ok(()) => {
                    tracing::info!(projection = name, "a state begins at the snapshot at sequence {}", taken.sequence);
                    return Ok(taken.sequence);
                }
                Err(error @ Error::State(crate::state::Error::Storage { .. })) => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        projection = name,
                        "the snapshot at sequence {} is not used: {error}",
                        taken.sequence
                    );
                    self.scrub(name);
                }
            }
        }
        Ok(Sequence::ZERO)
    }

    /// Fills an empty state from the first sound snapshot at `gone` or behind, and at `upto` at most: what was dropped of the
    /// log is before it. Returns how far that is; 0 if there is none.
    pub(super) fn restore_behind(
        &self,
        name: &str,
        identity: Digest,
        store: &Store,
        (gone, upto): (Sequence, Sequence),
    ) -> Result<Sequence, Error> {
        let all = self.snapshots_upto(name, identity, upto)?;
        let places = all.iter().rev().map(|(_, taken)| taken.sequence).filter(|sequence| *sequence >= gone);
        for place in places.collect::<Vec<_>>() {
            let restored =
                self.restore_upto(name, identity, store, (place, |taken: &Taken| taken.sequence == place))?;
            if restored > Sequence::ZERO {
                return Ok(restored);
            }
        }
        Ok(Sequence::ZERO)
    }

    /// Removes what is damaged of a projection's snapshots; all of them where that cannot be told.
    pub(super) fn scrub(&self, name: &str) {
        let keep = |damaged: &[Damaged]| self.keep_damaged(name, damaged);
        let scrubbed = self.snapshots(name).and_then(|snapshots| snapshots.map(|it| it.scrub(keep)).transpose());
        match scrubbed {
            Ok(removed) => {
                for Damaged { sequence, why, .. } in removed.unwrap_or_default() {
                    tracing::warn!(projection = name, "the snapshot at sequence {sequence} is removed: {why}");
                }
            }
            Err(error) => self.set_snapshots_aside(name, &error.to_string()),
        }
    }
}

fn fill(snapshots: &Snapshots, taken: &Taken, store: &Store) -> Result<(), Error> {
    let Some(view) = snapshots.view(taken.identity, taken.sequence)? else { return Ok(()) };
    let manifest = view.manifest();
    store.fill(view.entries()?, manifest.checkpoint, &manifest.marks, Some(manifest.digest))?;
    Ok(())
}

/// What belongs to a state beside its entries.
pub(super) fn marks_of(reader: &Reader, store: &Store) -> Result<Marks, Error> {
    let mut faults = reader.faults()?;
    // That at which a state halted lies behind its checkpoint.
    faults.retain(|fault| fault.sequence <= reader.checkpoint().sequence.0);
    let set_aside = reader.set_aside(None, usize::MAX)?.into_iter().collect();
    Ok(Marks { faults, set_aside, costs: Some(store.costs()?), missing: Some(store.missing()?), history: None })
}

/// A snapshot that is found damaged while it is read.
pub(super) fn damage(view: Option<&Arc<View>>) -> Option<String> {
    view.and_then(|view| view.damage())
}
