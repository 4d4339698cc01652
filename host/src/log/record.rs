//! A record: an event as it lies in a block.
//!
//! `kind u8 ‖ envelope length varint ‖ envelope ‖ payload`; the block's offset table says where it ends.

use std::ops::Range;

use super::bytes::{Input, Malformed, put_varint};

/// The payload is there. Kind 1 is kept for stubs: envelope and payload digest, the payload dropped.
const WHOLE: u8 = 0;

/// Where a record's parts lie in its block's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) envelope: Range<usize>,
    pub(super) payload: Range<usize>,
}

/// Appends a record.
pub(super) fn put_record(out: &mut Vec<u8>, envelope: &[u8], payload: &[u8]) {
    out.push(WHOLE);
    put_varint(out, envelope.len() as u64);
    out.extend_from_slice(envelope);
    out.extend_from_slice(payload);
}

/// Finds the parts of the record that fills `range` of `body`.
pub(super) fn record_at(body: &[u8], range: Range<usize>) -> Result<Record, Malformed> {
    let mut input = Input(body.get(range.clone()).ok_or(Malformed("a record lies outside its block"))?);
    if input.u8()? != WHOLE {
        return Err(Malformed("a record of a kind that a newer polyfold wrote"));
    }
    let length = usize::try_from(input.varint()?).map_err(|_| Malformed("an envelope is too long"))?;
    let start = range.end - input.0.len();
    input.take(length)?;
    Ok(Record { envelope: start..start + length, payload: start + length..range.end })
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
        assert_eq!((record.envelope, record.payload), (8..11, 11..18));
    }

    #[test]
    fn a_record_that_cannot_be_is_refused() {
        for (bytes, range) in [(b"\x01\x00".as_slice(), 0..2), (b"\x00\x05abc", 0..5), (b"\x00", 0..1), (b"", 0..1)] {
            assert!(record_at(bytes, range).is_err(), "{bytes:?}");
        }
    }
}
