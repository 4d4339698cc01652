//! Snapshots: what they share, what becomes of them when the power fails, and that nothing damaged is read.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use redb::ReadableTable as _;

use super::*;
use crate::crash::{CrashingDisk, Unsynced};
use crate::event::Timestamp;
use crate::state::{Changes, Checkpoint, Entry, Marks, SetAside, Store};

const IDENTITY: Digest = Digest([5; 32]);
const LOG: [u8; 16] = [7; 16];

type Entries = BTreeMap<String, Vec<u8>>;

fn store() -> Store {
    Store::open_with_backend(CrashingDisk::default(), IDENTITY, LOG).unwrap()
}

fn checkpoint(sequence: u64) -> Checkpoint {
    let chain = Digest::of(&sequence.to_le_bytes());
    Checkpoint { sequence: Sequence(sequence), events: sequence, fuel: 3 * sequence, chain }
}

fn marks(sequence: u64) -> Marks {
    let aside = SetAside { first: Sequence(sequence), events: 2, last: Sequence(sequence + 5) };
    Marks {
        faults: Vec::new(),
        set_aside: [("a/1".to_owned(), aside)].into(),
        costs: Some(Default::default()),
        missing: Some(crate::state::Missing { compacted: sequence, redacted: 2, ..Default::default() }),
        history: None,
    }
}

/// Changes so many entries, and commits.
fn commit(store: &Store, entries: &mut Entries, sequence: u64, keys: impl Iterator<Item = u64>) {
    let mut changes = Changes::default();
    for key in keys {
        let (key, value) = (format!("key/{key:05}"), (key * 1_000 + sequence).to_le_bytes().repeat(4));
        // Some go.
        let value = (!(sequence + value[0] as u64).is_multiple_of(7)).then_some(value);
        changes.set(key.clone(), value.clone());
        match value {
            Some(value) => entries.insert(key, value),
            None => entries.remove(&key),
        };
    }
    store.commit(&changes, checkpoint(sequence), &Marks::default()).unwrap();
}

fn take(snapshots: &Snapshots, store: &Store, sequence: u64) -> Result<Taken, Error> {
    let why = Why { occasion: Occasion::Hand, taken_at: Timestamp::EPOCH, fed_bytes: sequence * 10 };
    snapshots.take(IDENTITY, store.reader()?, marks(sequence), why, &AtomicBool::new(false))
}

fn read(snapshots: &Snapshots, sequence: u64) -> Result<Option<Entries>, Error> {
    let Some(view) = snapshots.view(IDENTITY, Sequence(sequence))? else { return Ok(None) };
    view.check()?;
    assert_eq!((view.manifest().checkpoint, &view.manifest().marks), (checkpoint(sequence), &marks(sequence)));
    view.entries()?.collect::<Result<Entries, _>>().map(Some)
}

fn nodes(snapshots: &Snapshots) -> u64 {
    snapshots.db.begin_read().unwrap().open_table(NODES).unwrap().len().unwrap()
}

#[test]
fn snapshots_share_what_did_not_change_and_read_as_their_states_were() {
    let (store, mut entries) = (store(), Entries::new());
    let snapshots = Snapshots::open_with_backend(CrashingDisk::default(), LOG).unwrap();
    commit(&store, &mut entries, 1, 0..5_000);
    let first = take(&snapshots, &store, 1).unwrap();
    let (was, all) = (entries.clone(), nodes(&snapshots));
    assert_eq!((first.digest, first.totals.entries), (store.reader().unwrap().digest().unwrap(), was.len() as u64));
    commit(&store, &mut entries, 2, [2_500].into_iter());
    take(&snapshots, &store, 2).unwrap();
    let more = nodes(&snapshots) - all;
    assert!(more < 20, "one entry's way up, and not {more} of {all} nodes");
    assert_eq!(read(&snapshots, 1).unwrap(), Some(was.clone()));
    assert_eq!(read(&snapshots, 2).unwrap(), Some(entries.clone()));
    assert_eq!(read(&snapshots, 3).unwrap(), None);

    // Without a stored tree the same comes of a pass over the entries.
    let left = self::store();
    let mut changes = Changes::default();
    entries.iter().for_each(|(key, value)| changes.set(key.clone(), Some(value.clone())));
    left.commit_on_the_way(&changes, checkpoint(3), &Marks::default()).unwrap();
    assert!(!left.reader().unwrap().has_tree());
    let before = nodes(&snapshots);
    take(&snapshots, &left, 3).unwrap();
    assert_eq!((nodes(&snapshots), read(&snapshots, 3).unwrap()), (before, Some(entries.clone())));

    // Removal takes what no other one has.
    assert_eq!(snapshots.remove(|it| it.checkpoint.sequence.0 >= 2).unwrap(), 2);
    assert_eq!((nodes(&snapshots), read(&snapshots, 1).unwrap()), (all, Some(was)));
    assert_eq!(snapshots.remove(|_| true).unwrap(), 1);
    assert_eq!((nodes(&snapshots), snapshots.list().unwrap()), (0, Vec::new()));
}

#[test]
fn keys_and_ranges_are_found_in_a_snapshot_of_any_size() {
    for count in [0, 1, 2, 31, 32, 33, 600, 2_000] {
        let (store, mut entries) = (store(), Entries::new());
        commit(&store, &mut entries, 1, (0..count).map(|at| at * 3));
        let snapshots = Snapshots::open_with_backend(CrashingDisk::default(), LOG).unwrap();
        take(&snapshots, &store, 1).unwrap();
        let view = snapshots.view(IDENTITY, Sequence(1)).unwrap().unwrap();
        for asked in (0..count * 3 + 3).step_by(5) {
            let key = format!("key/{asked:05}");
            assert_eq!(view.get(&key).unwrap(), entries.get(&key).cloned(), "{count}: {key}");
            let behind = view.range_from(std::ops::Bound::Excluded(&key)).unwrap().take(3).map(Result::unwrap);
            let expected =
                entries.range::<str, _>((std::ops::Bound::Excluded(key.as_str()), std::ops::Bound::Unbounded));
            let expected = expected.take(3).map(|(key, value)| (key.clone(), value.clone()));
            assert_eq!(behind.collect::<Vec<Entry>>(), expected.collect::<Vec<_>>(), "{count}: {key}");
        }
        assert_eq!(read(&snapshots, 1).unwrap(), Some(entries));
    }
}

#[test]
fn a_power_failure_leaves_a_snapshot_whole_or_none() {
    let run = |disk: &CrashingDisk| -> (Vec<Entries>, usize) {
        let (store, mut entries, mut states) = (store(), Entries::new(), Vec::new());
        let mut taken = 0;
        let snapshots = Snapshots::open_with_backend(disk.clone(), LOG);
        for sequence in 1..=4 {
            commit(&store, &mut entries, sequence, (sequence * 100)..(sequence * 100 + 300));
            states.push(entries.clone());
            if let Ok(snapshots) = &snapshots {
                taken += usize::from(take(snapshots, &store, sequence).is_ok());
                if sequence == 3 {
                    drop(snapshots.remove(|it| it.checkpoint.sequence.0 == 2));
                }
            }
        }
        (states, taken)
    };
    let whole = CrashingDisk::default();
    let (states, taken) = run(&whole);
    assert_eq!(taken, 4);
    let seed = fastrand::u64(..);
    println!("seed {seed}, {} syncs", whole.syncs());
    let mut found = 0;
    for sync in 1..=whole.syncs() {
        let disk = CrashingDisk::default();
        disk.cut_at(sync);
        let acknowledged = run(&disk).1;
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(seed + sync as u64)] {
            // A file that was just being made is set aside by its owner.
            let place = format!("sync {sync}, {unsynced:?}");
            let Ok(snapshots) =
                Snapshots::open_with_backend(CrashingDisk::holding(disk.after_power_loss(unsynced)), LOG)
            else {
                assert_eq!(acknowledged, 0, "{place}");
                continue;
            };
            let mut there = 0;
            for (sequence, state) in (1..).zip(&states) {
                if let Some(read) = read(&snapshots, sequence).unwrap_or_else(|error| panic!("{place}: {error}")) {
                    assert_eq!(read, *state, "{place}: {sequence}");
                    there += 1;
                }
            }
            assert!(there + 1 >= acknowledged.min(3), "{place}: {there} of {acknowledged}");
            found += there;
            // What was broken off is swept, and the next one is whole.
            let (store, mut entries) = (store(), Entries::new());
            commit(&store, &mut entries, 9, 0..700);
            take(&snapshots, &store, 9).unwrap();
            snapshots.remove(|it| it.checkpoint.sequence.0 != 9).unwrap();
            assert_eq!(read(&snapshots, 9).unwrap().as_ref(), Some(&entries), "{place}");
            let fresh = Snapshots::open_with_backend(CrashingDisk::default(), LOG).unwrap();
            take(&fresh, &store, 9).unwrap();
            if there > 0 {
                assert_eq!(nodes(&snapshots), nodes(&fresh), "{place}: nothing else is left");
            }
        }
    }
    assert!(found > 0);
}

#[test]
fn what_is_damaged_or_forged_is_never_read_and_goes_when_it_is_looked_for() {
    let (store, mut entries) = (store(), Entries::new());
    let snapshots = Snapshots::open_with_backend(CrashingDisk::default(), LOG).unwrap();
    commit(&store, &mut entries, 1, 0..1_000);
    let was = entries.clone();
    take(&snapshots, &store, 1).unwrap();
    commit(&store, &mut entries, 2, 990..1_200);
    take(&snapshots, &store, 2).unwrap();
    let rows = |snapshots: &Snapshots| -> Vec<([u8; 32], Vec<u8>)> {
        let table = snapshots.db.begin_read().unwrap().open_table(NODES).unwrap();
        table.iter().unwrap().map(|row| row.map(|(key, row)| (*key.value(), row.value().to_vec())).unwrap()).collect()
    };
    let put = |digest: &[u8; 32], row: &[u8]| {
        let transaction = snapshots.db.begin_write().unwrap();
        transaction.open_table(NODES).unwrap().insert(digest, row).unwrap();
        transaction.commit().unwrap();
    };
    // Each node in turn has a bit flipped, or is another node than it is called.
    let all = rows(&snapshots);
    let mut random = fastrand::Rng::with_seed(3);
    for (at, (digest, row)) in all.iter().enumerate() {
        let mut bad = row.clone();
        match at % 2 {
            0 => bad[random.usize(..row.len())] ^= 1 << random.u8(..8),
            _ => bad.clone_from(&all[(at + 1) % all.len()].1),
        }
        put(digest, &bad);
        let found = [read(&snapshots, 1), read(&snapshots, 2)];
        assert!(found.iter().any(Result::is_err), "{at}: some snapshot has that node");
        for (found, state) in found.into_iter().zip([&was, &entries]) {
            if let Ok(found) = found {
                assert_eq!(found.as_ref(), Some(state));
            }
        }
        put(digest, row);
    }
    // A node that only the second one has: the first stays.
    let only = |snapshots: &Snapshots| {
        let other = Snapshots::open_with_backend(CrashingDisk::default(), LOG).unwrap();
        let (store, mut entries) = (self::store(), Entries::new());
        commit(&store, &mut entries, 1, 0..1_000);
        take(&other, &store, 1).unwrap();
        let first: Vec<[u8; 32]> = rows(&other).into_iter().map(|(digest, _)| digest).collect();
        rows(snapshots).into_iter().find(|(digest, _)| !first.contains(digest)).unwrap().0
    };
    put(&only(&snapshots), &[0, 0, 0, 0, 0]);
    let removed = snapshots.scrub(|_| Ok::<(), crate::state::Error>(())).unwrap();
    assert_eq!(removed.iter().map(|damaged| damaged.sequence.0).collect::<Vec<_>>(), [2]);
    assert_eq!((read(&snapshots, 1).unwrap(), read(&snapshots, 2).unwrap()), (Some(was), None));
    take(&snapshots, &store, 2).unwrap();
    assert_eq!(read(&snapshots, 2).unwrap(), Some(entries));

    // A manifest under another identity or sequence, or for another log, is none.
    let row = {
        let table = snapshots.db.begin_read().unwrap().open_table(SNAPSHOTS).unwrap();
        table.get((&IDENTITY.0, 2)).unwrap().unwrap().value().to_vec()
    };
    let transaction = snapshots.db.begin_write().unwrap();
    transaction.open_table(SNAPSHOTS).unwrap().insert((&[6; 32], 2), row.as_slice()).unwrap();
    transaction.open_table(SNAPSHOTS).unwrap().insert((&IDENTITY.0, 3), row.as_slice()).unwrap();
    transaction.commit().unwrap();
    assert!(snapshots.view(Digest([6; 32]), Sequence(2)).is_err() && read(&snapshots, 3).is_err());
    assert_eq!(snapshots.list().unwrap().len(), 2);
    assert_eq!(Manifest::decode(&row, [8; 16], (IDENTITY, Sequence(2))), None);
    let mut forged = row.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(Manifest::decode(&forged, LOG, (IDENTITY, Sequence(2))), None);
}

#[test]
fn a_file_of_another_log_or_of_another_kind_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshots.redb");
    drop(Snapshots::open(&path, LOG).unwrap());
    let said = |result: Result<Snapshots, Error>| result.unwrap_err().to_string();
    assert!(said(Snapshots::open(&path, [8; 16])).ends_with("it was made from another log"));
    drop(Snapshots::open(&path, LOG).unwrap());
    std::fs::write(&path, vec![1; 9_000]).unwrap();
    assert!(said(Snapshots::open(&path, LOG)).contains("it is no file of snapshots"));
    std::fs::remove_file(&path).unwrap();
    drop(Store::open(&path, IDENTITY, LOG).unwrap());
    assert!(said(Snapshots::open(&path, LOG)).contains("format"));
}
