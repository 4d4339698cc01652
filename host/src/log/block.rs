//! A block: up to 64 KiB of records under one header, one checksum and, once sealed, one compression.
//!
//! FORMAT.md has it byte by byte.

mod body;
mod names;

use std::cell::RefCell;
use std::sync::Arc;

use zstd::bulk::{Compressor, Decompressor};

pub(super) use self::body::{Body, Entry, Parts};
pub(super) use self::names::Names;
use super::bytes::{CHECKSUM_BYTES, Input, Malformed, seal, unseal};
use crate::event::{Digest, Filter, Sequence, Timestamp, category_of};

/// 64 KiB less what header, checksum and the storage's page need: a block that does not compress fills a page of 64 KiB.
pub(super) const BODY_BYTES_MAX: usize = (64 << 10) - 2048;
/// 2 MiB: an event that is larger than a block has one of its own, and none reaches half of this. Memory is taken for what
/// a header says before the body can tell otherwise.
const BODY_BYTES_READ_MAX: usize = 2 << 20;
/// A block of events only, each with a record of its own.
const MAGIC: [u8; 4] = *b"pfB1";
/// A block in which a record may stand for a run of events.
const MAGIC_FOLDED: [u8; 4] = *b"pfB2";
/// Without the count of records, which only blocks with runs have.
const HEADER_BYTES: usize = 112;
/// Of the flags: the block holds what a retention policy left of events.
const COMPACTED: u8 = 1;

/// How a block's body is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Lz4,
    Zstd,
}

impl Codec {
    fn byte(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
        }
    }

    fn of_byte(byte: u8) -> Result<Self, Malformed> {
        match byte {
            0 => Ok(Self::None),
            1 => Ok(Self::Lz4),
            2 => Ok(Self::Zstd),
            _ => Err(Malformed("a codec that a newer polyfold wrote")),
        }
    }
}

/// What a block says of itself before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) first: Sequence,
    pub(super) count: u32,
    pub(super) first_recorded_at: Timestamp,
    pub(super) last_recorded_at: Timestamp,
    pub(super) chain_before: Digest,
    pub(super) chain_after: Digest,
    pub(super) event_types: Names,
    pub(super) categories: Names,
    /// Whether it holds what a retention policy left of events.
    pub(super) is_compacted: bool,
}

impl Header {
    pub(super) fn last(&self) -> Sequence {
        Sequence(self.first.0 + u64::from(self.count) - 1)
    }

    /// Whether the block may hold an event that the filter wants.
    pub(super) fn may_hold(&self, filter: &Filter) -> bool {
        self.event_types.may_hold_any(&filter.event_types) && self.categories.may_hold_any(&filter.categories)
    }

    /// Whether the skip lists would let a reader of that type or category find the event.
    pub(super) fn lists(&self, event_type: &str, category: &str) -> bool {
        self.event_types.may_hold(event_type) && self.categories.may_hold(category)
    }

    /// Takes in the names of one more event.
    pub(super) fn add_names(&mut self, event_type: &str, stream: &str) {
        self.event_types.add(event_type);
        self.categories.add(category_of(stream));
    }
}

/// Where a block's body is and how to get it.
struct Stored<'a> {
    codec: Codec,
    /// How many records it has, if runs are among them.
    records: Option<usize>,
    raw_bytes: usize,
    body: &'a [u8],
}

/// The bytes of a block.
pub(super) fn encode(header: &Header, parts: &Parts, codec: Codec) -> Vec<u8> {
    let raw = parts.raw();
    let compressed = compress(&raw, codec);
    let records = parts.is_folded().then_some(parts.ends.len());
    // What does not shrink is stored as it is: reading it then costs nothing.
    match compressed.filter(|compressed| compressed.len() < raw.len()) {
        Some(compressed) => assemble(header, records, codec, raw.len(), &compressed),
        None => assemble(header, records, Codec::None, raw.len(), &raw),
    }
}

fn compress(raw: &[u8], codec: Codec) -> Option<Vec<u8>> {
    match codec {
        Codec::None => None,
        Codec::Lz4 => Some(lz4_flex::block::compress(raw)),
        Codec::Zstd => COMPRESSOR.with_borrow_mut(|zstd| zstd.as_mut()?.compress(raw).ok()),
    }
}

const ZSTD_LEVEL: i32 = 1;

// Making one anew for a block costs as much as a third of the block.
thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(ZSTD_LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

fn assemble(header: &Header, records: Option<usize>, codec: Codec, raw_bytes: usize, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + 1024 + body.len() + CHECKSUM_BYTES);
    out.extend_from_slice(if records.is_some() { &MAGIC_FOLDED } else { &MAGIC });
    out.extend_from_slice(&[codec.byte(), if header.is_compacted { COMPACTED } else { 0 }, 0, 0]);
    out.extend_from_slice(&header.count.to_le_bytes());
    out.extend_from_slice(&(raw_bytes as u32).to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&header.event_types.count().to_le_bytes());
    out.extend_from_slice(&header.categories.count().to_le_bytes());
    out.extend_from_slice(&header.first.0.to_le_bytes());
    out.extend_from_slice(&header.first_recorded_at.micros().to_le_bytes());
    out.extend_from_slice(&header.last_recorded_at.micros().to_le_bytes());
    out.extend_from_slice(&header.chain_before.0);
    out.extend_from_slice(&header.chain_after.0);
    if let Some(records) = records {
        out.extend_from_slice(&(records as u32).to_le_bytes());
    }
    header.event_types.put(&mut out);
    header.categories.put(&mut out);
    out.extend_from_slice(body);
    seal(&mut out);
    out
}

/// A block whose checksum fits, its body still as stored.
pub(super) struct Opened<'a> {
    pub(super) header: Header,
    stored: Stored<'a>,
}

/// Verifies the checksum and reads the header.
pub(super) fn open(bytes: &[u8]) -> Result<Opened<'_>, Malformed> {
    let mut input = Input(unseal(bytes)?);
    let is_folded = match input.array()? {
        MAGIC => false,
        MAGIC_FOLDED => true,
        _ => return Err(Malformed("it is no block")),
    };
    let [codec, flags @ (0 | COMPACTED), 0, 0] = input.array()? else {
        return Err(Malformed("flags that a newer polyfold wrote"));
    };
    let codec = Codec::of_byte(codec)?;
    let (count, raw_bytes, body_bytes) = (input.u32()?, input.u32()? as usize, input.u32()? as usize);
    let (types, categories) = (input.u16()?, input.u16()?);
    let first = Sequence(input.u64()?);
    let (first_recorded_at, last_recorded_at) = (time(&mut input)?, time(&mut input)?);
    let (chain_before, chain_after) = (Digest(input.array()?), Digest(input.array()?));
    let records = if is_folded { Some(input.u32()?) } else { None };
    let header = Header {
        first,
        count,
        first_recorded_at,
        last_recorded_at,
        chain_before,
        chain_after,
        event_types: Names::read(&mut input, types)?,
        categories: Names::read(&mut input, categories)?,
        is_compacted: flags == COMPACTED,
    };
    let body = input.take(body_bytes)?;
    input.end()?;
    let table_bytes = records.map_or(u64::from(count) * 4, |records| u64::from(records) * 8);
    if count == 0 || table_bytes > raw_bytes as u64 {
        return Err(Malformed("it holds no events"));
    }
    if records.is_some_and(|records| records == 0 || records > count) {
        return Err(Malformed("it has another number of records than it can have"));
    }
    if header.first.0.checked_add(count.into()).is_none() {
        return Err(Malformed("its sequences are beyond all numbers"));
    }
    if raw_bytes > BODY_BYTES_READ_MAX {
        return Err(Malformed("its body is larger than any event"));
    }
    let records = records.map(|records| records as usize);
    Ok(Opened { header, stored: Stored { codec, records, raw_bytes, body } })
}

fn time(input: &mut Input<'_>) -> Result<Timestamp, Malformed> {
    Timestamp::from_micros(input.u64()?.cast_signed()).ok_or(Malformed("a time is out of range"))
}

impl Opened<'_> {
    pub(super) fn raw_bytes(&self) -> usize {
        self.stored.raw_bytes
    }

    /// Decompresses the body.
    pub(super) fn body(&self) -> Result<Body, Malformed> {
        let Stored { codec, records, raw_bytes, body } = &self.stored;
        let bytes: Arc<[u8]> = match codec {
            Codec::None => Arc::from(*body),
            Codec::Lz4 => decompress(*raw_bytes, |out| lz4_flex::block::decompress_into(body, out).ok())?,
            Codec::Zstd => decompress(*raw_bytes, |out| {
                DECOMPRESSOR.with_borrow_mut(|zstd| zstd.as_mut()?.decompress_to_buffer(body, out).ok())
            })?,
        };
        if bytes.len() != *raw_bytes {
            return Err(Malformed("its body has another length than it says"));
        }
        Ok(Body::new(&self.header, *records, bytes))
    }
}

/// Fills a shared buffer in place; a copy of each block would cost as much as its checksum.
fn decompress(raw_bytes: usize, fill: impl FnOnce(&mut [u8]) -> Option<usize>) -> Result<Arc<[u8]>, Malformed> {
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, raw_bytes).collect();
    let filled = fill(Arc::get_mut(&mut bytes).expect("nobody else has it yet"));
    if filled != Some(raw_bytes) {
        return Err(Malformed("its body does not decompress"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fold::Fold;
    use crate::log::record::put_record;

    fn header() -> Header {
        let mut header = Header {
            first: Sequence(5),
            count: 2,
            first_recorded_at: Timestamp::EPOCH,
            last_recorded_at: Timestamp::from_micros(258).unwrap(),
            chain_before: Digest([1; 32]),
            chain_after: Digest([2; 32]),
            event_types: Names::default(),
            categories: Names::default(),
            is_compacted: false,
        };
        header.add_names("type", "cat/x");
        header
    }

    fn parts() -> Parts {
        let mut records = Vec::new();
        put_record(&mut records, b"one", &[7; 100]);
        let first = records.len() as u32;
        put_record(&mut records, b"two", &[7; 100]);
        Parts { firsts: vec![], ends: vec![first, records.len() as u32], records }
    }

    #[test]
    fn a_block_is_this_to_the_byte() {
        let bytes = encode(&header(), &parts(), Codec::None);
        let mut expected = b"pfB1\0\0\0\0\x02\0\0\0".to_vec();
        expected.extend_from_slice(b"\xda\0\0\0\xda\0\0\0\x01\0\x01\0\x05\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\0\0\0\0\0\0\0\0\x02\x01\0\0\0\0\0\0");
        expected.extend_from_slice(&[1; 32]);
        expected.extend_from_slice(&[2; 32]);
        assert_eq!(expected.len(), HEADER_BYTES);
        expected.extend_from_slice(b"\x04\0type\x03\0cat\x69\0\0\0\xd2\0\0\0\0\x03one");
        expected.extend_from_slice(&[7; 100]);
        expected.extend_from_slice(b"\0\x03two");
        expected.extend_from_slice(&[7; 100]);
        seal(&mut expected);
        assert_eq!(bytes, expected);
    }

    fn folded() -> (Header, Parts) {
        let mut header = Header { count: 4, is_compacted: true, ..header() };
        header.add_names("u", "dog/x");
        let mut parts = parts();
        let fold = Fold {
            first: Sequence(6),
            last: Sequence(7),
            recorded_at: Timestamp::from_micros(300).unwrap(),
            chain: Digest([3; 32]),
            dropped_bytes: 500,
            // The leaves 5 and 6 are in no subtree of two.
            nodes: vec![Digest([4; 32]), Digest([5; 32])],
        };
        let two = parts.records.split_off(parts.ends[0] as usize);
        parts.firsts = vec![0, 1, 3];
        parts.ends.truncate(1);
        fold.put(&mut parts.records);
        parts.ends.push(parts.records.len() as u32);
        parts.records.extend(two);
        parts.ends.push(parts.records.len() as u32);
        (header, parts)
    }

    #[test]
    fn a_block_with_a_run_is_this_to_the_byte() {
        let (header, parts) = folded();
        let bytes = encode(&header, &parts, Codec::None);
        let mut expected = b"pfB2\0\x01\0\0\x04\0\0\0".to_vec();
        expected.extend_from_slice(b"\x51\x01\0\0\x51\x01\0\0\x02\0\x02\0\x05\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\0\0\0\0\0\0\0\0\x02\x01\0\0\0\0\0\0");
        expected.extend_from_slice(&[[1; 32], [2; 32]].concat());
        expected.extend_from_slice(b"\x03\0\0\0\x04\0type\x01\0u\x03\0cat\x03\0dog");
        expected.extend_from_slice(b"\0\0\0\0\x69\0\0\0\x01\0\0\0\xd0\0\0\0\x03\0\0\0\x39\x01\0\0\0\x03one");
        expected.extend_from_slice(&[7; 100]);
        expected.extend_from_slice(b"\x02\x02\xac\x02");
        expected.extend_from_slice(&[3; 32]);
        expected.extend_from_slice(b"\xf4\x03\x02");
        expected.extend_from_slice(&[[4; 32], [5; 32]].concat());
        expected.extend_from_slice(b"\0\x03two");
        expected.extend_from_slice(&[7; 100]);
        seal(&mut expected);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_run_is_found_by_each_of_its_sequences() {
        let (header, parts) = folded();
        let bytes = encode(&header, &parts, Codec::Zstd);
        let opened = open(&bytes).unwrap();
        assert_eq!(opened.header, header);
        let body = opened.body().unwrap();
        assert_eq!((body.parts().unwrap(), body.records), (parts, 3));
        let found: Vec<usize> = (5..=8).map(|sequence| body.index_of(Sequence(sequence)).unwrap()).collect();
        assert_eq!(found, [0, 1, 1, 2]);
        let Entry::Folded(fold) = body.entry(1).unwrap() else { panic!("it is a run") };
        assert_eq!((fold.first, fold.last, fold.nodes.len()), (Sequence(6), Sequence(7), 2));
        let Entry::Event(Sequence(8), _) = body.entry(2).unwrap() else { panic!("it is the last event") };
    }

    #[test]
    fn every_codec_gives_the_same_body() {
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
            let bytes = encode(&header(), &parts(), codec);
            let opened = open(&bytes).unwrap();
            assert_eq!((&opened.header, opened.stored.codec), (&header(), codec));
            let body = opened.body().unwrap();
            assert_eq!(body.parts().unwrap(), parts());
            let Entry::Event(Sequence(6), second) = body.entry(1).unwrap() else { panic!("it is the second event") };
            assert_eq!(second.payload_of(&body.bytes), crate::event::Stored::Whole([7; 100].as_slice()));
            assert_eq!(&body.bytes[second.envelope], b"two");
        }
    }

    #[test]
    fn a_body_that_an_earlier_compressor_wrote_still_decodes() {
        // Each is 300 times the byte 7, as lz4_flex 0.14 and zstd 1.5 wrote it.
        let lz4 = b"\x1f\x07\x01\x00\xff\x13\x60\x07\x07\x07\x07\x07\x07".as_slice();
        let zstd = b"\x28\xb5\x2f\xfd\x60\x2c\x00\x4d\x00\x00\x10\x07\x07\x01\x00\x27\x2a\xc0\x02".as_slice();
        for (codec, body) in [(Codec::Lz4, lz4), (Codec::Zstd, zstd)] {
            let bytes = assemble(&header(), None, codec, 300, body);
            assert_eq!(open(&bytes).unwrap().body().unwrap().bytes[..], [7; 300]);
        }
    }
}
