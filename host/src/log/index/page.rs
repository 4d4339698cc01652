//! A page of a run: keys in order, each with a value.
//!
//! `count u16 ‖ keys 16 bytes × n ‖ ends u16 × n ‖ values ‖ checksum 16 bytes`. A key may repeat.

use super::Key;
use crate::log::bytes::{CHECKSUM_BYTES, Input, Malformed, seal, unseal};
use crate::log::tables::STORAGE_OVERHEAD_BYTES;

/// A page fills 16 KiB of storage.
const PAGE_BYTES_MAX: usize = (16 << 10) - STORAGE_OVERHEAD_BYTES - CHECKSUM_BYTES;
/// No value is longer, so that a page always has room for one.
pub(in crate::log) const VALUE_BYTES_MAX: usize = 8 << 10;

/// A page that is being filled, in order of keys.
#[derive(Debug, Default)]
pub(in crate::log) struct PageBuilder {
    keys: Vec<u8>,
    ends: Vec<u8>,
    values: Vec<u8>,
}

impl PageBuilder {
    pub(in crate::log) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(in crate::log) fn fits(&self, value_bytes: usize) -> bool {
        2 + self.keys.len() + self.ends.len() + self.values.len() + 18 + value_bytes <= PAGE_BYTES_MAX
    }

    pub(in crate::log) fn push(&mut self, key: Key, value: &[u8]) {
        self.keys.extend_from_slice(&key.bytes());
        self.values.extend_from_slice(value);
        self.ends.extend_from_slice(&(self.values.len() as u16).to_le_bytes());
    }

    /// The page's bytes; the builder is empty again.
    pub(in crate::log) fn finish(&mut self) -> Vec<u8> {
        let count = (self.keys.len() / 16) as u16;
        let length = 2 + self.keys.len() + self.ends.len() + self.values.len() + CHECKSUM_BYTES;
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&count.to_le_bytes());
        for part in [&mut self.keys, &mut self.ends, &mut self.values] {
            out.append(part);
        }
        seal(&mut out);
        out
    }
}

/// A page whose checksum fits.
#[derive(Clone, Debug)]
pub(in crate::log) struct Page {
    bytes: Vec<u8>,
    count: usize,
}

impl Page {
    pub(in crate::log) fn open(bytes: &[u8]) -> Result<Self, Malformed> {
        let content = unseal(bytes)?;
        let count = usize::from(Input(content).u16()?);
        let page = Self { bytes: content.to_vec(), count };
        if count == 0 || page.bytes.len() < 2 + count * 18 || (0..count).any(|index| page.value(index).is_none()) {
            return Err(Malformed("its entries do not fit it"));
        }
        Ok(page)
    }

    pub(in crate::log) fn len(&self) -> usize {
        self.count
    }

    pub(in crate::log) fn key(&self, index: usize) -> Key {
        let start = 2 + index * 16;
        Key::of_bytes(*self.bytes[start..].first_chunk().expect("checked on opening"))
    }

    pub(in crate::log) fn first(&self) -> Key {
        self.key(0)
    }

    pub(in crate::log) fn last(&self) -> Key {
        self.key(self.count - 1)
    }

    /// The value at an index; `None` only before the page is checked.
    fn value(&self, index: usize) -> Option<&[u8]> {
        let values = self.bytes.get(2 + self.count * 18..)?;
        let start = if index == 0 { 0 } else { self.end(index - 1) };
        values.get(start..self.end(index))
    }

    pub(in crate::log) fn entry(&self, index: usize) -> (Key, &[u8]) {
        (self.key(index), self.value(index).expect("checked on opening"))
    }

    fn end(&self, index: usize) -> usize {
        let start = 2 + self.count * 16 + index * 2;
        usize::from(u16::from_le_bytes(*self.bytes[start..].first_chunk().expect("checked on opening")))
    }

    /// The index of the first entry whose key is not below `key`.
    pub(in crate::log) fn lower_bound(&self, key: Key) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = (low + high) / 2;
            if self.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_this_to_the_byte() {
        let mut builder = PageBuilder::default();
        builder.push(Key(1), b"one");
        builder.push(Key(2), b"");
        builder.push(Key(2), b"three");
        let bytes = builder.finish();
        assert!(builder.is_empty());
        let mut expected = b"\x03\x00".to_vec();
        for key in [1u128, 2, 2] {
            expected.extend_from_slice(&key.to_be_bytes());
        }
        expected.extend_from_slice(b"\x03\x00\x03\x00\x08\x00onethree");
        assert_eq!(bytes[..bytes.len() - 16], expected);
        assert_eq!(bytes[bytes.len() - 16..], blake3::hash(&expected).as_bytes()[..16]);
        let page = Page::open(&bytes).unwrap();
        assert_eq!((page.len(), page.first(), page.last()), (3, Key(1), Key(2)));
        assert_eq!(page.entry(2), (Key(2), b"three".as_slice()));
        assert_eq!([0, 1, 2, 3].map(|key| page.lower_bound(Key(key))), [0, 0, 1, 3]);
    }

    #[test]
    fn a_page_that_cannot_be_is_refused() {
        for content in [b"".as_slice(), b"\x00\x00", b"\x01\x00", b"\x01\x000123456789abcdef\x09\x00x"] {
            let mut bytes = content.to_vec();
            seal(&mut bytes);
            assert!(Page::open(&bytes).is_err(), "{content:?}");
        }
    }
}
