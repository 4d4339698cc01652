//! The one writer: takes all appends that are queued, one transaction and one fsync for them, then answers each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Error;
use crate::event::{Sequence, Timestamp};
use crate::log::{Appended, Log, PlanError, Prepared};

/// Appends that may wait for the writer; who comes later waits to hand over. 256 of them fill many commits.
const QUEUE_MAX: usize = 256;

/// Events in one commit: enough to make the fsync cheap, few enough that the first in the queue is not kept waiting.
const GROUP_EVENTS_MAX: usize = 20_000;

/// How long the writer has had nothing to do when it settles the file: long beside a commit, and short enough that a
/// crash most likely finds it settled.
const REST: Duration = Duration::from_millis(200);

struct Job {
    prepared: Prepared,
    answer: SyncSender<Result<Appended, Error>>,
}

/// The thread that writes the log.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    head: Arc<HeadWatch>,
    commits: Arc<AtomicU64>,
}

/// Waits for the answer to one append.
#[derive(Debug)]
pub struct Ticket(Receiver<Result<Appended, Error>>);

impl Ticket {
    /// Waits until the append is durable or refused.
    pub fn wait(self) -> Result<Appended, Error> {
        self.0.recv().unwrap_or(Err(Error::WriterStopped))
    }
}

impl Writer {
    pub(super) fn start(log: Arc<Log>) -> Self {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let head = Arc::new(HeadWatch::new(log.head().sequence));
        let watch = Arc::clone(&head);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let run = move || write_until_closed(&log, &queue, &watch, &counter);
        let thread = std::thread::Builder::new().name("log-writer".into()).spawn(run).expect("a thread can be started");
        Self { jobs: Some(jobs), thread: Some(thread), head, commits }
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(super) fn head(&self) -> &HeadWatch {
        &self.head
    }

    pub(super) fn head_watch(&self) -> Arc<HeadWatch> {
        Arc::clone(&self.head)
    }

    pub(super) fn submit(&self, prepared: Prepared) -> Ticket {
        let (answer, ticket) = sync_channel(1);
        let jobs = self.jobs.as_ref().expect("there until the writer is dropped");
        // If the writer is gone, the job's sender drops with the job and the ticket says so.
        drop(jobs.send(Job { prepared, answer }));
        Ticket(ticket)
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

fn write_until_closed(log: &Log, queue: &Receiver<Job>, head: &HeadWatch, commits: &AtomicU64) {
    let mut is_settled = true;
    loop {
        let job = if is_settled { queue.recv().map_err(RecvTimeoutError::from) } else { queue.recv_timeout(REST) };
        match job {
            Ok(first) => {
                commits.fetch_add(1, Ordering::Relaxed);
                write_group(log, first, queue, head);
                is_settled = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = log.settle() {
                    tracing::warn!("the log's file could not be settled: {error}");
                }
                is_settled = true;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// One transaction: every queued append is planned, all that were accepted are written, then every one is answered.
fn write_group(log: &Log, first: Job, queue: &Receiver<Job>, head: &HeadWatch) {
    let mut transaction = match log.begin() {
        Ok(transaction) => transaction,
        Err(error) => return drop(first.answer.send(Err(error.into()))),
    };
    let now = Timestamp::now();
    let mut accepted = Vec::new();
    let mut events = 0;
    let mut job = first;
    loop {
        events += job.prepared.append().events.len();
        match transaction.plan(job.prepared, now) {
            Ok(appended) => accepted.push((job.answer, appended)),
            Err(PlanError::Refused(refused)) => drop(job.answer.send(Err(refused.into()))),
            Err(PlanError::Log(error)) => drop(job.answer.send(Err(error.into()))),
        }
        if events >= GROUP_EVENTS_MAX {
            break;
        }
        match queue.try_recv() {
            Ok(next) => job = next,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    let failed = transaction.commit().err().map(Arc::new);
    // Before the answers: who has one and waits for a projection waits for its own events, too.
    head.set(log.head().sequence);
    for (answer, appended) in accepted {
        // Who no longer waits for the answer has it in the log all the same.
        drop(answer.send(failed.clone().map_or(Ok(appended), |error| Err(Error::Commit(error)))));
    }
}

/// Where the log ends, and a way to wait for more.
#[derive(Debug)]
pub struct HeadWatch {
    head: Mutex<Sequence>,
    moved: Condvar,
}

impl HeadWatch {
    fn new(head: Sequence) -> Self {
        Self { head: Mutex::new(head), moved: Condvar::new() }
    }

    pub fn sequence(&self) -> Sequence {
        *self.head.lock().expect("no thread panics while it holds the head")
    }

    /// Waits until the log ends behind `known`, the time is over, or the waiting is: `is_over` is asked before, and
    /// who changes its answer calls [`HeadWatch::wake`].
    pub fn wait_beyond(&self, known: Sequence, at_most: Duration, is_over: impl Fn() -> bool) -> Sequence {
        let head = self.head.lock().expect("no thread panics while it holds the head");
        if *head > known || is_over() {
            return *head;
        }
        *self.moved.wait_timeout(head, at_most).expect("no thread panics while it holds the head").0
    }

    /// Wakes everyone who waits, to look whether it should stop.
    pub(super) fn wake(&self) {
        // Taken so that nobody stands between its question and its wait.
        let _head = self.head.lock().expect("no thread panics while it holds the head");
        self.moved.notify_all();
    }

    fn set(&self, head: Sequence) {
        *self.head.lock().expect("no thread panics while it holds the head") = head;
        self.moved.notify_all();
    }
}
