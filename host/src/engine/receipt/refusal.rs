//! Why a receipt or a proof is not believed: what differs, and in words.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::shown::{brief, cut};

/// A document is anybody's: what is said of it is a line of this length at most.
const DETAIL_CHARS_MAX: usize = 1_000;

/// What can be held against its counterpart, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// Whether the key in the document signed the receipt.
    Signature,
    /// Whether that key is the one that was expected.
    Key,
    /// Whether the deployment is the one that the identity stands for.
    Identity,
    /// The entry that is proved, against the state digest.
    Entry,
    /// The event that is proved, against the event root.
    Event,
    /// Whether it is the same log.
    LogId,
    /// Whether the log is whole as far as the receipt goes.
    Log,
    ChainHead,
    EventRoot,
    /// The plugins by their digests.
    Plugin,
    /// Whether the events can be folded as far as the receipt says.
    Replay,
    StateDigest,
    /// How many entries there are, and their bytes.
    Entries,
    Faults,
}

/// The first thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    pub differs: Aspect,
    pub detail: String,
}

impl Refusal {
    pub(super) fn new(differs: Aspect, detail: impl Into<String>) -> Self {
        Self { differs, detail: cut(&detail.into(), DETAIL_CHARS_MAX) }
    }

    /// The receipt says one thing, and what was found says another.
    pub(super) fn between(differs: Aspect, what: &str, said: impl ToString, found: impl ToString) -> Self {
        let (said, found) = (brief(&said.to_string()), brief(&found.to_string()));
        Self::new(differs, format!("the {what} differs: the receipt says {said}, but it is {found}"))
    }
}
