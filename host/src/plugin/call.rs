//! A loaded plugin and its calls: each in an instance made for it and dropped after it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::InstancePre;

use super::abi::{Abi, Feed, Lifted, ProjectionExports, Rows, Running, UpcasterExports, whole};
use super::bill;
use super::failure::{Phase, classify};
use super::host::{Fold, Host};
use super::sandbox::DEADLINE_TICK;
use super::{
    Failure, Limits, LoadError, Mishap, Output, PayloadEncoding, ProjectionManifest, Sandbox, UpcasterManifest,
    Verdict, VerdictKind,
};
use crate::cbor;
use crate::event::{Batch, Digest, Row};

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
        let (_, described) = core.run(core.asking(), |call| exports.describe(call), |_| 0);
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
        self.apply_within(call, self.core.limits.deadline)
    }

    /// The same, with another deadline than that of the limits.
    pub fn apply_within(&self, call: Call, deadline: Duration) -> Outcome {
        self.fold(call, deadline, |running, feed| self.exports.apply(running, feed))
    }

    /// Folds the same events twice, in one instance that has described itself before: what the plugin keeps in memory is
    /// there the second time. Calls `forget` in between, so that the state forgets the first time. The fuel is that of the
    /// second.
    pub fn apply_in_used(&self, call: Call, forget: impl FnOnce()) -> Outcome {
        self.fold(call, self.core.limits.deadline, |running, feed| {
            let fuel = running.store.get_fuel()?;
            self.exports.describe(running)?;
            // What it answers is not asked.
            let _ = self.exports.apply(running, feed)?;
            forget();
            running.store.set_fuel(fuel)?;
            if let Some(fold) = &mut running.store.data_mut().fold {
                fold.changed_bytes = 0;
            }
            self.exports.apply(running, feed)
        })
    }

    fn fold(
        &self,
        call: Call,
        deadline: Duration,
        run: impl FnOnce(&mut Running<'_>, &Feed<'_>) -> wasmtime::Result<Result<(), String>>,
    ) -> Outcome {
        let Call { events, range, parameters, state } = call;
        let rows = Rows::Range(range.clone());
        let fold = Fold { events: Arc::clone(&events), range, parameters, state, changed_bytes: 0 };
        let core = &self.core;
        let (ended, result) = match core.feed(&events, rows, self.manifest.payload_encoding) {
            Ok(feed) => {
                let task = Task { fold: Some(fold), deadline, fuel: feed.fuel };
                core.run(task, |running| run(running, &feed), |answer| core.price_of_answer(answer, |()| 0))
            }
            Err(failure) => (core.before_it_began(Some(fold), &failure), Err(failure)),
        };
        let result = result.and_then(|answer| answer.map_err(says));
        let state = ended.fold.expect("a call returns the fold it was given").state;
        Outcome { state, usage: ended.usage, output: ended.output, result }
    }
}

impl Upcaster {
    pub(super) fn load(core: Core) -> Result<Self, LoadError> {
        let exports = core.abi.upcaster(&core.plugin).map_err(super::sandbox::invalid)?;
        let (_, described) = core.run(core.asking(), |call| exports.describe(call), |_| 0);
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
        self.upcast_within(events, rows, self.core.limits.deadline)
    }

    /// The same, with another deadline than that of the limits.
    pub fn upcast_within(
        &self,
        events: &Arc<Batch>,
        rows: &[usize],
        deadline: Duration,
    ) -> (Usage, Output, Result<Vec<Vec<u8>>, Failure>) {
        let core = &self.core;
        let (ended, result) = match core.feed(events, Rows::List(rows), self.manifest.payload_encoding) {
            Ok(feed) => {
                let task = Task { fold: None, deadline, fuel: feed.fuel };
                let made = |lifted: &Vec<Lifted>| core.price_of_lifted(lifted);
                core.run(task, |call| self.exports.upcast(call, &feed), |answer| core.price_of_answer(answer, made))
            }
            Err(failure) => (core.before_it_began(None, &failure), Err(failure)),
        };
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

/// What an instance is made for.
struct Task {
    fold: Option<Fold>,
    deadline: Duration,
    /// What it costs to hand in what the plugin is to work on.
    fuel: u64,
}

/// What is left when an instance is gone.
struct Ended {
    usage: Usage,
    output: Output,
    fold: Option<Fold>,
}

/// 128 MiB of strings and lists in one host call: what its list says to be longer than its memory never gets this
/// far, so it only bounds what the host holds beside an instance.
const HOST_CALL_BYTES_MAX: usize = 128 << 20;

impl Core {
    /// For a description: nothing is handed in.
    fn asking(&self) -> Task {
        Task { fold: None, deadline: self.limits.deadline, fuel: 0 }
    }

    /// What is left of a call that failed before there was an instance.
    fn before_it_began(&self, fold: Option<Fold>, failure: &Failure) -> Ended {
        let fuel = if failure.verdict().is_some() { self.limits.fuel_per_event } else { 0 };
        Ended { usage: Usage { fuel, memory_bytes: 0 }, output: Output::default(), fold }
    }

    /// What it costs to hand events in.
    fn price_of_events(&self, events: &Batch, rows: &Rows<'_>, encoding: PayloadEncoding) -> u64 {
        let prices = self.limits.host_call_prices.schedule();
        let payload_byte = match encoding {
            PayloadEncoding::Cbor => prices.byte,
            PayloadEncoding::Json => prices.converted_byte,
        };
        let price = |row: &Row| {
            let texts = (row.stream.bytes() + row.event_type.bytes()) as u64;
            prices.event + prices.byte * texts + payload_byte * row.payload.bytes() as u64
        };
        Feed::rows_of(events, rows).map(price).sum()
    }

    /// What it costs to take an answer: its error message, or else what the plugin made.
    fn price_of_answer<T>(&self, answer: &Result<T, String>, made: impl FnOnce(&T) -> u64) -> u64 {
        match answer {
            Ok(answer) => made(answer),
            Err(message) => self.limits.host_call_prices.schedule().byte * message.len() as u64,
        }
    }

    fn price_of_lifted(&self, lifted: &[Lifted]) -> u64 {
        let prices = self.limits.host_call_prices.schedule();
        lifted.iter().map(|lifted| prices.event + prices.converted_byte * lifted.len() as u64).sum()
    }

    /// Events in the encoding that the plugin wants, if there is fuel enough to hand them in.
    fn feed<'a>(&self, events: &'a Batch, rows: Rows<'a>, encoding: PayloadEncoding) -> Result<Feed<'a>, Failure> {
        let fuel = self.price_of_events(events, &rows, encoding);
        if fuel > self.limits.fuel_per_event {
            return Err(Verdict::out_of_fuel(self.limits.fuel_per_event).into());
        }
        let json = match encoding {
            PayloadEncoding::Cbor => None,
            PayloadEncoding::Json => {
                let texts = Feed::events_of(events, &rows).map(|event| {
                    // Stored payloads are valid, so this is damage and none of the plugin's doing.
                    cbor::to_json(whole(&event)).map_err(|error| {
                        let message = format!("the payload at sequence {} is not valid: {error}", event.sequence);
                        Failure::from(Mishap::Host { message })
                    })
                });
                Some(texts.collect::<Result<_, _>>()?)
            }
        };
        Ok(Feed { events, rows, json, fuel })
    }

    /// Makes an instance, calls it, drops it.
    fn run<T>(
        &self,
        task: Task,
        call: impl FnOnce(&mut Running<'_>) -> wasmtime::Result<T>,
        price: impl FnOnce(&T) -> u64,
    ) -> (Ended, Result<T, Failure>) {
        let limits = &self.limits;
        let mut store = wasmtime::Store::new(self.plugin.engine(), Host::new(limits, task.fold));
        store.limiter(|host| &mut host.meter);
        store.set_hostcall_fuel(HOST_CALL_BYTES_MAX);
        bill::keep(&mut store, limits.host_call_prices);
        // Before it is instantiated: start functions run code too.
        store.set_fuel(limits.fuel_per_event - task.fuel).expect("fuel is switched on");
        store.set_epoch_deadline(ticks(task.deadline));

        let result = match self.plugin.instantiate(&mut store) {
            Ok(instance) => {
                let called = call(&mut Running { store: &mut store, instance: &instance });
                called.map_err(|error| (error, Phase::Run))
            }
            Err(error) => Err((error, Phase::Instantiate)),
        };
        let result = result.map_err(|(error, phase)| classify(&error, phase, store.data(), task.deadline));
        let owed = bill::settle(&mut store, result.as_ref().map_or(0, price));
        let result = result.and_then(|answer| match owed {
            Ok(()) => Ok(answer),
            Err(_) => Err(Verdict::out_of_fuel(limits.fuel_per_event).into()),
        });
        let left = match &result {
            Err(Failure::Verdict(Verdict { kind: VerdictKind::OutOfFuel, .. })) => 0,
            Ok(_) | Err(_) => store.get_fuel().expect("fuel is switched on"),
        };
        let mut host = store.into_data();
        host.wasi.take_output(&mut host.output);
        let usage = Usage { fuel: limits.fuel_per_event - left, memory_bytes: host.meter.memory_bytes() };
        (Ended { usage, output: host.output, fold: host.fold }, result)
    }
}

/// A deadline as the engine's clock counts: one tick more, for the one that is already under way.
fn ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_millis().div_ceil(DEADLINE_TICK.as_millis()) + 1;
    u64::try_from(ticks).unwrap_or(u64::MAX >> 1).min(u64::MAX >> 1)
}
