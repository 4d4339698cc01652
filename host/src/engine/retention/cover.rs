//! Before anything is dropped: a snapshot of every state that has seen all of it, for when it can be seen no more.

use std::sync::atomic::AtomicBool;

use super::Blocked;
use crate::engine::key::Key;
use crate::engine::snapshots::marks_of;
use crate::engine::states::States;
use crate::engine::worker::Worker;
use crate::engine::{Deployment, Engine, Error, Progress, Projection};
use crate::event::{Digest, Sequence, Timestamp};
use crate::state::{Checkpoint, Occasion, Why};

impl Engine {
    /// Makes sure of a snapshot at `cut` or behind for every state of every projection: runs those that are not there yet, and
    /// waits for them. Returns the places of all states and snapshots.
    pub(super) fn cover(&self, cut: Sequence, watch: &mut dyn FnMut(&Progress)) -> Result<(), Error> {
        for projection in self.projections() {
            if let Err(error) = self.start(&projection.name) {
                let identity = projection.readable().identity();
                return Err(blocked(&projection, identity, Sequence::ZERO, error.to_string()));
            }
            for deployment in projection.deployments() {
                if !self.hub.states.has_base(&projection.name, deployment.identity(), cut)? {
                    self.take_base(&projection, deployment, cut, watch)?;
                }
            }
        }
        Ok(())
    }

    fn take_base(
        &self,
        projection: &Projection,
        deployment: &Deployment,
        cut: Sequence,
        watch: &mut dyn FnMut(&Progress),
    ) -> Result<(), Error> {
        let (name, identity) = (projection.name.as_str(), deployment.identity());
        let worker = self.hub.running.get(&Key::state(name, identity));
        let worker = worker.ok_or_else(|| blocked(projection, identity, Sequence::ZERO, "does not run".to_owned()))?;
        let progress = worker.meter.wait(|progress| progress.is_settled(cut), &mut *watch);
        if progress.visible < cut {
            return Err(blocked(projection, identity, progress.visible, progress.phase.to_string()));
        }
        let taken = self.take_as_seen(name, identity, &worker)?;
        if taken < cut {
            return Err(blocked(projection, identity, taken, "went back while it was looked at".to_owned()));
        }
        Ok(())
    }

    /// Takes a snapshot of what readers see of a state, which may be further than its file says: where nothing concerned it,
    /// nothing was written. Returns how far that is.
    fn take_as_seen(&self, name: &str, identity: Digest, worker: &Worker) -> Result<Sequence, Error> {
        let held = worker.outlet.hold();
        let reader = worker.store.reader()?;
        let marks = marks_of(&reader, &worker.store)?;
        let checkpoint = reader.checkpoint();
        let sequence = checkpoint.sequence.max(worker.meter.visible_sequence());
        drop(held);
        let chain = self.log().reader()?.chain_at(sequence)?;
        let reader = reader.moved_to(Checkpoint { sequence, chain, ..checkpoint });
        let snapshots = self.hub.states.snapshots_or_new(name)?;
        let why = Why { occasion: Occasion::Cut, taken_at: Timestamp::now(), fed_bytes: 0 };
        Ok(snapshots.take(identity, reader, marks, why, &AtomicBool::new(false))?.sequence)
    }
}

impl States {
    /// Whether there is a snapshot at `cut` or behind that no schedule lets go of.
    fn has_base(&self, name: &str, identity: Digest, cut: Sequence) -> Result<bool, Error> {
        let all = self.snapshots_upto(name, identity, Sequence(u64::MAX))?;
        Ok(all.iter().any(|(_, taken)| taken.occasion == Occasion::Cut && taken.sequence >= cut))
    }

    /// Lets go of the snapshots of earlier runs: nothing begins there that does not begin better at the latest.
    pub(super) fn drop_earlier_bases(&self, name: &str) -> Result<(), Error> {
        let Some(snapshots) = self.snapshots(name)? else { return Ok(()) };
        let all = snapshots.list()?;
        let is_earlier = |identity: Digest, sequence: Sequence| {
            all.iter().any(|it| it.occasion == Occasion::Cut && it.identity == identity && it.sequence > sequence)
        };
        snapshots.remove(|it| it.why.occasion == Occasion::Cut && is_earlier(it.identity, it.checkpoint.sequence))?;
        Ok(())
    }
}

fn blocked(projection: &Projection, identity: Digest, sequence: Sequence, why: String) -> Error {
    Error::RetentionBlocked { blocked: Blocked { projection: projection.name.clone(), identity, sequence, why } }
}
