//! What is forgotten: in no file any more, in no state, and no old backup brings it back.

use polyfold::engine::{AsOf, Moment, Waiting};

use super::*;
use crate::host::refusal;

impl Host {
    /// The digest of a state as it was.
    fn digest_at(&self, name: &str, sequence: u64) -> String {
        let as_of = AsOf { at: Some(Moment::Sequence(Sequence(sequence))), ..AsOf::default() };
        let mut waiting = Waiting { stop: std::sync::Arc::default(), watch: &mut |_| {} };
        self.past(name, &as_of, &mut waiting).unwrap().digest().unwrap().to_string()
    }
}

#[test]
fn what_is_forgotten_is_in_no_file_and_in_no_state() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.keep_last("behind", false);
    host.keep_last("within", true);
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.put("person/2", "renamed", "b", "{\"name\":\"kept-5512\"}").unwrap();
    host.put("person/1", "moved", "c", &secret("London")).unwrap();
    host.settle("behind");
    host.take_snapshot("behind").unwrap();
    host.put("order/1", "placed", "d", "1").unwrap();
    host.settle("behind");
    assert!(host.entries("behind").contains(SECRET));
    host.digest_at("behind", 3);

    let forgotten = host.forget_for_test("person/1");
    assert_eq!((forgotten.events, forgotten.sequence, forgotten.rebuilt.len()), (2, Some(Sequence(5)), 2));
    assert_eq!(host.payloads(1, 4).unwrap(), ["forgotten", "{\"name\":\"kept-5512\"}", "forgotten", "1"]);
    assert_eq!(host.payloads(5, 5).unwrap(), ["{\"reason\":\"asked by letter\",\"stream\":\"person/1\"}"]);
    for name in ["behind", "within"] {
        host.settle(name);
        assert!(!host.entries(name).contains(SECRET), "{}", host.entries(name));
        assert!(host.entries(name).contains("kept-5512"), "{}", host.entries(name));
        assert_eq!(host.verify(name, |_| {}).unwrap().difference, None);
    }
    assert_eq!(host.entries("behind"), host.entries("within"));
    assert_eq!(host.digest_at("behind", 5), host.digest("behind"));
    host.put("order/1", "placed", "e", "2").unwrap();
    let host = again(host, &dir);
    host.settle("behind");
    assert_eq!(host.verify("behind", |_| {}).unwrap().difference, None);
    host.log().verify(&mut |_| {}).unwrap();
    drop(host);
    assert_eq!(dir.files_with(SECRET), [""; 0]);
    assert!(!dir.files_with("kept-5512").is_empty(), "what stays is in the states");
}

#[test]
fn a_forgotten_stream_takes_nothing_new_and_knows_what_it_had() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.forget_for_test("person/1");
    let host = again(host, &dir);
    let why = refusal(host.put("person/1", "named", "b", "1"));
    assert_eq!(why, "stream \"person/1\" was forgotten, and takes no new events; use another stream");
    let placed = host.put("person/1", "named", "a", &secret("Jane")).unwrap().events[0];
    assert!(placed.duplicate && placed.sequence == Sequence(1), "{placed:?}");
    let before = host.forget_for_test("person/1");
    assert_eq!((before.events, before.sequence), (1, None), "to forget again changes nothing");
    assert_eq!(host.head().sequence(), Sequence(2));
    assert_eq!(dir.files_with(SECRET), [""; 0]);
}

#[test]
fn the_keys_of_others_in_the_same_file_stay_and_the_forgotten_one_is_overwritten() {
    let dir = Dir::new();
    let host = dir.encrypting();
    // So many that some share a file.
    let streams: Vec<String> = (0..600).map(|number| format!("person/{number}")).collect();
    let events = streams.iter().map(|stream| event(stream, "named", stream, &secret(stream))).collect();
    host.append(Append { events, expectations: Vec::new() }).unwrap();
    let mut keys = String::new();
    host.export_keys(&mut |line| {
        keys += &line;
        true
    })
    .unwrap();
    let line = keys.lines().find(|line| line.contains("\"person/7\"")).unwrap();
    let key: serde_json::Value = serde_json::from_str(line).unwrap();
    let hex = key["key"].as_str().unwrap();
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let with_key = || {
        let files = std::fs::read_dir(dir.path().join("keys")).unwrap();
        files
            .filter(|file| {
                let text = std::fs::read(file.as_ref().unwrap().path()).unwrap();
                text.windows(32).any(|part| part == bytes)
            })
            .count()
    };
    assert_eq!(with_key(), 1);
    host.forget_for_test("person/7");
    assert_eq!(with_key(), 0);
    let host = again(host, &dir);
    let all = host.payloads(1, 600).unwrap();
    assert_eq!(all.iter().filter(|payload| *payload == "forgotten").count(), 1);
    assert_eq!(all.iter().filter(|payload| payload.contains(SECRET)).count(), 599);
}

#[test]
fn keys_that_come_back_do_not_bring_back_what_was_forgotten() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    let mut export = Vec::new();
    host.export_keys(&mut |line| {
        export.extend_from_slice(line.as_bytes());
        true
    })
    .unwrap();
    host.forget_for_test("person/1");
    let imported = host.import_keys(&mut export.as_slice()).unwrap();
    assert_eq!((imported.added, imported.refused), (0, 1));
    assert_eq!(host.payloads(1, 1).unwrap(), ["forgotten"]);
}
