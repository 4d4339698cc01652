//! The streams that a state has quarantined, and what it set aside of each.

use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction, TableDefinition, TableError, WriteTransaction};

use super::store::guarded;
use super::{Error, Marks, Reader};
use crate::event::Sequence;

/// Made by the first commit that sets something aside.
pub(super) const QUARANTINE: TableDefinition<&str, &[u8]> = TableDefinition::new("quarantine");

/// What a snapshot has of the table; none where nothing was ever set aside.
pub(super) type Table = Option<ReadOnlyTable<&'static str, &'static [u8]>>;

/// The events of one stream that a state passed over since one of them failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The event that failed.
    pub first: Sequence,
    /// How many, that one among them.
    pub events: u64,
    pub last: Sequence,
}

impl SetAside {
    fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (at, number) in [self.first.0, self.events, self.last.0].into_iter().enumerate() {
            bytes[at * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 24] = bytes.try_into().ok()?;
        let number = |at: usize| u64::from_le_bytes(bytes[at * 8..][..8].try_into().expect("8 of 24 bytes"));
        Some(Self { first: Sequence(number(0)), events: number(1), last: Sequence(number(2)) })
    }
}

/// Writes down what changed of the streams set aside.
pub(super) fn write(transaction: &WriteTransaction, marks: &Marks) -> Result<(), redb::Error> {
    if marks.set_aside.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(QUARANTINE)?;
    for (stream, set_aside) in &marks.set_aside {
        table.insert(stream.as_str(), set_aside.to_bytes().as_slice())?;
    }
    Ok(())
}

pub(super) fn open(transaction: &ReadTransaction) -> Result<Table, redb::Error> {
    match transaction.open_table(QUARANTINE) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// All that a state set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAsideTotals {
    pub streams: u64,
    pub events: u64,
}

impl Reader {
    /// How many streams are quarantined, and how many events were set aside.
    pub fn set_aside_totals(&self) -> Result<SetAsideTotals, Error> {
        let all = self.set_aside(None, usize::MAX)?;
        Ok(SetAsideTotals {
            streams: all.len() as u64,
            events: all.iter().map(|(_, set_aside)| set_aside.events).sum(),
        })
    }

    /// At most `limit` of the streams that are quarantined, by name, behind `after`.
    pub fn set_aside(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, SetAside)>, Error> {
        let Some(table) = &self.quarantine else { return Ok(Vec::new()) };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = guarded(&self.path, || {
            let mut rows = Vec::new();
            for row in table.range::<&str>((start, Bound::Unbounded))?.take(limit) {
                let (stream, set_aside) = row?;
                rows.push((stream.value().to_owned(), set_aside.value().to_vec()));
            }
            Ok(rows)
        })?;
        let read = |(stream, bytes): (String, Vec<u8>)| {
            let damaged = || self.unusable("what it says of a quarantined stream is damaged");
            Ok((stream, SetAside::from_bytes(&bytes).ok_or_else(damaged)?))
        };
        rows.into_iter().map(read).collect()
    }
}
