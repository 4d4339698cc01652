//! Writes a CBOR value as compact JSON text, by RFC 8949 §6.1.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;

/// Appends the JSON text of `value`.
pub(super) fn write(value: &Value, out: &mut String) {
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
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_key(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Tag(_, content) => write(content, out),
        _ => out.push_str("null"),
    }
}

fn write_key(key: &Value, out: &mut String) {
    match key {
        Value::Text(text) => write_text(text, out),
        other => {
            let mut text = String::new();
            write(other, &mut text);
            write_text(&text, out);
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
