//! What a benchmark leaves out, to see what it costs. Nothing else does: a state without it cannot be proved or explained.

use std::sync::atomic::{AtomicBool, Ordering};

static TREE: AtomicBool = AtomicBool::new(true);
static COSTS: AtomicBool = AtomicBool::new(true);

/// From now on, whether trees are built for states that were left without one, and whether calls are counted.
pub fn keep(tree: bool, costs: bool) {
    TREE.store(tree, Ordering::Relaxed);
    COSTS.store(costs, Ordering::Relaxed);
}

pub(super) fn keeps_tree() -> bool {
    TREE.load(Ordering::Relaxed)
}

pub(super) fn keeps_costs() -> bool {
    COSTS.load(Ordering::Relaxed)
}
