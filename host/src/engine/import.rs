//! Imports many events from lines of JSON: all of them or none, or all that are good.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufRead, Read};

use super::{Engine, Error, Ticket, event_from_json};
use crate::event::{Digest, Envelope, EventId, NewEvent, Sequence, Timestamp, Version};
use crate::log::{Append, Appended, PlanError, Refused};

/// 16 MiB of JSON for one event: a payload of 1 MiB, escaped as badly as can be, with room to spare.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Payload bytes after which a chunk is full; a quarter of what an append may hold, so that envelopes fit beside them.
const CHUNK_BYTES: usize = 4 << 20;

/// A line that is no event, or that says something else under an id that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: u64,
    pub why: String,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Events that are new in the log.
    pub appended: u64,
    /// Events that were there before, with the same content.
    pub duplicates: u64,
    pub skipped: u64,
}

/// Says how far an import is: the bytes of input that are done with.
pub trait Watch {
    fn passed(&mut self);
    fn skipped(&mut self, line: BadLine);
}

impl Engine {
    /// Finds the first line that an import would refuse, without writing anything.
    pub fn check_import(&self, input: &mut dyn BufRead, watch: &mut dyn Watch) -> Result<Option<BadLine>, Error> {
        // Remembers every id of the input: 48 bytes a line.
        let mut seen: HashMap<[u8; 16], [u8; 16]> = HashMap::new();
        let mut chunks = Chunks::new(input);
        let mut first_bad = None;
        while let Some(chunk) = chunks.next(&mut |bad| {
            first_bad = Some(bad);
            false
        })? {
            for (event, number) in chunk.events.iter().zip(&chunk.numbers) {
                let content = short(content_digest(event));
                match seen.entry(short(Digest::of(event.id.as_str().as_bytes()))) {
                    Entry::Occupied(known) if *known.get() != content => {
                        let why = format!("id {:?} stands in an earlier line with other content", event.id.as_str());
                        return Ok(Some(BadLine { number: *number, why }));
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(place) => {
                        place.insert(content);
                    }
                }
            }
            watch.passed();
            if let Some(bad) = self.try_chunk(chunk)? {
                return Ok(Some(bad));
            }
        }
        Ok(first_bad)
    }

    /// Appends every line of an input that was checked, durable on return.
    pub fn import_checked(&self, input: &mut dyn BufRead, watch: &mut dyn Watch) -> Result<Imported, Error> {
        let mut imported = Imported::default();
        let mut chunks = Chunks::new(input);
        // One chunk is read while the one before it is written.
        let mut in_hand: Option<Ticket> = None;
        let mut first_bad = None;
        while let Some(chunk) = chunks.next(&mut |bad| {
            first_bad = Some(bad);
            false
        })? {
            let ticket = self.submit(self.prepare(chunk.into_append())?);
            if let Some(ticket) = in_hand.replace(ticket) {
                imported.count(&ticket.wait()?);
                watch.passed();
            }
        }
        if let Some(ticket) = in_hand {
            imported.count(&ticket.wait()?);
            watch.passed();
        }
        first_bad.map_or(Ok(imported), |bad| Err(Error::InputChanged(bad)))
    }

    /// Appends every good line, durable on return, and tells `watch` of every other.
    pub fn import_good(&self, input: &mut dyn BufRead, watch: &mut dyn Watch) -> Result<Imported, Error> {
        let mut imported = Imported::default();
        let mut chunks = Chunks::new(input);
        while let Some(chunk) = chunks.next(&mut |bad| {
            imported.skipped += 1;
            watch.skipped(bad);
            true
        })? {
            self.append_good(chunk, &mut imported, watch)?;
            watch.passed();
        }
        Ok(imported)
    }

    /// Plans a chunk and drops the plan: tells whether the log would take it.
    fn try_chunk(&self, chunk: Chunk) -> Result<Option<BadLine>, Error> {
        let ids: Vec<EventId> = chunk.events.iter().map(|event| event.id.clone()).collect();
        let numbers = chunk.numbers.clone();
        let planned = self.prepare_trial(chunk.into_append()).and_then(|prepared| {
            self.log().begin()?.plan(prepared, Timestamp::EPOCH).map_err(|error| match error {
                PlanError::Log(error) => error.into(),
                PlanError::Refused(refused) => refused.into(),
            })
        });
        match planned {
            Ok(_) => Ok(None),
            Err(refused) => match position_of(&ids, &refused) {
                Some(at) => Ok(Some(BadLine { number: numbers[at], why: refused.to_string() })),
                None => Err(refused),
            },
        }
    }

    /// Appends a chunk. Lines that the log refuses are taken out, one by one, until the rest goes in.
    fn append_good(&self, mut chunk: Chunk, imported: &mut Imported, watch: &mut dyn Watch) -> Result<(), Error> {
        loop {
            // The events are kept until the log has taken them: a refused one is taken out and the rest tried again.
            match self.append(chunk.clone().into_append()) {
                Ok(appended) => {
                    imported.count(&appended);
                    return Ok(());
                }
                Err(refused) => {
                    let ids: Vec<EventId> = chunk.events.iter().map(|event| event.id.clone()).collect();
                    let Some(at) = position_of(&ids, &refused) else { return Err(refused) };
                    let number = chunk.numbers.remove(at);
                    chunk.events.remove(at);
                    imported.skipped += 1;
                    watch.skipped(BadLine { number, why: refused.to_string() });
                }
            }
        }
    }
}

impl Imported {
    fn count(&mut self, appended: &Appended) {
        let duplicates = appended.events.iter().filter(|event| event.duplicate).count() as u64;
        self.duplicates += duplicates;
        self.appended += appended.events.len() as u64 - duplicates;
    }
}

/// Events that go into the log together.
#[derive(Clone)]
struct Chunk {
    events: Vec<NewEvent>,
    /// The line that each event came from.
    numbers: Vec<u64>,
}

impl Chunk {
    fn into_append(self) -> Append {
        Append { events: self.events, expectations: Vec::new() }
    }
}

/// The last of those that have the refused id: the first may be the one in the log.
fn position_of(ids: &[EventId], refused: &Error) -> Option<usize> {
    match refused {
        Error::Refused(Refused::IdTaken { id, .. })
        | Error::StreamForgotten { id, .. }
        | Error::HostCategory { id, .. } => ids.iter().rposition(|found| found == id),
        _ => None,
    }
}

/// Reads lines and gathers their events into chunks.
struct Chunks<'a> {
    input: &'a mut dyn BufRead,
    number: u64,
    bytes: u64,
    is_over: bool,
    line: Vec<u8>,
}

impl<'a> Chunks<'a> {
    fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, number: 0, bytes: 0, is_over: false, line: Vec::new() }
    }

    /// The next chunk, or none at the end. Reading ends at a bad line for which `go_on` says no.
    fn next(&mut self, go_on: &mut dyn FnMut(BadLine) -> bool) -> Result<Option<Chunk>, Error> {
        let mut chunk = Chunk { events: Vec::new(), numbers: Vec::new() };
        let mut payload_bytes = 0;
        while !self.is_over && chunk.events.len() < Append::EVENTS_MAX && payload_bytes < CHUNK_BYTES {
            self.is_over = !self.next_line().map_err(Error::Input)?;
            match self.parse() {
                Ok(None) => {}
                Ok(Some(event)) => {
                    payload_bytes += event.payload.as_bytes().len();
                    chunk.events.push(event);
                    chunk.numbers.push(self.number);
                }
                Err(why) => self.is_over |= !go_on(BadLine { number: self.number, why }),
            }
        }
        Ok((!chunk.events.is_empty()).then_some(chunk))
    }

    fn next_line(&mut self) -> std::io::Result<bool> {
        self.line.clear();
        let read = (&mut *self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
        self.number += 1;
        self.bytes += read as u64;
        let is_cut = read as u64 == LINE_BYTES_MAX && self.line.last() != Some(&b'\n');
        if is_cut {
            // The rest is passed over, so that the next line is the next line.
            self.bytes += self.skip_line()?;
        }
        Ok(read > 0)
    }

    fn skip_line(&mut self) -> std::io::Result<u64> {
        let mut skipped = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (length, is_over) = (end.map_or(buffer.len(), |end| end + 1), end.is_some() || buffer.is_empty());
            self.input.consume(length);
            skipped += length as u64;
            if is_over {
                return Ok(skipped);
            }
        }
    }

    fn parse(&self) -> Result<Option<NewEvent>, String> {
        if self.line.len() as u64 == LINE_BYTES_MAX {
            return Err(format!("longer than {LINE_BYTES_MAX} bytes"));
        }
        let text = std::str::from_utf8(&self.line).map_err(|_| "not UTF-8".to_owned())?.trim();
        // A byte order mark may open a file.
        let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        if text.is_empty() {
            return Ok(None);
        }
        event_from_json(text).map(Some).map_err(|error| error.to_string())
    }
}

/// A digest of all that an event says.
fn content_digest(event: &NewEvent) -> Digest {
    let mut bytes = Vec::with_capacity(event.payload.as_bytes().len() + 256);
    Envelope::of(event, Sequence::ZERO, Version::ZERO, Timestamp::EPOCH).encode(&mut bytes);
    bytes.extend_from_slice(event.payload.as_bytes());
    Digest::of(&bytes)
}

fn short(digest: Digest) -> [u8; 16] {
    *digest.0.first_chunk().expect("a digest has 32 bytes")
}
