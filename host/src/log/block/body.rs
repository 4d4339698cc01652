//! A block's body: the table of its records, and the records.

use std::sync::Arc;

use super::Header;
use crate::event::Sequence;
use crate::log::bytes::{Input, Malformed};
use crate::log::fold::Fold;
use crate::log::record::{Record, record_at};

/// A block's records, decompressed.
#[derive(Clone, Debug)]
pub(in crate::log) struct Body {
    pub(in crate::log) first: Sequence,
    /// How many events it holds, those of runs included.
    pub(in crate::log) count: usize,
    /// How many records, which is less where there are runs.
    pub(in crate::log) records: usize,
    is_folded: bool,
    pub(in crate::log) bytes: Arc<[u8]>,
}

/// What a record is.
#[derive(Clone, Debug)]
pub(in crate::log) enum Entry {
    Event(Sequence, Record),
    Folded(Fold),
}

/// A body as a writer keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::log) struct Parts {
    /// Of each record its first event, counted from the block's; empty while each record is one event.
    pub(in crate::log) firsts: Vec<u32>,
    /// Where each record ends in `records`.
    pub(in crate::log) ends: Vec<u32>,
    pub(in crate::log) records: Vec<u8>,
}

impl Parts {
    pub(in crate::log) fn is_folded(&self) -> bool {
        !self.firsts.is_empty()
    }

    pub(in crate::log) fn raw_bytes(&self) -> usize {
        (self.firsts.len() + self.ends.len()) * 4 + self.records.len()
    }

    pub(super) fn raw(&self) -> Vec<u8> {
        let mut raw = Vec::with_capacity(self.raw_bytes());
        if self.is_folded() {
            let table = self.firsts.iter().zip(&self.ends);
            raw.extend(table.flat_map(|(first, end)| [first.to_le_bytes(), end.to_le_bytes()].concat()));
        } else {
            raw.extend(self.ends.iter().flat_map(|end| end.to_le_bytes()));
        }
        raw.extend_from_slice(&self.records);
        raw
    }
}

impl Body {
    /// The body of a block with that header; `records` is their number if runs are among them.
    pub(super) fn new(header: &Header, records: Option<usize>, bytes: Arc<[u8]>) -> Self {
        let count = header.count as usize;
        let (records, is_folded) = (records.unwrap_or(count), records.is_some());
        Self { first: header.first, count, records, is_folded, bytes }
    }

    pub(in crate::log) fn holds(&self, sequence: Sequence) -> bool {
        sequence >= self.first && sequence.0 - self.first.0 < self.count as u64
    }

    /// The index of the record that has that sequence, which must be in the block.
    pub(in crate::log) fn index_of(&self, sequence: Sequence) -> Result<usize, Malformed> {
        let wanted = (sequence.0 - self.first.0) as usize;
        if !self.is_folded {
            return Ok(wanted);
        }
        let (mut low, mut high) = (0, self.records);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if self.first_of(middle)? <= wanted { low = middle } else { high = middle }
        }
        Ok(low)
    }

    /// The record with that index in the block.
    pub(in crate::log) fn entry(&self, index: usize) -> Result<Entry, Malformed> {
        let base = self.records * self.row_bytes();
        let start = match index.checked_sub(1) {
            None => base,
            Some(before) => base + self.end(before)?,
        };
        let range = start..base + self.end(index)?;
        let (first, behind) = (self.first_of(index)?, self.first_of(index + 1)?);
        if behind <= first || behind > self.count || (index == 0 && first != 0) {
            return Err(Malformed("its records are of other events than it holds"));
        }
        let (first, count) = (Sequence(self.first.0 + first as u64), (behind - first) as u64);
        if self.is_folded
            && let Some(fold) = Fold::at(&self.bytes, range.clone(), first)?
        {
            return match fold.count() == count {
                true => Ok(Entry::Folded(fold)),
                false => Err(Malformed("a run is of another length than its place")),
            };
        }
        if count != 1 {
            return Err(Malformed("a record of one event has the place of several"));
        }
        Ok(Entry::Event(first, record_at(&self.bytes, range)?))
    }

    /// The first event of the record with that index, counted from the block's; behind the last record the block's end.
    fn first_of(&self, index: usize) -> Result<usize, Malformed> {
        if !self.is_folded || index >= self.records {
            return Ok(if index >= self.records { self.count } else { index });
        }
        self.number(index * 8)
    }

    fn end(&self, index: usize) -> Result<usize, Malformed> {
        self.number(if self.is_folded { index * 8 + 4 } else { index * 4 })
    }

    fn row_bytes(&self) -> usize {
        if self.is_folded { 8 } else { 4 }
    }

    fn number(&self, at: usize) -> Result<usize, Malformed> {
        let entry = self.bytes.get(at..).ok_or(Malformed("its offset table ends early"))?;
        Ok(Input(entry).u32()? as usize)
    }

    /// The same as a writer keeps it.
    pub(in crate::log) fn parts(&self) -> Result<Parts, Malformed> {
        let mut input = Input(&self.bytes);
        let mut parts = Parts::default();
        for _ in 0..self.records {
            if self.is_folded {
                parts.firsts.push(input.u32()?);
            }
            parts.ends.push(input.u32()?);
        }
        parts.records = input.0.to_vec();
        Ok(parts)
    }
}
