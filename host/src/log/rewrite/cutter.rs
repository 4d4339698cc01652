//! Events of a log in order, put into blocks anew: payloads leave, runs of what is left are folded.

use std::collections::BTreeSet;

use super::super::block::{self, Names};
use super::super::fold::Fold;
use super::super::tables::{DroppedCounts, Head};
use super::super::tail::{Encoded, Tail};
use super::super::tree::event_leaf;
use super::super::tree::subtree::{Subtree, Subtrees};
use super::super::writer::{CODEC, SHRINKS_TO_AT_FIRST, body_bytes_max, chain, learned};
use crate::event::{Digest, Dropped, Sequence, Stored, Timestamp, Why};

/// Events of one run: what says how many of a block's events come before one is a number of 32 bits.
const RUN_EVENTS_MAX: u64 = 1 << 30;
/// A record of a run is smaller: two subtrees of each of 30 sizes at most.
const FOLD_BYTES_MAX: usize = 2_200;

/// The blocks that are made.
pub(in crate::log) struct Cutter<'a> {
    fold: bool,
    boundaries: &'a BTreeSet<Sequence>,
    /// The last event that was taken.
    pub(in crate::log) head: Head,
    block: Option<Tail>,
    run: Option<Run>,
    /// Full blocks, to be written.
    pub(in crate::log) full: Vec<Encoded>,
    /// What the blocks lack so far.
    pub(in crate::log) dropped: DroppedCounts,
    /// Events that were folded, those that had been before left out.
    pub(in crate::log) folded: u64,
    /// What full blocks shrank to of late, in thousandths.
    shrinks_to: usize,
    link: Vec<u8>,
}

/// Compacted events that follow each other.
struct Run {
    first: Sequence,
    /// When the first was, or some time before.
    first_recorded_at: Timestamp,
    /// The last of them, and the chain behind it.
    head: Head,
    chain_before: Digest,
    subtrees: Subtrees,
    dropped_bytes: u64,
    names: (Names, Names),
    /// The first, while it is the only one.
    single: Option<(Vec<u8>, Dropped)>,
    /// Those that had an envelope so far.
    stubs: u64,
}

impl<'a> Cutter<'a> {
    pub(in crate::log) fn new(head: Head, fold: bool, boundaries: &'a BTreeSet<Sequence>) -> Self {
        Self {
            fold,
            boundaries,
            head,
            block: None,
            run: None,
            full: Vec::new(),
            dropped: DroppedCounts::default(),
            folded: 0,
            shrinks_to: SHRINKS_TO_AT_FIRST,
            link: Vec::new(),
        }
    }

    /// Adds the next event, as it is to be.
    pub(in crate::log) fn event(&mut self, envelope: &[u8], recorded_at: Timestamp, payload: Stored<&[u8]>) {
        let digest = payload.digest();
        let before = self.head;
        self.head = Head {
            sequence: before.sequence.next(),
            recorded_at,
            chain: chain(&mut self.link, before.chain, digest, envelope),
        };
        match payload {
            Stored::Whole(payload) => {
                self.end_run();
                let room = envelope.len() + payload.len() + 10;
                let head = self.head;
                self.room_for(room, 1, &before, recorded_at).push(envelope, payload, head);
            }
            Stored::Dropped(dropped) if self.fold && dropped.why == Why::Compacted => {
                self.add_to_run(before, envelope, dropped);
            }
            Stored::Dropped(dropped) => {
                self.end_run();
                self.stub(before, envelope, dropped, self.head);
            }
        }
    }

    /// Adds a run that was folded before, from a block with these names.
    pub(in crate::log) fn folded(&mut self, fold: &Fold, header: &block::Header) {
        let before = self.head;
        self.head = Head { sequence: fold.last, recorded_at: fold.recorded_at, chain: fold.chain };
        if !self.fold || self.run.as_ref().is_some_and(|run| run.events() + fold.count() > RUN_EVENTS_MAX) {
            self.end_run();
        }
        // Of a run in the middle of a block only this is known of its first event's time.
        let first_recorded_at = if fold.first == header.first { header.first_recorded_at } else { before.recorded_at };
        let run = self.run.get_or_insert_with(|| Run::begin(before, first_recorded_at));
        fold.subtrees().for_each(|subtree| run.subtrees.push(subtree));
        run.names.0.add_all(&header.event_types);
        run.names.1.add_all(&header.categories);
        (run.head, run.single) = (self.head, None);
        run.dropped_bytes += fold.dropped_bytes;
        if !self.fold || self.boundaries.contains(&fold.last) {
            self.end_run();
        }
    }

    pub(in crate::log) fn folds(&self) -> bool {
        self.fold
    }

    /// Whether a block that stays as it is may be added as it is: else it would leave one before it that is nearly empty.
    pub(in crate::log) fn takes_blocks(&self) -> bool {
        self.run.is_none()
            && self.block.as_ref().is_none_or(|block| block.raw_bytes() * 2 >= body_bytes_max(self.shrinks_to))
    }

    /// Adds a block as it is.
    pub(in crate::log) fn block(&mut self, header: &block::Header, bytes: Vec<u8>, dropped: DroppedCounts) {
        self.seal();
        self.head = Head { sequence: header.last(), recorded_at: header.last_recorded_at, chain: header.chain_after };
        self.dropped.add(dropped);
        self.full.push(Encoded { first: header.first, raw_bytes: bytes.len(), bytes });
    }

    /// What is left, as the block that goes on growing.
    pub(in crate::log) fn finish(&mut self) -> Option<Tail> {
        self.end_run();
        self.block.take()
    }

    fn stub(&mut self, before: Head, envelope: &[u8], dropped: Dropped, head: Head) {
        self.dropped.stubs += 1;
        self.dropped.bytes += u64::from(dropped.bytes);
        let room = envelope.len() + 50;
        self.room_for(room, 1, &before, head.recorded_at).push_stub(envelope, dropped, head);
    }

    fn add_to_run(&mut self, before: Head, envelope: &[u8], dropped: Dropped) {
        if self.run.as_ref().is_some_and(|run| run.events() >= RUN_EVENTS_MAX) {
            self.end_run();
        }
        let head = self.head;
        let run = match &mut self.run {
            Some(run) => {
                run.single = None;
                run
            }
            none => {
                let run = none.insert(Run::begin(before, head.recorded_at));
                run.single = Some((envelope.to_vec(), dropped));
                run
            }
        };
        let names = crate::event::Head::decode(envelope).expect("it was decoded before");
        run.names.0.add(names.event_type);
        run.names.1.add(crate::event::category_of(names.stream));
        run.subtrees.push(Subtree::leaf(before.sequence.0, event_leaf(dropped.digest, envelope)));
        run.head = head;
        run.dropped_bytes += u64::from(dropped.bytes);
        run.stubs += 1;
        if self.boundaries.contains(&head.sequence) {
            self.end_run();
        }
    }

    /// Writes the run in hand: a record for all of it, or the one event that it is.
    fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let before =
            Head { sequence: run.first.previous(), recorded_at: run.first_recorded_at, chain: run.chain_before };
        if let Some((envelope, dropped)) = run.single {
            return self.stub(before, &envelope, dropped, run.head);
        }
        let (count, names) = (run.events(), run.names);
        let fold = Fold {
            first: run.first,
            last: run.head.sequence,
            recorded_at: run.head.recorded_at,
            chain: run.head.chain,
            dropped_bytes: run.dropped_bytes,
            nodes: run.subtrees.into_roots(),
        };
        self.dropped.folded += count;
        self.dropped.bytes += fold.dropped_bytes;
        self.folded += run.stubs;
        let block = self.room_for(FOLD_BYTES_MAX, count, &before, run.first_recorded_at);
        block.push_fold(&fold);
        block.header.event_types.add_all(&names.0);
        block.header.categories.add_all(&names.1);
    }

    /// A block with room for a record of so many bytes and events, the first of which was recorded then.
    fn room_for(&mut self, bytes: usize, events: u64, before: &Head, recorded_at: Timestamp) -> &mut Tail {
        let is_full = self.block.as_ref().is_some_and(|block| {
            block.raw_bytes() + bytes > body_bytes_max(self.shrinks_to)
                || u64::from(block.header.count) + events > 2 * RUN_EVENTS_MAX
        });
        if is_full {
            self.seal();
        }
        self.block.get_or_insert_with(|| Tail::new(before.sequence.next(), recorded_at, before.chain))
    }

    fn seal(&mut self) {
        if let Some(block) = self.block.take() {
            let sealed = block.encode(CODEC);
            self.shrinks_to = learned(self.shrinks_to, &sealed);
            self.full.push(sealed);
        }
    }
}

impl Run {
    fn begin(before: Head, first_recorded_at: Timestamp) -> Self {
        Self {
            first: before.sequence.next(),
            first_recorded_at,
            head: before,
            chain_before: before.chain,
            subtrees: Subtrees::default(),
            dropped_bytes: 0,
            names: (Names::default(), Names::default()),
            single: None,
            stubs: 0,
        }
    }

    fn events(&self) -> u64 {
        self.head.sequence.0 + 1 - self.first.0
    }
}
