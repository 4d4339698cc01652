//! The file `erasing.json`: an erasure that has begun and is not done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cbor;
use crate::engine::keys::{HOST_CATEGORY, replace};
use crate::engine::{Error, read_small, sealed};
use crate::event::{Digest, EventId, EventType, NewEvent, StreamName, Timestamp};
use crate::log::Append;

const FORMAT: u32 = 1;
const BYTES_MAX: u64 = 16 << 20;

/// An erasure that has begun.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    format: u32,
    pub(super) what: What,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(with = "as_text")]
    pub(super) at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum What {
    Forget { stream: String },
    Redact { sequences: BTreeSet<u64> },
}

impl Pending {
    pub(super) fn new(what: What, reason: String, by: Option<String>, at: Timestamp) -> Self {
        Self { format: FORMAT, what, reason, by, at }
    }

    pub(super) fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = path(dir);
        if !path.exists() {
            return Ok(None);
        }
        let problem = |problem: String| Error::Erasing { path: path.clone(), problem };
        let text = read_small(&path, BYTES_MAX).map_err(|error| problem(error.to_string()))?;
        let value = sealed::unseal(text.as_bytes()).map_err(&problem)?;
        let pending: Self = serde_json::from_value(value).map_err(|error| problem(error.to_string()))?;
        if pending.format > FORMAT {
            return Err(problem(format!("it has format {}, which a later release wrote", pending.format)));
        }
        Ok(Some(pending))
    }

    pub(super) fn problem(dir: &Path, error: &dyn std::error::Error) -> Error {
        Error::Erasing { path: path(dir), problem: error.to_string() }
    }

    /// Makes it durable.
    pub(super) fn write(&self, dir: &Path) -> Result<(), Error> {
        let path = path(dir);
        replace(&path, &sealed::seal(self).expect("it is plain data")).map_err(Error::file(path))
    }

    pub(super) fn remove(dir: &Path) -> Result<(), Error> {
        let path = path(dir);
        let remove = || {
            std::fs::remove_file(&path)?;
            crate::engine::catalogue::sync_parent(&path)
        };
        remove().map_err(Error::file(&path))
    }

    /// What is said of states that are built anew for it.
    pub(super) fn why(&self) -> String {
        match &self.what {
            What::Forget { stream } => format!("it is built without stream {stream:?}, which was forgotten"),
            What::Redact { sequences } => {
                format!("it is built without the payloads of {} events, which were redacted", sequences.len())
            }
        }
    }

    /// The event that says who erased what, and why. Its id is made of what is erased, so it is in the log once.
    pub(super) fn append(&self) -> Append {
        let (stream, event_type, subject, said) = match &self.what {
            What::Forget { stream } => {
                let said = serde_json::json!({ "stream": stream, "reason": self.reason });
                ("forgotten", "polyfold.forgotten", stream.clone(), said)
            }
            What::Redact { sequences } => {
                let said = serde_json::json!({ "sequences": sequences, "reason": self.reason });
                ("redactions", "polyfold.redacted", format!("{sequences:?}"), said)
            }
        };
        let stream = StreamName::new(format!("{HOST_CATEGORY}/{stream}")).expect("it is a stream's name");
        let id = EventId::new(format!("{event_type} {}", Digest::of(subject.as_bytes()))).expect("it is an id");
        let event_type = EventType::new(event_type).expect("it is a type's name");
        let payload = cbor::from_json(&said.to_string()).expect("it is small and valid");
        let event = NewEvent {
            actor: self.by.clone(),
            occurred_at: Some(self.at),
            ..NewEvent::new(stream, event_type, id, payload)
        };
        Append { events: vec![event], expectations: Vec::new() }
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("erasing.json")
}

/// A time as RFC 3339.
mod as_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::event::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
