//! Retention: which payloads the log keeps, what would go, and the runs that drop it.

mod blocked;
mod counts;
mod cover;
mod marked;
mod plan;
mod policy;
mod run;

pub use blocked::Blocked;
pub(super) use counts::{COUNTS_FILE, Counts};
pub use counts::{LastRun, RunCounts};
pub use plan::{Group, Plan};
pub use policy::{Candidate, Policy, Quiet, Rule, Verdict};
pub use run::Step;

use super::{Engine, Error};
use crate::event::{Sequence, Timestamp};

/// What a run would do, and what it waits for.
#[derive(Clone, Debug)]
pub struct Planned {
    pub plan: Plan,
    /// What the log's file has now.
    pub file_bytes: u64,
    /// What keeps a run from beginning.
    pub blocked: Vec<Blocked>,
}

impl Engine {
    /// Which payloads the log keeps.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the runs of retention did.
    pub fn retention_counts(&self) -> RunCounts {
        self.retention.now()
    }

    /// Runs if as much could go as the policy says.
    pub fn run_retention_if_due(&self) -> Result<Option<LastRun>, Error> {
        let total = self.plan_retention(&mut |_| {})?.plan.total();
        let is_enough = |there: u64, wanted: Option<u64>| wanted.is_some_and(|wanted| there >= wanted);
        match is_enough(total.events, self.policy.when_events) || is_enough(total.bytes, self.policy.when_bytes) {
            true => self.run_retention(&mut |_, _| {}).map(Some),
            false => Ok(None),
        }
    }

    /// What a run of retention would do now. Reads the log, and changes nothing; calls `progress` with the last sequence looked
    /// at.
    pub fn plan_retention(&self, progress: &mut dyn FnMut(Sequence)) -> Result<Planned, Error> {
        let (stats, reader) = (self.log().stats()?, self.log().reader()?);
        let cut = reader.head().sequence;
        let plan = Plan::make((&reader, stats, cut), &self.policy, Timestamp::now(), progress)?;
        let blocked = self.blocked(plan.cut)?;
        Ok(Planned { plan, file_bytes: stats.file_bytes, blocked })
    }
}
