//! A write transaction: appends are planned one by one, each taken whole or refused, then written together.

use std::ops::Range;
use std::sync::{Arc, MutexGuard};

use super::Log;
use super::append::{Appended, Placed, Prepared};
use super::error::{Error, PlanError, Refused};
use super::file::guarded;
use super::index::{Key, KeyMap};
use super::reader::{Item, Reader};
use super::state::State;
use super::tables::Head;
use super::writer::{Pending, Writer};
use crate::event::{Batch, Digest, Envelope, EventId, NewEvent, Sequence, Stored, Timestamp, Version};

/// The one write transaction. Dropped, it leaves no trace.
pub struct Transaction<'a> {
    log: &'a Log,
    writer: MutexGuard<'a, Writer>,
    state: State,
    reader: Reader,
    /// What is planned, in order of sequence, its bytes in `bytes`.
    pending: Vec<Pending>,
    bytes: Vec<u8>,
    ids: KeyMap<u32>,
    /// The versions of all streams that were looked up or planned for.
    versions: KeyMap<Version>,
    /// Where the last plan's events begin in `pending`; a refused one has none.
    last_plan: usize,
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("planned", &self.pending.len()).finish_non_exhaustive()
    }
}

/// Where an event with the same id is.
#[derive(Clone, Copy)]
enum Known {
    /// In the log.
    Stored(Sequence),
    /// Planned before in this transaction.
    Planned(u32),
    /// Earlier in the same append.
    Earlier(u32),
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(log: &'a Log) -> Result<Self, Error> {
        let mut writer = log.lock_writer();
        let (reading, state) = log.snapshot_of_writer(&mut writer)?;
        Ok(Self {
            log,
            writer,
            reader: Reader::new(&reading, &state, log.storage.failing())?,
            state,
            pending: Vec::new(),
            bytes: Vec::new(),
            ids: KeyMap::default(),
            versions: KeyMap::default(),
            last_plan: 0,
        })
    }

    /// Decides where an append's events go; they are written by [`commit`](Self::commit).
    ///
    /// Duplicates are decided first: when all events are, nothing is expected of their streams any more. `now` is the
    /// clock; an event is never recorded before the one before it. Refused, the transaction is as it was.
    pub fn plan(&mut self, prepared: Prepared, now: Timestamp) -> Result<Appended, PlanError> {
        self.last_plan = self.pending.len();
        let known = self.known(&prepared)?;
        let mut placed: Vec<Option<Placed>> = vec![None; prepared.append().events.len()];
        self.place_duplicates(&prepared, &known, &mut placed)?;
        let all_known = !known.is_empty() && known.len() == placed.len();
        if !all_known {
            self.look_up_versions(&prepared)?;
            self.check_expectations(&prepared)?;
        }
        self.place_new(&prepared, now, &known, &mut placed);
        let events = placed.into_iter().map(|placed| placed.expect("every event is new or known")).collect();
        Ok(Appended { events })
    }

    /// The new events of the last plan, duplicates left out, as readers will see them.
    pub fn planned(&self) -> Batch {
        let mut batch = Batch::new();
        let planned = &self.pending[self.last_plan..];
        let Some(start) = planned.first().map(|event| event.envelope.start) else { return batch };
        let buffer = batch.add_buffer(Arc::from(&self.bytes[start..]));
        let within = |range: &Range<usize>| range.start - start..range.end - start;
        for event in planned {
            let added =
                batch.push_stored(buffer, within(&event.envelope), Stored::Whole(within(&event.payload)), |_| true);
            added.expect("the envelope was encoded just now");
        }
        batch
    }

    /// Takes the last plan back, as if it had never been: its sequences go to the next.
    pub fn unplan(&mut self) {
        for event in self.pending.drain(self.last_plan..).rev() {
            // A plan brings only ids that were free, and each event took the version behind the one before it.
            self.ids.remove(&event.id);
            self.versions.insert(event.stream, Version(event.version.0 - 1));
            self.bytes.truncate(event.envelope.start);
        }
    }

    /// Writes all that is planned, durable on return, and says where the log then ends.
    ///
    /// Costs nothing when nothing is planned. On an error nothing is written, or, if the disk failed at the very end, it
    /// may be found to be there after all; the log goes on in either case.
    pub fn commit(mut self) -> Result<Head, Error> {
        if self.pending.is_empty() {
            return Ok(self.state.meta.head);
        }
        let tables = &self.reader.index.tables;
        let written = self.writer.commit(self.log, &self.state, tables, &self.pending, &self.bytes);
        // The storage is let go of first: it cannot be opened anew while somebody reads the old one's file.
        let Self { log, mut writer, reader, .. } = self;
        drop(reader);
        written.inspect_err(|error| log.reopen_after(error, &mut writer))
    }

    /// Which events have an id that is taken, by index in the append.
    fn known(&self, prepared: &Prepared) -> Result<Vec<(usize, Known)>, Error> {
        let keys: Vec<Key> = prepared.ids_sorted.iter().map(|(key, _)| *key).collect();
        let mut stored: KeyMap<Sequence> = KeyMap::default();
        let searched = guarded(&self.log.name, || {
            self.reader.index.find_ids(&keys, |key, sequence| {
                stored.insert(key, sequence);
            })
        });
        self.reader.failing.noting(searched)?;
        let mut known = Vec::new();
        for same_id in prepared.ids_sorted.chunk_by(|(left, _), (right, _)| left == right) {
            let (key, first) = same_id[0];
            let stored = stored.get(&key).map(|sequence| Known::Stored(*sequence));
            let before = stored.or_else(|| self.ids.get(&key).map(|index| Known::Planned(*index)));
            let from = if before.is_some() { 0 } else { 1 };
            let place = before.unwrap_or(Known::Earlier(first));
            known.extend(same_id[from..].iter().map(|(_, index)| (*index as usize, place)));
        }
        known.sort_unstable_by_key(|(index, _)| *index);
        Ok(known)
    }

    /// Checks that what is known has the same content, and says where it is.
    fn place_duplicates(
        &self,
        prepared: &Prepared,
        known: &[(usize, Known)],
        placed: &mut [Option<Placed>],
    ) -> Result<(), PlanError> {
        let events = &prepared.append().events;
        let mut stored = Vec::new();
        for (index, place) in known {
            match place {
                Known::Stored(sequence) => stored.push((*sequence, *index)),
                Known::Planned(planned) => placed[*index] = Some(self.planned_duplicate(&events[*index], *planned)?),
                Known::Earlier(earlier) if events[*earlier as usize] == events[*index] => {}
                Known::Earlier(earlier) => {
                    let sequence = self.new_sequence_of(*earlier, known);
                    return Err(taken(&events[*index].id, sequence).into());
                }
            }
        }
        // In order of sequence each block is decoded once.
        stored.sort_unstable();
        let mut blocks = self.reader.blocks();
        for (sequence, index) in stored {
            let (event, stream) = (&events[index], prepared.streams[index]);
            placed[index] = Some(match blocks.item(sequence)? {
                Item::Event(envelope, payload) => stored_duplicate(event, sequence, (envelope, payload))?,
                Item::Folded(_) => self.folded_duplicate(event, sequence, stream)?,
            });
        }
        Ok(())
    }

    /// The place of an event that is folded: the indexes know its id and its stream, and nothing knows its content.
    fn folded_duplicate(&self, event: &NewEvent, sequence: Sequence, stream: Key) -> Result<Placed, PlanError> {
        let version = self.reader.failing.noting(self.reader.index.version_at(stream, sequence))?;
        let version = version.ok_or_else(|| taken(&event.id, sequence))?;
        Ok(Placed { sequence, version, duplicate: true })
    }

    /// The sequence that a new event of an append would get, for an error.
    fn new_sequence_of(&self, index: u32, known: &[(usize, Known)]) -> Sequence {
        let known_before = known.iter().take_while(|(known, _)| *known < index as usize).count() as u64;
        Sequence(self.last().sequence.0 + 1 + u64::from(index) - known_before)
    }

    fn planned_duplicate(&self, event: &NewEvent, index: u32) -> Result<Placed, Refused> {
        let pending = &self.pending[index as usize];
        let sequence = Sequence(self.state.meta.head.sequence.0 + 1 + u64::from(index));
        let envelope = Envelope::decode(&self.bytes[pending.envelope.clone()]).expect("it was encoded just now");
        duplicate_of(event, sequence, &envelope, Stored::Whole(&self.bytes[pending.payload.clone()]))
    }

    fn look_up_versions(&mut self, prepared: &Prepared) -> Result<(), Error> {
        let all = prepared.streams_sorted.iter().copied();
        let unknown: Vec<Key> = all.filter(|key| !self.versions.contains_key(key)).collect();
        let found = guarded(&self.log.name, || self.reader.index.versions(&unknown));
        self.versions.extend(self.reader.failing.noting(found)?);
        Ok(())
    }

    fn version(&self, stream: Key) -> Version {
        self.versions.get(&stream).copied().unwrap_or(Version::ZERO)
    }

    fn check_expectations(&self, prepared: &Prepared) -> Result<(), Refused> {
        for ((stream, expected), key) in prepared.append().expectations.iter().zip(&prepared.expected) {
            let found = self.version(*key);
            if !expected.holds(found) {
                return Err(Refused::Conflict { stream: stream.clone(), expected: *expected, found });
            }
        }
        Ok(())
    }

    /// Gives each new event its place. Nothing here fails, so a refused append never comes this far.
    fn place_new(
        &mut self,
        prepared: &Prepared,
        now: Timestamp,
        known: &[(usize, Known)],
        placed: &mut [Option<Placed>],
    ) {
        let recorded_at = now.max(self.last().recorded_at).max(Timestamp::EPOCH);
        let mut known = known.iter().peekable();
        for (index, event) in prepared.append().events.iter().enumerate() {
            let place = known.next_if(|(known, _)| *known == index).map(|(_, place)| *place);
            match place {
                None => placed[index] = Some(self.add(prepared, index, event, recorded_at)),
                Some(Known::Earlier(earlier)) => {
                    let first = placed[earlier as usize].expect("an earlier event is placed");
                    placed[index] = Some(Placed { duplicate: true, ..first });
                }
                Some(Known::Stored(_) | Known::Planned(_)) => {}
            }
        }
    }

    fn add(&mut self, prepared: &Prepared, index: usize, event: &NewEvent, recorded_at: Timestamp) -> Placed {
        let (id, stream) = (prepared.ids[index], prepared.streams[index]);
        let sequence = self.last().sequence.next();
        let version = self.version(stream).next();
        let start = self.bytes.len();
        Envelope::of(event, sequence, version, recorded_at).encode(&mut self.bytes);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(event.payload.as_bytes());
        let (envelope, payload) = (start..middle, middle..self.bytes.len());
        self.ids.insert(id, self.pending.len() as u32);
        self.versions.insert(stream, version);
        let digest = prepared.digests[index];
        self.pending.push(Pending { envelope, payload, digest, id, stream, version, recorded_at });
        Placed { sequence, version, duplicate: false }
    }

    /// The last event, planned or durable; its chain is known only once it is written.
    fn last(&self) -> Head {
        let head = self.state.meta.head;
        match self.pending.last() {
            None => head,
            Some(event) => Head {
                sequence: Sequence(head.sequence.0 + self.pending.len() as u64),
                recorded_at: event.recorded_at,
                chain: head.chain,
            },
        }
    }
}

fn stored_duplicate(
    event: &NewEvent,
    sequence: Sequence,
    (envelope, payload): (&[u8], Stored<&[u8]>),
) -> Result<Placed, PlanError> {
    let decoded = Envelope::decode(envelope);
    let decoded = decoded.map_err(|why| Error::damaged(format!("the event at sequence {sequence}"), why))?;
    Ok(duplicate_of(event, sequence, &decoded, payload)?)
}

/// The place of an event whose id is taken, if what took it has the same content; of a payload that is not there any more
/// the digest is compared.
fn duplicate_of(
    event: &NewEvent,
    sequence: Sequence,
    found: &Envelope<'_>,
    payload: Stored<&[u8]>,
) -> Result<Placed, Refused> {
    let is_same = match payload {
        Stored::Whole(payload) => payload == event.payload.as_bytes(),
        Stored::Dropped(dropped) => dropped.digest == Digest::of(event.payload.as_bytes()),
    };
    if !is_same || !found.same_content(event) {
        return Err(taken(&event.id, sequence));
    }
    Ok(Placed { sequence, version: found.head.version, duplicate: true })
}

fn taken(id: &EventId, sequence: Sequence) -> Refused {
    Refused::IdTaken { id: id.clone(), sequence }
}
