//! Sync projections at the writer: what is refused leaves nothing, what is answered is in every state.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::cbor;
use crate::crash::{CrashingDisk, Unsynced};
use crate::engine::append::{Ticket, Writer};
use crate::engine::feed::Feed;
use crate::engine::journal::Journal;
use crate::engine::keys::Keys;
use crate::engine::outlet::Outlet;
use crate::engine::portion::Want;
use crate::engine::source::Source;
use crate::engine::{Chains, FaultPolicy, Sizing};
use crate::event::{Digest, EventId, EventType, NewEvent, StreamName};
use crate::log::{Append, Appended, Options, Prepared};
use crate::plugin::{Limits, Plugin, Sandbox};
use crate::state::Store;

#[path = "../../../../tests/guests.rs"]
pub(crate) mod guests;

/// Counts events by type and returns an error on a bad one.
const COUNTS: &str = "returns_error";
/// Counts every event.
const ALL: &str = "event-counts";
/// Counts events by type, but it does not come back from a bad one.
const LOOPS: &str = "loops_in_apply";

fn key(name: &str) -> Key {
    Key::state(name, Digest::ZERO)
}

struct Host {
    dir: tempfile::TempDir,
    log: Arc<Log>,
    keys: Arc<Keys>,
    writer: Writer,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(Log::open(&dir.path().join("log.redb"), &Options::default()).unwrap());
        let keys = Arc::new(Keys::open(dir.path(), log.id()).unwrap());
        Self { dir, writer: Writer::start(Arc::clone(&log), Arc::clone(&keys)), log, keys }
    }

    fn path(&self, state: &str) -> std::path::PathBuf {
        self.dir.path().join(format!("{state}.redb"))
    }

    fn store(&self, path: &Path) -> Arc<Store> {
        Arc::new(Store::open(path, Digest::ZERO, self.log.id().0).unwrap())
    }

    fn replay(&self, guest: &str, store: &Arc<Store>) -> Replay {
        let sandbox = Sandbox::new(Some(&guests::shared_cache())).unwrap();
        let (bytes, limits) = (guests::bytes(guest), Limits { fuel_per_event: 20_000_000, ..Limits::default() });
        let Plugin::Projection(projection) = sandbox.load(Digest::of(&bytes), &bytes, &limits).unwrap() else {
            panic!("{guest} is a projection");
        };
        let wanted = projection.manifest().filter.clone();
        let want = Want { upcasters: Vec::new(), prices: crate::plugin::Prices::default(), filter: wanted };
        let source = Source::new(
            Arc::clone(&self.log),
            Arc::clone(&self.keys),
            Arc::default(),
            Arc::new(Chains::default()),
            want,
        );
        // The policy of what is replayed: within an append a fault refuses it all the same.
        let reader = store.reader().unwrap();
        let feed = Feed::of(projection, "{}".into(), FaultPolicy::Skip, Sizing::adaptive(), reader).unwrap();
        let outlet = Outlet::new(Digest::ZERO, Arc::new(Journal::new(Digest::ZERO)));
        Replay::new(source, feed, Arc::clone(store), Arc::new(outlet)).unwrap()
    }

    /// Attaches a guest under the name of its state.
    fn attach(&self, name: &str, guest: &str) -> Arc<Store> {
        let store = self.store(&self.path(name));
        self.writer.attach(&key(name), self.replay(guest, &store)).unwrap();
        store
    }

    fn append(&self, append: Append) -> Result<Appended, Error> {
        self.writer.submit(Prepared::new(append).unwrap()).wait()
    }

    /// Submits while the writer is kept busy, so that all go into one group.
    fn append_together(&self, appends: Vec<Append>) -> Vec<Result<Appended, Error>> {
        let release = self.hold();
        let submit = |append| self.writer.submit(Prepared::new(append).unwrap());
        let tickets: Vec<Ticket> = appends.into_iter().map(submit).collect();
        release.send(()).unwrap();
        tickets.into_iter().map(Ticket::wait).collect()
    }

    /// Keeps the writer busy until something is sent.
    fn hold(&self) -> Sender<()> {
        let ((release, released), (holding, held)) = (channel(), channel());
        self.writer.control_later(move |_| {
            holding.send(()).unwrap();
            released.recv().unwrap();
        });
        held.recv().unwrap();
        release
    }

    /// The digest that an async replay of the whole log makes.
    fn rebuilt(&self, guest: &str) -> Digest {
        let dir = tempfile::tempdir().unwrap();
        let store = self.store(&dir.path().join("rebuilt.redb"));
        let mut replay = self.replay(guest, &store);
        assert!(matches!(replay.run_to(self.log.head().sequence).unwrap(), End::Reached));
        replay.commit(true).unwrap();
        digest(&store)
    }
}

fn digest(store: &Store) -> Digest {
    store.reader().unwrap().digest().unwrap()
}

/// An append of one stream: each word is an event's id and type, `!` before it makes it bad.
fn events(words: &str) -> Append {
    let event = |word: &str| {
        let name = word.trim_start_matches('!');
        let payload = cbor::from_json(if word.starts_with('!') { r#"{"bad":true}"# } else { "1" }).unwrap();
        let (stream, event_type) = (StreamName::new("a/1").unwrap(), EventType::new(&name[..1]).unwrap());
        NewEvent::new(stream, event_type, EventId::new(name).unwrap(), payload)
    };
    Append { events: words.split_whitespace().map(event).collect(), expectations: Vec::new() }
}

/// The counts as `a=1 b=2`, with the checkpoint of who reads them.
fn counts(store: &Store) -> String {
    let text = |entry: Result<(String, Vec<u8>), state::Error>| {
        let (key, value) = entry.unwrap();
        format!("{}={} ", key.trim_start_matches("type/"), cbor::to_json(&value).unwrap())
    };
    let counts: String = store.reader().unwrap().entries().unwrap().map(text).collect();
    format!("{counts}at {}", store.checkpoint().unwrap().sequence)
}

fn places(appended: &Result<Appended, Error>) -> String {
    match appended {
        Ok(appended) => format!("{:?}", appended.events.iter().map(|placed| placed.sequence.0).collect::<Vec<_>>()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn who_has_an_answer_reads_its_own_write() {
    let host = Host::new();
    host.append(events("a1 b1")).unwrap();
    let store = host.attach("counts", COUNTS);
    assert_eq!(counts(&store), "a=1 b=1 at 2", "attaching made up for it");
    for number in 2..40 {
        host.append(events(&format!("a{number}"))).unwrap();
        assert_eq!(counts(&store), format!("a={number} b=1 at {}", number + 1));
    }
    let replay = host.writer.detach(&key("counts")).unwrap().unwrap();
    assert_eq!((replay.reached().sequence, replay.reached().events), (Sequence(40), 40));
    host.append(events("a40")).unwrap();
    assert_eq!(counts(&store), "a=39 b=1 at 40", "it is not taken along any more");
    host.writer.attach(&key("counts"), replay).unwrap();
    assert_eq!(counts(&store), "a=40 b=1 at 41");
    assert_eq!(digest(&store), host.rebuilt(COUNTS));
}

#[test]
fn a_fault_refuses_exactly_its_append() {
    let host = Host::new();
    let (first, second) = (host.attach("first", COUNTS), host.attach("second", COUNTS));
    let appends = ["a1 a2", "!b2 b3", "a3", "!c1", "b1 b4"].map(events).into();
    let answers: Vec<String> = host.append_together(appends).iter().map(places).collect();
    let refused = |sequence: u64, event_type: &str| {
        format!(
            "projection \"first\" refuses the event that would be at sequence {sequence}: error: it says: {event_type}, schema version 1: the payload says that it is bad; nothing was appended"
        )
    };
    // The sequences that a refused append would have had go to the next.
    assert_eq!(answers, ["[1, 2]", &refused(3, "b"), "[3]", &refused(4, "c"), "[4, 5]"]);
    for store in [&first, &second] {
        assert_eq!(counts(store), "a=3 b=2 at 5");
        assert_eq!(digest(store), host.rebuilt(COUNTS));
    }
    let metrics = host.writer.metrics();
    assert_eq!((metrics.appends, metrics.append_events, metrics.refused, metrics.commits), (3, 5, 2, 1));
    host.log.verify(&mut |_| {}).unwrap();
}

#[test]
fn what_a_later_projection_refuses_is_taken_out_of_the_earlier() {
    let host = Host::new();
    let all = host.attach("a takes all", ALL);
    let strict = host.attach("b refuses", LOOPS);
    let answers = host.append_together(["a1", "!a2 a3", "a4"].map(events).into());
    let answers: Vec<String> = answers.iter().map(places).collect();
    assert_eq!(answers[0], "[1]");
    assert!(answers[1].starts_with("projection \"b refuses\" refuses") && answers[1].contains("out-of-fuel"));
    assert_eq!(answers[2], "[2]");
    assert_eq!(counts(&strict), "a=2 at 2");
    assert_eq!((digest(&all), digest(&strict)), (host.rebuilt(ALL), host.rebuilt(LOOPS)));
}

#[test]
fn events_that_are_known_are_not_applied_again() {
    let host = Host::new();
    let store = host.attach("counts", COUNTS);
    let answers = host.append_together(["a1 a2", "a1 a2", "a2 a3"].map(events).into());
    assert_eq!(answers.iter().map(places).collect::<Vec<_>>(), ["[1, 2]", "[1, 2]", "[2, 3]"]);
    assert_eq!(counts(&store), "a=3 at 3");
    host.writer.block("other", "it halted").unwrap();
    assert_eq!(places(&host.append(events("a1"))), "[1]", "nothing new, nothing to refuse");
    assert_eq!(counts(&store), "a=3 at 3");
}

#[test]
fn a_projection_that_cannot_follow_blocks_appends_until_it_can() {
    let host = Host::new();
    let store = host.attach("counts", COUNTS);
    host.writer.block("other", "it halted").unwrap();
    let refused = host.append(events("a1")).unwrap_err();
    assert!(matches!(&refused, Error::ProjectionUnavailable { projection, .. } if projection == "other"), "{refused}");
    assert_eq!((counts(&store).as_str(), host.log.head().sequence), ("at 0", Sequence::ZERO));
    host.writer.unblock("other").unwrap();
    assert_eq!(places(&host.append(events("a1"))), "[1]");
    assert_eq!(counts(&store), "a=1 at 1");
}

#[test]
fn who_is_far_behind_has_to_catch_up_first() {
    let host = Host::new();
    let numbered = |from: usize| (from..from + 10_000).map(|number| format!("a{number} ")).collect::<String>();
    (0..2).for_each(|append| drop(host.append(events(&numbered(append * 10_000))).unwrap()));
    let store = host.store(&host.path("counts"));
    host.append(events("b1")).unwrap();
    let refused = host.writer.attach(&key("counts"), host.replay(COUNTS, &store)).unwrap_err();
    assert!(matches!(refused.error, Error::NotCaughtUp { checkpoint: Sequence::ZERO, .. }), "{refused:?}");
    let mut replay = *refused.replay.unwrap();
    assert!(matches!(replay.run_to(Sequence(1_000)).unwrap(), End::Reached));
    replay.commit(true).unwrap();
    host.writer.attach(&key("counts"), replay).unwrap();
    assert_eq!(counts(&store), "a=20000 b=1 at 20001");
}

#[test]
fn a_crash_leaves_a_state_that_attaching_completes() {
    let host = Host::new();
    let disk = CrashingDisk::default();
    let open = |disk| Arc::new(Store::open_with_backend(disk, Digest::ZERO, host.log.id().0).unwrap());
    host.writer.attach(&key("counts"), host.replay(COUNTS, &open(disk.clone()))).unwrap();
    let mut images = Vec::new();
    for number in 0..20 {
        host.append(events(&format!("a{number} b{number}"))).unwrap();
        let unsynced = [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(number)];
        images.extend(unsynced.map(|unsynced| disk.after_power_loss(unsynced)));
    }
    drop(host.writer.detach(&key("counts")).unwrap().unwrap());
    let (rebuilt, mut behind) = (host.rebuilt(COUNTS), 0);
    for image in images {
        let store = open(CrashingDisk::holding(image));
        behind += usize::from(store.checkpoint().unwrap().sequence < Sequence(40));
        host.writer.attach(&key("counts"), host.replay(COUNTS, &store)).unwrap();
        assert_eq!(digest(&store), rebuilt);
        drop(host.writer.detach(&key("counts")).unwrap().unwrap());
    }
    assert!(behind > 0, "a crash lost something that was not synced");
}

#[test]
fn a_state_whose_disk_is_full_makes_up_for_what_it_lost() {
    let host = Host::new();
    let disk = CrashingDisk::default();
    let store = Arc::new(Store::open_with_backend(disk.clone(), Digest::ZERO, host.log.id().0).unwrap());
    host.writer.attach(&key("counts"), host.replay(COUNTS, &store)).unwrap();
    for round in 0..3 {
        disk.leave_room(Some(0));
        for number in 0..10 {
            let answer = host.append(events(&format!("a{round}{number} b{round}{number}")));
            // Without a sync there may be room in memory; what is answered is in the state either way.
            host.writer.control(|riders| riders.settle(true)).unwrap();
            match answer {
                Ok(_) => assert_eq!(store.checkpoint().unwrap().sequence, host.log.head().sequence),
                Err(error) => assert!(matches!(error, Error::ProjectionUnavailable { .. }), "{error}"),
            }
        }
        disk.leave_room(None);
        host.append(events(&format!("c{round}"))).unwrap();
        assert_eq!(store.checkpoint().unwrap().sequence, host.log.head().sequence);
        assert_eq!(digest(&store), host.rebuilt(COUNTS));
    }
    let replay = host.writer.detach(&key("counts")).unwrap().unwrap();
    assert_eq!(replay.reached().sequence, host.log.head().sequence);
    drop((replay, store));
    let store = Store::open_with_backend(disk, Digest::ZERO, host.log.id().0).unwrap();
    assert_eq!(digest(&store), host.rebuilt(COUNTS));
    host.log.verify(&mut |_| {}).unwrap();
}
