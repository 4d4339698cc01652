//! Runs a plugin natively, without Wasm: the state is a map in memory, and tests look into it.
//!
//! ```
//! # use polyfold_guest::{Error, Event, Manifest, Projection, state};
//! # struct Counter;
//! # impl Projection for Counter {
//! #     fn describe() -> Manifest { Manifest::new("counter", "1.0.0", "counts") }
//! #     fn apply(events: &[Event]) -> Result<(), Error> {
//! #         let count: usize = state::get("count")?.unwrap_or(0);
//! #         state::put("count", &(count + events.len()))
//! #     }
//! # }
//! use polyfold_guest::testing::{Harness, event};
//! use serde_json::json;
//!
//! let mut harness = Harness::<Counter>::new().batches_of(2);
//! harness.apply([event("a", json!({})), event("b", json!({"x": 1})), event("c", json!({}))]).unwrap();
//! assert_eq!(harness.get::<u64>("count"), Some(3));
//! ```

mod build;
pub(crate) mod imports;

pub use build::{event, events};
pub use imports::Logged;

use crate::context::Envelope;
use crate::{Error, Event, Manifest, Payload, Projection, Upcaster, UpcasterManifest, cbor};
use imports::Host;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// The most events that a host passes in one call.
const EVENTS_PER_CALL_MAX: usize = 8192;

/// A plugin with a state of its own, in place of a host.
#[derive(Debug)]
pub struct Harness<P> {
    host: Host,
    batch_size: usize,
    /// How many events each stream has had.
    versions: BTreeMap<String, u64>,
    plugin: PhantomData<P>,
}

impl<P> Default for Harness<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Harness<P> {
    /// Starts with an empty state and the parameters `{}`.
    pub fn new() -> Self {
        Self { host: Host::default(), batch_size: EVENTS_PER_CALL_MAX, versions: BTreeMap::new(), plugin: PhantomData }
    }

    /// Sets the projection's parameters.
    #[must_use]
    pub fn parameters(mut self, parameters: serde_json::Value) -> Self {
        self.host.parameters = parameters.to_string();
        self
    }

    /// Cuts batches at this many events. A state must not depend on it: compare two harnesses.
    #[must_use]
    pub fn batches_of(mut self, events: usize) -> Self {
        self.batch_size = events.clamp(1, EVENTS_PER_CALL_MAX);
        self
    }

    /// Sets the rest of an event, for the plugin to ask for.
    pub fn set_envelope(&mut self, sequence: u64, envelope: Envelope) {
        self.host.envelopes.insert(sequence, envelope);
    }

    /// What the plugin has logged, failed calls included.
    pub fn logs(&self) -> &[Logged] {
        &self.host.logs
    }

    /// Gives an event the place in log and stream that it does not have yet.
    fn place(&mut self, event: &mut Event) {
        let version = self.versions.entry(event.stream.clone()).or_default();
        *version = if event.version == 0 { *version + 1 } else { event.version };
        event.version = *version;
        self.host.head = if event.sequence == 0 { self.host.head + 1 } else { event.sequence };
        event.sequence = self.host.head;
    }
}

impl<P: Projection> Harness<P> {
    /// Returns what the projection says of itself.
    pub fn describe(&self) -> Manifest {
        P::describe()
    }

    /// Applies the events that the manifest asks for, in batches. A batch that fails changes nothing, and ends it.
    pub fn apply(&mut self, events: impl IntoIterator<Item = Event>) -> Result<(), Error> {
        let manifest = P::describe().0;
        let wants = |list: &[String], name: &str| list.is_empty() || list.iter().any(|wanted| wanted == name);
        let mut wanted = Vec::new();
        for mut event in events {
            self.place(&mut event);
            if wants(&manifest.event_types, &event.event_type) && wants(&manifest.categories, event.category()) {
                wanted.push(event);
            }
        }
        wanted.chunks(self.batch_size).try_for_each(|batch| self.host.call(|| P::apply(batch)))
    }

    /// Reads an entry's value.
    ///
    /// # Panics
    /// If the value is not of this type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let bytes = self.host.entries.get(key)?;
        Some(cbor::from_slice(bytes).unwrap_or_else(|error| panic!("entry {key:?}: {error}")))
    }

    /// The whole state, as it is stored.
    pub fn entries(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.host.entries
    }
}

impl<U: Upcaster> Harness<U> {
    /// Returns what the upcaster says of itself.
    pub fn describe_upcaster(&self) -> UpcasterManifest {
        U::describe()
    }

    /// Lifts an event through every step that the upcaster has for it, as a host does.
    pub fn upcast(&mut self, event: Event) -> Result<Event, Error> {
        let steps = U::describe().0.steps;
        let mut event = event;
        self.place(&mut event);
        while let Some(step) =
            steps.iter().find(|s| s.event_type == event.event_type && s.schema_version == event.schema_version)
        {
            event.payload = self.host.call(|| U::upcast(&event))?;
            event.schema_version += 1;
            if let Some(new_type) = &step.new_event_type {
                event.event_type.clone_from(new_type);
            }
        }
        Ok(event)
    }
}

impl Event {
    /// Puts the event into a stream, `category/name`.
    #[must_use]
    pub fn in_stream(mut self, stream: &str) -> Self {
        self.stream = stream.into();
        self
    }

    /// Sets the schema version.
    #[must_use]
    pub fn at_schema_version(mut self, version: u32) -> Self {
        self.schema_version = version;
        self
    }

    /// Sets the position in the log.
    #[must_use]
    pub fn at_sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// Sets the position in the stream.
    #[must_use]
    pub fn at_version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// Sets the time at which the log took it, in microseconds since 1970.
    #[must_use]
    pub fn at_time(mut self, recorded_at: u64) -> Self {
        self.recorded_at = recorded_at;
        self
    }

    /// The payload as JSON, to compare it.
    ///
    /// # Panics
    /// If the payload cannot be read.
    pub fn payload_json(&self) -> serde_json::Value {
        match &self.payload {
            Payload::Cbor(bytes) => cbor::from_slice(bytes).expect("the payload is CBOR"),
            Payload::Json(text) => serde_json::from_str(text).expect("the payload is JSON"),
        }
    }
}
