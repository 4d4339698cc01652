//! Verifying: the whole log is read once, and all that can be recomputed is.

use redb::ReadableTable;

use super::error::Error;
use super::index::Key;
use super::index::run::{Cursor, Kind, Run};
use super::reader::Reader;
use super::tables::{DroppedCounts, Head};
use super::walk::{BlockWalk, Indexed};
use crate::event::{Digest, Sequence, Version};

/// What a walk over the whole log found in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub events: u64,
    pub blocks: u64,
    pub chain: Digest,
    /// Events without payload.
    pub stubs: u64,
    /// Events of which there are digests only: nothing of theirs but their number and their index can be verified.
    pub folded: u64,
}

/// Events whose index entries are looked up together: sorted, each page of a run is then read about once.
const LOOKED_UP_TOGETHER: usize = 65_536;

/// Walks blocks, then asks the index for every event, then counts the index's entries.
///
/// Entries and events are as many, and each event has an entry of its own: so no id is there twice, and no entry too many.
pub(super) fn verify(reader: &Reader, progress: &mut dyn FnMut(Sequence)) -> Result<Verified, Error> {
    let mut walk = Walk::new(reader);
    for row in reader.blocks_table().iter()? {
        let (first, bytes) = row?;
        let first = Sequence(first.value());
        if walk.walked.last.sequence >= reader.head().sequence {
            return Err(Error::damaged(format!("block {first}"), "it lies after the head"));
        }
        walk.block(first, bytes.value())?;
        if walk.index.len() >= LOOKED_UP_TOGETHER {
            walk.look_up()?;
            progress(walk.walked.last.sequence);
        }
    }
    walk.look_up()?;
    let (last, head) = (walk.walked.last, reader.head());
    if (last.sequence, last.chain) != (head.sequence, head.chain) {
        let why = format!("blocks end at sequence {} with {}", last.sequence, last.chain);
        return Err(Error::damaged(format!("the head (sequence {}, {})", head.sequence, head.chain), why));
    }
    let (found, said) = (walk.walked.dropped, reader.dropped);
    if found != (DroppedCounts { rewrites: 0, ..said }) {
        let why = format!(
            "it says {} without payload, {} folded and {} bytes dropped; there are {}, {} and {}",
            said.stubs, said.folded, said.bytes, found.stubs, found.folded, found.bytes
        );
        return Err(Error::damaged("the meta row", why));
    }
    count_entries(reader)?;
    progress(last.sequence);
    let DroppedCounts { stubs, folded, .. } = found;
    Ok(Verified { events: last.sequence.0, blocks: walk.blocks, chain: last.chain, stubs, folded })
}

struct Walk<'a> {
    reader: &'a Reader,
    walked: BlockWalk,
    blocks: u64,
    index: Vec<Indexed>,
}

impl<'a> Walk<'a> {
    fn new(reader: &'a Reader) -> Self {
        Self { reader, walked: BlockWalk::behind(Head::first(reader.id)), blocks: 0, index: Vec::new() }
    }

    fn block(&mut self, first: Sequence, bytes: &[u8]) -> Result<(), Error> {
        self.walked.block(first, bytes, &mut |event| self.index.push(event))?;
        self.blocks += 1;
        Ok(())
    }

    /// Asks both indexes for the events in hand, and the stream index for the version before each too.
    fn look_up(&mut self) -> Result<(), Error> {
        let mut events = std::mem::take(&mut self.index);
        events.sort_unstable_by_key(|event| event.id);
        self.look_up_ids(&events)?;
        events.sort_unstable_by_key(|event| (event.stream, event.version));
        let own: Vec<_> = events.iter().map(|event| (event.stream, event.version)).collect();
        for (event, place) in events.iter().zip(self.reader.index.locate(&own)?) {
            if place != Some(event.sequence) {
                return Err(disagrees(event, "stream", place));
            }
        }
        let later: Vec<_> = events.iter().filter(|event| event.version > Version::FIRST).collect();
        let before: Vec<_> = later.iter().map(|event| (event.stream, Version(event.version.0 - 1))).collect();
        for (event, place) in later.into_iter().zip(self.reader.index.locate(&before)?) {
            if place.is_none_or(|place| place >= event.sequence) {
                return Err(disagrees(event, "stream", place));
            }
        }
        Ok(())
    }

    fn look_up_ids(&self, events: &[Indexed]) -> Result<(), Error> {
        let keys: Vec<Key> = events.iter().map(|event| event.id).collect();
        let mut found = Vec::with_capacity(keys.len());
        self.reader.index.find_ids(&keys, |key, sequence| found.push((key, sequence)))?;
        found.sort_unstable();
        let agreed =
            found.iter().zip(events).take_while(|((key, place), event)| (*key, *place) == (event.id, event.sequence));
        let agreed = agreed.count();
        match events.get(agreed) {
            None if found.len() == events.len() => Ok(()),
            None => Err(disagrees(&events[agreed - 1], "id", Some(found[agreed].1))),
            Some(event) => Err(disagrees(event, "id", found.get(agreed).map(|(_, place)| *place))),
        }
    }
}

fn disagrees(event: &Indexed, index: &str, place: Option<Sequence>) -> Error {
    let found = place.map_or("nothing".to_owned(), |place| format!("sequence {place}"));
    Error::damaged(
        format!("the {index} index"),
        format!("for the event at sequence {} it leads to {found}", event.sequence),
    )
}

/// Reads every page and every piece of filter, and counts what they hold.
fn count_entries(reader: &Reader) -> Result<(), Error> {
    let index = &reader.index;
    let in_memory = index.memtable.read().expect("nobody panics with the memtable");
    let in_memory = in_memory.len_at(reader.head().sequence) as u64;
    for runs in [&index.runs.ids, &index.runs.streams] {
        let mut events = in_memory;
        for run in runs {
            events += count_run(run, reader)?;
        }
        if events != reader.head().sequence.0 {
            let why = format!("it holds {events} events, the log has {}", reader.head().sequence);
            return Err(Error::damaged("the index", why));
        }
    }
    Ok(())
}

fn count_run(run: &Run, reader: &Reader) -> Result<u64, Error> {
    let tables = &reader.index.tables;
    for piece in 0..run.pieces() {
        run.load_piece(piece, tables)?;
    }
    let mut events = 0;
    for page in Cursor::new(run, tables).pages(Key(0), Version::ZERO)? {
        let page = page?;
        for entry in 0..page.len() {
            events += match run.info.kind {
                Kind::Ids => 1,
                Kind::Streams => run.stream_of(page.entry(entry).1)?.count,
            };
        }
    }
    Ok(events)
}
