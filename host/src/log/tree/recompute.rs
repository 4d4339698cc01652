//! Chain head and event root from nothing but the events' bytes: what nobody's word is taken for. Of events whose payloads
//! were dropped it takes the digests that were left in their place.

use super::event_leaf;
use super::subtree::{Subtree, Subtrees};
use crate::event::{Digest, Sequence};
use crate::log::error::Error;
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

/// Walks the first `at` events, which must not lie beyond the head.
///
/// # Errors
/// A block whose own chain heads are not those of its events is named.
pub(in crate::log) fn recompute(
    reader: &Reader,
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
                Item::Folded(fold) if fold.is_within(at) => return Err(in_folded(at, &fold)),
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
