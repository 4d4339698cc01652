//! Chains of upcaster steps, composed from all upcasters in force, and applied to events on reading.
//!
//! A chain follows an event from its stored type and schema version, step by step, until no upcaster has a further one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::patience::Patience;
use crate::event::{Batch, Digest, EventRef, Filter, Row, SchemaVersion, Sequence, Stored};
use crate::plugin::{Failure, Output, Step, Upcaster};

/// Why upcasters do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("upcasters {first} and {second} both lift {event_type} from schema version {from}; remove one of them")]
    Doubled { event_type: String, from: u32, first: String, second: String },
    #[error(
        "no upcaster lifts {event_type} from schema version {from}, but {upcaster} lifts it from {later}; install that step first"
    )]
    Missing { event_type: String, from: u32, upcaster: String, later: u32 },
    #[error("upcaster {upcaster} takes {event_type} at schema version {from} back to type {back}, which it came from")]
    Backwards { event_type: String, from: u32, back: String, upcaster: String },
    #[error("upcaster {upcaster} has a step for {event_type} from schema version {from}; versions run from 1 to {max}", max = u32::MAX - 1)]
    OutOfRange { event_type: String, from: u32, upcaster: String },
}

/// All steps in force.
#[derive(Clone, Default)]
pub struct Chains {
    /// By the event type that a step takes, then by schema version.
    steps: BTreeMap<String, BTreeMap<u32, Link>>,
}

#[derive(Clone)]
struct Link {
    upcaster: Arc<Upcaster>,
    digest: Digest,
    /// The type of what the step makes.
    event_type: String,
}

impl std::fmt::Debug for Chains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.steps.keys()).finish()
    }
}

/// Events after upcasting: all of them, or those before the first that could not be lifted.
#[derive(Debug)]
pub struct Lifted {
    pub batch: Batch,
    pub failed: Option<UpcastFault>,
}

/// An upcaster's failure on one event.
#[derive(Clone, Debug)]
pub struct UpcastFault {
    pub sequence: Sequence,
    pub stream: String,
    pub event_type: String,
    pub schema_version: SchemaVersion,
    pub upcaster: Digest,
    /// The upcaster's name and version.
    pub name: String,
    pub failure: Failure,
    /// What the call used.
    pub fuel: u64,
    pub output: Output,
}

/// A step as its manifest says it, for composition apart from any plugin.
struct Declared<'a> {
    name: String,
    step: &'a Step,
}

impl Chains {
    /// Joins the steps of all upcasters into chains.
    pub fn compose(upcasters: &[Arc<Upcaster>]) -> Result<Self, ChainError> {
        let mut declared: Vec<Declared> = Vec::new();
        for upcaster in upcasters {
            let manifest = upcaster.manifest();
            let name = format!("{}@{}", manifest.name, manifest.version);
            declared.extend(manifest.steps.iter().map(|step| Declared { name: name.clone(), step }));
        }
        check(&declared)?;
        Ok(Self::join(upcasters))
    }

    /// Joins the steps of some of those upcasters, which may lack what lies between them.
    pub(super) fn join(upcasters: &[Arc<Upcaster>]) -> Self {
        let mut chains = Self::default();
        for upcaster in upcasters {
            for step in &upcaster.manifest().steps {
                let link = Link {
                    upcaster: Arc::clone(upcaster),
                    digest: upcaster.digest(),
                    event_type: target(step).to_owned(),
                };
                chains.steps.entry(step.event_type.to_string()).or_default().insert(step.from.0, link);
            }
        }
        chains
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether there is a step for events of that shape.
    pub(super) fn takes(&self, event_type: &str, from: SchemaVersion) -> bool {
        self.link(event_type, from).is_some()
    }

    /// The stored events from which `wanted` events can come: the wanted types and those that are renamed into them.
    pub fn sources(&self, wanted: &Filter) -> Filter {
        if wanted.event_types.is_empty() {
            return wanted.clone();
        }
        Filter { event_types: self.reaching(&wanted.event_types), categories: wanted.categories.clone() }
    }

    /// The upcasters that can change what a reader of `wanted` sees, in order of digest.
    pub fn touching(&self, wanted: &Filter) -> BTreeSet<Digest> {
        if wanted.event_types.is_empty() {
            return self.links().map(|(_, link)| link.digest).collect();
        }
        let types = self.reaching(&wanted.event_types);
        let touches = |source: &str, link: &Link| types.contains(source) || types.contains(&link.event_type);
        self.links().filter(|(source, link)| touches(source, link)).map(|(_, link)| link.digest).collect()
    }

    /// Lifts every event as far as its chain goes.
    pub fn lift(&self, batch: Batch) -> Lifted {
        let mut batch = Arc::new(batch);
        let mut failed: Option<(usize, UpcastFault)> = None;
        loop {
            let end = failed.as_ref().map_or(batch.len(), |(index, _)| *index);
            let due = self.due(&batch, end);
            if due.is_empty() {
                break;
            }
            for rows in due.into_values() {
                let limit = failed.as_ref().map_or(usize::MAX, |(index, _)| *index);
                let rows: Vec<usize> = rows.into_iter().filter(|row| *row < limit).collect();
                if let Some(failure) = self.step(&mut batch, &rows, None) {
                    failed = Some(failure);
                }
            }
        }
        let batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| (*shared).clone());
        match failed {
            None => Lifted { batch, failed: None },
            Some((index, fault)) => Lifted { batch: batch.slice(0..index), failed: Some(fault) },
        }
    }

    /// The rows that have a step to make, by the upcaster that makes it.
    fn due(&self, batch: &Batch, end: usize) -> BTreeMap<Digest, Vec<usize>> {
        let mut due: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for index in 0..end {
            let event = batch.event(index);
            // What is not there stays in the shape that it was stored in.
            if event.payload().is_none() {
                continue;
            }
            if let Some(link) = self.link(event.event_type, event.schema_version) {
                due.entry(link.digest).or_default().push(index);
            }
        }
        due
    }

    /// Makes one step for each of these rows with the one upcaster that has it. On failure tries halves, so that all
    /// rows before the first that fails by itself are lifted.
    fn step(&self, batch: &mut Arc<Batch>, rows: &[usize], patience: Option<Patience>) -> Option<(usize, UpcastFault)> {
        let (first, _) = rows.split_first()?;
        let event = batch.event(*first);
        let link = self.link(event.event_type, event.schema_version)?;
        let upcaster = Arc::clone(&link.upcaster);
        let patience = patience.unwrap_or_else(|| Patience::new(upcaster.limits().deadline));
        let (usage, output, result) = upcaster.upcast_within(batch, rows, patience.of(rows.len()));
        match result {
            Ok(payloads) => {
                self.replace(batch, rows, payloads);
                None
            }
            Err(failure) if rows.len() == 1 || !failure.may_be_of_one_event() => {
                Some((*first, fault(batch.event(*first), &upcaster, Failed { failure, fuel: usage.fuel, output })))
            }
            Err(failure) => {
                let patience = Some(patience.after(&failure));
                let (left, right) = rows.split_at(rows.len() / 2);
                let failed = self.step(batch, left, patience);
                failed.or_else(|| self.step(batch, right, patience))
            }
        }
    }

    fn replace(&self, batch: &mut Arc<Batch>, rows: &[usize], payloads: Vec<Vec<u8>>) {
        let batch = Arc::make_mut(batch);
        let mut ends = Vec::with_capacity(payloads.len());
        let mut bytes = Vec::with_capacity(payloads.iter().map(Vec::len).sum());
        for payload in payloads {
            bytes.extend_from_slice(&payload);
            ends.push(bytes.len());
        }
        let buffer = batch.add_buffer(bytes.into());
        let mut renamed: BTreeMap<String, u32> = BTreeMap::new();
        let mut start = 0;
        for (index, end) in rows.iter().zip(ends) {
            let old = batch.rows()[*index];
            let event = batch.event(*index);
            let link = self.link(event.event_type, event.schema_version).expect("the row had a step to make");
            let event_type = if link.event_type == event.event_type {
                old.event_type
            } else {
                let name = link.event_type.as_str();
                let buffer = match renamed.get(name) {
                    Some(buffer) => *buffer,
                    None => {
                        let buffer = batch.add_buffer(name.as_bytes().into());
                        renamed.insert(name.to_owned(), buffer);
                        buffer
                    }
                };
                batch.span(buffer, 0..name.len())
            };
            let payload = Stored::Whole(batch.span(buffer, start..end));
            batch.replace(*index, Row { schema_version: old.schema_version.next(), event_type, payload, ..old });
            start = end;
        }
    }

    fn link(&self, event_type: &str, from: SchemaVersion) -> Option<&Link> {
        self.steps.get(event_type)?.get(&from.0)
    }

    /// All steps with the event type that each takes.
    fn links(&self) -> impl Iterator<Item = (&str, &Link)> {
        self.steps.iter().flat_map(|(source, links)| links.values().map(move |link| (source.as_str(), link)))
    }

    /// The types from which one of `wanted` can be reached by renaming, themselves included.
    fn reaching(&self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let mut types = wanted.clone();
        loop {
            let more =
                self.links().filter(|(source, link)| types.contains(&link.event_type) && !types.contains(*source));
            let more: Vec<String> = more.map(|(source, _)| source.to_owned()).collect();
            if more.is_empty() {
                return types;
            }
            types.extend(more);
        }
    }
}

/// The type of what a step makes.
fn target(step: &Step) -> &str {
    step.new_event_type.as_ref().unwrap_or(&step.event_type).as_str()
}

/// How a call for one event ended.
struct Failed {
    failure: Failure,
    fuel: u64,
    output: Output,
}

fn fault(event: EventRef<'_>, upcaster: &Upcaster, failed: Failed) -> UpcastFault {
    let Failed { failure, fuel, output } = failed;
    UpcastFault {
        sequence: event.sequence,
        stream: event.stream.to_owned(),
        event_type: event.event_type.to_owned(),
        schema_version: event.schema_version,
        upcaster: upcaster.digest(),
        name: format!("{}@{}", upcaster.manifest().name, upcaster.manifest().version),
        failure,
        fuel,
        output,
    }
}

fn check(declared: &[Declared]) -> Result<(), ChainError> {
    let mut steps: BTreeMap<(&str, u32), &Declared> = BTreeMap::new();
    for one in declared {
        let (event_type, from) = (one.step.event_type.as_str(), one.step.from.0);
        if from == 0 || from == u32::MAX {
            return Err(ChainError::OutOfRange { event_type: event_type.into(), from, upcaster: one.name.clone() });
        }
        if let Some(other) = steps.insert((event_type, from), one) {
            let (first, second) = (other.name.clone(), one.name.clone());
            return Err(ChainError::Doubled { event_type: event_type.into(), from, first, second });
        }
    }
    for one in declared {
        check_no_gap(one, &steps)?;
        check_forwards(one, &steps)?;
    }
    Ok(())
}

/// What a step makes must either be taken by the next step or be the newest version of its type.
fn check_no_gap(one: &Declared, steps: &BTreeMap<(&str, u32), &Declared>) -> Result<(), ChainError> {
    let (event_type, made) = (target(one.step), one.step.from.0 + 1);
    let later = steps.range((event_type, made)..).next().filter(|((found, _), _)| *found == event_type);
    match later {
        Some(((_, later), upcaster)) if *later > made => Err(ChainError::Missing {
            event_type: event_type.to_owned(),
            from: made,
            upcaster: upcaster.name.clone(),
            later: *later,
        }),
        Some(_) | None => Ok(()),
    }
}

/// A chain of renames must not come back to a type that it left.
fn check_forwards(start: &Declared, steps: &BTreeMap<(&str, u32), &Declared>) -> Result<(), ChainError> {
    let mut left: BTreeSet<&str> = BTreeSet::new();
    let mut next = Some(start);
    while let Some(one) = next {
        let (event_type, target) = (one.step.event_type.as_str(), target(one.step));
        if target != event_type {
            left.insert(event_type);
        }
        if left.contains(target) {
            return Err(ChainError::Backwards {
                event_type: event_type.to_owned(),
                from: one.step.from.0,
                back: target.to_owned(),
                upcaster: one.name.clone(),
            });
        }
        next = steps.get(&(target, one.step.from.0 + 1)).copied();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventType;

    /// Steps written as `type version [-> type]`, an upcaster a string.
    fn checked(upcasters: &[&str]) -> String {
        let mut steps = Vec::new();
        for (number, text) in upcasters.iter().enumerate() {
            for step in text.split(',') {
                let words: Vec<&str> = step.split_whitespace().collect();
                let step = Step {
                    event_type: EventType::new(words[0]).unwrap(),
                    from: SchemaVersion(words[1].parse().unwrap()),
                    new_event_type: words.get(3).map(|name| EventType::new(*name).unwrap()),
                };
                steps.push((format!("u{number}"), step));
            }
        }
        let declared: Vec<_> = steps.iter().map(|(name, step)| Declared { name: name.clone(), step }).collect();
        check(&declared).map_or_else(|error| error.to_string(), |()| "fits".to_owned())
    }

    #[test]
    fn steps_that_follow_each_other_fit() {
        assert_eq!(checked(&["a 1", "a 2", "b 1"]), "fits");
        assert_eq!(checked(&["a 2, a 1"]), "fits");
        assert_eq!(checked(&["a 5"]), "fits");
        assert_eq!(checked(&["a 1 -> b", "b 2"]), "fits");
        assert_eq!(checked(&["a 1 -> b, b 1"]), "fits");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |upcasters: &[&str], expected: &str| assert_eq!(checked(upcasters), expected);
        check(&["a 1", "a 1"], "upcasters u0 and u1 both lift a from schema version 1; remove one of them");
        check(
            &["a 1", "a 3"],
            "no upcaster lifts a from schema version 2, but u1 lifts it from 3; install that step first",
        );
        check(
            &["a 1 -> b", "b 4"],
            "no upcaster lifts b from schema version 2, but u1 lifts it from 4; install that step first",
        );
        check(&["a 1 -> b", "b 2 -> a"], "upcaster u1 takes b at schema version 2 back to type a, which it came from");
        check(&["a 0"], "upcaster u0 has a step for a from schema version 0; versions run from 1 to 4294967294");
    }
}
