//! Moving a projection to another deployment while it serves: built beside, compared, promoted, and undone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_listener::Listener as _;

use super::catalogue::Content;
use super::key::Key;
use super::operate::parameters;
use super::worker::Worker;
use super::{Deployment, DroppedPolicy, Engine, Error, FaultPolicy, Phase, Progress, Projection, Sizing};
use crate::plugin::Limits;

/// A state this many events behind catches up within a moment, so a switch waits for it.
const CLOSE_EVENTS: u64 = 20_000;

/// How long a switch waits for a state that is close.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a projection should run instead. What is left out stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Upgrade {
    /// A plugin by name, `name@version` or the start of its digest; the newest of the present one's name if left out.
    pub plugin: Option<String>,
    /// A JSON object.
    pub parameters: Option<String>,
    pub on_fault: Option<FaultPolicy>,
    pub fuel_per_event: Option<u64>,
    pub memory_bytes: Option<u64>,
    /// What it does about events that were compacted, from now on.
    pub dropped: Option<DroppedPolicy>,
    /// Let the new state serve as soon as it has caught up.
    pub auto_promote: bool,
}

/// One of the states beside the one that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// What is being built, or built and waiting to be promoted.
    Building,
    /// What served before.
    Previous,
}

impl Beside {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Previous => "previous",
        }
    }
}

impl Engine {
    /// Builds another deployment's state beside the one that serves. The deployment that serves costs nothing.
    pub fn upgrade(&self, name: &str, upgrade: &Upgrade) -> Result<Projection, Error> {
        let (projection, dropped) = self.hub.catalogue.change(|content| {
            let present = content.projection(name)?.readable().clone();
            let deployment = self.upgraded(&present, upgrade, content)?;
            let projection = content.projection_mut(name)?;
            projection.dropped = upgrade.dropped.unwrap_or(projection.dropped);
            let dropped = build(projection, deployment, upgrade.auto_promote);
            Ok((projection.clone(), dropped))
        })?;
        self.hub.forget(name, dropped);
        if upgrade.dropped.is_some() {
            self.restart_failed(&projection)?;
        }
        if let Some(building) = &projection.building {
            self.start_state(&projection, building)?;
        }
        Ok(projection)
    }

    /// Lets states go on that failed: what they failed for may be so no more.
    fn restart_failed(&self, projection: &Projection) -> Result<(), Error> {
        for deployment in projection.deployments() {
            let key = Key::state(&projection.name, deployment.identity());
            let running = self.hub.running.get(&key);
            let has_failed = |worker: Arc<Worker>| matches!(worker.meter.read().phase, Phase::Failed { .. });
            if running.is_some_and(has_failed) {
                self.hub.stop(&key);
                self.start_state(projection, deployment)?;
            }
        }
        Ok(())
    }

    fn upgraded(&self, present: &Deployment, upgrade: &Upgrade, content: &Content) -> Result<Deployment, Error> {
        let plugin = match &upgrade.plugin {
            Some(reference) => self.find_plugin(reference)?,
            None => {
                let present = self.find_plugin(&present.plugin)?;
                self.find_plugin(&present.name)?
            }
        };
        self.admit(&plugin, false)?;
        let new_parameters = upgrade.parameters.as_deref().map(parameters).transpose()?;
        let draft = Deployment {
            plugin: plugin.digest,
            abi: plugin.abi,
            parameters: new_parameters.unwrap_or_else(|| present.parameters.clone()),
            fuel_per_event: upgrade.fuel_per_event.unwrap_or(present.fuel_per_event),
            memory_bytes: upgrade.memory_bytes.unwrap_or(present.memory_bytes),
            // With the prices of today.
            limits: Deployment::named(&Limits::default()),
            on_fault: upgrade.on_fault.unwrap_or(present.on_fault),
            ..present.clone()
        };
        self.deploy(&draft, &*self.chains_of(&content.present())?)
    }

    /// Lets what was built serve, from between two events on.
    ///
    /// # Errors
    /// If nothing is being built, or it is not close to the end of the log.
    pub fn promote(&self, name: &str) -> Result<Projection, Error> {
        let projection = self.projection(name)?;
        let building = projection.building.as_ref().ok_or_else(|| no_other(name, Beside::Building))?;
        let worker = self.running_state(&projection, building)?;
        self.switch_to(name, &worker)
    }

    /// Lets what served before serve again, at once.
    pub fn rollback(&self, name: &str) -> Result<Projection, Error> {
        let projection = self.projection(name)?;
        let previous = projection.previous.as_ref().ok_or_else(|| no_other(name, Beside::Previous))?;
        let switched = self.running_state(&projection, previous).and_then(|worker| self.switch_to(name, &worker));
        // Going back is for when things are bad: a state that cannot follow any more is better than none.
        match switched {
            // Not where every append has to reach the state, though.
            Err(error) if !projection.sync => {
                tracing::warn!(projection = name, "rolled back to a state that does not follow: {error}");
                self.hub.switch_as_it_is(name, previous.identity())?;
                self.projection(name)
            }
            switched @ (Ok(_) | Err(_)) => switched,
        }
    }

    /// Drops a state beside the one that serves.
    pub fn abandon(&self, name: &str, which: Beside) -> Result<Projection, Error> {
        let (projection, dropped) = self.hub.catalogue.change(|content| {
            let projection = content.projection_mut(name)?;
            let dropped = match which {
                // The only state of a projection goes with the projection.
                Beside::Building if projection.serving.is_none() => None,
                Beside::Building => projection.building.take(),
                Beside::Previous => projection.previous.take(),
            };
            let dropped = dropped.ok_or_else(|| no_other(name, which))?;
            let is_kept = projection.deployments().any(|kept| *kept == dropped);
            Ok((projection.clone(), (!is_kept).then_some(dropped)))
        })?;
        self.hub.forget(name, dropped);
        Ok(projection)
    }

    /// Builds the readable state anew beside itself, then lets it take the old one's place. Waits for it. That it failed
    /// is the last error of the state that goes on instead.
    pub fn rebuild(&self, name: &str, watch: impl FnMut(&Progress)) -> Result<Progress, Error> {
        let rebuilt = self.build_anew(name, watch);
        let failed = match &rebuilt {
            Err(error) => Some(error.to_string()),
            Ok(progress) => match &progress.phase {
                Phase::Replaying | Phase::Live | Phase::Halted(_) => None,
                phase @ (Phase::Paused { .. } | Phase::OverQuota { .. } | Phase::Failed { .. } | Phase::Stopped) => {
                    Some(phase.to_string())
                }
            },
        };
        if let Some(failed) = failed
            && let Ok(Some(worker)) = self.hub.readable(name)
        {
            worker.meter.note(format!("it was not built anew: {failed}"));
        }
        rebuilt
    }

    fn build_anew(&self, name: &str, watch: impl FnMut(&Progress)) -> Result<Progress, Error> {
        let worker = self.start_rebuild(name)?;
        let key = Key::rebuild(name, worker.identity);
        let is_settled = |progress: &Progress| match progress.phase {
            Phase::Replaying => false,
            Phase::Live | Phase::Halted(_) => self.hub.running.get(&key).is_none(),
            Phase::OverQuota { goes_on, .. } => !goes_on,
            Phase::Paused { .. } | Phase::Failed { .. } | Phase::Stopped => true,
        };
        let progress = worker.meter.wait(is_settled, watch);
        if let Phase::Failed { .. } = progress.phase {
            self.hub.stop(&key);
        }
        Ok(progress)
    }

    /// The worker that builds the readable state anew; one that is at it already goes on.
    fn start_rebuild(&self, name: &str) -> Result<Arc<Worker>, Error> {
        let projection = self.projection(name)?;
        let deployment = projection.readable();
        let identity = deployment.identity();
        let key = Key::rebuild(name, identity);
        let _starting = self.starting();
        if let Some(running) = self.hub.running.get(&key) {
            return Ok(running);
        }
        let store = self.hub.states.scratch(name, identity)?;
        let (mut replay, plugin) = self.replay(name, deployment, store, Sizing::adaptive())?;
        replay.source = self.source_again(name, deployment, &self.code(deployment)?)?;
        replay.feed.budget = self.budget(&projection);
        replay.keeping = Some(self.keeping(&projection, identity));
        let worker = Worker::start(replay, plugin.manifest_shared(), self.duty(&projection, deployment, true, true));
        let worker = Arc::new(worker);
        drop(self.hub.running.insert(key, Arc::clone(&worker)));
        Ok(worker)
    }

    fn running_state(&self, projection: &Projection, deployment: &Deployment) -> Result<Arc<Worker>, Error> {
        self.start_state(projection, deployment)?;
        let worker = self.hub.running.get(&Key::state(&projection.name, deployment.identity()));
        worker.ok_or_else(|| Error::UnknownProjection(projection.name.clone()))
    }

    /// Asks a state to serve and waits until it does.
    fn switch_to(&self, name: &str, worker: &Worker) -> Result<Projection, Error> {
        let give_up = Instant::now() + PATIENCE;
        worker.ask_to_take_over();
        loop {
            let moved = worker.meter.listen();
            let projection = self.projection(name)?;
            let serves = projection.serving.as_ref().is_some_and(|serving| serving.identity() == worker.identity);
            // With the writer it is done only when the one that served before has left it.
            if serves && (worker.rides() || !projection.sync) {
                return Ok(projection);
            }
            let (progress, head) = (worker.meter.read(), self.head().sequence());
            let is_close = progress.sequence.0 + CLOSE_EVENTS >= head.0;
            let is_coming = match progress.phase {
                Phase::Replaying | Phase::Live => is_close,
                Phase::Halted(_)
                | Phase::Paused { .. }
                | Phase::OverQuota { .. }
                | Phase::Failed { .. }
                | Phase::Stopped => false,
            };
            if !is_coming || Instant::now() >= give_up {
                worker.ask_to_stay_beside();
                let (checkpoint, state) = (progress.visible, progress.phase.to_string());
                return Err(Error::NotCaughtUp { name: name.to_owned(), checkpoint, head, state });
            }
            moved.wait_deadline(give_up);
        }
    }
}

/// Lets a projection build a deployment. Returns what it builds no longer.
pub(super) fn build(projection: &mut Projection, deployment: Deployment, auto_promote: bool) -> Option<Deployment> {
    if projection.serving.as_ref() == Some(&deployment) {
        return None;
    }
    projection.auto_promote = auto_promote || projection.serving.is_none();
    if projection.building.as_ref() == Some(&deployment) {
        return None;
    }
    if projection.previous.as_ref() == Some(&deployment) {
        projection.previous = None;
    }
    let dropped = projection.building.replace(deployment);
    dropped.filter(|dropped| projection.deployments().all(|kept| kept != dropped))
}

fn no_other(name: &str, wanted: Beside) -> Error {
    Error::NoOtherState { name: name.to_owned(), wanted: wanted.as_str() }
}
