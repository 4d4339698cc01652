//! One stream's key, and what it makes of payloads: XChaCha20-Poly1305 with a nonce that is made of the event itself.
//!
//! The same event always becomes the same bytes, so that the log recognises it when it is sent again. Two events of a stream
//! with one nonce would have to say the same under the same id, and the log has such a one once.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::event::{Envelope, NewEvent, Payload, SchemaVersion};

const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// 32 bytes that nobody else may know; wiped when they are dropped.
pub(super) type Secret = Zeroizing<[u8; 32]>;

/// Tells one key from another; it says nothing of the key.
pub(super) type StreamKeyId = [u8; ID_BYTES];

/// A stream's key, ready for use.
pub(super) struct StreamKey {
    secret: Secret,
    id: StreamKeyId,
    nonces: Secret,
    aead: XChaCha20Poly1305,
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamKey({:02x?})", self.id)
    }
}

impl StreamKey {
    pub(super) fn new(secret: Secret) -> Self {
        let derive = |purpose: &str| Zeroizing::new(blake3::derive_key(purpose, &*secret));
        let payloads = derive("polyfold 2026 stream key: payloads");
        let id = derive("polyfold 2026 stream key: id");
        Self {
            id: *id.first_chunk().expect("32 bytes begin with 8"),
            nonces: derive("polyfold 2026 stream key: nonces"),
            aead: XChaCha20Poly1305::new((&*payloads).into()),
            secret,
        }
    }

    /// A new key of the system's random numbers.
    pub(super) fn random() -> std::io::Result<Self> {
        let mut secret = Secret::default();
        getrandom::fill(&mut *secret)
            .map_err(|error| std::io::Error::other(format!("the system gives no random numbers: {error}")))?;
        Ok(Self::new(secret))
    }

    pub(super) fn id(&self) -> StreamKeyId {
        self.id
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The stored form of a payload: `key id 8 ‖ nonce 24 ‖ ciphertext ‖ tag 16`.
    pub(super) fn seal(&self, bound: &Bound, payload: &[u8]) -> Payload {
        let nonce = self.nonce(bound, payload);
        let mut sealed = Vec::with_capacity(payload.len() + Payload::SEAL_BYTES);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        let start = sealed.len();
        sealed.extend_from_slice(payload);
        let tag = self.aead.encrypt_inout_detached(&XNonce::from(nonce), &bound.0, sealed[start..].as_mut().into());
        sealed.extend_from_slice(&tag.expect("a payload is far shorter than the cipher's limit"));
        Payload::from_canonical(sealed)
    }

    /// What was sealed, appended to `out`. None, and nothing appended, if it was not sealed so, with this key.
    pub(super) fn open(&self, bound: &Bound, sealed: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (id, rest) = sealed.split_first_chunk::<ID_BYTES>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        if *id != self.id {
            return None;
        }
        let start = out.len();
        out.extend_from_slice(ciphertext);
        let (nonce, tag) = (XNonce::from(*nonce), Tag::from(*tag));
        let opened = self.aead.decrypt_inout_detached(&nonce, &bound.0, out[start..].as_mut().into(), &tag);
        if opened.is_err() {
            out.truncate(start);
        }
        opened.ok()
    }

    fn nonce(&self, bound: &Bound, payload: &[u8]) -> [u8; NONCE_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.nonces);
        hasher.update(&(bound.0.len() as u64).to_le_bytes());
        hasher.update(&bound.0);
        hasher.update(payload);
        *hasher.finalize().as_bytes().first_chunk().expect("32 bytes begin with 24")
    }
}

/// Which key a sealed payload needs, if it has the length of one.
pub(super) fn key_of(sealed: &[u8]) -> Option<StreamKeyId> {
    if sealed.len() < Payload::SEAL_BYTES {
        return None;
    }
    sealed.first_chunk().copied()
}

/// What a payload is bound to beside its key: stream, type, schema version and id, so that none can be passed off as
/// another event's. Texts have their length before them, u32 little endian; the version is one, too.
pub(super) struct Bound(Vec<u8>);

impl Bound {
    fn new(stream: &str, event_type: &str, schema_version: SchemaVersion, id: &str) -> Self {
        let mut bytes = Vec::with_capacity(stream.len() + event_type.len() + id.len() + 16);
        for text in [stream, event_type, id] {
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&schema_version.0.to_le_bytes());
        Self(bytes)
    }

    pub(super) fn of_new(event: &NewEvent) -> Self {
        Self::new(event.stream.as_str(), event.event_type.as_str(), event.schema_version, event.id.as_str())
    }

    pub(super) fn of_stored(envelope: &Envelope<'_>) -> Self {
        let head = &envelope.head;
        Self::new(head.stream, head.event_type, head.schema_version, envelope.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> StreamKey {
        StreamKey::new(Zeroizing::new([byte; 32]))
    }

    fn bound(id: &str) -> Bound {
        Bound::new("person/1", "person.named", SchemaVersion(2), id)
    }

    fn opened(key: &StreamKey, bound: &Bound, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        let opened = key.open(bound, sealed, &mut out);
        assert!(out.starts_with(b"before"));
        assert_eq!(opened.is_none(), out.len() == 6, "nothing stays of what is not sound");
        opened.map(|()| out[6..].to_vec())
    }

    #[test]
    fn a_payload_is_sealed_to_these_bytes_for_ever() {
        let sealed = key(7).seal(&bound("a"), b"\x64Jane");
        let hex: String = sealed.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        expect_test::expect![
            "7df4ceb3d981180931027553e0921916d1e348176c91ff25191896e26f5c860ed67902f327a9d9774d1462bf537e17baec72976309"
        ]
        .assert_eq(&hex);
        assert_eq!(sealed.as_bytes().len(), 5 + Payload::SEAL_BYTES);
        assert_eq!(opened(&key(7), &bound("a"), sealed.as_bytes()).as_deref(), Some(b"\x64Jane".as_slice()));
    }

    #[test]
    fn another_key_event_or_bit_opens_nothing() {
        let sealed = key(7).seal(&bound("a"), b"\x64Jane");
        assert_ne!(key(7).seal(&bound("a"), b"\x64Joan"), sealed);
        assert_ne!(key(7).seal(&bound("b"), b"\x64Jane"), sealed);
        assert_eq!(opened(&key(8), &bound("a"), sealed.as_bytes()), None);
        assert_eq!(opened(&key(7), &bound("b"), sealed.as_bytes()), None);
        for bit in 0..sealed.as_bytes().len() * 8 {
            let mut flipped = sealed.as_bytes().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&key(7), &bound("a"), &flipped), None, "bit {bit}");
        }
        for length in 0..sealed.as_bytes().len() {
            assert_eq!(opened(&key(7), &bound("a"), &sealed.as_bytes()[..length]), None, "cut at {length}");
        }
    }
}
