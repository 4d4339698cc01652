//! Writing: events go into the last block until it is full; full blocks are compressed beside the writer.

use std::sync::mpsc;
use std::sync::{Arc, RwLock};
use std::thread;

use redb::WriteTransaction;

use super::Log;
use super::block::{BODY_BYTES_MAX, Codec};
use super::error::Error;
use super::file::guarded;
use super::index::Key;
use super::index::memtable::Memtable;
use super::index::merge::{self, Target};
use super::index::run::{Run, Tables};
use super::index::snapshot::Runs;
use super::state::State;
use super::tables::{BLOCKS, Head, META, META_KEY, Meta, STORAGE_OVERHEAD_BYTES};
use super::tail::{Encoded, Tail};
use crate::event::{Digest, Timestamp, Version};

/// How full blocks are compressed. On flight records zstd takes 48 bytes an event and scans 3.0 million a second and core,
/// LZ4 73 and 5.5: with LZ4 a log passes a third of its NDJSON.
pub(super) const CODEC: Codec = Codec::Zstd;
/// From here on a second thread that compresses is worth its start (some 20 µs).
const PARALLEL_BYTES_MIN: usize = 256 << 10;
/// What a block is expected to shrink to before any was seen, in thousandths.
pub(super) const SHRINKS_TO_AT_FIRST: usize = 300;

/// Makes a transaction one that, committed, leaves a file which opens at once even after a crash.
///
/// It costs a second sync, so appends do without: after a crash right behind one, redb verifies and walks the whole file
/// before it opens. The writer therefore settles the file as soon as it has nothing to do.
pub(super) fn settling(mut transaction: WriteTransaction) -> WriteTransaction {
    transaction.set_quick_repair(true);
    transaction
}

/// An event with its place, about to be written; its parts lie in a buffer of the transaction.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) envelope: std::ops::Range<usize>,
    pub(super) payload: std::ops::Range<usize>,
    pub(super) digest: Digest,
    pub(super) id: Key,
    pub(super) stream: Key,
    pub(super) version: Version,
    pub(super) recorded_at: Timestamp,
}

/// What the writer keeps between commits.
#[derive(Debug)]
pub(super) struct Writer {
    tail: Option<Tail>,
    /// Bytes of the events that no run holds.
    unindexed_bytes: usize,
    /// What full blocks shrank to of late, in thousandths.
    shrinks_to: usize,
}

/// The blocks of one commit and where the log then ends.
struct Built {
    sealed: Vec<Encoded>,
    tail: Tail,
    head: Head,
}

impl Writer {
    pub(super) fn new(tail: Option<Tail>, unindexed_bytes: usize) -> Self {
        Self { tail, unindexed_bytes, shrinks_to: SHRINKS_TO_AT_FIRST }
    }

    /// Goes on behind a log that was rewritten, all of which is indexed.
    pub(super) fn go_on_behind(&mut self, tail: Option<Tail>) {
        (self.tail, self.unindexed_bytes) = (tail, 0);
    }

    /// Writes these events in one durable transaction. On an error all is as it was.
    pub(super) fn commit(
        &mut self,
        log: &Log,
        state: &State,
        tables: &Tables,
        events: &[Pending],
        bytes: &[u8],
    ) -> Result<Head, Error> {
        let memtable = Arc::clone(&state.memtable);
        let known = memtable.read().expect("nobody panics with the memtable").len();
        let built = self.build(state.meta.head, events, bytes);
        push_all(&memtable, events);
        let unindexed_bytes = self.unindexed_bytes + bytes.len();
        let full = known + events.len() > log.options.memtable_events || unindexed_bytes > log.options.memtable_bytes;
        let written = guarded(&log.name, || write(log, state, tables, &built, full));
        if let Err(error) = written {
            log.shared.withdraw();
            memtable.write().expect("nobody panics with the memtable").truncate(known);
            return Err(error);
        }
        log.shared.promote();
        self.unindexed_bytes = if full { 0 } else { unindexed_bytes };
        self.learn(&built.sealed);
        self.tail = Some(built.tail);
        Ok(built.head)
    }

    /// The blocks of these events; the writer's own tail stays as it is until they are durable.
    fn build(&self, head: Head, events: &[Pending], bytes: &[u8]) -> Built {
        let body_bytes_max = self.body_bytes_max();
        if bytes.len() < PARALLEL_BYTES_MIN {
            let mut sealed = Vec::new();
            let (tail, head) =
                fill(self.tail.clone(), head, events, bytes, body_bytes_max, |full| sealed.push(full.encode(CODEC)));
            return Built { sealed, tail, head };
        }
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel::<Tail>();
            let sealing = scope.spawn(move || receive.into_iter().map(|full| full.encode(CODEC)).collect());
            let (tail, head) = fill(self.tail.clone(), head, events, bytes, body_bytes_max, |full| {
                send.send(full).expect("the other thread takes all");
            });
            drop(send);
            Built { sealed: sealing.join().expect("compressing does not fail"), tail, head }
        })
    }

    fn body_bytes_max(&self) -> usize {
        body_bytes_max(self.shrinks_to)
    }

    fn learn(&mut self, sealed: &[Encoded]) {
        sealed.iter().for_each(|block| self.shrinks_to = learned(self.shrinks_to, block));
    }
}

/// What full blocks shrink to, in thousandths, when one more is known.
pub(super) fn learned(shrinks_to: usize, block: &Encoded) -> usize {
    let shrank_to = block.bytes.len() * 1000 / block.raw_bytes.max(1);
    (shrinks_to * 7 + shrank_to) / 8
}

/// How large a body may be so that the block, compressed to so many thousandths, just fits the storage's pages.
///
/// The storage rounds a value up to 4 KiB by powers of two: 17 KiB would take 32.
pub(super) fn body_bytes_max(shrinks_to: usize) -> usize {
    let fits = [32 << 10, 16 << 10, 8 << 10].into_iter().map(|page_bytes: usize| {
        let stored = page_bytes - STORAGE_OVERHEAD_BYTES - 512;
        stored * 960 / shrinks_to.max(1)
    });
    fits.into_iter().find(|raw| *raw <= BODY_BYTES_MAX).unwrap_or(BODY_BYTES_MAX)
}

fn push_all(memtable: &RwLock<Memtable>, events: &[Pending]) {
    let mut memtable = memtable.write().expect("nobody panics with the memtable");
    events.iter().for_each(|event| memtable.push(event.id, event.stream, event.version));
}

/// Puts events into blocks, hands over each that is full, and returns the last one and the new head.
fn fill(
    tail: Option<Tail>,
    mut head: Head,
    events: &[Pending],
    bytes: &[u8],
    body_bytes_max: usize,
    mut full: impl FnMut(Tail),
) -> (Tail, Head) {
    let mut tail = tail.unwrap_or_else(|| Tail::new(head.sequence.next(), events[0].recorded_at, head.chain));
    let mut link = Vec::with_capacity(512);
    for event in events {
        let record_bytes = event.envelope.len() + event.payload.len() + 10;
        if !tail.is_empty() && tail.raw_bytes() + record_bytes > body_bytes_max {
            let next = Tail::new(head.sequence.next(), event.recorded_at, head.chain);
            full(std::mem::replace(&mut tail, next));
        }
        head = Head {
            sequence: head.sequence.next(),
            recorded_at: event.recorded_at,
            chain: chain(&mut link, head.chain, event.digest, &bytes[event.envelope.clone()]),
        };
        tail.push(&bytes[event.envelope.clone()], &bytes[event.payload.clone()], head);
    }
    (tail, head)
}

/// The chain's next digest: BLAKE3(before ‖ payload digest ‖ envelope). `link` is room to put them together.
pub(super) fn chain(link: &mut Vec<u8>, before: Digest, payload: Digest, envelope: &[u8]) -> Digest {
    link.clear();
    link.extend_from_slice(&before.0);
    link.extend_from_slice(&payload.0);
    link.extend_from_slice(envelope);
    Digest::of(link)
}

/// Writes blocks, index and meta in one transaction; announces the state that it leads to.
fn write(log: &Log, state: &State, tables: &Tables, built: &Built, full: bool) -> Result<(), Error> {
    // On disk, by one sync, when its commit returns.
    let transaction = log.storage.begin_write()?;
    {
        let mut blocks = transaction.open_table(BLOCKS)?;
        for block in &built.sealed {
            blocks.insert(block.first.0, block.bytes.as_slice())?;
        }
        let tail = built.tail.encode(Codec::None);
        blocks.insert(tail.first.0, tail.bytes.as_slice())?;
    }
    let mut next = State {
        meta: Meta { head: built.head, tail: built.tail.header.first, ..state.meta },
        memtable: Arc::clone(&state.memtable),
        runs: Arc::clone(&state.runs),
    };
    if full {
        next = write_runs(&transaction, next, tables)?;
    }
    transaction.open_table(META)?.insert(META_KEY, next.meta.encode().as_slice())?;
    log.shared.announce(next);
    Ok(transaction.commit()?)
}

/// Writes the memtable as runs, merges what is due, and starts a new memtable.
fn write_runs(transaction: &WriteTransaction, state: State, tables: &Tables) -> Result<State, Error> {
    let mut target = Target::open(transaction, state.meta.next_run)?;
    let mut runs = Runs::clone(&state.runs);
    for list in [&mut runs.ids, &mut runs.streams] {
        if let Some(due) = merge::due(list) {
            let sources: Vec<&Run> = list[due.clone()].iter().map(AsRef::as_ref).collect();
            let merged = target.merge(&sources, tables)?;
            list.splice(due, [Arc::new(Run::new(merged))]);
        }
    }
    let head = state.meta.head.sequence;
    let [ids, streams] = {
        let memtable = state.memtable.read().expect("nobody panics with the memtable");
        target.write(&memtable, (state.meta.indexed.next(), head))?
    };
    runs.ids.push(Arc::new(Run::new(ids)));
    runs.streams.push(Arc::new(Run::new(streams)));
    Ok(State {
        meta: Meta { indexed: head, next_run: target.next, ..state.meta },
        memtable: Arc::new(RwLock::new(Memtable::new(head.next()))),
        runs: Arc::new(runs),
    })
}
