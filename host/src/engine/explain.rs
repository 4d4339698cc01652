//! Which events cost the most: the calls that took the most fuel are made again, event by event.

use super::replay::{End, Replay};
use super::states::Scratch;
use super::verify::watched;
use super::{Engine, Error, Progress, Sizing};
use crate::event::{Digest, Filter, Sequence};
use crate::log::Query;
use crate::state::CallCost;

/// What the costliest events of a state are.
#[derive(Clone, Debug)]
pub struct Explained {
    pub identity: Digest,
    /// The fuel that an event may use.
    pub fuel_per_event: u64,
    /// The state's events and the fuel of the calls that folded them.
    pub events: u64,
    pub fuel: u64,
    /// Calls that were made again, and their events.
    pub calls_examined: u64,
    pub events_examined: u64,
    /// What the costliest of the other calls took: no event in them took more. None if there are no others.
    pub others_at_most: Option<u64>,
    /// The costliest first.
    pub costliest: Vec<CostlyEvent>,
}

/// An event and the fuel of a call with it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostlyEvent {
    pub sequence: Sequence,
    pub stream: String,
    /// As the log has it, before upcasting.
    pub event_type: String,
    pub fuel: u64,
}

/// 16 calls are made again: with batches of 8,192 events that is some 10 seconds for a Rust plugin, behind the replay.
const EXAMINED_MAX: usize = 16;

/// The most events that can be asked for: so many of one call are remembered.
pub const COSTLY_EVENTS_MAX: usize = crate::state::Costs::COSTLIEST_MAX;

impl Engine {
    /// Finds the `limit` costliest events of the state that answers readers, by replaying it into another file up to the
    /// last of its costliest calls.
    pub fn explain(
        &self,
        name: &str,
        limit: usize,
        mut watch: impl FnMut(&Progress) + Send,
    ) -> Result<Explained, Error> {
        let projection = self.projection(name)?;
        let deployment = projection.readable();
        let store = self.store_of(name, deployment)?;
        let (checkpoint, costs) = (store.checkpoint()?, store.costs()?);
        let costliest = costs.costliest();
        let (examined, others) = costliest.split_at(costliest.len().min(EXAMINED_MAX));
        let scratch = Scratch(self.hub.states.scratch(name, deployment.identity())?);
        let code = self.code(deployment)?;
        let mut replay =
            self.replay_with(name, deployment, &code, std::sync::Arc::clone(&scratch.0), Sizing::adaptive())?;
        let mut events = watched(&mut replay, &mut watch, |replay| one_by_one(name, replay, examined))?;
        events.sort_by_key(|call| (std::cmp::Reverse(call.fuel), call.first));
        events.truncate(limit);
        Ok(Explained {
            identity: deployment.identity(),
            fuel_per_event: deployment.fuel_per_event,
            events: checkpoint.events,
            fuel: checkpoint.fuel,
            calls_examined: examined.len() as u64,
            events_examined: examined.iter().map(|call| call.events).sum(),
            others_at_most: others.first().map(|call| call.fuel),
            costliest: events.into_iter().map(|call| self.costly(call)).collect::<Result<_, Error>>()?,
        })
    }

    fn costly(&self, call: CallCost) -> Result<CostlyEvent, Error> {
        let query = Query { from: call.first, to: Some(call.first), filter: Filter::all() };
        let page = self.hub.log.reader()?.read(&query, 1, 1)?;
        let event = page.batch.find(call.first).ok_or(Error::EventFolded { sequence: call.first })?;
        let (stream, event_type) = (event.stream.to_owned(), event.event_type.to_owned());
        Ok(CostlyEvent { sequence: call.first, stream, event_type, fuel: call.fuel })
    }
}

/// Goes through the log in large batches, and through these calls event by event; returns what single events took.
fn one_by_one(name: &str, replay: &mut Replay, calls: &[CallCost]) -> Result<Vec<CallCost>, Error> {
    let mut in_order = calls.to_vec();
    in_order.sort_by_key(|call| call.first);
    let mut events = Vec::new();
    for call in in_order {
        run_to(name, replay, call.first.previous())?;
        let sizing = std::mem::replace(&mut replay.feed.sizing, Sizing::cycle(&[1]));
        replay.take_costs();
        run_to(name, replay, call.last)?;
        events.extend_from_slice(replay.take_costs().costliest());
        replay.feed.sizing = sizing;
    }
    Ok(events)
}

fn run_to(name: &str, replay: &mut Replay, target: Sequence) -> Result<(), Error> {
    let end = replay.run_to(target)?;
    replay.commit(true)?;
    match end {
        End::Reached => Ok(()),
        End::Stopped(_) | End::Asked => {
            let reached = replay.reached().sequence;
            let why = "it stops there, which the state did not".to_owned();
            Err(Error::EndsBefore { name: name.to_owned(), wanted: target, reached, why })
        }
    }
}
