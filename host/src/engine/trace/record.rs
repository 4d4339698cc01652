//! Records traces from a log.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bench::name_of;
use super::lift::Lifting;
use super::replay::{Replay, looked_at};
use super::{Made, Setup, TRACE_BYTES_MAX, TRACE_EVENTS_MAX, Trace, TraceBatch};
use crate::engine::sizing::{BYTES_MAX, EVENTS_MAX};
use crate::engine::{Chains, Engine, Error, FaultPolicy, PluginKind, Query};
use crate::event::{EventRef, Filter, Sequence};
use crate::plugin::{Plugin, Upcaster};

/// Which part of a log a trace is recorded from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    /// Only events behind this one.
    pub since: Sequence,
    /// Only events up to this one; up to the log's end if there is none.
    pub to: Option<Sequence>,
    /// At most so many events that the plugin sees.
    pub limit: Option<usize>,
}

impl Engine {
    /// Folds a slice of the log into an empty state with what the projection's readable state runs.
    ///
    /// # Errors
    /// If a trace cannot hold it, or the projection pauses on it.
    pub fn record(&self, name: &str, slice: Slice) -> Result<Trace, Error> {
        let deployment = self.projection(name)?.readable().clone();
        let code = self.code(&deployment)?;
        let (plugin, source) = (Arc::clone(&code.plugin), self.source(&deployment, &code));
        let mut taken = Taken::of(slice, self.head().sequence());
        while let Some(from) = taken.from() {
            let portion = source.read(from, taken.to)?;
            taken.all(portion.batch.iter())?;
            // Without a limit in between, the next event would be the one that could not be lifted.
            if let Some(failed) = portion.failed.filter(|_| !taken.is_full()) {
                let is_passed_over = match deployment.on_fault {
                    FaultPolicy::Halt => false,
                    FaultPolicy::Skip => failed.failure.verdict().is_some(),
                    // What comes behind it in its stream is set aside, which no trace without that event could show.
                    FaultPolicy::Quarantine => false,
                };
                if !is_passed_over {
                    let (sequence, upcaster, message) = (failed.sequence, failed.name, failed.failure.to_string());
                    return Err(Error::Upcast { sequence, upcaster, message });
                }
            }
            taken.through = portion.through;
        }
        let setup = Setup {
            parameters: deployment.parameters.as_str().into(),
            on_fault: deployment.on_fault,
            fuel_per_event: deployment.fuel_per_event,
            memory_bytes: deployment.memory_bytes,
            encoding: plugin.manifest().state_encoding,
        };
        let (to, events) = (taken.end(), Arc::new(taken.events.finish()));
        let folded = Replay::new(Arc::clone(&plugin), &setup, &events).fold(usize::MAX)?;
        let events = looked_at(&events, &setup, &folded);
        let bytes: usize = folded.entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        fits(bytes, TRACE_BYTES_MAX, "bytes of entries")?;
        let (digest, plugin) = (deployment.plugin(), name_of(&Plugin::Projection(plugin)));
        Ok(Trace { plugin, digest, since: slice.since, to, events, made: Made::Projection(setup, folded) })
    }

    /// Lifts, with one upcaster's own steps, those events of a slice that come to it: the other upcasters in force have
    /// lifted them as far as they go without it.
    pub fn record_upcaster(&self, reference: &str, slice: Slice, filter: &Filter) -> Result<Trace, Error> {
        let installed = self.find_plugin(reference)?;
        let upcaster = self.upcaster(&installed)?;
        let own = Chains::join(&[Arc::clone(&upcaster)]);
        let mut others = self.installed_plugins();
        others.retain(|plugin| plugin.kind == PluginKind::Upcaster && plugin.name != installed.name);
        // Of each name the newest is in force.
        let mut names = BTreeSet::new();
        others.reverse();
        others.retain(|plugin| names.insert(plugin.name.clone()));
        let others = others.iter().map(|plugin| self.upcaster(plugin)).collect::<Result<Vec<_>, _>>()?;
        let others = Chains::join(&others);
        let mut taken = Taken::of(slice, self.head().sequence());
        let reader = self.read_log()?;
        let filter = others.sources(&Filter { event_types: types(&upcaster), ..filter.clone() });
        while let Some(from) = taken.from() {
            let page =
                reader.read(&Query { from, to: Some(taken.to), filter: filter.clone() }, EVENTS_MAX, BYTES_MAX)?;
            let mut rest = page.batch;
            while !rest.is_empty() {
                let lifted = others.lift(rest.clone());
                taken.all(lifted.batch.iter().filter(|event| own.takes(event.event_type, event.schema_version)))?;
                // Where another upcaster fails, this one is never asked.
                let done = lifted.batch.len() + usize::from(lifted.failed.is_some());
                rest = rest.slice(done..rest.len());
            }
            taken.through = page.next.previous();
        }
        let (to, events) = (taken.end(), Arc::new(taken.events.finish()));
        let lifts = Lifting::new(&upcaster, &events).lift(usize::MAX)?;
        let (digest, plugin) = (upcaster.digest(), name_of(&Plugin::Upcaster(upcaster)));
        Ok(Trace { plugin, digest, since: slice.since, to, events, made: Made::Upcaster(lifts) })
    }
}

/// The types that an upcaster's steps take.
fn types(upcaster: &Upcaster) -> BTreeSet<String> {
    upcaster.manifest().steps.iter().map(|step| step.event_type.to_string()).collect()
}

/// What is taken of a slice so far.
struct Taken {
    events: TraceBatch,
    to: Sequence,
    limit: usize,
    /// Everything up to here was looked at.
    through: Sequence,
    /// The last event, once there are as many as wanted.
    last: Option<Sequence>,
}

impl Taken {
    fn of(slice: Slice, head: Sequence) -> Self {
        let to = slice.to.map_or(head, |to| to.min(head));
        let limit = slice.limit.unwrap_or(usize::MAX);
        Self { events: TraceBatch::default(), to, limit, through: slice.since, last: None }
    }

    /// Where to read on, if more is wanted.
    fn from(&self) -> Option<Sequence> {
        (self.through < self.to && !self.is_full()).then(|| self.through.next())
    }

    fn is_full(&self) -> bool {
        self.events.len() >= self.limit
    }

    /// Where what was taken ends.
    fn end(&self) -> Sequence {
        // A slice may begin behind the log's end.
        self.last.unwrap_or_else(|| self.to.max(self.through))
    }

    fn all<'a>(&mut self, events: impl Iterator<Item = EventRef<'a>>) -> Result<(), Error> {
        // What is not there any more was handed to nobody, or will not be again.
        for event in events.filter(|event| event.payload().is_some()) {
            if self.is_full() {
                return Ok(());
            }
            let sequence = event.sequence;
            self.events.push_event(event).map_err(|source| Error::Envelope { sequence, source })?;
            fits(self.events.len(), TRACE_EVENTS_MAX, "events")?;
            fits(self.events.bytes(), TRACE_BYTES_MAX, "bytes of events")?;
            if self.is_full() {
                self.last = Some(sequence);
            }
        }
        Ok(())
    }
}

fn fits(found: usize, max: usize, unit: &'static str) -> Result<(), Error> {
    if found > max { Err(Error::TraceTooLarge { max, unit }) } else { Ok(()) }
}
