//! A data directory under the model's operations.

use std::collections::BTreeSet;

use polyfold::engine::{
    Append, BackupError, BackupShape, BackupWriter, Beside, Engine, HostKeyToo, Keep, KeepGenerations, Motive,
    NewProjection, Options, Restore, Until, Upgrade, VerifyOptions,
};
use polyfold::event::{Sequence, Timestamp};

use super::{Happened, Model, POLICIES, Ran};
use crate::host::{Dir, Host, event, projection};

/// What retention keeps, by the number of times that the directory is opened.
const RETENTION: [&str; 3] = ["", "[category.a]\nlast = 1", "[category.a]\nlast = 3"];

/// A data directory, what should be true of it, and its backup.
pub(super) struct World {
    pub(super) model: Model,
    /// Absent only while it is opened again.
    host: Option<Host>,
    dir: Dir,
    backups: tempfile::TempDir,
    /// The newest generation, and what was true then.
    backed_up: Option<(u64, Model)>,
    ids: u64,
}

fn open(dir: &Dir, retention: &str) -> Host {
    let retention = toml::from_str(retention).unwrap();
    Host(Engine::open(dir.path(), &Options { retention, ..Options::default() }).unwrap())
}

impl World {
    pub(super) fn new(random: &mut fastrand::Rng) -> Self {
        let dir = Dir::new();
        let host = open(&dir, RETENTION[1]);
        host.guest("journal");
        host.guest("journal_v2");
        let first = Ran { refuses: true, policy: random.u8(..3) };
        let keep = Keep {
            snapshot_every: *random.choice(&[None, Some(0), Some(30)]).unwrap(),
            history: *random.choice(&[None, Some(0), Some(20)]).unwrap(),
            ..Keep::default()
        };
        let on_fault = POLICIES[first.policy as usize];
        host.create(&NewProjection { on_fault, keep, ..projection("it", "journal@0.1.0") }).unwrap();
        host.settle("it");
        // What is live takes over a moment later, and what was replaced before it served is not remembered.
        while host.projection("it").unwrap().serving.is_none() {
            std::thread::yield_now();
        }
        let mut model = Model::default();
        model.ran.insert(host.identity("it"), first);
        let backups = tempfile::tempdir().unwrap();
        Self { model, host: Some(host), dir, backups, backed_up: None, ids: 0 }
    }

    pub(super) fn host(&self) -> &Host {
        self.host.as_ref().expect("it is open between two operations")
    }

    pub(super) fn append(&mut self, random: &mut fastrand::Rng) -> &'static str {
        let count = if random.u8(..4) == 0 { random.usize(1..400) } else { random.usize(1..8) };
        let events = (0..count).map(|_| {
            self.ids += 1;
            let (is_bad, occurred) = (random.u8(..40) == 0, random.i64(0..1_000));
            let stream = format!("{}/{}", ["a", "b"][usize::from(random.u8(..4) == 0)], random.u8(..5));
            let mut event = event(&stream, "t", &self.ids.to_string(), &format!("{{\"bad\":{is_bad}}}"));
            event.occurred_at = Timestamp::from_micros(occurred);
            self.model.events.push(Happened { sent: Some(event.clone()), stream, is_bad, occurred });
            event
        });
        let events = events.collect();
        self.host().append(Append { events, expectations: Vec::new() }).unwrap();
        "append"
    }

    /// An event from any time comes again: it is known, whatever became of it.
    pub(super) fn send_again(&mut self, random: &mut fastrand::Rng) -> &'static str {
        let sent: Vec<_> = (1..).zip(&self.model.events).filter_map(|(at, it)| Some((at, it.sent.clone()?))).collect();
        let Some((at, event)) = random.choice(&sent) else { return "send nothing again" };
        let appended = self.host().append(Append { events: vec![event.clone()], expectations: Vec::new() }).unwrap();
        let placed = &appended.events[0];
        assert_eq!((placed.sequence, placed.duplicate), (Sequence(*at), true), "{event:?}");
        "send again"
    }

    pub(super) fn open_again(&mut self, random: &mut fastrand::Rng) -> &'static str {
        self.host = None;
        self.host = Some(open(&self.dir, random.choice(RETENTION).unwrap()));
        "open again"
    }

    pub(super) fn settle(&mut self) -> &'static str {
        self.host().settle("it");
        "settle"
    }

    pub(super) fn upgrade(&mut self, random: &mut fastrand::Rng) -> &'static str {
        let ran = Ran { refuses: random.bool(), policy: random.u8(..3) };
        let plugin = if ran.refuses { "journal@0.1.0" } else { "journal@0.2.0" };
        let on_fault = Some(POLICIES[ran.policy as usize]);
        let upgrade = Upgrade { plugin: Some(plugin.to_owned()), on_fault, auto_promote: true, ..Upgrade::default() };
        let host = self.host();
        let wanted = host.upgrade("it", &upgrade).unwrap().wanted().identity().to_string();
        host.settle("it");
        let it = host.projection("it").unwrap();
        // One that halts on its way never serves, and is not remembered once it is dropped, unless it served before.
        if it.serving.as_ref().is_some_and(|serving| serving.identity().to_string() == wanted) {
            self.model.ran.insert(wanted, ran);
        } else {
            host.abandon("it", Beside::Building).ok();
        }
        "upgrade"
    }

    pub(super) fn rebuild(&mut self) -> &'static str {
        self.host().rebuild("it", |_| {}).unwrap();
        "rebuild"
    }

    pub(super) fn take_snapshot(&mut self) -> &'static str {
        self.host().take_snapshot("it").unwrap();
        "take a snapshot"
    }

    /// Drops what the policy does not keep. A state that has halted before the end keeps everything.
    pub(super) fn compact(&mut self) -> &'static str {
        let host = self.host();
        host.settle("it");
        let halted = host.projection("it").unwrap();
        let halted = halted.deployments().any(|it| {
            let ran = self.model.ran.get(&it.identity().to_string());
            ran.is_some_and(|ran| ran.fold(&self.model.upto(self.model.head(), None)).1.is_some())
        });
        match host.run_retention(&mut |_, _| {}) {
            Ok(run) if run.events > 0 => {
                assert!(!halted, "what a halted state needs was dropped");
                assert_eq!(host.log().verify(&mut |_| {}).unwrap().events, self.model.head());
                "compact"
            }
            Ok(_) => "compact nothing",
            Err(error) => {
                assert!(halted && error.to_string().starts_with("nothing is dropped"), "{error}");
                "compact nothing, because of a halted state"
            }
        }
    }

    pub(super) fn redact(&mut self, random: &mut fastrand::Rng) -> &'static str {
        let of_users = |at: &u64| self.model.events[*at as usize - 1].sent.is_some();
        let known: Vec<u64> = (1..=self.model.head()).filter(of_users).collect();
        let named: BTreeSet<u64> = (0..random.usize(1..4)).filter_map(|_| random.choice(&known).copied()).collect();
        if named.is_empty() {
            return "redact nothing";
        }
        let redacted = self.host().redact(named.clone(), Motive::new("a test", None).unwrap()).unwrap();
        let left = named.difference(&self.model.erased).count() as u64;
        assert_eq!((redacted.events, redacted.sequence.is_some()), (left, left > 0), "{named:?}");
        if redacted.sequence.is_some() {
            let stream = "polyfold/redactions".to_owned();
            self.model.events.push(Happened { sent: None, stream, is_bad: false, occurred: i64::MAX });
        }
        self.model.erased.extend(named);
        "redact"
    }

    pub(super) fn back_up(&mut self) -> &'static str {
        let mut writer = BackupWriter::open(self.backups.path(), BackupShape::Directory).unwrap();
        let request = writer.request(self.model.head().is_multiple_of(2));
        if let Err(error) = self.host().check_backup(&request) {
            // A restore to an earlier event begins another history.
            assert!(self.backed_up.is_none(), "{error}");
            self.backups = tempfile::tempdir().unwrap();
            return self.back_up();
        }
        let mut taken = Ok(());
        let sent = self.host().send_backup(&request, HostKeyToo::Yes, &mut |piece| {
            taken = writer.take(&piece);
            taken.is_ok()
        });
        sent.unwrap();
        taken.unwrap();
        let made = writer.finish(KeepGenerations::default(), Timestamp::now()).unwrap();
        self.backed_up = Some((made.generation.generation, self.model.clone()));
        "back up"
    }

    /// The directory is lost and made again of its backup, up to some event.
    pub(super) fn restore(&mut self, random: &mut fastrand::Rng) -> &'static str {
        let Some((generation, model)) = self.backed_up.take() else { return "restore nothing" };
        let mut end = if random.bool() { model.head() } else { random.u64(..=model.head()) };
        self.host = None;
        self.dir = Dir::restored(|dir| {
            let until = Until::Sequence(Sequence(end));
            let restore = Restore { backup: self.backups.path(), dir, until, generation: Some(generation) };
            let Err(error) = restore.run(&mut |_, _| {}) else { return };
            // Within what was folded there is no end: the message names the nearest.
            let BackupError::Compacted { first, last, .. } = error else { panic!("{error}") };
            assert!(first.0 <= end && end < last.0, "{error}");
            end = first.0 - 1;
            let until = Until::Sequence(Sequence(end));
            Restore { until, ..restore }.run(&mut |_, _| {}).unwrap();
        });
        self.model = model;
        self.model.events.truncate(end as usize);
        self.model.erased.retain(|at| *at <= end);
        self.host = Some(open(&self.dir, RETENTION[0]));
        self.host().settle("it");
        "restore"
    }

    pub(super) fn verify(&mut self) -> &'static str {
        let host = self.host();
        host.log().verify(&mut |_| {}).unwrap();
        host.settle("it");
        let options = VerifyOptions { compile_anew: false, ..VerifyOptions::default() };
        let verified = host.verify_as("it", &options, |_| {}).unwrap();
        assert!(verified.difference.is_none(), "{:?}", verified.difference);
        "verify"
    }
}
