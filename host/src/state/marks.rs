//! What a commit of a state carries beside its changes and its checkpoint.

use std::collections::BTreeMap;

use super::{Costs, Fault, History, Missing, SetAside};

/// What was found out on the way to a checkpoint: it becomes durable with the changes made on that way, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// New faults, in order of sequence.
    pub faults: Vec<Fault>,
    /// What is now set aside of streams of which more is than before.
    pub set_aside: BTreeMap<String, SetAside>,
    /// What all calls cost up to there; none leaves it as it was.
    pub costs: Option<Costs>,
    /// How many events it was made without up to there; none leaves it as it was.
    pub missing: Option<Missing>,
    /// How history is kept of what the commit changes; without, all that was kept is dropped.
    pub history: Option<History>,
}

impl Marks {
    /// Whether there is nothing that deserves a commit. Costs and what is missing are written down with whatever does.
    pub fn is_empty(&self) -> bool {
        let Self { faults, set_aside, costs: _, missing: _, history: _ } = self;
        faults.is_empty() && set_aside.is_empty()
    }
}
