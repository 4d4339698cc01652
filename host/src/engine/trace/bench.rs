//! The bench on which plugins are tested with traces: a sandbox, and no log, state or catalogue.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::difference::{between, between_lifts};
use super::lift::Lifting;
use super::replay::Replay;
use super::{CutDifference, Difference, Made, Setup, Trace};
use crate::engine::{Error, PluginKind, StateEncoding};
use crate::event::Digest;
use crate::plugin::{self, Compiling, Limits, Plugin, Projection, Sandbox};

/// Where plugins are tested.
#[derive(Debug)]
pub struct Bench(Sandbox);

/// A plugin on the bench.
#[derive(Debug)]
pub struct Subject {
    sandbox: Sandbox,
    bytes: Vec<u8>,
    digest: Digest,
    plugin: Plugin,
}

/// What became of a trace's events.
#[derive(Debug)]
pub struct Tested {
    /// The trace as this plugin would have recorded it.
    pub trace: Trace,
    /// In how many ways the events were cut into calls.
    pub cuts: u64,
    /// How many events the plugin folded or lifted, of those that it wants.
    pub events: u64,
    /// What is not as the trace expects it.
    pub differences: Vec<Difference>,
    /// The first way to cut that led to something else than the others.
    pub cut: Option<CutDifference>,
    /// How the values are to be read: those expected, and those found.
    pub encodings: [StateEncoding; 2],
    pub took: Duration,
}

impl Bench {
    /// Compiled code is kept in `cache`, or not at all.
    pub fn new(cache: Option<&Path>) -> Result<Self, Error> {
        Ok(Self(Sandbox::new(cache)?))
    }

    /// Compiles what a compiler made, component or core module, and asks it what it is; tells how far compilation is.
    pub fn load(&self, bytes: &[u8], watch: &mut (dyn FnMut(Compiling) + Send)) -> Result<Subject, Error> {
        let bytes = plugin::component(bytes)?.into_owned();
        let digest = Digest::of(&bytes);
        let plugin = self.0.load_watched(digest, &bytes, &Limits::default(), watch)?;
        Ok(Subject { sandbox: self.0.clone(), bytes, digest, plugin })
    }
}

impl Subject {
    /// Its name and version.
    pub fn name(&self) -> String {
        name_of(&self.plugin)
    }

    pub fn kind(&self) -> PluginKind {
        match self.plugin {
            Plugin::Projection(_) => PluginKind::Projection,
            Plugin::Upcaster(_) => PluginKind::Upcaster,
        }
    }

    /// Replays a trace, cut into calls in every way; cut in two at so many places at most.
    pub fn test(&self, trace: &Trace, places: usize) -> Result<Tested, Error> {
        let began = Instant::now();
        let tested = match (&trace.made, &self.plugin) {
            (Made::Projection(setup, expected), Plugin::Projection(_)) => {
                let projection = self.projection(setup)?;
                let found = Setup { encoding: projection.manifest().state_encoding, ..setup.clone() };
                let replay = Replay::new(projection, &found, &trace.events);
                let all = replay.fold_every_way(places)?;
                Tested {
                    cuts: all.cuts,
                    events: all.folded.events + all.folded.faults.len() as u64,
                    differences: between(expected, &all.folded, &all.changed_by),
                    cut: all.differs,
                    encodings: [setup.encoding, found.encoding],
                    took: began.elapsed(),
                    trace: self.remade(trace, Made::Projection(found, all.folded)),
                }
            }
            (Made::Upcaster(expected), Plugin::Upcaster(upcaster)) => {
                let all = Lifting::new(upcaster, &trace.events).lift_every_way(places)?;
                Tested {
                    cuts: all.cuts,
                    events: trace.events.len() as u64,
                    differences: between_lifts(expected, &all.lifts),
                    cut: all.differs,
                    encodings: [StateEncoding::Cbor; 2],
                    took: began.elapsed(),
                    trace: self.remade(trace, Made::Upcaster(all.lifts)),
                }
            }
            (Made::Projection(..) | Made::Upcaster(_), _) => {
                let (found, wanted) = (self.kind().phrase(), trace.kind().phrase());
                return Err(Error::WrongKind { name: self.name(), found, wanted });
            }
        };
        Ok(tested)
    }

    /// Makes a trace of events that come from no log; what is expected is what this plugin makes of them.
    pub fn record(&self, mut trace: Trace) -> Result<Trace, Error> {
        let made = match (&trace.made, &self.plugin) {
            (Made::Projection(setup, _), Plugin::Projection(_)) => {
                let projection = self.projection(setup)?;
                let setup = Setup { encoding: projection.manifest().state_encoding, ..setup.clone() };
                let folded = Replay::new(projection, &setup, &trace.events).fold(usize::MAX)?;
                trace.events = super::replay::looked_at(&trace.events, &setup, &folded);
                Made::Projection(setup, folded)
            }
            (Made::Upcaster(_), Plugin::Upcaster(upcaster)) => {
                Made::Upcaster(Lifting::new(upcaster, &trace.events).lift(usize::MAX)?)
            }
            (Made::Projection(..) | Made::Upcaster(_), _) => {
                let (found, wanted) = (self.kind().phrase(), trace.kind().phrase());
                return Err(Error::WrongKind { name: self.name(), found, wanted });
            }
        };
        Ok(self.remade(&trace, made))
    }

    fn remade(&self, trace: &Trace, made: Made) -> Trace {
        Trace { plugin: self.name(), digest: self.digest, made, ..trace.clone() }
    }

    /// The projection under a trace's limits.
    fn projection(&self, setup: &Setup) -> Result<Arc<Projection>, Error> {
        match self.sandbox.load(self.digest, &self.bytes, &setup.limits())? {
            Plugin::Projection(projection) => Ok(projection),
            Plugin::Upcaster(_) => unreachable!("the same bytes are the same kind of plugin"),
        }
    }
}

impl Tested {
    /// Whether all is as the trace expects it, however the events are cut.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty() && self.cut.is_none()
    }
}

/// A plugin's name and version.
pub(super) fn name_of(plugin: &Plugin) -> String {
    match plugin {
        Plugin::Projection(projection) => {
            format!("{}@{}", projection.manifest().name, projection.manifest().version)
        }
        Plugin::Upcaster(upcaster) => format!("{}@{}", upcaster.manifest().name, upcaster.manifest().version),
    }
}
