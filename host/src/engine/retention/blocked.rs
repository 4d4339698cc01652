//! What keeps a run from dropping anything: states that have not seen yet what would go, and cannot go on.

use crate::engine::{Engine, Error, Phase, StateStatus};
use crate::event::{Digest, Sequence};

/// A state that needs the events which would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub projection: String,
    pub identity: Digest,
    /// How far it is.
    pub sequence: Sequence,
    /// Why it does not go on.
    pub why: String,
}

impl std::fmt::Display for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { projection, identity, sequence, why } = self;
        let identity = identity.short();
        write!(f, "projection {projection:?}: its state {identity} is at sequence {sequence} and {why}")
    }
}

impl Engine {
    /// The states that are not at `cut` and do not come there by themselves; one that only has to be run does.
    pub(super) fn blocked(&self, cut: Sequence) -> Result<Vec<Blocked>, Error> {
        let mut blocked = Vec::new();
        for projection in self.projections() {
            let status = self.status(&projection.name)?;
            let states = [Some(status.readable), status.building, status.previous];
            for state in states.into_iter().flatten().filter(|state| state.visible < cut) {
                if let Some(why) = stuck(&state) {
                    let (projection, identity) = (projection.name.clone(), state.identity);
                    blocked.push(Blocked { projection, identity, sequence: state.visible, why });
                }
            }
        }
        Ok(blocked)
    }
}

/// Why a state does not go on, if it does not.
fn stuck(state: &StateStatus) -> Option<String> {
    match &state.phase {
        Phase::Replaying | Phase::Live | Phase::Stopped => None,
        phase @ (Phase::Halted(_) | Phase::Paused { .. } | Phase::OverQuota { .. } | Phase::Failed { .. }) => {
            Some(phase.to_string())
        }
    }
}
