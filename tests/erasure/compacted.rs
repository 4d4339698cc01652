//! What retention took out of the log is erased in its archive; what cannot be erased there is refused before anything is.

use std::fs;
use std::path::PathBuf;

use polyfold::engine::Options;

use super::*;
use crate::host::refusal;

const EVENTS: u64 = 60;

/// A host that lets go of all that is of category `person`.
fn open(dir: &Dir) -> Host {
    let retention = toml::from_str("[category.person]\nfor = \"0s\"").unwrap();
    Host(Engine::open(dir.path(), &Options { retention, ..Options::default() }).unwrap())
}

/// Events of three streams, of two types, of which a projection counts all; then they are compacted.
fn compacted(dir: &Dir, is_encrypted: bool) -> Host {
    let host = open(dir);
    if is_encrypted {
        host.encrypt(&["person".to_owned()]).unwrap();
    }
    let plugin = host.guest("counts-json").plugin.name;
    host.create(&projection("counts", &plugin)).unwrap();
    for number in 1..=EVENTS {
        let stream = format!("person/{}", number % 3);
        host.put(&stream, ["named", "moved"][number as usize % 2], &number.to_string(), &secret("x")).unwrap();
    }
    host.settle("counts");
    let run = host.run_retention(&mut |_, _| {}).unwrap();
    assert!(run.events == EVENTS && run.folded > 50, "{run:?}");
    host
}

fn archive_file(dir: &Dir) -> PathBuf {
    let files = fs::read_dir(dir.path().join("archive")).unwrap();
    files.map(|file| file.unwrap().path()).find(|path| path.extension().is_some_and(|it| it == "blocks")).unwrap()
}

fn redact(host: &Host, sequence: u64) -> Result<polyfold::engine::Redacted, Error> {
    host.redact([sequence].into(), motive("asked by letter"))
}

#[test]
fn a_stream_is_forgotten_although_the_log_has_nothing_of_it_any_more() {
    let dir = Dir::new();
    let host = compacted(&dir, true);
    let before = host.digest("counts");
    let forgotten = host.forget_for_test("person/1");
    assert_eq!((forgotten.events, &forgotten.rebuilt[..]), (EVENTS / 3, &["counts".to_owned()][..]));
    host.settle("counts");
    assert_ne!(host.digest("counts"), before);
    assert_eq!(host.verify("counts", |_| {}).unwrap().difference, None);
}

#[test]
fn plain_events_that_were_compacted_keep_their_stream_from_being_forgotten() {
    let dir = Dir::new();
    let host = compacted(&dir, false);
    host.encrypt(&["person".to_owned()]).unwrap();
    host.put("person/1", "named", "later", &secret("y")).unwrap();
    let why = refusal(host.forget(&StreamName::new("person/1").unwrap(), motive("asked by letter")));
    assert!(why.contains("from before it was encrypted (20, the first at sequence 1)"), "{why}");
}

#[test]
fn a_damaged_archive_refuses_a_redaction_before_anything_is_done() {
    let dir = Dir::new();
    let host = compacted(&dir, false);
    drop(host);
    let path = archive_file(&dir);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let host = open(&dir);
    let head = host.log().head().sequence;
    let why = refusal(redact(&host, 5));
    assert!(why.contains("archive") && why.contains(".blocks"), "{why}");
    assert_eq!(host.log().head().sequence, head);
    assert!(!dir.path().join("erasing.json").exists());
    drop(host);
    open(&dir).put("order/1", "placed", "after", "1").unwrap();
}

#[test]
fn what_could_not_be_built_again_is_not_taken_apart() {
    let dir = Dir::new();
    let host = compacted(&dir, true);
    let before = host.digest("counts");
    drop(host);
    fs::rename(dir.path().join("archive"), dir.path().join("elsewhere")).unwrap();
    let host = open(&dir);
    for why in [
        refusal(host.forget(&StreamName::new("person/1").unwrap(), motive("asked by letter"))),
        refusal(redact(&host, EVENTS)),
    ] {
        assert!(why.contains("compacted"), "{why}");
    }
    host.settle("counts");
    assert_eq!(host.digest("counts"), before);
}

#[test]
fn a_file_that_comes_back_does_not_bring_back_what_was_redacted() {
    let dir = Dir::new();
    let host = compacted(&dir, false);
    let old = fs::read(archive_file(&dir)).unwrap();
    assert_eq!(redact(&host, 7).unwrap().events, 1);
    host.settle("counts");
    let redacted = host.digest("counts");
    drop(host);
    fs::write(archive_file(&dir), old).unwrap();
    let host = open(&dir);
    let query = Query { from: Sequence(7), to: Some(Sequence(7)), filter: Filter::all() };
    let page = host.archived_reader().unwrap().read(&query, 1, 1).unwrap();
    assert!(page.batch.find(Sequence(7)).is_none_or(|event| event.payload().is_none()));
    host.rebuild("counts", |_| {}).unwrap();
    assert_eq!(host.digest("counts"), redacted);
}
