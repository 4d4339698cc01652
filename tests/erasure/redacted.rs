//! What is redacted: its payload is in no file any more, and its envelope and digest stay.

use std::collections::BTreeSet;

use super::*;
use crate::host::refusal;

impl Host {
    fn redact_for_test(&self, sequences: &[u64]) -> Result<polyfold::engine::Redacted, Error> {
        self.redact(sequences.iter().copied().collect(), motive("asked by letter"))
    }
}

#[test]
fn what_is_redacted_is_in_no_file_and_in_no_state() {
    let dir = Dir::new();
    let host = dir.open();
    host.keep_last("behind", false);
    host.keep_last("within", true);
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.put("person/1", "renamed", "b", "{\"name\":\"kept-5512\"}").unwrap();
    host.put("order/1", "placed", "c", &secret("to Jane")).unwrap();
    host.settle("behind");
    host.take_snapshot("behind").unwrap();
    let chain = host.log().head().chain;
    assert!(dir.files_with(SECRET).contains(&"log.redb".to_owned()));

    let redacted = host.redact_for_test(&[1, 3]).unwrap();
    assert_eq!((redacted.events, redacted.before, redacted.sequence), (2, 0, Some(Sequence(4))));
    assert_eq!(redacted.rebuilt, ["behind", "within"]);
    assert_eq!(host.payloads(1, 3).unwrap(), ["redacted", "{\"name\":\"kept-5512\"}", "redacted"]);
    assert_eq!(host.payloads(4, 4).unwrap(), ["{\"reason\":\"asked by letter\",\"sequences\":[1,3]}"]);
    assert_eq!(host.log().reader().unwrap().chain_at(Sequence(3)).unwrap(), chain);
    host.log().verify(&mut |_| {}).unwrap();
    for name in ["behind", "within"] {
        host.settle(name);
        assert!(!host.entries(name).contains(SECRET), "{}", host.entries(name));
        assert_eq!(host.verify(name, |_| {}).unwrap().difference, None);
    }
    let placed = host.put("person/1", "named", "a", &secret("Jane")).unwrap().events[0];
    assert!(placed.duplicate && placed.sequence == Sequence(1), "it is known by its digest: {placed:?}");
    let why = refusal(host.put("person/1", "named", "a", &secret("Joan")));
    assert!(why.contains("id \"a\""), "{why}");
    let again = host.redact_for_test(&[1, 3]).unwrap();
    assert_eq!((again.events, again.before, again.sequence), (0, 2, None));
    let host = crate::erasure::again(host, &dir);
    host.settle("behind");
    host.put("order/1", "placed", "d", "1").unwrap();
    host.settle("behind");
    assert_eq!(host.entries("behind"), host.entries("within"));
    drop(host);
    assert_eq!(dir.files_with(SECRET), [""; 0]);
}

#[test]
fn what_cannot_be_redacted_is_refused_and_nothing_is_changed() {
    let dir = Dir::new();
    let host = dir.open();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.put("person/1", "named", "b", &secret("Joan")).unwrap();
    assert_eq!(host.redact_for_test(&[2]).unwrap().sequence, Some(Sequence(3)));
    let refused = |sequences: &[u64]| refusal(host.redact_for_test(sequences));
    assert_eq!(refused(&[]), "0 events are named; 1 to 10,000 can be redacted at once");
    let many: BTreeSet<u64> = (1..=10_001).collect();
    let why = refusal(host.redact(many, motive("why")));
    assert_eq!(why, "10001 events are named; 1 to 10,000 can be redacted at once");
    assert_eq!(refused(&[1, 0]), "the log has no event 0; it ends at 3");
    assert_eq!(refused(&[1, 4]), "the log has no event 4; it ends at 3");
    assert_eq!(refused(&[1, u64::MAX]), format!("the log has no event {}; it ends at 3", u64::MAX));
    assert_eq!(refused(&[1, 3]), "event 3 says who erased what, and stays; nothing was changed");
    assert_eq!(host.head().sequence(), Sequence(3));
    assert_eq!(host.payloads(1, 1).unwrap(), [secret("Jane")]);
    let both = host.redact_for_test(&[1, 2]).unwrap();
    assert_eq!((both.events, both.before), (1, 1), "what was redacted is passed over");
}

#[test]
fn a_stream_from_before_its_encryption_is_redacted_and_forgotten() {
    let dir = Dir::new();
    let host = dir.open();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.encrypt(&["person".to_owned()]).unwrap();
    host.put("person/1", "named", "b", &secret("Joan")).unwrap();
    host.redact_for_test(&[1]).unwrap();
    let forgotten = host.forget_for_test("person/1");
    assert_eq!((forgotten.events, forgotten.sequence), (2, Some(Sequence(4))));
    assert_eq!(host.payloads(1, 2).unwrap(), ["redacted", "forgotten"]);
    host.log().verify(&mut |_| {}).unwrap();
    drop(host);
    assert_eq!(dir.files_with(SECRET), [""; 0]);
}

#[test]
fn what_is_encrypted_can_be_redacted_too() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.put("person/1", "named", "b", &secret("Joan")).unwrap();
    host.redact_for_test(&[1]).unwrap();
    assert_eq!(host.payloads(1, 2).unwrap(), ["redacted".to_owned(), secret("Joan")]);
    let placed = host.put("person/1", "named", "a", &secret("Jane")).unwrap().events[0];
    assert!(placed.duplicate, "{placed:?}");
}
