//! Folds what lies between a state at hand and the one that is wanted: into memory, and beyond a bound into a file.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use super::cache::Sought;
use super::{Keep, Origin, Past, Start, Waiting};
use crate::engine::code::Code;
use crate::engine::feed::{Feed, Stopped};
use crate::engine::journal::Journal;
use crate::engine::outlet::Outlet;
use crate::engine::portion::Portion;
use crate::engine::progress::Meter;
use crate::engine::quarantine::Quarantine;
use crate::engine::replay::Replay;
use crate::engine::source::Source;
use crate::engine::states::Scratch;
use crate::engine::verify::run_watched;
use crate::engine::{Deployment, Engine, Error, Phase, Sizing};
use crate::event::Sequence;
use crate::plugin::ProjectionManifest;
use crate::state::{Checkpoint, Costs, Fault, Marks, Missing, Overlay, View};

/// Below this many events, starting a thread that reads ahead costs more than it saves.
const THREADS_FROM: u64 = 2_048;

/// Pages read ahead of the plugin.
const PAGES_AHEAD: usize = 1;

/// How often who watches is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// The making of one state.
pub(super) struct Fold<'a> {
    engine: &'a Engine,
    deployment: &'a Deployment,
    sought: &'a Sought,
    manifest: Arc<ProjectionManifest>,
    source: Source,
    code: Code,
    feed: Feed,
    reached: Checkpoint,
    faults: Vec<Fault>,
    costs: Costs,
    missing: Missing,
    halted: Option<Box<Fault>>,
    origin: Origin,
    from: Sequence,
    keep: Keep,
    view: Option<Arc<View>>,
    unused: Vec<String>,
}

/// Why the folding ended.
enum Ended {
    There,
    /// There is too much of it for memory.
    TooLarge,
}

impl<'a> Fold<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        deployment: &'a Deployment,
        sought: &'a Sought,
        start: Start,
    ) -> Result<Self, Error> {
        let Start { base, checkpoint, faults, set_aside, missing, origin, keep, view, unused } = start;
        let code = engine.code(deployment)?;
        let source = engine.source_again(&sought.name, deployment, &code)?.occurred_by(sought.occurred);
        let mut feed = feed(deployment, &code, Overlay::new(base));
        feed.quarantine = Quarantine::holding(set_aside);
        Ok(Self {
            engine,
            deployment,
            sought,
            manifest: code.plugin.manifest_shared(),
            source,
            code,
            feed,
            reached: checkpoint,
            faults,
            costs: Costs::default(),
            missing,
            halted: None,
            origin,
            from: checkpoint.sequence,
            keep,
            view,
            unused,
        })
    }

    pub(super) fn run(mut self, waiting: &mut Waiting<'_>) -> Result<Past, Error> {
        self.feed.stop = Arc::clone(&waiting.stop);
        match self.fold(waiting)? {
            Ended::There => Ok(self.past()),
            Ended::TooLarge => self.run_in_file(waiting),
        }
    }

    fn fold(&mut self, waiting: &mut Waiting<'_>) -> Result<Ended, Error> {
        let (from, target) = (self.reached.sequence, self.sought.sequence);
        let meter = Meter::new(from);
        meter.enter(Phase::Replaying);
        if target.0.saturating_sub(from.0) < THREADS_FROM {
            let source = self.source.clone();
            return self.fold_all(&meter, waiting, &mut |reached| source.read(reached.next(), target));
        }
        let source = self.source.clone();
        std::thread::scope(|scope| {
            let (portions, incoming) = sync_channel(PAGES_AHEAD);
            let read = move || source.read_all(from.next(), target, &portions);
            let name = "as-of-reader".to_owned();
            std::thread::Builder::new().name(name).spawn_scoped(scope, read).expect("a thread can be started");
            self.fold_all(&meter, waiting, &mut |_| incoming.recv().expect("the reader goes on until the target"))
        })
    }

    fn fold_all(
        &mut self,
        meter: &Meter,
        waiting: &mut Waiting<'_>,
        next: &mut dyn FnMut(Sequence) -> Result<Portion, Error>,
    ) -> Result<Ended, Error> {
        let mut told = Instant::now();
        while self.reached.sequence < self.sought.sequence && self.halted.is_none() {
            if waiting.stop.load(Ordering::Relaxed) {
                return Err(self.cancelled());
            }
            let portion = next(self.reached.sequence)?;
            self.take(&portion, meter)?;
            if told.elapsed() >= TELL_EVERY {
                (waiting.watch)(&meter.read());
                told = Instant::now();
            }
            if self.feed.overlay().kept_bytes() > self.engine.as_of_bytes_max {
                return Ok(Ended::TooLarge);
            }
        }
        Ok(Ended::There)
    }

    /// Folds one portion and moves on behind it, or to the event before which the state halts.
    fn take(&mut self, portion: &Portion, meter: &Meter) -> Result<(), Error> {
        let mut fed = self.feed.feed_portion(portion);
        let stopped_before = fed.stopped.as_ref().map(Stopped::before);
        self.reached.sequence = stopped_before.map_or(portion.through, Sequence::previous);
        self.reached.events += fed.folded;
        self.reached.fuel += fed.fuel;
        self.costs.merge(&fed.costs);
        self.missing += portion.dropped.upto(self.reached.sequence);
        self.feed.quarantine.count(portion, stopped_before);
        self.faults.append(&mut fed.skipped);
        meter.passed(self.reached.sequence, &fed);
        match fed.stopped.take() {
            None => Ok(()),
            Some(Stopped::Fault(fault)) => {
                self.halted = Some(fault);
                Ok(())
            }
            Some(Stopped::Pause { .. }) if self.feed.stop.load(Ordering::Relaxed) => Err(self.cancelled()),
            Some(Stopped::Pause { reason, .. }) => Err(self.stopped(reason)),
            Some(Stopped::OverQuota { over, .. }) => Err(self.stopped(over.reason)),
        }
    }

    /// Goes on in a file that goes with the answer.
    fn run_in_file(mut self, waiting: &mut Waiting<'_>) -> Result<Past, Error> {
        let Sought { name, identity, sequence, .. } = self.sought;
        let scratch = Scratch(self.engine.hub.states.scratch(name, *identity)?);
        let checkpoint =
            Checkpoint { chain: self.engine.archived_reader()?.chain_at(self.reached.sequence)?, ..self.reached };
        let marks = Marks {
            faults: std::mem::take(&mut self.faults),
            set_aside: self.feed.quarantine.all(),
            costs: Some(self.costs.clone()),
            missing: Some(self.missing),
            history: None,
        };
        scratch.0.fill(self.feed.overlay().entries(), checkpoint, &marks, None)?;
        let reader = scratch.0.reader()?;
        let (parameters, sizing) = (self.deployment.parameters.as_str().into(), Sizing::adaptive());
        let plugin = Arc::clone(&self.code.plugin);
        let mut feed = Feed::of(plugin, parameters, self.deployment.on_fault, sizing, reader)?;
        feed.upcasters.clone_from(&self.deployment.upcasters);
        feed.stop = Arc::clone(&waiting.stop);
        // A journal that nobody follows.
        let outlet = Arc::new(Outlet::new(*identity, Arc::new(Journal::new(*identity))));
        let mut replay = Replay::new(self.source.clone(), feed, Arc::clone(&scratch.0), outlet)?;
        replay.stop = Arc::clone(&waiting.stop);
        let progress = run_watched(&mut replay, *sequence, waiting.watch)?;
        self.reached = replay.reached();
        self.missing = replay.missing();
        match progress.phase {
            Phase::Live => {}
            Phase::Halted(fault) => self.halted = Some(fault),
            Phase::Replaying | Phase::Stopped => return Err(self.cancelled()),
            phase @ (Phase::Paused { .. } | Phase::OverQuota { .. } | Phase::Failed { .. }) => {
                return Err(self.stopped(phase.to_string()));
            }
        }
        let reader = scratch.0.reader()?;
        self.faults = reader.faults()?;
        let reached = self.reached.sequence.0;
        self.faults.retain(|fault| fault.sequence <= reached);
        self.feed = self::feed(self.deployment, &self.code, Overlay::default());
        self.feed.quarantine = Quarantine::of(&reader)?;
        *self.feed.overlay() = Overlay::new(reader);
        self.keep = Keep::Scratch(scratch);
        Ok(self.past())
    }

    fn past(self) -> Past {
        Past {
            identity: self.sought.identity,
            manifest: self.manifest,
            sequence: self.sought.sequence,
            reached: self.reached.sequence,
            halted: self.halted,
            origin: self.origin,
            from: self.from,
            unused: self.unused,
            set_aside: self.feed.quarantine.all().into_iter().collect(),
            state: Arc::new(self.feed.into_overlay()),
            faults: self.faults,
            missing: self.missing,
            view: self.view,
            _keep: self.keep,
        }
    }

    fn cancelled(&self) -> Error {
        Error::AsOfCancelled { name: self.sought.name.clone(), reached: self.reached.sequence }
    }

    fn stopped(&self, reason: String) -> Error {
        Error::AsOfStopped { name: self.sought.name.clone(), reached: self.reached.sequence, reason }
    }
}

/// What folds the events of a deployment over a state.
pub(super) fn feed(deployment: &Deployment, code: &Code, overlay: Overlay) -> Feed {
    let (plugin, parameters) = (Arc::clone(&code.plugin), deployment.parameters.as_str().into());
    let mut feed = Feed::new(plugin, parameters, deployment.on_fault, Sizing::adaptive(), overlay);
    feed.upcasters.clone_from(&deployment.upcasters);
    feed
}
