//! Skip lists: the names of event types or categories in a block.

use std::collections::BTreeSet;

use crate::log::bytes::{Input, Malformed};

/// A skip list with more names than this would cost more than it saves.
const NAMES_MAX: usize = 64;

/// The distinct names in a block, sorted; `None` when there are too many to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::log) struct Names(Option<BTreeSet<String>>);

impl Default for Names {
    fn default() -> Self {
        Self(Some(BTreeSet::new()))
    }
}

impl Names {
    pub(in crate::log) fn add(&mut self, name: &str) {
        let Some(names) = &mut self.0 else { return };
        if names.contains(name) {
            return;
        }
        names.insert(name.to_owned());
        if names.len() > NAMES_MAX {
            self.0 = None;
        }
    }

    /// Takes in all names of another list.
    pub(in crate::log) fn add_all(&mut self, other: &Self) {
        match &other.0 {
            None => self.0 = None,
            Some(names) => names.iter().for_each(|name| self.add(name)),
        }
    }

    pub(super) fn may_hold(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }

    pub(super) fn may_hold_any(&self, wanted: &BTreeSet<String>) -> bool {
        match &self.0 {
            None => true,
            Some(names) => wanted.is_empty() || wanted.iter().any(|name| names.contains(name)),
        }
    }

    pub(super) fn count(&self) -> u16 {
        self.0.as_ref().map_or(u16::MAX, |names| names.len() as u16)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for name in self.0.iter().flatten() {
            out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
        }
    }

    pub(super) fn read(input: &mut Input<'_>, count: u16) -> Result<Self, Malformed> {
        if count == u16::MAX {
            return Ok(Self(None));
        }
        let mut names = BTreeSet::new();
        for _ in 0..count {
            let length = input.u16()?;
            let name = std::str::from_utf8(input.take(length.into())?).map_err(|_| Malformed("a name is not UTF-8"))?;
            names.insert(name.to_owned());
        }
        Ok(Self(Some(names)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_names_than_a_list_takes_are_many() {
        let mut names = Names::default();
        (0..NAMES_MAX).for_each(|name| names.add(&name.to_string()));
        assert!(!names.may_hold("x"));
        names.add("x");
        assert!(names.may_hold("y") && names.count() == u16::MAX);
    }
}
