//! Random operations on an engine against a list of events and a map of counts.

use std::collections::BTreeMap;

use polyfold::engine::{Append, Error, Expectation, Phase, Refused};
use polyfold::event::{StreamName, Version};

use crate::host::{Dir, Host, event, projection};

const OPERATIONS: usize = 120;
const NAMES: [&str; 2] = ["one", "two"];

/// What should be there.
#[derive(Default)]
struct Model {
    /// Each event's stream, type and id, in order of sequence.
    events: Vec<(String, String, u64)>,
    projections: BTreeMap<&'static str, ()>,
}

impl Model {
    fn version(&self, stream: &str) -> u64 {
        self.events.iter().filter(|(found, ..)| found == stream).count() as u64
    }

    /// What event-counts makes of the events.
    fn entries(&self) -> String {
        let mut counts: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for ((stream, event_type, _), sequence) in self.events.iter().zip(1..) {
            let category = stream.split('/').next().unwrap();
            for key in [format!("type/{event_type}"), format!("category/{category}")] {
                let (count, _, last) = counts.entry(key).or_insert((0, sequence, 0));
                (*count, *last) = (*count + 1, sequence);
            }
        }
        let row = |(key, (count, first, last))| {
            format!("{key} = {{\"count\":{count},\"first_sequence\":{first},\"last_sequence\":{last}}}\n")
        };
        counts.into_iter().map(row).collect()
    }
}

/// `SEED=… cargo test model` repeats a run.
#[test]
fn an_engine_does_what_a_list_and_a_map_do() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = Dir::new();
    let mut host = dir.open();
    host.guest("event-counts");
    let mut model = Model::default();
    for _ in 0..OPERATIONS {
        let name = NAMES[random.usize(..NAMES.len())];
        match random.u8(..12) {
            0..=5 => append(&host, &mut model, &mut random),
            6 => {
                drop(host);
                host = dir.open();
                assert!(host.start_all().is_empty());
            }
            7 => {
                let created = host.create(&projection(name, "event-counts"));
                assert_eq!(created.is_ok(), model.projections.insert(name, ()).is_none());
                host.start(name).unwrap();
            }
            8 => assert_eq!(host.rebuild(name, |_| {}).is_ok(), model.projections.contains_key(name)),
            9 => assert_eq!(host.delete(name).is_ok(), model.projections.remove(name).is_some()),
            _ => check(&host, &model),
        }
    }
    check(&host, &model);
    host.log().verify(&mut |_| {}).unwrap();
}

fn append(host: &Host, model: &mut Model, random: &mut fastrand::Rng) {
    let stream = format!("{}/{}", ["a", "b"][random.usize(..2)], random.u8(..3));
    let next = model.events.len() as u64 + 1;
    // An id that was there before, now and then, with the content that it had.
    let is_known = next > 1 && random.u8(..5) == 0;
    let (stream, event_type, id) = if is_known {
        model.events[random.usize(..model.events.len())].clone()
    } else {
        (stream, ["t", "u", "v"][random.usize(..3)].to_owned(), next)
    };
    let version = model.version(&stream);
    let (expectation, holds) = match random.u8(..4) {
        0 => (Expectation::NoStream, version == 0),
        1 => (Expectation::Version(Version(version)), true),
        2 => (Expectation::Version(Version(version + 1)), false),
        _ => (Expectation::Any, true),
    };
    let events = vec![event(&stream, &event_type, &id.to_string(), &id.to_string())];
    let expectations = vec![(StreamName::new(&stream).unwrap(), expectation)];
    match host.append(Append { events, expectations }) {
        Ok(appended) => {
            let placed = appended.events[0];
            assert!(is_known || holds, "an expectation that fails refuses what is new");
            assert_eq!(placed.duplicate, is_known);
            if is_known {
                assert_eq!(model.events[placed.sequence.0 as usize - 1].2, id);
            } else {
                assert_eq!((placed.sequence.0, placed.version.0), (next, version + 1));
                model.events.push((stream, event_type, id));
            }
        }
        Err(Error::Refused(Refused::Conflict { .. })) => assert!(!holds && !is_known),
        Err(error) => panic!("{error}"),
    }
}

fn check(host: &Host, model: &Model) {
    assert_eq!(host.head().sequence().0, model.events.len() as u64);
    assert_eq!(host.projections().len(), model.projections.len());
    for name in model.projections.keys() {
        assert_eq!(host.settle(name), Phase::Live);
        assert_eq!(host.entries(name), model.entries());
    }
}
