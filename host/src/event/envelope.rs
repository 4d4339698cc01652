//! An envelope and its one canonical encoding: the bytes that the chain digests and the log stores.
//!
//! ```text
//! envelope := flags  sequence  version  schema-version  recorded-at  stream  event-type
//!             id  [occurred-at]  [actor]  [causation-id]  [correlation-id]  [metadata]  [tags]
//! flags       one byte; bits 0 to 5 say which of the six bracketed fields follow; bit 6: the payload is encrypted; bit 7 is 0
//! sequence, version, schema-version, recorded-at (µs)   unsigned LEB128, shortest form
//! occurred-at (µs)                                      zigzag, then unsigned LEB128, shortest form
//! stream, event-type, id, actor, causation-id, correlation-id   text
//! text        length in bytes (LEB128), then UTF-8
//! metadata    count (LEB128, at least 1), then that many pairs of text, by strictly rising name
//! tags        count (LEB128, at least 1), then that many texts
//! ```
//! One envelope has one encoding: an empty list is said by its flag alone, and any longer form of a number is refused.
//! The payload is not in it: the chain digests the payload's digest beside these bytes.

use super::{NewEvent, SchemaVersion, Sequence, Timestamp, Version};

const OCCURRED_AT: u8 = 1 << 0;
const ACTOR: u8 = 1 << 1;
const CAUSATION_ID: u8 = 1 << 2;
const CORRELATION_ID: u8 = 1 << 3;
const METADATA: u8 = 1 << 4;
const TAGS: u8 = 1 << 5;
const ENCRYPTED: u8 = 1 << 6;
const UNKNOWN: u8 = 1 << 7;

/// The first fields of an envelope: all that a projection is handed for every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    pub sequence: Sequence,
    pub version: Version,
    pub schema_version: SchemaVersion,
    pub recorded_at: Timestamp,
    pub stream: &'a str,
    pub event_type: &'a str,
    /// Whether the payload is bytes that only who has the stream's key can read.
    pub is_encrypted: bool,
}

/// All that the log says of an event, its payload apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub head: Head<'a>,
    pub id: &'a str,
    pub occurred_at: Option<Timestamp>,
    pub actor: Option<&'a str>,
    pub causation_id: Option<&'a str>,
    pub correlation_id: Option<&'a str>,
    pub metadata: Vec<(&'a str, &'a str)>,
    pub tags: Vec<&'a str>,
}

/// Bytes that are no envelope in its canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an envelope: {0}")]
pub struct DecodeError(&'static str);

impl<'a> Envelope<'a> {
    /// The envelope that a new event gets at its place in the log.
    pub fn of(event: &'a NewEvent, sequence: Sequence, version: Version, recorded_at: Timestamp) -> Self {
        Self {
            head: Head {
                sequence,
                version,
                schema_version: event.schema_version,
                recorded_at,
                stream: event.stream.as_str(),
                event_type: event.event_type.as_str(),
                is_encrypted: event.is_encrypted,
            },
            id: event.id.as_str(),
            occurred_at: event.occurred_at,
            actor: event.actor.as_deref(),
            causation_id: event.causation_id.as_ref().map(AsRef::as_ref),
            correlation_id: event.correlation_id.as_ref().map(AsRef::as_ref),
            metadata: event.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            tags: event.tags.iter().map(String::as_str).collect(),
        }
    }

    /// Appends the canonical encoding to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.flags());
        put_number(out, self.head.sequence.0);
        put_number(out, self.head.version.0);
        put_number(out, u64::from(self.head.schema_version.0));
        put_number(out, self.head.recorded_at.micros().max(0).unsigned_abs());
        put_text(out, self.head.stream);
        put_text(out, self.head.event_type);
        put_text(out, self.id);
        if let Some(time) = self.occurred_at {
            put_number(out, zigzag(time.micros()));
        }
        for text in [self.actor, self.causation_id, self.correlation_id].into_iter().flatten() {
            put_text(out, text);
        }
        if !self.metadata.is_empty() {
            put_number(out, self.metadata.len() as u64);
            for (name, value) in &self.metadata {
                put_text(out, name);
                put_text(out, value);
            }
        }
        if !self.tags.is_empty() {
            put_number(out, self.tags.len() as u64);
            for tag in &self.tags {
                put_text(out, tag);
            }
        }
    }

    /// Reads an envelope that fills `bytes` exactly.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Input(bytes);
        let flags = input.flags()?;
        let head = input.head(flags)?;
        let id = input.text()?;
        let occurred_at = input.if_set(flags, OCCURRED_AT, Input::signed_time)?;
        let actor = input.if_set(flags, ACTOR, Input::text)?;
        let causation_id = input.if_set(flags, CAUSATION_ID, Input::text)?;
        let correlation_id = input.if_set(flags, CORRELATION_ID, Input::text)?;
        let metadata = input.if_set(flags, METADATA, Input::pairs)?.unwrap_or_default();
        let tags = input.if_set(flags, TAGS, Input::texts)?.unwrap_or_default();
        if !input.0.is_empty() {
            return Err(DecodeError("bytes are left over"));
        }
        Ok(Self { head, id, occurred_at, actor, causation_id, correlation_id, metadata, tags })
    }

    /// Whether the stored event says the same as a producer's: all but its place in the log and its payload.
    pub fn same_content(&self, event: &NewEvent) -> bool {
        *self == Envelope::of(event, self.head.sequence, self.head.version, self.head.recorded_at)
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        flag(self.occurred_at.is_some(), OCCURRED_AT)
            | flag(self.actor.is_some(), ACTOR)
            | flag(self.causation_id.is_some(), CAUSATION_ID)
            | flag(self.correlation_id.is_some(), CORRELATION_ID)
            | flag(!self.metadata.is_empty(), METADATA)
            | flag(!self.tags.is_empty(), TAGS)
            | flag(self.head.is_encrypted, ENCRYPTED)
    }
}

impl<'a> Head<'a> {
    /// Reads the first fields only; the hot path of every reader.
    pub fn decode(envelope: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Input(envelope);
        let flags = input.flags()?;
        input.head(flags)
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn flags(&mut self) -> Result<u8, DecodeError> {
        let flags = self.byte()?;
        if flags & UNKNOWN != 0 {
            return Err(DecodeError("unknown flags"));
        }
        Ok(flags)
    }

    fn head(&mut self, flags: u8) -> Result<Head<'a>, DecodeError> {
        let sequence = Sequence(self.number()?);
        let version = Version(self.number()?);
        let schema_version = u32::try_from(self.number()?).map_err(|_| DecodeError("schema version too large"))?;
        let recorded_at = i64::try_from(self.number()?).ok().and_then(Timestamp::from_micros);
        Ok(Head {
            sequence,
            version,
            schema_version: SchemaVersion(schema_version),
            recorded_at: recorded_at.ok_or(DecodeError("time out of range"))?,
            stream: self.text()?,
            event_type: self.text()?,
            is_encrypted: flags & ENCRYPTED != 0,
        })
    }

    fn if_set<T>(
        &mut self,
        flags: u8,
        flag: u8,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if flags & flag == 0 { Ok(None) } else { read(self).map(Some) }
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.0.split_first().ok_or(DecodeError("it ends early"))?;
        self.0 = rest;
        Ok(first)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError("number too large"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(DecodeError("number not in its shortest form"));
                }
                return Ok(number);
            }
        }
        Err(DecodeError("number too long"))
    }

    fn signed_time(&mut self) -> Result<Timestamp, DecodeError> {
        let number = self.number()?;
        let micros = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        Timestamp::from_micros(micros).ok_or(DecodeError("time out of range"))
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = usize::try_from(self.number()?).map_err(|_| DecodeError("text too long"))?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(DecodeError("it ends early"))?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| DecodeError("text is not UTF-8"))
    }

    fn count(&mut self) -> Result<u64, DecodeError> {
        match self.number()? {
            0 => Err(DecodeError("an empty list that is said to be there")),
            count => Ok(count),
        }
    }

    fn pairs(&mut self) -> Result<Vec<(&'a str, &'a str)>, DecodeError> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for _ in 0..self.count()? {
            let (name, value) = (self.text()?, self.text()?);
            if pairs.last().is_some_and(|(last, _)| *last >= name) {
                return Err(DecodeError("metadata out of order"));
            }
            pairs.push((name, value));
        }
        Ok(pairs)
    }

    fn texts(&mut self) -> Result<Vec<&'a str>, DecodeError> {
        (0..self.count()?).map(|_| self.text()).collect()
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Envelope<'static> {
        Envelope {
            head: Head {
                sequence: Sequence(300),
                version: Version(2),
                schema_version: SchemaVersion(1),
                recorded_at: Timestamp::from_micros(1_000_000).unwrap(),
                stream: "a/b",
                event_type: "t",
                is_encrypted: false,
            },
            id: "i",
            occurred_at: Timestamp::from_micros(-1),
            actor: Some("me"),
            causation_id: Some("c"),
            correlation_id: Some("d"),
            metadata: vec![("k", "v"), ("l", "")],
            tags: vec!["x", "a"],
        }
    }

    fn encoded(envelope: &Envelope) -> Vec<u8> {
        let mut bytes = Vec::new();
        envelope.encode(&mut bytes);
        bytes
    }

    #[test]
    fn the_encoding_is_this_to_the_byte() {
        let expected = b"\x3f\xac\x02\x02\x01\xc0\x84\x3d\x03a/b\x01t\x01i\x01\x02me\x01c\x01d\x02\x01k\x01v\x01l\x00\x02\x01x\x01a";
        assert_eq!(encoded(&full()), expected);
        assert_eq!(Envelope::decode(expected), Ok(full()));
        assert_eq!(Head::decode(expected), Ok(full().head));
    }

    #[test]
    fn a_small_envelope_has_only_what_it_says() {
        let small = Envelope {
            occurred_at: None,
            actor: None,
            causation_id: None,
            correlation_id: None,
            metadata: vec![],
            tags: vec![],
            ..full()
        };
        assert_eq!(encoded(&small), b"\x00\xac\x02\x02\x01\xc0\x84\x3d\x03a/b\x01t\x01i");
        assert_eq!(Envelope::decode(&encoded(&small)), Ok(small));
    }

    #[test]
    fn an_encrypted_payload_is_said_by_one_bit() {
        let encrypted = Envelope { head: Head { is_encrypted: true, ..full().head }, ..full() };
        let (plain, bytes) = (encoded(&full()), encoded(&encrypted));
        assert_eq!((bytes[0], &bytes[1..]), (plain[0] | 0x40, &plain[1..]));
        assert_eq!(Envelope::decode(&bytes), Ok(encrypted.clone()));
        assert_eq!(Head::decode(&bytes), Ok(encrypted.head));
    }

    #[test]
    fn every_other_form_is_refused() {
        let bytes = encoded(&full());
        for end in 0..bytes.len() {
            assert!(Envelope::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let check = |bytes: &[u8], why: &str| {
            assert_eq!(Envelope::decode(bytes).unwrap_err().to_string(), format!("not an envelope: {why}"));
        };
        check(b"\x80", "unknown flags");
        check(b"\x00\x81\x00", "number not in its shortest form");
        check(b"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "number too large");
        check(b"\x00\x01\x01\x01\x01\x01\xff", "text is not UTF-8");
        check(b"\x20\x01\x01\x01\x01\x01a\x01t\x01i\x00", "an empty list that is said to be there");
        check(b"\x10\x01\x01\x01\x01\x01a\x01t\x01i\x02\x01b\x00\x01a\x00", "metadata out of order");
        check(&[bytes.as_slice(), b"\x00"].concat(), "bytes are left over");
    }

    #[test]
    fn the_largest_numbers_survive() {
        let mut envelope = full();
        envelope.head.sequence = Sequence(u64::MAX);
        envelope.head.version = Version(u64::MAX);
        envelope.head.schema_version = SchemaVersion(u32::MAX);
        assert_eq!(Envelope::decode(&encoded(&envelope)), Ok(envelope));
    }
}
