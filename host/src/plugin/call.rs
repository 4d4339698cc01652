//! A loaded plugin and its calls: each in an instance made for it and dropped after it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use wasmtime::component::InstancePre;

use super::abi::{Abi, Feed, Lifted, ProjectionExports, Rows, Running, UpcasterExports};
use super::failure::{Phase, classify};
use super::host::{Fold, Host};
use super::sandbox::DEADLINE_TICK;
use super::{
    Failure, Limits, LoadError, Mishap, Output, PayloadEncoding, ProjectionManifest, Sandbox, UpcasterManifest,
    Verdict, VerdictKind,
};
use crate::cbor;
use crate::event::{Batch, Digest};

/// The state a projection folds into, as the host keeps it. Reads see the writes before them.
pub trait StateAccess: Send + 'static {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateError>;

    /// Sets a key's value; none removes the key.
    fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), StateError>;

    /// At most `limit` entries whose key starts with `prefix`, in key order, behind `after` if it is given. Fewer
    /// than `limit` means that there are no more.
    fn scan(&mut self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StateError>;
}

/// The host's own failure to reach a state.
pub type StateError = Box<dyn std::error::Error + Send + Sync>;

/// What a projection is asked to fold.
pub struct Call {
    pub events: Arc<Batch>,
    /// Which rows of it.
    pub range: Range<usize>,
    /// A JSON object.
    pub parameters: Arc<str>,
    pub state: Box<dyn StateAccess>,
}

/// What became of a call. Unless the result is good, what the state was told must be forgotten.
pub struct Outcome {
    pub state: Box<dyn StateAccess>,
    pub usage: Usage,
    pub output: Output,
    pub result: Result<(), Failure>,
}

/// What a call took; the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub fuel: u64,
    /// The peak, all memories together.
    pub memory_bytes: usize,
}

/// A projection, ready to run.
pub struct Projection {
    core: Core,
    exports: Box<dyn ProjectionExports>,
    manifest: Arc<ProjectionManifest>,
}

/// An upcaster, ready to run.
pub struct Upcaster {
    core: Core,
    exports: Box<dyn UpcasterExports>,
    manifest: UpcasterManifest,
}

/// What both kinds have.
pub(super) struct Core {
    /// Kept for its ticker, without which no deadline would pass.
    pub(super) _sandbox: Sandbox,
    pub(super) digest: Digest,
    pub(super) abi: &'static dyn Abi,
    pub(super) plugin: InstancePre<Host>,
    pub(super) limits: Arc<Limits>,
}

impl Projection {
    pub(super) fn load(core: Core) -> Result<Self, LoadError> {
        let exports = core.abi.projection(&core.plugin).map_err(super::sandbox::invalid)?;
        let (_, described) = core.run(None, |call| exports.describe(call));
        let manifest = Arc::new(described.map_err(LoadError::Describe)?.validate()?);
        Ok(Self { core, exports, manifest })
    }

    pub fn manifest(&self) -> &ProjectionManifest {
        &self.manifest
    }

    /// The same, for who keeps it longer than the plugin.
    pub fn manifest_shared(&self) -> Arc<ProjectionManifest> {
        Arc::clone(&self.manifest)
    }

    pub fn digest(&self) -> Digest {
        self.core.digest
    }

    /// The version of the ABI that it speaks.
    pub fn abi(&self) -> &'static str {
        self.core.abi.version()
    }

    pub fn limits(&self) -> &Limits {
        &self.core.limits
    }

    /// Folds events into state. Blocks up to the deadline.
    pub fn apply(&self, call: Call) -> Outcome {
        let Call { events, range, parameters, state } = call;
        let rows = Rows::Range(range.clone());
        let fold = Fold { events: Arc::clone(&events), range, parameters, state, changed_bytes: 0 };
        let (ended, result) = match self.core.feed(&events, rows, self.manifest.payload_encoding) {
            Ok(feed) => self.core.run(Some(fold), |call| self.exports.apply(call, &feed)),
            Err(failure) => (Ended::before_it_began(fold), Err(failure)),
        };
        let result = result.and_then(|answer| answer.map_err(says));
        let state = ended.fold.expect("a call returns the fold it was given").state;
        Outcome { state, usage: ended.usage, output: ended.output, result }
    }
}

impl Upcaster {
    pub(super) fn load(core: Core) -> Result<Self, LoadError> {
        let exports = core.abi.upcaster(&core.plugin).map_err(super::sandbox::invalid)?;
        let (_, described) = core.run(None, |call| exports.describe(call));
        let manifest = described.map_err(LoadError::Describe)?.validate()?;
        Ok(Self { core, exports, manifest })
    }

    pub fn manifest(&self) -> &UpcasterManifest {
        &self.manifest
    }

    pub fn digest(&self) -> Digest {
        self.core.digest
    }

    /// The version of the ABI that it speaks.
    pub fn abi(&self) -> &'static str {
        self.core.abi.version()
    }

    pub fn limits(&self) -> &Limits {
        &self.core.limits
    }

    /// Lifts the events of these rows: returns their new payloads, one for one, in canonical CBOR.
    pub fn upcast(&self, events: &Arc<Batch>, rows: &[usize]) -> (Usage, Output, Result<Vec<Vec<u8>>, Failure>) {
        let feed = match self.core.feed(events, Rows::List(rows), self.manifest.payload_encoding) {
            Ok(feed) => feed,
            Err(failure) => return (Usage::default(), Output::default(), Err(failure)),
        };
        let (ended, result) = self.core.run(None, |call| self.exports.upcast(call, &feed));
        let result = result.and_then(|answer| answer.map_err(says));
        let payloads = result.and_then(|lifted| payloads_of(lifted, rows.len()));
        (ended.usage, ended.output, payloads)
    }
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection").field("digest", &self.core.digest).finish_non_exhaustive()
    }
}

impl fmt::Debug for Upcaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upcaster").field("digest", &self.core.digest).finish_non_exhaustive()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("range", &self.range).finish_non_exhaustive()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome").field("usage", &self.usage).field("result", &self.result).finish_non_exhaustive()
    }
}

/// A plugin's answer that it cannot do what it is asked.
fn says(message: String) -> Failure {
    Verdict::new(VerdictKind::Error, message).into()
}

fn payloads_of(lifted: Vec<Lifted>, events: usize) -> Result<Vec<Vec<u8>>, Failure> {
    if lifted.len() != events {
        let message = format!("it returned {} payloads for {events} events", lifted.len());
        return Err(Verdict::new(VerdictKind::WrongAnswer, message).into());
    }
    let mut payloads = Vec::with_capacity(events);
    for (index, lifted) in lifted.into_iter().enumerate() {
        let wrong = |why: String| {
            let message = format!("payload {} of {events} that it returned {why}", index + 1);
            Failure::from(Verdict::new(VerdictKind::WrongAnswer, message))
        };
        let payload = match lifted {
            Lifted::Cbor(bytes) => cbor::from_cbor(&bytes),
            Lifted::Json(text) => cbor::from_json(&text),
        };
        let payload = payload.map_err(|error| wrong(format!("is not valid: {error}")))?;
        payloads.push(payload.into_bytes());
    }
    Ok(payloads)
}

/// What is left when an instance is gone.
struct Ended {
    usage: Usage,
    output: Output,
    fold: Option<Fold>,
}

impl Ended {
    fn before_it_began(fold: Fold) -> Self {
        Self { usage: Usage::default(), output: Output::default(), fold: Some(fold) }
    }
}

/// 128 MiB of strings and lists in one host call: what its list says to be longer than its memory never gets this
/// far, so it only bounds what the host holds beside an instance.
const HOST_CALL_BYTES_MAX: usize = 128 << 20;

impl Core {
    /// Events in the encoding that the plugin wants.
    fn feed<'a>(&self, events: &'a Batch, rows: Rows<'a>, encoding: PayloadEncoding) -> Result<Feed<'a>, Failure> {
        let json = match encoding {
            PayloadEncoding::Cbor => None,
            PayloadEncoding::Json => {
                let texts = Feed::events_of(events, &rows).map(|event| {
                    // Stored payloads are valid, so this is damage and none of the plugin's doing.
                    cbor::to_json(event.payload).map_err(|error| {
                        let message = format!("the payload at sequence {} is not valid: {error}", event.sequence);
                        Failure::from(Mishap::Host { message })
                    })
                });
                Some(texts.collect::<Result<_, _>>()?)
            }
        };
        Ok(Feed { events, rows, json })
    }

    /// Makes an instance, calls it, drops it.
    fn run<T>(
        &self,
        fold: Option<Fold>,
        call: impl FnOnce(&mut Running<'_>) -> wasmtime::Result<T>,
    ) -> (Ended, Result<T, Failure>) {
        let limits = &self.limits;
        let mut store = wasmtime::Store::new(self.plugin.engine(), Host::new(limits, fold));
        store.limiter(|host| &mut host.meter);
        store.set_hostcall_fuel(HOST_CALL_BYTES_MAX);
        // Before it is instantiated: start functions run code too.
        store.set_fuel(limits.fuel_per_event).expect("fuel is switched on");
        // One more, for the tick that is already under way.
        let ticks = limits.deadline.as_millis().div_ceil(DEADLINE_TICK.as_millis()) + 1;
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX >> 1).min(u64::MAX >> 1));

        let result = match self.plugin.instantiate(&mut store) {
            Ok(instance) => {
                let called = call(&mut Running { store: &mut store, instance: &instance });
                called.map_err(|error| (error, Phase::Run))
            }
            Err(error) => Err((error, Phase::Instantiate)),
        };
        let result = result.map_err(|(error, phase)| classify(&error, phase, store.data()));
        let fuel = limits.fuel_per_event - store.get_fuel().expect("fuel is switched on");
        let mut host = store.into_data();
        host.wasi.take_output(&mut host.output);
        let usage = Usage { fuel, memory_bytes: host.meter.memory_bytes() };
        (Ended { usage, output: host.output, fold: host.fold }, result)
    }
}
