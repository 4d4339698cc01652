//! Host calls with arbitrary arguments: a guest that runs any program against the real host, and a model of a map and
//! five limits that says beforehand what comes of it.

mod model;
mod program;

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use polyfold::cbor;
use polyfold::event::{
    Batch, Digest, Envelope, EventId, EventType, NewEvent, Sequence, Stored, StreamName, Timestamp, Version,
};
use polyfold::plugin::{Call, Failure, Limits, Mishap, Outcome, Plugin, Projection, Sandbox, StateAccess, StateError};
use polyfold::state::Overlay;

use self::model::{Expected, Model};

/// A byte that says where calls end, then a program for each event: two bytes of length, and its bytes.
pub fn run(data: &[u8]) {
    let Some((cuts, programs)) = data.split_first() else { return };
    let programs = programs_of(programs);
    let batch = Arc::new(batch(&programs));
    let state = State::new();
    let mut model = Model::default();
    let mut start = 0;
    for end in 1..=programs.len() {
        if end < programs.len() && cuts >> (end % 8) & 1 == 0 {
            continue;
        }
        let expected = model.call(&batch, start..end, &programs);
        // Once for nothing, so that all of it can be compared with the second time.
        let before = apply(&batch, start..end, &state);
        state.lock().discard();
        let outcome = apply(&batch, start..end, &state);
        assert_eq!(outcome.usage, before.usage, "the same call takes the same");
        assert_eq!(outcome.output, before.output);
        assert_eq!(text(&outcome), text(&before));
        check(&expected, &outcome, &mut model);
        match outcome.result {
            Ok(()) => state.lock().keep(),
            Err(_) => state.lock().discard(),
        }
        model.check_state(&state.lock(), matches!(expected, Expected::Anything));
        start = end;
    }
}

const EVENTS_MAX: usize = 6;

fn programs_of(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut programs = Vec::new();
    while programs.len() < EVENTS_MAX
        && let Some((length, rest)) = bytes.split_first_chunk()
    {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (program, rest) = rest.split_at(length);
        programs.push(program);
        bytes = rest;
    }
    programs
}

/// An event for each program, with an envelope that has something of everything.
fn batch(programs: &[&[u8]]) -> Batch {
    let mut batch = Batch::new();
    for (program, sequence) in programs.iter().zip(1..) {
        let event = event(program, sequence);
        let mut bytes = Vec::new();
        Envelope::of(&event, Sequence(sequence), Version(sequence), Timestamp::EPOCH).encode(&mut bytes);
        let envelope_bytes = bytes.len();
        bytes.extend_from_slice(event.payload.as_bytes());
        let all = bytes.len();
        let buffer = batch.add_buffer(bytes.into());
        batch
            .push_stored(buffer, 0..envelope_bytes, Stored::Whole(envelope_bytes..all), |_| true)
            .expect("it was just written");
    }
    batch
}

fn event(program: &[u8], sequence: u64) -> NewEvent {
    let name = |text: &str| EventId::new(text).expect("a plain text");
    let payload = cbor::from_bytes(program.to_vec()).expect("a program is short");
    let (stream, kind) = (StreamName::new("a/1"), EventType::new("t"));
    let mut event = NewEvent::new(
        stream.expect("a plain name"),
        kind.expect("a plain name"),
        name(&format!("id-{sequence}")),
        payload,
    );
    if sequence.is_multiple_of(2) {
        event.occurred_at = Timestamp::from_micros(-(sequence as i64));
        event.actor = Some("ü".repeat(sequence as usize));
        event.causation_id = Some(name("c"));
        event.metadata = [("k".to_owned(), "v".to_owned()), ("l".to_owned(), String::new())].into();
        event.tags = vec!["x".to_owned(), "a".to_owned()];
    }
    event
}

/// Small, so that a short program meets each of them.
fn limits() -> Limits {
    Limits {
        key_bytes: 64,
        value_bytes: 4_096,
        change_bytes: 16_384,
        answer_bytes: 8_192,
        scan_page: 5,
        scan_bytes: 4_096,
        log_message_bytes: 32,
        log_messages: 4,
        output_bytes: 256,
        // What a program can do honestly takes a tenth; what has lost its way is stopped within the blink of an eye.
        fuel_per_event: 200_000_000,
        deadline: Duration::from_secs(60),
        ..Limits::default()
    }
}

const PARAMETERS: &str = r#"{"a":[1,2],"ü":null}"#;

fn apply(batch: &Arc<Batch>, range: std::ops::Range<usize>, state: &State) -> Outcome {
    state.lock().begin();
    let (events, state) = (Arc::clone(batch), Box::new(state.clone()));
    GUEST.apply(Call { events, range, parameters: PARAMETERS.into(), state })
}

fn text(outcome: &Outcome) -> String {
    outcome.result.as_ref().err().map(ToString::to_string).unwrap_or_default()
}

fn check(expected: &Expected, outcome: &Outcome, model: &mut Model) {
    let text = text(outcome);
    match expected {
        Expected::Good => assert_eq!(outcome.result, Ok(())),
        Expected::Bad(why) => {
            assert!(matches!(outcome.result, Err(Failure::Verdict(_))), "{:?}", outcome.result);
            assert!(text.contains(why), "{why:?} was expected, and {text:?} came of it");
        }
        // What it wrote over its own memory may make it loop or eat; the host itself is never to blame.
        Expected::Anything => {
            assert!(!matches!(outcome.result, Err(Failure::Mishap(Mishap::Host { .. }))), "{text}");
            return;
        }
    }
    model.check_output(&outcome.output);
}

/// The state under test, in memory: what every call of the real host goes to.
#[derive(Clone)]
struct State(Arc<Mutex<Overlay>>);

impl State {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Overlay::in_memory())))
    }

    fn lock(&self) -> MutexGuard<'_, Overlay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateAccess for State {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.lock().get(key)?)
    }

    fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), StateError> {
        self.lock().set(key, value);
        Ok(())
    }

    fn scan(&mut self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        Ok(self.lock().scan(prefix, after, limit)?)
    }
}

static GUEST: LazyLock<Arc<Projection>> = LazyLock::new(|| {
    let file = crate::guests().join("examples/interpreter.wasm");
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let sandbox = Sandbox::new(Some(&crate::code())).expect("an engine starts");
    match sandbox.load(Digest::of(&bytes), &bytes, &limits()) {
        Ok(Plugin::Projection(guest)) => guest,
        other => panic!("{other:?}"),
    }
});
