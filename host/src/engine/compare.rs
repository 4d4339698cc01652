//! Holds a projection's states against each other: which keys differ, and after which event they began to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use event_listener::Listener as _;

use super::key::Key;
use super::replay::{End, Replay};
use super::states::Scratch;
use super::{Beside, Deployment, Engine, Error, Progress, Sizing};
use crate::event::{Digest, Filter, Sequence};
use crate::log::Query;
use crate::plugin::StateEncoding;
use crate::state::{Entry, Reader};

/// Events that are replayed between two looks at both states: few looks over the log, and a short way to the one event.
const STEP_EVENTS: u64 = 8_192;

/// How often two states that follow are looked at until they are at the same event.
const LOOKS_MAX: usize = 100;

/// Between two of those looks, unless one of them moves before.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a comparison should say.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// Examples begin behind this key.
    pub after: Option<String>,
    /// How many examples at most.
    pub limit: usize,
    /// Whether to find the first event after which the states differ, by a replay of both.
    pub first_difference: bool,
}

/// What a comparison found.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub serving: Side,
    pub other: Side,
    pub beside: Beside,
    /// Keys that only the other state has.
    pub added: u64,
    /// Keys that only the serving state has.
    pub removed: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// Keys that differ, in order.
    pub examples: Vec<Differing>,
    /// The last example's key, if there are more.
    pub next: Option<String>,
    pub first_difference: Option<FirstDifference>,
}

/// One of two states.
#[derive(Clone, Debug)]
pub struct Side {
    pub identity: Digest,
    /// `name@version`.
    pub plugin: String,
    pub sequence: Sequence,
    pub entries: u64,
    pub encoding: StateEncoding,
}

/// A key that differs, with both values; none where there is no such entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    pub key: String,
    pub serving: Option<Vec<u8>>,
    pub other: Option<Vec<u8>>,
}

/// The first event after which two states differ, and the first key in which they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstDifference {
    pub sequence: Sequence,
    pub stream: String,
    pub event_type: String,
    pub entry: Differing,
}

/// A snapshot of a state, and the event behind which it holds.
struct Place {
    reader: Reader,
    sequence: Sequence,
}

impl Engine {
    /// Compares the state that serves with the one that is being built, or else with the one that served before.
    pub fn compare(
        &self,
        name: &str,
        options: &CompareOptions,
        watch: impl FnMut(&Progress),
    ) -> Result<Comparison, Error> {
        let projection = self.projection(name)?;
        let no_other = || Error::NoOtherState { name: name.to_owned(), wanted: "other" };
        let serving = projection.serving.as_ref().ok_or_else(no_other)?;
        let (beside, other) = match (&projection.building, &projection.previous) {
            (Some(building), _) => (Beside::Building, building),
            (None, Some(previous)) => (Beside::Previous, previous),
            (None, None) => return Err(no_other()),
        };
        let (left, right) = self.places(name, serving, other)?;
        let mut comparison = Comparison {
            serving: self.side(serving, &left)?,
            other: self.side(other, &right)?,
            beside,
            added: 0,
            removed: 0,
            changed: 0,
            unchanged: 0,
            examples: Vec::new(),
            next: None,
            first_difference: None,
        };
        comparison.count(&left.reader, &right.reader, options)?;
        let is_same = comparison.added + comparison.removed + comparison.changed == 0;
        if options.first_difference && !(is_same && left.sequence == right.sequence) {
            let until = left.sequence.min(right.sequence);
            comparison.first_difference = self.first_difference(name, serving, other, until, watch)?;
        }
        Ok(comparison)
    }

    /// Both states, at the same event if they come there within a moment.
    fn places(&self, name: &str, left: &Deployment, right: &Deployment) -> Result<(Place, Place), Error> {
        for _ in 0..LOOKS_MAX {
            let moved = self.hub.running.get(&Key::state(name, right.identity())).map(|worker| worker.meter.listen());
            let (left, right) = (self.place(name, left)?, self.place(name, right)?);
            let is_far = left.sequence.0.abs_diff(right.sequence.0) > STEP_EVENTS;
            let Some(moved) = moved.filter(|_| left.sequence != right.sequence && !is_far) else {
                return Ok((left, right));
            };
            moved.wait_timeout(LOOK_EVERY);
        }
        Ok((self.place(name, left)?, self.place(name, right)?))
    }

    fn place(&self, name: &str, deployment: &Deployment) -> Result<Place, Error> {
        let Some(worker) = self.hub.running.get(&Key::state(name, deployment.identity())) else {
            let reader = self.hub.states.open(name, deployment.identity())?.reader()?;
            return Ok(Place { sequence: reader.checkpoint().sequence, reader });
        };
        let _held = worker.outlet.hold();
        let reader = worker.store.reader()?;
        Ok(Place { sequence: reader.checkpoint().sequence.max(worker.meter.visible_sequence()), reader })
    }

    fn side(&self, deployment: &Deployment, place: &Place) -> Result<Side, Error> {
        let plugin = self.projection_plugin(deployment.plugin(), &deployment.limits())?;
        Ok(Side {
            identity: deployment.identity(),
            plugin: self.plugin_name(deployment),
            sequence: place.sequence,
            entries: place.reader.len()?,
            encoding: plugin.manifest().state_encoding,
        })
    }

    /// Replays both side by side, up to `until` at most, to the first event after which they differ.
    fn first_difference(
        &self,
        name: &str,
        serving: &Deployment,
        other: &Deployment,
        until: Sequence,
        mut watch: impl FnMut(&Progress),
    ) -> Result<Option<FirstDifference>, Error> {
        let (mut left, mut right) = (self.run(name, serving)?, self.run(name, other)?);
        let (mut same, mut step) = (Sequence::ZERO, STEP_EVENTS);
        while same < until {
            let target = Sequence(same.0 + step).min(until);
            left.go_to(target)?;
            right.go_to(target)?;
            watch(&left.replay.meter.read());
            match first_key(&left, &right)? {
                None => {
                    left.replay.commit(true)?;
                    right.replay.commit(true)?;
                    same = target;
                }
                Some(entry) if target.0 - same.0 == 1 => {
                    return Ok(Some(self.describe(target, entry)?));
                }
                Some(_) => {
                    step = (target.0 - same.0) / 2;
                    left.replay.reset()?;
                    right.replay.reset()?;
                }
            }
        }
        Ok(None)
    }

    fn run(&self, name: &str, deployment: &Deployment) -> Result<Run, Error> {
        let scratch = Scratch(self.hub.states.scratch(name, deployment.identity())?);
        let (replay, _) = self.replay(name, deployment, Arc::clone(&scratch.0), Sizing::adaptive())?;
        replay.meter.enter(super::Phase::Replaying);
        Ok(Run { replay, _scratch: scratch })
    }

    fn describe(&self, sequence: Sequence, entry: Differing) -> Result<FirstDifference, Error> {
        let query = Query { from: sequence, to: Some(sequence), filter: Filter::all() };
        let page = self.hub.log.reader()?.read(&query, 1, 1)?;
        let event = page.batch.find(sequence);
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let (stream, event_type) = (text(event.map(|event| event.stream)), text(event.map(|event| event.event_type)));
        Ok(FirstDifference { sequence, stream, event_type, entry })
    }
}

/// A replay into a file that nobody else sees.
struct Run {
    replay: Replay,
    _scratch: Scratch,
}

impl Run {
    fn go_to(&mut self, target: Sequence) -> Result<(), Error> {
        match self.replay.run_inline(target)? {
            // Where it halts its state stays, and that is what it is compared with.
            End::Reached | End::Asked | End::Stopped(super::feed::Stopped::Fault(_)) => Ok(()),
            End::Stopped(super::feed::Stopped::Pause { reason, .. }) => Err(Error::NotCompared { reason }),
            End::Stopped(super::feed::Stopped::OverQuota { over, .. }) => {
                Err(Error::NotCompared { reason: over.reason })
            }
        }
    }
}

/// The first key that one of the two changed since they were the same, and that differs now.
fn first_key(left: &Run, right: &Run) -> Result<Option<Differing>, Error> {
    let (left, right) = (left.replay.feed.overlay(), right.replay.feed.overlay());
    let keys: BTreeSet<&str> = left.kept_keys().chain(right.kept_keys()).collect();
    for key in keys {
        let (serving, other) = (left.get(key)?, right.get(key)?);
        if serving != other {
            return Ok(Some(Differing { key: key.to_owned(), serving, other }));
        }
    }
    Ok(None)
}

impl Comparison {
    /// Walks both states in key order.
    fn count(&mut self, left: &Reader, right: &Reader, options: &CompareOptions) -> Result<(), Error> {
        let (mut left, mut right) = (left.entries()?, right.entries()?);
        let (mut serving, mut other) = (left.next().transpose()?, right.next().transpose()?);
        loop {
            let order = match (&serving, &other) {
                (None, None) => return Ok(()),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((left, _)), Some((right, _))) => left.cmp(right),
            };
            let (mut from_left, mut from_right) = (None, None);
            if order.is_le() {
                from_left = std::mem::replace(&mut serving, left.next().transpose()?);
            }
            if order.is_ge() {
                from_right = std::mem::replace(&mut other, right.next().transpose()?);
            }
            self.add(from_left, from_right, options);
        }
    }

    fn add(&mut self, serving: Option<Entry>, other: Option<Entry>, options: &CompareOptions) {
        match (&serving, &other) {
            (Some(serving), Some(other)) if serving == other => {
                self.unchanged += 1;
                return;
            }
            (Some(_), Some(_)) => self.changed += 1,
            (None, _) => self.added += 1,
            (_, None) => self.removed += 1,
        }
        let key = serving.as_ref().or(other.as_ref()).map(|(key, _)| key.clone()).expect("one of them is there");
        if options.after.as_ref().is_some_and(|after| key <= *after) {
            return;
        }
        if self.examples.len() == options.limit {
            self.next = self.examples.last().map(|last| last.key.clone());
            return;
        }
        let value = |entry: Option<Entry>| entry.map(|(_, value)| value);
        self.examples.push(Differing { key, serving: value(serving), other: value(other) });
    }
}
