//! Payloads and values in a trace: as people read them where that says every byte, else as base64.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;

use crate::cbor;
use crate::engine::StateEncoding;
use crate::event::Payload;

/// 4 KiB: more than this nobody reads, so it may be compressed if that makes it a quarter.
const READ_BYTES_MAX: usize = 4 << 10;

/// Bytes in one of the ways that a trace writes them.
pub(super) enum Written {
    Json(Box<RawValue>),
    Text(String),
    Base64(String),
    Gzip(String),
}

/// Writes a payload, which is canonical CBOR.
pub(super) fn of_payload(payload: &[u8]) -> Written {
    of(payload, as_cbor(payload))
}

/// Writes a state's value.
pub(super) fn of_value(value: &[u8], encoding: StateEncoding) -> Written {
    let text = || std::str::from_utf8(value).ok();
    let readable = match encoding {
        StateEncoding::Cbor => as_cbor(value),
        StateEncoding::Json => text().and_then(as_json),
        StateEncoding::Text => text().map(|text| Written::Text(text.to_owned())),
        StateEncoding::Bytes => None,
    };
    of(value, readable)
}

fn of(bytes: &[u8], readable: Option<Written>) -> Written {
    if bytes.len() > READ_BYTES_MAX {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).expect("memory takes everything");
        let packed = packer.finish().expect("memory takes everything");
        if packed.len() < bytes.len() / 4 {
            return Written::Gzip(STANDARD.encode(packed));
        }
    }
    readable.unwrap_or_else(|| Written::Base64(STANDARD.encode(bytes)))
}

/// As JSON, if that reads back to the same bytes: NaN, byte strings, tags and keys that are no texts do not.
fn as_cbor(bytes: &[u8]) -> Option<Written> {
    let json = cbor::to_json(bytes).ok()?;
    cbor::from_json_in_order(&json).ok().filter(|item| item == bytes)?;
    RawValue::from_string(json).ok().map(Written::Json)
}

/// As it is, if no white space around it would get lost and it stays on its line.
fn as_json(text: &str) -> Option<Written> {
    let json: Box<RawValue> = serde_json::from_str(text).ok()?;
    (json.get() == text && !text.contains(['\n', '\r'])).then_some(Written::Json(json))
}

/// The members that say bytes, of which a line has one.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) json: Option<&'a RawValue>,
    pub(super) text: Option<&'a str>,
    pub(super) base64: Option<&'a str>,
    pub(super) gzip: Option<&'a str>,
}

impl Members<'_> {
    pub(super) fn payload(self) -> Result<Payload, String> {
        let bytes = match self {
            Self { json: Some(json), text: None, base64: None, gzip: None } => {
                return cbor::from_json(json.get()).map_err(|error| format!("data: {error}"));
            }
            Self { json: None, text: None, base64, gzip } => {
                packed(base64, gzip, Payload::BYTES_MAX)?.ok_or("it must have data, data_base64 or data_gzip")?
            }
            _ => return Err("only one of data, data_base64 and data_gzip can stand".to_owned()),
        };
        let payload = cbor::from_cbor(&bytes).map_err(|error| format!("data: {error}"))?;
        if payload.as_bytes() == bytes { Ok(payload) } else { Err("data is not canonical CBOR".to_owned()) }
    }

    pub(super) fn value(self, encoding: StateEncoding, bytes_max: usize) -> Result<Vec<u8>, String> {
        match self {
            Self { json: Some(json), text: None, base64: None, gzip: None } => match encoding {
                StateEncoding::Cbor => cbor::from_json_in_order(json.get()).map_err(|error| format!("value: {error}")),
                StateEncoding::Json => Ok(json.get().as_bytes().to_vec()),
                StateEncoding::Text | StateEncoding::Bytes => {
                    Err("a value of a state in text or bytes stands as text, base64 or gzip".to_owned())
                }
            },
            Self { json: None, text: Some(text), base64: None, gzip: None } => Ok(text.as_bytes().to_vec()),
            Self { json: None, text: None, base64, gzip } => {
                packed(base64, gzip, bytes_max)?.ok_or_else(|| "it must have value, text, base64 or gzip".to_owned())
            }
            _ => Err("only one of value, text, base64 and gzip can stand".to_owned()),
        }
    }
}

fn packed(base64: Option<&str>, gzip: Option<&str>, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
    let decode = |text: &str| STANDARD.decode(text).map_err(|error| format!("base64: {error}"));
    let bytes = match (base64, gzip) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err("only one of base64 and gzip can stand".to_owned()),
        (Some(base64), None) => decode(base64)?,
        (None, Some(gzip)) => {
            let mut bytes = Vec::new();
            let packed = decode(gzip)?;
            let read = GzDecoder::new(packed.as_slice()).take(bytes_max as u64 + 1).read_to_end(&mut bytes);
            read.map_err(|error| format!("gzip: {error}"))?;
            bytes
        }
    };
    if bytes.len() > bytes_max {
        return Err(format!("it is larger than {bytes_max} bytes"));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How bytes are written, read back.
    fn written(bytes: &[u8], encoding: StateEncoding) -> String {
        let written = of_value(bytes, encoding);
        let (shown, members) = match &written {
            Written::Json(json) => (json.get().to_owned(), Members { json: Some(json), ..Members::default() }),
            Written::Text(text) => (format!("text {text}"), Members { text: Some(text), ..Members::default() }),
            Written::Base64(text) => (format!("base64 {text}"), Members { base64: Some(text), ..Members::default() }),
            Written::Gzip(text) => ("gzip".to_owned(), Members { gzip: Some(text), ..Members::default() }),
        };
        assert_eq!(members.value(encoding, 1 << 20).unwrap(), bytes);
        shown
    }

    #[test]
    fn what_json_says_exactly_stands_as_json() {
        let cbor = |json: &str| written(cbor::from_json(json).unwrap().as_bytes(), StateEncoding::Cbor);
        for json in
            ["{\"a\":[1,-0.0,1e21,\"\\u0000𝄞\"]}", "18446744073709551615", "9007199254740993.0", "5e-324", "1.1"]
        {
            let shown = cbor(json);
            assert_eq!(cbor::from_json(&shown), cbor::from_json(json), "{shown}");
        }
        for (hex, base64) in [("f97e00", "base64 +X4A"), ("4100", "base64 QQA="), ("a10102", "base64 oQEC")] {
            let bytes: Vec<u8> =
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            assert_eq!(written(&bytes, StateEncoding::Cbor), base64, "{hex}");
        }
        let unsorted = cbor::from_json_in_order(r#"{"b":1,"a":1.5}"#).unwrap();
        assert_eq!(written(&unsorted, StateEncoding::Cbor), r#"{"b":1,"a":1.5}"#);
        assert_eq!(written(&[], StateEncoding::Cbor), "base64 ");
        assert_eq!(written(&[0x18, 0x01], StateEncoding::Cbor), "base64 GAE=", "not in its shortest form");
    }

    #[test]
    fn other_states_stand_as_what_they_are() {
        assert_eq!(written(b"{\"b\": 1, \"a\":1.50}", StateEncoding::Json), "{\"b\": 1, \"a\":1.50}");
        assert_eq!(written(b" 1", StateEncoding::Json), "base64 IDE=");
        assert_eq!(written(b"[1,\n2]", StateEncoding::Json), "base64 WzEsCjJd");
        assert_eq!(written("ü\n".as_bytes(), StateEncoding::Text), "text ü\n");
        assert_eq!(written(&[0xff], StateEncoding::Text), "base64 /w==");
        assert_eq!(written(b"ab", StateEncoding::Bytes), "base64 YWI=");
        assert_eq!(written(&[7; 1 << 20], StateEncoding::Bytes), "gzip");
    }

    #[test]
    fn what_says_nothing_or_too_much_is_refused() {
        let refusal = |members: Members| members.value(StateEncoding::Cbor, 4).unwrap_err();
        assert_eq!(refusal(Members::default()), "it must have value, text, base64 or gzip");
        let both = Members { text: Some(""), base64: Some(""), ..Members::default() };
        assert_eq!(refusal(both), "only one of value, text, base64 and gzip can stand");
        let long = Members { base64: Some("AAAAAAA="), ..Members::default() };
        assert_eq!(refusal(long), "it is larger than 4 bytes");
        assert_eq!(
            Members { base64: Some("GAE="), ..Members::default() }.payload(),
            Err("data is not canonical CBOR".into())
        );
    }
}
