//! Brings a state from where it stands to a place in the log: read and upcast, apply, commit.
//!
//! Over a long stretch each of the three runs on a thread of its own, with short queues between them; over a short one
//! they follow each other on the caller's thread. Both ways make the same state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::feed::{Feed, Stopped};
use super::progress::Meter;
use super::sizing::{BYTES_MAX, EVENTS_MAX};
use super::{Chains, Error, UpcastFault};
use crate::event::{Batch, Filter, Sequence};
use crate::log::{Log, Query};
use crate::state::{Changes, Checkpoint, Fault, Overlay, Store};

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
    pub(super) stop: Arc<AtomicBool>,
    /// How far the overlay is, committed or not.
    reached: Checkpoint,
    faults: Vec<Fault>,
    last_commit: Instant,
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

/// A part of the log after upcasting.
struct Portion {
    batch: Arc<Batch>,
    /// The last event considered, wanted or not, the failed one included.
    through: Sequence,
    failed: Option<UpcastFault>,
}

struct Commit {
    changes: Arc<Changes>,
    checkpoint: Checkpoint,
    faults: Vec<Fault>,
}

impl Replay {
    pub(super) fn new(
        source: Source,
        feed: Feed,
        store: Arc<Store>,
        meter: Arc<Meter>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let reached = store.checkpoint()?;
        meter.passed(reached.sequence);
        Ok(Self { source, feed, store, meter, stop, reached, faults: Vec::new(), last_commit: Instant::now() })
    }

    pub(super) fn reached(&self) -> Checkpoint {
        self.reached
    }

    /// Feeds everything up to `target`.
    pub(super) fn run_to(&mut self, target: Sequence) -> Result<End, Error> {
        if target.0.saturating_sub(self.reached.sequence.0) < THREADS_FROM {
            return self.run_inline(target);
        }
        self.run_threads(target)
    }

    /// Makes durable what is not. Without `force` waits until it is worth a commit.
    pub(super) fn commit(&mut self, force: bool) -> Result<(), Error> {
        let changed = self.feed.overlay().kept_bytes() > 0 || !self.faults.is_empty();
        let moved = self.reached.sequence != self.store.checkpoint()?.sequence;
        if !changed {
            self.meter.visible(self.reached.sequence);
        }
        if !(changed || moved && (force || self.last_commit.elapsed() >= COMMIT_EVERY)) {
            return Ok(());
        }
        let changes = self.feed.overlay().begin_commit();
        let checkpoint = self.checkpoint()?;
        let committed = self.store.commit(&changes, checkpoint, &std::mem::take(&mut self.faults));
        self.last_commit = Instant::now();
        committed?;
        let base = self.store.reader()?;
        self.feed.overlay().rebase(base);
        self.meter.visible(self.reached.sequence);
        Ok(())
    }

    /// What is reached, with the chain head there.
    fn checkpoint(&self) -> Result<Checkpoint, Error> {
        let chain = self.source.log.reader()?.chain_at(self.reached.sequence)?;
        Ok(Checkpoint { chain, ..self.reached })
    }

    fn run_inline(&mut self, target: Sequence) -> Result<End, Error> {
        while self.reached.sequence < target {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(End::Asked);
            }
            let portion = self.source.read(self.reached.sequence.next(), target)?;
            if let Some(stopped) = self.take(portion) {
                return Ok(End::Stopped(stopped));
            }
        }
        Ok(End::Reached)
    }

    fn run_threads(&mut self, target: Sequence) -> Result<End, Error> {
        // A commit of what there is first, so that the overlay has nothing on its way.
        self.commit(true)?;
        let source = self.source.clone();
        let store = Arc::clone(&self.store);
        let from = self.reached.sequence.next();
        std::thread::scope(|scope| {
            let (portions, incoming) = sync_channel(PAGES_AHEAD - 1);
            let (commits, to_commit) = sync_channel::<Commit>(1);
            let (done, committed) = sync_channel(1);
            let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
            let reader = named("replay-reader").spawn_scoped(scope, move || source.read_all(from, target, &portions));
            let writer = named("replay-writer").spawn_scoped(scope, move || commit_all(&store, &to_commit, &done));
            let (reader, writer) = (reader.expect("a thread can be started"), writer.expect("a thread can be started"));
            let end = self.apply_all(target, incoming, &commits, &committed);
            drop(commits);
            writer.join().expect("the replay's writer does not panic");
            reader.join().expect("the replay's reader does not panic");
            if self.feed.overlay().is_committing() {
                committed.recv().expect("every commit is answered")?;
                let base = self.store.reader()?;
                self.feed.overlay().rebase(base);
            }
            end
        })
    }

    /// Takes portions until the target, handing over commits on the way.
    fn apply_all(
        &mut self,
        target: Sequence,
        incoming: Receiver<Result<Portion, Error>>,
        commits: &SyncSender<Commit>,
        committed: &Receiver<Result<(), Error>>,
    ) -> Result<End, Error> {
        while self.reached.sequence < target {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(End::Asked);
            }
            let portion = incoming.recv().expect("the reader goes on until the target")?;
            if let Some(stopped) = self.take(portion) {
                return Ok(End::Stopped(stopped));
            }
            let kept_bytes = self.feed.overlay().kept_bytes();
            let due = kept_bytes > KEPT_BYTES_MAX || self.last_commit.elapsed() >= COMMIT_EVERY;
            let is_committing = self.feed.overlay().is_committing();
            if is_committing {
                let answer =
                    if kept_bytes > KEPT_BYTES_MAX { committed.recv().ok() } else { committed.try_recv().ok() };
                if let Some(answer) = answer {
                    answer?;
                    let base = self.store.reader()?;
                    self.feed.overlay().rebase(base);
                }
            }
            if due && !self.feed.overlay().is_committing() {
                let changes = self.feed.overlay().begin_commit();
                let faults = std::mem::take(&mut self.faults);
                let commit = Commit { changes, checkpoint: self.checkpoint()?, faults };
                commits.send(commit).expect("the writer takes commits until it is told that there are no more");
                self.last_commit = Instant::now();
            }
        }
        Ok(End::Reached)
    }

    /// Feeds one portion and moves on behind it, or to the event that stopped it.
    fn take(&mut self, portion: Portion) -> Option<Stopped> {
        let mut fed = self.feed.feed(&portion.batch);
        self.reached.events += fed.folded;
        self.reached.fuel += fed.fuel;
        self.faults.append(&mut fed.skipped);
        if fed.stopped.is_none() {
            match portion.failed.map(|failed| self.feed.refuse(failed)) {
                None => self.reached.sequence = portion.through,
                Some(Ok(skipped)) => {
                    self.faults.push(skipped);
                    self.reached.sequence = portion.through;
                }
                Some(Err(stopped)) => {
                    self.reached.sequence = portion.through.previous();
                    fed.stopped = Some(stopped);
                }
            }
        } else {
            self.reached.sequence = portion.batch.event(fed.rows).sequence.previous();
        }
        self.meter.passed(self.reached.sequence);
        if let Some(Stopped::Fault(fault)) = &fed.stopped {
            self.faults.push((**fault).clone());
        }
        fed.stopped
    }
}

fn commit_all(store: &Store, commits: &Receiver<Commit>, done: &SyncSender<Result<(), Error>>) {
    for commit in commits {
        let result = store.commit(&commit.changes, commit.checkpoint, &commit.faults);
        if done.send(result.map_err(Error::from)).is_err() {
            return;
        }
    }
}

/// Where a projection's events come from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) log: Arc<Log>,
    pub(super) chains: Arc<Chains>,
    /// What the projection wants, as upcasters leave it.
    pub(super) wanted: Filter,
}

impl Source {
    /// Reads what the projection wants from `from` on, to `to` at most, a page at most.
    fn read(&self, from: Sequence, to: Sequence) -> Result<Portion, Error> {
        let query = Query { from, to: Some(to), filter: self.chains.sources(&self.wanted) };
        let page = self.log.reader()?.read(&query, EVENTS_MAX, BYTES_MAX)?;
        Ok(self.portion(page.batch, page.next, to))
    }

    fn read_all(&self, from: Sequence, to: Sequence, portions: &SyncSender<Result<Portion, Error>>) {
        let filter = self.chains.sources(&self.wanted);
        let mut query = Query { from, to: Some(to), filter };
        let reader = match self.log.reader() {
            Ok(reader) => reader,
            Err(error) => return drop(portions.send(Err(error.into()))),
        };
        while query.from <= to {
            let portion = match reader.read(&query, EVENTS_MAX, BYTES_MAX) {
                Ok(page) => Ok(self.portion(page.batch, page.next, to)),
                Err(error) => Err(error.into()),
            };
            let next = portion.as_ref().map(|portion| portion.through.next());
            let go_on = next.is_ok();
            if let Ok(next) = next {
                query.from = next;
            }
            if portions.send(portion).is_err() || !go_on {
                return;
            }
        }
    }

    fn portion(&self, batch: Batch, next: Sequence, to: Sequence) -> Portion {
        if self.chains.is_empty() {
            return Portion { batch: Arc::new(batch), through: next.previous().min(to), failed: None };
        }
        let lifted = self.chains.lift(batch);
        let through = lifted.failed.as_ref().map_or(next.previous().min(to), |failed| failed.sequence);
        let is_wanted = |event_type: &str, stream: &str| self.wanted.wants(event_type, stream);
        let batch = lifted.batch.filtered(|event| is_wanted(event.event_type, event.stream));
        Portion { batch: Arc::new(batch), through, failed: lifted.failed }
    }
}

/// A feed that starts from what is on disk.
pub(super) fn overlay_of(store: &Store) -> Result<Overlay, Error> {
    Ok(Overlay::new(store.reader()?))
}
