//! One event once more, alone and watched: what the plugin reads, writes and says on it. The state stays as it is.

use std::sync::{Arc, Mutex, MutexGuard};

use super::code::Code;
use super::quarantine::Quarantine;
use super::{Deployment, Engine, Error, Origin, Phase, Progress, Waiting, faults};
use crate::event::{Batch, Digest, Sequence};
use crate::plugin::{self, Call, Failure, Mishap, Outcome, StateAccess, StateEncoding, StateError};
use crate::state::{Base, Overlay};

/// Host calls that are written down; more are counted. A page that people read has fewer.
const ACCESSES_MAX: usize = 1_000;

/// 4 KiB of a value are kept, or none of it: with all calls together 4 MiB.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// The first keys that a scan came upon: the rest is counted.
const SCANNED_KEYS_MAX: usize = 20;

/// What became of one event.
#[derive(Clone, Debug)]
pub struct Debugged {
    pub sequence: Sequence,
    pub identity: Digest,
    pub encoding: StateEncoding,
    pub found: Found,
}

/// What there was to watch.
#[derive(Clone, Debug)]
pub enum Found {
    /// The projection does not want the event: the plugin is never handed it.
    NotWanted,
    /// Its stream is in quarantine since an earlier event.
    SetAside {
        stream: String,
        since: Sequence,
    },
    /// An upcaster fails on it, so the projection's plugin is never handed it.
    NotLifted {
        event: Subject,
        failed: Failed,
    },
    Ran(Box<Ran>),
}

/// The event as the plugin is handed it, or as it was stored if it could not be lifted.
#[derive(Clone, Debug)]
pub struct Subject {
    pub stream: String,
    pub event_type: String,
    pub schema_version: u32,
    /// CBOR; none of an event that could not be lifted.
    pub payload: Option<Vec<u8>>,
}

/// A call that was watched.
#[derive(Clone, Debug)]
pub struct Ran {
    pub event: Subject,
    /// Where the state before it came from.
    pub before: Before,
    /// In order.
    pub accesses: Vec<Access>,
    /// Further ones that are not among them.
    pub accesses_left_out: u64,
    pub fuel: u64,
    pub memory_bytes: u64,
    /// What it logged and printed, as one text.
    pub output: String,
    /// None if it went well.
    pub failed: Option<Failed>,
}

/// Where the state before an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The state stands right before the event.
    Live,
    /// It was built from the log for this.
    Replayed,
}

/// How a plugin failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whether it would fail so on every machine; else it says nothing of the event.
    pub is_verdict: bool,
    pub kind: String,
    pub message: String,
    pub backtrace: Option<String>,
}

impl Failed {
    fn of(failure: &Failure) -> Self {
        let message = failure.to_string();
        match failure {
            Failure::Verdict(verdict) => {
                let (kind, backtrace) = (verdict.kind.as_str().to_owned(), faults::backtrace(verdict));
                Self { is_verdict: true, kind, message, backtrace }
            }
            Failure::Mishap(mishap) => {
                let kind = match mishap {
                    Mishap::Deadline { .. } => "deadline",
                    Mishap::StackOverflow => "stack-overflow",
                    Mishap::Host { .. } => "host",
                };
                Self { is_verdict: false, kind: kind.to_owned(), message, backtrace: None }
            }
        }
    }
}

/// One thing that a plugin did with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    Read {
        key: String,
        value: Option<Value>,
    },
    /// Pages that follow each other are one.
    Scanned {
        prefix: String,
        after: Option<String>,
        entries: u64,
        first_keys: Vec<String>,
    },
    Wrote {
        key: String,
        value: Value,
    },
    Deleted {
        key: String,
    },
}

/// A value of a state, if it is not too long to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub bytes: u64,
    pub shown: Option<Vec<u8>>,
}

impl Value {
    fn of(value: &[u8]) -> Self {
        let shown = (value.len() <= VALUE_BYTES_MAX).then(|| value.to_vec());
        Self { bytes: value.len() as u64, shown }
    }
}

impl Engine {
    /// Runs what answers readers on one event, over the state right before it.
    ///
    /// # Errors
    /// If the log has no such event, or the state cannot come to it.
    pub fn debug(&self, name: &str, at: Sequence, watch: impl FnMut(&Progress) + Send) -> Result<Debugged, Error> {
        let projection = self.projection(name)?;
        let deployment = projection.readable();
        let head = self.head().sequence();
        if at == Sequence::ZERO || at > head {
            return Err(Error::UnknownEvent { sequence: at, head });
        }
        let code = self.code(deployment)?;
        let found = self.found(name, deployment, &code, at, watch)?;
        let (identity, encoding) = (deployment.identity(), code.plugin.manifest().state_encoding);
        Ok(Debugged { sequence: at, identity, encoding, found })
    }

    fn found(
        &self,
        name: &str,
        deployment: &Deployment,
        code: &Code,
        at: Sequence,
        watch: impl FnMut(&Progress) + Send,
    ) -> Result<Found, Error> {
        let portion = self.source_again(name, deployment, code)?.read(at, at)?;
        if let Some(why) = portion.dropped.why_erased(at) {
            return Err(Error::PayloadDropped { sequence: at, why });
        }
        let live = self.store_of(name, deployment)?.reader()?;
        let streams = portion.batch.iter().map(|event| event.stream);
        let Some(stream) = streams.chain(portion.failed.iter().map(|failed| failed.stream.as_str())).next() else {
            return Ok(Found::NotWanted);
        };
        let since = Quarantine::of(&live)?.since(stream).filter(|since| *since < at);
        if let Some(since) = since {
            return Ok(Found::SetAside { stream: stream.to_owned(), since });
        }
        if let Some(failed) = &portion.failed {
            let (stream, event_type) = (failed.stream.clone(), failed.event_type.clone());
            let event = Subject { stream, event_type, schema_version: failed.schema_version.0, payload: None };
            let why = Failed::of(&failed.failure);
            let failed = Failed { message: format!("upcaster {}: {}", failed.name, why.message), ..why };
            return Ok(Found::NotLifted { event, failed });
        }
        drop(live);
        let mut watch = watch;
        let mut waiting = Waiting { stop: Arc::default(), watch: &mut watch };
        let past = self.past_of(name, deployment, (at.previous(), None), &mut waiting)?;
        if let Some(fault) = &past.halted {
            let why = Phase::Halted(fault.clone()).to_string();
            return Err(Error::EndsBefore { name: name.to_owned(), wanted: at, reached: past.reached, why });
        }
        if let Some(since) = past.set_aside_since(stream) {
            return Ok(Found::SetAside { stream: stream.to_owned(), since });
        }
        let is_live = past.origin == Origin::Live && past.from == at.previous();
        let before = if is_live { Before::Live } else { Before::Replayed };
        Ok(ran(deployment, &code.plugin, Arc::clone(&portion.batch), past.base(), before))
    }
}

fn ran(deployment: &Deployment, plugin: &plugin::Projection, events: Arc<Batch>, state: Base, before: Before) -> Found {
    let event = events.event(0);
    let subject = Subject {
        stream: event.stream.to_owned(),
        event_type: event.event_type.to_owned(),
        schema_version: event.schema_version.0,
        payload: event.payload().map(<[u8]>::to_vec),
    };
    let watched = Arc::new(Mutex::new(Watched::default()));
    let parameters = deployment.parameters.as_str().into();
    let state = Box::new(Watch { state: Overlay::new(state), watched: Arc::clone(&watched) });
    let Outcome { usage, output, result, .. } = plugin.apply(Call { events, range: 0..1, parameters, state });
    let failed = result.err().map(|failure| Failed::of(&failure));
    let Watched { accesses, left_out, .. } = std::mem::take(&mut *lock(&watched));
    Found::Ran(Box::new(Ran {
        event: subject,
        before,
        accesses,
        accesses_left_out: left_out,
        fuel: usage.fuel,
        memory_bytes: usage.memory_bytes as u64,
        output: faults::text(&output),
        failed,
    }))
}

/// A state that writes down what is done with it.
struct Watch {
    state: Overlay,
    watched: Arc<Mutex<Watched>>,
}

#[derive(Default)]
struct Watched {
    accesses: Vec<Access>,
    left_out: u64,
    /// Where the last scan ended, if nothing was done since.
    scanned_to: Option<String>,
}

impl Watched {
    fn add(&mut self, access: Access) {
        self.scanned_to = None;
        if self.accesses.len() < ACCESSES_MAX {
            self.accesses.push(access);
        } else {
            self.left_out += 1;
        }
    }

    fn scanned(&mut self, prefix: &str, after: Option<&str>, page: &[(String, Vec<u8>)]) {
        let goes_on = after.is_some() && self.scanned_to.as_deref() == after;
        if !goes_on {
            let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
            self.add(Access::Scanned { prefix, after, entries: 0, first_keys: Vec::new() });
        }
        self.scanned_to = page.last().map(|(key, _)| key.clone());
        if self.left_out == 0
            && let Some(Access::Scanned { entries, first_keys, .. }) = self.accesses.last_mut()
        {
            *entries += page.len() as u64;
            let room = SCANNED_KEYS_MAX - first_keys.len();
            first_keys.extend(page.iter().take(room).map(|(key, _)| key.clone()));
        }
    }
}

impl StateAccess for Watch {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        let value = self.state.get(key)?;
        lock(&self.watched).add(Access::Read { key: key.to_owned(), value: value.as_deref().map(Value::of) });
        Ok(value)
    }

    fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), StateError> {
        let key_text = key.to_owned();
        lock(&self.watched).add(match &value {
            Some(value) => Access::Wrote { key: key_text, value: Value::of(value) },
            None => Access::Deleted { key: key_text },
        });
        self.state.set(key, value);
        Ok(())
    }

    fn scan(&mut self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        let page = self.state.scan(prefix, after, limit)?;
        lock(&self.watched).scanned(prefix, after, &page);
        Ok(page)
    }
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().expect("no thread panics while it writes down")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str) -> (String, Vec<u8>) {
        (key.to_owned(), vec![1])
    }

    #[test]
    fn pages_of_one_scan_are_one_access() {
        let mut watched = Watched::default();
        watched.scanned("k", None, &[entry("k1"), entry("k2")]);
        watched.scanned("k", Some("k2"), &[entry("k3")]);
        watched.scanned("k", Some("k1"), &[entry("k2")]);
        watched.add(Access::Deleted { key: "k2".to_owned() });
        watched.scanned("k", Some("k2"), &[]);
        let scanned = |after: Option<&str>, keys: &[&str]| Access::Scanned {
            prefix: "k".to_owned(),
            after: after.map(str::to_owned),
            entries: keys.len() as u64,
            first_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let deleted = Access::Deleted { key: "k2".to_owned() };
        let expected =
            [scanned(None, &["k1", "k2", "k3"]), scanned(Some("k1"), &["k2"]), deleted, scanned(Some("k2"), &[])];
        assert_eq!(watched.accesses, expected);
    }

    #[test]
    fn what_is_too_much_to_show_is_counted() {
        let mut watched = Watched::default();
        for _ in 0..ACCESSES_MAX + 3 {
            watched.add(Access::Wrote { key: "a".to_owned(), value: Value::of(&vec![0; VALUE_BYTES_MAX + 1]) });
        }
        assert_eq!((watched.accesses.len(), watched.left_out), (ACCESSES_MAX, 3));
        let bytes = VALUE_BYTES_MAX as u64 + 1;
        assert_eq!(watched.accesses[0], Access::Wrote { key: "a".to_owned(), value: Value { bytes, shown: None } });
    }
}
