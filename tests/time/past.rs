//! What the tests ask of states as they were.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use polyfold::cbor;
use polyfold::engine::{AsOf, Error, Moment, Past, Waiting};
use polyfold::event::Sequence;

use crate::host::Host;

pub(crate) fn as_of(sequence: u64) -> AsOf {
    AsOf { at: Some(Moment::Sequence(Sequence(sequence))), ..AsOf::default() }
}

impl Host {
    pub(crate) fn look_back(&self, name: &str, as_of: &AsOf) -> Result<Arc<Past>, Error> {
        self.past(name, as_of, &mut Waiting { stop: Arc::default(), watch: &mut |_| {} })
    }

    /// The entries of a state as it was, a line each.
    pub(crate) fn entries_as_of(&self, name: &str, as_of: &AsOf) -> String {
        shown(&self.look_back(name, as_of).unwrap())
    }
}

/// A state's entries as JSON, a line each, read in one pass and one by one.
pub(crate) fn shown(past: &Past) -> String {
    past.entries().fold(String::new(), |mut text, entry| {
        let (key, value) = entry.unwrap();
        assert_eq!(past.get(&key).unwrap().as_ref(), Some(&value));
        writeln!(text, "{key} = {}", cbor::to_json(&value).unwrap()).unwrap();
        text
    })
}

/// Entries as they should be, a line each.
pub(crate) fn lines(entries: &BTreeMap<String, Vec<u64>>) -> String {
    entries.iter().fold(String::new(), |mut text, (key, numbers)| {
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        writeln!(text, "{key} = [{}]", numbers.join(",")).unwrap();
        text
    })
}
