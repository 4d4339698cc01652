//! Redacting: the payloads of named events are dropped, their envelopes and digests stay.

use std::collections::BTreeSet;

use super::pending::{Pending, What};
use super::{Engine, Error, Motive, Sequence, Timestamp};
use crate::cbor;
use crate::engine::space;
use crate::event::{StreamName, Version, Why};
use crate::log::{self, Rewrite};

/// As many as an append has; more are a policy, and no case.
const REDACTED_MAX: usize = 10_000;
/// What a rewrite takes beside the log's own size, with room to spare.
const ROOM_BYTES: u64 = 16 << 20;

/// Where the host says what it redacted.
const REDACTIONS: &str = "polyfold/redactions";

/// What it says.
#[derive(serde::Deserialize)]
struct Said {
    sequences: BTreeSet<u64>,
}

/// What became of redacting events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// How many payloads are gone now.
    pub events: u64,
    /// How many of those named were redacted before.
    pub before: u64,
    /// The event that says so; none if all were redacted before.
    pub sequence: Option<Sequence>,
    /// The projections that are built anew.
    pub rebuilt: Vec<String>,
}

impl Engine {
    /// Drops the payloads of these events wherever the host has them, and builds anew what was made of them.
    ///
    /// # Errors
    /// Before anything is written if one of them is not there or is of the host's own, a projection that they concern cannot
    /// be built again, or the disk has no room for the new log.
    pub fn redact(&self, sequences: BTreeSet<u64>, motive: Motive) -> Result<Redacted, Error> {
        if sequences.is_empty() || sequences.len() > REDACTED_MAX {
            let count = sequences.len();
            return Err(Error::Motive(format!("{count} events are named; 1 to 10,000 can be redacted at once")));
        }
        let _erasing = self.begin_erasing()?;
        // A run of retention writes the log and the archive too.
        let _turn = self.retaining()?;
        let found = self.find_events(&sequences)?;
        if found.left.is_empty() {
            return Ok(Redacted { events: 0, before: found.redacted, sequence: None, rebuilt: Vec::new() });
        }
        self.check_rebuildable(&self.affected(&found.erased))?;
        self.check_room()?;
        // A file that is damaged cannot be written anew: nothing is begun then.
        if let Some(archives) = self.hub.archive.at_hand() {
            archives.verify_those_with(&found.left.iter().copied().map(Sequence).collect())?;
        }
        let (events, before) = (found.left.len() as u64, found.redacted);
        let what = What::Redact { sequences: found.left };
        let pending = Pending::new(what, motive.reason, motive.by, Timestamp::now());
        let (sequence, rebuilt) = self.erase(&pending, &found.erased)?;
        Ok(Redacted { events, before, sequence: Some(sequence), rebuilt })
    }

    fn check_room(&self) -> Result<(), Error> {
        let needed_bytes = self.log().stats()?.file_bytes + ROOM_BYTES;
        match space::free_bytes(self.dir()) {
            Some(free_bytes) if free_bytes < needed_bytes => Err(Error::DiskFull { free_bytes, needed_bytes }),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes payloads out of archives and the log. What is out already stays so.
    pub(super) fn drop_payloads(&self, sequences: &BTreeSet<u64>) -> Result<(), Error> {
        self.drop_archived(sequences)?;
        if !self.find_events(sequences)?.is_any_whole {
            return Ok(());
        }
        let (mut drop, boundaries) = (|event: &crate::event::EventRef<'_>| redacts(sequences, event), BTreeSet::new());
        // A run that is there already stays one.
        let rewrite = Rewrite { drop: &mut drop, fold: false, boundaries: &boundaries };
        let rewritten = self.log().rewrite(rewrite, &mut |_| {}).map_err(|error| match error {
            log::Error::NoRoom { needed_bytes, free_bytes } => Error::DiskFull { free_bytes, needed_bytes },
            error => error.into(),
        })?;
        tracing::info!(events = rewritten.events_dropped, bytes = rewritten.bytes_dropped, "payloads were redacted");
        Ok(())
    }

    /// Takes out of archives what was redacted while a file of theirs was elsewhere.
    pub(in crate::engine) fn redact_archives_again(&self) -> Result<(), Error> {
        let Some(archives) = self.hub.archive.at_hand() else { return Ok(()) };
        let stream = StreamName::new(REDACTIONS).expect("it is a stream's name");
        let (reader, mut from) = (self.log().reader()?, Version::FIRST);
        let mut again = BTreeSet::new();
        loop {
            let batch = reader.read_stream(&stream, from, 1_000, 4 << 20)?;
            let Some(last) = batch.rows().last() else { break };
            from = last.version.next();
            for event in batch.iter() {
                let said = event.payload().and_then(|payload| cbor::to_json(payload).ok());
                let said: Option<Said> = said.and_then(|json| serde_json::from_str(&json).ok());
                for sequence in said.map(|said| said.sequences).unwrap_or_default() {
                    if archives.event(Sequence(sequence))?.is_some_and(|batch| batch.event(0).payload().is_some()) {
                        again.insert(Sequence(sequence));
                    }
                }
            }
        }
        if !again.is_empty() {
            let events = archives.redact(&again)?;
            tracing::warn!(
                events,
                "an archive had payloads that were redacted while it was elsewhere; they are gone from it now"
            );
        }
        Ok(())
    }

    fn drop_archived(&self, sequences: &BTreeSet<u64>) -> Result<(), Error> {
        let Some(archives) = self.hub.archive.at_hand() else { return Ok(()) };
        let events = archives.redact(&sequences.iter().copied().map(Sequence).collect())?;
        tracing::info!(events, "payloads were redacted in archives");
        Ok(())
    }
}

fn redacts(sequences: &BTreeSet<u64>, event: &crate::event::EventRef<'_>) -> Option<Why> {
    sequences.contains(&event.sequence.0).then_some(Why::Redacted)
}
