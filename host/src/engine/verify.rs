//! Holds a projection to its promise: builds its state anew in other batches, by code compiled anew, and compares.

mod difference;
mod snapshot;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::code::Code;
use super::feed::Stopped;
use super::probe::{Condition, OtherCode, Probe, SIZES};
use super::replay::{End, Replay};
use super::states::Scratch;
use super::{Deployment, Engine, Error, Phase, Progress, Share, Sizing, SnapshotInfo};
use crate::event::{Digest, Sequence};
use crate::plugin::Projection;
pub use difference::Difference;

/// In a whole rebuild the fuel of so many batches is compared with what the state's own code uses for them: enough to
/// find a compiler that counts otherwise, at a twentieth of the time.
const FUEL_PERCENT: f64 = 5.0;

/// Batches of a sample, as large as calls get.
const LARGE: [usize; 1] = [8_192];

/// How a state is verified.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The sizes of batches, in turn.
    pub sizes: Vec<usize>,
    /// Whether plugins are compiled anew for it.
    pub compile_anew: bool,
    /// Replay in large batches by the state's own code, and fold only this share of them once more otherwise.
    pub sample: Option<Share>,
    /// Start from the verified snapshot; a sample does so by itself.
    pub from_snapshot: bool,
    /// Keep what was built, if it is what it should be.
    pub keep_snapshot: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        let sizes = SIZES.to_vec();
        Self { sizes, compile_anew: true, sample: None, from_snapshot: false, keep_snapshot: false }
    }
}

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Both states were compared at this checkpoint.
    pub sequence: Sequence,
    pub entries: u64,
    pub live: Digest,
    pub rebuilt: Digest,
    pub difference: Option<Difference>,
    /// It was built from here: 0, or where the kept snapshot stands.
    pub from: Sequence,
    /// Why the kept snapshot was not used although it was wanted.
    pub snapshot_unused: Option<String>,
    /// How many batches were folded twice, by both compilations, and came out alike, their fuel too.
    pub batches_twice: u64,
    /// The snapshot that was kept.
    pub kept: Option<SnapshotInfo>,
}

impl Engine {
    /// Rebuilds a snapshot of the readable state and compares every entry and fault; the state goes on meanwhile.
    pub fn verify(&self, name: &str, watch: impl FnMut(&Progress) + Send) -> Result<Verification, Error> {
        self.verify_as(name, &VerifyOptions::default(), watch)
    }

    /// Verifies with batches of these sizes in turn, by the state's own code; a caller who suspects a size can name it.
    pub fn verify_with(
        &self,
        name: &str,
        sizes: &[usize],
        watch: impl FnMut(&Progress) + Send,
    ) -> Result<Verification, Error> {
        let options = VerifyOptions { sizes: sizes.to_vec(), compile_anew: false, ..VerifyOptions::default() };
        self.verify_as(name, &options, watch)
    }

    /// Verifies in the way that the options say.
    pub fn verify_as(
        &self,
        name: &str,
        options: &VerifyOptions,
        watch: impl FnMut(&Progress) + Send,
    ) -> Result<Verification, Error> {
        let since = self.hub.states.removals();
        let projection = self.projection(name)?;
        let deployment = projection.readable();
        let store = self.store_of(name, deployment)?;
        let (live, made_without) = (store.reader()?, store.missing()?);
        let target = live.checkpoint().sequence;
        // The tree was kept up to date by each commit: what fits it is what was committed.
        let damage = live.check_tree()?.map(Difference::Damaged);
        let (mut scratch, snapshot_unused) = self.begin(name, deployment, options, target)?;
        let mut watch = watch;
        let (from, progress) = loop {
            let from = scratch.0.checkpoint()?.sequence;
            let replay = self.verifying(name, deployment, options, &scratch)?;
            match build(replay, target, &mut watch) {
                Err(gone @ Error::Compacted { last, .. }) => {
                    scratch = self.begin_behind(name, deployment, (last, target))?.ok_or(gone)?;
                }
                built => break (from, built?),
            }
        };
        let rebuilt = scratch.0.reader()?;
        // Then the two were made of different events.
        if self.hub.states.removals() != since {
            return Err(Error::ErasedMeanwhile(name.to_owned()));
        }
        let (without, again_without) = (made_without.by_retention(), scratch.0.missing()?.by_retention());
        if without != again_without {
            return Err(Error::MadeOfOtherEvents { name: name.to_owned(), without, again_without });
        }
        let difference = match progress.phase {
            Phase::Live => difference::between(&live, &rebuilt, target)?,
            phase @ (Phase::Replaying
            | Phase::Halted(_)
            | Phase::Paused { .. }
            | Phase::OverQuota { .. }
            | Phase::Failed { .. }
            | Phase::Stopped) => {
                Some(Difference::Stopped { sequence: progress.visible.next(), reason: phase.to_string() })
            }
        };
        let difference = damage.or(difference);
        let is_kept = options.keep_snapshot && difference.is_none();
        let kept = is_kept.then(|| self.keep_snapshot(name, deployment, (&scratch, since))).transpose()?;
        let (entries, live, rebuilt) = (live.len()?, live.digest()?, rebuilt.digest()?);
        let (sequence, batches_twice) = (target, progress.probed);
        Ok(Verification { sequence, entries, live, rebuilt, difference, from, snapshot_unused, batches_twice, kept })
    }

    /// Where it starts: from nothing, or from a copy of the kept snapshot.
    fn begin(
        &self,
        name: &str,
        deployment: &Deployment,
        options: &VerifyOptions,
        target: Sequence,
    ) -> Result<(Scratch, Option<String>), Error> {
        let is_kept = self.has_verified(name);
        let mut unused = None;
        if options.from_snapshot || options.sample.is_some() && is_kept {
            match self.start_from_verified(name, deployment, target) {
                Ok(scratch) => return Ok((scratch, None)),
                Err(why) => unused = Some(why),
            }
        }
        Ok((Scratch(self.hub.states.scratch(name, deployment.identity())?), unused))
    }

    /// A copy of the first sound snapshot behind events that are gone, at `target` at most; none if there is none.
    fn begin_behind(
        &self,
        name: &str,
        deployment: &Deployment,
        (gone, target): (Sequence, Sequence),
    ) -> Result<Option<Scratch>, Error> {
        let (states, identity) = (&self.hub.states, deployment.identity());
        let scratch = Scratch(states.scratch(name, identity)?);
        let begun = states.restore_behind(name, identity, &scratch.0, (gone, target))?;
        Ok((begun > Sequence::ZERO).then_some(scratch))
    }

    /// The replay that builds it, with the other code that a part of its batches is folded by once more.
    fn verifying(
        &self,
        name: &str,
        deployment: &Deployment,
        options: &VerifyOptions,
        scratch: &Scratch,
    ) -> Result<Replay, Error> {
        const FUEL: &[&[Condition]] = &[&[Condition::Code]];
        const SAMPLE: &[&[Condition]] = &[&[Condition::Cuts, Condition::Code], &[Condition::Code]];
        let own = self.code(deployment)?;
        let fresh = options.compile_anew.then(|| self.fresh_code(deployment)).transpose()?;
        let (code, other, ways, share, sizes) = match (options.sample, fresh) {
            (Some(share), Some(fresh)) => (own, Some(fresh.plugin), SAMPLE, share, &LARGE[..]),
            (Some(share), None) => (own, None, SAMPLE, share, &LARGE[..]),
            (None, Some(fresh)) => {
                let share = Share::percent(FUEL_PERCENT).expect("it is a percentage");
                (fresh, Some(own.plugin), FUEL, share, &options.sizes[..])
            }
            (None, None) => return self.built_by(name, deployment, &own, scratch, &options.sizes),
        };
        let mut replay = self.built_by(name, deployment, &code, scratch, sizes)?;
        replay.feed.probe = Some(Probe { share, ways, code: ready(other) });
        Ok(replay)
    }

    fn built_by(
        &self,
        name: &str,
        deployment: &Deployment,
        code: &Code,
        scratch: &Scratch,
        sizes: &[usize],
    ) -> Result<Replay, Error> {
        let mut replay = self.replay_with(name, deployment, code, Arc::clone(&scratch.0), Sizing::cycle(sizes))?;
        replay.source = self.source_again(name, deployment, code)?;
        Ok(replay)
    }
}

fn ready(code: Option<Arc<Projection>>) -> OtherCode {
    Arc::new(OnceLock::from(code))
}

/// Brings a replay to `target`, on the caller's thread, and says where it ended.
pub(super) fn build(
    mut replay: Replay,
    target: Sequence,
    mut watch: impl FnMut(&Progress) + Send,
) -> Result<Progress, Error> {
    run_watched(&mut replay, target, &mut watch)
}

/// The same with a replay that is needed afterwards.
pub(super) fn run_watched(
    replay: &mut Replay,
    target: Sequence,
    watch: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Progress, Error> {
    let run = |replay: &mut Replay| replay.run_to(target).and_then(|end| replay.commit(true).map(|()| end));
    let end = watched(replay, watch, run)?;
    replay.meter.enter(match end {
        End::Reached => Phase::Live,
        End::Stopped(Stopped::Fault(fault)) => Phase::Halted(fault),
        End::Stopped(Stopped::Pause { reason, .. }) => Phase::Paused { reason },
        End::Stopped(Stopped::OverQuota { over, .. }) => over.phase(),
        End::Asked => Phase::Stopped,
    });
    Ok(replay.meter.read())
}

/// Does something with a replay on the caller's thread while another one watches how far it is.
pub(super) fn watched<T>(
    replay: &mut Replay,
    watch: &mut (dyn FnMut(&Progress) + Send),
    work: impl FnOnce(&mut Replay) -> Result<T, Error>,
) -> Result<T, Error> {
    let meter = Arc::clone(&replay.meter);
    meter.enter(Phase::Replaying);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| meter.wait(|_| over.load(Ordering::Relaxed), &mut *watch));
        let done = work(replay);
        over.store(true, Ordering::Relaxed);
        meter.visible(replay.reached().sequence);
        watcher.join().expect("watching progress does not panic");
        done
    })
}
