//! An append: what a producer asks for, made ready off the writer's thread.

use std::fmt;

use super::error::Refused;
use super::index::Key;
use crate::event::{Digest, NewEvent, Sequence, StreamName, Version};

/// What an append expects of a stream before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    Any,
    NoStream,
    Version(Version),
}

impl Expectation {
    pub fn holds(self, found: Version) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => found == Version::ZERO,
            Self::Version(version) => found == version,
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// Events to append together, all or none, and what their streams must be at.
#[derive(Clone, Debug, Default)]
pub struct Append {
    pub events: Vec<NewEvent>,
    pub expectations: Vec<(StreamName, Expectation)>,
}

impl Append {
    /// 10,000 events: some 20 ms of the one writer, which everyone else waits for.
    pub const EVENTS_MAX: usize = 10_000;
    /// 16 MiB of payloads, metadata and names, which are in memory several times while they are written.
    pub const BYTES_MAX: usize = 16 << 20;
}

/// Where each event of an append lies, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub events: Vec<Placed>,
}

/// An event's place; a duplicate's is the one it got the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub sequence: Sequence,
    pub version: Version,
    pub duplicate: bool,
}

/// An append within its limits, with every digest that does not depend on its place.
#[derive(Debug)]
pub struct Prepared {
    append: Append,
    bytes: usize,
    pub(super) digests: Vec<Digest>,
    pub(super) ids: Vec<Key>,
    pub(super) streams: Vec<Key>,
    pub(super) expected: Vec<Key>,
    /// The ids with their events' indexes, sorted.
    pub(super) ids_sorted: Vec<(Key, u32)>,
    /// The distinct streams of events and expectations, sorted.
    pub(super) streams_sorted: Vec<Key>,
}

impl Prepared {
    pub fn new(append: Append) -> Result<Self, Refused> {
        let bytes = check(&append)?;
        let ids: Vec<_> = append.events.iter().map(|event| Key::of(event.id.as_str())).collect();
        let mut ids_sorted: Vec<_> = ids.iter().copied().zip(0..).collect();
        ids_sorted.sort_unstable();
        let streams = keys_of_runs(append.events.iter().map(|event| event.stream.as_str()));
        let expected: Vec<_> = append.expectations.iter().map(|(stream, _)| Key::of(stream.as_str())).collect();
        let mut streams_sorted = [streams.as_slice(), &expected].concat();
        streams_sorted.sort_unstable();
        streams_sorted.dedup();
        let digests = append.events.iter().map(|event| Digest::of(event.payload.as_bytes())).collect();
        Ok(Self { append, bytes, digests, ids, streams, expected, ids_sorted, streams_sorted })
    }

    pub fn append(&self) -> &Append {
        &self.append
    }

    /// The size of the append, as its limit counts it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The key of each name; names that repeat the one before cost a comparison only.
fn keys_of_runs<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Key> {
    let mut last: Option<(&str, Key)> = None;
    names
        .map(|name| match last {
            Some((known, key)) if known == name => key,
            Some(_) | None => {
                let key = Key::of(name);
                last = Some((name, key));
                key
            }
        })
        .collect()
}

/// Says how large an append within its limits is.
fn check(append: &Append) -> Result<usize, Refused> {
    if append.events.len() > Append::EVENTS_MAX {
        return Err(Refused::TooManyEvents { found: append.events.len() });
    }
    for (index, event) in append.events.iter().enumerate() {
        event.check().map_err(|error| Refused::Invalid { index, error })?;
    }
    let bytes = append.events.iter().map(bytes_of).sum();
    if bytes > Append::BYTES_MAX {
        return Err(Refused::TooLarge { found: bytes });
    }
    Ok(bytes)
}

fn bytes_of(event: &NewEvent) -> usize {
    let metadata: usize = event.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    let tags: usize = event.tags.iter().map(String::len).sum();
    let names = event.stream.as_str().len() + event.event_type.as_str().len() + event.id.as_str().len();
    event.payload_bytes() + metadata + tags + names
}
