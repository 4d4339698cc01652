//! Encrypting: every append passes here before it is planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cipher::{Bound, StreamKey};
use super::shard::Standing;
use super::{HOST_CATEGORY, Keys};
use crate::engine::Error;
use crate::event::{EventRef, Filter, NewEvent, Payload, StreamName, Timestamp, Version};
use crate::log::{Append, Log, Query, Reader};

/// Whether an append is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Trial {
    /// No key is made for it.
    Yes,
    No,
}

/// How a stream's events are stored.
enum How {
    With(Arc<StreamKey>),
    /// The same, but what was stored before the stream was encrypted is known as it is.
    WithUnlessKnown(Arc<StreamKey>),
    /// Only what is there is known; nothing new is taken.
    Known,
    Plain,
}

impl Keys {
    /// Encrypts what belongs to encrypted categories; keys that it needs are made, durable on return.
    ///
    /// # Errors
    /// If a stream was forgotten or its key is missing, or an event is in the host's own category.
    pub(in crate::engine) fn seal(&self, log: &Log, append: &mut Append, trial: Trial) -> Result<(), Error> {
        let own = append.events.iter().find(|event| event.stream.category() == HOST_CATEGORY);
        if let Some(event) = own {
            return Err(Error::HostCategory { stream: event.stream.to_string(), id: event.id.clone() });
        }
        let categories = self.categories();
        if categories.is_empty() {
            return Ok(());
        }
        let is_encrypted = |event: &&NewEvent| categories.contains(event.stream.category());
        let mut streams: BTreeMap<StreamName, Option<How>> =
            append.events.iter().filter(is_encrypted).map(|event| (event.stream.clone(), None)).collect();
        if streams.is_empty() {
            return Ok(());
        }
        let reader = log.reader()?;
        self.find_keys(&reader, &mut streams, trial)?;
        for event in &mut append.events {
            match streams.get(&event.stream).and_then(Option::as_ref) {
                Some(How::With(key)) => seal(event, key),
                Some(How::WithUnlessKnown(key)) => {
                    if stored(&reader, event, |found| !was_encrypted(found))?.is_none() {
                        seal(event, key);
                    }
                }
                Some(How::Known) => become_known(&reader, event)?,
                Some(How::Plain) | None => {}
            }
        }
        Ok(())
    }

    fn find_keys(
        &self,
        reader: &Reader,
        streams: &mut BTreeMap<StreamName, Option<How>>,
        trial: Trial,
    ) -> Result<(), Error> {
        let mut new = Vec::new();
        for (stream, how) in &mut *streams {
            *how = self.how(stream)?;
            if how.is_some() {
                continue;
            }
            let has_earlier = has_earlier(reader, stream)?;
            if trial == Trial::Yes {
                *how = Some(How::Plain);
                continue;
            }
            let key = StreamKey::random().map_err(Error::file("the system's random numbers"))?;
            new.push((stream.to_string(), Standing::Key { key: Arc::new(key), has_earlier, at: Timestamp::now() }));
        }
        if new.is_empty() {
            return Ok(());
        }
        self.add(new)?;
        // Looked up again: somebody else may have made one first.
        for (stream, how) in streams.iter_mut().filter(|(_, how)| how.is_none()) {
            *how = self.how(stream)?;
        }
        Ok(())
    }

    fn how(&self, stream: &StreamName) -> Result<Option<How>, Error> {
        Ok(self.standing(stream.as_str())?.map(|standing| match standing {
            Standing::Key { key, has_earlier: false, .. } => How::With(key),
            Standing::Key { key, has_earlier: true, .. } => How::WithUnlessKnown(key),
            Standing::Forgotten { .. } => How::Known,
        }))
    }
}

fn seal(event: &mut NewEvent, key: &StreamKey) {
    event.payload = key.seal(&Bound::of_new(event), event.payload.as_bytes());
    event.is_encrypted = true;
}

/// Whether a stream without a key has events already, which then are not encrypted.
fn has_earlier(reader: &Reader, stream: &StreamName) -> Result<bool, Error> {
    let version = reader.stream_version(stream)?;
    if version == Version::ZERO {
        return Ok(false);
    }
    let last = reader.read_stream(stream, version, 1, 1)?;
    match last.iter().find(was_encrypted) {
        // With a second key, what is sent again would not be known.
        Some(event) => Err(Error::KeyMissing { stream: stream.to_string(), sequence: event.sequence }),
        None => Ok(true),
    }
}

/// The payload of the stored event with the same id and stream, if one is there and `is_meant`; none if it was dropped.
fn stored(
    reader: &Reader,
    event: &NewEvent,
    is_meant: impl FnOnce(&EventRef<'_>) -> bool,
) -> Result<Option<Option<Payload>>, Error> {
    let Some(sequence) = reader.find(&event.id)? else { return Ok(None) };
    let query = Query { from: sequence, to: Some(sequence), filter: Filter::all() };
    let page = reader.read(&query, 1, 1)?;
    let found = page.batch.find(sequence).filter(|found| found.stream == event.stream.as_str() && is_meant(found));
    Ok(found.map(|found| found.payload().map(|payload| Payload::from_canonical(payload.to_vec()))))
}

/// Whether the log has an event's payload encrypted, or had it so.
fn was_encrypted(event: &EventRef<'_>) -> bool {
    event.envelope().is_ok_and(|envelope| envelope.head.is_encrypted)
}

/// An event of a forgotten stream: one that is in the log is known by its id, whatever payload it comes with, because nobody
/// can tell any more what it said.
fn become_known(reader: &Reader, event: &mut NewEvent) -> Result<(), Error> {
    match stored(reader, event, was_encrypted)?.flatten() {
        Some(payload) => {
            event.payload = payload;
            event.is_encrypted = true;
            Ok(())
        }
        None => Err(Error::StreamForgotten { stream: event.stream.to_string(), id: event.id.clone() }),
    }
}
