//! Brings a state from where it stands to a place in the log: read and upcast, apply, commit.
//!
//! Over a long stretch each of the three runs on a thread of its own, with short queues between them; over a short one
//! they follow each other on the caller's thread. Both ways make the same state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::Error;
use super::feed::{Fed, Feed, Stopped};
use super::outlet::Outlet;
use super::portion::Portion;
use super::progress::Meter;
use super::sizing::{BYTES_MAX, EVENTS_MAX};
use super::snapshots::Keeping;
use super::source::Source;
use crate::event::{Batch, Digest, Sequence};
use crate::plugin::lower_priority;
use crate::state::{self, Changes, Checkpoint, Costs, History, Marks, Missing, Store};

/// Below this many events, starting threads costs more than they save.
const THREADS_FROM: u64 = 2_048;

/// Pages read ahead of the plugin: one in hand and one waiting keep both sides busy.
const PAGES_AHEAD: usize = 2;

/// Changes kept in memory before they are committed: a rebuild rewrites hot entries in memory, not on disk.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// How much work a crash may cost at most while replaying.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// One projection on its way through the log.
pub(super) struct Replay {
    pub(super) source: Source,
    pub(super) feed: Feed,
    pub(super) store: Arc<Store>,
    pub(super) meter: Arc<Meter>,
    pub(super) outlet: Arc<Outlet>,
    pub(super) stop: Arc<AtomicBool>,
    /// Takes snapshots on the way, if there is one.
    pub(super) keeping: Option<Keeping>,
    /// Where it is going.
    target: Sequence,
    /// How far the file is.
    committed: Sequence,
    /// How far the overlay is, committed or not.
    reached: Checkpoint,
    marks: Marks,
    /// What all calls cost up to there.
    costs: Costs,
    /// Events that were wanted up to there and came without their payload.
    missing: Missing,
    last_commit: Instant,
}

/// Where an append found a replay.
#[derive(Clone, Debug, Default)]
pub(super) struct Began {
    pub(super) reached: Checkpoint,
    costs: Costs,
}

/// Why a replay came back.
#[derive(Debug)]
pub(super) enum End {
    /// The target is reached, perhaps with changes that are not committed yet.
    Reached,
    Stopped(Stopped),
    /// Somebody asked it to stop.
    Asked,
}

struct Commit {
    changes: Arc<Changes>,
    checkpoint: Checkpoint,
    marks: Marks,
}

impl Replay {
    /// Starts from what is on disk.
    pub(super) fn new(source: Source, feed: Feed, store: Arc<Store>, outlet: Arc<Outlet>) -> Result<Self, Error> {
        let reached = store.checkpoint()?;
        let meter = Arc::new(Meter::new(reached.sequence));
        let (stop, last_commit) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let (committed, marks, costs) = (reached.sequence, Marks::default(), store.costs()?);
        let missing = store.missing()?;
        let keeping = None;
        Ok(Self {
            source,
            feed,
            store,
            meter,
            outlet,
            stop,
            keeping,
            target: reached.sequence,
            committed,
            reached,
            marks,
            costs,
            missing,
            last_commit,
        })
    }

    pub(super) fn reached(&self) -> Checkpoint {
        self.reached
    }

    pub(super) fn missing(&self) -> Missing {
        self.missing
    }

    /// Feeds everything up to `target`.
    pub(super) fn run_to(&mut self, target: Sequence) -> Result<End, Error> {
        self.target = target;
        if target.0.saturating_sub(self.reached.sequence.0) < THREADS_FROM {
            return self.run_inline(target);
        }
        self.run_threads(target)
    }

    /// Hands out what the calls cost since this was last asked.
    pub(super) fn take_costs(&mut self) -> Costs {
        std::mem::take(&mut self.costs)
    }

    /// Makes durable what is not. Without `force` waits until it is worth a commit.
    pub(super) fn commit(&mut self, force: bool) -> Result<(), Error> {
        let changed = self.feed.overlay().kept_bytes() > 0 || !self.marks.is_empty();
        let moved = self.reached.sequence != self.committed;
        if !changed {
            self.meter.visible(self.reached.sequence);
        }
        if !(changed || moved && (force || self.last_commit.elapsed() >= COMMIT_EVERY)) {
            return Ok(());
        }
        let checkpoint = self.checkpoint()?;
        self.marks.costs = Some(self.costs.clone());
        self.marks.missing = Some(self.missing);
        self.marks.history = self.history(self.committed);
        let changes = self.feed.overlay().begin_commit();
        let committed = self.outlet.publish(&self.store, &changes, checkpoint, &self.marks);
        self.last_commit = Instant::now();
        drop(changes);
        if let Err(error) = committed {
            // Nothing is lost: it goes with the next commit.
            self.feed.overlay().withdraw_commit();
            return Err(error.into());
        }
        self.marks = Marks::default();
        self.committed = checkpoint.sequence;
        let base = self.store.reader()?;
        self.feed.overlay().rebase(base);
        self.meter.visible(self.reached.sequence);
        self.offer_snapshot();
        Ok(())
    }

    /// How history is kept of a commit behind another one: only near where this is going.
    fn history(&self, before: Sequence) -> Option<History> {
        let horizon = self.keeping.as_ref().map_or(0, Keeping::history);
        let is_near = self.history_edge().is_some_and(|edge| before >= edge);
        is_near.then_some(History { sequence: self.reached.sequence, horizon })
    }

    /// From where on history is kept; none if it is not.
    fn history_edge(&self) -> Option<Sequence> {
        let horizon = self.keeping.as_ref().map_or(0, Keeping::history);
        (horizon > 0).then(|| Sequence(self.target.0.saturating_sub(horizon)))
    }

    /// Lets a snapshot be taken of what is in the file, if one is due.
    fn offer_snapshot(&self) {
        if let Some(keeping) = self.keeping.as_ref().filter(|keeping| keeping.is_due(self.reached.sequence)) {
            keeping.offer(&self.store);
        }
    }

    /// Goes back to what is in the file, which after a failure may be less than was committed: the rest is in the log.
    pub(super) fn reset(&mut self) -> Result<(), Error> {
        self.feed.reset(self.store.reader()?)?;
        self.reached = self.store.checkpoint()?;
        self.committed = self.reached.sequence;
        self.feed.budget.forget();
        self.marks = Marks::default();
        self.costs = self.store.costs()?;
        self.missing = self.store.missing()?;
        Ok(())
    }

    /// What is reached, with the chain head there.
    fn checkpoint(&self) -> Result<Checkpoint, Error> {
        let chain = self.source.reader()?.chain_at(self.reached.sequence)?;
        Ok(Checkpoint { chain, ..self.reached })
    }

    /// The same on the caller's thread, without a commit on the way.
    pub(super) fn run_inline(&mut self, target: Sequence) -> Result<End, Error> {
        while self.reached.sequence < target {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(End::Asked);
            }
            let portion = self.source.read(self.reached.sequence.next(), target)?;
            if let Some(stopped) = self.take(&portion) {
                return Ok(End::Stopped(stopped));
            }
        }
        Ok(End::Reached)
    }

    fn run_threads(&mut self, target: Sequence) -> Result<End, Error> {
        // A commit of what there is first, so that the overlay has nothing on its way.
        self.commit(true)?;
        let source = self.source.clone();
        let (store, outlet) = (Arc::clone(&self.store), Arc::clone(&self.outlet));
        let from = self.reached.sequence.next();
        let (end, committed) = std::thread::scope(|scope| {
            let (portions, incoming) = sync_channel(PAGES_AHEAD - 1);
            let (commits, to_commit) = sync_channel::<Commit>(1);
            let (done, committed) = sync_channel(1);
            let reader = background(scope, "replay-reader", move || source.read_all(from, target, &portions));
            let writer = background(scope, "replay-writer", move || commit_all(&store, &outlet, &to_commit, &done));
            // On a thread of its own, because one that has stepped back cannot come forward again to follow the live end.
            let apply = background(scope, "replay-apply", || {
                let end = self.apply_all(target, incoming, &commits, &committed);
                drop(commits);
                (end, committed)
            });
            let applied = apply.join().expect("a panic of the apply thread is the worker's own");
            writer.join().expect("the replay's writer does not panic");
            reader.join().expect("the replay's reader does not panic");
            applied
        });
        if self.feed.overlay().is_committing() {
            committed.recv().expect("every commit is answered")?;
            let base = self.store.reader()?;
            self.feed.overlay().rebase(base);
        }
        self.committed = self.store.checkpoint()?.sequence;
        self.offer_snapshot();
        end
    }

    /// Takes portions until the target, handing over commits on the way.
    fn apply_all(
        &mut self,
        target: Sequence,
        incoming: Receiver<Result<Portion, Error>>,
        commits: &SyncSender<Commit>,
        committed: &Receiver<Result<(), Error>>,
    ) -> Result<End, Error> {
        let (mut before, edge) = (self.committed, self.history_edge());
        while self.reached.sequence < target {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(End::Asked);
            }
            let portion = incoming.recv().expect("the reader goes on until the target")?;
            if let Some(stopped) = self.take(&portion) {
                return Ok(End::Stopped(stopped));
            }
            let kept_bytes = self.feed.overlay().kept_bytes();
            let is_due = self.keeping.as_ref().is_some_and(|keeping| keeping.is_due(self.reached.sequence));
            let is_place = is_due || edge.is_some_and(|edge| self.reached.sequence >= edge);
            let due = is_place || kept_bytes > KEPT_BYTES_MAX || self.last_commit.elapsed() >= COMMIT_EVERY;
            let is_committing = self.feed.overlay().is_committing();
            if is_committing {
                let answer =
                    if kept_bytes > KEPT_BYTES_MAX { committed.recv().ok() } else { committed.try_recv().ok() };
                if let Some(answer) = answer {
                    answer?;
                    let base = self.store.reader()?;
                    self.feed.overlay().rebase(base);
                    self.offer_snapshot();
                }
            }
            if due && !self.feed.overlay().is_committing() {
                let checkpoint = self.checkpoint()?;
                let changes = self.feed.overlay().begin_commit();
                let (costs, history) = (Some(self.costs.clone()), self.history(before));
                let missing = Some(self.missing);
                let marks = Marks { costs, missing, history, ..std::mem::take(&mut self.marks) };
                before = self.reached.sequence;
                let commit = Commit { changes, checkpoint, marks };
                commits.send(commit).expect("the writer takes commits until it is told that there are no more");
                self.last_commit = Instant::now();
            }
        }
        Ok(End::Reached)
    }

    /// Feeds one portion and moves on behind it, or to the event that stopped it.
    fn take(&mut self, portion: &Portion) -> Option<Stopped> {
        let mut fed = self.feed.feed_portion(portion);
        let stopped_before = fed.stopped.as_ref().map(Stopped::before);
        self.reached.sequence = stopped_before.map_or(portion.through, Sequence::previous);
        self.reached.events += fed.folded;
        self.reached.fuel += fed.fuel;
        self.costs.merge(&fed.costs);
        self.missing += portion.dropped.upto(self.reached.sequence);
        self.feed.quarantine.count(portion, stopped_before);
        self.marks.set_aside.extend(self.feed.quarantine.take_changed());
        self.marks.faults.append(&mut fed.skipped);
        if let Some(Stopped::Fault(fault)) = &fed.stopped {
            self.marks.faults.push((**fault).clone());
        }
        self.meter.passed(self.reached.sequence, &fed);
        if let Some(keeping) = &self.keeping {
            keeping.fed(self.reached.sequence, portion.batch.payload_bytes());
        }
        fed.stopped
    }
}

/// Within an append: what the writer has planned is folded before it is in the log, and kept only if it gets there.
impl Replay {
    /// Begins what is kept or dropped as a whole; says where it begins.
    pub(super) fn begin_live(&mut self) -> Began {
        self.feed.overlay().begin();
        Began { reached: self.reached, costs: self.costs.clone() }
    }

    pub(super) fn keep_live(&mut self) {
        self.feed.overlay().keep();
    }

    pub(super) fn drop_live(&mut self, began: Began) {
        self.feed.overlay().discard();
        self.feed.budget.forget();
        self.feed.quarantine.drop_planned(began.reached.sequence);
        (self.reached, self.costs) = (began.reached, began.costs);
    }

    /// Folds events, the last of which is `through`. Under any policy a fault is for the append to take.
    pub(super) fn fold_live(&mut self, planned: &Batch, through: Sequence) -> Result<(), Stopped> {
        let wanted = planned.filtered(|event| self.source.stored.wants(event.event_type, event.stream));
        let mut start = 0;
        while start < wanted.len() {
            let end = start + page_events(&wanted, start);
            let portion = self.source.portion(wanted.slice(start..end), through.next(), through);
            let fed = self.feed.strictly(|feed| feed.feed_portion(&portion));
            self.reached.events += fed.folded;
            self.reached.fuel += fed.fuel;
            self.costs.merge(&fed.costs);
            if let Some(stopped) = fed.stopped {
                return Err(stopped);
            }
            self.feed.quarantine.plan(&portion);
            if let Some(keeping) = &self.keeping {
                keeping.fed(through, portion.batch.payload_bytes());
            }
            start = end;
        }
        self.reached.sequence = through;
        self.target = through;
        Ok(())
    }

    /// Whether the file lacks entries that are here.
    pub(super) fn has_changes(&self) -> bool {
        self.feed.overlay().uncommitted().any(|changes| !changes.is_empty())
            || !self.marks.is_empty()
            || self.feed.quarantine.has_planned()
    }

    /// Writes all that the file lacks, kept or begun, without deciding for it.
    pub(super) fn prepare_live(&self) -> Result<state::Prepared, Error> {
        let mut quarantine = self.feed.quarantine.clone();
        quarantine.keep_planned();
        let (costs, history) = (Some(self.costs.clone()), self.history(self.committed));
        let mut marks = Marks { costs, missing: Some(self.missing), history, ..self.marks.clone() };
        marks.set_aside.extend(quarantine.take_changed());
        Ok(self.store.prepare(self.feed.overlay().uncommitted(), &marks)?)
    }

    /// Decides for what was prepared, once everything begun is kept. After an error the way on is [`Replay::reset`].
    pub(super) fn commit_live(&mut self, prepared: state::Prepared, chain: Digest) -> Result<(), Error> {
        let checkpoint = Checkpoint { chain, ..self.reached };
        let mut overlay = self.feed.overlay();
        let changes = overlay.begin_commit();
        let committed = self.outlet.publish_lazily(prepared, &changes, checkpoint);
        drop(changes);
        let base = committed.and_then(|()| self.store.reader()).inspect_err(|_| overlay.withdraw_commit())?;
        overlay.rebase(base);
        drop(overlay);
        self.offer_snapshot();
        self.feed.quarantine.keep_planned();
        // They were prepared with the rest.
        drop(self.feed.quarantine.take_changed());
        self.marks = Marks::default();
        self.committed = checkpoint.sequence;
        Ok(())
    }

    /// Lets who waits know that the append's events are in the state, and the append durable.
    pub(super) fn show_live(&self) {
        self.meter.passed(self.reached.sequence, &Fed::default());
        self.meter.visible(self.reached.sequence);
    }
}

/// How many events from `start` on fit a page, at least one.
pub(super) fn page_events(batch: &Batch, start: usize) -> usize {
    let mut bytes = 0;
    let fits = (start..batch.len()).take(EVENTS_MAX).take_while(|index| {
        bytes += batch.rows()[*index].payload.bytes();
        bytes <= BYTES_MAX
    });
    fits.count().max(1)
}

fn commit_all(store: &Store, outlet: &Outlet, commits: &Receiver<Commit>, done: &SyncSender<Result<(), Error>>) {
    for commit in commits {
        let result = outlet.publish_on_the_way(store, &commit.changes, commit.checkpoint, &commit.marks);
        if done.send(result.map_err(Error::from)).is_err() {
            return;
        }
    }
}

/// Starts a thread that steps back behind appends and readers: a replay has time.
fn background<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> std::thread::ScopedJoinHandle<'scope, T> {
    let run = || {
        lower_priority();
        work()
    };
    std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, run).expect("a thread can be started")
}
