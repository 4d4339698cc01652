//! What a commit of a state carries beside its changes and its checkpoint.

use super::Fault;

/// What was found out on the way to a checkpoint: it becomes durable with the changes made on that way, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// New faults, in order of sequence.
    pub faults: Vec<Fault>,
}

impl Marks {
    /// Whether there is nothing to write down.
    pub fn is_empty(&self) -> bool {
        let Self { faults } = self;
        faults.is_empty()
    }
}
