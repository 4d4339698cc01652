//! What cannot be encrypted or forgotten is refused before anything is changed.

use super::*;
use crate::host::refusal;

#[test]
fn categories_that_no_stream_has_or_that_must_stay_readable_are_refused() {
    let dir = Dir::new();
    let host = dir.open();
    for category in ["", "a/b", "a\nb", "polyfold"] {
        let why = refusal(host.encrypt(&["person".to_owned(), category.to_owned()]));
        assert!(why.starts_with(&format!("category {category:?} cannot be encrypted: ")), "{why}");
    }
    assert!(host.encrypted_categories().is_empty(), "all or none");
}

#[test]
fn nobody_else_appends_to_the_hosts_category() {
    let dir = Dir::new();
    let host = dir.open();
    let why = refusal(host.put("polyfold/forgotten", "polyfold.forgotten", "a", "1"));
    assert!(why.contains("the host's own category"), "{why}");
    assert_eq!(host.head().sequence(), Sequence(0));
}

#[test]
fn what_cannot_be_forgotten_is_refused_and_stays() {
    let dir = Dir::new();
    let host = dir.open();
    host.put("order/1", "placed", "a", "1").unwrap();
    host.put("person/1", "named", "b", &secret("Jane")).unwrap();
    host.encrypt(&["person".to_owned()]).unwrap();
    host.put("person/1", "named", "c", &secret("Joan")).unwrap();
    let try_to = |stream: &str| refusal(host.forget(&StreamName::new(stream).unwrap(), motive("why")));
    let told = try_to("person/1");
    let expected = "stream \"person/1\" has events from before it was encrypted (1, the first at sequence 2): \
                    `polyfold redact` them first; nothing was changed";
    assert_eq!(told, expected);
    assert!(try_to("order/1").contains("from before it was encrypted"), "{}", try_to("order/1"));
    assert_eq!(try_to("person/9"), "there is no stream \"person/9\"; nothing was changed");
    assert_eq!(host.head().sequence(), Sequence(3));
    assert_eq!(host.payloads(2, 3).unwrap(), [secret("Jane"), secret("Joan")]);
    assert!(!dir.path().join("erasing.json").exists());
}

#[test]
fn a_motive_is_one_line_of_text() {
    let refused = |reason: &str, by: Option<&str>| refusal(Motive::new(reason, by));
    assert!(refused("", None).contains("is empty"));
    assert!(refused("  ", None).contains("is empty"));
    assert!(refused("a\u{1b}[2Jb", None).contains("control characters"));
    assert!(refused("a\nb", None).contains("control characters"));
    assert!(refused(&"x".repeat(1_001), None).contains("1,000 characters"));
    assert!(refused("why", Some("")).contains("the name"));
    assert!(refused("why", Some("a\0")).contains("the name"));
    assert!(refused("why", Some(&"x".repeat(257))).contains("the name"));
    Motive::new(&"ä".repeat(1_000), Some("me")).unwrap();
}

#[test]
fn a_file_of_keys_that_is_not_whole_changes_nothing() {
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
    let refused = |bytes: &[u8]| {
        let why = refusal(host.import_keys(&mut &*bytes));
        assert!(why.starts_with("the file of keys is not taken: "), "{why}");
        let key = String::from_utf8_lossy(&export);
        let key = key.split("\"key\":\"").nth(1).unwrap();
        assert!(!why.contains(&key[..16]), "no key is shown: {why}");
    };
    for length in 0..export.len() - 1 {
        refused(&export[..length]);
    }
    for at in (0..export.len() - 1).step_by(3) {
        let mut flipped = export.clone();
        flipped[at] ^= 1;
        refused(&flipped);
    }
    let other = Dir::new();
    other
        .encrypting()
        .export_keys(&mut |line| {
            refused(line.as_bytes());
            false
        })
        .unwrap();
    assert_eq!(host.keys().unwrap(), []);
    assert_eq!(host.import_keys(&mut export.as_slice()).unwrap().added, 1);
}
