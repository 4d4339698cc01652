//! A record: an event as it lies in a block, or a run of events of which only digests are left.
//!
//! A whole event is `0 ‖ envelope length varint ‖ envelope ‖ payload`; the block's offset table says where it ends. A stub,
//! whose payload was dropped, is `1 ‖ envelope length varint ‖ envelope ‖ why u8 ‖ payload length varint ‖ payload digest 32`.

use std::ops::Range;

use super::bytes::{Input, Malformed, put_varint};
use crate::event::{Digest, Dropped, Stored, Why};

const WHOLE: u8 = 0;
const STUB: u8 = 1;

const COMPACTED: u8 = 0;
const REDACTED: u8 = 1;

/// Where a record's parts lie in its block's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) envelope: Range<usize>,
    pub(super) payload: Stored<Range<usize>>,
}

impl Record {
    /// The payload bytes that are there.
    pub(super) fn payload_bytes(&self) -> usize {
        match &self.payload {
            Stored::Whole(range) => range.len(),
            Stored::Dropped(_) => 0,
        }
    }

    /// The payload in that body.
    pub(super) fn payload_of<'a>(&self, body: &'a [u8]) -> Stored<&'a [u8]> {
        match &self.payload {
            Stored::Whole(range) => Stored::Whole(&body[range.clone()]),
            Stored::Dropped(dropped) => Stored::Dropped(*dropped),
        }
    }
}

/// Appends a whole event.
pub(super) fn put_record(out: &mut Vec<u8>, envelope: &[u8], payload: &[u8]) {
    put_envelope(out, WHOLE, envelope);
    out.extend_from_slice(payload);
}

/// Appends an event without its payload.
///
/// # Panics
/// If it was forgotten: such a payload is there still, and cannot be read.
pub(super) fn put_stub(out: &mut Vec<u8>, envelope: &[u8], dropped: Dropped) {
    put_envelope(out, STUB, envelope);
    out.push(match dropped.why {
        Why::Compacted => COMPACTED,
        Why::Redacted => REDACTED,
        Why::Forgotten => panic!("a forgotten payload is not dropped from the log"),
    });
    put_varint(out, dropped.bytes.into());
    out.extend_from_slice(&dropped.digest.0);
}

fn put_envelope(out: &mut Vec<u8>, kind: u8, envelope: &[u8]) {
    out.push(kind);
    put_varint(out, envelope.len() as u64);
    out.extend_from_slice(envelope);
}

/// Finds the parts of the record that fills `range` of `body`.
pub(super) fn record_at(body: &[u8], range: Range<usize>) -> Result<Record, Malformed> {
    let mut input = Input(body.get(range.clone()).ok_or(Malformed("a record lies outside its block"))?);
    let kind = input.u8()?;
    if kind > STUB {
        return Err(Malformed("a record of a kind that a newer polyfold wrote"));
    }
    let length = usize::try_from(input.varint()?).map_err(|_| Malformed("an envelope is too long"))?;
    let start = range.end - input.0.len();
    input.take(length)?;
    let envelope = start..start + length;
    let payload = match kind {
        WHOLE => Stored::Whole(envelope.end..range.end),
        _ => Stored::Dropped(dropped(&mut input)?),
    };
    Ok(Record { envelope, payload })
}

fn dropped(input: &mut Input<'_>) -> Result<Dropped, Malformed> {
    let why = match input.u8()? {
        COMPACTED => Why::Compacted,
        REDACTED => Why::Redacted,
        _ => return Err(Malformed("a payload was dropped for a reason that a newer polyfold knows")),
    };
    let bytes = u32::try_from(input.varint()?).map_err(|_| Malformed("a dropped payload was too long"))?;
    let digest = Digest(input.array()?);
    input.end()?;
    Ok(Dropped { why, bytes, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_this_to_the_byte() {
        let mut out = b"before".to_vec();
        put_record(&mut out, b"env", b"payload");
        assert_eq!(out, b"before\x00\x03envpayload");
        let record = record_at(&out, 6..out.len()).unwrap();
        assert_eq!((record.envelope, record.payload), (8..11, Stored::Whole(11..18)));
    }

    #[test]
    fn a_stub_is_this_to_the_byte() {
        let mut out = b"before".to_vec();
        let dropped = Dropped { why: Why::Redacted, bytes: 300, digest: Digest([7; 32]) };
        put_stub(&mut out, b"env", dropped);
        assert_eq!(out, [&b"before\x01\x03env\x01\xac\x02"[..], &[7; 32]].concat());
        let record = record_at(&out, 6..out.len()).unwrap();
        assert_eq!((record.envelope.clone(), record.payload_of(&out)), (8..11, Stored::Dropped(dropped)));
    }

    #[test]
    fn a_record_that_cannot_be_is_refused() {
        let stub = |why: u8, rest: usize| [&[1, 1, b'e', why, 3][..], &vec![0; rest]].concat();
        assert!(record_at(&stub(0, 32), 0..37).is_ok());
        let cases =
            [stub(2, 32), stub(0, 31), stub(0, 33), b"\x02\x00".to_vec(), b"\x00\x05abc".to_vec(), b"\x00".to_vec()];
        for bytes in cases {
            assert!(record_at(&bytes, 0..bytes.len()).is_err(), "{bytes:?}");
        }
        assert!(record_at(b"", 0..1).is_err());
    }
}
