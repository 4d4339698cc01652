//! A run of retention: plan, cover every state, archive, rewrite, count. Whatever ends it on the way leaves all as it was or
//! as it should be, and the next run begins from there.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, TryLockError};

use super::{LastRun, Plan};
use crate::engine::{Engine, Error};
use crate::event::{EventRef, Sequence, Timestamp, Why};
use crate::log::Rewrite;

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Looking for what goes.
    Plan,
    /// Bringing states to where they can be begun afterwards.
    Cover,
    /// Writing what goes to the archive.
    Archive,
    /// Writing the log without it.
    Rewrite,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "planning",
            Self::Cover => "taking snapshots",
            Self::Archive => "archiving",
            Self::Rewrite => "rewriting",
        }
    }
}

impl Engine {
    /// Drops the payloads that the policy does not keep of the log as it is now. Returns what that did; without anything
    /// to drop that is nothing, and it counts as no run. Calls `watch` with how far each step is.
    ///
    /// # Errors
    /// If another run is at it, or a state needs what would go: then nothing is dropped.
    pub fn run_retention(&self, watch: &mut dyn FnMut(Step, Sequence)) -> Result<LastRun, Error> {
        let _turn = self.retaining()?;
        let (now, stats, reader) = (Timestamp::now(), self.log().stats()?, self.log().reader()?);
        let cut = reader.head().sequence;
        let plan = Plan::make((&reader, stats, cut), &self.policy, now, &mut |sequence| watch(Step::Plan, sequence))?;
        let file_bytes = stats.file_bytes;
        let mut run = LastRun {
            at: now.to_string(),
            cut: cut.0,
            file_bytes_before: file_bytes,
            file_bytes_after: file_bytes,
            critical_before: plan.critical,
            critical_after: plan.critical,
            ..LastRun::default()
        };
        if plan.marked.is_empty() {
            return Ok(run);
        }
        self.cover(cut, &mut |progress| watch(Step::Cover, progress.sequence))?;
        self.retention.begin()?;
        let mut wanted = |event: &EventRef<'_>| plan.marked.contains(event.sequence);
        self.hub.archive.or_new()?.add(&reader, &mut wanted, &mut |sequence| watch(Step::Archive, sequence))?;
        drop(reader);
        let boundaries = self.boundaries(cut)?;
        let mut drop = |event: &EventRef<'_>| plan.marked.contains(event.sequence).then_some(Why::Compacted);
        let rewrite = Rewrite { drop: &mut drop, fold: true, boundaries: &boundaries };
        let rewritten = self.log().rewrite(rewrite, &mut |sequence| watch(Step::Rewrite, sequence))?;
        self.hub.recent.clear();
        self.drop_earlier_bases();
        let after = self.log().reader()?;
        let again = Plan::make((&after, self.log().stats()?, cut), &self.policy, now, &mut |_| {})?;
        if again.critical != plan.critical {
            tracing::error!(
                "{} critical events were there before a run of retention, and {}",
                plan.critical,
                again.critical
            );
        }
        let total = plan.total();
        (run.events, run.payload_bytes, run.folded) = (total.events, total.bytes, rewritten.events_folded);
        (run.file_bytes_after, run.critical_after) = (self.log().stats()?.file_bytes, again.critical);
        tracing::info!(events = run.events, bytes = run.payload_bytes, "a run of retention dropped payloads");
        self.retention.add(run.clone())?;
        Ok(run)
    }

    /// The right to write the log anew.
    pub(in crate::engine) fn retaining(&self) -> Result<MutexGuard<'_, ()>, Error> {
        match self.retaining.try_lock() {
            Ok(turn) => Ok(turn),
            Err(TryLockError::Poisoned(turn)) => Ok(turn.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::RetentionRuns),
        }
    }

    /// Where states and snapshots stand: there the log must be able to say its chain head afterwards.
    pub(in crate::engine) fn boundaries(&self, cut: Sequence) -> Result<BTreeSet<Sequence>, Error> {
        let mut boundaries = BTreeSet::from([cut]);
        for projection in self.projections() {
            for deployment in projection.deployments() {
                boundaries.insert(self.store_of(&projection.name, deployment)?.checkpoint()?.sequence);
            }
            boundaries.extend(self.snapshots(&projection.name)?.iter().map(|taken| taken.sequence));
        }
        Ok(boundaries)
    }

    fn drop_earlier_bases(&self) {
        for projection in self.projections() {
            if let Err(error) = self.hub.states.drop_earlier_bases(&projection.name) {
                tracing::warn!(projection = projection.name, "snapshots of earlier runs stay: {error}");
            }
        }
    }
}
