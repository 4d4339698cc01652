//! One specification in every language: the same events end in the same state, however they are cut and whatever is killed.
//!
//! `POLYFOLD_CONFORMANCE` names a folder of built plugins, `<language>-projection.wasm` and `<language>-upcaster.wasm`;
//! those of languages that it lacks are skipped aloud. `UPDATE_EXPECT=1` writes the traces anew.

mod events;
mod expected;
mod killed;
mod languages;
mod probes;
mod samples;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use polyfold::cbor;
use polyfold::engine::{Bench, CUTS_MAX, FaultPolicy, Folded, Lift, Made, Setup, Subject, Trace};
use polyfold::event::{Digest, Sequence};

use crate::guests;

/// What the projection is created with: canonical, as a host hands it on.
const PARAMETERS: &str = r#"{"n":9007199254740993,"label":"ü𝄞","nested":{"list":[1,2.5,null,""]}}"#;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../plugins/conformance")
}

/// A trace as it is committed.
fn committed(kind: &str) -> Trace {
    let path = folder().join(format!("{kind}.trace"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Trace::read(&mut text.as_slice()).unwrap_or_else(|bad| panic!("{}: {bad}", path.display()))
}

fn bench() -> Bench {
    Bench::new(Some(&guests::shared_cache())).unwrap()
}

fn rust(bench: &Bench, plugin: &str) -> Subject {
    bench.load(&guests::bytes(plugin), &mut |_| {}).unwrap()
}

/// Both traces as the Rust plugins make them. What differs from one build to the next is not in them.
fn made() -> [(&'static str, Trace); 2] {
    let bench = bench();
    let setup = Setup { parameters: PARAMETERS.into(), on_fault: FaultPolicy::Skip, ..Setup::default() };
    let all = [
        ("projection", "conformance", probes::probes(), Made::Projection(setup, Folded::default())),
        ("upcaster", "conformance-v2", samples::samples(), Made::Upcaster(Vec::new())),
    ];
    all.map(|(kind, plugin, events, made)| {
        let (events, to) = (events.batch(), Sequence(events.0.len() as u64));
        let trace = Trace { plugin: String::new(), digest: Digest::ZERO, since: Sequence::ZERO, to, events, made };
        let mut trace = rust(&bench, plugin).record(trace).unwrap();
        trace.digest = Digest::ZERO;
        if let Made::Projection(_, folded) = &mut trace.made {
            folded.fuel = 0;
        }
        (kind, trace)
    })
}

#[test]
fn the_traces_are_what_the_rust_plugins_make_of_the_events() {
    for (kind, trace) in made() {
        let path = folder().join(format!("{kind}.trace"));
        let text = trace.lines().fold(String::new(), |text, line| text + &line + "\n");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = (1..).zip(committed.lines().zip(text.lines())).find(|(_, (old, new))| old != new);
        if let Some((number, (old, new))) = differs {
            let start = |line: &str| line.chars().take(300).collect::<String>();
            panic!(
                "{}:{number} is\n{}\nand should be\n{}\n(UPDATE_EXPECT=1 writes it)",
                path.display(),
                start(old),
                start(new)
            );
        }
        assert_eq!(committed.lines().count(), text.lines().count(), "{}", path.display());
    }
}

fn folded(trace: &Trace) -> &Folded {
    match &trace.made {
        Made::Projection(_, folded) => folded,
        Made::Upcaster(_) => panic!("it is a projection's"),
    }
}

#[test]
fn the_trace_says_what_was_worked_out_by_hand() {
    let trace = committed("projection");
    let folded = folded(&trace);
    for (key, expected) in expected::ENTRIES {
        let found = folded.entries.get(key).map(Vec::as_slice);
        assert_eq!(found, Some(expected::bytes(expected).as_slice()), "{key}");
    }
    for key in expected::ABSENT {
        assert_eq!(folded.entries.get(key), None, "{key}");
    }
    let messages: Vec<&str> = folded.faults.iter().filter_map(|fault| fault.message.as_deref()).collect();
    for message in expected::MESSAGES {
        assert!(messages.contains(&message), "{message:?}");
    }
    // A key of one byte too many, and a value.
    assert_eq!(folded.faults.iter().filter(|fault| fault.kind == "limit").count(), 2);
    assert!(folded.faults.iter().all(|fault| fault.kind == "limit" || fault.kind == "error"));
    let largest = |key: &str| folded.entries.get(key).map(Vec::len);
    assert_eq!(largest(&format!("large/{}", "k".repeat(1_018))), Some(1 << 20));
}

/// What is echoed comes back bit by bit, as the host's own codec wrote it.
#[test]
fn every_echo_is_what_was_sent() {
    let trace = committed("projection");
    let mut sent: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for event in trace.events.iter() {
        let payload: ciborium::Value = ciborium::from_reader(event.payload().unwrap()).unwrap_or(ciborium::Value::Null);
        let field =
            |name: &str| payload.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, it)| it);
        if let (Some("echo"), Some(key), Some(value)) =
            (field("op").and_then(|op| op.as_text()), field("key").and_then(|key| key.as_text()), field("value"))
        {
            let mut bytes = Vec::new();
            ciborium::into_writer(value, &mut bytes).unwrap();
            sent.insert(format!("echo/{key}"), cbor::from_cbor(&bytes).unwrap().into_bytes());
        }
    }
    assert!(sent.len() > 120, "{}", sent.len());
    let changed_later = ["echo/a", "echo/b", "echo/seen"];
    for (key, bytes) in sent.iter().filter(|(key, _)| !changed_later.contains(&key.as_str())) {
        assert_eq!(folded(&trace).entries.get(key), Some(bytes), "{key}");
    }
}

#[test]
fn the_upcasters_trace_says_what_was_worked_out_by_hand() {
    let trace = committed("upcaster");
    let Made::Upcaster(lifts) = &trace.made else { panic!("it is an upcaster's") };
    for (shape, payload, lifted, expected) in expected::LIFTED {
        let payload = cbor::from_json(payload).unwrap();
        let is_it = |event: &polyfold::event::EventRef<'_>| {
            format!("{} {}", event.event_type, event.schema_version) == shape
                && event.payload() == Some(payload.as_bytes())
        };
        let event = trace.events.iter().find(is_it).unwrap_or_else(|| panic!("{shape} {payload:?}"));
        let lift = lifts.iter().find(|lift| lift.sequence == event.sequence).unwrap();
        let made = lift.made.as_ref().unwrap();
        assert_eq!(format!("{} {}", made.event_type, made.schema_version), lifted, "{shape}");
        assert_eq!(
            cbor::to_json(&made.payload),
            cbor::to_json(cbor::from_json(expected).unwrap().as_bytes()),
            "{shape}"
        );
    }
    let failed: Vec<&Lift> = lifts.iter().filter(|lift| lift.made.is_err()).collect();
    assert_eq!(failed.len(), 3, "what no step takes cannot fail");
    let said = |lift: &&Lift| {
        lift.made.as_ref().is_err_and(|failed| failed.message.as_deref() == Some("e\u{301} \u{1d11e}\n%s"))
    };
    assert!(failed.iter().all(said), "{failed:?}");
}

/// The trace's own events are those of the generator, whatever its reader does.
#[test]
fn the_traces_events_are_read_back_bit_by_bit() {
    for (kind, events) in [("projection", probes::probes()), ("upcaster", samples::samples())] {
        let (read, made) = (committed(kind).events, events.batch());
        assert_eq!(read.len(), made.len());
        for (read, made) in read.iter().zip(made.iter()) {
            assert_eq!((read.envelope_bytes(), read.payload), (made.envelope_bytes(), made.payload), "{kind}");
        }
    }
}

#[test]
fn a_changed_value_is_found_in_every_way() {
    let bench = bench();
    let mut trace = committed("projection");
    let Made::Projection(_, folded) = &mut trace.made else { panic!("it is a projection's") };
    folded.entries.insert("echo/added".to_owned(), vec![0]);
    folded.entries.remove("echo/true");
    folded.entries.insert("echo/null".to_owned(), vec![0xf7]);
    folded.faults.pop();
    // The first events suffice.
    let tested =
        rust(&bench, "conformance").test(&Trace { events: Arc::clone(&trace.events), ..trace }, CUTS_MAX).unwrap();
    assert_eq!(tested.differences.len(), 4, "{:?}", tested.differences);
    assert_eq!(tested.cut, None);
}
