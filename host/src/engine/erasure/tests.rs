//! An erasure that stops between any two of its steps is finished when the directory is opened again.

use std::path::Path;

use super::pending::{Pending, What};
use crate::engine::{Append, Engine, NewProjection, Options, guests};
use crate::event::{EventId, EventType, Filter, NewEvent, PluginName, Sequence, StreamName, Timestamp};
use crate::log::{Prepared, Query};

const SECRET: &str = "zq-only-in-plain-7731";

fn open(dir: &Path) -> Engine {
    Engine::open(dir, &Options { encrypt: vec!["person".to_owned()], ..Options::default() }).unwrap()
}

fn event(stream: &str, id: &str) -> NewEvent {
    let payload = crate::cbor::from_json(&format!("\"{stream} {SECRET}\"")).unwrap();
    let (stream, event_type) = (StreamName::new(stream).unwrap(), EventType::new(id).unwrap());
    NewEvent::new(stream, event_type, EventId::new(id).unwrap(), payload)
}

fn entries(engine: &Engine) -> String {
    engine.start("counts-json").unwrap();
    engine.wait("counts-json", |_| {}).unwrap();
    let reader = engine.reader("counts-json").unwrap();
    let entries = reader.entries().unwrap();
    entries.map(|entry| String::from_utf8_lossy(&entry.unwrap().1).into_owned() + "\n").collect()
}

/// A directory with two encrypted streams in a state.
fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(guests::shared_cache(), dir.path().join("cache")).unwrap();
    let engine = open(dir.path());
    let plugin = engine.install(&guests::bytes("counts-json")).unwrap().plugin.name;
    let new = NewProjection {
        name: PluginName::new("counts-json").unwrap(),
        plugin,
        parameters: "{}".to_owned(),
        on_fault: crate::engine::FaultPolicy::Halt,
        fuel_per_event: None,
        memory_bytes: None,
        sync: false,
        quota: crate::engine::Quota::default(),
        keep: crate::engine::Keep::default(),
        dropped: crate::engine::DroppedPolicy::default(),
    };
    engine.create(&new).unwrap();
    let events = vec![event("person/1", "a"), event("person/2", "b")];
    engine.append(Append { events, expectations: Vec::new() }).unwrap();
    assert!(entries(&engine).contains("person/1 zq"));
    dir
}

fn forget() -> What {
    What::Forget { stream: "person/1".to_owned() }
}

fn redact() -> What {
    What::Redact { sequences: [1].into() }
}

fn pending(what: What) -> Pending {
    Pending::new(what, "asked by letter".to_owned(), None, Timestamp::EPOCH)
}

/// Does the first so many steps of an erasure.
fn do_steps(dir: &Path, pending: &Pending, steps: usize) {
    let (engine, why) = (open(dir), pending.why());
    let all: [&dyn Fn(); 4] = [
        &|| pending.write(dir).unwrap(),
        &|| drop(engine.submit(Prepared::new(pending.append()).unwrap()).wait().unwrap()),
        &|| match &pending.what {
            What::Forget { stream } => engine.hub.keys.forget(stream, pending.at).unwrap(),
            What::Redact { sequences } => engine.drop_payloads(sequences).unwrap(),
        },
        &|| engine.remove_made("counts-json", &why).unwrap(),
    ];
    all[..steps].iter().for_each(|step| step());
}

#[test]
fn it_is_finished_wherever_it_stopped() {
    for (what, named, steps) in
        (1..=4).flat_map(|steps| [(forget(), "forgotten", steps), (redact(), "redacted", steps)])
    {
        let dir = made();
        do_steps(dir.path(), &pending(what), steps);
        for round in 0..2 {
            let engine = open(dir.path());
            assert_eq!(engine.head().sequence(), Sequence(3), "{named} after {steps} steps, opening {round}");
            let reader = engine.read_log().unwrap();
            let query = Query { from: Sequence(1), to: Some(Sequence(2)), filter: Filter::all() };
            let batch = reader.read(&query, 2, 1 << 20).unwrap().batch;
            assert_eq!(batch.event(0).payload.dropped().map(|dropped| dropped.why.to_string()).as_deref(), Some(named));
            assert!(batch.event(1).payload().is_some());
            assert!(!dir.path().join("erasing.json").exists());
            let entries = entries(&engine);
            assert!(!entries.contains("person/1 zq") && entries.contains("person/2 zq"), "{entries}");
            assert_eq!(engine.verify("counts-json", |_| {}).unwrap().difference, None);
            engine.log().verify(&mut |_| {}).unwrap();
        }
    }
}

#[test]
fn a_file_that_is_damaged_is_refused_by_name() {
    let dir = made();
    pending(forget()).write(dir.path()).unwrap();
    let path = dir.path().join("erasing.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("person/1", "person/2")).unwrap();
    let error = Engine::open(dir.path(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("erasing.json: ") && error.contains("it says what was being erased"), "{error}");
}
