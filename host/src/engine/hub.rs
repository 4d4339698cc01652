//! What the engine and its workers share, and how one state takes the place of another.

use std::sync::Arc;

use super::append::Writer;
use super::archive::Archive;
use super::asof::Pasts;
use super::catalogue::Catalogue;
use super::journal::Position;
use super::key::Key;
use super::keys::Keys;
use super::quota::Gauges;
use super::recent::Recent;
use super::replay::{End, Replay};
use super::running::Running;
use super::states::States;
use super::sync::NotAttached;
use super::worker::{Duty, Worker};
use super::{Deployment, Error};
use crate::event::{Digest, Sequence};
use crate::log::Log;

/// An open data directory without its plugins.
pub(super) struct Hub {
    pub(super) catalogue: Catalogue,
    pub(super) running: Running,
    pub(super) gauges: Gauges,
    pub(super) recent: Arc<Recent>,
    pub(super) pasts: Pasts,
    pub(super) archive: Arc<Archive>,
    pub(super) states: Arc<States>,
    pub(super) writer: Writer,
    pub(super) log: Arc<Log>,
    pub(super) keys: Arc<Keys>,
}

impl Hub {
    /// The worker of the state that answers readers, if it runs.
    pub(super) fn readable(&self, name: &str) -> Result<Option<Arc<Worker>>, Error> {
        let identity = self.catalogue.content().projection(name)?.readable().identity();
        Ok(self.running.get(&Key::state(name, identity)))
    }

    /// Whether that state is being built and shall serve as soon as it has caught up.
    pub(super) fn serves_when_built(&self, name: &str, identity: Digest) -> bool {
        let content = self.catalogue.content();
        let projection = content.projection(name).ok();
        projection.is_some_and(|projection| {
            projection.auto_promote && projection.building.as_ref().is_some_and(|it| it.identity() == identity)
        })
    }

    pub(super) fn serves(&self, name: &str, identity: Digest) -> bool {
        let content = self.catalogue.content();
        let projection = content.projection(name).ok();
        projection.is_some_and(|it| it.serving.as_ref().is_some_and(|serving| serving.identity() == identity))
    }

    /// Lets the state of `replay`, which has caught up, serve from between two events on: while the one that served
    /// before is held where it is, the new one comes at least as far, so no reader ever goes back.
    pub(super) fn take_over(&self, name: &str, identity: Digest, replay: &mut Replay) -> Result<End, Error> {
        let mut end = End::Reached;
        let serving = self.readable(name)?.filter(|worker| worker.identity != identity);
        let mut held = None;
        let dropped = self.catalogue.change(|content| {
            let projection = content.projection_mut(name)?;
            if let Some(serving) = &serving {
                held = Some(serving.outlet.hold());
                end = replay.run_to(serving.reached()?.max(replay.reached().sequence))?;
                replay.commit(true)?;
            }
            Ok(if matches!(end, End::Reached) { projection.switch_to(identity) } else { None })
        })?;
        if matches!(end, End::Reached) {
            tracing::info!(
                projection = name,
                state = identity.short(),
                sequence = replay.reached().sequence.0,
                "serves"
            );
            let journal = self.running.journal(name, identity);
            journal.switch(Position { sequence: replay.reached().sequence, identity });
        }
        drop(held);
        self.forget(name, dropped);
        Ok(end)
    }

    /// Lets a state serve where it is, whether it has caught up or not.
    pub(super) fn switch_as_it_is(&self, name: &str, identity: Digest) -> Result<(), Error> {
        let dropped = self.catalogue.change(|content| Ok(content.projection_mut(name)?.switch_to(identity)))?;
        let sequence = self.states.open(name, identity)?.checkpoint()?.sequence;
        self.running.journal(name, identity).switch(Position { sequence, identity });
        self.forget(name, dropped);
        Ok(())
    }

    /// Lets what was built anew take the place of the state of the same identity.
    pub(super) fn replace(&self, name: &str, identity: Digest, replay: &mut Replay) -> Result<End, Error> {
        let old = self.running.get(&Key::state(name, identity));
        let held = old.as_ref().map(|old| old.outlet.hold());
        let reached = old.as_ref().map_or(Ok(Sequence::ZERO), |old| old.reached())?;
        let end = replay.run_to(reached.max(replay.reached().sequence))?;
        replay.commit(true)?;
        self.states.replace(name, identity, &replay.store)?;
        let before = self.running.settle_rebuild(name, identity);
        let journal = self.running.journal(name, identity);
        if journal.position().identity == identity {
            journal.switch(Position { sequence: replay.reached().sequence, identity });
        }
        replay.outlet.show(replay.reached().sequence);
        drop(held);
        drop(before);
        Ok(end)
    }

    /// Lets the writer apply a state within each append; if another one served, from between two appends on. For a
    /// moment both are applied, so no append misses one.
    pub(super) fn ride(self: &Arc<Self>, name: &str, identity: Digest, replay: Replay) -> Result<(), NotAttached> {
        let key = Key::state(name, identity);
        let serving = self.readable(name).ok().flatten().filter(|worker| worker.identity != identity);
        self.writer.attach(&key, replay)?;
        if self.serves(name, identity) {
            return Ok(());
        }
        // Shown between two appends, when both states are at the same: else a reader could find the one behind the other.
        let switched = self.catalogue.change_when(
            |content| Ok(content.projection_mut(name)?.switch_to(identity)),
            |show| {
                let (journal, head) = (self.running.journal(name, identity), self.writer.head_watch());
                self.writer.control(move |_| {
                    show();
                    journal.switch(Position { sequence: head.sequence(), identity });
                })
            },
        );
        let dropped = switched.map_err(|error| self.dismount(&key, error))?;
        tracing::info!(projection = name, state = identity.short(), "serves within appends");
        if let Some(served) = serving {
            self.walk(name, &served);
        }
        self.forget(name, dropped);
        Ok(())
    }

    /// Lets what was built anew take the place of the state of the same identity with the writer.
    pub(super) fn ride_anew(&self, name: &str, identity: Digest, replay: Replay) -> Result<(), NotAttached> {
        let (anew, state) = (Key::rebuild(name, identity), Key::state(name, identity));
        let (store, outlet) = (Arc::clone(&replay.store), Arc::clone(&replay.outlet));
        self.writer.attach(&anew, replay)?;
        self.states.replace(name, identity, &store).map_err(|error| self.dismount(&anew, error))?;
        let before = self.running.settle_rebuild(name, identity);
        if let Some(before) = &before {
            before.stop();
        }
        let (journal, head) = (self.running.journal(name, identity), self.writer.head_watch());
        let settled = self.writer.control(move |riders| {
            journal.switch(Position { sequence: head.sequence(), identity });
            outlet.show(head.sequence());
            drop(riders.detach(&state));
            riders.rename(&anew, state);
        });
        settled.map_err(|error| NotAttached { replay: None, error })
    }

    /// Takes a state back from the writer, because something else failed.
    fn dismount(&self, key: &Key, error: Error) -> NotAttached {
        let replay = self.writer.detach(key).ok().flatten().map(Box::new);
        NotAttached { replay, error }
    }

    /// Lets a state that the writer applied follow on a thread of its own.
    fn walk(self: &Arc<Self>, name: &str, worker: &Arc<Worker>) {
        let key = Key::state(name, worker.identity);
        match self.writer.detach(&key) {
            Ok(Some(replay)) => {
                let duty = Duty {
                    hub: Arc::clone(self),
                    name: name.to_owned(),
                    identity: worker.identity,
                    sync: true,
                    is_rebuild: false,
                    takes_over: false,
                };
                let walking = Worker::start(replay, Arc::clone(&worker.manifest), duty);
                drop(self.running.insert(key, Arc::new(walking)));
            }
            Ok(None) => {}
            Err(error) => tracing::error!(projection = name, "what served before does not follow: {error}"),
        }
    }

    /// Refuses every append until a sync projection can follow.
    pub(super) fn block(&self, name: &str, reason: &str) {
        if let Err(error) = self.writer.block(name, reason) {
            tracing::error!(projection = name, "{error}");
        }
    }

    /// Stops a worker, wherever it runs.
    pub(super) fn stop(&self, key: &Key) {
        let Some(worker) = self.running.remove(key) else { return };
        worker.stop();
        if worker.rides()
            && let Err(error) = self.writer.detach(key)
        {
            tracing::error!(projection = key.name, "{error}");
        }
    }

    /// Stops what is kept no longer and removes its file.
    pub(super) fn forget(&self, name: &str, dropped: Option<Deployment>) {
        let Some(identity) = dropped.map(|dropped| dropped.identity()) else { return };
        self.stop(&Key::state(name, identity));
        self.stop(&Key::rebuild(name, identity));
        if let Err(error) = self.states.remove(name, identity) {
            tracing::warn!(projection = name, "a state that is no longer needed stays: {error}");
        }
    }
}
