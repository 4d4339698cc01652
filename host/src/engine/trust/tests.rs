//! What a trust file makes of signatures, and what is none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::engine::signature::tests::Pair;

fn publisher(name: &str, pair: &Pair) -> Publisher {
    Publisher { name: name.to_owned(), key: pair.public(), until: None, plugins: Vec::new(), comment: None }
}

fn trust(publishers: Vec<Publisher>) -> Trust {
    let said = RwLock::new(Said { require_signature: false, publishers });
    Trust { path: PathBuf::new(), is_forced: false, said }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_signature_is_worth_what_its_signer_is_trusted_for() {
    let (pair, stranger) = (Pair::new(), Pair::new());
    let until = Some("2026-06-01T00:00:00Z".to_owned());
    let acme = Publisher { until, plugins: vec!["on-time".to_owned()], ..publisher("acme", &pair) };
    let trust = trust(vec![acme]);
    let (text, early, late) = (pair.sign(b"x", "c"), time("2026-01-01T00:00:00Z"), time("2026-06-01T00:00:00Z"));
    let signed = trust.examine(b"x", &text, early).unwrap();
    let signed_late = trust.examine(b"x", &text, late).unwrap();
    let unknown = trust.examine(b"x", &stranger.sign(b"x", "c"), early).unwrap();
    assert_eq!(signed.signer.as_ref().unwrap().name, "acme");
    for (plugin, signature, expected) in [
        (Some("on-time"), None, Standing::Unsigned),
        (Some("on-time"), Some(&unknown), Standing::UnknownKey),
        (Some("on-time"), Some(&signed), Standing::Trusted),
        (None, Some(&signed), Standing::Trusted),
        (Some("other"), Some(&signed), Standing::OtherPlugin),
        (Some("on-time"), Some(&signed_late), Standing::Expired),
        (None, Some(&signed_late), Standing::Expired),
    ] {
        assert_eq!(trust.standing(plugin, signature), expected, "{plugin:?} {signature:?}");
    }
    trust.said.write().unwrap().publishers.clear();
    assert_eq!(trust.standing(Some("on-time"), Some(&signed)), Standing::NoLongerTrusted);
    // Another key under the same name takes nothing over.
    trust.said.write().unwrap().publishers.push(publisher("acme", &stranger));
    assert_eq!(trust.standing(Some("on-time"), Some(&signed)), Standing::NoLongerTrusted);
}

#[test]
fn who_is_recorded_is_the_one_for_whom_it_counts() {
    let pair = Pair::new();
    let one = Publisher { plugins: vec!["other".to_owned()], ..publisher("one", &pair) };
    let until = Some("2026-06-01T00:00:00Z".to_owned());
    let two = Publisher { until, ..publisher("two", &pair) };
    let trust = trust(vec![one, two, publisher("three", &pair)]);
    for (plugin, at, expected) in [
        ("other", "2026-01-01T00:00:00Z", "one"),
        ("on-time", "2026-01-01T00:00:00Z", "two"),
        ("on-time", "2026-07-01T00:00:00Z", "three"),
    ] {
        let signature = trust.examine(b"x", &pair.sign(b"x", "c"), time(at)).unwrap();
        assert_eq!(trust.attributed(plugin, signature).signer.unwrap().name, expected);
    }
}

#[test]
fn a_known_key_that_does_not_fit_is_no_unknown_key() {
    let pair = Pair::new();
    let trust = trust(vec![publisher("acme", &pair)]);
    let refused = trust.examine(b"y", &pair.sign(b"x", "c"), Timestamp::EPOCH).unwrap_err().to_string();
    assert!(refused.contains("\"acme\"") || refused.contains("(acme)"), "{refused}");
}

#[test]
fn the_file_reads_back_and_a_broken_one_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.toml");
    assert!(!Trust::open(&path, false).unwrap().is_required());
    assert!(Trust::open(&path, true).unwrap().is_required());
    let pair = Pair::new();
    let full = Publisher {
        until: Some("2027-01-01T00:00:00Z".to_owned()),
        plugins: vec!["on-time".to_owned()],
        comment: Some("their release key".to_owned()),
        ..publisher("acme & sons", &pair)
    };
    let said = Said { require_signature: true, publishers: vec![full.clone(), publisher("b", &pair)] };
    write(&path, &said).unwrap();
    let opened = Trust::open(&path, false).unwrap();
    assert!(opened.is_required());
    assert_eq!(opened.said().publishers, [full, publisher("b", &pair)]);
    let refusal = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Trust::open(&path, false).unwrap_err().to_string()
    };
    assert!(refusal("require_signature = true\nrequire = 1").contains("trust.toml: line 2: unknown field"));
    let entry = |name: &str, key: &str| format!("[[publisher]]\nname = {name:?}\nkey = {key:?}\n");
    assert!(refusal(&entry("a", "RW")).contains("publisher \"a\": it is no minisign public key"));
    assert!(refusal(&entry("a/b", &pair.public())).contains("no / and no control characters"));
    let twice = entry("a", &pair.public()).repeat(2);
    assert!(refusal(&twice).contains("two publishers named \"a\""));
    let weak = entry("a", &STANDARD.encode([&b"Ed12345678"[..], &[0; 32]].concat()));
    assert!(refusal(&weak).contains("publisher \"a\": it is a weak key"));
    let soon = format!("{}until = \"soon\"", entry("a", &pair.public()));
    assert!(refusal(&soon).contains("until: \"soon\" is not an RFC 3339 time"));
    // What cannot be read must not pass for a file that requires nothing.
    let unusable = || match Trust::open(&path, false).unwrap_err() {
        Error::Trust { why, .. } => why,
        other => panic!("{other}"),
    };
    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert_eq!(unusable(), "it is not UTF-8");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert_eq!(unusable(), "it is no regular file");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(dir.path().join("nothing"), &path).unwrap();
    assert_eq!(unusable(), "it is a link to nothing");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(unusable(), "it is no regular file");
}
