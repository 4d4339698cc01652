//! A state's values as people and programs read them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::cbor;
use crate::engine::StateEncoding;

/// A value, decoded as its plugin's manifest says.
pub(super) enum Shown {
    Json(Box<RawValue>),
    Text(String),
}

/// Decodes a value. What is not in the encoding that the manifest says is shown as base64.
pub(super) fn shown(value: &[u8], encoding: StateEncoding) -> Shown {
    let json = |text: String| RawValue::from_string(text).ok().map(Shown::Json);
    let text = || String::from_utf8(value.to_vec()).ok();
    let decoded = match encoding {
        StateEncoding::Cbor => cbor::to_json(value).ok().and_then(json),
        StateEncoding::Json => text().and_then(json),
        StateEncoding::Text => text().map(Shown::Text),
        StateEncoding::Bytes => None,
    };
    decoded.unwrap_or_else(|| Shown::Text(STANDARD.encode(value)))
}

impl Shown {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Json(json) => json.get().to_owned(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(json) => json.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}
