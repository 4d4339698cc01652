//! Damage: a flipped bit is found and its place named; what is no log is refused with its name.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::crash::CrashingDisk;

fn small() -> Options {
    Options { memtable_events: 100, ..Options::default() }
}

/// A log of some blocks and runs, its clean bytes, and where in them its blocks lie.
fn clean() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let log = Log::open(&path, &small()).unwrap();
    for commit in 0..12 {
        let payload = |n: usize| blake3::hash(&[n as u8, commit as u8]).as_bytes().repeat(20);
        let events = (0..90).map(|n| event(&format!("a/{n}"), "t", &format!("{commit} {n}"), &payload(n)));
        append(&log, Append { events: events.collect(), expectations: vec![] }, time(commit)).unwrap();
    }
    drop(log);
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes)
}

fn outcome(bytes: Vec<u8>) -> Result<Verified, Error> {
    let log = Log::open_with_backend(CrashingDisk::holding(bytes), &small())?;
    verify(&log)
}

/// Every place of those bytes in the file.
fn places_of(needle: &[u8], bytes: &[u8]) -> Vec<usize> {
    bytes.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle).map(|(place, _)| place).collect()
}

#[test]
fn a_flipped_bit_in_any_block_is_found_and_named() {
    let (_folder, path, bytes) = clean();
    let log = Log::open(&path, &small()).unwrap();
    let reader = log.reader().unwrap();
    let mut blocks = Vec::new();
    for row in reader.blocks_table().range(0..).unwrap() {
        let (first, stored) = row.unwrap();
        blocks.push((first.value(), stored.value().to_vec()));
    }
    drop((reader, log));
    assert!(blocks.len() > 5);
    for (first, stored) in &blocks {
        // Old versions of the last block may still lie in free pages: a flip there is no damage.
        let [place] = places_of(stored, &bytes)[..] else { panic!("block {first} lies in one place") };
        for at in [0, 4, 20, 60, stored.len() / 2, stored.len() - 1].map(|at| place + at) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let error = outcome(damaged).expect_err("a flip in a live block goes unnoticed").to_string();
            assert!(error.starts_with(&format!("block {first} is damaged: ")), "at {at}: {error}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_never_changes_what_is_read() {
    let (_folder, _, bytes) = clean();
    let clean = outcome(bytes.clone()).unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut found = 0;
    for _ in 0..60 {
        let mut damaged = bytes.clone();
        let at = random.usize(..bytes.len());
        damaged[at] ^= 1 << random.u8(..8);
        match outcome(damaged) {
            Ok(verified) => assert_eq!(verified, clean, "at {at}"),
            Err(_) => found += 1,
        }
    }
    assert!(found > 0);
}

#[test]
fn what_is_no_log_is_refused_with_its_name() {
    let (folder, _, bytes) = clean();
    let check = |what: &str, content: &[u8], expected: &str| {
        let path = folder.path().join(what);
        fs::write(&path, content).unwrap();
        let error = Log::open(&path, &small()).expect_err(what).to_string();
        assert!(error.contains(what) && error.contains(expected), "{what}: {error}");
    };
    check("empty", b"", "is not a polyfold log: it is too short; name another file");
    check("random", &blake3::hash(b"x").as_bytes().repeat(500), "is not a polyfold log: it is a file of another kind");
    for part in [20, 1000, 4096, 5000, bytes.len() / 2, bytes.len() - 4096] {
        check(&format!("truncated-{part}"), &bytes[..part], "is damaged: ");
    }
    let foreign = folder.path().join("foreign");
    drop(redb::Database::create(&foreign).unwrap());
    check("foreign", &fs::read(&foreign).unwrap(), "is not a polyfold log: it is a redb file of another program");
}

#[test]
fn a_newer_format_is_refused_with_the_way_out() {
    let (_folder, path, _) = clean();
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(tables::META).unwrap().insert(tables::META_KEY, b"\x03\0\0\0later".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Log::open(&path, &small()).unwrap_err().to_string();
    assert!(error.ends_with("has log format 3, this polyfold reads up to 2; use a newer polyfold"), "{error}");
}

#[test]
fn a_log_in_use_is_refused() {
    let (_folder, path, _) = clean();
    let _log = Log::open(&path, &small()).unwrap();
    assert!(matches!(Log::open(&path, &small()), Err(Error::InUse { .. })));
}
