//! Documents by themselves: one form of the signed bytes, whatever the file's; what was changed and what is no document is named.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::engine::{Append, Deployment, Engine, FaultPolicy, Options};
use crate::event::{EventId, EventType, NewEvent, Sequence, StreamName, Timestamp};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn state() -> StateReceipt {
    let deployment = Deployment {
        plugin: Digest::of(b"plugin").to_string(),
        abi: "0.1.0".into(),
        upcasters: vec![Digest::of(b"upcaster").to_string()],
        parameters: "{}".into(),
        fuel_per_event: 1_000,
        memory_bytes: 2_000,
        limits: vec![("key-bytes".into(), 1_024)],
        on_fault: FaultPolicy::Halt,
    };
    StateReceipt {
        version: 1,
        log_id: "01a1fc7f-2e47-7732-b7be-f9da258ce5fa".into(),
        sequence: 7,
        chain_head: Digest::of(b"chain"),
        event_root: Digest::of(b"root"),
        projection: "totals".into(),
        identity: deployment.identity(),
        deployment,
        state_digest: Digest::of(b"state"),
        entries: 2,
        entry_bytes: 10,
        faults: 0,
        faults_digest: faults_digest(&[]),
        fuel: 123,
        made_at: "2026-11-21T12:00:00Z".into(),
    }
}

fn document() -> Document {
    Document::sign(&Receipt::State(Box::new(state())), &key())
}

fn checked(document: &str) -> Check {
    check_document(Document::parse(document.as_bytes()).unwrap(), None).unwrap()
}

#[test]
fn a_receipt_stays_the_same_from_release_to_release() {
    expect_test::expect![[r#"{"receipt":{"kind":"state","version":1,"log_id":"01a1fc7f-2e47-7732-b7be-f9da258ce5fa","sequence":7,"chain_head":"ed2314e8b37e504072414a91c8c56aaccfb48f5d3aac7ac45ccf275f2984ebee","event_root":"92a2b787a06d7272df43eaf87acc3b9c1d315d79d599d61c285983483e431998","projection":"totals","identity":"a7c0901b7b73914609a262c56ae6fe0d0d4ea3569a7b8c0033600f4e04a7f0e4","deployment":{"plugin":"33f09b644a6df7b53b3a832bdcccac18cd58a8f21993b67830375e01468b19a2","abi":"0.1.0","upcasters":["380aaff4dbcc2df5f05a09f24dd6939517a1bd2508d60eaed4e2dda0acaf4c0f"],"parameters":"{}","fuel_per_event":1000,"memory_bytes":2000,"limits":[["key-bytes",1024]],"on_fault":"halt"},"state_digest":"456cf7f1bcf2d3dc53ec88b93f05b0053490b07906a459b9a7447744bf3bae82","entries":2,"entry_bytes":10,"faults":0,"faults_digest":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","fuel":123,"made_at":"2026-11-21T12:00:00Z"},"key":"ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","signature":"5b434bbaf5ad58565f30054975161bd06da4b1d713ba892ba9ac7bed44352a02b270936991f7aa4b496c2b7fa44917f60790833601a1c2c4b8fbca108345d10f"}"#]].assert_eq(&document().to_json());
}

#[test]
fn json_and_cbor_have_the_same_content_and_signature() {
    let document = document();
    let pretty: Value = serde_json::from_str(&document.to_json()).unwrap();
    // Its keys are sorted and its lines indented.
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    assert_ne!(pretty, document.to_json());
    let cbor = document.to_cbor().unwrap();
    for bytes in [document.to_json().as_bytes(), pretty.as_bytes(), &cbor] {
        let read = Document::parse(bytes).unwrap();
        assert_eq!(read.to_cbor().unwrap(), cbor);
        let check = check_document(read, Some(&document.key.to_uppercase())).unwrap();
        assert_eq!(check.refusal, None);
        assert_eq!(check.holds, [Aspect::Signature, Aspect::Key, Aspect::Identity]);
        assert_eq!(check.receipt, Receipt::State(Box::new(state())));
    }
}

/// Every text and number that a receipt holds, changed one by one.
#[test]
fn whatever_of_a_receipt_is_changed_its_signature_holds_no_more() {
    let whole: Value = serde_json::from_str(&document().to_json()).unwrap();
    let mut places = Vec::new();
    places_in(&whole["receipt"], String::from("/receipt"), &mut places);
    assert!(places.len() > 20, "{places:?}");
    for place in places {
        let mut changed = whole.clone();
        let value = changed.pointer_mut(&place).unwrap();
        *value = match value.take() {
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::String(text) => match text.strip_prefix('0') {
                Some(rest) => json!(format!("1{rest}")),
                None => json!(format!("0{}", &text[1..])),
            },
            other => panic!("{other}"),
        };
        let text = changed.to_string();
        // Its kind and version are looked at first.
        let check = Document::parse(text.as_bytes()).and_then(|document| check_document(document, None));
        match check {
            Ok(check) => assert_eq!(check.refusal.unwrap().differs, Aspect::Signature, "{place}"),
            Err(error) => assert!(
                ["/receipt/kind", "/receipt/version", "/receipt/projection", "/receipt/deployment/on_fault"]
                    .contains(&&*place),
                "{place}: {error}"
            ),
        }
    }
}

fn places_in(value: &Value, path: String, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places_in(value, format!("{path}/{name}"), out));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| places_in(value, format!("{path}/{at}"), out));
        }
        Value::Number(_) | Value::String(_) => out.push(path),
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn another_key_is_not_the_one_expected() {
    let other = Document::sign(&Receipt::State(Box::new(state())), &SigningKey::from_bytes(&[8; 32]));
    let check = check_document(other.clone(), Some(&document().key)).unwrap();
    assert_eq!(check.refusal.unwrap().differs, Aspect::Key);
    let swapped = other.to_json().replace(&other.key, &document().key);
    assert_eq!(checked(&swapped).refusal.unwrap().differs, Aspect::Signature);
    // A key of small order, under which one signature would fit many messages.
    let weak = other.to_json().replace(&other.key, &format!("01{}", "00".repeat(31)));
    assert_eq!(checked(&weak).refusal.unwrap().differs, Aspect::Signature);
    for bad in ["", "zz", &"zz".repeat(32), &"\u{fc}".repeat(32)] {
        let bad = other.to_json().replace(&other.key, bad);
        assert_eq!(checked(&bad).refusal.unwrap().differs, Aspect::Signature);
    }
}

#[test]
fn a_deployment_that_is_not_the_identitys_is_refused() {
    let check = |state: StateReceipt| checked(&Document::sign(&Receipt::State(Box::new(state)), &key()).to_json());
    let mut other = state();
    other.deployment.fuel_per_event += 1;
    assert_eq!(check(other).refusal.unwrap().differs, Aspect::Identity);
    let mut other = state();
    other.deployment.plugin = "../../x".into();
    other.identity = other.deployment.identity();
    let refusal = check(other).refusal.unwrap();
    assert_eq!(refusal.detail, "the deployment has \"../../x\" where a plugin's digest should be");
}

#[test]
fn what_is_no_document_is_refused_and_costs_little() {
    let refused = |bytes: &[u8], expected: &str| {
        let error = Document::parse(bytes).and_then(|document| check_document(document, None)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let json = document().to_json();
    refused(b"", "it is no receipt or proof");
    refused(b"{}", "missing field");
    for (bytes, expected) in [
        (&b""[..], "it is no receipt or proof: it is empty"),
        (b" \n", "it is empty"),
        (b"[1,2,3]", "it must be a JSON object, which begins with {, or a CBOR map"),
        (b"null", "it must be a JSON object"),
        (b"\x81\x01", "it must be a JSON object"),
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark; JSON must be UTF-8 without one"),
        (b"\xff\xfe{\0}\0", "it begins with a byte order mark"),
        (b"\xa1", "it is no receipt or proof: not valid CBOR: it ends early"),
    ] {
        refused(bytes, expected);
    }
    refused(&vec![b'{'; DOCUMENT_BYTES_MAX + 1], "no receipt or proof has more than 4194304");
    refused("{\"receipt\":".repeat(100_000).as_bytes(), "it is no receipt or proof");
    let deep =
        format!("{{\"receipt\":{}{},\"key\":\"\",\"signature\":\"\"}}", "[".repeat(100_000), "]".repeat(100_000));
    refused(deep.as_bytes(), "it is no receipt or proof: the receipt: ");
    refused(&[&[0xa1, 0x60][..], &[0x81; 100_000]].concat(), "nested deeper than 128 levels");
    refused(&[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "it is no receipt or proof");
    refused(&json.as_bytes()[..json.len() - 1], "it is no receipt or proof");
    refused(json.replacen('{', "{\"more\":1,", 1).as_bytes(), "unknown field `more`");
    refused(json.replace("\"kind\":\"state\"", "\"kind\":\"other\"").as_bytes(), "unknown variant `other`");
    refused(json.replace("\"version\":1", "\"version\":2").as_bytes(), "version 2, and this polyfold knows version 1");
    refused(json.replace("\"version\":1", "\"version\":-1").as_bytes(), "it is no receipt or proof");
    refused(json.replace("\"entries\":2", "\"entries\":2,\"entries\":3").as_bytes(), "it is no receipt or proof");
    refused(json.replace(&Digest::of(b"chain").to_string(), "00").as_bytes(), "is not a digest of 64");
}

/// Signed by its maker, and still nothing that a host writes.
#[test]
fn a_signature_does_not_excuse_another_form() {
    let whole: Value = serde_json::from_str(&document().to_json()).unwrap();
    let refused = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut receipt = whole["receipt"].clone();
        change(&mut receipt);
        let error = Document::sign_json(&receipt.to_string(), &key()).receipt().unwrap_err().to_string();
        assert!(error.contains(expected) && error.chars().count() < 300 && !error.contains('\n'), "{error}");
    };
    refused(&|receipt| receipt["more"] = json!(1), "unknown field `more`");
    refused(&|receipt| receipt["a\nkey  \u{202e}"] = json!(1), "unknown field `a\\nkey  \\u{202e}`");
    refused(
        &|receipt| receipt["deployment"]["more"] = json!(1),
        "it has fields or spellings that version 1 does not have",
    );
    refused(
        &|receipt| receipt["made_at"] = json!("never\nholds  all"),
        "made_at is \"never\\nholds  all\", and must be",
    );
    refused(&|receipt| receipt["made_at"] = json!("2026-11-21T13:00:00+01:00"), "an RFC 3339 time in UTC");
    refused(&|receipt| receipt["projection"] = json!("a".repeat(300_000)), "it must be 1 to 64 of a-z");
    refused(&|receipt| receipt["projection"] = json!("a\nb"), "it must be 1 to 64 of a-z");
    refused(&|receipt| receipt["log_id"] = json!("x".repeat(300_000)), "log_id is \"xxx");
    let upper = Digest::of(b"chain").to_string().to_uppercase();
    refused(&|receipt| receipt["chain_head"] = json!(upper), "is not in lower case");
    refused(&|receipt| receipt["kind"] = json!("x".repeat(300_000)), "unknown variant `xxx");
}

#[test]
fn key_and_signature_have_one_form() {
    let document = document();
    for text in [&document.key, &document.signature] {
        let changed = document.to_json().replace(text.as_str(), &text.to_uppercase());
        let refusal = checked(&changed).refusal.unwrap();
        assert_eq!(refusal.differs, Aspect::Signature);
        assert!(refusal.detail.contains("hexadecimal digits in lower case"), "{refusal}");
    }
}

#[test]
fn a_key_that_is_mistyped_is_no_key_that_differs() {
    let key = document().key;
    assert_eq!(key.to_uppercase().parse::<PublicKey>().unwrap().as_str(), key);
    for text in ["", "x", &key[1..], &format!("{key}0"), &"\u{fc}".repeat(32)] {
        assert_eq!(text.parse::<PublicKey>(), Err(InvalidKey), "{text}");
    }
}

/// What a document repeats would be compiled as often, and it is refused before anything is.
#[test]
fn upcasters_are_few_and_each_stands_once() {
    let check = |upcasters: Vec<String>| {
        let mut state = state();
        state.deployment.upcasters = upcasters;
        state.identity = state.deployment.identity();
        checked(&Document::sign(&Receipt::State(Box::new(state)), &key()).to_json()).refusal
    };
    let digest = |number: usize| Digest::of(&number.to_le_bytes()).to_string();
    let refusal = check(vec![digest(1), digest(2), digest(1)]).unwrap();
    assert_eq!(refusal.differs, Aspect::Identity);
    assert_eq!(refusal.detail, format!("the deployment names upcaster {} twice", digest(1)));
    assert_eq!(check((0..256).map(digest).collect()), None);
    let refusal = check((0..257).map(digest).collect()).unwrap();
    assert_eq!(refusal.detail, "the deployment has 257 upcasters, and 256 are taken");
    assert_eq!(check(vec![digest(1).to_uppercase()]).unwrap().differs, Aspect::Identity);
}

#[test]
fn a_refusal_is_one_line_that_ends() {
    let mut state = state();
    state.deployment.plugin = "\u{202e}\n".repeat(100_000);
    state.identity = state.deployment.identity();
    let detail = checked(&Document::sign(&Receipt::State(Box::new(state)), &key()).to_json()).refusal.unwrap().detail;
    assert!(detail.chars().count() < 2_000 && !detail.contains(['\n', '\u{202e}']), "{detail}");
}

/// An engine with a log of so many events.
fn engine(events: usize) -> (tempfile::TempDir, Engine) {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), &Options::default()).unwrap();
    let event = |number: usize| {
        let (stream, event_type) = (StreamName::new(format!("a/{number}")).unwrap(), EventType::new("t").unwrap());
        let payload = crate::cbor::from_json(&format!("{{\"n\":{number}}}")).unwrap();
        NewEvent::new(stream, event_type, EventId::new(format!("event {number}")).unwrap(), payload)
    };
    engine.append(Append { events: (1..=events).map(event).collect(), expectations: vec![] }).unwrap();
    (dir, engine)
}

#[test]
fn an_event_is_proved_with_its_payload_or_without() {
    let (_dir, engine) = engine(1_500);
    for sequence in [1, 2, 1_024, 1_025, 1_500] {
        let document = engine.prove_event(Sequence(sequence), true, Timestamp::EPOCH).unwrap();
        assert_eq!(document.key, engine.host_key().unwrap());
        let check = checked(&document.to_json());
        assert_eq!((check.refusal, check.holds), (None, vec![Aspect::Signature, Aspect::Event]));
        let without = engine.prove_event(Sequence(sequence), false, Timestamp::EPOCH).unwrap();
        assert_eq!(without.event.as_ref().unwrap().payload, None);
        assert_eq!(checked(&without.to_json()).refusal, None);
        let check = engine.check(document, None, &[], |_| {}).unwrap();
        assert_eq!(check.refusal, None);
        let log = [Aspect::LogId, Aspect::Log, Aspect::ChainHead, Aspect::EventRoot];
        assert_eq!(check.holds[2..], log);
    }
    for sequence in [0, 1_501, u64::MAX] {
        let error = engine.prove_event(Sequence(sequence), true, Timestamp::EPOCH).unwrap_err().to_string();
        assert_eq!(error, format!("the log has no event {sequence}; it ends at 1500"));
    }
}

#[test]
fn another_event_under_the_same_receipt_is_refused() {
    let (_dir, engine) = engine(40);
    let document = engine.prove_event(Sequence(5), true, Timestamp::EPOCH).unwrap();
    let other = engine.prove_event(Sequence(6), true, Timestamp::EPOCH).unwrap();
    let refused = |change: &dyn Fn(&mut ProvedEvent), expected: &str| {
        let mut changed = document.clone();
        change(changed.event.as_mut().unwrap());
        let refusal = checked(&changed.to_json()).refusal.unwrap();
        assert_eq!(refusal.differs, Aspect::Event);
        assert!(
            refusal.detail.starts_with("event 5 is not proved: ") || refusal.detail.starts_with("event 6"),
            "{refusal}"
        );
        assert!(refusal.detail.contains(expected), "{refusal}");
    };
    let other = other.event.unwrap();
    refused(&|event| event.payload = other.payload.clone(), "its payload has another digest");
    refused(&|event| event.envelope = other.envelope.clone(), "its envelope is that of event 6");
    refused(
        &|event| *event = ProvedEvent { path: event.path.clone(), ..other.clone() },
        "does not lead to the event root",
    );
    refused(&|event| event.path.truncate(1), "its path cannot be one in a log of 40 events");
    refused(&|event| event.path = vec![Digest::ZERO; 20_000], "its path cannot be one");
    refused(&|event| event.path[2] = Digest::ZERO, "does not lead to the event root");
    refused(&|event| event.envelope.insert(0, '!'), "its envelope is no base64");
    refused(&|event| event.sequence = 6, "its envelope is that of event 5");
    // 24 in two bytes more than it needs; its digest is right, and stands in the tree of nobody's log.
    let long = [0x19, 0x00, 0x18];
    let other_form = |event: &mut ProvedEvent| {
        (event.payload, event.payload_digest) = (Some(STANDARD.encode(long)), Digest::of(&long));
    };
    refused(&other_form, "its payload is no canonical CBOR");
    refused(&|event| event.payload = Some("oA".to_owned()), "its payload is no base64");
}

#[test]
fn a_receipt_of_another_log_or_of_events_that_are_not_there_is_refused() {
    let ((_dir, first), (_other_dir, second)) = (engine(3), engine(3));
    let document = first.prove_event(Sequence(1), true, Timestamp::EPOCH).unwrap();
    let refusal = second.check(document, None, &[], |_| {}).unwrap().refusal.unwrap();
    assert_eq!(refusal.differs, Aspect::LogId);
    // A copy of the log that ends earlier.
    let shorter = tempfile::tempdir().unwrap();
    std::fs::copy(first.dir().join("log.redb"), shorter.path().join("log.redb")).unwrap();
    let event = |id: &str| {
        let payload = crate::cbor::from_json("1").unwrap();
        NewEvent::new(StreamName::new("a/x").unwrap(), EventType::new("t").unwrap(), EventId::new(id).unwrap(), payload)
    };
    let append = |engine: &Engine, id| engine.append(Append { events: vec![event(id)], expectations: vec![] }).unwrap();
    append(&first, "first");
    let document = first.prove_event(Sequence(1), true, Timestamp::EPOCH).unwrap();
    let shorter = Engine::open(shorter.path(), &Options::default()).unwrap();
    let refusal = shorter.check(document.clone(), None, &[], |_| {}).unwrap().refusal.unwrap();
    assert_eq!((refusal.differs, &*refusal.detail), (Aspect::Log, "the receipt speaks of 4 events, and the log has 3"));
    // It goes on with another event: the same log by its id, and another history.
    append(&shorter, "second");
    let refusal = shorter.check(document, None, &[], |_| {}).unwrap().refusal.unwrap();
    assert_eq!(refusal.differs, Aspect::ChainHead);
    assert!(refusal.detail.starts_with("the chain head at sequence 4 differs: "), "{refusal}");
}
