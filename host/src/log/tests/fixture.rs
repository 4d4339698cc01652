//! A log that an earlier polyfold wrote must still open, verify and lead to the same chain head.

use super::*;

/// Written by `write_fixture` of format 1: 2,000 events, three runs of each index, blocks of both kinds.
pub(super) const V1: &[u8] = include_bytes!("../fixtures/v1.redb");

#[test]
fn a_log_of_format_1_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v1.redb");
    std::fs::write(&path, V1).unwrap();
    let log = Log::open(&path, &Options::default()).unwrap();
    let found = format!("{} {} {}", log.id(), log.head().sequence, verify(&log).unwrap().chain);
    expect_test::expect![
        "01a1fc7f-2e47-7732-b7be-f9da258ce5fa 2000 2d2016c95073cf9aba329b4c14978bbaa6919f3434f93776b77a22efb7801f45"
    ]
    .assert_eq(&found);
    let reader = log.reader().unwrap();
    assert_eq!(reader.stream_version(&StreamName::new("a/7").unwrap()).unwrap(), Version(200));
    assert_eq!(reader.find(&EventId::new("event 1234").unwrap()).unwrap(), Some(Sequence(1235)));
    append(&log, Append { events: vec![event("a/7", "t", "new", b"x")], expectations: vec![] }, time(1)).unwrap();
    verify(&log).unwrap();
}

/// Written by `write_fixture_2`: stubs of both kinds, and runs that end at 333 and 1,024.
const V2: &[u8] = include_bytes!("../fixtures/v2.redb");

#[test]
fn a_log_of_format_2_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v2.redb");
    std::fs::write(&path, V2).unwrap();
    let log = Log::open(&path, &Options::default()).unwrap();
    let verified = verify(&log).unwrap();
    assert_eq!((verified.events, verified.stubs + verified.folded), (2_000, 1_486));
    expect_test::expect!["2d2016c95073cf9aba329b4c14978bbaa6919f3434f93776b77a22efb7801f45"]
        .assert_eq(&verified.chain.to_string());
    // The same as those of format 1: nothing of the tree or the chain changes with what is dropped.
    let roots = [1_024, 2_000].map(|at| log.event_root(Sequence(at)).unwrap().to_string());
    expect_test::expect![[r#"
        52ebb9ecbdd07dae1cb15ad9864cc62441c3383f8ea7741793d4ee089d36b97e
        fa1d328a3881cba62e16c9a0f26f4894f86d21bf30dedf048f2fa33bbecc23d2"#]]
    .assert_eq(&roots.join("\n"));
    let reader = log.reader().unwrap();
    reader.chain_at(Sequence(333)).unwrap();
    assert!(matches!(reader.chain_at(Sequence(334)), Err(Error::InFolded { .. })));
    assert_eq!(reader.stream_version(&StreamName::new("a/7").unwrap()).unwrap(), Version(200));
    append(&log, Append { events: vec![event("a/7", "t", "new", b"x")], expectations: vec![] }, time(1)).unwrap();
    verify(&log).unwrap();
}

/// Writes the fixture of format 2, where POLYFOLD_FIXTURE_2 says: the log of format 1 with stubs and runs in it.
#[test]
fn write_fixture_2() {
    let Some(path) = std::env::var_os("POLYFOLD_FIXTURE_2") else { return };
    std::fs::write(&path, V1).unwrap();
    let log = Log::open(path.as_ref(), &Options::default()).unwrap();
    let mut drop = |event: &crate::event::EventRef<'_>| match event.sequence.0 {
        sequence if sequence % 100 == 0 => Some(crate::event::Why::Redacted),
        sequence if sequence < 1_500 && sequence % 70 != 0 => Some(crate::event::Why::Compacted),
        _ => None,
    };
    let boundaries = [Sequence(333), Sequence(1_024)].into();
    log.rewrite(Rewrite { drop: &mut drop, fold: true, boundaries: &boundaries }, &mut |_| {}).unwrap();
}

/// Writes the fixture anew where POLYFOLD_FIXTURE says; only a new format needs one, under a new name.
#[test]
fn write_fixture() {
    let Some(path) = std::env::var_os("POLYFOLD_FIXTURE") else { return };
    let options = Options { memtable_events: 600, ..Options::default() };
    let log = Log::open(path.as_ref(), &options).unwrap();
    for commit in 0..20_usize {
        let event = |n| {
            event(&format!("a/{}", n % 10), ["t", "u"][n % 2], &format!("event {n}"), format!("payload {n}").as_bytes())
        };
        let events = (commit * 100..(commit + 1) * 100).map(event).collect();
        append(&log, Append { events, expectations: vec![] }, time(commit as i64)).unwrap();
    }
}
