//! Bits flip in the files of a directory while no host runs: what is asked afterwards is answered rightly, or refused with
//! the file's name and a way out, or found by a verification. With the file as it was all is as it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use polyfold::engine::{Engine, Error, Options, Query};
use polyfold::event::{Filter, Sequence};

use super::origin::{Copy, EVENTS, random};
use crate::host::Host;

const BUDGET: Duration = Duration::from_secs(25);

/// All that can be asked of a directory.
#[derive(Clone, Debug, PartialEq)]
struct Answers {
    plugins: String,
    projections: String,
    events: Vec<Vec<u8>>,
    entries: BTreeMap<String, String>,
}

/// What came of asking.
#[derive(Debug)]
enum Asked {
    Answered(Box<Answers>),
    /// The first refusal.
    Refused(String),
}

fn ask(dir: &Path) -> Asked {
    let answers = || -> Result<Answers, Error> {
        let host = Host(Engine::open(dir, &Options::default())?);
        let (plugins, projections) = (format!("{:?}", host.installed_plugins()), format!("{:?}", host.projections()));
        let mut entries = BTreeMap::new();
        for projection in host.projections() {
            host.start(&projection.name)?;
            host.wait(&projection.name, |_| {})?;
            let mut text = String::new();
            for entry in host.reader(&projection.name)?.entries()? {
                text += &format!("{:?}\n", entry?);
            }
            entries.insert(projection.name, text);
        }
        Ok(Answers { plugins, projections, events: events(&host)?, entries })
    };
    match answers() {
        Ok(answers) => Asked::Answered(Box::new(answers)),
        Err(error) => Asked::Refused(error.to_string()),
    }
}

fn events(host: &Host) -> Result<Vec<Vec<u8>>, Error> {
    let (mut query, mut events) = (Query { from: Sequence::FIRST, to: None, filter: Filter::all() }, Vec::new());
    let reader = host.log().reader()?;
    while query.from <= host.head().sequence() {
        let page = reader.read(&query, 1_000, 1 << 20)?;
        events.extend(page.batch.iter().map(|event| [event.envelope_bytes(), event.payload().unwrap()].concat()));
        query.from = page.next;
    }
    Ok(events)
}

/// Flips a bit, mostly one of a byte that is in use.
fn flip(bytes: &mut [u8], random: &mut fastrand::Rng) -> usize {
    let mut at = random.usize(..bytes.len());
    for _ in 0..if random.u8(..4) > 0 { 1_000 } else { 0 } {
        if bytes[at] != 0 {
            break;
        }
        at = random.usize(..bytes.len());
    }
    bytes[at] ^= 1 << random.u32(..8);
    at
}

/// Whether a verification finds what is wrong, and says what to do.
fn is_found(dir: &Path, place: &str) -> bool {
    let host = Host(Engine::open(dir, &Options::default()).unwrap());
    if let Err(error) = host.log().verify(&mut |_| {}) {
        check_words(&error.to_string(), place);
        return true;
    }
    host.projections().iter().any(|projection| {
        host.start(&projection.name).unwrap();
        let verified = host.verify(&projection.name, |_| {});
        verified.map_or(true, |verified| verified.difference.is_some())
    })
}

/// A refusal names what is damaged and the way out.
fn check_words(refusal: &str, place: &str) {
    let ways = ["restore", "rebuild", "install", "delete", "move", "log verify"];
    assert!(ways.iter().any(|way| refusal.contains(way)), "{place}: {refusal}");
}

fn check_tokens(copy: &Copy, place: &str) {
    let (said, code) = copy.run(&["token", "list"]);
    match code {
        Some(0) => assert!(said.contains("reader") && said.contains("read"), "{place}: {said}"),
        _ => assert!(said.contains("tokens.json") && said.contains("restore the file"), "{place}: {said}"),
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_harmless_or_named_or_found() {
    let mut random = random();
    let whole = Copy::new();
    let Asked::Answered(truth) = ask(&whole.path()) else { panic!("nothing is damaged yet") };
    assert_eq!(truth.events.len() as u64, EVENTS);
    let (began, mut outcomes) = (Instant::now(), BTreeMap::<(String, &str), usize>::new());
    let files = Copy::new().files();
    while began.elapsed() < BUDGET {
        for number in 0..files.len() {
            let copy = Copy::new();
            let path = &copy.files()[number];
            let sound = std::fs::read(path).unwrap();
            let mut damaged = sound.clone();
            let at = flip(&mut damaged, &mut random);
            std::fs::write(path, damaged).unwrap();
            let place = format!("{} at {at}", path.strip_prefix(copy.path()).unwrap().display());
            let outcome = outcome(&copy, path, &sound, &truth, &place);
            let kind = path.extension().unwrap_or(path.file_name().unwrap()).to_string_lossy().into_owned();
            let kind = if path.ends_with("log.redb") { "log".to_owned() } else { kind };
            *outcomes.entry((kind, outcome)).or_default() += 1;
        }
    }
    for ((kind, outcome), times) in &outcomes {
        println!("{kind}: {outcome} {times} times");
    }
    let refused: usize =
        outcomes.iter().filter(|((_, outcome), _)| *outcome == "refused").map(|(_, times)| times).sum();
    assert!(refused >= 3, "{outcomes:?}");
}

/// What came of one flip.
fn outcome(copy: &Copy, path: &Path, sound: &[u8], truth: &Answers, place: &str) -> &'static str {
    if path.ends_with("tokens.json") {
        check_tokens(copy, place);
    }
    match ask(&copy.path()) {
        Asked::Answered(answers) if *answers == *truth => "harmless",
        Asked::Answered(answers) => {
            // Only a state may be wrong without a word, because reads trust its file; and a verification finds it.
            let states_apart = Answers { entries: truth.entries.clone(), ..*answers };
            assert!(states_apart == *truth, "{place}: a wrong answer in silence");
            assert!(is_found(&copy.path(), place), "{place}: wrong, and no verification finds it");
            "found by a verification"
        }
        Asked::Refused(refusal) => {
            check_words(&refusal, place);
            // What a state's file was is made anew by itself, so that only it can have been set aside.
            if path.exists() {
                std::fs::write(path, sound).unwrap();
            }
            match ask(&copy.path()) {
                Asked::Answered(answers) => assert!(*answers == *truth, "{place}: it is not as it was"),
                Asked::Refused(refusal) => panic!("{place}, with the file as it was: {refusal}"),
            }
            "refused"
        }
    }
}
