//! Reading states while they move: snapshots, waiting for a place in the log, and following changes.

use std::sync::Arc;

use event_listener::EventListener;

use super::journal::Journal;
use super::{Engine, Error, Phase, Progress};
use crate::event::{Digest, Sequence};
use crate::plugin::ProjectionManifest;
use crate::state::{Checkpoint, Reader};

/// The readable state of a projection at one moment.
#[derive(Debug)]
pub struct Snapshot {
    pub reader: Reader,
    pub checkpoint: Checkpoint,
    /// Everything up to here is in it; beyond the checkpoint where nothing concerned it.
    pub visible: Sequence,
    pub identity: Digest,
    pub manifest: Arc<ProjectionManifest>,
}

/// Whether a projection's readable state is somewhere.
#[derive(Debug)]
pub enum Reach {
    /// It is there.
    Yes,
    /// It is on its way; the listener wakes when it has moved.
    NotYet(EventListener, Progress),
    /// It does not move; why.
    Never(String),
}

impl Engine {
    /// The readable state as it is now. Waits for nothing but the disk.
    pub fn snapshot(&self, name: &str) -> Result<Snapshot, Error> {
        loop {
            let snapshot = self.look(name)?;
            self.refuse_while_made_anew(name, &snapshot)?;
            // What has just been replaced goes on, and may be further than what replaced it: nobody should see both.
            if self.projection(name)?.readable().identity() == snapshot.identity {
                return Ok(snapshot);
            }
        }
    }

    fn look(&self, name: &str) -> Result<Snapshot, Error> {
        let (reader, visible, manifest, identity) = match self.hub.readable(name)? {
            Some(worker) => {
                // Asked first: what is visible then is in whatever is read afterwards.
                let visible = worker.meter.visible_sequence();
                (worker.store.reader()?, visible, Arc::clone(&worker.manifest), worker.identity)
            }
            None => {
                let deployment = self.projection(name)?.readable().clone();
                let plugin = self.projection_plugin(deployment.plugin(), &deployment.limits())?;
                let identity = deployment.identity();
                let reader = self.open_state(name, &deployment)?.reader()?;
                (reader, Sequence::ZERO, plugin.manifest_shared(), identity)
            }
        };
        let checkpoint = reader.checkpoint();
        Ok(Snapshot { visible: visible.max(checkpoint.sequence), checkpoint, reader, identity, manifest })
    }

    /// Readers of a state that was lost saw more before than there is of it yet: half of it is no answer. One that has
    /// halted where it had halted before has come as far.
    fn refuse_while_made_anew(&self, name: &str, snapshot: &Snapshot) -> Result<(), Error> {
        let Some(anew) = self.hub.states.made_anew(name, snapshot.identity) else { return Ok(()) };
        let is_halted = |worker: Arc<super::worker::Worker>| matches!(worker.meter.read().phase, Phase::Halted(_));
        if snapshot.visible >= anew.until || self.hub.readable(name)?.is_some_and(is_halted) {
            return Ok(());
        }
        let (name, sequence) = (name.to_owned(), snapshot.visible);
        Err(Error::MadeAnew { name, sequence, until: anew.until, why: anew.why })
    }

    /// A snapshot of the readable state's entries.
    pub fn reader(&self, name: &str) -> Result<Reader, Error> {
        Ok(self.snapshot(name)?.reader)
    }

    /// What the plugin of the readable state says of itself.
    pub fn manifest(&self, name: &str) -> Result<Arc<ProjectionManifest>, Error> {
        Ok(self.snapshot(name)?.manifest)
    }

    /// Whether readers see everything up to that sequence. Starts the projection if it does not run.
    pub fn reach(&self, name: &str, sequence: Sequence) -> Result<Reach, Error> {
        self.start(name)?;
        let Some(worker) = self.hub.readable(name)? else {
            return Ok(Reach::Never("it cannot run until the state that is being built takes its place".to_owned()));
        };
        let moved = worker.meter.listen();
        let progress = worker.meter.read();
        if progress.visible >= sequence {
            return Ok(Reach::Yes);
        }
        Ok(match progress.phase {
            Phase::Replaying | Phase::Live | Phase::Paused { .. } | Phase::OverQuota { .. } => {
                Reach::NotYet(moved, progress)
            }
            Phase::Halted(_) | Phase::Failed { .. } | Phase::Stopped => Reach::Never(progress.phase.to_string()),
        })
    }

    /// The latest commits of the readable state. Starts the projection if it does not run.
    pub fn journal(&self, name: &str) -> Result<Arc<Journal>, Error> {
        self.start(name)?;
        let identity = self.projection(name)?.readable().identity();
        Ok(self.hub.running.journal(name, identity))
    }
}
