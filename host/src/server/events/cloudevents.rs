//! CloudEvents in HTTP's binary mode: attributes in `ce-` headers, the data as the body.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::server::answer::media_type;
use crate::server::params::invalid;
use crate::server::problem::Problem;

pub(super) fn is_binary(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion")
}

/// The same event in the JSON format.
pub(super) fn to_json(headers: &HeaderMap, body: &[u8]) -> Result<String, Problem> {
    let mut event = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        // The body and its Content-Type say these.
        if ["data", "data_base64", "datacontenttype"].contains(&attribute) {
            return Err(invalid(format!("the header {name} is no attribute of a CloudEvent in binary mode")));
        }
        let text = std::str::from_utf8(value.as_bytes()).ok().and_then(percent_decoded);
        let text = text.ok_or_else(|| invalid(format!("the header {name} is not percent-encoded UTF-8")))?;
        if event.insert(attribute.to_owned(), Value::String(text)).is_some() {
            return Err(invalid(format!("the header {name} stands twice")));
        }
    }
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        let text = std::str::from_utf8(content_type.as_bytes());
        let text = text.map_err(|_| invalid("the header content-type is not UTF-8".to_owned()))?;
        event.insert("datacontenttype".to_owned(), Value::from(text));
    }
    let attributes = Value::Object(event).to_string();
    let attributes = attributes.strip_suffix('}').unwrap_or(&attributes);
    Ok(match data(headers, body)? {
        Some((member, data)) => format!("{attributes},\"{member}\":{data}}}"),
        None => format!("{attributes}}}"),
    })
}

/// JSON stays as it was written, so that no number loses digits.
fn data(headers: &HeaderMap, body: &[u8]) -> Result<Option<(&'static str, String)>, Problem> {
    let media_type = media_type(headers);
    if body.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(body);
    if media_type == "application/json" || media_type.ends_with("+json") {
        let text = text.map_err(|error| invalid(format!("the body: {error}")))?;
        let json: &RawValue = serde_json::from_str(text).map_err(|error| invalid(format!("the body: {error}")))?;
        return Ok(Some(("data", json.get().to_owned())));
    }
    Ok(Some(match text {
        Ok(text) if media_type.starts_with("text/") => ("data", Value::from(text).to_string()),
        Ok(_) | Err(_) => ("data_base64", Value::from(STANDARD.encode(body)).to_string()),
    }))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}
