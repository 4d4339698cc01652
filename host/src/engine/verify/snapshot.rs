//! Verified snapshots: a state that was built and verified is kept, and later verifications may start from it.

use crate::engine::states::Scratch;
use crate::engine::{Deployment, Engine, Error, SnapshotInfo};
use crate::event::Sequence;
use crate::state::Occasion;

impl Engine {
    /// The latest verified snapshot in a file to go on from, or why there is none.
    pub(super) fn start_from_verified(
        &self,
        name: &str,
        deployment: &Deployment,
        target: Sequence,
    ) -> Result<Scratch, String> {
        let in_words = |error: Error| error.to_string();
        let identity = deployment.identity();
        let is_verified = |taken: &SnapshotInfo| taken.occasion == Occasion::Verified;
        let all = self.snapshots(name).map_err(in_words)?;
        if !all.iter().any(is_verified) {
            return Err("none is kept; --keep-snapshot keeps one".to_owned());
        }
        if !all.iter().any(|taken| is_verified(taken) && taken.identity == identity) {
            return Err("it is of another identity than the state".to_owned());
        }
        let states = &self.hub.states;
        let scratch = Scratch(states.scratch(name, identity).map_err(in_words)?);
        match states.restore_upto(name, identity, &scratch.0, (target, is_verified)).map_err(in_words)? {
            Sequence::ZERO => Err("it is damaged, of another log, or behind where the state has come".to_owned()),
            _ => Ok(scratch),
        }
    }

    /// Whether there is one to start from.
    pub(super) fn has_verified(&self, name: &str) -> bool {
        self.snapshots(name).is_ok_and(|all| all.iter().any(|taken| taken.occasion == Occasion::Verified))
    }

    /// Keeps what was built and verified; another verified snapshot of the projection is no longer kept.
    pub(super) fn keep_snapshot(
        &self,
        name: &str,
        deployment: &Deployment,
        (scratch, since): (&Scratch, u64),
    ) -> Result<SnapshotInfo, Error> {
        let states = &self.hub.states;
        let taken = states.take_snapshot((name, deployment.identity()), &scratch.0, Occasion::Verified, since)?;
        states.snapshots_or_new(name)?.remove(|snapshot| {
            let other = snapshot.taken();
            other.occasion == Occasion::Verified && (other.identity, other.sequence) != (taken.identity, taken.sequence)
        })?;
        Ok(taken)
    }
}
