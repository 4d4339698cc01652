//! What projections do about events that are gone, with the archive and without it; and where states begin then.

use std::path::Path;

use polyfold::engine::{AsOf, DroppedPolicy, Missing, Moment, Occasion, Phase, Upgrade};
use polyfold::event::{Filter, Sequence};

use super::open;
use crate::host::{Dir, Host, refusal};

const POLICY: &str = "[category.a]\nlast = 1";

/// 40 events of `a/1` and 10 of `b/1`, of which all of the first but the last are dropped; `it` has seen all of them.
fn dropped(dir: &Dir) -> Host {
    let host = open(dir, POLICY);
    host.guest("journal");
    host.make("it", "journal", DroppedPolicy::Archive);
    host.append_all("a/1", &[("t", "{}"); 40]);
    host.append_all("b/1", &[("t", "{}"); 10]);
    host.settle("it");
    assert_eq!(host.retain().events, 39);
    host
}

/// What the journal has of the events from `first` on.
fn journal(first: u64, a_from: u64) -> String {
    let list = |numbers: Vec<u64>| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let (a, b) = ((a_from..=40).collect::<Vec<_>>(), (41.max(first)..=50).collect::<Vec<_>>());
    format!(
        "all = [{}]\nstream/a/1 = [{}]\nstream/b/1 = [{}]\n",
        list([a.clone(), b.clone()].concat()),
        list(a),
        list(b)
    )
}

fn missing(host: &Host, name: &str) -> Missing {
    host.status(name).unwrap().readable.missing
}

fn remove_archive(dir: &Path) {
    std::fs::remove_dir_all(dir.join("archive")).unwrap();
}

#[test]
fn a_new_projection_reads_through_the_archive_goes_without_or_refuses() {
    let dir = Dir::new();
    let host = dropped(&dir);
    assert_eq!(host.make("archive", "journal", DroppedPolicy::Archive), Phase::Live);
    assert_eq!((host.entries("archive"), missing(&host, "archive")), (journal(1, 1), Missing::default()));
    assert_eq!(host.make("accept", "journal", DroppedPolicy::Accept), Phase::Live);
    assert_eq!(host.entries("accept"), journal(1, 40));
    assert_eq!(missing(&host, "accept").by_retention(), 39);
    assert_eq!(host.verified_from("accept"), 0, "it is made again of the same events");
    let Phase::Failed { reason } = host.make("refuse", "journal", DroppedPolicy::Refuse) else { panic!("it is made") };
    assert!(reason.starts_with("events 1 to 39 are wanted and were compacted, and the projection refuses"), "{reason}");
    // It goes on when it says otherwise.
    let accept = Upgrade { dropped: Some(DroppedPolicy::Accept), ..Upgrade::default() };
    host.upgrade("refuse", &accept).unwrap();
    assert_eq!((host.settle("refuse"), host.entries("refuse")), (Phase::Live, journal(1, 40)));
    drop(host);
    let host = open(&dir, POLICY);
    host.settle("accept");
    assert_eq!(missing(&host, "accept").by_retention(), 39, "it is in the state's file");
}

#[test]
fn without_the_archive_states_begin_at_a_snapshot_behind_the_cut_or_not_at_all() {
    let dir = Dir::new();
    let host = dropped(&dir);
    host.append_all("b/1", &[("t", "{}"); 5]);
    host.settle("it");
    let (digest, entries) = (host.digest("it"), host.entries("it"));
    drop(host);
    remove_archive(dir.path());
    let host = open(&dir, POLICY);
    assert_eq!((host.settle("it"), host.digest("it")), (Phase::Live, digest.clone()));
    assert_eq!(host.verified_from("it"), 50, "at the snapshot that the run took");
    host.rebuild("it", |_| {}).unwrap();
    assert_eq!((host.settle("it"), host.entries("it")), (Phase::Live, entries));
    // A state as of an event behind the cut is made of that snapshot; of one before it there is nothing to make it from.
    let as_of = |sequence: u64| AsOf { at: Some(Moment::Sequence(Sequence(sequence))), ..AsOf::default() };
    let mut ignore = |_: &polyfold::engine::Progress| {};
    let mut look = |sequence| {
        let mut waiting = polyfold::engine::Waiting { stop: std::sync::Arc::default(), watch: &mut ignore };
        host.past("it", &as_of(sequence), &mut waiting)
    };
    assert!(look(52).is_ok());
    let gone = refusal(look(20));
    assert!(gone.contains("are wanted and were compacted, and no archive has them"), "{gone}");
    let Phase::Failed { reason } = host.make("new", "journal", DroppedPolicy::Archive) else { panic!("it is made") };
    assert!(reason.starts_with("events 1 to 39 are wanted and were compacted, and no archive has them"), "{reason}");
    // A state that is lost comes back too.
    drop(host);
    for state in dir.states("it").iter().filter(|path| !path.ends_with("snapshots.redb")) {
        std::fs::remove_file(state).unwrap();
    }
    let host = open(&dir, POLICY);
    assert_eq!((host.settle("it"), host.digest("it")), (Phase::Live, digest));
}

#[test]
fn the_snapshot_that_a_state_would_begin_at_is_not_let_go_of() {
    let dir = Dir::new();
    let host = dropped(&dir);
    let bases: Vec<_> = host.snapshots("it").unwrap();
    assert_eq!((bases.len(), bases[0].occasion, bases[0].sequence), (1, Occasion::Cut, Sequence(50)));
    let refused = refusal(host.remove_snapshot("it", Sequence(50)));
    assert!(
        refused.starts_with("the snapshot at sequence 50 is where the state of projection \"it\" can be begun"),
        "{refused}"
    );
    // One taken by hand at the same place is no less.
    host.take_snapshot("it").unwrap();
    assert_eq!(host.snapshots("it").unwrap()[0].occasion, Occasion::Cut);
    host.append_all("b/1", &[("t", "{}")]);
    host.settle("it");
    host.take_snapshot("it").unwrap();
    assert_eq!(host.remove_snapshot("it", Sequence(50)).unwrap(), 1);
}

#[test]
fn what_a_projection_does_not_want_does_not_matter_to_it() {
    let dir = Dir::new();
    let host = open(&dir, "[category.a]\nlast = 1");
    host.guest("on-time");
    host.append_all("a/1", &[("t", "{}"); 40]);
    host.retain();
    assert_eq!(host.make("on-time", "on-time", DroppedPolicy::Refuse), Phase::Live);
    assert_eq!(missing(&host, "on-time"), Missing::default());
}

#[test]
fn the_archive_is_verified_read_and_put_back() {
    let dir = Dir::new();
    let host = dropped(&dir);
    let head = host.log().head();
    let files = host.archives();
    assert_eq!((files.len(), files[0].first, files[0].last), (1, Sequence(1), Sequence(50)));
    assert_eq!(host.verify_archives(&mut |_| {}).unwrap(), files);
    assert_eq!(host.restore_archives(&mut |_| {}).unwrap().head, head.sequence);
    assert_eq!(host.whole(&Filter::all()), (1..=50).collect());
    assert_eq!(host.log().verify(&mut |_| {}).unwrap().chain, head.chain);
    let stats = host.log().stats().unwrap();
    assert_eq!((stats.stubs, stats.folded, stats.dropped_bytes), (0, 0, 0));
    // The policy is what it was. What the archive has is not written there again.
    assert_eq!(host.retain().events, 39);
    assert_eq!((host.archives(), host.whole(&Filter::all()).len()), (files.clone(), 11));
    drop(host);
    // A file that is damaged is moved away, and the host opens: what it had is missing, and nothing else.
    let mut bytes = std::fs::read(&files[0].path).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(&files[0].path, bytes).unwrap();
    let host = open(&dir, POLICY);
    assert!(host.archives().is_empty());
    let gone = refusal(host.restore_archives(&mut |_| {}));
    assert_eq!(gone, "events 1 to 39 are folded, and no archive has them; bring its files back from a copy");
    assert_eq!((host.settle("it"), host.verified_from("it")), (Phase::Live, 50));
}
