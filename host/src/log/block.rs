//! A block: up to 64 KiB of records under one header, one checksum and, once sealed, one compression.
//!
//! FORMAT.md has it byte by byte.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use zstd::bulk::{Compressor, Decompressor};

use super::bytes::{CHECKSUM_BYTES, Input, Malformed, seal, unseal};
use super::record::{Record, record_at};
use crate::event::{Digest, Filter, Sequence, Timestamp, category_of};

/// 64 KiB less what header, checksum and the storage's page need: a block that does not compress fills a page of 64 KiB.
pub(super) const BODY_BYTES_MAX: usize = (64 << 10) - 2048;
/// 2 MiB: an event that is larger than a block has one of its own, and none reaches half of this. Memory is taken for what
/// a header says before the body can tell otherwise.
const BODY_BYTES_READ_MAX: usize = 2 << 20;
/// A skip list with more names than this would cost more than it saves.
const NAMES_MAX: usize = 64;
const MAGIC: [u8; 4] = *b"pfB1";
const HEADER_BYTES: usize = 112;

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

/// The distinct names in a block, sorted; `None` when there are too many to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names(Option<BTreeSet<String>>);

impl Default for Names {
    fn default() -> Self {
        Self(Some(BTreeSet::new()))
    }
}

impl Names {
    pub(super) fn add(&mut self, name: &str) {
        let Some(names) = &mut self.0 else { return };
        if names.contains(name) {
            return;
        }
        names.insert(name.to_owned());
        if names.len() > NAMES_MAX {
            self.0 = None;
        }
    }

    fn may_hold(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }

    fn may_hold_any(&self, wanted: &BTreeSet<String>) -> bool {
        match &self.0 {
            None => true,
            Some(names) => wanted.is_empty() || wanted.iter().any(|name| names.contains(name)),
        }
    }

    fn count(&self) -> u16 {
        self.0.as_ref().map_or(u16::MAX, |names| names.len() as u16)
    }

    fn put(&self, out: &mut Vec<u8>) {
        for name in self.0.iter().flatten() {
            out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
        }
    }

    fn read(input: &mut Input<'_>, count: u16) -> Result<Self, Malformed> {
        if count == u16::MAX {
            return Ok(Self(None));
        }
        let mut names = BTreeSet::new();
        for _ in 0..count {
            let length = input.u16()?;
            let name = std::str::from_utf8(input.take(length.into())?).map_err(|_| Malformed("a name is not UTF-8"))?;
            names.insert(name.to_owned());
        }
        Ok(Self(Some(names)))
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
    raw_bytes: usize,
    body: &'a [u8],
}

/// The bytes of a block: `ends` are the ends of its records in `records`.
pub(super) fn encode(header: &Header, ends: &[u32], records: &[u8], codec: Codec) -> Vec<u8> {
    let mut raw = Vec::with_capacity(ends.len() * 4 + records.len());
    raw.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
    raw.extend_from_slice(records);
    let compressed = compress(&raw, codec);
    // What does not shrink is stored as it is: reading it then costs nothing.
    match compressed.filter(|compressed| compressed.len() < raw.len()) {
        Some(compressed) => assemble(header, codec, raw.len(), &compressed),
        None => assemble(header, Codec::None, raw.len(), &raw),
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

fn assemble(header: &Header, codec: Codec, raw_bytes: usize, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + 1024 + body.len() + CHECKSUM_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[codec.byte(), 0, 0, 0]);
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
    if input.array()? != MAGIC {
        return Err(Malformed("it is no block"));
    }
    let [codec, 0, 0, 0] = input.array()? else {
        return Err(Malformed("flags that a newer polyfold wrote"));
    };
    let codec = Codec::of_byte(codec)?;
    let (count, raw_bytes, body_bytes) = (input.u32()?, input.u32()? as usize, input.u32()? as usize);
    let (types, categories) = (input.u16()?, input.u16()?);
    let header = Header {
        count,
        first: Sequence(input.u64()?),
        first_recorded_at: time(&mut input)?,
        last_recorded_at: time(&mut input)?,
        chain_before: Digest(input.array()?),
        chain_after: Digest(input.array()?),
        event_types: Names::read(&mut input, types)?,
        categories: Names::read(&mut input, categories)?,
    };
    let body = input.take(body_bytes)?;
    input.end()?;
    if count == 0 || (count as usize) * 4 > raw_bytes {
        return Err(Malformed("it holds no events"));
    }
    if header.first.0.checked_add(count.into()).is_none() {
        return Err(Malformed("its sequences are beyond all numbers"));
    }
    if raw_bytes > BODY_BYTES_READ_MAX {
        return Err(Malformed("its body is larger than any event"));
    }
    Ok(Opened { header, stored: Stored { codec, raw_bytes, body } })
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
        let Stored { codec, raw_bytes, body } = &self.stored;
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
        Ok(Body { first: self.header.first, count: self.header.count as usize, bytes })
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

/// A block's records, decompressed.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) first: Sequence,
    pub(super) count: usize,
    pub(super) bytes: Arc<[u8]>,
}

impl Body {
    pub(super) fn holds(&self, sequence: Sequence) -> bool {
        sequence >= self.first && sequence.0 - self.first.0 < self.count as u64
    }

    /// The record with that index in the block.
    pub(super) fn record(&self, index: usize) -> Result<Record, Malformed> {
        let base = self.count * 4;
        let start = match index.checked_sub(1) {
            None => base,
            Some(before) => base + self.end(before)?,
        };
        record_at(&self.bytes, start..base + self.end(index)?)
    }

    fn end(&self, index: usize) -> Result<usize, Malformed> {
        let entry = self.bytes.get(index * 4..).ok_or(Malformed("its offset table ends early"))?;
        Ok(Input(entry).u32()? as usize)
    }

    /// The ends of all records and the records themselves, as a writer keeps them.
    pub(super) fn parts(&self) -> Result<(Vec<u32>, Vec<u8>), Malformed> {
        let mut input = Input(&self.bytes);
        let ends = (0..self.count).map(|_| input.u32()).collect::<Result<_, _>>()?;
        Ok((ends, input.0.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        };
        header.add_names("type", "cat/x");
        header
    }

    fn records() -> (Vec<u32>, Vec<u8>) {
        let mut records = Vec::new();
        put_record(&mut records, b"one", &[7; 100]);
        let first = records.len() as u32;
        put_record(&mut records, b"two", &[7; 100]);
        (vec![first, records.len() as u32], records)
    }

    #[test]
    fn a_block_is_this_to_the_byte() {
        let (ends, records) = records();
        let bytes = encode(&header(), &ends, &records, Codec::None);
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

    #[test]
    fn every_codec_gives_the_same_body() {
        let (ends, records) = records();
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
            let bytes = encode(&header(), &ends, &records, codec);
            let opened = open(&bytes).unwrap();
            assert_eq!((&opened.header, opened.stored.codec), (&header(), codec));
            let body = opened.body().unwrap();
            assert_eq!(body.parts().unwrap(), (ends.clone(), records.clone()));
            let second = body.record(1).unwrap();
            assert_eq!(
                (&body.bytes[second.envelope], &body.bytes[second.payload]),
                (b"two".as_slice(), [7; 100].as_slice())
            );
        }
    }

    #[test]
    fn a_body_that_an_earlier_compressor_wrote_still_decodes() {
        // Each is 300 times the byte 7, as lz4_flex 0.14 and zstd 1.5 wrote it.
        let lz4 = b"\x1f\x07\x01\x00\xff\x13\x60\x07\x07\x07\x07\x07\x07".as_slice();
        let zstd = b"\x28\xb5\x2f\xfd\x60\x2c\x00\x4d\x00\x00\x10\x07\x07\x01\x00\x27\x2a\xc0\x02".as_slice();
        for (codec, body) in [(Codec::Lz4, lz4), (Codec::Zstd, zstd)] {
            let bytes = assemble(&header(), codec, 300, body);
            assert_eq!(open(&bytes).unwrap().body().unwrap().bytes[..], [7; 300]);
        }
    }

    #[test]
    fn more_names_than_a_list_takes_are_many() {
        let mut names = Names::default();
        (0..NAMES_MAX).for_each(|name| names.add(&name.to_string()));
        assert!(!names.may_hold("x"));
        names.add("x");
        assert!(names.may_hold("y") && names.count() == u16::MAX);
    }
}
