//! Decrypting: every event that leaves the log for the engine passes here.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::Keys;
use super::cipher::{self, Bound, StreamKey};
use super::shard::Standing;
use crate::engine::Error;
use crate::event::{Batch, Digest, Dropped, EventRef, Row, Stored, StreamName, Version, Why};
use crate::log::{self, Log, Page, Query};

/// A view of the log as it is now, whose payloads can be read. What it does not change is the log's own reader's.
///
/// The payload of an event whose stream was forgotten is dropped.
#[derive(Debug)]
pub struct LogReader {
    stored: log::Reader,
    keys: Arc<Keys>,
}

impl Deref for LogReader {
    type Target = log::Reader;

    fn deref(&self) -> &log::Reader {
        &self.stored
    }
}

impl LogReader {
    /// Reads events in order of sequence, as [`log::Reader::read`] does.
    pub fn read(&self, query: &Query, events_max: usize, bytes_max: usize) -> Result<Page, Error> {
        let page = self.stored.read(query, events_max, bytes_max)?;
        Ok(Page { batch: self.keys.open_batch(page.batch)?, ..page })
    }

    /// Reads a stream's events from a version on, as [`log::Reader::read_stream`] does.
    pub fn read_stream(
        &self,
        stream: &StreamName,
        from: Version,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<Batch, Error> {
        self.keys.open_batch(self.stored.read_stream(stream, from, events_max, bytes_max)?)
    }
}

impl Keys {
    /// A view of the log whose payloads can be read.
    pub(in crate::engine) fn reader(self: &Arc<Self>, log: &Log) -> Result<LogReader, Error> {
        Ok(self.over(log.reader()?))
    }

    /// The same of a view that there is.
    pub(in crate::engine) fn over(self: &Arc<Self>, stored: log::Reader) -> LogReader {
        LogReader { stored, keys: Arc::clone(self) }
    }

    /// The same events with payloads that can be read. Those of forgotten streams are dropped.
    ///
    /// # Errors
    /// If a key is missing that was not deleted.
    pub(in crate::engine) fn open_batch(&self, mut batch: Batch) -> Result<Batch, Error> {
        if !batch.has_encrypted() {
            return Ok(batch);
        }
        let mut plain = Vec::with_capacity(batch.payload_bytes());
        let mut opened = Vec::new();
        let mut keys: HashMap<&str, Option<Arc<StreamKey>>> = HashMap::new();
        for (index, event) in batch.iter().enumerate().filter(|(_, event)| event.is_encrypted) {
            let key = match keys.get(event.stream) {
                Some(known) => known.clone(),
                None => {
                    let found = self.key(&event)?;
                    keys.insert(event.stream, found.clone());
                    found
                }
            };
            let sealed = event.payload().expect("what was dropped is not encrypted");
            let payload = match key {
                Some(key) => {
                    let start = plain.len();
                    open(&key, &event, sealed, &mut plain)?;
                    Stored::Whole(start..plain.len())
                }
                None => {
                    let (bytes, digest) = (sealed.len() as u32, Digest::of(sealed));
                    Stored::Dropped(Dropped { why: Why::Forgotten, bytes, digest })
                }
            };
            opened.push((index, payload));
        }
        let buffer = batch.add_buffer(plain.into());
        for (index, payload) in opened {
            let payload = match payload {
                Stored::Whole(range) => Stored::Whole(batch.span(buffer, range)),
                Stored::Dropped(dropped) => Stored::Dropped(dropped),
            };
            batch.replace(index, Row { payload, is_encrypted: false, ..batch.rows()[index] });
        }
        Ok(batch)
    }

    /// The key that an event needs; none if its stream was forgotten.
    fn key(&self, event: &EventRef<'_>) -> Result<Option<Arc<StreamKey>>, Error> {
        match self.standing(event.stream)? {
            Some(Standing::Key { key, .. }) => Ok(Some(key)),
            Some(Standing::Forgotten { .. }) => Ok(None),
            None => Err(missing(event)),
        }
    }
}

fn open(key: &StreamKey, event: &EventRef<'_>, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    if cipher::key_of(sealed).is_some_and(|id| id != key.id()) {
        return Err(missing(event));
    }
    let sequence = event.sequence;
    let envelope = event.envelope().map_err(|source| Error::Envelope { sequence, source })?;
    let opened = key.open(&Bound::of_stored(&envelope), sealed, out);
    opened.ok_or_else(|| Error::NotOpened { sequence, stream: event.stream.to_owned() })
}

fn missing(event: &EventRef<'_>) -> Error {
    Error::KeyMissing { stream: event.stream.to_owned(), sequence: event.sequence }
}
