//! Receipts and proofs as documents, as anybody may have sent them.
//!
//! Real documents of a small data directory are bent: what still passes the check with the host's key says what the host
//! says itself, or there is a forgery.

use std::sync::LazyLock;

use polyfold::engine::{Check, Document, Engine, ProvedEntry, ProvedEvent, Receipt, check_document};
use polyfold::event::{Sequence, Timestamp};

use crate::bend::bent;
use crate::requests::TestHost;

/// A byte that says which real document is bent, none for what is over; then bends, or the document itself.
pub fn run(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match HOST.documents.get(usize::from(*which)) {
        Some(real) => check(&bent(real, rest)),
        None => check(rest),
    }
}

fn check(bytes: &[u8]) {
    let Ok(document) = Document::parse(bytes) else { return };
    let text = document.to_json();
    assert_eq!(Document::parse(text.as_bytes()).map(|again| again.to_json()).as_ref(), Ok(&text));
    if let Ok(cbor) = document.to_cbor() {
        let again = Document::parse(&cbor).and_then(|again| again.to_cbor());
        assert_eq!(again, Ok(cbor), "{text}");
    }
    let Ok(check) = check_document(document, Some(&HOST.key)) else { return };
    if check.refusal.is_none() {
        check_true(&check);
    }
}

/// The host's key signed it, and what it proves holds: then it is so.
fn check_true(check: &Check) {
    assert!(HOST.receipts.contains(&check.receipt), "{:?}", check.receipt);
    if let Some(ProvedEntry { key, value, .. }) = &check.document.entry {
        let bytes = |value: &Option<polyfold::engine::ProvedValue>| value.as_ref().map(|value| value.bytes());
        let truth = HOST.engine.prove_entry(NAME, key, Timestamp::EPOCH).expect("any key can be asked for");
        assert_eq!(bytes(value), bytes(&truth.entry.expect("it was asked for").value), "{key:?}");
    }
    if let Some(ProvedEvent { sequence, envelope, payload_digest, payload, .. }) = &check.document.event {
        let truth =
            HOST.engine.prove_event(Sequence(*sequence), true, Timestamp::EPOCH).expect("there is such an event");
        let truth = truth.event.expect("it was asked for");
        assert_eq!((envelope, payload_digest), (&truth.envelope, &truth.payload_digest));
        assert!(payload.is_none() || *payload == truth.payload);
    }
}

struct Host {
    engine: Engine,
    key: String,
    documents: Vec<Vec<u8>>,
    receipts: Vec<Receipt>,
}

const NAME: &str = "event-counts";

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let engine = TestHost::engine();
    engine.wait(NAME, |_| {}).expect("a projection that runs catches up");
    let at = Timestamp::EPOCH;
    let documents = [
        engine.receipt(NAME, at),
        engine.prove_entry(NAME, "type/flight.departed", at),
        engine.prove_entry(NAME, "type/none", at),
        engine.prove_event(Sequence(5), true, at),
        engine.prove_event(Sequence(12), false, at),
    ];
    let documents = documents.map(|document| document.expect("the host signs what it has"));
    let receipts = documents.iter().map(|document| document.receipt().expect("its own form")).collect();
    let as_json = documents.iter().map(|document| document.to_json().into_bytes());
    let as_cbor = documents.iter().map(|document| document.to_cbor().expect("plain data"));
    let key = engine.host_key().expect("a key is made");
    Host { key, receipts, documents: as_json.chain(as_cbor).collect(), engine }
});
