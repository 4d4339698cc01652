//! Small JSON files that say whether they are whole: their last field, `checksum`, is a digest of all the others.
//!
//! ```text
//! checksum    BLAKE3, in hex, of the object without this field, as compact JSON with the keys of every object sorted:
//!             jq -cjS 'del(.checksum)' FILE | b3sum
//! ```
//! A file without one is taken as it is: it is of an earlier release, or somebody changed it by hand and took the field
//! out. Whoever reads such a file refuses fields that it does not know, so that no damage to the name makes the field go.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::event::Digest;

const FIELD: &str = "checksum";

/// Writes an object as readable JSON with its checksum.
pub fn seal<T: Serialize>(content: &T) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Sealed<'a, T> {
        #[serde(flatten)]
        content: &'a T,
        checksum: String,
    }
    let checksum = checksum(&serde_json::to_value(content)?).to_string();
    let mut text = serde_json::to_vec_pretty(&Sealed { content, checksum })?;
    text.push(b'\n');
    Ok(text)
}

/// Reads JSON; the checksum is taken out of it.
///
/// # Errors
/// If it is no JSON, or not what its checksum was made of. The error says what is wrong, not with which file.
pub fn unseal(text: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let stated = value.as_object_mut().and_then(|object| object.remove(FIELD));
    match stated {
        Some(stated) if stated != checksum(&value).to_string() => {
            Err("it is damaged or was changed by hand: its checksum is of other content (whoever changed it takes the \
             field `checksum` out)"
                .to_owned())
        }
        Some(_) | None => Ok(value),
    }
}

fn checksum(value: &Value) -> Digest {
    let mut text = String::new();
    write_sorted(value, &mut text);
    Digest::of(text.as_bytes())
}

/// Compact JSON, its keys sorted whatever order the library keeps them in.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => *text += &value.to_string(),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write_sorted(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (index, (name, field)) in fields.iter().collect::<BTreeMap<_, _>>().into_iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                *text += &Value::from(name.as_str()).to_string();
                text.push(':');
                write_sorted(field, text);
            }
            text.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content() -> Value {
        json!({ "b": [1, { "d": null, "c": "é\"" }], "a": 18446744073709551615_u64, "e": true })
    }

    #[test]
    fn what_was_sealed_is_read_whatever_its_white_space_and_order() {
        let sealed = seal(&content()).unwrap();
        assert_eq!(unseal(&sealed), Ok(content()));
        let compact = serde_json::from_slice::<Value>(&sealed).unwrap().to_string();
        assert_eq!(unseal(compact.as_bytes()), Ok(content()));
        assert_eq!(unseal(content().to_string().as_bytes()), Ok(content()), "one without a checksum is taken");
    }

    #[test]
    fn the_checksum_is_what_the_page_says() {
        let text = r#"{"a":18446744073709551615,"b":[1,{"c":"é\"","d":null}],"e":true}"#;
        assert_eq!(checksum(&content()), Digest::of(text.as_bytes()));
    }

    #[test]
    fn every_flipped_bit_is_found_or_changes_nothing() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Content {
            a: u64,
            b: Value,
            e: bool,
        }
        let read = |text: &[u8]| {
            unseal(text).and_then(|value| serde_json::from_value::<Content>(value).map_err(|error| error.to_string()))
        };
        let sealed = seal(&content()).unwrap();
        let whole = read(&sealed).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(found) = read(&flipped) {
                assert_eq!(found, whole, "bit {bit}: {}", String::from_utf8_lossy(&flipped));
            }
        }
    }
}
