//! Payloads: canonical CBOR, JSON, and the ways between them.
//!
//! The oracles are others' or the other way: ciborium and serde_json read what polyfold's own fast paths read, and what
//! was written once is read and written again.

mod canonical;

use ciborium::Value;
use polyfold::cbor::{DEPTH_MAX, Error, from_cbor, from_json, from_json_in_order, to_json};
use polyfold::event::Payload;

/// Any bytes as CBOR, and as JSON if they are text.
pub fn run(data: &[u8]) {
    as_cbor(data);
    if let Ok(text) = std::str::from_utf8(data) {
        as_json(text);
    }
}

fn as_cbor(data: &[u8]) {
    let Ok(payload) = from_cbor(data) else {
        assert!(canonical::write(data).is_none(), "refused, and it has a canonical form");
        return;
    };
    assert_eq!(canonical::write(data).as_deref(), Some(payload.as_bytes()), "the canonical form");
    assert_eq!(from_cbor(payload.as_bytes()).as_ref(), Ok(&payload), "canonical is canonical");
    let text = to_json(payload.as_bytes()).expect("a payload has a text");
    match from_json(&text) {
        Ok(again) => survives(&again),
        // 1 and "1" are two keys in CBOR and one in JSON; a float's or a bignum's digits are more than JSON's integers take.
        Err(Error::DuplicateKey(_) | Error::TooPrecise(_) | Error::TooLarge(_)) => {}
        // An array at the deepest level is empty, and CBOR takes it; JSON text has room for one level less.
        Err(Error::Json(_)) if decode(data).is_some_and(|value| nesting(&value) == DEPTH_MAX) => {}
        Err(error) => panic!("{text} cannot be read back: {error}"),
    }
}

fn as_json(text: &str) {
    let value: Result<serde_json::Value, _> = serde_json::from_str(text);
    match from_json(text) {
        Ok(payload) => {
            survives(&payload);
            assert_eq!(from_cbor(payload.as_bytes()).as_ref(), Ok(&payload), "what it makes is canonical");
            let again = to_json(payload.as_bytes()).expect("a payload has a text");
            let again: serde_json::Value = serde_json::from_str(&again).expect("what is written is JSON");
            assert_eq!(again, value.expect("what is taken is JSON"), "JSON survives");
            in_order(text);
        }
        Err(Error::Json(why)) => assert!(value.is_err(), "refused: {why}"),
        Err(Error::DuplicateKey(_) | Error::TooPrecise(_) | Error::TooDeep | Error::TooLarge(_)) => {}
        Err(error @ Error::Cbor(_)) => panic!("JSON is refused as CBOR: {error}"),
    }
}

/// What came from JSON comes from its JSON again.
fn survives(payload: &Payload) {
    let text = to_json(payload.as_bytes()).expect("a payload has a text");
    assert_eq!(from_json(&text).as_ref(), Ok(payload), "{text}");
}

fn in_order(text: &str) {
    let item = from_json_in_order(text).expect("what makes a payload makes an item");
    let again = to_json(&item).expect("an item has a text");
    assert_eq!(from_json_in_order(&again), Ok(item), "{again}");
}

/// The arrays, maps and tags around the innermost of them, itself among them.
fn nesting(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Value::Map(entries) => {
            1 + entries.iter().map(|(key, value)| nesting(key).max(nesting(value))).max().unwrap_or(0)
        }
        Value::Tag(_, content) => 1 + nesting(content),
        _ => 0,
    }
}

/// As deep as a payload may nest.
fn decode(mut bytes: &[u8]) -> Option<Value> {
    let value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH_MAX).ok()?;
    bytes.is_empty().then_some(value)
}
