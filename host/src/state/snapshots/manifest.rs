//! What a snapshot is: of which state, how far, and the digest of all its entries. The row is 32 bytes of BLAKE3 over the
//! rest, which is JSON.

use serde::{Deserialize, Serialize};

use crate::event::{Digest, Sequence, Timestamp};
use crate::state::tree::{Item, Totals};
use crate::state::{Checkpoint, Costs, Fault, Marks, SetAside};

/// What the digest of a row is derived with.
const CONTEXT: &str = "polyfold 2026-11-21 snapshot 1";

/// Why a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// It was due; it goes when it is one of too many.
    Schedule,
    /// Somebody asked for it; it stays until somebody removes it.
    Hand,
    /// It was built beside the state and verified.
    Verified,
}

impl Occasion {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Hand => "hand",
            Self::Verified => "verified",
        }
    }
}

/// A snapshot, as others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub identity: Digest,
    /// Every event up to this one is in it.
    pub sequence: Sequence,
    /// The log's chain head there.
    pub chain: Digest,
    /// The state digest.
    pub digest: Digest,
    pub totals: Totals,
    pub occasion: Occasion,
    pub taken_at: Timestamp,
}

/// All that a snapshot says of its state beside the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub identity: Digest,
    pub checkpoint: Checkpoint,
    pub digest: Digest,
    pub totals: Totals,
    /// Faults of events up to there, what was set aside, and what calls cost.
    pub marks: Marks,
    pub occasion: Occasion,
    pub taken_at: Timestamp,
    /// The level of the tree's root.
    pub(super) level: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    log_id: [u8; 16],
    identity: [u8; 32],
    sequence: u64,
    events: u64,
    fuel: u64,
    chain: [u8; 32],
    digest: [u8; 32],
    level: u8,
    entries: u64,
    bytes: u64,
    faults: Vec<Fault>,
    /// Stream, first event, number of events, last event.
    set_aside: Vec<(String, u64, u64, u64)>,
    costs: Vec<u8>,
    occasion: Occasion,
    /// Microseconds since 1970.
    taken_at: i64,
}

impl Manifest {
    pub(super) fn new(
        identity: Digest,
        root: &Item,
        level: u8,
        at: (Checkpoint, Marks, (Occasion, Timestamp)),
    ) -> Self {
        let (checkpoint, marks, (occasion, taken_at)) = at;
        Self { identity, checkpoint, digest: root.digest, totals: root.totals, marks, occasion, taken_at, level }
    }

    pub fn taken(&self) -> Taken {
        let Self { identity, checkpoint, digest, totals, occasion, taken_at, .. } = *self;
        Taken { identity, sequence: checkpoint.sequence, chain: checkpoint.chain, digest, totals, occasion, taken_at }
    }

    pub(super) fn encode(&self, log_id: [u8; 16]) -> Vec<u8> {
        let Self { identity, checkpoint, digest, totals, marks, occasion, taken_at, level } = self;
        let set_aside = marks.set_aside.iter().map(|(stream, it)| (stream.clone(), it.first.0, it.events, it.last.0));
        let row = Row {
            log_id,
            identity: identity.0,
            sequence: checkpoint.sequence.0,
            events: checkpoint.events,
            fuel: checkpoint.fuel,
            chain: checkpoint.chain.0,
            digest: digest.0,
            level: *level,
            entries: totals.entries,
            bytes: totals.bytes,
            faults: marks.faults.clone(),
            set_aside: set_aside.collect(),
            costs: marks.costs.clone().unwrap_or_default().to_bytes(),
            occasion: *occasion,
            taken_at: taken_at.micros(),
        };
        let json = serde_json::to_vec(&row).expect("a manifest is plain data");
        [blake3::derive_key(CONTEXT, &json).as_slice(), &json].concat()
    }

    /// None for what was not encoded so, or for another log, identity or sequence.
    pub(super) fn decode(bytes: &[u8], log_id: [u8; 16], key: (Digest, Sequence)) -> Option<Self> {
        let (seal, json) = bytes.split_first_chunk::<32>()?;
        if blake3::derive_key(CONTEXT, json) != *seal {
            return None;
        }
        let row: Row = serde_json::from_slice(json).ok()?;
        if (row.log_id, row.identity, row.sequence) != (log_id, key.0.0, key.1.0) {
            return None;
        }
        let aside = |(stream, first, events, last): (String, u64, u64, u64)| {
            (stream, SetAside { first: Sequence(first), events, last: Sequence(last) })
        };
        let marks = Marks {
            faults: row.faults,
            set_aside: row.set_aside.into_iter().map(aside).collect(),
            costs: Some(Costs::from_bytes(&row.costs)?),
            history: None,
        };
        let (sequence, chain) = (Sequence(row.sequence), Digest(row.chain));
        Some(Self {
            identity: key.0,
            checkpoint: Checkpoint { sequence, events: row.events, fuel: row.fuel, chain },
            digest: Digest(row.digest),
            totals: Totals { entries: row.entries, bytes: row.bytes },
            marks,
            occasion: row.occasion,
            taken_at: Timestamp::from_micros(row.taken_at)?,
            level: row.level,
        })
    }
}
