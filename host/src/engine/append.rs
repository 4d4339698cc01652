//! The one writer: takes all appends that are queued, one transaction and one fsync for them, then answers each.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::key::Key;
use super::keys::Keys;
use super::metrics::{Counters, Metrics};
use super::replay::Replay;
use super::space::Space;
use super::sync::{NotAttached, Riders};
use super::{Error, HeadWatch};
use crate::event::Timestamp;
use crate::log::{self, Appended, Log, PlanError, Prepared, Transaction};

/// Appends that may wait for the writer; who comes later waits to hand over. 256 of them fill many commits.
const QUEUE_MAX: usize = 256;

/// Events in one commit: enough to make the fsync cheap, few enough that the first in the queue is not kept waiting.
const GROUP_EVENTS_MAX: usize = 20_000;

/// How long the writer has had nothing to do when it settles the files: long beside a commit, and short enough that a
/// crash most likely finds them settled.
const REST: Duration = Duration::from_millis(200);

enum Job {
    Append(Box<Submitted>),
    /// What has to happen between two groups of appends.
    Control(Box<dyn FnOnce(&mut Riders) + Send>),
}

struct Submitted {
    prepared: Prepared,
    answer: Answer,
}

/// Where the answer to an append goes: to a thread or to a task.
type Answer = oneshot::Sender<Result<Appended, Error>>;

/// An append that goes with the group in hand.
struct Accepted {
    answer: Answer,
    appended: Appended,
}

/// The thread that writes the log.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    head: Arc<HeadWatch>,
    counters: Arc<Counters>,
}

/// Waits for the answer to one append: until it is durable or refused.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Result<Appended, Error>>);

impl Ticket {
    /// Waits as a thread.
    pub fn wait(self) -> Result<Appended, Error> {
        self.0.blocking_recv().unwrap_or(Err(Error::WriterStopped))
    }
}

/// Waits as a task.
impl Future for Ticket {
    type Output = Result<Appended, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(Error::WriterStopped)))
    }
}

impl Writer {
    pub(super) fn start(log: Arc<Log>, keys: Arc<Keys>) -> Self {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let head = Arc::new(HeadWatch::new(log.head().sequence));
        let counters = Arc::new(Counters::new());
        let run = Run {
            riders: Riders::new(Arc::clone(&log)),
            log,
            keys,
            queue,
            next: None,
            head: Arc::clone(&head),
            counters: Arc::clone(&counters),
        };
        let thread = std::thread::Builder::new().name("log-writer".into()).spawn(|| run.until_closed());
        Self { jobs: Some(jobs), thread: Some(thread.expect("a thread can be started")), head, counters }
    }

    pub(super) fn commits(&self) -> u64 {
        self.counters.read().commits
    }

    pub(super) fn metrics(&self) -> Metrics {
        self.counters.read()
    }

    pub(super) fn head(&self) -> &HeadWatch {
        &self.head
    }

    pub(super) fn head_watch(&self) -> Arc<HeadWatch> {
        Arc::clone(&self.head)
    }

    pub(super) fn submit(&self, prepared: Prepared) -> Ticket {
        let (answer, ticket) = oneshot::channel();
        // If the writer is gone, the job's sender drops with the job and the ticket says so.
        drop(self.jobs().send(Job::Append(Box::new(Submitted { prepared, answer }))));
        Ticket(ticket)
    }

    /// The same without waiting for a place in the queue; gives the append back if there is none.
    pub(super) fn try_submit(&self, prepared: Prepared) -> Result<Ticket, Prepared> {
        let (answer, ticket) = oneshot::channel();
        match self.jobs().try_send(Job::Append(Box::new(Submitted { prepared, answer }))) {
            Err(TrySendError::Full(Job::Append(submitted))) => Err(submitted.prepared),
            Ok(()) | Err(_) => Ok(Ticket(ticket)),
        }
    }

    /// Does something between two groups of appends, behind all that was submitted before, and returns its answer.
    pub(super) fn control<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Riders) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, done) = sync_channel(1);
        self.control_later(move |riders| drop(answer.send(run(riders))));
        done.recv().map_err(|_| Error::WriterStopped)
    }

    /// As [`control`](Self::control), without waiting.
    pub(super) fn control_later(&self, run: impl FnOnce(&mut Riders) + Send + 'static) {
        drop(self.jobs().send(Job::Control(Box::new(run))));
    }

    /// Applies a projection within every append from now on, and unblocks it.
    pub(super) fn attach(&self, key: &Key, replay: Replay) -> Result<(), NotAttached> {
        let key = key.clone();
        let attached = self.control(move |riders| riders.attach(&key, replay));
        attached.unwrap_or_else(|error| Err(NotAttached { replay: None, error }))
    }

    /// Applies a projection no longer; hands it back, durable, with all that was appended before.
    pub(super) fn detach(&self, key: &Key) -> Result<Option<Replay>, Error> {
        let key = key.clone();
        self.control(move |riders| riders.detach(&key))
    }

    /// Refuses every append from now on, because this projection serves but cannot follow.
    pub(super) fn block(&self, name: &str, reason: &str) -> Result<(), Error> {
        let (name, reason) = (name.to_owned(), reason.to_owned());
        self.control(move |riders| riders.block(&name, &reason))
    }

    pub(super) fn unblock(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.control(move |riders| riders.unblock(&name))
    }

    fn jobs(&self) -> &SyncSender<Job> {
        self.jobs.as_ref().expect("there until the writer is dropped")
    }
}

impl Drop for Writer {
    /// Finishes what was handed over.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The writer's thread.
struct Run {
    log: Arc<Log>,
    keys: Arc<Keys>,
    riders: Riders,
    queue: Receiver<Job>,
    /// What came out of the queue but did not belong into the group.
    next: Option<Job>,
    head: Arc<HeadWatch>,
    counters: Arc<Counters>,
}

/// Why a group was not written; everyone in it is told.
#[derive(Clone)]
enum Failed {
    Log(Arc<log::Error>),
    Full { free_bytes: u64, needed_bytes: u64 },
    Projection { projection: String, reason: String },
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Log(error) => Self::Commit(error),
            Failed::Full { free_bytes, needed_bytes } => Self::DiskFull { free_bytes, needed_bytes },
            Failed::Projection { projection, reason } => Self::ProjectionUnavailable { projection, reason },
        }
    }
}

impl Run {
    fn until_closed(mut self) {
        let mut is_settled = true;
        loop {
            match self.receive(is_settled) {
                Ok(Job::Append(first)) => {
                    self.write_group(*first);
                    self.riders.settle(false);
                    is_settled = false;
                }
                Ok(Job::Control(control)) => {
                    control(&mut self.riders);
                    is_settled = false;
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.log.settle() {
                        tracing::warn!("the log's file could not be settled: {error}");
                    }
                    self.riders.settle(true);
                    is_settled = true;
                }
                Err(RecvTimeoutError::Disconnected) => return self.riders.settle(true),
            }
        }
    }

    fn receive(&mut self, is_settled: bool) -> Result<Job, RecvTimeoutError> {
        match self.next.take() {
            Some(job) => Ok(job),
            None if is_settled => self.queue.recv().map_err(RecvTimeoutError::from),
            None => self.queue.recv_timeout(REST),
        }
    }

    /// One transaction: every queued append is planned, all that were accepted are written, then every one is answered.
    fn write_group(&mut self, first: Submitted) {
        let log = Arc::clone(&self.log);
        let mut transaction = match log.begin() {
            Ok(transaction) => transaction,
            Err(error) => return self.refuse(first.answer, error.into()),
        };
        self.riders.begin_group();
        let mut space = Space::beside(log.path());
        let accepted = self.plan_group(&mut transaction, first, &mut space);
        let began = Instant::now();
        let failed = self.commit(transaction, space).err();
        // Before the answers: who has one and waits for a projection waits for its own events, too.
        self.head.set(log.head().sequence);
        match &failed {
            Some(_) => self.counters.refused(accepted.len() as u64),
            None => {
                let places = accepted.iter().flat_map(|accepted| &accepted.appended.events);
                let events = places.filter(|placed| !placed.duplicate).count() as u64;
                self.counters.accepted(accepted.len() as u64, events, began.elapsed());
            }
        }
        for Accepted { answer, appended } in accepted {
            // Who no longer waits for the answer has it in the log all the same.
            drop(answer.send(failed.clone().map_or(Ok(appended), |failed| Err(failed.into()))));
        }
    }

    /// Plans the first append and those that are queued; who is refused is told so at once.
    fn plan_group(&mut self, transaction: &mut Transaction<'_>, first: Submitted, space: &mut Space) -> Vec<Accepted> {
        let now = Timestamp::now();
        let mut accepted = Vec::new();
        let mut events = 0;
        let mut job = first;
        loop {
            events += job.prepared.append().events.len();
            let taken = space.take(job.prepared.bytes() as u64);
            match taken.and_then(|()| self.plan(transaction, job.prepared, now)) {
                Ok(appended) => accepted.push(Accepted { answer: job.answer, appended }),
                Err(error) => self.refuse(job.answer, error),
            }
            if events >= GROUP_EVENTS_MAX {
                return accepted;
            }
            match self.queue.try_recv() {
                Ok(Job::Append(next)) => job = *next,
                Ok(control @ Job::Control(_)) => {
                    self.next = Some(control);
                    return accepted;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return accepted,
            }
        }
    }

    /// Places one append, and lets the projections have it that may refuse it.
    fn plan(
        &mut self,
        transaction: &mut Transaction<'_>,
        prepared: Prepared,
        now: Timestamp,
    ) -> Result<Appended, Error> {
        let appended = transaction.plan(prepared, now).map_err(|error| match error {
            PlanError::Refused(refused) => Error::from(refused),
            PlanError::Log(error) => Error::from(error),
        })?;
        if !self.riders.is_empty() {
            let planned = self.keys.open_batch(transaction.planned());
            if let Err(refused) = planned.and_then(|planned| self.riders.ride(&planned)) {
                transaction.unplan();
                return Err(refused);
            }
        }
        Ok(appended)
    }

    /// Writes the group: first what can fail of the states, then the log, which decides, then the states follow.
    fn commit(&mut self, transaction: Transaction<'_>, space: Space) -> Result<(), Failed> {
        if let Err((projection, reason)) = self.riders.prepare() {
            self.riders.drop_group();
            return Err(Failed::Projection { projection, reason });
        }
        match transaction.commit() {
            Ok(head) => {
                self.riders.keep_group(head);
                Ok(())
            }
            Err(error) => {
                self.riders.drop_group();
                if error.is_disk_full() {
                    let (free_bytes, needed_bytes) = space.found_full(self.log.path());
                    return Err(Failed::Full { free_bytes, needed_bytes });
                }
                Err(Failed::Log(Arc::new(error)))
            }
        }
    }

    fn refuse(&self, answer: Answer, error: Error) {
        self.counters.refused(1);
        drop(answer.send(Err(error)));
    }
}
