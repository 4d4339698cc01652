//! Canonical CBOR (RFC 8949 §4.2.1) to and from JSON. Every payload in the log has passed through here.
//!
//! | JSON | CBOR |
//! |---|---|
//! | integer from -2^63 to 2^64 - 1 | integer |
//! | a number written with a point or an exponent | float, in its shortest exact form |
//! | text, array, object, true, false, null | the same |
//!
//! The way back follows RFC 8949 §6.1: byte strings become base64url text without padding, NaN and the infinities
//! become null, tags are dropped, and a map's key that is no text becomes the text of its JSON, in which an array, map or
//! tag that is a key becomes base64url text of its CBOR. So JSON survives the
//! way through CBOR and back, up to white space, the order of keys and the spelling of floats.

mod canonical;
mod check;
mod json;
mod parse;

use ciborium::Value;

use crate::event::Payload;

/// How deep arrays, maps and tags may nest: deeper data is no data but an attack on a stack.
pub const DEPTH_MAX: usize = 128;

/// Data that cannot be a payload.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not valid JSON: {0}")]
    Json(String),
    #[error("not valid CBOR: {0}")]
    Cbor(String),
    #[error("the key {0} stands twice in one map")]
    DuplicateKey(String),
    #[error(
        "the integer {0} does not fit 64 bits; write it as a text, or with an exponent if its last digits do not matter"
    )]
    TooPrecise(String),
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    #[error("{0} bytes as CBOR, at most {max} are allowed", max = Payload::BYTES_MAX)]
    TooLarge(usize),
}

/// Makes a payload from JSON text.
///
/// # Errors
/// [`Error::TooPrecise`] for an integer that no 64 bits hold: as a float it would lose digits without a word.
pub fn from_json(text: &str) -> Result<Payload, Error> {
    payload(canonical_from_json(text)?)
}

/// The same of any size, for what is no payload.
pub fn canonical_from_json(text: &str) -> Result<Vec<u8>, Error> {
    if let Some(integer) = json::too_large_integer(text) {
        return Err(Error::TooPrecise(integer.to_owned()));
    }
    parse::parse(text, true)
}

/// Makes a CBOR item of what [`to_json`] wrote, with the keys of each map as they stand: a plugin's value need not be
/// canonical, but most have everything else of it.
pub fn from_json_in_order(text: &str) -> Result<Vec<u8>, Error> {
    if let Some(integer) = json::too_large_integer(text) {
        return Err(Error::TooPrecise(integer.to_owned()));
    }
    parse::parse(text, false)
}

/// Makes a payload from any well-formed CBOR item, bringing it into canonical form.
pub fn from_cbor(bytes: &[u8]) -> Result<Payload, Error> {
    if check::is_canonical(bytes) {
        return payload(bytes.to_vec());
    }
    payload(canonical_bytes(&decode(bytes)?)?)
}

/// Makes a payload that is one byte string.
pub fn from_bytes(bytes: Vec<u8>) -> Result<Payload, Error> {
    payload(canonical_bytes(&Value::Bytes(bytes))?)
}

/// Writes CBOR as compact JSON text, map keys in the order of the CBOR.
pub fn to_json(cbor: &[u8]) -> Result<String, Error> {
    let mut text = String::with_capacity(cbor.len() * 2);
    json::write(&decode(cbor)?, &mut text);
    Ok(text)
}

fn decode(mut bytes: &[u8]) -> Result<Value, Error> {
    let value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH_MAX);
    let value = value.map_err(|error: ciborium::de::Error<std::io::Error>| match error {
        ciborium::de::Error::RecursionLimitExceeded => Error::TooDeep,
        ciborium::de::Error::Io(_) => Error::Cbor("it ends early".to_owned()),
        ciborium::de::Error::Syntax(at) => Error::Cbor(format!("syntax error at byte {at}")),
        ciborium::de::Error::Semantic(_, why) => Error::Cbor(why),
    })?;
    if bytes.is_empty() { Ok(value) } else { Err(Error::Cbor(format!("{} bytes are left over", bytes.len()))) }
}

fn canonical_bytes(value: &Value) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    canonical::write(value, &mut bytes, DEPTH_MAX)?;
    Ok(bytes)
}

fn payload(bytes: Vec<u8>) -> Result<Payload, Error> {
    if bytes.len() > Payload::BYTES_MAX {
        return Err(Error::TooLarge(bytes.len()));
    }
    Ok(Payload::from_canonical(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn maps_as_keys_of_maps_have_a_text_that_is_no_longer_than_they_are_deep() {
        // {{1: 2}: 3}, and {{{1: 2}: 3}: 4}.
        assert_eq!(to_json(&unhex("a1a1010203")).unwrap(), r#"{"{\"1\":2}":3}"#);
        assert_eq!(to_json(&unhex("a1a1a101020304")).unwrap(), r#"{"{\"oQEC\":3}":4}"#);
        let deep = [vec![0xa1; 100], vec![0], vec![0; 100]].concat();
        let payload = from_cbor(&deep).unwrap();
        assert!(to_json(payload.as_bytes()).unwrap().len() < 400);
    }

    /// The examples of RFC 8949, appendix A, that JSON can say.
    #[test]
    fn json_becomes_canonical_cbor() {
        let check = |json: &str, expected: &str| {
            assert_eq!(hex(from_json(json).unwrap().as_bytes()), expected, "{json}");
        };
        check("0", "00");
        check("23", "17");
        check("24", "1818");
        check("1000000", "1a000f4240");
        check("18446744073709551615", "1bffffffffffffffff");
        check("-1", "20");
        check("-9223372036854775808", "3b7fffffffffffffff");
        check("18446744073709551616.0", "fa5f800000");
        check("1.0", "f93c00");
        check("-0.0", "f98000");
        check("1.1", "fb3ff199999999999a");
        check("100000.0", "fa47c35000");
        check("5.960464477539063e-8", "f90001");
        check("null", "f6");
        check("\"\u{fc}\"", "62c3bc");
        check("[1,[2,3]]", "8201820203");
        check("{\"b\":1,\"a\":2,\"aa\":true}", "a3616102616201626161f5");
    }

    #[test]
    fn cbor_is_brought_into_canonical_form() {
        let check = |given: &str, expected: &str| {
            assert_eq!(hex(from_cbor(&unhex(given)).unwrap().as_bytes()), expected, "{given}");
        };
        check("1800", "00");
        check("9f0102ff", "820102");
        check("bf6162016161f4ff", "a26161f4616201");
        check("7f616161 62ff".replace(' ', "").as_str(), "626162");
        check("fb3ff0000000000000", "f93c00");
        check("fb7ff8000000000001", "f97e00");
        check("c11a514b67b0", "c11a514b67b0");
        check("c249010000000000000000", "c249010000000000000000");
        check("c2420001", "01");
        check("a2200a01 0b".replace(' ', "").as_str(), "a2010b200a");
    }

    #[test]
    fn cbor_becomes_json() {
        let check = |given: &str, expected: &str| assert_eq!(to_json(&unhex(given)).unwrap(), expected, "{given}");
        check("a3616102616201626161f5", r#"{"a":2,"b":1,"aa":true}"#);
        check("f97e00", "null");
        check("f97c00", "null");
        check("f93c00", "1.0");
        check("fb3ff199999999999a", "1.1");
        check("43ffeeff", "\"_-7_\"");
        check("c11a514b67b0", "1363896240");
        check("a1810102", r#"{"[1]":2}"#);
        check("a10102", r#"{"1":2}"#);
        check("6122", r#""\"""#);
        check("1bffffffffffffffff", "18446744073709551615");
    }

    #[test]
    fn json_survives_the_way_through_cbor() {
        for text in [r#"{"a":[1,-2,3.5,true,null,"x\n𝄞"],"b":{}}"#, "[]", "\"\"", "1e300", "-0.0"] {
            let there = from_json(text).unwrap();
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(&to_json(there.as_bytes()).unwrap()), value(text), "{text}");
            assert_eq!(from_cbor(there.as_bytes()), Ok(there));
        }
    }

    #[test]
    fn keys_can_stay_where_they_stand() {
        let item = from_json_in_order(r#"{"b":{"d":1,"c":0.5},"a":2}"#).unwrap();
        assert_eq!(hex(&item), "a26162a261640161 63f938006161 02".replace(' ', ""));
        assert_eq!(from_json_in_order(&to_json(&item).unwrap()), Ok(item));
        assert!(from_json_in_order("18446744073709551616").is_err());
    }

    #[test]
    fn what_cannot_be_a_payload_is_refused() {
        assert_eq!(from_json(r#"{"a":1,"a":2}"#), Err(Error::DuplicateKey("\"a\"".to_owned())));
        for integer in ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"] {
            assert_eq!(from_json(&format!("[\"{integer}\", {integer}]")), Err(Error::TooPrecise(integer.to_owned())));
        }
        assert!(from_json("[\"18446744073709551616\", \"\\\"18446744073709551616\"]").is_ok(), "in a text");
        assert!(matches!(from_json("{"), Err(Error::Json(_))));
        assert!(matches!(from_json("1 2"), Err(Error::Json(_))));
        assert!(matches!(from_json(&"[".repeat(1000)), Err(Error::Json(_))));
        assert_eq!(from_cbor(&[0x81; 1000]), Err(Error::TooDeep));
        assert_eq!(from_cbor(&[0x00, 0x00]), Err(Error::Cbor("1 bytes are left over".to_owned())));
        assert_eq!(from_cbor(&[]), Err(Error::Cbor("it ends early".to_owned())));
        assert!(from_cbor(&[0x61, 0xff]).is_err(), "text that is not UTF-8");
        assert!(from_cbor(&unhex("9bffffffffffffffff00")).is_err(), "a length that lies");
        let large = format!("\"{}\"", "x".repeat(Payload::BYTES_MAX));
        assert_eq!(from_json(&large), Err(Error::TooLarge(Payload::BYTES_MAX + 5)));
    }
}
