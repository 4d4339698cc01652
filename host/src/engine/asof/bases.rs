//! What is at hand of a state at or before an event: the nearest is where its making starts.

use std::sync::Arc;

use super::cache::Sought;
use super::{Keep, Origin};
use crate::engine::{Deployment, Engine, Error};
use crate::event::Sequence;
use crate::state::{Base, Checkpoint, Fault, Missing, Reader, SetAside, Store, Undone, View};

/// So near it is not worth looking for something nearer.
const NEAR_EVENTS: u64 = 2_000;

/// Where the making of a state starts.
#[derive(Debug, Default)]
pub(in crate::engine) struct Start {
    pub(super) base: Base,
    pub(super) checkpoint: Checkpoint,
    /// Of the events up to there.
    pub(super) faults: Vec<Fault>,
    pub(super) set_aside: Vec<(String, SetAside)>,
    /// Events that it was made without.
    pub(super) missing: Missing,
    pub(super) origin: Origin,
    pub(super) keep: Keep,
    /// The snapshot that all of it lies over, if one does.
    pub(super) view: Option<Arc<View>>,
    /// What was nearer and could not be used.
    pub(super) unused: Vec<String>,
}

impl Start {
    pub(super) fn sequence(&self) -> Sequence {
        self.checkpoint.sequence
    }

    fn of_snapshot(view: View) -> Self {
        let (view, origin) = (Arc::new(view), Origin::Snapshot);
        let manifest = view.manifest();
        let (checkpoint, faults) = (manifest.checkpoint, manifest.marks.faults.clone());
        let set_aside = manifest.marks.set_aside.clone().into_iter().collect();
        let missing = manifest.marks.missing.unwrap_or_default();
        let base = Base::Snapshot(Arc::clone(&view));
        Self { base, checkpoint, faults, set_aside, missing, origin, view: Some(view), ..Self::default() }
    }

    fn undone(store: Arc<Store>, undone: Undone) -> Result<Self, Error> {
        let (checkpoint, faults, set_aside) = (undone.checkpoint(), undone.faults()?, undone.set_aside()?);
        // What it misses lies before what history reaches back to.
        let missing = store.missing()?;
        let (base, keep) = (Base::Undone(Box::new(undone)), Keep::Store(store));
        Ok(Self { base, checkpoint, faults, set_aside, missing, origin: Origin::History, keep, ..Self::default() })
    }

    fn live(store: Arc<Store>, reader: Reader) -> Result<Self, Error> {
        let checkpoint = reader.checkpoint();
        let mut faults = reader.faults()?;
        faults.retain(|fault| fault.sequence <= checkpoint.sequence.0);
        let set_aside = reader.set_aside(None, usize::MAX)?;
        let missing = store.missing()?;
        let (base, keep) = (Base::File(Box::new(reader)), Keep::Store(store));
        Ok(Self { base, checkpoint, faults, set_aside, missing, origin: Origin::Live, keep, ..Self::default() })
    }
}

impl Engine {
    /// The nearest of all that is at hand. What of it cannot be read is passed over, and said.
    pub(super) fn nearest(&self, deployment: &Deployment, sought: &Sought) -> Result<Start, Error> {
        // What had occurred by a time is no beginning of what was recorded: nothing of it is at hand.
        if sought.occurred.is_some() {
            return Ok(Start::default());
        }
        let mut unused = Vec::new();
        let mut note = |what: &str, error: &Error| {
            tracing::warn!(
                projection = sought.name,
                "{what} is not used for a state as of {}: {error}",
                sought.sequence
            );
            unused.push(format!("{what}: {error}"));
        };
        let live = self.live(deployment, sought).unwrap_or_else(|error| {
            note("the state's file", &error);
            None
        });
        let recent = self.hub.pasts.nearest(sought);
        let recent = recent.map(|past| Start {
            base: past.base(),
            checkpoint: Checkpoint { sequence: past.sequence, ..Checkpoint::default() },
            faults: past.faults.clone(),
            set_aside: past.set_aside.clone(),
            missing: past.missing,
            origin: Origin::Recent,
            view: past.view.clone(),
            ..Start::default()
        });
        let nearest = [live, recent].into_iter().flatten().max_by_key(Start::sequence).unwrap_or_default();
        let is_near = sought.sequence.0 - nearest.sequence().0 <= NEAR_EVENTS;
        if is_near && matches!(nearest.origin, Origin::Live | Origin::History) {
            return Ok(Start { unused, ..nearest });
        }
        let snapshot = self.snapshot_behind(sought, nearest.sequence(), &mut note);
        Ok(Start { unused, ..snapshot.unwrap_or(nearest) })
    }

    /// The latest snapshot behind an event that can be read.
    fn snapshot_behind(&self, sought: &Sought, behind: Sequence, note: &mut impl FnMut(&str, &Error)) -> Option<Start> {
        let Sought { name, identity, sequence, .. } = sought;
        let found = self.hub.states.snapshots_upto(name, *identity, *sequence);
        let found = found.inspect_err(|error| note("a snapshot", error)).unwrap_or_default();
        for (snapshots, taken) in found.into_iter().filter(|(_, taken)| taken.sequence > behind) {
            let view = match self.hub.states.is_of_this_log(name, &taken) {
                Ok(true) => snapshots.view(taken.identity, taken.sequence).map_err(Error::from),
                Ok(false) => continue,
                Err(error) => Err(error),
            };
            match view {
                Ok(Some(view)) => return Some(Start::of_snapshot(view)),
                Ok(None) => {}
                Err(error) => note("a snapshot", &error),
            }
        }
        None
    }

    /// The state's file as it stands, or as its history says that it was, if that is no further.
    fn live(&self, deployment: &Deployment, sought: &Sought) -> Result<Option<Start>, Error> {
        if self.projection(&sought.name)?.deployments().all(|it| it != deployment) {
            return Ok(None);
        }
        let store = self.store_of(&sought.name, deployment)?;
        let reader = store.reader()?;
        if reader.checkpoint().sequence <= sought.sequence {
            return Start::live(store, reader).map(Some);
        }
        drop(reader);
        let undone = store.undone(sought.sequence)?;
        undone.map(|undone| Start::undone(store, undone)).transpose()
    }
}
