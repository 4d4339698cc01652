//! The event tree over a real log: its roots, its proofs, and the file that keeps some of it.

use std::fs;

use super::*;

/// A log of so many events in a folder of its own, in several commits.
fn log_of(events: usize) -> (tempfile::TempDir, std::path::PathBuf, Log) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let log = Log::open(&path, &Options::default()).unwrap();
    grow(&log, 0..events);
    (folder, path, log)
}

fn grow(log: &Log, numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for part in numbers.chunks(700) {
        let event =
            |n: &usize| event(&format!("a/{}", n % 10), "t", &format!("{n}"), format!("payload {n}").as_bytes());
        append(log, Append { events: part.iter().map(event).collect(), expectations: vec![] }, time(1)).unwrap();
    }
}

fn leaf_at(log: &Log, sequence: u64) -> Digest {
    let query = Query { from: Sequence(sequence), to: Some(Sequence(sequence)), filter: Filter::all() };
    let page = log.reader().unwrap().read(&query, 1, 1).unwrap();
    let event = page.batch.event(0);
    event_leaf(event.payload.digest(), event.envelope_bytes())
}

#[test]
fn every_root_is_that_of_the_bytes_and_every_event_is_proved() {
    let (_folder, _, log) = log_of(3_000);
    for at in [0, 1, 2, 1_023, 1_024, 1_025, 2_048, 2_999, 3_000] {
        let root = log.event_root(Sequence(at)).unwrap();
        let recomputed = log.recompute(Sequence(at), &mut |_| {}).unwrap();
        assert_eq!(root, recomputed.root, "at {at}");
        assert_eq!(recomputed.chain, log.reader().unwrap().chain_at(Sequence(at)).unwrap(), "at {at}");
        for sequence in [1, 2, 700, 1_024, 1_025, 2_049, 3_000].into_iter().filter(|sequence| *sequence <= at) {
            let proof = log.prove_event(Sequence(sequence), Sequence(at)).unwrap();
            assert_eq!(proof.root(leaf_at(&log, sequence)), Some(root), "{sequence} at {at}");
            assert_ne!(proof.root(leaf_at(&log, sequence % at + 1)) == Some(root), at > 1, "{sequence} at {at}");
            assert!(proof.path.len() <= 12, "{}", proof.path.len());
        }
    }
}

#[test]
fn a_log_of_format_1_keeps_its_event_root() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v1.redb");
    fs::write(&path, super::fixture::V1).unwrap();
    let log = Log::open(&path, &Options::default()).unwrap();
    let roots = [1, 1_024, 2_000].map(|at| log.event_root(Sequence(at)).unwrap().to_string());
    expect_test::expect![[r#"
        6920701b5ce489c528447ee3d3a6657f78cf86e29455ac7fb1a568d455940f36
        52ebb9ecbdd07dae1cb15ad9864cc62441c3383f8ea7741793d4ee089d36b97e
        fa1d328a3881cba62e16c9a0f26f4894f86d21bf30dedf048f2fa33bbecc23d2"#]]
    .assert_eq(&roots.join("\n"));
}

#[test]
fn the_kept_roots_are_taken_up_and_extended() {
    let (_folder, path, log) = log_of(2_100);
    let file = path.with_extension("tree");
    assert!(!file.exists(), "appends do nothing for it");
    log.event_root(Sequence(2_100)).unwrap();
    let kept = fs::read(&file).unwrap();
    assert_eq!(kept.len(), 20 + 2 * 88);
    drop(log);
    let log = Log::open(&path, &Options::default()).unwrap();
    grow(&log, 2_100..3_200);
    let root = log.event_root(Sequence(3_200)).unwrap();
    assert_eq!(root, log.recompute(Sequence(3_200), &mut |_| {}).unwrap().root);
    let longer = fs::read(&file).unwrap();
    assert_eq!((longer.len(), &longer[..kept.len()]), (20 + 3 * 88, &kept[..]));
}

#[test]
fn roots_that_are_damaged_or_of_another_log_are_made_again() {
    let (_folder, path, log) = log_of(3_100);
    let root = log.event_root(Sequence(3_100)).unwrap();
    drop(log);
    let file = path.with_extension("tree");
    let whole = fs::read(&file).unwrap();
    let mut damages: Vec<Vec<u8>> = (0..whole.len()).step_by(7).map(|at| flipped(&whole, at)).collect();
    damages.extend([0, 1, 19, 20, 21, 100, whole.len() - 1].map(|length| whole[..length].to_vec()));
    damages.push([&whole[..], &[7; 1000]].concat());
    damages.push([&whole[..20], &whole[108..196], &whole[20..108], &whole[196..]].concat());
    for damaged in damages {
        fs::write(&file, &damaged).unwrap();
        let log = Log::open(&path, &Options::default()).unwrap();
        assert_eq!(log.event_root(Sequence(3_100)).unwrap(), root);
        assert_eq!(fs::read(&file).unwrap(), whole, "it is whole again");
    }
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 4;
    flipped
}

/// A copy that was taken earlier goes on with other events: what was kept of the first history is not for it.
#[test]
fn roots_of_another_history_of_the_log_are_made_again() {
    let (_folder, path, log) = log_of(1_000);
    drop(log);
    let copy = fs::read(&path).unwrap();
    let first = Log::open(&path, &Options::default()).unwrap();
    grow(&first, 1_000..2_048);
    let root = first.event_root(Sequence(2_048)).unwrap();
    drop(first);
    let kept = fs::read(path.with_extension("tree")).unwrap();
    fs::write(&path, copy).unwrap();
    let second = Log::open(&path, &Options::default()).unwrap();
    assert_eq!(
        second.event_root(Sequence(1_000)).unwrap(),
        second.recompute(Sequence(1_000), &mut |_| {}).unwrap().root
    );
    grow(&second, 5_000..6_048);
    let other = second.event_root(Sequence(2_048)).unwrap();
    assert_ne!(other, root);
    assert_eq!(other, second.recompute(Sequence(2_048), &mut |_| {}).unwrap().root);
    drop(second);
    fs::write(path.with_extension("tree"), kept).unwrap();
    let third = Log::open(&path, &Options::default()).unwrap();
    assert_eq!(third.event_root(Sequence(2_048)).unwrap(), other);
}

#[test]
fn a_place_that_cannot_be_written_costs_nothing_but_time() {
    let (_folder, path, log) = log_of(1_100);
    fs::create_dir(path.with_extension("tree")).unwrap();
    let root = log.event_root(Sequence(1_100)).unwrap();
    assert_eq!(root, log.recompute(Sequence(1_100), &mut |_| {}).unwrap().root);
}
