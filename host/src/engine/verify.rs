//! Holds a projection to its promise: builds its state anew with other batch sizes and compares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::feed::Stopped;
use super::replay::End;
use super::states::Scratch;
use super::{Deployment, Engine, Error, Phase, Progress, Sizing};
use crate::event::{Digest, Sequence};
use crate::state::{Fault, Reader, Store};

/// Sizes that cut the log elsewhere than the live feed did: single events, odd numbers, and more than it may have had.
const SIZES: [usize; 5] = [1, 7, 64, 501, 8_192];

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Both states were compared at this checkpoint.
    pub sequence: Sequence,
    pub entries: u64,
    pub live: Digest,
    pub rebuilt: Digest,
    pub difference: Option<Difference>,
}

/// The first thing in which two states differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An entry: its key, and the value in the live state and in the rebuilt one.
    Entry { key: String, live: Option<Vec<u8>>, rebuilt: Option<Vec<u8>> },
    /// The rebuilt state could not come as far.
    Stopped { sequence: Sequence, reason: String },
    /// The one failed on an event on which the other did not, or failed otherwise.
    Fault { sequence: Sequence, live: Option<String>, rebuilt: Option<String> },
}

impl Engine {
    /// Rebuilds a snapshot of the readable state and compares every entry and fault; the state goes on meanwhile.
    pub fn verify(&self, name: &str, watch: impl FnMut(&Progress) + Send) -> Result<Verification, Error> {
        self.verify_with(name, &SIZES, watch)
    }

    /// Verifies with batches of these sizes in turn; a caller who suspects a size can name it.
    pub fn verify_with(
        &self,
        name: &str,
        sizes: &[usize],
        watch: impl FnMut(&Progress) + Send,
    ) -> Result<Verification, Error> {
        let projection = self.projection(name)?;
        let deployment = projection.readable();
        let live = self.store_of(name, deployment)?.reader()?;
        let target = live.checkpoint().sequence;
        let scratch = Scratch(self.hub.states.scratch(name, deployment.identity())?);
        let progress = self.build(name, deployment, &scratch.0, Sizing::cycle(sizes), target, watch)?;
        let rebuilt = scratch.0.reader()?;
        let difference = match progress.phase {
            Phase::Live => first_fault(&live.faults()?, &rebuilt.faults()?, target),
            phase => Some(Difference::Stopped { sequence: progress.visible.next(), reason: phase.to_string() }),
        };
        let difference = match difference {
            None => first_entry(&live, &rebuilt)?,
            some => some,
        };
        let (entries, live, rebuilt) = (live.len()?, live.digest()?, rebuilt.digest()?);
        Ok(Verification { sequence: target, entries, live, rebuilt, difference })
    }

    /// Builds the state of a deployment up to `target`, on the caller's thread.
    fn build(
        &self,
        name: &str,
        deployment: &Deployment,
        store: &Arc<Store>,
        sizing: Sizing,
        target: Sequence,
        mut watch: impl FnMut(&Progress) + Send,
    ) -> Result<Progress, Error> {
        let (mut replay, _) = self.replay(name, deployment, Arc::clone(store), sizing)?;
        let meter = Arc::clone(&replay.meter);
        meter.enter(Phase::Replaying);
        let over = AtomicBool::new(false);
        let end = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| meter.wait(|_| over.load(Ordering::Relaxed), &mut watch));
            let end = replay.run_to(target).and_then(|end| replay.commit(true).map(|()| end));
            over.store(true, Ordering::Relaxed);
            meter.visible(replay.reached().sequence);
            watcher.join().expect("watching progress does not panic");
            end
        })?;
        meter.enter(match end {
            End::Reached => Phase::Live,
            End::Stopped(Stopped::Fault(fault)) => Phase::Halted(fault),
            End::Stopped(Stopped::Pause(reason)) => Phase::Paused { reason },
            End::Stopped(Stopped::OverQuota(over)) => over.phase(),
            End::Asked => Phase::Stopped,
        });
        Ok(meter.read())
    }
}

fn first_entry(live: &Reader, rebuilt: &Reader) -> Result<Option<Difference>, Error> {
    let (mut live, mut rebuilt) = (live.entries()?, rebuilt.entries()?);
    loop {
        let (live, rebuilt) = (live.next().transpose()?, rebuilt.next().transpose()?);
        if live == rebuilt {
            if live.is_none() {
                return Ok(None);
            }
            continue;
        }
        let keys = [&live, &rebuilt].into_iter().flatten().map(|(key, _)| key.clone());
        let key = keys.min().expect("one of two different options is there");
        let value = |entry: Option<(String, Vec<u8>)>| entry.filter(|(found, _)| *found == key).map(|(_, value)| value);
        return Ok(Some(Difference::Entry { live: value(live), rebuilt: value(rebuilt), key }));
    }
}

/// Compares the faults up to the checkpoint; that at which a state halted lies behind it.
fn first_fault(live: &[Fault], rebuilt: &[Fault], target: Sequence) -> Option<Difference> {
    let relevant = |faults: &[Fault]| -> Vec<Fault> {
        faults.iter().filter(|fault| fault.sequence <= target.0).cloned().collect()
    };
    let (live, rebuilt) = (relevant(live), relevant(rebuilt));
    for at in 0..live.len().max(rebuilt.len()) {
        let (live, rebuilt) = (live.get(at), rebuilt.get(at));
        let say = |fault: Option<&Fault>| fault.map(|fault| format!("{}: {}", fault.kind, fault.message));
        let same = live.map(|fault| fault.sequence) == rebuilt.map(|fault| fault.sequence) && say(live) == say(rebuilt);
        if !same {
            let sequence = [live, rebuilt].into_iter().flatten().map(|fault| fault.sequence).min();
            let sequence = Sequence(sequence.expect("one of two is there"));
            let at_sequence = |fault: Option<&Fault>| say(fault.filter(|fault| fault.sequence == sequence.0));
            return Some(Difference::Fault { sequence, live: at_sequence(live), rebuilt: at_sequence(rebuilt) });
        }
    }
    None
}
