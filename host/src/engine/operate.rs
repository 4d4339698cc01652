//! Projections of a data directory: creating, starting and deleting them.

use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::code::Code;
use super::feed::Feed;
use super::key::Key;
use super::outlet::Outlet;
use super::portion::Want;
use super::quota::Budget;
use super::replay::Replay;
use super::snapshots::Keeping;
use super::source::Source;
use super::worker::{Duty, Worker};
use super::{
    Chains, Deployment, DroppedPolicy, Engine, Error, FaultPolicy, Keep, Phase, Progress, Projection, Quota, Sizing,
};
use crate::cbor;
use crate::event::{Digest, PluginName, Sequence};
use crate::plugin::{self, Limits};
use crate::state::Store;

/// What a user says of a projection that is to be made.
#[derive(Clone, Debug)]
pub struct NewProjection {
    pub name: PluginName,
    /// A plugin by name, `name@version` or the start of its digest.
    pub plugin: String,
    /// A JSON object.
    pub parameters: String,
    pub on_fault: FaultPolicy,
    pub fuel_per_event: Option<u64>,
    pub memory_bytes: Option<u64>,
    /// Apply it inside each append.
    pub sync: bool,
    pub quota: Quota,
    pub keep: Keep,
    pub dropped: DroppedPolicy,
}

impl Engine {
    /// Adds a projection to the catalogue; [`Engine::start`] builds it.
    pub fn create(&self, new: &NewProjection) -> Result<Projection, Error> {
        let plugin = self.find_plugin(&new.plugin)?;
        self.admit(&plugin, false)?;
        let limits = Limits::default();
        let draft = Deployment {
            plugin: plugin.digest.clone(),
            abi: plugin.abi,
            upcasters: Vec::new(),
            parameters: parameters(&new.parameters)?,
            fuel_per_event: new.fuel_per_event.unwrap_or(limits.fuel_per_event),
            memory_bytes: new.memory_bytes.unwrap_or(limits.memory_bytes as u64),
            limits: Deployment::named(&limits),
            on_fault: new.on_fault,
        };
        // Not while one of that name is deleted: its workers are not those of the new one.
        let _starting = self.starting();
        self.hub.catalogue.change(|content| {
            let name = new.name.to_string();
            if content.projections.contains_key(&name) {
                return Err(Error::ProjectionExists(name));
            }
            let building = Some(self.deploy(&draft, &*self.chains_of(&content.present())?)?);
            let (sync, auto_promote, quota) = (new.sync, true, new.quota);
            let projection = Projection {
                name: name.clone(),
                sync,
                serving: None,
                building,
                auto_promote,
                previous: None,
                ran: Vec::new(),
                dropped: new.dropped,
                keep: new.keep,
                quota,
            };
            content.projections.insert(name, projection.clone());
            Ok(projection)
        })
    }

    /// What a deployment becomes with these upcasters in force.
    pub(super) fn deploy(&self, deployment: &Deployment, chains: &Chains) -> Result<Deployment, Error> {
        let limits = deployment.limits();
        let plugin = self.projection_plugin(deployment.plugin(), &limits)?;
        let upcasters = chains.touching(&plugin.manifest().filter).iter().map(Digest::to_string).collect();
        Ok(Deployment { upcasters, limits: Deployment::named(&limits), ..deployment.clone() })
    }

    /// Changes what a projection may use. One that rests goes on at once if it may now.
    pub fn set_quota(&self, name: &str, quota: Quota) -> Result<(), Error> {
        self.hub.catalogue.change(|content| {
            content.projection_mut(name)?.quota = quota;
            Ok(())
        })?;
        self.hub.gauges.of(name, quota);
        // Whoever waits for it from here on waits until it has tried again.
        for worker in self.hub.running.keys(name).iter().filter_map(|key| self.hub.running.get(key)) {
            if let Phase::OverQuota { .. } = worker.meter.read().phase {
                worker.meter.enter(Phase::Replaying);
            }
        }
        self.hub.writer.head().wake();
        Ok(())
    }

    /// What takes the snapshots of one of a projection's states.
    pub(super) fn keeping(&self, projection: &Projection, identity: Digest) -> Keeping {
        Keeping::new(&self.hub.states, &projection.name, identity, projection.keep)
    }

    pub(super) fn budget(&self, projection: &Projection) -> Budget {
        Budget::of(self.hub.gauges.of(&projection.name, projection.quota))
    }

    /// All projections, by name.
    pub fn projections(&self) -> Vec<Projection> {
        self.hub.catalogue.content().projections.values().cloned().collect()
    }

    pub fn projection(&self, name: &str) -> Result<Projection, Error> {
        self.hub.catalogue.projection(name)
    }

    /// Lets a projection run: each of its states on a thread of its own. Nothing happens to those that run already.
    ///
    /// # Errors
    /// If the state that answers readers cannot run, and none that can is about to take its place. That a state beside
    /// it cannot run is in the log.
    pub fn start(&self, name: &str) -> Result<(), Error> {
        let projection = self.projection(name)?;
        let readable = self.start_state(&projection, projection.readable());
        let mut takes_over = false;
        for other in projection.deployments().filter(|other| *other != projection.readable()) {
            match self.start_state(&projection, other) {
                Ok(()) => takes_over |= self.hub.serves_when_built(name, other.identity()),
                Err(error) => {
                    let state = other.identity().short();
                    tracing::error!(projection = name, state, "a state beside the one that serves cannot run: {error}");
                }
            }
        }
        readable.or_else(|error| if takes_over { Ok(()) } else { Err(error) })
    }

    /// Starts the projections that every append has to reach, and waits a moment until the writer has them. Until it has
    /// one, appends are refused and say why.
    pub(super) fn start_sync(&self) {
        /// What a crash made a state lose is made up for in less; what takes longer is not waited for.
        const PATIENCE: Duration = Duration::from_secs(2);
        let give_up = Instant::now() + PATIENCE;
        for projection in self.projections().iter().filter(|projection| projection.sync && projection.serving.is_some())
        {
            let name = &projection.name;
            self.hub.block(name, "it has not caught up since the data directory was opened");
            if let Err(error) = self.start(name) {
                self.hub.block(name, &error.to_string());
                continue;
            }
            let Ok(Some(worker)) = self.hub.readable(name) else {
                self.hub.block(name, "its state cannot run; appends are taken when the one that is being built serves");
                continue;
            };
            let is_over = |progress: &Progress| {
                let is_moving = matches!(progress.phase, Phase::Replaying | Phase::Live);
                worker.rides() || !is_moving || Instant::now() >= give_up
            };
            worker.meter.wait(is_over, |_| {});
        }
    }

    /// Starts every projection; what cannot start does not keep the others from it. Returns what could not.
    pub fn start_all(&self) -> Vec<(String, Error)> {
        let names = self.projections().into_iter().map(|projection| projection.name);
        names.filter_map(|name| self.start(&name).err().map(|error| (name, error))).collect()
    }

    pub(super) fn start_state(&self, projection: &Projection, deployment: &Deployment) -> Result<(), Error> {
        let (name, identity) = (projection.name.as_str(), deployment.identity());
        let key = Key::state(name, identity);
        let takes_over = || self.hub.serves_when_built(name, identity);
        if let Some(running) = self.hub.running.get(&key) {
            if takes_over() {
                running.ask_to_take_over();
            }
            return Ok(());
        }
        let _starting = self.starting();
        if self.hub.running.get(&key).is_some() {
            return Ok(());
        }
        let store = self.open_state(name, deployment)?;
        let (mut replay, plugin) = self.replay(name, deployment, store, Sizing::adaptive())?;
        replay.feed.budget = self.budget(projection);
        replay.feed.probe = self.prober.as_ref().map(|prober| prober.probe(deployment, &self.plugins)).transpose()?;
        replay.keeping = Some(self.keeping(projection, identity));
        let anew = self.hub.states.made_anew(name, identity);
        // Of a state that is made anew, followers have seen what comes again.
        let seen = anew.as_ref().map_or(Sequence::ZERO, |anew| anew.until);
        replay.outlet.show(replay.reached().sequence.max(seen));
        if let Some(anew) = anew {
            replay.meter.note(anew.why);
        }
        let duty = self.duty(projection, deployment, false, takes_over());
        drop(self.hub.running.insert(key, Arc::new(Worker::start(replay, plugin.manifest_shared(), duty))));
        Ok(())
    }

    /// As long as this is held, no projection begins or ends.
    pub(super) fn starting(&self) -> MutexGuard<'_, ()> {
        self.starting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn duty(
        &self,
        projection: &Projection,
        deployment: &Deployment,
        is_rebuild: bool,
        takes_over: bool,
    ) -> Duty {
        Duty {
            hub: Arc::clone(&self.hub),
            name: projection.name.clone(),
            sync: projection.sync,
            identity: deployment.identity(),
            is_rebuild,
            takes_over,
        }
    }

    pub(super) fn restart_if_running(&self, name: &str) -> Result<(), Error> {
        let projection = self.projection(name)?;
        let is_running =
            |deployment: &Deployment| self.hub.running.get(&Key::state(name, deployment.identity())).is_some();
        if projection.deployments().any(is_running) { self.start(name) } else { Ok(()) }
    }

    /// Waits until what a running projection should come to has seen everything that is in the log now, or cannot go on.
    pub fn wait(&self, name: &str, watch: impl FnMut(&Progress)) -> Result<Progress, Error> {
        let wanted = self.projection(name)?.wanted().identity();
        let worker = self.hub.running.get(&Key::state(name, wanted));
        let worker = worker.ok_or_else(|| Error::UnknownProjection(name.to_owned()))?;
        let head = self.head().sequence();
        let is_over =
            |progress: &Progress| progress.is_settled(head) && !self.is_about_to_serve(name, wanted, progress);
        Ok(worker.meter.wait(is_over, watch))
    }

    /// Whether a state has caught up and takes over any moment.
    fn is_about_to_serve(&self, name: &str, identity: Digest, progress: &Progress) -> bool {
        progress.phase == Phase::Live && self.hub.serves_when_built(name, identity)
    }

    /// How far the readable state of a running projection is.
    pub fn progress(&self, name: &str) -> Result<Progress, Error> {
        let worker = self.hub.readable(name)?.ok_or_else(|| Error::UnknownProjection(name.to_owned()))?;
        Ok(worker.meter.read())
    }

    /// Deletes a projection with all its states.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        let _starting = self.starting();
        self.hub.catalogue.change(|content| {
            content.projection(name)?;
            Ok(content.projections.remove(name))
        })?;
        self.hub.running.keys(name).iter().for_each(|key| self.hub.stop(key));
        self.hub.writer.unblock(name)?;
        self.hub.running.close_journal(name);
        self.hub.gauges.remove(name);
        self.hub.pasts.forget(name);
        self.hub.states.remove_all(name)
    }

    /// A replay that goes on where `store` is, with the plugin that it runs. What it commits is not shown yet.
    pub(super) fn replay(
        &self,
        name: &str,
        deployment: &Deployment,
        store: Arc<Store>,
        sizing: Sizing,
    ) -> Result<(Replay, Arc<plugin::Projection>), Error> {
        let code = self.code(deployment)?;
        let plugin = Arc::clone(&code.plugin);
        Ok((self.replay_with(name, deployment, &code, store, sizing)?, plugin))
    }

    /// The same with code that was compiled for it.
    pub(super) fn replay_with(
        &self,
        name: &str,
        deployment: &Deployment,
        code: &Code,
        store: Arc<Store>,
        sizing: Sizing,
    ) -> Result<Replay, Error> {
        let source = self.source(name, deployment, code)?;
        let parameters = deployment.parameters.as_str().into();
        let plugin = Arc::clone(&code.plugin);
        let mut feed = Feed::of(plugin, parameters, deployment.on_fault, sizing, store.reader()?)?;
        feed.upcasters.clone_from(&deployment.upcasters);
        let readable = self.projection(name)?.readable().identity();
        let outlet = Arc::new(Outlet::new(deployment.identity(), self.hub.running.journal(name, readable)));
        Replay::new(source, feed, store, outlet)
    }

    /// Where a deployment's events come from.
    pub(super) fn source(&self, name: &str, deployment: &Deployment, code: &Code) -> Result<Source, Error> {
        let want = Want::of(deployment, code.plugin.manifest());
        let (log, keys) = (Arc::clone(&self.hub.log), Arc::clone(&self.hub.keys));
        let recent = Arc::clone(&self.hub.recent);
        let dropped = self.projection(name)?.dropped;
        Ok(Source::new(log, keys, recent, Arc::clone(&code.chains), want).with_dropped(dropped, &self.hub.archive))
    }

    /// The same for making again what a state was. What was made with all events is not made again without some.
    pub(super) fn source_again(&self, name: &str, deployment: &Deployment, code: &Code) -> Result<Source, Error> {
        let dropped = self.dropped_again(name, deployment)?;
        Ok(self.source(name, deployment, code)?.with_dropped(dropped, &self.hub.archive))
    }

    pub(super) fn dropped_again(&self, name: &str, deployment: &Deployment) -> Result<DroppedPolicy, Error> {
        let projection = self.projection(name)?;
        let has_state = projection.deployments().any(|it| it == deployment);
        match projection.dropped {
            DroppedPolicy::Accept if has_state && self.store_of(name, deployment)?.missing()?.by_retention() > 0 => {
                Ok(DroppedPolicy::Accept)
            }
            DroppedPolicy::Accept => Ok(DroppedPolicy::Archive),
            dropped @ (DroppedPolicy::Archive | DroppedPolicy::Refuse) => Ok(dropped),
        }
    }

    /// The chains of a deployment's own upcasters.
    pub(super) fn chains_in(&self, deployment: &Deployment) -> Result<Arc<Chains>, Error> {
        let mut plugins = self.hub.catalogue.content().plugins.clone();
        plugins.retain(|plugin| deployment.upcasters.contains(&plugin.digest));
        let removed = deployment.upcasters.iter().find(|digest| plugins.iter().all(|plugin| plugin.digest != **digest));
        match removed {
            Some(digest) => Err(Error::UpcasterGone { plugin: deployment.plugin.clone(), upcaster: digest.clone() }),
            None => self.chains_under(&plugins, &deployment.upcaster_limits()),
        }
    }

    /// The file of a deployment, shared with the worker if it runs.
    pub(super) fn store_of(&self, name: &str, deployment: &Deployment) -> Result<Arc<Store>, Error> {
        let identity = deployment.identity();
        match self.hub.running.get(&Key::state(name, identity)) {
            Some(worker) => Ok(Arc::clone(&worker.store)),
            None => self.open_state(name, deployment),
        }
    }

    /// The file of a deployment that no worker has open. One that serves, or served, was there before.
    pub(super) fn open_state(&self, name: &str, deployment: &Deployment) -> Result<Arc<Store>, Error> {
        let (projection, identity) = (self.projection(name)?, deployment.identity());
        let is_known = [&projection.serving, &projection.previous].into_iter().flatten().any(|it| it == deployment);
        let states = &self.hub.states;
        if is_known { states.open_known(name, identity) } else { states.open(name, identity) }
    }
}

/// Brings parameters into one form, so that white space and the order of keys make no other identity.
pub(super) fn parameters(text: &str) -> Result<String, Error> {
    let payload = cbor::from_json(text).map_err(|error| Error::Parameters(error.to_string()))?;
    let canonical = cbor::to_json(payload.as_bytes()).map_err(|error| Error::Parameters(error.to_string()))?;
    if canonical.starts_with('{') { Ok(canonical) } else { Err(Error::Parameters(text.to_owned())) }
}
