//! A restore that is cut off before each of its file operations in turn, the program killed or the power lost: its place has a
//! whole directory or none, and doing it again finishes it.

use std::collections::BTreeMap;
use std::path::Path;

use super::text;
use crate::machine::shim::{self, Fault};
use crate::program::Environment;

const EVENTS: usize = 300;

/// Every file of a data directory and its length, but for those that are in use.
fn files(dir: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(text(&path).replace(text(dir), ""), path.metadata().unwrap().len())),
            }
        }
    }
    found
}

#[test]
fn a_restore_that_is_cut_off_anywhere_leaves_a_whole_directory_or_none() {
    let made = Environment::with_flights(EVENTS);
    made.ok(&["backup", "safe", "--states"]);
    let (place, tally) = (made.path("place"), made.path("tally"));
    let dir = place.join("restored");
    let restore = ["--data-dir", text(&dir), "restore", "safe"];
    let cut = |fault: Fault, at: usize| {
        drop(std::fs::remove_dir_all(&place));
        drop(std::fs::remove_file(&tally));
        std::fs::create_dir(&place).unwrap();
        let mut command = made.command(&restore);
        shim::fail(&mut command, &place, fault, at, &tally);
        command.output().unwrap();
        shim::tally(&tally)
    };
    let operations = cut(Fault::Kill, 0).total;
    let whole = files(&dir);
    assert!(operations > 30 && whole.contains_key("/log.redb") && whole.len() >= 5, "{operations}: {whole:?}");
    let mut there = 0;
    for fault in [Fault::Kill, Fault::Power] {
        // A kill loses less than power does: a third of them is enough.
        for at in (1..=operations).step_by(if fault == Fault::Kill { 3 } else { 1 }) {
            let tally = cut(fault, at);
            // Operations of threads beside each other change places, and a sync more or less is done.
            let Some(struck) = tally.struck else { continue };
            if dir.exists() {
                there += 1;
                assert_eq!(files(&dir), whole, "{fault:?} at {at}, {struck}");
            } else {
                made.ok(&restore);
            }
            if at % 8 == 0 {
                made.ok(&["--data-dir", text(&dir), "log", "verify"]);
            }
            assert!(!place.join("restored.restoring").exists() || dir.exists(), "{fault:?} at {at}, {struck}");
        }
    }
    println!("{operations} operations, {there} times the directory was there");
    assert!(there > 0, "no cut came behind the rename");
}
