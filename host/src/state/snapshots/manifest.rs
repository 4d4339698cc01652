//! What a snapshot is: of which state, how far, and the digest of all its entries. The row is 32 bytes of BLAKE3 over the
//! rest, which is JSON.

use serde::{Deserialize, Serialize};

use crate::event::{Digest, Sequence, Timestamp};
use crate::state::tree::{Item, Totals};
use crate::state::{Checkpoint, Costs, Fault, Marks, Missing, SetAside};

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
    /// Payloads of events before it were about to be dropped: where the state can be begun when they are gone.
    Cut,
}

impl Occasion {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Hand => "hand",
            Self::Verified => "verified",
            Self::Cut => "cut",
        }
    }
}

/// Why a snapshot is taken, when, and what was fed up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    pub occasion: Occasion,
    pub taken_at: Timestamp,
    /// Bytes of payload, as far as they were counted.
    pub fed_bytes: u64,
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
    /// Payload that the plugin took up to there, as far as it was counted.
    pub fed_bytes: u64,
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
    pub why: Why,
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
    /// Events that it was made without: compacted, folded, redacted, forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<[u64; 4]>,
    occasion: Occasion,
    /// Microseconds since 1970.
    taken_at: i64,
    /// 0 where it was not counted.
    #[serde(default)]
    fed_bytes: u64,
}

impl Manifest {
    pub(super) fn new(
        identity: Digest,
        root: &Item,
        level: u8,
        (checkpoint, marks, why): (Checkpoint, Marks, Why),
    ) -> Self {
        Self { identity, checkpoint, digest: root.digest, totals: root.totals, marks, why, level }
    }

    pub fn taken(&self) -> Taken {
        let Self { identity, checkpoint, digest, totals, why: Why { occasion, taken_at, fed_bytes }, .. } = *self;
        let Checkpoint { sequence, chain, .. } = checkpoint;
        Taken { identity, sequence, chain, digest, totals, occasion, taken_at, fed_bytes }
    }

    pub(super) fn encode(&self, log_id: [u8; 16]) -> Vec<u8> {
        let Self { identity, checkpoint, digest, totals, marks, why, level } = self;
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
            missing: marks.missing.filter(|missing| !missing.is_none()).map(Missing::numbers),
            occasion: why.occasion,
            taken_at: why.taken_at.micros(),
            fed_bytes: why.fed_bytes,
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
            missing: Some(row.missing.map(Missing::of_numbers).unwrap_or_default()),
            history: None,
        };
        let (sequence, chain) = (Sequence(row.sequence), Digest(row.chain));
        let taken_at = Timestamp::from_micros(row.taken_at)?;
        Some(Self {
            identity: key.0,
            checkpoint: Checkpoint { sequence, events: row.events, fuel: row.fuel, chain },
            digest: Digest(row.digest),
            totals: Totals { entries: row.entries, bytes: row.bytes },
            marks,
            why: Why { occasion: row.occasion, taken_at, fed_bytes: row.fed_bytes },
            level: row.level,
        })
    }
}
