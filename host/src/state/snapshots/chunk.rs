//! What is stored of a node: of one at level 0 its entries, of any other its encoding; packed with zstd where that is shorter.
//!
//! The first byte is 0 for what follows as it is, 1 for zstd; then the length before packing, 4 bytes little-endian. Entries
//! are each the key's length, the key, the value's length, the value; lengths are 4 bytes.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use crate::event::Digest;
use crate::state::Entry;
use crate::state::tree::{Item, Node};

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// 1: a snapshot is taken beside a projection that folds.
const LEVEL: i32 = 1;

/// 64 MiB: a node has 32 entries at most, of 1 MiB and a key.
const BYTES_MAX: usize = 64 << 20;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

pub(super) fn of_entries(entries: &[Entry]) -> Vec<u8> {
    let mut raw = Vec::new();
    for part in entries.iter().flat_map(|(key, value)| [key.as_bytes(), value]) {
        raw.extend_from_slice(&u32::try_from(part.len()).expect("an entry is no 4 GiB long").to_le_bytes());
        raw.extend_from_slice(part);
    }
    pack(&raw)
}

pub(super) fn of_node(encoding: &[u8]) -> Vec<u8> {
    pack(encoding)
}

/// Entries, if they are those of the node with that digest.
pub(super) fn entries(stored: &[u8], digest: Digest) -> Option<Vec<Entry>> {
    let raw = unpack(stored)?;
    let mut rest = raw.as_slice();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let key = String::from_utf8(take(&mut rest)?.to_vec()).ok()?;
        entries.push((key, take(&mut rest)?.to_vec()));
    }
    let items = entries.iter().map(|(key, value)| Item::of_entry(key, value)).collect();
    (digest_of(&Node { level: 0, items })? == digest).then_some(entries)
}

/// A node above the entries, if it is the one with that digest.
pub(super) fn node(stored: &[u8], level: u8, digest: Digest) -> Option<Node> {
    let encoding = unpack(stored)?;
    let node = Node::decode(&encoding).filter(|node| node.level == level)?;
    (digest_of(&node)? == digest).then_some(node)
}

fn digest_of(node: &Node) -> Option<Digest> {
    let fits = (1..=Node::ITEMS_MAX).contains(&node.items.len()) && node.totals().is_some();
    fits.then(|| node.summary(&node.encode()).digest)
}

fn pack(raw: &[u8]) -> Vec<u8> {
    let packed = COMPRESSOR.with_borrow_mut(|zstd| zstd.as_mut()?.compress(raw).ok());
    let (codec, body) = match &packed {
        Some(packed) if packed.len() < raw.len() => (ZSTD, packed.as_slice()),
        Some(_) | None => (PLAIN, raw),
    };
    let mut stored = Vec::with_capacity(5 + body.len());
    stored.push(codec);
    stored.extend_from_slice(&u32::try_from(raw.len()).expect("a node is no 4 GiB long").to_le_bytes());
    stored.extend_from_slice(body);
    stored
}

fn unpack(stored: &[u8]) -> Option<Vec<u8>> {
    let (&[codec, a, b, c, d], body) = stored.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
    let raw = match codec {
        PLAIN => body.to_vec(),
        ZSTD if length <= BYTES_MAX => {
            DECOMPRESSOR.with_borrow_mut(|zstd| zstd.as_mut()?.decompress(body, length).ok())?
        }
        _ => return None,
    };
    (raw.len() == length).then_some(raw)
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let (part, behind) = behind.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *rest = behind;
    Some(part)
}
