//! Random operations against a list of everything that happened: any state as of any event is what folding the list's
//! beginning afresh makes.

use std::collections::{BTreeMap, BTreeSet};

use polyfold::engine::{Append, AsOf, FaultPolicy, Keep, NewProjection, Upgrade};
use polyfold::event::Timestamp;

use super::past::{as_of, lines, shown};
use crate::host::{Dir, Host, event, projection};

const STEPS: usize = 60;

/// An event as the model knows it.
#[derive(Clone, Debug)]
struct Happened {
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

struct Model {
    events: Vec<Happened>,
    /// By identity.
    ran: BTreeMap<String, Ran>,
}

/// `SEED=… cargo test time::model` repeats a run.
#[test]
fn any_state_as_of_any_event_is_what_folding_the_events_afresh_makes() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = Dir::new();
    let mut host = dir.open();
    host.guest("journal");
    host.guest("journal_v2");
    let mut model = Model { events: Vec::new(), ran: BTreeMap::new() };
    let first = Ran { refuses: true, policy: random.u8(..3) };
    let on_fault = POLICIES[first.policy as usize];
    let keep = Keep {
        snapshot_every: *random.choice(&[None, Some(0), Some(30)]).unwrap(),
        snapshot_bytes: *random.choice(&[None, Some(0), Some(1_000)]).unwrap(),
        history: *random.choice(&[None, Some(0), Some(20)]).unwrap(),
    };
    host.create(&NewProjection { on_fault, keep, ..projection("it", "journal@0.1.0") }).unwrap();
    host.settle("it");
    model.ran.insert(host.identity("it"), first);
    for _ in 0..STEPS {
        match random.u8(..12) {
            0..=4 => append(&host, &mut model, &mut random),
            5 => {
                drop(host);
                host = dir.open();
            }
            6 => drop(host.settle("it")),
            7 => upgrade(&host, &mut model, &mut random),
            8 => drop(host.rebuild("it", |_| {}).unwrap()),
            9 => drop(host.take_snapshot("it").unwrap()),
            _ => {}
        }
        check(&host, &model, &mut random);
    }
}

fn append(host: &Host, model: &mut Model, random: &mut fastrand::Rng) {
    let count = if random.u8(..4) == 0 { random.usize(1..400) } else { random.usize(1..8) };
    let first = model.events.len() as u64 + 1;
    let events = (first..first + count as u64).map(|sequence| {
        let is_bad = random.u8(..40) == 0;
        let happened = Happened { stream: format!("a/{}", random.u8(..5)), is_bad, occurred: random.i64(0..1_000) };
        let mut event = event(&happened.stream, "t", &sequence.to_string(), &format!("{{\"bad\":{is_bad}}}"));
        event.occurred_at = Timestamp::from_micros(happened.occurred);
        model.events.push(happened);
        event
    });
    host.append(Append { events: events.collect(), expectations: Vec::new() }).unwrap();
}

fn upgrade(host: &Host, model: &mut Model, random: &mut fastrand::Rng) {
    let ran = Ran { refuses: random.bool(), policy: random.u8(..3) };
    let plugin = if ran.refuses { "journal@0.1.0" } else { "journal@0.2.0" };
    let on_fault = Some(POLICIES[ran.policy as usize]);
    let upgrade = Upgrade { plugin: Some(plugin.to_owned()), on_fault, auto_promote: true, ..Upgrade::default() };
    let wanted = host.upgrade("it", &upgrade).unwrap().wanted().identity().to_string();
    host.settle("it");
    let it = host.projection("it").unwrap();
    // One that halts on its way never serves, and is not remembered once it is dropped.
    if it.serving.as_ref().is_some_and(|serving| serving.identity().to_string() == wanted) {
        model.ran.insert(wanted, ran);
    } else {
        host.abandon("it", polyfold::engine::Beside::Building).ok();
    }
}

fn check(host: &Host, model: &Model, random: &mut fastrand::Rng) {
    let head = model.events.len() as u64;
    let events: Vec<(u64, &Happened)> = (1..).zip(&model.events).collect();
    let readable = host.projection("it").unwrap().readable().identity().to_string();
    for _ in 0..3 {
        let at = random.u64(..=head);
        let identities: Vec<&String> = model.ran.keys().collect();
        let identity = random.bool().then(|| (*random.choice(&identities).unwrap()).clone());
        let occurred = (random.u8(..4) == 0).then(|| random.i64(0..1_000));
        let asked = AsOf {
            occurred: occurred.and_then(Timestamp::from_micros),
            identity: identity.as_ref().map(|identity| identity[..20].to_owned()),
            ..as_of(at)
        };
        let counts = |(sequence, event): &&(u64, &Happened)| {
            *sequence <= at && occurred.is_none_or(|occurred| event.occurred <= occurred)
        };
        let counted: Vec<(u64, &Happened)> = events.iter().filter(counts).copied().collect();
        let ran = model.ran[identity.as_ref().unwrap_or(&readable)];
        let (expected, halted) = ran.fold(&counted);
        let past = host.look_back("it", &asked).unwrap();
        assert_eq!(shown(&past), expected, "{asked:?} {ran:?} from {:?} {}", past.origin, past.from);
        assert_eq!((past.reached.0, past.halted.is_some()), (halted.unwrap_or(at), halted.is_some()), "{asked:?}");
    }
}
