//! A shard: one of the 256 files of keys, as bytes and as what it says. It does no input and no output.
//!
//! ```text
//! shard     := "pfK1"  log id 16  frame…
//! frame     := bytes of records u32  checksum of that 4  record…  checksum 16
//! record    := kind u8  flags u8  at i64  key 32  stream length u16  stream
//! kind         0: the stream has this key; 1: it was forgotten, and the key is 32 bytes of 0
//! flags        bit 0: the stream has events from before it was encrypted
//! at           when the record was made, µs since 1970
//! checksum     the first 4 or 16 bytes of BLAKE3(log id ‖ number of the shard u8 ‖ where the frame begins u64 ‖ its bytes so far)
//! ```
//! Numbers are little endian. A stream lies in the shard that the first byte of BLAKE3 of its name says. New keys are added as
//! a frame at the end; of several records of a stream the last counts. Forgetting writes the file anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cipher::{Secret, StreamKey};
use crate::event::{Digest, Timestamp};
use crate::log::LogId;

pub(super) const SHARDS: usize = 256;
const MAGIC: &[u8; 4] = b"pfK1";
pub(super) const HEADER_BYTES: usize = 20;
const FRAME_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 16;
const RECORD_BYTES: usize = 44;
const FORGOTTEN: u8 = 1;
const EARLIER_EVENTS: u8 = 1;

/// In which shard a stream lies.
pub(super) fn of_stream(stream: &str) -> u8 {
    Digest::of(stream.as_bytes()).0[0]
}

/// What is known of a stream's key.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    Key {
        key: Arc<StreamKey>,
        /// Whether the stream has events from before it was encrypted.
        has_earlier: bool,
        at: Timestamp,
    },
    Forgotten {
        at: Timestamp,
    },
}

/// The shard's file: which log, which number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) log: LogId,
    pub(super) number: u8,
}

/// All that a shard says.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) streams: BTreeMap<String, Standing>,
    /// How much of the file is sound; what a crash left behind it is no part of it.
    pub(super) bytes: u64,
}

impl Shard {
    /// Reads a whole file.
    ///
    /// # Errors
    /// If it is not what was written: the error says where. The last frame, cut short or still zeros at its end, was being
    /// written when the machine stopped; nothing was sealed with its keys, and it is passed over.
    pub(super) fn parse(place: Place, file: &[u8]) -> Result<Self, String> {
        let (magic, log) = file
            .split_at_checked(4)
            .and_then(|(magic, rest)| Some((magic, rest.get(..16)?)))
            .ok_or("it ends within its first 20 bytes")?;
        if magic != MAGIC {
            return Err("it is of a later release, or no file of keys".to_owned());
        }
        if log != place.log.0 {
            return Err("its keys are those of another log".to_owned());
        }
        let mut shard = Self { streams: BTreeMap::new(), bytes: HEADER_BYTES as u64 };
        let mut rest = &file[HEADER_BYTES..];
        while !rest.is_empty() {
            let Some(records) = frame(place, shard.bytes, rest) else {
                if is_torn(place, shard.bytes, rest) {
                    break;
                }
                return Err(format!("it is damaged behind byte {}", shard.bytes));
            };
            shard.add(records).ok_or_else(|| format!("it has an unknown record behind byte {}", shard.bytes))?;
            let length = FRAME_BYTES + records.len() + CHECKSUM_BYTES;
            shard.bytes += length as u64;
            rest = &rest[length..];
        }
        Ok(shard)
    }

    fn add(&mut self, mut records: &[u8]) -> Option<()> {
        while !records.is_empty() {
            let (record, rest) = records.split_at_checked(RECORD_BYTES)?;
            let length = usize::from(u16::from_le_bytes(record[42..].try_into().ok()?));
            let (stream, rest) = rest.split_at_checked(length)?;
            let stream = std::str::from_utf8(stream).ok()?.to_owned();
            let at = Timestamp::from_micros(i64::from_le_bytes(record[2..10].try_into().ok()?))?;
            let mut secret = Secret::default();
            secret.copy_from_slice(&record[10..42]);
            let standing = match record[0] {
                0 => Standing::Key {
                    key: Arc::new(StreamKey::new(secret)),
                    has_earlier: record[1] & EARLIER_EVENTS != 0,
                    at,
                },
                FORGOTTEN => Standing::Forgotten { at },
                _ => return None,
            };
            self.streams.insert(stream, standing);
            records = rest;
        }
        Some(())
    }

    /// A whole file that says the same.
    pub(super) fn encode(&self, place: Place) -> zeroize::Zeroizing<Vec<u8>> {
        let mut file = header(place);
        let all = self.streams.iter().map(|(stream, standing)| (stream.as_str(), standing));
        if !self.streams.is_empty() {
            file.extend_from_slice(&encode_frame(place, HEADER_BYTES as u64, all));
        }
        file
    }
}

/// What every file begins with.
pub(super) fn header(place: Place) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new([MAGIC.as_slice(), &place.log.0].concat())
}

/// The bytes that add these records behind `at` bytes of a file.
pub(super) fn encode_frame<'a>(
    place: Place,
    at: u64,
    records: impl Iterator<Item = (&'a str, &'a Standing)>,
) -> zeroize::Zeroizing<Vec<u8>> {
    let mut frame = zeroize::Zeroizing::new(vec![0; FRAME_BYTES]);
    for (stream, standing) in records {
        let nothing = Secret::default();
        let (kind, flags, time, secret) = match standing {
            Standing::Key { key, has_earlier, at } => {
                (0, if *has_earlier { EARLIER_EVENTS } else { 0 }, at, key.secret())
            }
            Standing::Forgotten { at } => (FORGOTTEN, 0, at, &nothing),
        };
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&time.micros().to_le_bytes());
        frame.extend_from_slice(&**secret);
        frame.extend_from_slice(&(stream.len() as u16).to_le_bytes());
        frame.extend_from_slice(stream.as_bytes());
    }
    let length = ((frame.len() - FRAME_BYTES) as u32).to_le_bytes();
    frame[..4].copy_from_slice(&length);
    frame[4..FRAME_BYTES].copy_from_slice(&checksum::<4>(place, at, &length));
    let sum = checksum::<CHECKSUM_BYTES>(place, at, &frame);
    frame.extend_from_slice(&sum);
    frame
}

/// The records of the frame that `rest` begins with, if it is whole.
fn frame(place: Place, at: u64, rest: &[u8]) -> Option<&[u8]> {
    let length = length(place, at, rest)?;
    let (frame, rest) = rest.split_at_checked(FRAME_BYTES.checked_add(length)?)?;
    (rest.get(..CHECKSUM_BYTES)? == checksum::<CHECKSUM_BYTES>(place, at, frame)).then(|| &frame[FRAME_BYTES..])
}

/// Whether what is no frame is the beginning of one: it ends too early, or with room that was never written.
fn is_torn(place: Place, at: u64, rest: &[u8]) -> bool {
    if rest.len() < FRAME_BYTES || rest.iter().all(|byte| *byte == 0) {
        return true;
    }
    let Some(length) = length(place, at, rest) else { return false };
    let whole = length + FRAME_BYTES + CHECKSUM_BYTES;
    rest.len() < whole || rest.len() == whole && rest[whole - CHECKSUM_BYTES..].iter().all(|byte| *byte == 0)
}

fn length(place: Place, at: u64, rest: &[u8]) -> Option<usize> {
    let (length, sum) = (rest.get(..4)?, rest.get(4..FRAME_BYTES)?);
    let number = u32::from_le_bytes(*length.first_chunk()?) as usize;
    (sum == checksum::<4>(place, at, length)).then_some(number)
}

fn checksum<const N: usize>(place: Place, at: u64, frame: &[u8]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&place.log.0);
    hasher.update(&[place.number]);
    hasher.update(&at.to_le_bytes());
    hasher.update(frame);
    *hasher.finalize().as_bytes().first_chunk().expect("no checksum is longer than 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { log: LogId([9; 16]), number: 3 };

    fn key(byte: u8) -> Standing {
        let key = Arc::new(StreamKey::new(Secret::new([byte; 32])));
        Standing::Key { key, has_earlier: byte == 2, at: Timestamp::EPOCH }
    }

    fn said(shard: &Shard) -> Vec<String> {
        let say = |(stream, standing): (&String, &Standing)| match standing {
            Standing::Key { key, has_earlier, .. } => format!("{stream} {:02x} {has_earlier}", key.secret()[0]),
            Standing::Forgotten { at } => format!("{stream} forgotten at {at}"),
        };
        shard.streams.iter().map(say).collect()
    }

    /// Two frames, and where each begins.
    fn file() -> (Vec<u8>, Vec<usize>) {
        let mut file = header(PLACE).to_vec();
        let mut begins = Vec::new();
        for records in [vec![("a/1", key(1)), ("a/2", key(2))], vec![("a/3", key(3))]] {
            begins.push(file.len());
            let records = records.iter().map(|(stream, standing)| (*stream, standing));
            file.extend_from_slice(&encode_frame(PLACE, file.len() as u64, records));
        }
        (file, begins)
    }

    #[test]
    fn what_was_written_is_read_and_the_last_record_counts() {
        let (mut file, _) = file();
        let at = Timestamp::from_micros(1_000_000).unwrap();
        let forgotten = Standing::Forgotten { at };
        file.extend_from_slice(&encode_frame(PLACE, file.len() as u64, [("a/1", &forgotten)].into_iter()));
        let shard = Shard::parse(PLACE, &file).unwrap();
        assert_eq!(shard.bytes, file.len() as u64);
        assert_eq!(said(&shard), ["a/1 forgotten at 1970-01-01T00:00:01Z", "a/2 02 true", "a/3 03 false"]);
        let anew = Shard::parse(PLACE, &shard.encode(PLACE)).unwrap();
        assert_eq!(said(&anew), said(&shard));
        assert!(shard.encode(PLACE).windows(32).all(|bytes| *bytes != [1; 32]), "the forgotten key is gone");
    }

    #[test]
    fn a_file_is_this_to_the_byte_for_ever() {
        let hex: String = file().0.iter().map(|byte| format!("{byte:02x}")).collect();
        expect_test::expect!["70664b31090909090909090909090909090909095e00000023f074690000000000000000000001010101010101010101010101010101010101010101010101010101010101010300612f310001000000000000000002020202020202020202020202020202020202020202020202020202020202020300612f3252cad7c61acf0df77334aee77dfa2a9c2f0000002570b24c0000000000000000000003030303030303030303030303030303030303030303030303030303030303030300612f33cdc8f80f7146bc69a229b9784d27debe"].assert_eq(&hex);
    }

    #[test]
    fn a_frame_that_was_being_written_is_passed_over_and_the_ones_before_stay() {
        let (file, begins) = file();
        for cut in begins[1]..file.len() {
            for zeros in [0, file.len() - cut] {
                let mut torn = file[..cut].to_vec();
                torn.resize(cut + zeros, 0);
                // A disk writes sectors, and tears neither of these few bytes.
                let shard = Shard::parse(PLACE, &torn);
                let is_in_numbers = cut - begins[1] < FRAME_BYTES || file.len() - cut < CHECKSUM_BYTES;
                let may_be_damage = zeros > 0 && is_in_numbers;
                match shard {
                    Ok(shard) => assert_eq!((shard.bytes, shard.streams.len()), (begins[1] as u64, 2), "{cut} {zeros}"),
                    Err(why) => assert!(may_be_damage, "{cut} {zeros}: {why}"),
                }
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_what_was_written_is_an_error() {
        let (file, _) = file();
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let why = Shard::parse(PLACE, &flipped).map(|shard| said(&shard)).unwrap_err();
            assert!(why.starts_with("it"), "bit {bit}: {why}");
        }
        let other = Place { number: 4, ..PLACE };
        assert_eq!(Shard::parse(other, &file).map(|_| ()), Err("it is damaged behind byte 20".to_owned()));
    }
}
