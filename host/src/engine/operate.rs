//! Projections of a data directory: creating, running, reading, rebuilding and deleting them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::catalogue::sync_parent;
use super::feed::Feed;
use super::progress::Meter;
use super::replay::{End, Replay, Source, overlay_of};
use super::worker::{Duty, Worker};
use super::{Chains, Deployment, Engine, Error, FaultPolicy, Phase, Progress, Projection, Sizing};
use crate::cbor;
use crate::event::{Digest, PluginName, Sequence};
use crate::plugin::{Limits, ProjectionManifest};
use crate::state::{Reader, Store};

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
}

impl Engine {
    /// Adds a projection to the catalogue; [`Engine::start`] builds it.
    pub fn create(&self, new: &NewProjection) -> Result<Projection, Error> {
        let plugin = self.find_plugin(&new.plugin)?;
        let limits = Limits::default();
        let draft = Deployment {
            plugin: plugin.digest.clone(),
            abi: plugin.abi,
            upcasters: Vec::new(),
            parameters: parameters(&new.parameters)?,
            fuel_per_event: new.fuel_per_event.unwrap_or(limits.fuel_per_event),
            memory_bytes: new.memory_bytes.unwrap_or(limits.memory_bytes as u64),
            limits: Vec::new(),
            on_fault: new.on_fault,
        };
        let deployment = self.deploy(&draft, &*self.chains()?)?;
        let name = new.name.to_string();
        let projection = Projection { name: name.clone(), serving: None, building: Some(deployment) };
        let added = projection.clone();
        self.catalogue.change(move |content| match content.projections.contains_key(&name) {
            true => Err(Error::ProjectionExists(name)),
            false => {
                content.projections.insert(name, added);
                Ok(())
            }
        })?;
        Ok(projection)
    }

    /// What a deployment becomes with these upcasters in force.
    pub(super) fn deploy(&self, deployment: &Deployment, chains: &Chains) -> Result<Deployment, Error> {
        let limits = deployment.limits();
        let plugin = self.projection_plugin(deployment.plugin(), &limits)?;
        let upcasters = chains.touching(&plugin.manifest().filter).iter().map(Digest::to_string).collect();
        let limits = limits.describe_identity().into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect();
        Ok(Deployment { upcasters, limits, ..deployment.clone() })
    }

    /// All projections, by name.
    pub fn projections(&self) -> Vec<Projection> {
        self.catalogue.content().projections.into_values().collect()
    }

    pub fn projection(&self, name: &str) -> Result<Projection, Error> {
        self.catalogue.projection(name)
    }

    /// What the plugin of a projection says of itself.
    pub fn manifest(&self, name: &str) -> Result<ProjectionManifest, Error> {
        let readable = self.projection(name)?.readable().clone();
        Ok(self.projection_plugin(readable.plugin(), &readable.limits())?.manifest().clone())
    }

    /// Lets a projection run on a thread of its own. Nothing happens if it runs already.
    pub fn start(&self, name: &str) -> Result<(), Error> {
        let projection = self.projection(name)?;
        let wanted = projection.wanted();
        let key = PluginName::new(name).map_err(|_| Error::UnknownProjection(name.to_owned()))?;
        let mut workers = self.workers();
        if workers.get(&key).is_some_and(|worker| worker.identity == wanted.identity()) {
            return Ok(());
        }
        // The old worker goes first: two would write the same file if the identity came back.
        workers.remove(&key);
        let store = self.open_state(name, wanted)?;
        let replay = self.replay(wanted, store, Sizing::adaptive())?;
        let duty = Duty {
            name: name.to_owned(),
            identity: wanted.identity(),
            policy: wanted.on_fault,
            catalogue: Arc::clone(&self.catalogue),
            head: self.writer.head_watch(),
        };
        workers.insert(key, Worker::start(replay, duty));
        Ok(())
    }

    /// Starts every projection.
    pub fn start_all(&self) -> Result<(), Error> {
        self.projections().iter().try_for_each(|projection| self.start(&projection.name))
    }

    pub(super) fn restart_if_running(&self, name: &str) -> Result<(), Error> {
        let is_running = self.workers().keys().any(|running| running.as_str() == name);
        if is_running { self.start(name) } else { Ok(()) }
    }

    /// Waits until a running projection has seen everything that is in the log now, or cannot go on.
    pub fn wait(&self, name: &str, watch: impl FnMut(&Progress)) -> Result<Progress, Error> {
        let meter = self.meter(name)?;
        let head = self.head().sequence();
        Ok(meter.wait(|progress| progress.is_settled(head), watch))
    }

    /// How far a running projection is.
    pub fn progress(&self, name: &str) -> Result<Progress, Error> {
        Ok(self.meter(name)?.read())
    }

    /// A snapshot of the state that serves.
    pub fn reader(&self, name: &str) -> Result<Reader, Error> {
        Ok(self.readable_store(name)?.reader()?)
    }

    /// Builds the state anew beside the one that serves, then lets the new one take its place.
    pub fn rebuild(&self, name: &str, watch: impl FnMut(&Progress) + Send) -> Result<Progress, Error> {
        let projection = self.projection(name)?;
        let wanted = projection.wanted();
        let path = self.state_path(name, wanted);
        let beside = path.with_extension("rebuild.redb");
        remove_if_there(&beside)?;
        let progress = self.build_beside(wanted, &beside, Sizing::adaptive(), self.head().sequence(), watch)?.1;
        self.workers().retain(|running, _| running.as_str() != name);
        std::fs::rename(&beside, &path).map_err(Error::file(&path))?;
        sync_parent(&path).map_err(Error::file(&path))?;
        if progress.phase == Phase::Live {
            self.catalogue.promote(name, wanted.identity())?;
        }
        self.start(name)?;
        Ok(progress)
    }

    /// Deletes a projection with all its states.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        self.projection(name)?;
        self.workers().retain(|running, _| running.as_str() != name);
        self.catalogue.change(|content| Ok(content.projections.remove(name)))?;
        let dir = self.dir.join("projections").join(name);
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::File { path: dir, source: error }),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Builds the state of a deployment up to `target` into a file of its own, on the caller's thread.
    pub(super) fn build_beside(
        &self,
        deployment: &Deployment,
        path: &std::path::Path,
        sizing: Sizing,
        target: Sequence,
        mut watch: impl FnMut(&Progress) + Send,
    ) -> Result<(Arc<Store>, Progress), Error> {
        make_parent(path)?;
        let store = Arc::new(Store::open(path, deployment.identity(), self.log.id().0)?);
        let mut replay = self.replay(deployment, Arc::clone(&store), sizing)?;
        let meter = Arc::clone(&replay.meter);
        meter.enter(Phase::Replaying);
        let watched = Arc::clone(&meter);
        let over = &AtomicBool::new(false);
        let end = std::thread::scope(|scope| {
            let watcher = scope.spawn(move || {
                let is_over = |_: &Progress| over.load(std::sync::atomic::Ordering::Relaxed);
                watched.wait(is_over, &mut watch);
            });
            let end = replay.run_to(target).and_then(|end| replay.commit(true).map(|()| end));
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            meter.visible(replay.reached().sequence);
            watcher.join().expect("watching progress does not panic");
            end
        })?;
        meter.enter(match end {
            End::Reached => Phase::Live,
            End::Stopped(super::feed::Stopped::Fault(fault)) => Phase::Halted(fault),
            End::Stopped(super::feed::Stopped::Pause(reason)) => Phase::Paused { reason },
            End::Asked => Phase::Stopped,
        });
        Ok((store, meter.read()))
    }

    fn replay(&self, deployment: &Deployment, store: Arc<Store>, sizing: Sizing) -> Result<Replay, Error> {
        let projection = self.projection_plugin(deployment.plugin(), &deployment.limits())?;
        let source = Source {
            log: Arc::clone(&self.log),
            chains: self.chains_in(deployment)?,
            wanted: projection.manifest().filter.clone(),
        };
        let parameters = deployment.parameters.as_str().into();
        let feed = Feed::new(projection, parameters, deployment.on_fault, sizing, overlay_of(&store)?);
        let meter = Arc::new(Meter::new(Sequence::ZERO));
        Replay::new(source, feed, store, meter, Arc::new(AtomicBool::new(false)))
    }

    /// The chains of a deployment's own upcasters.
    fn chains_in(&self, deployment: &Deployment) -> Result<Arc<Chains>, Error> {
        let mut plugins = self.catalogue.content().plugins;
        plugins.retain(|plugin| deployment.upcasters.contains(&plugin.digest));
        let removed = deployment.upcasters.iter().find(|digest| plugins.iter().all(|plugin| plugin.digest != **digest));
        match removed {
            Some(digest) => Err(Error::UpcasterGone { plugin: deployment.plugin.clone(), upcaster: digest.clone() }),
            None => self.chains_of(&plugins),
        }
    }

    fn meter(&self, name: &str) -> Result<Arc<Meter>, Error> {
        let workers = self.workers();
        let worker = workers.iter().find(|(running, _)| running.as_str() == name);
        let (_, worker) = worker.ok_or_else(|| Error::UnknownProjection(name.to_owned()))?;
        Ok(Arc::clone(&worker.meter))
    }

    /// What the worker of that identity is doing, if one runs.
    pub(super) fn running_phase(&self, name: &str, identity: Digest) -> Option<Phase> {
        let workers = self.workers();
        let mut running =
            workers.iter().filter(|(running, worker)| running.as_str() == name && worker.identity == identity);
        running.next().map(|(_, worker)| worker.meter.read().phase)
    }

    /// The file that serves, shared with the worker if it runs.
    pub(super) fn readable_store(&self, name: &str) -> Result<Arc<Store>, Error> {
        self.store_of(name, self.projection(name)?.readable())
    }

    /// The file of a deployment, shared with the worker if it runs.
    pub(super) fn store_of(&self, name: &str, deployment: &Deployment) -> Result<Arc<Store>, Error> {
        let workers = self.workers();
        let running = workers.iter().find(|(running, _)| running.as_str() == name);
        match running {
            Some((_, worker)) if worker.identity == deployment.identity() => Ok(Arc::clone(&worker.store)),
            Some(_) | None => self.open_state(name, deployment),
        }
    }

    fn open_state(&self, name: &str, deployment: &Deployment) -> Result<Arc<Store>, Error> {
        let path = self.state_path(name, deployment);
        make_parent(&path)?;
        let store = Store::open(&path, deployment.identity(), self.log.id().0)?;
        let (checkpoint, head) = (store.checkpoint()?, self.head().sequence());
        if checkpoint.sequence > head {
            return Err(Error::AheadOfLog { name: name.to_owned(), checkpoint: checkpoint.sequence, head });
        }
        if checkpoint.sequence > Sequence::ZERO && self.log.reader()?.chain_at(checkpoint.sequence)? != checkpoint.chain
        {
            return Err(Error::OtherHistory { name: name.to_owned(), checkpoint: checkpoint.sequence });
        }
        Ok(Arc::new(store))
    }

    pub(super) fn state_path(&self, name: &str, deployment: &Deployment) -> PathBuf {
        let file = format!("{}.redb", deployment.identity());
        self.dir.join("projections").join(name).join(file)
    }
}

/// Brings parameters into one form, so that white space and the order of keys make no other identity.
fn parameters(text: &str) -> Result<String, Error> {
    let payload = cbor::from_json(text).map_err(|error| Error::Parameters(error.to_string()))?;
    let canonical = cbor::to_json(payload.as_bytes()).map_err(|error| Error::Parameters(error.to_string()))?;
    if canonical.starts_with('{') { Ok(canonical) } else { Err(Error::Parameters(text.to_owned())) }
}

fn make_parent(path: &std::path::Path) -> Result<(), Error> {
    let parent = path.parent().expect("state files have a parent");
    std::fs::create_dir_all(parent).map_err(Error::file(parent))
}

pub(super) fn remove_if_there(path: &std::path::Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { path: path.to_owned(), source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
