//! What became of events that were set aside: listed where they still are, counted where a newer state folds them.
//!
//! A newer state is built from the log's beginning, so an event that the one before had set aside is folded in its place,
//! in order. To fold it into the old state later would make a state that no replay makes.

use std::collections::BTreeMap;

use super::{Deployment, Engine, Error, FaultPolicy, StateStatus};
use crate::event::Sequence;
use crate::state::{Reader, SetAside};

/// With more faults than this, nobody counts which of them were set aside before.
const FAULTS_MAX: u64 = 10_000;

/// One of a projection's states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The one that answers readers.
    #[default]
    Readable,
    Building,
    Previous,
}

impl Engine {
    /// At most `limit` of the streams that a state has quarantined, by name, behind `after`.
    pub fn set_aside(
        &self,
        name: &str,
        which: Which,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, SetAside)>, Error> {
        let projection = self.projection(name)?;
        let (deployment, wanted) = match which {
            Which::Readable => (Some(projection.readable()), "readable"),
            Which::Building => (projection.building.as_ref(), "building"),
            Which::Previous => (projection.previous.as_ref(), "previous"),
        };
        let deployment = deployment.ok_or_else(|| Error::NoOtherState { name: name.to_owned(), wanted })?;
        Ok(self.store_of(name, deployment)?.reader()?.set_aside(after, limit)?)
    }

    /// How many events that `old` has set aside are folded in `new`; none while that cannot be said.
    pub(super) fn redriven(&self, name: &str, new: &StateStatus, old: &StateStatus) -> Option<u64> {
        let is_comparable = old.set_aside.events > 0 && new.visible >= old.visible;
        if !is_comparable || !self.wants_the_same(&new.deployment, &old.deployment) {
            return None;
        }
        let reader = |state: &StateStatus| Ok::<_, Error>(self.store_of(name, &state.deployment)?.reader()?);
        let counted = reader(new).and_then(|new_state| count(&new_state, &new.deployment, &reader(old)?));
        counted.unwrap_or_else(|error| {
            tracing::warn!(projection = name, "what is folded now of events set aside is not known: {error}");
            None
        })
    }

    /// Otherwise what one of them set aside may be nothing that the other is handed.
    fn wants_the_same(&self, one: &Deployment, other: &Deployment) -> bool {
        let filter = |deployment: &Deployment| {
            let plugin = self.projection_plugin(deployment.plugin(), &deployment.limits()).ok()?;
            Some(plugin.manifest().filter.clone())
        };
        filter(one).is_some_and(|one| Some(one) == filter(other))
    }
}

fn count(new: &Reader, deployment: &Deployment, old: &Reader) -> Result<Option<u64>, Error> {
    let passed = match deployment.on_fault {
        // It stops before the first that fails, and has come as far as the other.
        FaultPolicy::Halt => BTreeMap::new(),
        FaultPolicy::Skip if new.fault_count()? > FAULTS_MAX => return Ok(None),
        FaultPolicy::Skip => skipped(new, old)?,
        FaultPolicy::Quarantine => {
            new.set_aside(None, usize::MAX)?.into_iter().map(|(stream, it)| (stream, it.events)).collect()
        }
    };
    let folded = |(stream, it): (String, SetAside)| it.events.saturating_sub(passed.get(&stream).copied().unwrap_or(0));
    Ok(Some(old.set_aside(None, usize::MAX)?.into_iter().map(folded).sum()))
}

/// The faults in what the other has set aside, by stream.
fn skipped(new: &Reader, old: &Reader) -> Result<BTreeMap<String, u64>, Error> {
    let old: BTreeMap<String, SetAside> = old.set_aside(None, usize::MAX)?.into_iter().collect();
    let mut skipped = BTreeMap::new();
    for fault in new.faults()? {
        if old.get(&fault.stream).is_some_and(|it| Sequence(fault.sequence) >= it.first) {
            *skipped.entry(fault.stream).or_insert(0) += 1;
        }
    }
    Ok(skipped)
}
