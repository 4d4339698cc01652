//! Events as values: names, numbers, times, payloads and envelopes. No I/O, no formats but the envelope's own bytes.

mod batch;
mod digest;
mod envelope;
mod filter;
mod name;
mod number;
mod time;

pub use batch::{Batch, Dropped, EventRef, Row, Span, Stored, Why};
pub use digest::{Digest, ParseDigestError};
pub use envelope::{DecodeError, Envelope, Head};
pub use filter::Filter;
pub use name::{EventId, EventType, InvalidName, PluginName, StreamName, category_of};
pub use number::{SchemaVersion, Sequence, Version};
pub use time::{ParseTimeError, Timestamp};

use std::collections::BTreeMap;

/// A payload: one item of canonical CBOR (RFC 8949 §4.2.1), at most [`Payload::BYTES_MAX`] long.
///
/// The `cbor` floor makes payloads; this type only carries the promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// 1 MiB: a batch holds at least four, and a plugin's memory takes hundreds.
    pub const BYTES_MAX: usize = 1 << 20;
    /// What encryption adds to a payload: key id 8, nonce 24, tag 16.
    pub const SEAL_BYTES: usize = 48;

    /// Wraps bytes that the caller knows to be canonical CBOR.
    pub fn from_canonical(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// An event that is not in the log yet: all that its producer says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub stream: StreamName,
    pub event_type: EventType,
    pub schema_version: SchemaVersion,
    pub id: EventId,
    pub payload: Payload,
    pub occurred_at: Option<Timestamp>,
    pub actor: Option<String>,
    pub causation_id: Option<EventId>,
    pub correlation_id: Option<EventId>,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    /// Whether the payload is the encrypted form of what the producer said.
    pub is_encrypted: bool,
}

impl NewEvent {
    /// 256 bytes for an actor, a tag or a metadata name: they are names, not documents.
    pub const LABEL_BYTES_MAX: usize = 256;
    /// 64 tags and 64 metadata entries, so that an envelope stays small beside its payload.
    pub const LABELS_MAX: usize = 64;
    /// 16 KiB for all metadata of one event; what is larger belongs into the payload.
    pub const METADATA_BYTES_MAX: usize = 16 << 10;

    /// An event with only what every event must have.
    pub fn new(stream: StreamName, event_type: EventType, id: EventId, payload: Payload) -> Self {
        Self {
            stream,
            event_type,
            schema_version: SchemaVersion::FIRST,
            id,
            payload,
            occurred_at: None,
            actor: None,
            causation_id: None,
            correlation_id: None,
            metadata: BTreeMap::new(),
            tags: Vec::new(),
            is_encrypted: false,
        }
    }

    /// The size of the payload as its producer made it.
    pub fn payload_bytes(&self) -> usize {
        let seal_bytes = if self.is_encrypted { Payload::SEAL_BYTES } else { 0 };
        self.payload.0.len().saturating_sub(seal_bytes)
    }

    /// Checks the limits that the field types do not hold themselves.
    pub fn check(&self) -> Result<(), InvalidEvent> {
        let too_large =
            |what, bytes, bytes_max| Err(InvalidEvent { what, found: bytes, max: bytes_max, unit: "bytes" });
        let too_many = |what, found| Err(InvalidEvent { what, found, max: Self::LABELS_MAX, unit: "entries" });
        if self.payload_bytes() > Payload::BYTES_MAX {
            return too_large("payload", self.payload_bytes(), Payload::BYTES_MAX);
        }
        if self.tags.len() > Self::LABELS_MAX {
            return too_many("tags", self.tags.len());
        }
        if self.metadata.len() > Self::LABELS_MAX {
            return too_many("metadata", self.metadata.len());
        }
        let labels = self.actor.iter().map(|actor| ("actor", actor));
        let labels = labels.chain(self.tags.iter().map(|tag| ("tag", tag)));
        let mut labels = labels.chain(self.metadata.keys().map(|name| ("metadata name", name)));
        if let Some((what, label)) = labels.find(|(_, label)| label.len() > Self::LABEL_BYTES_MAX) {
            return too_large(what, label.len(), Self::LABEL_BYTES_MAX);
        }
        let metadata_bytes = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if metadata_bytes > Self::METADATA_BYTES_MAX {
            return too_large("metadata", metadata_bytes, Self::METADATA_BYTES_MAX);
        }
        Ok(())
    }
}

/// A field of an event that breaks a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {found} {unit}, at most {max} are allowed")]
pub struct InvalidEvent {
    pub what: &'static str,
    pub found: usize,
    pub max: usize,
    pub unit: &'static str,
}
