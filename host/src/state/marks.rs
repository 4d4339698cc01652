//! What a commit of a state carries beside its changes and its checkpoint.

use std::collections::BTreeMap;

use super::{Fault, SetAside};

/// What was found out on the way to a checkpoint: it becomes durable with the changes made on that way, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// New faults, in order of sequence.
    pub faults: Vec<Fault>,
    /// What is now set aside of streams of which more is than before.
    pub set_aside: BTreeMap<String, SetAside>,
}

impl Marks {
    /// Whether there is nothing to write down.
    pub fn is_empty(&self) -> bool {
        let Self { faults, set_aside } = self;
        faults.is_empty() && set_aside.is_empty()
    }
}
