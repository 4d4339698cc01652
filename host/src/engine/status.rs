//! How a projection stands: what serves, what is being built beside it, and what holds them up.

use std::sync::Arc;

use super::{Deployment, Engine, Error, FaultPolicy, Phase, Projection};
use crate::event::{Digest, Sequence};
use crate::state::{Checkpoint, Fault, Size, Store};

/// A projection as it is now.
#[derive(Clone, Debug)]
pub struct Status {
    pub projection: Projection,
    pub head: Sequence,
    /// The state that answers readers.
    pub readable: StateStatus,
    /// The state that will take its place when it has caught up.
    pub building: Option<StateStatus>,
}

/// One of a projection's states.
#[derive(Clone, Debug)]
pub struct StateStatus {
    pub identity: Digest,
    pub checkpoint: Checkpoint,
    pub size: Size,
    pub faults: Vec<Fault>,
    pub phase: Phase,
}

impl Engine {
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        let projection = self.projection(name)?;
        let readable = self.state_status(name, projection.readable())?;
        let beside = projection.building.as_ref().filter(|building| *building != projection.readable());
        let building = beside.map(|building| self.state_status(name, building)).transpose()?;
        Ok(Status { head: self.head().sequence(), readable, building, projection })
    }

    /// The faults of the state that serves, then those of the one that is being built.
    pub fn faults(&self, name: &str) -> Result<Vec<Fault>, Error> {
        let status = self.status(name)?;
        let building = status.building.into_iter().flat_map(|building| building.faults);
        Ok(status.readable.faults.into_iter().chain(building).collect())
    }

    fn state_status(&self, name: &str, deployment: &Deployment) -> Result<StateStatus, Error> {
        let (identity, store) = (deployment.identity(), self.store_of(name, deployment)?);
        let phase = match self.running_phase(name, identity) {
            Some(phase) => phase,
            None => resting_phase(&store, deployment.on_fault)?,
        };
        let (checkpoint, size, faults) = (store.checkpoint()?, store.size()?, store.faults()?);
        Ok(StateStatus { identity, checkpoint, size, faults, phase })
    }
}

/// What a state that no worker runs is in: stopped, or before the event on which it halted.
fn resting_phase(store: &Arc<Store>, policy: FaultPolicy) -> Result<Phase, Error> {
    let fault = super::worker::standing_fault(store, policy)?;
    Ok(fault.map_or(Phase::Stopped, |fault| Phase::Halted(Box::new(fault))))
}
