//! Chain head and event root from nothing but the events' bytes: what nobody's word is taken for. Of events whose payloads
//! were dropped it takes the digests that were left in their place.

use std::sync::Arc;

use super::event_leaf;
use super::subtree::{Subtree, Subtrees};
use crate::event::{Batch, Digest, Sequence};
use crate::log::archive::Archives;
use crate::log::error::Error;
use crate::log::fold::Fold;
use crate::log::reader::{Item, Reader, in_folded};
use crate::log::tables::Head;
use crate::log::writer::chain;

/// What the first events of a log lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recomputed {
    pub chain: Digest,
    pub root: Digest,
}

/// Events between two words about the way.
const PROGRESS_EVENTS: u64 = 8_192;

/// Goes on into folded events, up to one of them, by what an archive has of them: that it is of this log is seen where the
/// log knows its chain again.
fn within(
    archives: &Archives,
    (mut head, mut subtrees): (Digest, Subtrees),
    fold: &Fold,
    at: Sequence,
) -> Result<(Digest, Subtrees), Error> {
    let (mut found, mut link, mut batch) = (None, Vec::new(), Batch::new());
    for sequence in (fold.first.0..=fold.last.0).map(Sequence) {
        if batch.find(sequence).is_none() {
            batch = archives.around(sequence)?.ok_or_else(|| in_folded(at, fold))?;
        }
        let event = batch.find(sequence).expect("it is one of those around it");
        head = chain(&mut link, head, event.payload.digest(), event.envelope_bytes());
        if sequence <= at {
            subtrees.push(Subtree::leaf(sequence.0 - 1, event_leaf(event.payload.digest(), event.envelope_bytes())));
        }
        if sequence == at {
            found = Some(head);
        }
    }
    match found {
        Some(found) if head == fold.chain => Ok((found, subtrees)),
        Some(_) | None => {
            let place = format!("the archive of events {} to {}", fold.first, fold.last);
            Err(Error::damaged(place, "its chain is not that of the log"))
        }
    }
}

/// Walks the first `at` events, which must not lie beyond the head. Where that is within folded events, an archive must have
/// them.
///
/// # Errors
/// A block whose own chain heads are not those of its events is named.
pub(in crate::log) fn recompute(
    reader: &Reader,
    archives: Option<&Arc<Archives>>,
    at: Sequence,
    progress: &mut dyn FnMut(Sequence),
) -> Result<Recomputed, Error> {
    let (mut head, mut subtrees, mut link) = (Head::first(reader.id).chain, Subtrees::default(), Vec::new());
    let mut blocks = reader.blocks();
    let mut next = Sequence::FIRST;
    while next <= at {
        let header = blocks.header(next)?;
        let differs = |what: &str| Error::damaged(format!("block {}", header.first), what);
        if header.first != next || header.chain_before != head {
            return Err(differs("it does not follow the block before it"));
        }
        while next <= header.last().min(at) {
            let from = next;
            next = match blocks.item(next)? {
                Item::Event(envelope, payload) => {
                    head = chain(&mut link, head, payload.digest(), envelope);
                    subtrees.push(Subtree::leaf(next.0 - 1, event_leaf(payload.digest(), envelope)));
                    next.next()
                }
                Item::Folded(fold) if fold.is_within(at) => {
                    let archives = archives.ok_or_else(|| in_folded(at, &fold))?;
                    (head, subtrees) = within(archives, (head, subtrees), &fold, at)?;
                    progress(at);
                    return Ok(Recomputed { chain: head, root: subtrees.root() });
                }
                Item::Folded(fold) => {
                    head = fold.chain;
                    fold.subtrees().for_each(|subtree| subtrees.push(subtree));
                    fold.last.next()
                }
            };
            if from.0 / PROGRESS_EVENTS != next.0 / PROGRESS_EVENTS {
                progress(next.previous());
            }
        }
        if header.last() <= at && header.chain_after != head {
            return Err(differs("its chain head is not that of its last event"));
        }
    }
    progress(at);
    Ok(Recomputed { chain: head, root: subtrees.root() })
}
