//! Traces written and read back, and all that the reader refuses.

use super::*;
use crate::cbor;
use crate::event::{Envelope, EventId, EventType, NewEvent, StreamName, Timestamp, Version};

fn events(count: u64) -> Arc<Batch> {
    let mut batch = TraceBatch::default();
    for number in 1..=count {
        let (stream, event_type) = (StreamName::new("a/\u{fc}").unwrap(), EventType::new("t").unwrap());
        let payload = cbor::from_json(&format!("{{\"n\":{number},\"x\":1.0}}")).unwrap();
        let mut event = NewEvent::new(stream, event_type, EventId::new(format!("i{number}")).unwrap(), payload);
        event.occurred_at = Timestamp::from_micros(-62_135_596_800_000_001);
        event.actor = Some(String::new());
        event.metadata = BTreeMap::from([("b".to_owned(), "1".to_owned()), ("a".to_owned(), "\0".to_owned())]);
        event.tags = vec!["z".to_owned(), "a".to_owned()];
        let envelope = Envelope::of(&event, Sequence(number * 2), Version(number), Timestamp::EPOCH);
        batch.push(&envelope, event.payload.as_bytes());
    }
    Arc::new(batch.finish())
}

fn trace(made: Made) -> Trace {
    let (since, to) = (Sequence(1), Sequence(6));
    Trace { plugin: "p@1.0.0".to_owned(), digest: Digest::ZERO, since, to, events: events(3), made }
}

fn projection() -> Trace {
    let setup = Setup { on_fault: FaultPolicy::Skip, fuel_per_event: 7, ..Setup::default() };
    let entries = BTreeMap::from([("a".to_owned(), vec![1]), ("b".to_owned(), vec![0xf9, 0x7e, 0])]);
    let message = Some("no \u{1d11e}".to_owned());
    let faults = vec![
        Failed { sequence: Sequence(2), kind: "error".to_owned(), message },
        Failed { sequence: Sequence(6), kind: "trap".to_owned(), message: None },
    ];
    trace(Made::Projection(setup, Folded { entries, faults, events: 1, fuel: 9 }))
}

fn upcaster() -> Trace {
    let shape = Shape { event_type: "u".to_owned(), schema_version: SchemaVersion(2), payload: vec![0xa0] };
    let failed = Failed { sequence: Sequence(4), kind: "error".to_owned(), message: Some(String::new()) };
    let lift = |sequence, made| Lift { sequence: Sequence(sequence), made };
    trace(Made::Upcaster(vec![lift(2, Ok(shape.clone())), lift(4, Err(failed)), lift(6, Ok(shape))]))
}

fn text(trace: &Trace) -> String {
    trace.lines().fold(String::new(), |text, line| text + &line + "\n")
}

fn read(text: &str) -> Result<Trace, BadTrace> {
    Trace::read(&mut text.as_bytes())
}

#[test]
fn a_trace_reads_back_to_itself() {
    for written in [projection(), upcaster()] {
        let found = read(&text(&written)).unwrap();
        assert_eq!(text(&found), text(&written));
        assert_eq!(found.made, written.made);
        for (found, written) in found.events.iter().zip(written.events.iter()) {
            assert_eq!((found.envelope_bytes(), found.payload), (written.envelope_bytes(), written.payload));
        }
    }
}

#[test]
fn its_lines_are_these_to_the_letter() {
    let lines: Vec<_> = projection().lines().collect();
    let zero = "0".repeat(64);
    let header = format!(
        "{{\"format\":\"polyfold trace 2\",\"kind\":\"projection\",\"plugin\":\"p@1.0.0\",\"digest\":\"{zero}\",\
         \"since\":1,\"to\":6,\"parameters\":{{}},\"on_fault\":\"skip\",\"state\":\"cbor\",\"fuel_per_event\":7}}"
    );
    assert_eq!(lines[0], header);
    let event = "{\"event\":{\"sequence\":2,\"id\":\"i1\",\"stream\":\"a/ü\",\"version\":1,\"type\":\"t\",\
                 \"schema_version\":1,\"recorded_at\":\"1970-01-01T00:00:00Z\",\
                 \"occurred_at\":\"0000-12-31T23:59:59.999999Z\",\"actor\":\"\",\
                 \"metadata\":{\"a\":\"\\u0000\",\"b\":\"1\"},\"tags\":[\"z\",\"a\"],\"data\":{\"n\":1,\"x\":1.0}}}";
    assert_eq!(lines[1], event);
    let rest = [
        "{\"entry\":{\"key\":\"a\",\"value\":1}}",
        "{\"entry\":{\"key\":\"b\",\"base64\":\"+X4A\"}}",
        "{\"fault\":{\"sequence\":2,\"kind\":\"error\",\"message\":\"no 𝄞\"}}",
        "{\"fault\":{\"sequence\":6,\"kind\":\"trap\"}}",
    ];
    assert_eq!(lines[4..8], rest);
    assert!(lines[8].starts_with("{\"end\":{\"events\":3,\"entries\":2,\"faults\":2,\"digest\":\""), "{}", lines[8]);
    let lines: Vec<_> = upcaster().lines().collect();
    let lifted = "{\"lifted\":{\"sequence\":2,\"type\":\"u\",\"schema_version\":2,\"data\":{}}}";
    assert_eq!(lines[4..6], [lifted, "{\"lifted\":{\"sequence\":4,\"kind\":\"error\",\"message\":\"\"}}"]);
}

/// What differs is a projection's digest: this one is as the release before made it.
#[test]
fn a_trace_of_format_1_is_read_and_held_to_its_own_digest() {
    let before = |trace: &Trace, digest: &str| {
        let text = text(trace).replacen("trace 2", "trace 1", 1);
        text.replace(&trace.made.digest().to_string(), digest)
    };
    let digest = "3dfb2d45a836b6abb9bb2aa92020a4f5ec847e00d1bf22dc1a03ca9657cfc5ed";
    let found = read(&before(&projection(), digest)).unwrap();
    assert_eq!(text(&found), text(&projection()), "written anew, it is of this format");
    let refused = read(&before(&projection(), &projection().made.digest().to_string())).unwrap_err().to_string();
    assert!(refused.contains("the digest is that of another result"), "{refused}");
    let same = upcaster().made.digest().to_string();
    assert_eq!(text(&read(&before(&upcaster(), &same)).unwrap()), text(&upcaster()));
}

/// Changes a trace's text and reads it.
fn refusal(trace: &Trace, change: impl Fn(&str) -> String) -> String {
    read(&change(&text(trace))).unwrap_err().to_string()
}

#[test]
fn what_does_not_fit_is_refused_with_its_line() {
    let check = |from: &str, to: &str, expected: &str| {
        let found = refusal(&projection(), |text| text.replacen(from, to, 1));
        assert!(found.starts_with(expected), "{from} → {to}: {found}");
    };
    check("{\"format\"", "x", "line 1: this is no trace: its first line must say \"polyfold trace 2\"");
    let newer = "line 1: it is a \"polyfold trace 3\", and this polyfold reads none newer than \"polyfold trace 2\"";
    check("trace 2", "trace 3", newer);
    check("\"since\":1", "\"sinec\":1", "line 1: it is no line of a trace: unknown field `sinec`");
    check("\"state\":\"cbor\",", "", "line 1: a projection's trace must say its state");
    check("\"sequence\":4", "\"sequence\":2", "line 3: sequence 2 is out of order");
    check("\"to\":6", "\"to\":5", "line 4: sequence 6 is out of order, or not behind 1 up to 5");
    check("\"data\":{\"n\":1", "\"dada\":{\"n\":1", "line 2: it is no line of a trace: unknown field `dada`");
    check("\"stream\":\"a/ü\"", "\"stream\":\"a\"", "line 2: ");
    check("\"key\":\"b\"", "\"key\":\"a\"", "line 6: key \"a\" is out of order");
    check("\"value\":1", "\"value\":2", "line 9: the digest is that of another result (");
    check("\"value\":1", "\"value\":1,\"text\":\"x\"", "line 5: only one of value, text, base64 and gzip can stand");
    check(
        "\"sequence\":6,\"kind\"",
        "\"sequence\":5,\"kind\"",
        "line 8: no event of sequence 5 is left for this fault",
    );
    check("\"fuel\":9", "\"feul\":9", "line 9: it is no line of a trace: unknown field `feul`");
    let without_last = |text: &str| text[..text.find("{\"end\"").unwrap()].to_owned();
    let cut = "line 8: the trace ends without its digest; it is cut off";
    assert_eq!(refusal(&projection(), without_last), cut);
    assert_eq!(read("").unwrap_err().to_string(), "line 1: the trace ends without its digest; it is cut off");
    let without = |part: &'static str| {
        move |text: &str| {
            text.lines().filter(|line| !line.contains(part)).fold(String::new(), |all, line| all + line + "\n")
        }
    };
    let missing = "line 8: it says 3 events, and there are 2; lines are missing or were added";
    assert_eq!(refusal(&projection(), without("\"id\":\"i2\"")), missing);
    let missing = "line 8: it says 2 entries, and there are 1; lines are missing or were added";
    assert_eq!(refusal(&projection(), without("\"key\":\"a\"")), missing);
    let again = refusal(&projection(), |text| text.to_owned() + text.lines().last().unwrap());
    assert_eq!(again, "line 10: the trace has ended before it");
    let lifted = refusal(&upcaster(), without("\"lifted\":{\"sequence\":4"));
    assert_eq!(lifted, "line 6: sequence 6 is lifted where that of the events is 4");
    let entry = refusal(&upcaster(), |text| text.replacen("lifted", "fault", 1));
    assert!(entry.starts_with("line 5: "), "{entry}");
}

/// However a trace is bent, reading it ends with a trace or an error.
#[test]
fn no_bytes_make_the_reader_panic() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for written in [projection(), upcaster()] {
        let text = text(&written);
        for _ in 0..2_000 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(0..bytes.len());
                bytes[at] = *random.choice(b"\"{}[],:01-.ex\\\n \xff").unwrap();
            }
            bytes.truncate(random.usize(0..=bytes.len() * 2).min(bytes.len()));
            drop(Trace::read(&mut bytes.as_slice()));
        }
    }
}
