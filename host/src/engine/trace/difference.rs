//! What differs between two results of one plugin, or of two.

use std::collections::{BTreeMap, BTreeSet};

use super::{Failed, Folded, Lift};
use crate::cbor;
use crate::event::Sequence;

/// One thing that is not as expected; none where it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    Entry {
        key: String,
        expected: Option<Vec<u8>>,
        found: Option<Vec<u8>>,
        /// The event that changed the key last.
        changed_by: Option<Sequence>,
    },
    /// What became of an event, in words.
    Event { sequence: Sequence, expected: Option<String>, found: Option<String> },
}

/// A result that depends on where the events were cut into calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutDifference {
    /// How they were cut, in words.
    pub cut: String,
    /// `expected` is what came out of the largest calls.
    pub differences: Vec<Difference>,
}

/// Which event changed each key last.
pub(super) type ChangedBy = BTreeMap<String, Sequence>;

/// What differs between two states, in key order, and between their faults.
pub(super) fn between(expected: &Folded, found: &Folded, changed_by: &ChangedBy) -> Vec<Difference> {
    let mut differences = between_entries(&expected.entries, &found.entries);
    for difference in &mut differences {
        if let Difference::Entry { key, changed_by: by, .. } = difference {
            *by = changed_by.get(key).copied();
        }
    }
    differences.extend(between_faults(&expected.faults, &found.faults));
    differences
}

pub(super) fn between_entries(
    expected: &BTreeMap<String, Vec<u8>>,
    found: &BTreeMap<String, Vec<u8>>,
) -> Vec<Difference> {
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let differing = keys.into_iter().filter(|key| expected.get(*key) != found.get(*key));
    let difference = |key: &String| Difference::Entry {
        key: key.clone(),
        expected: expected.get(key).cloned(),
        found: found.get(key).cloned(),
        changed_by: None,
    };
    differing.map(difference).collect()
}

pub(super) fn between_faults(expected: &[Failed], found: &[Failed]) -> Vec<Difference> {
    let by_sequence = |faults: &[Failed]| -> BTreeMap<Sequence, String> {
        faults.iter().map(|failed| (failed.sequence, format!("fails, {failed}"))).collect()
    };
    between_events(&by_sequence(expected), &by_sequence(found))
}

pub(super) fn between_lifts(expected: &[Lift], found: &[Lift]) -> Vec<Difference> {
    let by_sequence = |lifts: &[Lift]| -> BTreeMap<Sequence, String> {
        lifts.iter().map(|lift| (lift.sequence, said(lift))).collect()
    };
    between_events(&by_sequence(expected), &by_sequence(found))
}

fn between_events(expected: &BTreeMap<Sequence, String>, found: &BTreeMap<Sequence, String>) -> Vec<Difference> {
    let sequences: BTreeSet<&Sequence> = expected.keys().chain(found.keys()).collect();
    let differing = sequences.into_iter().filter(|sequence| expected.get(sequence) != found.get(sequence));
    let difference = |sequence: &Sequence| Difference::Event {
        sequence: *sequence,
        expected: expected.get(sequence).cloned(),
        found: found.get(sequence).cloned(),
    };
    differing.map(difference).collect()
}

/// What an upcaster made of an event. Payloads that look alike as JSON are told apart by their bytes.
fn said(lift: &Lift) -> String {
    match &lift.made {
        Ok(shape) => {
            let json = cbor::to_json(&shape.payload);
            let is_exact = json
                .as_ref()
                .is_ok_and(|json| cbor::from_json(json).is_ok_and(|payload| payload.as_bytes() == shape.payload));
            let bytes = shape.payload.iter().map(|byte| format!("{byte:02x}"));
            let bytes = if is_exact { String::new() } else { format!(" (CBOR {})", bytes.collect::<String>()) };
            format!("{} v{} {}{bytes}", shape.event_type, shape.schema_version, json.unwrap_or_default())
        }
        Err(failed) => format!("fails, {failed}"),
    }
}
