//! Redacting: the payloads of named events are dropped, their envelopes and digests stay.

use std::collections::BTreeSet;

use super::pending::{Pending, What};
use super::{Engine, Error, Motive, Sequence, Timestamp};
use crate::engine::space;
use crate::event::Why;
use crate::log::{self, Rewrite};

/// As many as an append has; more are a policy, and no case.
const REDACTED_MAX: usize = 10_000;
/// What a rewrite takes beside the log's own size, with room to spare.
const ROOM_BYTES: u64 = 16 << 20;

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
