//! How a projection stands: what serves, what is beside it, and what holds them up.

use std::time::{Duration, Instant};

use super::key::Key;
use super::worker::standing_fault;
use super::{Deployment, Engine, Error, Phase, Progress, Projection};
use crate::event::{Digest, Filter, Sequence, Timestamp};
use crate::log::Query;
use crate::state::{Checkpoint, Costs, Fault, Missing, Reader, SetAsideTotals, Size, Totals};

/// A projection as it is now.
#[derive(Clone, Debug)]
pub struct Status {
    pub projection: Projection,
    pub head: Sequence,
    /// The state that answers readers.
    pub readable: StateStatus,
    /// Whether that one serves; it does not before its first build has caught up.
    pub is_serving: bool,
    /// The state that is being built beside it.
    pub building: Option<StateStatus>,
    /// The state that served before.
    pub previous: Option<StateStatus>,
}

/// One of a projection's states.
#[derive(Clone, Debug)]
pub struct StateStatus {
    pub deployment: Deployment,
    pub identity: Digest,
    /// `name@version`, or the digest of a plugin that is no longer installed.
    pub plugin: String,
    pub checkpoint: Checkpoint,
    /// Readers see everything up to here; beyond the checkpoint where nothing concerned it.
    pub visible: Sequence,
    pub size: Size,
    /// What its entries come to.
    pub totals: Totals,
    /// What the calls cost that made it.
    pub costs: Costs,
    pub fault_count: u64,
    pub set_aside: SetAsideTotals,
    /// Events that it was made without, because their payloads were gone.
    pub missing: Missing,
    /// How many of the events that the state before it had set aside are folded in this one, in their places. Known once
    /// it has come as far as that one.
    pub redriven: Option<u64>,
    pub phase: Phase,
    pub events_per_second: f64,
    pub memory_bytes_peak: u64,
    /// Batches that were folded once more and came out alike, since its worker began.
    pub probed: u64,
    pub batch_seconds: f64,
    /// How far it is built anew beside itself, if it is.
    pub rebuilt: Option<Sequence>,
    pub last_error: Option<String>,
    pub last_progress_at: Option<Timestamp>,
    /// How long the first event that it has not seen has waited.
    pub lag_seconds: f64,
}

/// When the directory was opened, by both clocks: the wall clock may jump afterwards.
#[derive(Debug)]
pub(super) struct Opened {
    at: Instant,
    time: Timestamp,
    head: Sequence,
}

impl Opened {
    /// Now, with the log ending there.
    pub(super) fn now(head: Sequence) -> Self {
        Self { at: Instant::now(), time: Timestamp::now(), head }
    }

    /// For how long an event has waited that was recorded then, whatever the clock has done meanwhile: one that was there
    /// already as long as the directory is open, and before; a later one at most as long.
    fn waited(&self, sequence: Sequence, recorded_at: Timestamp, now: Timestamp) -> Duration {
        let between = |from: Timestamp, to: Timestamp| {
            Duration::from_micros(u64::try_from(to.micros().saturating_sub(from.micros())).unwrap_or(0))
        };
        let open = self.at.elapsed();
        if sequence <= self.head { open + between(recorded_at, self.time) } else { open.min(between(recorded_at, now)) }
    }
}

/// What a state's file and its worker say.
struct Read {
    progress: Progress,
    checkpoint: Checkpoint,
    size: Size,
    totals: Totals,
    costs: Costs,
    fault_count: u64,
    set_aside: SetAsideTotals,
    missing: Missing,
}

impl Engine {
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        let projection = self.projection(name)?;
        let head = self.head().sequence();
        let mut readable = self.state_status(name, projection.readable(), head);
        let is_serving = projection.serving.is_some();
        let beside = |deployment: &Option<Deployment>| {
            let beside = deployment.as_ref().filter(|deployment| *deployment != projection.readable());
            beside.map(|deployment| self.state_status(name, deployment, head))
        };
        let (mut building, previous) = (beside(&projection.building), beside(&projection.previous));
        if let Some(building) = &mut building {
            building.redriven = self.redriven(name, building, &readable);
        }
        if let Some(previous) = &previous {
            readable.redriven = self.redriven(name, &readable, previous);
        }
        Ok(Status { head, readable, is_serving, building, previous, projection })
    }

    /// The faults of the state that serves, then those of the one that is being built.
    pub fn faults(&self, name: &str) -> Result<Vec<Fault>, Error> {
        let projection = self.projection(name)?;
        let mut faults = self.store_of(name, projection.readable())?.faults()?;
        if let Some(building) = projection.building.as_ref().filter(|building| *building != projection.readable()) {
            faults.extend(self.store_of(name, building)?.faults()?);
        }
        Ok(faults)
    }

    /// One that cannot be read shows why, and hides nothing of the others.
    fn state_status(&self, name: &str, deployment: &Deployment, head: Sequence) -> StateStatus {
        self.read_status(name, deployment, head).unwrap_or_else(|error| {
            let reason = error.to_string();
            let mut progress = Progress::resting(Phase::Failed { reason: reason.clone() }, Sequence::ZERO);
            progress.last_error = Some(reason);
            let size = Size { entries: 0, file_bytes: 0 };
            let (totals, costs) = (Totals::default(), Costs::default());
            let (checkpoint, set_aside) = (Checkpoint::default(), SetAsideTotals::default());
            let missing = Missing::default();
            let read = Read { progress, checkpoint, size, totals, costs, fault_count: 0, set_aside, missing };
            self.shown(name, deployment, read)
        })
    }

    fn read_status(&self, name: &str, deployment: &Deployment, head: Sequence) -> Result<StateStatus, Error> {
        let identity = deployment.identity();
        let (store, progress) = match self.hub.running.get(&Key::state(name, identity)) {
            Some(worker) => (std::sync::Arc::clone(&worker.store), Some(worker.meter.read())),
            None => (self.open_state(name, deployment)?, None),
        };
        let reader = store.reader()?;
        let (size, fault_count, set_aside) = (store.size()?, reader.fault_count()?, reader.set_aside_totals()?);
        let mut progress = match progress {
            Some(progress) => progress,
            None => at_rest(&reader)?,
        };
        if progress.last_error.is_none() {
            progress.last_error = self.hub.states.made_anew(name, identity).map(|anew| anew.why);
        }
        let (totals, costs) = (reader.totals()?, store.costs()?);
        let (checkpoint, missing) = (reader.checkpoint(), store.missing()?);
        let read = Read { progress, checkpoint, size, totals, costs, fault_count, set_aside, missing };
        let mut status = self.shown(name, deployment, read);
        if status.visible < head {
            status.lag_seconds = self.waited_seconds(status.visible.next())?;
        }
        Ok(status)
    }

    fn shown(&self, name: &str, deployment: &Deployment, read: Read) -> StateStatus {
        let Read { progress, checkpoint, size, totals, costs, fault_count, set_aside, missing } = read;
        let identity = deployment.identity();
        let rebuild = self.hub.running.get(&Key::rebuild(name, identity));
        StateStatus {
            plugin: self.plugin_name(deployment),
            deployment: deployment.clone(),
            identity,
            checkpoint,
            visible: progress.visible.max(checkpoint.sequence),
            size,
            totals,
            costs,
            fault_count,
            set_aside,
            missing,
            redriven: None,
            phase: progress.phase,
            events_per_second: progress.events_per_second,
            memory_bytes_peak: progress.memory_bytes_peak,
            probed: progress.probed,
            batch_seconds: progress.batch_seconds,
            rebuilt: rebuild.map(|rebuild| rebuild.meter.read().sequence),
            last_error: progress.last_error,
            last_progress_at: progress.last_progress_at,
            lag_seconds: 0.0,
        }
    }

    /// What served before and has no state any more, the latest first: its identity, and `name@version`.
    pub fn ran(&self, projection: &Projection) -> Vec<(Digest, String)> {
        projection.ran_before().map(|ran| (ran.identity(), self.plugin_name(ran))).collect()
    }

    pub(super) fn plugin_name(&self, deployment: &Deployment) -> String {
        let content = self.hub.catalogue.content();
        let plugin = content.plugins.iter().find(|plugin| plugin.digest == deployment.plugin);
        plugin.map_or_else(|| deployment.plugin.clone(), |plugin| format!("{}@{}", plugin.name, plugin.version))
    }

    /// How long ago that event was recorded.
    fn waited_seconds(&self, sequence: Sequence) -> Result<f64, Error> {
        let query = Query { from: sequence, to: Some(sequence), filter: Filter::all() };
        let page = self.hub.log.reader()?.read(&query, 1, 1)?;
        let recorded_at = page.batch.rows().first().map(|row| row.recorded_at);
        let waited = recorded_at.map(|time| self.opened.waited(sequence, time, Timestamp::now()));
        Ok(waited.unwrap_or_default().as_secs_f64())
    }
}

/// What a state that no worker runs is in: stopped, or before the event on which it halted.
fn at_rest(reader: &Reader) -> Result<Progress, Error> {
    let fault = standing_fault(reader)?;
    let phase = fault.map_or(Phase::Stopped, |fault| Phase::Halted(Box::new(fault)));
    Ok(Progress::resting(phase, reader.checkpoint().sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_clock_that_jumps_makes_no_lag_of_days() {
        let opened = Opened::now(Sequence(10));
        let then = |micros: i64| Timestamp::from_micros(opened.time.micros() + micros).unwrap();
        let waited = |sequence: u64, recorded_at: i64, now: i64| {
            opened.waited(Sequence(sequence), then(recorded_at), then(now)).as_secs()
        };
        assert_eq!(waited(10, -5_000_000, 0), 5, "it was there before");
        assert_eq!(waited(10, -5_000_000, 3 * DAY), 5);
        assert_eq!(waited(10, 3 * DAY, 0), 0, "recorded by a clock that was ahead");
        assert_eq!(waited(11, 0, 3 * DAY), 0, "it came since, and that is not long ago");
        assert_eq!(waited(11, 3 * DAY, -3 * DAY), 0);
    }
}
