//! JSON text: writing a CBOR value as such, by RFC 8949 §6.1, and finding what CBOR cannot take exactly.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Data,
    /// In a map's key, which is a text already.
    Key,
}

/// Appends the JSON text of `value`.
pub(super) fn write(value: &Value, out: &mut String) {
    write_at(Place::Data, value, out);
}

fn write_at(place: Place, value: &Value, out: &mut String) {
    match value {
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Integer(number) => out.push_str(&i128::from(*number).to_string()),
        Value::Float(number) => out.push_str(&serde_json::Value::from(*number).to_string()),
        Value::Bytes(bytes) => write_text(&URL_SAFE_NO_PAD.encode(bytes), out),
        Value::Text(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_at(place, item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_key(place, key, out);
                out.push(':');
                write_at(place, value, out);
            }
            out.push('}');
        }
        Value::Tag(_, content) => write_at(place, content, out),
        _ => out.push_str("null"),
    }
}

/// A text in a text doubles its backslashes, so maps as keys of maps as keys would grow without bound: within a key,
/// such a key is shown by its bytes.
fn write_key(place: Place, key: &Value, out: &mut String) {
    match key {
        Value::Text(text) => write_text(text, out),
        Value::Array(_) | Value::Map(_) | Value::Tag(..) if place == Place::Key => {
            let mut bytes = Vec::new();
            ciborium::into_writer(key, &mut bytes).expect("writing to memory cannot fail");
            write_text(&URL_SAFE_NO_PAD.encode(bytes), out);
        }
        other => {
            let mut text = String::new();
            write_at(Place::Key, other, &mut text);
            write_text(&text, out);
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// The first integer outside of texts that neither an `i64` nor a `u64` holds.
pub(super) fn too_large_integer(json: &str) -> Option<&str> {
    /// 2^63 has 19 digits: a shorter number fits.
    const DIGITS_MIN: usize = 19;
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_text(bytes, at),
            b'-' | b'0'..=b'9' => {
                let rest = &bytes[at..];
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let number = &json[at..at + rest.iter().take_while(|byte| is_part(byte)).count()];
                let is_integer = !number.contains(['.', 'e', 'E']);
                let fits = || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
                if is_integer && number.len() >= DIGITS_MIN && !fits() {
                    return Some(number);
                }
                at += number.len();
            }
            _ => at += 1,
        }
    }
    None
}

/// Where a text that begins at `at` is over; at the end of a text without an end.
fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}
