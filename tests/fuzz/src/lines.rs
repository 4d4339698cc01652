//! What producers send: lines of JSON, of polyfold's own form and of CloudEvents.
//!
//! Each line alone: an event that is taken keeps its limits, has one envelope, and is the same after an export and an
//! import. All together: an import stops at the first bad line, however the input arrives.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, LazyLock};

use polyfold::cbor;
use polyfold::engine::{BadLine, Engine, Options, Watch, event_from_json, event_to_json};
use polyfold::event::{Batch, Envelope, Head, NewEvent, Sequence, Stored, Timestamp, Version};

/// Any bytes as the lines of an import.
pub fn run(data: &[u8]) {
    let first_bad = data.split(|byte| *byte == b'\n').zip(1..).find(|(line, number)| is_bad(line, *number));
    let expected = first_bad.map(|(_, number)| number);
    let found = check(data.len().max(1), data);
    match (&found, expected) {
        (None, None) => {}
        (Some(found), Some(expected)) if found.number == expected => {}
        // Two lines that say different things under one id are each an event.
        (Some(found), expected) if expected.is_none_or(|expected| found.number < expected) => {
            assert!(found.why.contains("stands in an earlier line"), "{found:?}");
        }
        (found, expected) => panic!("line {expected:?} is bad and {found:?} was found"),
    }
    // As it would come from a slow network, in pieces that end anywhere.
    assert_eq!(check(3, data).map(|bad| bad.number), found.map(|bad| bad.number));
}

/// Whether an import refuses a line by itself.
fn is_bad(line: &[u8], number: u64) -> bool {
    let Ok(text) = std::str::from_utf8(line) else { return true };
    let text = text.trim();
    let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
    if text.is_empty() {
        return false;
    }
    match event_from_json(text) {
        Ok(event) => {
            check_event(&event);
            false
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            true
        }
    }
}

fn check_event(event: &NewEvent) {
    event.check().expect("an event that is taken keeps its limits");
    let envelope = Envelope::of(event, Sequence(1), Version(1), Timestamp::EPOCH);
    let mut bytes = Vec::new();
    envelope.encode(&mut bytes);
    assert_eq!(Envelope::decode(&bytes).as_ref(), Ok(&envelope));
    assert_eq!(Head::decode(&bytes), Ok(envelope.head));
    assert!(envelope.same_content(event));
    check_export(event, bytes);
}

fn check_export(event: &NewEvent, mut bytes: Vec<u8>) {
    let envelope_bytes = bytes.len();
    bytes.extend_from_slice(event.payload.as_bytes());
    let (mut batch, all) = (Batch::new(), bytes.len());
    let buffer = batch.add_buffer(Arc::from(bytes));
    let pushed = batch.push_stored(buffer, 0..envelope_bytes, Stored::Whole(envelope_bytes..all), |_| true);
    assert_eq!(pushed, Ok(true));
    let line = event_to_json(batch.event(0)).expect("an event can be exported");
    assert!(!line.contains('\n'), "{line}");
    let mut again = event_from_json(&line).unwrap_or_else(|error| panic!("{line} cannot be imported: {error}"));
    // Byte strings become text in JSON; what that makes stays.
    let text = cbor::to_json(event.payload.as_bytes()).expect("a payload has a text");
    assert_eq!(Ok(&again.payload), cbor::from_json(&text).as_ref());
    again.payload = event.payload.clone();
    assert_eq!(&again, event, "{line}");
}

/// Checks an import that arrives in pieces of that size.
fn check(piece_bytes: usize, data: &[u8]) -> Option<BadLine> {
    struct Nobody;
    impl Watch for Nobody {
        fn passed(&mut self) {}
        fn skipped(&mut self, _: BadLine) {}
    }
    let mut input: Box<dyn BufRead + '_> = Box::new(BufReader::with_capacity(piece_bytes, data));
    ENGINE.check_import(&mut *input, &mut Nobody).expect("checking an import writes nothing and reads memory")
}

/// One for all inputs: a check leaves nothing behind.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("polyfold-fuzz-lines-{}", std::process::id()));
    let engine = Engine::open(&dir, &Options::default()).expect("an empty directory opens");
    // What is open stays there for who has it.
    std::fs::remove_dir_all(&dir).expect("its own folder");
    engine
});
