//! A state's file: the power fails at every sync, and a file of an earlier release still opens.

use super::*;
use crate::crash::faulty::{Fault as DiskFault, FaultyDisk};
use crate::crash::{CrashingDisk, Unsynced};
use crate::event::{Digest, Sequence};

const COMMITS: u64 = 12;

fn open(disk: CrashingDisk) -> Result<Store, Error> {
    Store::open_with_backend(disk, Digest::ZERO, [7; 16])
}

/// What the events up to this one make: a count, an entry for each, and every third deleted again.
fn changes(sequence: u64) -> (Changes, Checkpoint) {
    let mut changes = Changes::default();
    changes.set("count".to_owned(), Some(sequence.to_le_bytes().to_vec()));
    changes.set(format!("event/{sequence:03}"), Some(vec![sequence as u8; 2_000]));
    if sequence.is_multiple_of(3) {
        changes.set(format!("event/{:03}", sequence - 1), None);
    }
    let chain = Digest::of(&sequence.to_le_bytes());
    let checkpoint = Checkpoint { sequence: Sequence(sequence), events: sequence, fuel: sequence * 10, chain };
    (changes, checkpoint)
}

fn commit(store: &Store, sequence: u64) -> Result<(), Error> {
    let (changes, checkpoint) = changes(sequence);
    let history = Some(History { sequence: Sequence(sequence), horizon: 5 });
    let marks = Marks {
        faults: vec![fault(sequence)],
        set_aside: [set_aside(sequence)].into(),
        costs: None,
        missing: None,
        history,
    };
    store.commit(&changes, checkpoint, &marks)
}

/// One of three streams, of which there is more every third time.
fn set_aside(sequence: u64) -> (String, SetAside) {
    let (first, events) = (Sequence(1 + (sequence - 1) % 3), 1 + (sequence - 1) / 3);
    (format!("a/{first}"), SetAside { first, events, last: Sequence(sequence) })
}

fn fault(sequence: u64) -> Fault {
    Fault {
        sequence,
        stream: "a/1".into(),
        event_type: "t".into(),
        schema_version: 1,
        plugin: Digest::ZERO.to_string(),
        upcasters: Vec::new(),
        kind: "trap".into(),
        message: "it trapped".into(),
        backtrace: None,
        fuel: 0,
        output: String::new(),
    }
}

/// The digests of the state after each number of commits, undisturbed.
fn digests() -> Vec<Digest> {
    let store = open(CrashingDisk::default()).unwrap();
    let mut digests = vec![store.reader().unwrap().digest().unwrap()];
    for sequence in 1..=COMMITS {
        commit(&store, sequence).unwrap();
        digests.push(store.reader().unwrap().digest().unwrap());
    }
    digests
}

/// Commits until the power fails; says how many were acknowledged, none if the state could not even be made.
fn run(disk: &CrashingDisk) -> Option<u64> {
    let store = open(disk.clone()).ok()?;
    Some((1..=COMMITS).take_while(|sequence| commit(&store, *sequence).is_ok()).count() as u64)
}

#[test]
fn a_power_failure_keeps_state_checkpoint_and_faults_together() {
    let digests = digests();
    let whole = CrashingDisk::default();
    assert_eq!(run(&whole), Some(COMMITS));
    let seed = fastrand::u64(..);
    println!("seed {seed}, {} syncs", whole.syncs());
    for sync in 1..=whole.syncs() {
        let disk = CrashingDisk::default();
        disk.cut_at(sync);
        let acknowledged = run(&disk);
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(seed + sync as u64)] {
            let store = match (open(CrashingDisk::holding(disk.after_power_loss(unsynced))), acknowledged) {
                (Ok(store), _) => store,
                // It was being made: it says that it is unusable, and is built anew.
                (Err(_), None) => continue,
                (Err(error), Some(_)) => panic!("sync {sync}, {unsynced:?}: {error}"),
            };
            let reached = store.checkpoint().unwrap().sequence.0;
            let acknowledged = acknowledged.unwrap_or(0);
            assert!(reached == acknowledged || reached == acknowledged + 1, "sync {sync}, {unsynced:?}: {reached}");
            assert_eq!(store.reader().unwrap().digest().unwrap(), digests[reached as usize], "sync {sync}");
            assert_eq!(store.reader().unwrap().check_tree().unwrap(), None, "sync {sync}, {unsynced:?}");
            assert_eq!(store.faults().unwrap().len() as u64, reached, "sync {sync}, {unsynced:?}");
            let set_aside = store.reader().unwrap().set_aside(None, usize::MAX).unwrap();
            let events: u64 = set_aside.iter().map(|(_, set_aside)| set_aside.events).sum();
            assert_eq!(events, reached, "sync {sync}, {unsynced:?}");
            // Feeding on from there leads to what an undisturbed run makes.
            (reached + 1..=COMMITS).for_each(|sequence| commit(&store, sequence).unwrap());
            assert_eq!(store.reader().unwrap().digest().unwrap(), digests[COMMITS as usize], "sync {sync}");
        }
    }
}

/// The same while history is replayed and the tree is left behind, then built.
#[test]
fn a_power_failure_leaves_no_tree_of_other_entries() {
    let replay = |disk: &CrashingDisk| {
        let store = open(disk.clone())?;
        for sequence in 1..=COMMITS {
            let (changes, checkpoint) = changes(sequence);
            store.commit_on_the_way(&changes, checkpoint, &Marks::default())?;
            if sequence.is_multiple_of(5) {
                assert!(!store.reader()?.has_tree());
                store.build_tree()?;
            }
        }
        store.build_tree()
    };
    let (digests, whole) = (digests(), CrashingDisk::default());
    replay(&whole).unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}, {} syncs", whole.syncs());
    let mut with_tree = 0;
    for sync in 1..=whole.syncs() {
        let disk = CrashingDisk::default();
        disk.cut_at(sync);
        // The last sync is that of closing, which nobody hears of.
        drop(replay(&disk));
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(seed + sync as u64)] {
            let Ok(store) = open(CrashingDisk::holding(disk.after_power_loss(unsynced))) else { continue };
            let reader = store.reader().unwrap();
            let reached = reader.checkpoint().sequence.0;
            assert_eq!(reader.check_tree().unwrap(), None, "sync {sync}, {unsynced:?}");
            assert_eq!(reader.digest().unwrap(), digests[reached as usize], "sync {sync}, {unsynced:?}");
            with_tree += u64::from(reader.has_tree());
            store.build_tree().unwrap();
            let reader = store.reader().unwrap();
            assert!(reader.has_tree());
            assert_eq!(reader.check_tree().unwrap(), None, "sync {sync}, {unsynced:?}");
            assert_eq!(reader.digest().unwrap(), digests[reached as usize], "sync {sync}, {unsynced:?}");
        }
    }
    assert!((1..3 * whole.syncs() as u64).contains(&with_tree), "some had it, some had not: {with_tree}");
}

#[test]
fn a_full_disk_refuses_commits_while_reads_go_on_until_there_is_room() {
    let digests = digests();
    for room in [0, 1, 2, 4, 8, 16] {
        let disk = CrashingDisk::default();
        let store = open(disk.clone()).unwrap();
        (1..=3).for_each(|sequence| commit(&store, sequence).unwrap());
        disk.leave_room(Some(room));
        let failed = (4..=COMMITS).find_map(|sequence| Some((sequence, commit(&store, sequence).err()?)));
        if let Some((sequence, error)) = failed {
            assert!(error.is_disk_full(), "{error}");
            assert_eq!(store.checkpoint().unwrap().sequence, Sequence(sequence - 1));
            assert_eq!(store.reader().unwrap().digest().unwrap(), digests[sequence as usize - 1]);
        }
        disk.leave_room(None);
        let next = store.checkpoint().unwrap().sequence.0 + 1;
        (next..=COMMITS).for_each(|sequence| commit(&store, sequence).unwrap());
        assert_eq!(store.reader().unwrap().digest().unwrap(), digests[COMMITS as usize]);
    }
}

#[test]
fn a_disk_that_fails_once_at_any_operation_leaves_a_state_that_is_made_whole_from_its_checkpoint() {
    let digests = digests();
    let open = |disk: &FaultyDisk| Store::open_with_backend(disk.clone(), Digest::ZERO, [7; 16]);
    let made = FaultyDisk::default();
    drop(open(&made).unwrap());
    for fault in DiskFault::ALL {
        let mut operations = 0;
        for operation in 1.. {
            let disk = made.after_power_loss();
            disk.fail_at(fault, operation);
            let place = format!("{fault:?} at {operation}");
            let store = open(&disk).or_else(|_| open(&disk)).unwrap_or_else(|error| panic!("{place}: {error}"));
            // As a worker does: after an error it goes on behind the checkpoint that the file then has.
            let mut failures = 0;
            loop {
                let step = store.checkpoint().and_then(|checkpoint| match checkpoint.sequence.0 {
                    COMMITS => store.settle().map(|()| true),
                    reached => commit(&store, reached + 1).map(|()| false),
                });
                match step {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => failures += usize::from(failures < 3 || panic!("{place}: {error}")),
                }
            }
            let has_failed = disk.has_failed();
            disk.heal();
            let lost = open(&disk.after_power_loss()).unwrap_or_else(|error| panic!("{place}: {error}"));
            for store in [store, lost] {
                assert_eq!(store.checkpoint().unwrap().sequence.0, COMMITS, "{place}");
                assert_eq!(store.reader().unwrap().digest().unwrap(), digests[COMMITS as usize], "{place}");
            }
            if !has_failed {
                break;
            }
            operations = operation;
        }
        println!("{fault:?}: {operations} operations, each failed once");
        assert!(operations > 3, "{fault:?}: only {operations}");
    }
}

/// Written by `write_fixture` of format 1.
const V1: &[u8] = include_bytes!("fixtures/v1.redb.gz");

#[test]
fn a_state_of_format_1_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v1.redb");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(V1), &mut bytes).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let store = Store::open(&path, Digest::ZERO, [7; 16]).unwrap();
    let Checkpoint { sequence, events, fuel, chain } = store.checkpoint().unwrap();
    assert_eq!(chain, Digest::of(&COMMITS.to_le_bytes()));
    assert_eq!((sequence.0, events, fuel), (COMMITS, COMMITS, COMMITS * 10));
    let has_tree = || {
        let reader = store.reader().unwrap();
        assert_eq!(reader.digest().unwrap(), digests()[COMMITS as usize]);
        assert_eq!(reader.check_tree().unwrap(), None);
        reader.has_tree()
    };
    assert!(!has_tree(), "there is no tree in it");
    store.build_tree().unwrap();
    assert!(has_tree());
    assert_eq!(store.faults().unwrap(), (1..=COMMITS).map(fault).collect::<Vec<_>>());
    assert_eq!(store.reader().unwrap().set_aside(None, usize::MAX).unwrap(), []);
    commit(&store, COMMITS + 1).unwrap();
    assert_eq!(store.reader().unwrap().check_tree().unwrap(), None);
    let set_aside = store.reader().unwrap().set_aside(None, usize::MAX).unwrap();
    assert_eq!(set_aside, [self::set_aside(COMMITS + 1)]);
    drop(store);
    assert!(Store::open(&path, Digest::ZERO, [7; 16]).unwrap().reader().unwrap().has_tree());
}

#[test]
fn quarantined_streams_are_listed_by_pages() {
    let store = open(CrashingDisk::default()).unwrap();
    (1..=5).for_each(|sequence| commit(&store, sequence).unwrap());
    let page = |after, limit| store.reader().unwrap().set_aside(after, limit).unwrap();
    let of = |first: u64, events, last| {
        (format!("a/{first}"), SetAside { first: Sequence(first), events, last: Sequence(last) })
    };
    assert_eq!(page(None, 2), [of(1, 2, 4), of(2, 2, 5)]);
    assert_eq!(page(Some("a/2"), 2), [of(3, 1, 3)]);
    assert_eq!(page(Some("a/3"), 2), []);
}

/// Written by `write_fixture` of format 2.
const V2: &[u8] = include_bytes!("fixtures/v2.redb.gz");

#[test]
fn a_state_of_format_2_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v2.redb");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(V2), &mut bytes).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let reader = Store::open(&path, Digest::ZERO, [7; 16]).unwrap().reader().unwrap();
    let Checkpoint { sequence, events, fuel, .. } = reader.checkpoint();
    assert_eq!((sequence.0, events, fuel), (COMMITS, COMMITS, COMMITS * 10));
    assert!(reader.has_tree());
    assert_eq!(reader.check_tree().unwrap(), None);
    assert_eq!(reader.digest().unwrap(), digests()[COMMITS as usize]);
    assert_eq!(reader.fault_count().unwrap(), COMMITS);
}

/// Where POLYFOLD_FIXTURE names a file, it is the next fixture, to be packed with gzip; only a new format needs one.
#[test]
fn write_fixture() {
    let folder = tempfile::tempdir().unwrap();
    let named = std::env::var_os("POLYFOLD_FIXTURE").map(PathBuf::from);
    let path = named.unwrap_or_else(|| folder.path().join("v1.redb"));
    let store = Store::open(&path, Digest::ZERO, [7; 16]).unwrap();
    (1..=COMMITS).for_each(|sequence| commit(&store, sequence).unwrap());
    drop(store);
    let store = Store::open(&path, Digest::ZERO, [7; 16]).unwrap();
    assert_eq!(store.reader().unwrap().digest().unwrap(), digests()[COMMITS as usize]);
}
