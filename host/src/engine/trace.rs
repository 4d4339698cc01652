//! Golden traces: a slice of a log and what a plugin made of it, in one text file that a test replays without a host.
//!
//! Lines of JSON, so that a trace can be compared line by line:
//!
//! | line | how often | what it says |
//! |---|---|---|
//! | `{"format":"polyfold trace 2","kind":…}` | first | the plugin it was recorded from, the slice, and for a projection its parameters, limits where they are not the usual ones, and what it does on faults |
//! | `{"event":{…}}` | for each event | the event as the plugin saw it, in the form of an export; `data_base64` has CBOR that JSON cannot say exactly |
//! | `{"entry":{…}}` | for each entry, in key order | `value` (JSON), `text`, or `base64`, whichever says the bytes exactly in the state's encoding |
//! | `{"fault":{…}}` | for each fault | sequence and kind; the message only where the plugin said it itself, because what traps say differs between languages |
//! | `{"lifted":{…}}` | an upcaster's, for each event | what its steps made of it, or the error |
//! | `{"end":{…}}` | last | counts, the digest (a state's as [`crate::state::StateDigest`] has it), and the fuel, which is not compared |
//!
//! A `polyfold trace 1` is read too: there a state's digest was that of all entries in one piece.
//!
//! What is long and says little stands as `gzip` or `data_gzip`: base64 of the bytes, compressed.

mod batch;
mod bench;
mod bytes;
mod cuts;
mod difference;
mod lift;
mod lines;
mod parse;
mod read;
mod record;
mod replay;

#[cfg(test)]
mod tests;

pub use batch::TraceBatch;
pub use bench::{Bench, Subject, Tested};
pub use cuts::CUTS_MAX;
pub use difference::{CutDifference, Difference};
pub use read::BadTrace;
pub use record::Slice;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fault, FaultPolicy, PluginKind, StateEncoding};
use crate::event::{Batch, Digest, SchemaVersion, Sequence};
use crate::plugin::{Limits, Verdict};
use crate::state::StateDigest;

/// 100,000 events: a test that replays more is a rebuild.
pub const TRACE_EVENTS_MAX: usize = 100_000;

/// 64 MiB of events, and as much of entries: all of a trace is in memory, and people keep it beside their source.
pub const TRACE_BYTES_MAX: usize = 64 << 20;

/// A slice of a log and what a plugin made of it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What it was recorded from: `name@version`.
    pub plugin: String,
    pub digest: Digest,
    /// The slice of the log: behind this event, up to that one.
    pub since: Sequence,
    pub to: Sequence,
    /// As the plugin saw them.
    pub events: Arc<Batch>,
    pub made: Made,
}

/// What is expected of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    Projection(Setup, Folded),
    /// What became of each event.
    Upcaster(Vec<Lift>),
}

/// How a projection runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// A JSON object.
    pub parameters: Arc<str>,
    pub on_fault: FaultPolicy,
    pub fuel_per_event: u64,
    pub memory_bytes: u64,
    pub encoding: StateEncoding,
}

/// What a projection makes of events, beginning with an empty state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub entries: BTreeMap<String, Vec<u8>>,
    pub faults: Vec<Failed>,
    /// How many events it folded.
    pub events: u64,
    /// What the calls took that were kept; depends on where batches were cut.
    pub fuel: u64,
}

/// A plugin's failure on one event, without what may differ between languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub sequence: Sequence,
    pub kind: String,
    /// What the plugin said, if it answered with an error.
    pub message: Option<String>,
}

/// What an upcaster made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lift {
    pub sequence: Sequence,
    pub made: Result<Shape, Failed>,
}

/// An event's new shape; all else of it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub event_type: String,
    pub schema_version: SchemaVersion,
    pub payload: Vec<u8>,
}

impl Trace {
    pub fn kind(&self) -> PluginKind {
        match self.made {
            Made::Projection(..) => PluginKind::Projection,
            Made::Upcaster(_) => PluginKind::Upcaster,
        }
    }
}

impl Made {
    /// The digest of a state, or of all that an upcaster made.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Projection(_, folded) => folded.digest(),
            Self::Upcaster(lifts) => digest_of(lifts),
        }
    }

    /// The digest as a `polyfold trace 1` has it.
    fn digest_of_format_1(&self) -> Digest {
        match self {
            Self::Projection(_, folded) => folded.digest_in_one_piece(),
            Self::Upcaster(lifts) => digest_of(lifts),
        }
    }

    /// What the calls took that were kept; not counted for an upcaster.
    pub fn fuel(&self) -> Option<u64> {
        match self {
            Self::Projection(_, folded) => Some(folded.fuel),
            Self::Upcaster(_) => None,
        }
    }
}

impl Setup {
    fn limits(&self) -> Limits {
        Limits {
            fuel_per_event: self.fuel_per_event,
            memory_bytes: usize::try_from(self.memory_bytes).unwrap_or(usize::MAX),
            ..Limits::default()
        }
    }
}

impl Default for Setup {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            parameters: "{}".into(),
            on_fault: FaultPolicy::Halt,
            fuel_per_event: limits.fuel_per_event,
            memory_bytes: limits.memory_bytes as u64,
            encoding: StateEncoding::Cbor,
        }
    }
}

impl Folded {
    fn digest(&self) -> Digest {
        let mut digest = StateDigest::default();
        self.entries.iter().for_each(|(key, value)| digest.add(key, value));
        digest.finish()
    }

    /// BLAKE3 over all entries in key order, key and value each behind its length as 8 bytes little-endian.
    fn digest_in_one_piece(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for part in self.entries.iter().flat_map(|(key, value)| [key.as_bytes(), value]) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Digest(*hasher.finalize().as_bytes())
    }
}

impl Failed {
    fn of_projection(fault: &Fault) -> Self {
        let (sequence, kind) = (Sequence(fault.sequence), fault.kind.clone());
        // What stands before it is the host's.
        let said = fault.message.strip_prefix("it says: ").unwrap_or(&fault.message);
        let message = (kind == SAID).then(|| said.to_owned());
        Self { sequence, kind, message }
    }

    fn of_upcaster(sequence: Sequence, verdict: &Verdict) -> Self {
        Self { sequence, kind: verdict.kind.as_str().to_owned(), message: verdict.said().map(str::to_owned) }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

/// The kind of a failure that the plugin chose to answer with.
const SAID: &str = "error";

/// BLAKE3 over each event in order: its sequence as 8 bytes little-endian, then 1 and its type, schema version in decimal
/// and payload, or 0 and the failure's kind and message, each part behind its length as 8 bytes little-endian.
fn digest_of(lifts: &[Lift]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for lift in lifts {
        hasher.update(&lift.sequence.0.to_le_bytes());
        let version;
        let (is_lifted, parts): (u8, Vec<&[u8]>) = match &lift.made {
            Ok(lifted) => {
                version = lifted.schema_version.to_string();
                (1, vec![lifted.event_type.as_bytes(), version.as_bytes(), &lifted.payload])
            }
            Err(failed) => (0, vec![failed.kind.as_bytes(), failed.message.as_deref().unwrap_or_default().as_bytes()]),
        };
        hasher.update(&[is_lifted]);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Digest(*hasher.finalize().as_bytes())
}
