//! Receipts and proofs as documents: what they say, the bytes that are signed, and JSON and CBOR with the same content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Aspect, Refusal};
use crate::cbor;
use crate::engine::Deployment;
use crate::engine::brief;
use crate::event::{Digest, PluginName, Timestamp};

/// 4 MiB: an entry's or an event's largest value as base64, and a receipt with the longest parameters.
pub const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// The only version of receipts so far.
pub(super) const VERSION: u32 = 1;

/// What stands before the receipt in the bytes that are signed, so that a signature of a host key means nothing else.
const DOMAIN: &[u8] = b"polyfold receipt v1\n";

/// What a host states at one moment. Digests are 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Receipt {
    State(Box<StateReceipt>),
    Log(LogReceipt),
}

/// A projection's state at its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateReceipt {
    /// The version of the receipt's form: 1.
    pub version: u32,
    /// The log's id, a UUID.
    pub log_id: String,
    /// The checkpoint: everything up to this event of the log is in the state.
    pub sequence: u64,
    /// The digest over the log's events up to there, one behind the other.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub chain_head: Digest,
    /// The root of the Merkle tree over the same events.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub event_root: Digest,
    pub projection: String,
    /// The digest of the deployment.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub identity: Digest,
    /// All that decides the state's content beside the events.
    #[schema(value_type = Object)]
    pub deployment: Deployment,
    /// The root of the Merkle tree over the state's entries, in order of their keys.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub state_digest: Digest,
    pub entries: u64,
    /// The bytes of all keys and values.
    pub entry_bytes: u64,
    /// The events up to the checkpoint on which a plugin failed.
    pub faults: u64,
    /// The digest over their sequences, plugins and kinds.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub faults_digest: Digest,
    /// What was used to make the state; it depends on how events were cut into calls, so nobody compares it.
    pub fuel: u64,
    /// The host's clock when the receipt was made, RFC 3339 in UTC.
    pub made_at: String,
}

/// The log up to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogReceipt {
    /// The version of the receipt's form: 1.
    pub version: u32,
    /// The log's id, a UUID.
    pub log_id: String,
    /// How many events it speaks of.
    pub sequence: u64,
    /// The digest over these events, one behind the other.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub chain_head: Digest,
    /// The root of the Merkle tree over the same events.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub event_root: Digest,
    /// The host's clock when the receipt was made, RFC 3339 in UTC.
    pub made_at: String,
}

impl Receipt {
    /// What texts must be that people are shown.
    fn check_texts(&self) -> Result<(), String> {
        let LogReceipt { log_id, made_at, .. } = self.log();
        if !made_at.parse::<Timestamp>().is_ok_and(|time| time.to_string() == made_at) {
            return Err(format!("made_at is {made_at:?}, and must be an RFC 3339 time in UTC"));
        }
        if !log_id.parse::<uuid::Uuid>().is_ok_and(|id| id.to_string() == log_id) {
            return Err(format!("log_id is {log_id:?}, and must be a UUID"));
        }
        match self {
            Self::State(state) => {
                PluginName::new(&state.projection).map(drop).map_err(|error| format!("projection: {error}"))
            }
            Self::Log(_) => Ok(()),
        }
    }

    /// What both kinds say of the log.
    pub fn log(&self) -> LogReceipt {
        match self {
            Self::Log(log) => log.clone(),
            Self::State(state) => LogReceipt {
                version: state.version,
                log_id: state.log_id.clone(),
                sequence: state.sequence,
                chain_head: state.chain_head,
                event_root: state.event_root,
                made_at: state.made_at.clone(),
            },
        }
    }
}

/// A signed receipt, and the proof of one entry or of one event where it was made for one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    // As it came, because the signature is over it.
    #[schema(value_type = Receipt)]
    receipt: Box<RawValue>,
    /// The host's public key (Ed25519): 64 hexadecimal digits.
    pub key: String,
    /// Over the text `polyfold receipt v1`, a line feed, and the receipt as canonical CBOR: 128 hexadecimal digits.
    pub(super) signature: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<ProvedEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<ProvedEvent>,
}

/// What a state holds under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvedEntry {
    pub key: String,
    /// None if there is no such entry.
    pub value: Option<ProvedValue>,
    /// The way from the entry, or from its place, to the state digest, as base64.
    pub path: String,
}

/// A value's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProvedValue {
    /// Its UTF-8.
    Text(String),
    Base64(String),
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvedEvent {
    pub sequence: u64,
    /// The envelope's canonical bytes, as base64.
    pub envelope: String,
    /// BLAKE3 of the payload.
    #[serde(with = "as_text")]
    #[schema(value_type = String)]
    pub payload_digest: Digest,
    /// The payload's canonical CBOR, as base64; it may be withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The digests beside the way from the event to the event root, the lowest first.
    #[serde(with = "as_texts")]
    #[schema(value_type = Vec<String>)]
    pub path: Vec<Digest>,
}

/// Bytes that are no receipt and no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    #[error("it has {0} bytes, and no receipt or proof has more than {DOCUMENT_BYTES_MAX}")]
    TooLarge(usize),
    #[error("it is no receipt or proof: {0}")]
    Malformed(String),
    #[error("it is of version {0}, and this polyfold knows version {VERSION}; use a newer polyfold")]
    Newer(u64),
}

impl Document {
    pub(super) fn sign(receipt: &Receipt, key: &SigningKey) -> Self {
        Self::sign_raw(serde_json::value::to_raw_value(receipt).expect("a receipt is plain data"), key)
    }

    /// Signs what no host would.
    #[cfg(test)]
    pub(super) fn sign_json(receipt: &str, key: &SigningKey) -> Self {
        Self::sign_raw(RawValue::from_string(receipt.to_owned()).unwrap(), key)
    }

    fn sign_raw(receipt: Box<RawValue>, key: &SigningKey) -> Self {
        let message = message(&receipt).expect("a receipt of our own has a canonical form");
        let signature = hex(&key.sign(&message).to_bytes());
        Self { receipt, key: hex(key.verifying_key().as_bytes()), signature, entry: None, event: None }
    }

    pub(super) fn with_entry(self, entry: ProvedEntry) -> Self {
        Self { entry: Some(entry), ..self }
    }

    pub(super) fn with_event(self, event: ProvedEvent) -> Self {
        Self { event: Some(event), ..self }
    }

    /// Reads JSON or CBOR.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidDocument> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(InvalidDocument::TooLarge(bytes.len()));
        }
        if bytes.trim_ascii_start().first() == Some(&b'{') {
            return serde_json::from_slice(bytes).map_err(|error| malformed(&error));
        }
        // A map, or a tag before one.
        if !matches!(bytes.first(), Some(0xa0..=0xdb)) {
            return Err(malformed(&neither(bytes)));
        }
        let json = cbor::to_json(bytes).map_err(|error| malformed(&error))?;
        serde_json::from_str(&json).map_err(|error| malformed(&error))
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a document is plain data")
    }

    /// The same as canonical CBOR.
    pub fn to_cbor(&self) -> Result<Vec<u8>, InvalidDocument> {
        cbor::canonical_from_json(&self.to_json()).map_err(|error| malformed(&error))
    }

    /// What the receipt says, whether or not its signature holds.
    pub fn receipt(&self) -> Result<Receipt, InvalidDocument> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let of_receipt = |why: &dyn std::fmt::Display| malformed(&format!("the receipt: {why}"));
        let Versioned { version } = serde_json::from_str(self.receipt.get()).map_err(|error| of_receipt(&error))?;
        if version != u64::from(VERSION) {
            return Err(InvalidDocument::Newer(version));
        }
        let receipt: Receipt = serde_json::from_str(self.receipt.get()).map_err(|error| of_receipt(&error))?;
        receipt.check_texts().map_err(|why| of_receipt(&why))?;
        let own = serde_json::to_string(&receipt).expect("a receipt is plain data");
        // What is signed says one thing in one way: no other field, and no other spelling of a digest.
        if cbor::canonical_from_json(self.receipt.get()) != cbor::canonical_from_json(&own) {
            return Err(of_receipt(&"it has fields or spellings that version 1 does not have"));
        }
        Ok(receipt)
    }

    /// Whether the key in the document signed the receipt.
    pub(super) fn check_signature(&self) -> Result<(), Refusal> {
        let refuse = |why: &str| Refusal::new(Aspect::Signature, format!("the signature does not hold: {why}"));
        let key = unhex::<32>(&self.key).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let key =
            key.ok_or_else(|| refuse("the key is no Ed25519 public key of 64 hexadecimal digits in lower case"))?;
        let signature = unhex::<64>(&self.signature).map(|bytes| Signature::from_bytes(&bytes));
        let signature = signature.ok_or_else(|| refuse("it has not 128 hexadecimal digits in lower case"))?;
        let message = message(&self.receipt).map_err(|error| refuse(&format!("the receipt: {error}")))?;
        key.verify_strict(&message, &signature)
            .map_err(|_| refuse("the receipt was changed after it was signed, or another key signed it"))
    }
}

/// What is quoted of the document is anybody's.
fn malformed(why: &dyn std::fmt::Display) -> InvalidDocument {
    InvalidDocument::Malformed(brief(&why.to_string()))
}

/// Why a file is not read as JSON and not as CBOR.
fn neither(bytes: &[u8]) -> &'static str {
    const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    if bytes.trim_ascii().is_empty() {
        "it is empty"
    } else if MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        "it begins with a byte order mark; JSON must be UTF-8 without one"
    } else {
        "it must be a JSON object, which begins with {, or a CBOR map"
    }
}

/// The bytes that are signed.
fn message(receipt: &RawValue) -> Result<Vec<u8>, cbor::Error> {
    Ok([DOMAIN, &cbor::canonical_from_json(receipt.get())?].concat())
}

impl ProvedValue {
    /// Text where that is no longer than base64.
    pub(super) fn of(value: &[u8]) -> Self {
        match std::str::from_utf8(value) {
            Ok(text) if text.bytes().filter(u8::is_ascii_control).count() <= text.len() / 16 => {
                Self::Text(text.to_owned())
            }
            Ok(_) | Err(_) => Self::Base64(STANDARD.encode(value)),
        }
    }

    /// Its bytes; none if it is no base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).ok(),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// In lower case alone: one form of each document.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

/// A digest as text.
mod as_text {
    use super::{Deserialize as _, Deserializer, Digest, Serializer, strict};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        strict(&String::deserialize(from)?)
    }
}

/// A digest in the one form that documents have.
fn strict<E: serde::de::Error>(text: &str) -> Result<Digest, E> {
    match text.parse::<Digest>() {
        Ok(digest) if digest.to_string() == text => Ok(digest),
        Ok(_) => Err(E::custom(format!("{text} is not in lower case"))),
        Err(error) => Err(E::custom(error)),
    }
}

/// Digests as texts, at most as many as a path can have.
mod as_texts {
    use super::{Deserialize as _, Deserializer, Digest, Serializer, strict};

    pub(super) fn serialize<S: Serializer>(digests: &[Digest], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(digests.iter().map(Digest::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| strict(text)).collect()
    }
}
