//! Receipts and proofs: what a host states and signs of a state or of its log, so that anyone can check it.

mod check;
mod document;
mod key;
mod make;
mod reexecute;
mod refusal;
#[cfg(test)]
mod tests;

pub use check::{Check, InvalidKey, PublicKey, check_document};
pub use document::{
    DOCUMENT_BYTES_MAX, Document, InvalidDocument, LogReceipt, ProvedEntry, ProvedEvent, ProvedValue, Receipt,
    StateReceipt,
};
pub use refusal::{Aspect, Refusal};

pub(super) use key::KeyFile;

use crate::event::Digest;
use crate::state::Fault;

/// The digest over the faults of a state: which events are not in it, and by whose verdict of which kind.
///
/// Texts are left out: what a trap says may change with the host's version. BLAKE3 of a line for each fault, in order of
/// sequence: `SEQUENCE PLUGIN KIND` and a line feed.
fn faults_digest(faults: &[Fault]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for Fault { sequence, plugin, kind, .. } in faults {
        hasher.update(format!("{sequence} {plugin} {kind}\n").as_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}
