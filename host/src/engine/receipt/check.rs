//! Checking a document with nothing else at hand: signature, key, and what is proved, against what the receipt says.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::unhex;
use super::{Aspect, Document, InvalidDocument, ProvedEntry, ProvedEvent, Receipt, Refusal, StateReceipt};
use crate::cbor;
use crate::event::{Digest, Envelope, Payload, Sequence};
use crate::log::{EventProof, event_leaf};
use crate::state::{EntryProof, ValueDigest};

/// Each is compiled before the first event, so a document decides with them what a check costs. Nobody has as many.
const UPCASTERS_MAX: usize = 256;

/// A host's public key as somebody types it: 64 hexadecimal digits, in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(String);

/// A text that is no public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is 64 hexadecimal digits; `polyfold receipt key` on the host shows it")]
pub struct InvalidKey;

impl std::str::FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let key = text.to_ascii_lowercase();
        if unhex::<32>(&key).is_some() { Ok(Self(key)) } else { Err(InvalidKey) }
    }
}

impl PublicKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a check came to.
#[derive(Clone, Debug)]
pub struct Check {
    pub document: Document,
    pub receipt: Receipt,
    /// What was checked and holds, in this order.
    pub holds: Vec<Aspect>,
    /// What does not; nothing was checked behind it.
    pub refusal: Option<Refusal>,
}

/// Checks what needs no log: the signature, that the key is the one expected, and what the document proves.
pub fn check_document(document: Document, key: Option<&str>) -> Result<Check, InvalidDocument> {
    let receipt = document.receipt()?;
    let mut check = Check { document, receipt, holds: Vec::new(), refusal: None };
    check.refusal = check.alone(key).err();
    Ok(check)
}

impl Check {
    fn alone(&mut self, key: Option<&str>) -> Result<(), Refusal> {
        self.document.check_signature()?;
        self.holds.push(Aspect::Signature);
        if let Some(expected) = key {
            if !expected.eq_ignore_ascii_case(&self.document.key) {
                let signed = &self.document.key;
                return Err(Refusal::new(Aspect::Key, format!("it is signed by the key {signed}, not by {expected}")));
            }
            self.holds.push(Aspect::Key);
        }
        if let Receipt::State(state) = &self.receipt {
            check_identity(state)?;
            self.holds.push(Aspect::Identity);
        }
        if let Some(entry) = &self.document.entry {
            check_entry(entry, &self.receipt)?;
            self.holds.push(Aspect::Entry);
        }
        if let Some(event) = &self.document.event {
            check_event(event, &self.receipt)?;
            self.holds.push(Aspect::Event);
        }
        Ok(())
    }
}

fn check_identity(state: &StateReceipt) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::new(Aspect::Identity, why));
    let is_digest = |text: &str| text.parse::<Digest>().is_ok_and(|digest| digest.to_string() == text);
    if let Some(bad) = state.deployment.digests().find(|digest| !is_digest(digest)) {
        return refuse(format!("the deployment has {bad:?} where a plugin's digest should be"));
    }
    let upcasters = &state.deployment.upcasters;
    if upcasters.len() > UPCASTERS_MAX {
        return refuse(format!("the deployment has {} upcasters, and {UPCASTERS_MAX} are taken", upcasters.len()));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = upcasters.iter().find(|digest| !seen.insert(*digest)) {
        return refuse(format!("the deployment names upcaster {twice} twice"));
    }
    match state.deployment.identity() {
        found if found == state.identity => Ok(()),
        found => Err(Refusal::between(Aspect::Identity, "identity of the deployment", state.identity, found)),
    }
}

fn check_entry(entry: &ProvedEntry, receipt: &Receipt) -> Result<(), Refusal> {
    let refuse = |why: String| Refusal::new(Aspect::Entry, format!("the entry {:?} is not proved: {why}", entry.key));
    let Receipt::State(state) = receipt else { return Err(refuse("the receipt is of no state".to_owned())) };
    let path = STANDARD.decode(&entry.path).map_err(|_| refuse("its path is no base64".to_owned()))?;
    let proof = EntryProof::from_bytes(&path).map_err(|error| refuse(error.to_string()))?;
    let proved = proof.check(state.state_digest, &entry.key).map_err(|error| refuse(error.to_string()))?;
    let totals = proof.totals();
    if (totals.entries, totals.bytes) != (state.entries, state.entry_bytes) {
        let (entries, bytes) = (totals.entries, totals.bytes);
        return Err(refuse(format!("its path is of a state of {entries} entries and {bytes} bytes, not of this one")));
    }
    let value =
        entry.value.as_ref().map(|value| value.bytes().ok_or_else(|| refuse("its value is no base64".to_owned())));
    match (value.transpose()?, proved) {
        (None, None) => Ok(()),
        (Some(value), Some(proved)) if proved == ValueDigest::of(&value) => Ok(()),
        (Some(_), Some(_)) => Err(refuse("its value is not the one that the state digest stands for".to_owned())),
        (Some(_), None) => Err(refuse("the state has no such entry".to_owned())),
        (None, Some(_)) => Err(refuse("the state has such an entry".to_owned())),
    }
}

fn check_event(event: &ProvedEvent, receipt: &Receipt) -> Result<(), Refusal> {
    let refuse = |why: &str| Refusal::new(Aspect::Event, format!("event {} is not proved: {why}", event.sequence));
    let log = receipt.log();
    let envelope = STANDARD.decode(&event.envelope).map_err(|_| refuse("its envelope is no base64"))?;
    let decoded = Envelope::decode(&envelope).map_err(|error| refuse(&error.to_string()))?;
    if decoded.head.sequence != Sequence(event.sequence) {
        return Err(refuse(&format!("its envelope is that of event {}", decoded.head.sequence)));
    }
    if let Some(payload) = &event.payload {
        let payload = STANDARD.decode(payload).map_err(|_| refuse("its payload is no base64"))?;
        if Digest::of(&payload) != event.payload_digest {
            return Err(refuse("its payload has another digest"));
        }
        let is_sealed = decoded.head.is_encrypted && payload.len() > Payload::SEAL_BYTES;
        // No log has another, so nobody appended it.
        if !is_sealed && cbor::from_cbor(&payload).ok().is_none_or(|canonical| canonical.as_bytes() != payload) {
            return Err(refuse("its payload is no canonical CBOR"));
        }
    }
    let (sequence, at) = (Sequence(event.sequence), Sequence(log.sequence));
    let proof = EventProof { sequence, at, path: event.path.clone() };
    match proof.root(event_leaf(event.payload_digest, &envelope)) {
        Some(root) if root == log.event_root => Ok(()),
        Some(_) => Err(refuse("its path does not lead to the event root of the receipt")),
        None => Err(refuse(&format!("its path cannot be one in a log of {} events", log.sequence))),
    }
}
