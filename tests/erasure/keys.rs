//! What is encrypted: it lies nowhere in plain, reads as if it were not, and is known when it comes again.

use super::*;
use crate::host::refusal;

#[test]
fn what_is_encrypted_lies_nowhere_in_plain_and_reads_as_it_was_sent() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.put("order/1", "placed", "b", "{\"of\":\"seen-by-all-2290\"}").unwrap();
    host.put("person/2", "named", "c", &secret("Joan")).unwrap();
    let all = [secret("Jane"), "{\"of\":\"seen-by-all-2290\"}".to_owned(), secret("Joan")];
    assert_eq!(host.payloads(1, 3).unwrap(), all);
    let host = again(host, &dir);
    assert_eq!(host.payloads(1, 3).unwrap(), all);
    drop(host);
    assert_eq!(dir.files_with("seen-by-all-2290"), ["log.redb"], "what is plain is found");
    assert_eq!(dir.files_with(SECRET), [""; 0]);
    assert_eq!(dir.files_with("Jane"), [""; 0]);
}

#[test]
fn a_lost_list_of_categories_leaves_those_with_keys_encrypted() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    drop(host);
    std::fs::remove_file(dir.path().join("encryption.json")).unwrap();
    let host = dir.open();
    host.put("person/1", "named", "b", &secret("Joan")).unwrap();
    host.put("person/2", "named", "c", &secret("Jean")).unwrap();
    assert_eq!(host.payloads(1, 3).unwrap(), ["Jane", "Joan", "Jean"].map(secret));
    drop(host);
    assert_eq!(dir.files_with(SECRET), [""; 0]);
}

#[test]
fn an_event_that_comes_again_is_known_and_another_under_its_id_is_refused() {
    let dir = Dir::new();
    let host = dir.open();
    host.put("person/1", "named", "early", &secret("Jane")).unwrap();
    host.encrypt(&["person".to_owned()]).unwrap();
    host.put("person/1", "named", "late", &secret("Jane")).unwrap();
    let host = again(host, &dir);
    for (id, sequence) in [("early", 1), ("late", 2)] {
        let placed = host.put("person/1", "named", id, &secret("Jane")).unwrap().events[0];
        assert!(placed.duplicate && placed.sequence == Sequence(sequence), "{id}: {placed:?}");
        let why = refusal(host.put("person/1", "named", id, &secret("Joan")));
        assert!(why.contains(&format!("id {id:?}")), "{why}");
    }
    assert_eq!(host.head().sequence(), Sequence(2));
    host.log().verify(&mut |_| {}).unwrap();
}

#[test]
fn a_payload_of_the_largest_size_can_be_encrypted_and_no_larger_one() {
    let dir = Dir::new();
    let host = dir.encrypting();
    // Quotes are no part of the payload, and the head of a text so long has five bytes.
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 5));
    host.put("person/1", "named", "a", &text(1 << 20)).unwrap();
    assert_eq!(host.payloads(1, 1).unwrap()[0].len(), (1 << 20) - 3);
    let mut large = event("person/1", "named", "b", "1");
    large.payload = polyfold::event::Payload::from_canonical(vec![0; (1 << 20) + 1]);
    let why = refusal(host.append(Append { events: vec![large], expectations: Vec::new() }));
    assert!(why.contains("payload has 1048577 bytes, at most 1048576 are allowed"), "{why}");
    host.log().verify(&mut |_| {}).unwrap();
}

#[test]
fn projections_fold_what_is_encrypted_within_appends_and_behind_them() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.keep_last("behind", false);
    host.keep_last("within", true);
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    host.put("order/1", "placed", "b", "1").unwrap();
    host.settle("behind");
    assert!(host.entries("within").contains("Jane"), "{}", host.entries("within"));
    assert_eq!(host.entries("within"), host.entries("behind"));
    for name in ["within", "behind"] {
        assert_eq!(host.verify(name, |_| {}).unwrap().difference, None);
    }
}

#[test]
fn a_directory_whose_keys_are_gone_says_so_and_loses_nothing() {
    let dir = Dir::new();
    let host = dir.encrypting();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    let mut export = Vec::new();
    host.export_keys(&mut |line| {
        export.extend_from_slice(line.as_bytes());
        true
    })
    .unwrap();
    drop(host);
    std::fs::remove_dir_all(dir.path().join("keys")).unwrap();
    let host = dir.open();
    let missing = "the key of stream \"person/1\" is not here, and event 1 cannot be read without it: \
                   `polyfold keys import` takes it from an export, `polyfold forget` gives the stream up";
    assert_eq!(refusal(host.payloads(1, 1)), missing);
    assert_eq!(refusal(host.put("person/1", "named", "b", "1")), missing, "a second key would part the stream");
    host.put("person/2", "named", "c", &secret("Joan")).unwrap();
    host.log().verify(&mut |_| {}).unwrap();
    let imported = host.import_keys(&mut export.as_slice()).unwrap();
    assert_eq!((imported.added, imported.known), (1, 0));
    assert_eq!(host.payloads(1, 1).unwrap(), [secret("Jane")]);
    let imported = host.import_keys(&mut export.as_slice()).unwrap();
    assert_eq!((imported.added, imported.known), (0, 1));
    let host = again(host, &dir);
    assert_eq!(host.payloads(1, 2).unwrap(), [secret("Jane"), secret("Joan")]);
}

#[test]
fn a_shard_that_is_damaged_or_open_to_others_is_refused_and_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = Dir::new();
    let host = dir.encrypting();
    host.put("person/1", "named", "a", &secret("Jane")).unwrap();
    drop(host);
    let shard = std::fs::read_dir(dir.path().join("keys")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::metadata(&shard).unwrap().permissions().mode() & 0o777, 0o600);
    let whole = std::fs::read(&shard).unwrap();
    for bit in (0..whole.len() * 8).step_by(7) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&shard, &flipped).unwrap();
        let host = dir.open();
        let why = refusal(host.payloads(1, 1));
        assert!(why.contains("restore the file from a copy"), "bit {bit}: {why}");
        let why = refusal(host.put("person/1", "named", "b", "1"));
        assert!(why.contains("restore the file from a copy"), "bit {bit}: {why}");
        assert_eq!(std::fs::read(&shard).unwrap(), flipped, "it stays as it is");
    }
    std::fs::write(&shard, &whole).unwrap();
    std::fs::set_permissions(&shard, std::fs::Permissions::from_mode(0o644)).unwrap();
    let why = refusal(dir.open().payloads(1, 1));
    assert!(why.contains("mode 644") && why.contains("chmod 600"), "{why}");
}
