//! Random operations against a list of everything that ever happened: any state as of any event is what folding the list's
//! beginning afresh makes, whatever was snapshot, compacted, redacted, backed up and restored meanwhile.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use polyfold::engine::{AsOf, FaultPolicy};
use polyfold::event::{NewEvent, Timestamp};

use super::past::{as_of, lines, shown};
use world::World;

const STEPS: usize = 60;

/// An event as the model knows it.
#[derive(Clone, Debug)]
struct Happened {
    /// As it was sent; none if the host wrote it by itself.
    sent: Option<NewEvent>,
    stream: String,
    is_bad: bool,
    occurred: i64,
}

/// What ran: which version of the journal, and under which policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ran {
    refuses: bool,
    policy: u8,
}

const POLICIES: [FaultPolicy; 3] = [FaultPolicy::Halt, FaultPolicy::Skip, FaultPolicy::Quarantine];

impl Ran {
    /// What it makes of the events behind which a state stands, and where that is if it halts.
    fn fold(self, events: &[(u64, &Happened)]) -> (String, Option<u64>) {
        let mut entries: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut aside = BTreeSet::new();
        for (sequence, event) in events {
            if aside.contains(&event.stream) {
                continue;
            }
            if event.is_bad && self.refuses {
                match POLICIES[self.policy as usize] {
                    FaultPolicy::Halt => return (lines(&entries), Some(sequence - 1)),
                    FaultPolicy::Skip => {}
                    FaultPolicy::Quarantine => drop(aside.insert(event.stream.clone())),
                }
                continue;
            }
            for key in [format!("stream/{}", event.stream), "all".to_owned()] {
                entries.entry(key).or_default().push(*sequence);
            }
        }
        (lines(&entries), None)
    }
}

/// All that ever happened.
#[derive(Clone, Debug, Default)]
struct Model {
    /// By sequence, from 1.
    events: Vec<Happened>,
    /// What was redacted.
    erased: BTreeSet<u64>,
    /// By identity.
    ran: BTreeMap<String, Ran>,
}

impl Model {
    fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// What a state as of an event is made of, if all must have occurred by a time.
    fn upto(&self, at: u64, occurred: Option<i64>) -> Vec<(u64, &Happened)> {
        let counts = |(sequence, event): &(u64, &Happened)| {
            *sequence <= at
                && !self.erased.contains(sequence)
                && occurred.is_none_or(|occurred| event.occurred <= occurred)
        };
        (1..).zip(&self.events).filter(counts).collect()
    }
}

/// `SEED=… cargo test time::model` repeats a run.
#[test]
fn any_state_as_of_any_event_is_what_folding_the_events_afresh_makes() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(&mut random);
    for step in 0..STEPS {
        let did = match random.u8(..20) {
            0..=4 => world.append(&mut random),
            5 => world.send_again(&mut random),
            6 => world.open_again(&mut random),
            7 => world.settle(),
            8 => world.upgrade(&mut random),
            9 => world.rebuild(),
            10 => world.take_snapshot(),
            11 | 12 => world.compact(),
            13 => world.redact(&mut random),
            14 => world.back_up(),
            15 => world.restore(&mut random),
            16 => world.verify(),
            _ => "read",
        };
        println!("{step}: {did}");
        check(&world, &mut random);
    }
    world.verify();
}

fn check(world: &World, random: &mut fastrand::Rng) {
    let (model, host) = (&world.model, world.host());
    assert_eq!(host.log().head().sequence.0, model.head());
    let readable = host.projection("it").unwrap().readable().identity().to_string();
    for _ in 0..3 {
        let at = random.u64(..=model.head());
        let identities: Vec<&String> = model.ran.keys().collect();
        let identity = random.bool().then(|| (*random.choice(&identities).unwrap()).clone());
        let occurred = (random.u8(..4) == 0).then(|| random.i64(0..1_000));
        let asked = AsOf {
            occurred: occurred.and_then(Timestamp::from_micros),
            identity: identity.as_ref().map(|identity| identity[..20].to_owned()),
            ..as_of(at)
        };
        let ran = model.ran[identity.as_ref().unwrap_or(&readable)];
        let (expected, halted) = ran.fold(&model.upto(at, occurred));
        let past = host.look_back("it", &asked).unwrap();
        assert_eq!(shown(&past), expected, "{asked:?} {ran:?} from {:?} {}", past.origin, past.from);
        assert_eq!((past.reached.0, past.halted.is_some()), (halted.unwrap_or(at), halted.is_some()), "{asked:?}");
    }
}
